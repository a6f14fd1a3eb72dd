#!/usr/bin/python3
"""Do haproxy and nginx pass requests to the servers that live, and only once?"""
import collections
import http.server
import os
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from haproxy import Haproxy  # noqa: E402
from nginx import Nginx  # noqa: E402
from service import NotInstalled  # noqa: E402

SKIPPED = 77
SECONDS = 10


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"status":"healthy"}' if self.server.healthy else b'{"status":"unhealthy"}'
        body = body if self.path == "/health" else self.server.name
        self.server.asked[self.path] += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Upstream(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.name, self.healthy, self.asked = name, True, collections.Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """haproxy resets the connections of its checks."""

    @property
    def address(self):
        return "127.0.0.1:%d" % self.server_address[1]


class Checks:
    kind = None

    def setUp(self):
        self.upstreams = [Upstream(b"one"), Upstream(b"two")]
        self.balancer = self.kind([upstream.address for upstream in self.upstreams], "/health").start()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def tearDown(self):
        self.balancer.close()
        for upstream in self.upstreams:
            upstream.shutdown()
            upstream.server_close()

    def ask(self):
        with self.opener.open(f"http://{self.balancer.host}/x", timeout=SECONDS) as answer:
            return answer.read()

    def ask_some(self):
        """Who answers; nobody, where the balancer says that nobody is there."""
        names = set()
        for _ in range(6):
            try:
                names.add(self.ask())
            except urllib.error.HTTPError as refusal:
                refusal.close()
                if refusal.code != 503:
                    raise
        return names

    def eventually(self, names):
        deadline = time.monotonic() + SECONDS
        while self.ask_some() != names:
            self.assertLess(time.monotonic(), deadline, f"not only {names} are asked")
            time.sleep(0.1)

    def test_both_are_asked(self):
        self.eventually({b"one", b"two"})

    def test_one_that_is_gone_is_left_out(self):
        self.eventually({b"one", b"two"})
        port = self.upstreams[0].server_address[1]
        self.upstreams[0].shutdown()
        self.upstreams[0].server_close()
        self.assertEqual({self.ask() for _ in range(10)}, {b"two"})
        self.upstreams[0] = Upstream(b"one", port)
        self.eventually({b"one", b"two"})


class HaproxyTest(Checks, unittest.TestCase):
    kind = Haproxy

    def test_one_that_says_it_is_ill_is_left_out(self):
        self.upstreams[0].healthy = False
        self.eventually({b"two"})
        self.assertGreater(self.upstreams[0].asked["/health"], 0)
        self.upstreams[1].healthy = False
        self.eventually(set())


class NginxTest(Checks, unittest.TestCase):
    kind = Nginx


if __name__ == "__main__":
    try:
        for kind in (Haproxy, Nginx):
            kind([], "").close()
    except NotInstalled as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        sys.exit(SKIPPED)
    unittest.main()
