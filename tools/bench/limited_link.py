"""A link of so many bytes a second in each direction, shared by all connections: TCP between clients and one server."""
import socket
import threading
import time

CHUNK = 64 << 10
# What may be late or early: sleeping more exactly costs more than it gives.
SLACK_SECONDS = 0.002


class _Direction:
    """Gives each piece its time on the line."""

    def __init__(self, bytes_per_second):
        self.rate, self.free_at, self.lock = bytes_per_second, 0.0, threading.Lock()

    def carry(self, size):
        with self.lock:
            now = time.monotonic()
            self.free_at = max(self.free_at, now - SLACK_SECONDS) + size / self.rate
            wait = self.free_at - now
        if wait > SLACK_SECONDS:
            time.sleep(wait)


class LimitedLink:
    """Use as a context manager; `port` is where clients connect."""

    def __init__(self, port, bytes_per_second):
        self.target, self.bytes_per_second = port, bytes_per_second
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.directions = _Direction(bytes_per_second), _Direction(bytes_per_second)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for source, sink, direction in ((client, server, self.directions[0]), (server, client, self.directions[1])):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(source, sink, direction), daemon=True).start()

    @staticmethod
    def _pump(source, sink, direction):
        room = memoryview(bytearray(CHUNK))
        try:
            while size := source.recv_into(room):
                direction.carry(size)
                sink.sendall(room[:size])
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):  # One side has gone: so does the other.
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
