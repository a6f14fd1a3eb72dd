#!/usr/bin/python3
"""Does the proxy do to connections what its switches say, and nothing else?"""
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from fault_proxy import TO_SERVER, FaultProxy  # noqa: E402


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(1 << 16):
                self.server.received += len(data)
                self.request.sendall(data)
        except OSError:
            pass


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 64
    received = 0


class FaultProxyTest(unittest.TestCase):
    def setUp(self):
        self.echo = EchoServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=self.echo.serve_forever, daemon=True).start()
        self.proxy = FaultProxy("127.0.0.1", self.echo.server_address[1]).start()
        self.sockets = []

    def tearDown(self):
        for each in self.sockets:
            each.close()
        self.proxy.close()
        self.echo.shutdown()
        self.echo.server_close()

    def connect(self, seconds=5):
        connection = socket.create_connection(("127.0.0.1", self.proxy.port), seconds)
        self.sockets.append(connection)
        return connection

    @staticmethod
    def echoed(connection, data):
        sender = threading.Thread(target=connection.sendall, args=(data,), daemon=True)
        sender.start()
        parts, have = [], 0
        while have < len(data):
            part = connection.recv(1 << 16)
            if not part:
                raise ConnectionError("ended")
            parts.append(part)
            have += len(part)
        sender.join(5)
        return b"".join(parts)

    def assert_reset(self, connection):
        with self.assertRaises(ConnectionError):
            while connection.recv(1 << 16):
                pass
            raise AssertionError("ended instead of being reset")

    def test_forwards_every_byte_and_the_end(self):
        connection, data = self.connect(), os.urandom(3_000_000)
        self.assertEqual(self.echoed(connection, data), data)
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(connection.recv(1), b"")

    def test_cut_resets_what_is_open_and_nothing_later(self):
        old = self.connect()
        self.echoed(old, b"x")
        self.proxy.cut()
        self.assert_reset(old)
        self.assertEqual(self.echoed(self.connect(), b"y"), b"y")

    def test_refuse_keeps_the_port_and_open_connections(self):
        old, port = self.connect(), self.proxy.port
        self.echoed(old, b"x")
        for _ in range(3):
            self.proxy.refuse()
            with self.assertRaises(ConnectionRefusedError):
                self.connect()
            self.assertEqual(self.echoed(old, b"x"), b"x")
            self.proxy.refuse(False)
            self.assertEqual(self.echoed(self.connect(), b"y"), b"y")
        self.assertEqual(self.proxy.port, port)

    def test_black_hole_accepts_and_forwards_later(self):
        old = self.connect()
        self.echoed(old, b"x")
        self.proxy.black_hole()
        new = self.connect()
        for connection in (old, new):
            connection.sendall(b"late")
            connection.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                connection.recv(1)
        self.assertEqual(self.echo.received, 1)
        self.proxy.black_hole(False)
        for connection in (old, new):
            connection.settimeout(5)
            self.assertEqual(connection.recv(4), b"late")

    def test_a_black_hole_can_be_cut(self):
        self.proxy.black_hole()
        connection = self.connect()
        connection.sendall(b"lost")
        time.sleep(0.1)
        self.proxy.cut()
        self.assert_reset(connection)
        self.proxy.heal()
        time.sleep(0.1)
        self.assertEqual(self.echo.received, 0)

    def test_drop_responses(self):
        connection = self.connect()
        self.proxy.drop_responses()
        connection.sendall(b"heard")
        connection.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            connection.recv(1)
        self.assertEqual(self.echo.received, 5)
        self.proxy.drop_responses(False)
        connection.settimeout(5)
        self.assertEqual(self.echoed(connection, b"again"), b"again")

    def test_latency(self):
        connection = self.connect()
        self.proxy.set_latency(0.15)
        begin = time.monotonic()
        self.echoed(connection, b"x")
        self.assertGreaterEqual(time.monotonic() - begin, 0.29)
        self.proxy.heal()
        begin = time.monotonic()
        self.echoed(connection, b"x")
        self.assertLess(time.monotonic() - begin, 0.29)

    def test_bandwidth(self):
        connection, data = self.connect(), os.urandom(100_000)
        self.proxy.set_bandwidth(200_000)
        begin = time.monotonic()
        self.assertEqual(self.echoed(connection, data), data)
        self.assertGreaterEqual(time.monotonic() - begin, 0.45)

    def test_close_after_bytes(self):
        self.proxy.close_after_bytes(1000, direction=TO_SERVER, once=True)
        connection = self.connect()
        self.echoed(connection, b"x" * 999)
        connection.sendall(b"y" * 50)
        self.assert_reset(connection)
        self.assertIn(self.echo.received, (999, 1000))
        self.assertEqual(self.echoed(self.connect(), b"z" * 5000), b"z" * 5000)

    def test_a_server_that_is_not_there(self):
        self.echo.shutdown()
        self.echo.server_close()
        self.assert_reset(self.connect())

    def test_as_a_program(self):
        with subprocess.Popen([os.path.join(HERE, "fault_proxy.py"), "--to", f"127.0.0.1:{self.echo.server_address[1]}"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            with socket.create_connection(("127.0.0.1", int(program.stdout.readline())), 5) as connection:
                self.assertEqual(self.echoed(connection, b"x"), b"x")
                for line, answer in (("nonsense", "switches: "), ("refuse on", "ok"), ("latency x", "switches: "),
                                     ("cut", "ok")):
                    program.stdin.write(line + "\n")
                    program.stdin.flush()
                    self.assertTrue(program.stdout.readline().startswith(answer), line)
                self.assert_reset(connection)
            program.stdin.close()
            self.assertEqual(program.wait(10), 0)


if __name__ == "__main__":
    unittest.main()
