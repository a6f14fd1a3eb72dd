"""A pgbouncer of a test's own between clients and a PostgreSQL server: one server connection per transaction."""
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from service import NotInstalled, Service, find_program  # noqa: E402

SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"


class Pgbouncer(Service):
    """`settings` as in its section [pgbouncer]: default_pool_size, max_client_conn, query_wait_timeout …"""

    name = "pgbouncer"
    stop_signal = signal.SIGINT

    def __init__(self, database, pool_mode="transaction", settings=None, server_port=None):
        """`server_port`: of a proxy before the database's server."""
        self.program = find_program("pgbouncer")
        super().__init__()
        self.database, self.server_port = database, server_port
        self.settings = {"pool_mode": pool_mode, "default_pool_size": "20", "max_client_conn": "500",
                         "ignore_startup_parameters": "extra_float_digits", **(settings or {})}

    def prepare(self):
        # The password itself: what it needs to log in with SCRAM on both sides.
        self.users = self.write("users", f'"{self.database.user}" "{self.database.password}"\n')

    def command(self):
        settings = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "scram-sha-256",
                    "auth_file": self.users, "logfile": "", **self.settings}
        lines = ["[databases]", f"* = host=127.0.0.1 port={self.server_port or self.database.server.port}",
                 "[pgbouncer]", *(f"{name} = {value}" for name, value in settings.items()), ""]
        return [self.program, self.write("configuration", "\n".join(lines))]

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
                connection.sendall(SSL_REQUEST)
                return connection.recv(1) in (b"N", b"S")
        except OSError:
            return False

    @property
    def url(self):
        return self.database.url_at("127.0.0.1", self.port)


__all__ = ["NotInstalled", "Pgbouncer"]
