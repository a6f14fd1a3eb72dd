"""The database and the blobs as they are while no server runs: rows against files, the ledger against the rows, the rows
against what the clients know. Of SQLite it reads a copy, so that the server finds its log as the crash left it; of other
databases the rows after they have ended what the server had begun.
"""
import contextlib
import os
import shutil
import sqlite3
import time

from model import Broken, digest_of

STAGED_SECONDS_MAX = 400  # Twice the life of an upload, and time for the timer to come around.
EVERY = 1 << 40
NEWEST = 500  # Blobs whose files are looked at after every cycle.

HEXADECIMAL = {"sqlite": "hex(bytes)", "postgresql": "encode(bytes, 'hex')", "mariadb": "hex(bytes)"}
LEDGER = ("q.used + COALESCE((SELECT SUM(bytes) FROM quota_delta d WHERE d.project_id = q.project_id), 0) - "
          "COALESCE((SELECT SUM(headroom) FROM quota_slice s WHERE s.project_id = q.project_id), 0)")
TRUTH = ("(SELECT COALESCE(SUM(b.size), 0) FROM project_blob pb JOIN \"blob\" b ON b.id = pb.blob_id WHERE pb.project_id = "
         "q.project_id) + (SELECT COALESCE(SUM(m.size), 0) FROM manifest m WHERE m.id IN (SELECT a.manifest_id FROM "
         "artifact a WHERE a.project_id = q.project_id))")

# What must be empty: (what it would mean, query). In the SQL that all engines understand.
NEVER = [
    ("an artifact without its manifest",
     "SELECT a.id FROM artifact a LEFT JOIN manifest m ON m.id = a.manifest_id WHERE m.id IS NULL"),
    ("an edge to content that its repository does not hold",
     "SELECT ab.artifact_id, ab.blob_id FROM artifact_blob ab LEFT JOIN repository_blob rb ON rb.repository_id = "
     "ab.repository_id AND rb.blob_id = ab.blob_id WHERE rb.blob_id IS NULL"),
    ("an edge of no artifact",
     "SELECT ab.artifact_id FROM artifact_blob ab LEFT JOIN artifact a ON a.id = ab.artifact_id AND a.repository_id = "
     "ab.repository_id WHERE a.id IS NULL"),
    ("a child of another repository",
     "SELECT c.artifact_id FROM artifact_child c LEFT JOIN artifact p ON p.id = c.artifact_id LEFT JOIN artifact a ON "
     "a.id = c.child_id WHERE p.id IS NULL OR a.id IS NULL OR a.repository_id <> p.repository_id"),
    ("a tag of no artifact of its repository",
     "SELECT t.id FROM tag t LEFT JOIN artifact a ON a.id = t.artifact_id AND a.repository_id = t.repository_id WHERE "
     "a.id IS NULL"),
    ("content held that has no row", "SELECT rb.blob_id FROM repository_blob rb LEFT JOIN \"blob\" b ON b.id = "
     "rb.blob_id WHERE b.id IS NULL"),
    ("a wrong number of artifacts",
     "SELECT r.full_name, r.artifact_count FROM repository r WHERE r.full_name < '~' AND r.artifact_count <> (SELECT "
     "COUNT(*) FROM artifact a WHERE a.repository_id = r.id)"),
    ("a repository listed that has nothing, or the other way round",
     "SELECT full_name FROM repository WHERE listed <> CASE WHEN artifact_count > 0 AND full_name < '~' THEN 1 ELSE 0 END"),
    ("a list of artifacts that counts wrongly",
     "SELECT r.full_name FROM repository r WHERE r.full_name < '~' AND (SELECT COALESCE(SUM(entries), 0) FROM "
     "list_bucket WHERE list = 'artifact' AND scope_id = r.id) <> (SELECT COUNT(*) FROM artifact a WHERE "
     "a.repository_id = r.id AND a.listed = 1)"),
    ("a list of repositories that counts wrongly",
     "SELECT l.list FROM (SELECT 'repository' AS list UNION ALL SELECT 'project_repository' UNION ALL SELECT "
     "'repository_name' UNION ALL SELECT 'project_repository_name') l WHERE (SELECT COALESCE(SUM(entries), 0) FROM "
     "list_bucket b WHERE b.list = l.list) <> (SELECT COUNT(*) FROM repository WHERE listed = 1)"),
    ("content needed by a project that does not count it",
     "SELECT DISTINCT a.project_id, ab.blob_id FROM artifact_blob ab JOIN artifact a ON a.id = ab.artifact_id LEFT JOIN "
     "project_blob pb ON pb.project_id = a.project_id AND pb.blob_id = ab.blob_id WHERE pb.blob_id IS NULL"),
    ("content counted by a project that does not hold it",
     "SELECT pb.project_id, pb.blob_id FROM project_blob pb WHERE NOT EXISTS (SELECT 1 FROM repository_blob rb WHERE "
     "rb.project_id = pb.project_id AND rb.blob_id = pb.blob_id)"),
    ("unused content of a repository that nobody would ever review: a leak",
     "SELECT repository_id, blob_id FROM repository_blob EXCEPT SELECT repository_id, blob_id FROM artifact_blob EXCEPT "
     "SELECT repository_id, object_id FROM review WHERE kind = 'repository_blob' EXCEPT SELECT rb.repository_id, "
     "rb.blob_id FROM repository_blob rb JOIN repository r ON r.id = rb.repository_id WHERE r.full_name >= '~'"),
    ("content that nobody holds and nobody would ever review: a leak",
     "SELECT id FROM \"blob\" EXCEPT SELECT blob_id FROM repository_blob EXCEPT SELECT object_id FROM review WHERE kind = "
     "'blob'"),
    ("a usage that is not what is there",
     f"SELECT q.project_id, {LEDGER}, {TRUTH} FROM quota q WHERE {LEDGER} <> {TRUTH}"),
    ("a project over its hard limit",
     f"SELECT q.project_id, q.hard_limit, {LEDGER} FROM quota q WHERE q.hard_limit >= 0 AND {LEDGER} > q.hard_limit"),
]

UNUSED = [
    ("contents of repositories that no manifest needs",
     "SELECT repository_id, blob_id FROM repository_blob EXCEPT SELECT repository_id, blob_id FROM artifact_blob"),
    ("contents without a repository", "SELECT id FROM \"blob\" EXCEPT SELECT blob_id FROM repository_blob"),
    ("manifests that no repository has", "SELECT id FROM manifest EXCEPT SELECT manifest_id FROM artifact"),
    ("contents to be removed", "SELECT location FROM deleting"),
    ("repositories that are being deleted", "SELECT description FROM repository WHERE full_name >= '~'"),
    ("repositories with nothing in them, which nobody would ever review",
     "SELECT r.id FROM repository r WHERE r.artifact_count = 0 AND NOT EXISTS (SELECT 1 FROM upload u WHERE "
     "u.repository_id = r.id) AND NOT EXISTS (SELECT 1 FROM repository_blob b WHERE b.repository_id = r.id) EXCEPT "
     "SELECT repository_id FROM review WHERE kind = 'repository'"),
]


class Copy:
    """Of the files of SQLite in a data directory."""

    def __init__(self, data, copies):
        for name in ("roadstead.db", "roadstead.db-wal"):
            target = os.path.join(copies, name)
            if os.path.exists(target):
                os.remove(target)
            if os.path.exists(os.path.join(data, name)):
                shutil.copyfile(os.path.join(data, name), target)
        self.connection = sqlite3.connect(os.path.join(copies, "roadstead.db"))

    def rows(self, sql):
        return [tuple(None if field is None else str(field) for field in row) for row in self.connection.execute(sql)]

    def close(self):
        self.connection.close()


class Rows:
    def __init__(self, server, copies):
        self.backend, self.data, self.copies = server.backend, server.data, copies
        self.copy = None

    def __enter__(self):
        self.backend.settle()
        if self.backend.engine == "sqlite":
            self.copy = Copy(self.data, self.copies)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(AttributeError):
            self.copy.close()

    def all(self, sql):
        """Fields are texts on every engine."""
        return (self.copy or self.backend).rows(sql)

    def check(self, world, deep):
        if deep and self.backend.engine == "sqlite":
            found = self.all("PRAGMA integrity_check")
            if found != [("ok",)] or self.all("PRAGMA foreign_key_check"):
                raise Broken(f"the database is damaged: {found[:3]}")
        for meaning, sql in NEVER:
            found = self.all(sql)
            if found:
                raise Broken(f"{meaning}: {found[:5]}")
        self.check_files(world, deep)
        self.check_staged()

    def check_files(self, world, deep):
        """Each blob has its bytes; each file belongs to a blob, or to a push whose answer a crash took."""
        store = self.backend.store
        rows = self.all(f"SELECT id, digest, size, location FROM \"blob\" ORDER BY id DESC LIMIT {EVERY if deep else NEWEST}")
        self.check_inline([(blob, digest, size) for blob, digest, size, location in rows if location == "inline"], deep)
        named = set()
        for _, digest, size, location in rows:
            if location == "inline":
                continue
            named.add(location)
            path = store.path(location)
            try:
                length = os.stat(path).st_size
            except FileNotFoundError:
                raise Broken(f"{digest} has a row and no file") from None
            if length != int(size):
                raise Broken(f"{digest} has {length} bytes instead of {size}")
            if deep:
                with open(path, "rb") as file:
                    if digest_of(file.read()) != digest:
                        raise Broken(f"the file of {digest} has another digest")
        if deep:
            self.check_that_rows_name(named | {row[0] for row in self.all("SELECT location FROM deleting")}, world)

    def check_that_rows_name(self, locations, world):
        store = self.backend.store
        if store.kind == "file":  # Elsewhere names do not tell what a push that was cut off has left.
            locations |= {store.key_of(digest) for digest in world.orphans}
            for key in store.keys():
                if key.startswith("blobs/") and key not in locations:
                    raise Broken(f"{key} is a file that no row names")

    def check_inline(self, blobs, deep):
        least = min((int(blob) for blob, _, _ in blobs), default=0)
        hexadecimal = HEXADECIMAL[self.backend.engine] if deep else "''"
        contents = {blob: (size, text) for blob, size, text in self.all(
            f"SELECT blob_id, length(bytes), {hexadecimal} FROM blob_content WHERE blob_id >= {least}")} if blobs else {}
        for blob, digest, size in blobs:
            length, text = contents.get(blob, (None, ""))
            if length != size or (deep and digest_of(bytes.fromhex(text)) != digest):
                raise Broken(f"{digest} should lie in the database, and does not")

    def check_staged(self):
        store = self.backend.store
        old = [key for key in store.keys() if key.startswith("uploads/")
               and time.time() - os.stat(store.path(key)).st_mtime > STAGED_SECONDS_MAX]
        if old:
            raise Broken(f"staged bytes that nobody removes: {old[:5]}")

    # Rows against the clients.

    def compare(self, world):
        artifacts, tags = {}, {}
        for name, digest in self.all("SELECT r.full_name, a.digest FROM artifact a JOIN repository r ON r.id = "
                                     "a.repository_id"):
            artifacts.setdefault(name, set()).add(digest)
        for name, tag, digest in self.all("SELECT r.full_name, t.name, a.digest FROM tag t JOIN repository r ON r.id = "
                                          "t.repository_id JOIN artifact a ON a.id = t.artifact_id"):
            tags.setdefault(name, {})[tag] = digest
        for repository in world.repositories:
            name = repository.name
            if artifacts.get(name, set()) != set(repository.manifests):
                raise Broken(f"{name}: manifests in the database and known differ: "
                             f"{artifacts.get(name, set()) ^ set(repository.manifests)}")
            if tags.get(name, {}) != repository.tags:
                raise Broken(f"{name}: tags in the database {tags.get(name, {})}, known {repository.tags}")
        self.compare_usage(world)

    def compare_usage(self, world):
        for project in world.projects:
            used = int(self.all(f"SELECT {LEDGER} FROM quota q WHERE q.project_id = {project.id}")[0][0])
            least, needed = world.least_usage(project)
            most = least + sum(size for digest, size in project.may_count.items() if digest not in needed)
            if not least <= used <= most:
                raise Broken(f"{project.name} uses {used} bytes: less than {least} or more than {most}")

    def check_nothing_unused(self, world):
        """After the collector, with no lease alive, grace none, and nobody at work."""
        for meaning, sql in UNUSED:
            found = self.all(sql)
            if found:
                raise Broken(f"left after a collection: {meaning}: {len(found)}, {found[:5]}")
        for project in world.projects:
            project.may_count.clear()
        self.compare_usage(world)
