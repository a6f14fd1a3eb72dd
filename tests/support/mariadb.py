"""A MariaDB server of a test's own: `with Mariadb() as server: server.create_database().url`."""
import os
import secrets
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from service import NotInstalled, ServerDatabase, Service, ServiceError, find_program, wait_until_alone  # noqa: E402

SETTINGS = {"character-set-server": "utf8mb4", "innodb-buffer-pool-size": "64M", "max-connections": "300"}
SQL_SECONDS = 120
# How `mariadb --batch` writes what would end a field or a line.
ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


def _field(text):
    if text == "NULL":
        return None
    parts = text.split("\\")
    plain, index = [parts[0]], 1
    while index < len(parts):
        part = parts[index]
        if part == "" and index + 1 < len(parts):  # A backslash itself.
            plain.append("\\" + parts[index + 1])
            index += 2
            continue
        plain.append(ESCAPES.get(part[:1], part[:1]) + part[1:])
        index += 1
    return "".join(plain)


class MariadbDatabase(ServerDatabase):
    """One database, and the user that may do everything in it."""

    engine = "mariadb"
    scheme = "mysql"

    @property
    def socket_url(self):
        return f"mysql://{self.user}:{self.password}@localhost/{self.name}?socket={self.server.socket}"

    def rows(self, sql):
        """What a statement answers: a list of tuples of strings, None for NULL (and for the string NULL)."""
        return self.server.rows(sql, self.name)

    def execute(self, sql):
        """Changes rows, whatever refers to them; returns how many."""
        return int(self.server.rows(f"SET foreign_key_checks = 0; {sql}; SELECT ROW_COUNT()", self.name)[-1][0])

    def settle(self):
        """Waits until no session is left: what a program that was killed had asked for is then done, or undone."""
        wait_until_alone(lambda: int(self.server.rows(
            f"SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{self.user}'")[0][0]),
            f"sessions in {self.name} do not end")

    def drop(self):
        self.server.rows(f"DROP DATABASE IF EXISTS {self.name}")
        self.server.rows(f"DROP USER IF EXISTS {self.user}")


class Mariadb(Service):
    """`fsync=False` for tests that never kill it; `settings` as options of mariadbd without the dashes."""

    name = "mariadb"

    def __init__(self, fsync=True, settings=None):
        self.program = find_program("mariadbd")
        self.client = find_program("mariadb")
        super().__init__()
        self.data = os.path.join(self.scratch, "data")
        self.socket = os.path.join(self.scratch, "s")
        durability = {} if fsync else {"innodb-flush-log-at-trx-commit": "0", "innodb-doublewrite": "0"}
        self.settings = {**SETTINGS, **durability, **(settings or {})}

    def prepare(self):
        # In the common /tmp two of them at once would remove each other's tables.
        self.run(find_program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", f"--tmpdir={self.scratch}",
                 "--auth-root-authentication-method=normal", "--skip-test-db")

    def command(self):
        return [self.program, "--no-defaults", f"--datadir={self.data}", "--bind-address=127.0.0.1",
                f"--port={self.port}", f"--socket={self.socket}", f"--pid-file={self.scratch}/pid",
                f"--tmpdir={self.scratch}", "--skip-name-resolve",
                *(f"--{name}={value}" for name, value in self.settings.items())]

    def answers(self):
        try:
            return self.rows("SELECT 1") == [("1",)]
        except ServiceError:
            return False

    def rows(self, sql, database="mysql"):
        """Runs one statement over the unix socket as root, as the command-line client does. Names may stand in double quotes,
        and || joins texts, as in the other engines."""
        command = [self.client, "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch",
                   "--skip-column-names", "--default-character-set=utf8mb4",
                   "--init-command=SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES,PIPES_AS_CONCAT')", "-e", sql, database]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=SQL_SECONDS)
        except subprocess.TimeoutExpired:
            raise ServiceError(f"mariadb does not end: {sql[:200]}") from None
        if done.returncode != 0:
            raise ServiceError(f"mariadb: {done.stderr.decode(errors='replace')[-1000:]}")
        return [tuple(_field(field) for field in line.split("\t"))
                for line in done.stdout.decode().split("\n")[:-1]]

    def create_database(self, name=None):
        name = name or "roadstead_" + secrets.token_hex(4)
        user, password = name + "_owner", secrets.token_hex(12)
        self.rows(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        self.rows(f"CREATE USER {user} IDENTIFIED BY '{password}'")
        self.rows(f"GRANT ALL ON {name}.* TO {user}")
        # Unit tests make databases beside it: `_` alone would stand for any character.
        escaped = name.replace("_", "\\_")
        self.rows(f"GRANT ALL ON `{escaped}\\_scratch%`.* TO {user}")
        return MariadbDatabase(self, name, user, password)


__all__ = ["Mariadb", "MariadbDatabase", "NotInstalled"]
