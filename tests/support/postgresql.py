"""A PostgreSQL server of a test's own: `with Postgresql() as server: server.create_database().url`."""
import glob
import os
import secrets
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from service import NotInstalled, ServerDatabase, Service, ServiceError, find_program, wait_until_alone  # noqa: E402

SUPERUSER = "postgres"
SETTINGS = {"max_connections": "200", "shared_buffers": "64MB", "log_min_messages": "warning"}
SQL_SECONDS = 120


def folder_of_programs():
    """Of the newest version that is installed: Debian keeps each in a folder of its own."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: float(path.split("/")[4]))
    return found[-1] if found else os.path.dirname(find_program("postgres"))


class PostgresqlDatabase(ServerDatabase):
    """One database, and the user that owns it."""

    engine = "postgresql"
    scheme = "postgresql"

    @property
    def socket_url(self):
        return f"postgresql:///{self.name}?host={self.server.scratch}&port={self.server.port}&user={self.user}"

    def rows(self, sql):
        """What a statement answers: a list of tuples of strings, None for NULL."""
        return self.server.rows(sql, self.name, self.user)

    def execute(self, sql):
        """Changes rows, whatever refers to them; returns how many."""
        return int(self.server.rows(f"SET session_replication_role = replica; WITH changed AS ({sql} RETURNING 1) SELECT "
                                    "count(*) FROM changed", self.name)[-1][0])

    def settle(self):
        """Waits until no session is left: what a program that was killed had asked for is then done, or undone."""
        wait_until_alone(lambda: int(self.server.rows(
            f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self.name}' AND backend_type = 'client backend'")[0][0]),
            f"sessions in {self.name} do not end")

    def drop(self):
        self.server.rows(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
        self.server.rows(f"DROP ROLE IF EXISTS {self.user}")


class Postgresql(Service):
    """`fsync=False` for tests that never kill it; `settings` as in postgresql.conf."""

    name = "postgresql"
    stop_signal = signal.SIGINT  # "Fast": ends sessions instead of waiting for them.

    def __init__(self, fsync=True, settings=None):
        self.programs = folder_of_programs()
        super().__init__()
        self.data = os.path.join(self.scratch, "data")
        self.settings = {**SETTINGS, "fsync": "on" if fsync else "off", **(settings or {})}

    def prepare(self):
        self.run(os.path.join(self.programs, "initdb"), "-D", self.data, "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8",
                 "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync")

    def command(self):
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.scratch,
                    **self.settings}
        return [os.path.join(self.programs, "postgres"), "-D", self.data,
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))]

    def answers(self):
        try:
            return self.rows("SELECT 1") == [("1",)]
        except ServiceError:
            return False

    def rows(self, sql, database="postgres", user=SUPERUSER):
        """Runs one statement over the unix socket, as psql does, in a transaction of its own."""
        command = [os.path.join(self.programs, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-F", "\x1f",
                   "-R", "\x1e", "-P", "null=\x1d", "-h", self.scratch, "-p", str(self.port), "-U", user, "-d", database,
                   "-c", sql]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        try:
            done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                                  timeout=SQL_SECONDS)
        except subprocess.TimeoutExpired:
            raise ServiceError(f"psql does not end: {sql[:200]}") from None
        if done.returncode != 0:
            raise ServiceError(f"psql: {done.stderr.decode(errors='replace')[-1000:]}")
        if not done.stdout:
            return []  # Whereas a row with one empty field ends with a newline.
        return [tuple(None if field == "\x1d" else field for field in line.split("\x1f"))
                for line in done.stdout.decode().removesuffix("\n").split("\x1e")]

    def create_database(self, name=None):
        name = name or "roadstead_" + secrets.token_hex(4)
        user, password = name + "_owner", secrets.token_hex(12)
        self.rows(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
        self.rows(f"CREATE DATABASE {name} OWNER {user}")
        return PostgresqlDatabase(self, name, user, password)


__all__ = ["NotInstalled", "Postgresql", "PostgresqlDatabase"]
