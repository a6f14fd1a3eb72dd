#!/usr/bin/python3
"""Does Swift do what the tests that use it believe?"""
import os
import sys
import time
import unittest
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from object_store import PREFIX, NoFiles  # noqa: E402
from service import ServiceError, listens  # noqa: E402
from swift import SEGMENTS, NotInstalled, Swift  # noqa: E402

SKIPPED = 77


class SwiftTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Swift().start()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.store = self.server.create_store()
        self.addCleanup(self.store.drop)

    def put(self, key, data=b"x", container=None):
        self.server.call("PUT", f"/{container or self.store.bucket}/{PREFIX}/{key}", data)

    def test_what_is_stored_survives_a_kill(self):
        self.put("blobs/a", b"content")
        self.assertEqual(self.store.keys(), ["blobs/a"])
        port, pids = self.server.port, [service.pid for service in (self.server, *self.server.parts)]
        self.server.kill()
        for pid in pids:
            with self.assertRaises(ProcessLookupError):
                os.kill(pid, 0)
        self.server.start()
        self.assertEqual(self.server.port, port)
        self.assertEqual(self.server.call("GET", f"/{self.store.bucket}/{PREFIX}/blobs/a"), b"content")

    def test_every_port_is_of_a_process_of_its_own(self):
        for service in (self.server, *self.server.parts):
            self.assertTrue(listens([service.pid], service.port), service.name)

    def test_parts_count_until_their_object_is_whole(self):
        segments = self.store.bucket + SEGMENTS
        self.server.create_bucket(segments)
        for name in ("blobs/a/upload", "blobs/a/upload/1", "blobs/a/upload/2"):
            self.put(name, container=segments)
        self.assertEqual(self.store.keys(), ["blobs/a/upload", "blobs/a/upload/1", "blobs/a/upload/2"])
        self.put("blobs/a")
        self.assertEqual(self.store.keys(), ["blobs/a", "blobs/a/upload"])
        self.store.drop()
        self.assertEqual(self.store.keys(), [])

    def test_it_speaks_s3_to_those_who_sign(self):
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(
                f"http://127.0.0.1:{self.server.port}/{self.store.bucket}?AWSAccessKeyId={self.server.access_key}"
                f"&Signature=wrong&Expires={int(time.time()) + 600}"), timeout=60)
        with refused.exception as answer:
            self.assertEqual(answer.code, 403)
            self.assertIn(b"<Code>SignatureDoesNotMatch</Code>", answer.read())

    def test_what_it_refuses_is_an_error(self):
        with self.assertRaisesRegex(ServiceError, "404"):
            self.server.call("GET", f"/{self.store.bucket}/nothing")
        with self.assertRaises(NoFiles):
            self.store.path("blobs/a")


if __name__ == "__main__":
    try:
        Swift().close()
    except NotInstalled as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        sys.exit(SKIPPED)
    unittest.main()
