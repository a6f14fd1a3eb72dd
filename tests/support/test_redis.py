#!/usr/bin/python3
"""Do Redis and its sentinel do what the tests that use them believe?"""
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from redis import NotInstalled, Redis, RedisError, RedisSentinel  # noqa: E402

SKIPPED = 77
FAILOVER_SECONDS = 30


def eventually(condition, what):
    deadline = time.monotonic() + FAILOVER_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(what)
        time.sleep(0.02)


class RedisTest(unittest.TestCase):
    def test_it_keeps_its_port_and_nothing_else(self):
        with Redis() as server:
            port = server.port
            self.assertEqual(server.call("SET", "k", "v"), "OK")
            self.assertEqual(server.call("GET", "k"), "v")
            server.kill()
            server.start()
            self.assertEqual(server.port, port)
            self.assertIsNone(server.call("GET", "k"))

    def test_the_password_counts(self):
        with Redis(password="Sesame") as server:
            self.assertEqual(server.call("INCR", "n"), 1)
            server.password = None
            with self.assertRaisesRegex(RedisError, "NOAUTH"):
                server.call("INCR", "n")
            server.password = "Sesame"

    def test_a_sentinel_promotes_the_replica(self):
        with Redis(password="Sesame") as master, \
                Redis(password="Sesame", replica_of=master, lines=["repl-diskless-sync-delay 0"]) as replica, \
                RedisSentinel(master) as sentinel:
            self.assertEqual(sentinel.master_port(), master.port)
            eventually(sentinel.knows_replicas, "the sentinel finds no replica")
            eventually(lambda: "master_link_status:up" in replica.call("INFO", "replication"), "the replica does not follow")
            master.kill()
            eventually(lambda: sentinel.master_port() == replica.port, "nobody is promoted")
            eventually(lambda: replica.call("ROLE")[0] == "master", "it does not know")


if __name__ == "__main__":
    try:
        Redis().close()
    except NotInstalled as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        sys.exit(SKIPPED)
    unittest.main()
