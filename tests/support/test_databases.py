#!/usr/bin/python3
"""Do the database servers that tests start for themselves do what their classes say?"""
import contextlib
import os
import socket
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from mariadb import Mariadb  # noqa: E402
from postgresql import Postgresql  # noqa: E402
from service import NotInstalled, ServiceError, process_tree  # noqa: E402

SKIPPED = 77


class Checks:
    """What holds for each engine."""

    kind = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.kind().start()
        cls.database = cls.server.create_database()

    @classmethod
    def tearDownClass(cls):
        scratch, pids = cls.server.scratch, process_tree(cls.server.pid)
        cls.server.close()
        if os.path.exists(scratch) or any(process_tree(pid) for pid in pids):
            raise AssertionError("something is left")

    def test_runs_without_the_rights_of_root(self):
        for pid in process_tree(self.server.pid):
            with contextlib.suppress(FileNotFoundError):  # Its workers come and go.
                self.assertNotEqual(os.stat(f"/proc/{pid}").st_uid, 0)

    def test_rows(self):
        self.assertEqual(self.database.rows("SELECT 1, '', NULL, 'two\nlines'"), [("1", "", None, "two\nlines")])
        self.assertEqual(self.database.rows("SELECT '' UNION ALL SELECT 'ü'"), [("",), ("ü",)])
        self.assertEqual(self.database.rows("SELECT 1 WHERE 1 = 0"), [])
        with self.assertRaises(ServiceError):
            self.database.rows("SELECT nonsense")

    def test_databases_are_apart(self):
        self.database.rows("CREATE TABLE apart (id INTEGER)")
        other = self.server.create_database()
        with self.assertRaises(ServiceError):
            other.rows("SELECT * FROM apart")
        other.drop()

    def test_what_was_committed_survives_a_kill_and_a_restart(self):
        self.database.rows("CREATE TABLE kept (id INTEGER)")
        self.database.rows("INSERT INTO kept VALUES (7)")
        port = self.server.port
        self.server.kill()
        self.assertFalse(self.server.alive())
        self.server.start()
        self.assertEqual(self.database.rows("SELECT id FROM kept"), [("7",)])
        self.server.restart()
        self.assertEqual(self.database.rows("SELECT id FROM kept"), [("7",)])
        self.assertEqual(self.server.port, port)

    def test_paused_it_accepts_and_says_nothing(self):
        self.server.pause()
        try:
            with socket.create_connection(("127.0.0.1", self.server.port), 2) as connection:
                connection.settimeout(0.3)
                connection.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # PostgreSQL's request for TLS; MariaDB speaks first.
                with self.assertRaises(TimeoutError):
                    connection.recv(1)
        finally:
            self.server.resume()
        self.assertEqual(self.database.rows("SELECT 1"), [("1",)])

    def test_with_database(self):
        engine = self.database.engine
        begin = time.monotonic()
        name = "ROADSTEAD_TEST_" + ("POSTGRESQL" if engine == "postgresql" else "MYSQL") + "_URL"
        done = subprocess.run([os.path.join(HERE, "with_database.py"), engine, "--", "sh", "-c", f"echo ${name}; exit 9"],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 9, done.stderr)
        self.assertRegex(done.stdout, r"^(postgresql|mysql)://\w+:\w+@127\.0\.0\.1:\d+/\w+\n$")
        self.assertLess(time.monotonic() - begin, 100)


class PostgresqlTest(Checks, unittest.TestCase):
    kind = Postgresql

    def test_the_password_counts(self):
        program = os.path.join(self.server.programs, "psql")
        for url, expected in ((self.database.url, 0), (self.database.url.replace(self.database.password, "wrong"), 2),
                              (self.database.socket_url, 0)):
            done = subprocess.run([program, "-X", "-w", url, "-c", "SELECT 1"], capture_output=True, check=False)
            self.assertEqual(done.returncode, expected, done.stderr)


class MariadbTest(Checks, unittest.TestCase):
    kind = Mariadb

    def test_the_password_counts(self):
        for password, expected in ((self.database.password, 0), ("wrong", 1)):
            done = subprocess.run([self.server.client, "--no-defaults", "--host=127.0.0.1", f"--port={self.server.port}",
                                   f"--user={self.database.user}", f"--password={password}", self.database.name, "-e",
                                   "SELECT 1"], capture_output=True, check=False)
            self.assertEqual(done.returncode, expected, done.stderr)


if __name__ == "__main__":
    try:
        for kind in (Postgresql, Mariadb):
            kind().close()
    except NotInstalled as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        sys.exit(SKIPPED)
    unittest.main()
