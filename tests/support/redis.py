"""A Redis server of a test's own, and a sentinel that watches one: `with Redis(password="x") as server: server.url`."""
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from service import NotInstalled, Service, ServiceError, find_program  # noqa: E402

ANSWER_SECONDS = 5


class RedisError(ServiceError):
    """What the server answered instead of a value."""


class _Connection:
    """One connection: a command, its answer, the next command."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def call(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self._read()

    def _read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ServiceError("redis: the connection was closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2].decode(errors="surrogateescape")
        return [self._read() for _ in range(int(rest))]


class Redis(Service):
    """`lines` as in redis.conf; `replica_of` another Redis."""

    name = "redis"
    start_seconds = 20
    stop_seconds = 10

    def __init__(self, password=None, lines=(), replica_of=None):
        self.program = find_program("redis-server", "/usr/bin")
        super().__init__()
        self.password, self.lines = password, list(lines)
        if replica_of is not None:
            self.lines.append(f"replicaof 127.0.0.1 {replica_of.port}")
            if replica_of.password is not None:
                self.lines.append(f"masterauth {replica_of.password}")

    def configuration(self):
        return [f"port {self.port}", "bind 127.0.0.1", f"dir {self.scratch}", 'save ""',
                *([f"requirepass {self.password}"] if self.password else []), *self.lines]

    def command(self):
        return [self.program, self.write("redis.conf", "\n".join(self.configuration()) + "\n")]

    def answers(self):
        try:
            return self.call("PING") == "PONG"
        except (OSError, ServiceError):
            return False

    @property
    def url(self):
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}/0"

    def call(self, *words):
        """One command, on a connection of its own; raises RedisError when the server refuses it."""
        with _Connection(self.port) as connection:
            if self.password:
                connection.call("AUTH", self.password)
            return connection.call(*words)


class RedisSentinel(Redis):
    """Watches `master`, and promotes a replica of it half a second after its end."""

    name = "sentinel"

    def __init__(self, master):
        super().__init__()
        self.master = master

    def command(self):
        path = os.path.join(self.scratch, "redis.conf")
        if not os.path.exists(path) or not self._keeps_port(path):
            self.write("redis.conf", "\n".join([
                f"port {self.port}", "bind 127.0.0.1", f"dir {self.scratch}",
                f"sentinel monitor main 127.0.0.1 {self.master.port} 1",
                *([f"sentinel auth-pass main {self.master.password}"] if self.master.password else []),
                "sentinel down-after-milliseconds main 500", "sentinel failover-timeout main 2000"]) + "\n")
        return [self.program, path, "--sentinel"]

    def _keeps_port(self, path):
        """What a sentinel has learnt stands in its file; it is written anew when the port was taken."""
        with open(path, encoding="utf-8") as file:
            return f"port {self.port}" in file.read().splitlines()

    @property
    def url(self):
        password = f":{self.master.password}@" if self.master.password else ""
        return f"redis+sentinel://{password}127.0.0.1:{self.port}/main/0"

    def master_port(self):
        return int(self.call("SENTINEL", "get-master-addr-by-name", "main")[1])

    def knows_replicas(self):
        return len(self.call("SENTINEL", "replicas", "main")) > 0


__all__ = ["NotInstalled", "Redis", "RedisError", "RedisSentinel"]
