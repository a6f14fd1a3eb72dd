"""An S3 server of a test process's own, and in it a bucket for each installation. The objects are files that tests may look at,
and damage."""
import os
import secrets
import shutil
import sys
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import versitygw  # noqa: E402
from service import NotInstalled, Service  # noqa: E402

PREFIX = "registry"
REGION = "us-east-1"


class NoFiles(Exception):
    """This store has no files that a test could look at, as it wants to: it is skipped."""


class ObjectServer(Service):
    name = "versitygw"
    needs_unprivileged = False  # Its program may lie in our home.

    def __init__(self):
        self.program = versitygw.find()
        if self.program is None:
            raise NotInstalled("versitygw is neither built (tests/e2e/clients) nor installed")
        super().__init__()
        self.access_key, self.secret_key = secrets.token_hex(8), secrets.token_hex(16)
        self.root = os.path.join(self.scratch, "s3")

    def prepare(self):
        os.makedirs(self.root)
        os.makedirs(os.path.join(self.scratch, "sidecar"))

    def command(self):
        sidecar = [] if versitygw.has_attributes(self.root) else ["--sidecar", os.path.join(self.scratch, "sidecar")]
        return [self.program, "--port", f"127.0.0.1:{self.port}", "--access", self.access_key, "--secret", self.secret_key,
                "--region", REGION, "--quiet", "posix", *sidecar, self.root]

    def create_store(self):
        return ObjectStore(self, "test-" + secrets.token_hex(6))


class ObjectStore:
    """One bucket, in which one installation keeps its contents."""

    kind = "s3"

    def __init__(self, server, bucket):
        self.server, self.bucket = server, bucket
        os.makedirs(os.path.join(server.root, bucket))

    def environment_at(self, host, port):
        """As seen through a proxy."""
        return {"ROADSTEAD_STORAGE_URL": f"s3://{self.bucket}/{PREFIX}?endpoint=http://{host}:{port}&region={REGION}",
                "AWS_ACCESS_KEY_ID": self.server.access_key, "AWS_SECRET_ACCESS_KEY": self.server.secret_key}

    @property
    def environment(self):
        return self.environment_at("127.0.0.1", self.server.port)

    def keys(self):
        """Of everything that is stored; of parts of uploads that were neither completed nor aborted, too."""
        folder = os.path.join(self.server.root, self.bucket)
        return [os.path.relpath(os.path.join(at, name), os.path.join(folder, PREFIX))
                for at, _, names in os.walk(folder) for name in names]

    def path(self, key):
        return os.path.join(self.server.root, self.bucket, PREFIX, key)

    @staticmethod
    def key_of(digest, rows):
        """Its row says where."""
        found = rows(f"SELECT location FROM \"blob\" WHERE digest = '{digest}'")
        return found[0][0] if found else "blobs/unknown"

    @staticmethod
    def free_key():
        """Where something may lie that no row names."""
        return f"blobs/{uuid.uuid4()}"

    def drop(self):
        shutil.rmtree(os.path.join(self.server.root, self.bucket), ignore_errors=True)


__all__ = ["NoFiles", "NotInstalled", "ObjectServer", "ObjectStore"]
