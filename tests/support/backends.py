"""Where the installations under test keep their rows and contents: as ROADSTEAD_TEST_DATABASE (sqlite, postgresql, mariadb) and
ROADSTEAD_TEST_STORAGE (file, s3, swift) say. One server of each kind serves all installations of one test process."""
import atexit
import contextlib
import os
import secrets
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

DATABASES = ("sqlite", "postgresql", "mariadb")
STORES = ("file", "s3", "swift")

_lock = threading.Lock()
_servers = {}


def _choice(name, known):
    value = os.environ.get(name) or known[0]
    if value not in known:
        raise ValueError(f"{name} is {value!r}: it can be {', '.join(known)}")
    return value


def database_engine():
    return _choice("ROADSTEAD_TEST_DATABASE", DATABASES)


def storage_kind():
    return _choice("ROADSTEAD_TEST_STORAGE", STORES)


def _server(name, make):
    """The one server of that name of this process; it is started when it is needed first."""
    with _lock:
        if name not in _servers:
            server = make()
            atexit.register(server.close)
            _servers[name] = server.start()
        return _servers[name]


def _database_server(engine, fsync):
    if engine == "postgresql":
        from postgresql import Postgresql
        return _server((engine, fsync), lambda: Postgresql(fsync=fsync))
    from mariadb import Mariadb
    return _server((engine, fsync), lambda: Mariadb(fsync=fsync))


class SqliteDatabase:
    """The file in a data directory."""

    engine = "sqlite"

    def __init__(self, data):
        self.path = os.path.join(data, "roadstead.db")
        self.environment = {}

    def rows(self, sql):
        # Closed, and not only committed: the next server wants the file for itself.
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            return [tuple(None if field is None else str(field) for field in row) for row in connection.execute(sql)]

    def execute(self, sql):
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(sql).rowcount

    def settle(self):
        pass

    def drop(self):
        pass


class FileStore:
    """The files in a data directory."""

    kind = "file"

    def __init__(self, data):
        self.folder = os.path.join(data, "storage")
        self.environment = {}

    def keys(self):
        """Of everything that is stored, staged uploads too."""
        return [os.path.relpath(os.path.join(folder, name), self.folder)
                for folder, _, names in os.walk(self.folder) for name in names]

    def path(self, key):
        return os.path.join(self.folder, key)

    @staticmethod
    def key_of(digest, _=None):
        algorithm, _, digits = digest.partition(":")
        return f"blobs/{algorithm}/{digits[:2]}/{digits}"

    def free_key(self):
        """Where something may lie that no row names."""
        return self.key_of("sha256:" + secrets.token_hex(32))

    def drop(self):
        pass


def own_server():
    """One that a test may stop and kill."""
    return _database_server(database_engine(), True)


def new_database(data, fsync=False):
    """Without `fsync` for tests that kill the program and not the database: what was written reaches it in any case."""
    engine = database_engine()
    return SqliteDatabase(data) if engine == "sqlite" else _database_server(engine, fsync).create_database()


def swift_server():
    from swift import Swift
    return _server("swift", Swift)


def new_store(data):
    if storage_kind() == "file":
        return FileStore(data)
    if storage_kind() == "swift":
        return swift_server().create_store()
    from object_store import ObjectServer
    return _server("s3", ObjectServer).create_store()


class Backend:
    """Of one installation: where its rows and its contents are."""

    def __init__(self, database, store):
        self.database, self.store = database, store
        self.environment = {**database.environment, **store.environment}

    @property
    def engine(self):
        return self.database.engine

    def rows(self, sql):
        """What a statement answers: a list of tuples of strings, None for NULL. Names that are words of SQL, like blob,
        stand in double quotes on every engine."""
        return self.database.rows(sql)

    def execute(self, sql):
        """Changes rows; returns how many."""
        return self.database.execute(sql)

    def file_of(self, digest):
        """Where a blob's bytes are, for tests that damage them."""
        return self.store.path(self.store.key_of(digest, self.rows))

    def value(self, sql):
        return self.rows(sql)[0][0]

    def close(self):
        """Removes it; its servers go on for others."""
        self.database.drop()
        self.store.drop()

    def settle(self):
        """Waits until the database has ended what a program that was killed had asked it for."""
        self.database.settle()


_backends = {}


def assign(data, backend):
    """For a data directory of a replica: it shares what others have."""
    with _lock:
        _backends[os.path.abspath(data)] = backend


def backend_of(data):
    """The same for every program that is called with that data directory."""
    data = os.path.abspath(data)
    with _lock:
        found = _backends.get(data)
    if found is None:
        found = Backend(new_database(data), new_store(data))
        with _lock:
            found = _backends.setdefault(data, found)
    return found
