#!/usr/bin/python3
"""Does pgbouncer pool transactions, as the tests that use it believe?"""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from pgbouncer import Pgbouncer  # noqa: E402
from postgresql import Postgresql  # noqa: E402
from service import NotInstalled  # noqa: E402

SKIPPED = 77


class PgbouncerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Postgresql(fsync=False).start()
        cls.addClassCleanup(cls.server.close)
        cls.pooler = Pgbouncer(cls.server.create_database(), settings={"default_pool_size": "1"}).start()
        cls.addClassCleanup(cls.pooler.close)

    def client(self):
        return subprocess.Popen([os.path.join(self.server.programs, "psql"), "-X", "-w", "-A", "-t", "-q", self.pooler.url],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @staticmethod
    def ask(client, sql):
        client.stdin.write(sql + "\n")
        client.stdin.flush()
        return client.stdout.readline().strip()

    def test_two_clients_share_one_server_connection(self):
        with self.client() as one, self.client() as two:
            pid = self.ask(one, "SELECT pg_backend_pid();")
            self.assertRegex(pid, r"^\d+$")
            self.assertEqual(self.ask(two, "SELECT pg_backend_pid();"), pid)
            self.assertEqual(self.ask(one, "BEGIN; SELECT pg_backend_pid();"), pid)
            self.assertEqual(self.ask(one, "COMMIT; SELECT pg_backend_pid();"), pid)
            for client in (one, two):
                client.stdin.close()
                client.wait(10)

    def test_the_password_counts(self):
        done = subprocess.run([os.path.join(self.server.programs, "psql"), "-X", "-w", "-c", "SELECT 1",
                               self.pooler.url.replace(self.pooler.database.password, "wrong")],
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)

    def test_it_restarts_on_its_port(self):
        port = self.pooler.port
        self.pooler.kill()
        self.pooler.start()
        self.assertEqual(self.pooler.port, port)
        with self.client() as one:
            self.assertEqual(self.ask(one, "SELECT 5;"), "5")
            one.stdin.close()


if __name__ == "__main__":
    try:
        with Postgresql(fsync=False) as installed:
            Pgbouncer(installed.create_database()).close()
    except NotInstalled as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        sys.exit(SKIPPED)
    unittest.main()
