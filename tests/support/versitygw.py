#!/usr/bin/python3
"""Starts versitygw, an S3 server over a directory, for tests.

As a program: prints its port on a line of its own and ends when its standard input does; prints "SKIPPED: why" and
ends with 77 where the server cannot be had (tests/e2e/clients builds it).
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ACCESS_KEY, SECRET_KEY, REGION, BUCKET = "double-key", "double-secret", "us-east-1", "bucket"
START_SECONDS = 60


def find():
    cache = os.environ.get("ROADSTEAD_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "roadstead")
    built = os.path.join(cache, "clients", "versitygw")
    return built if os.access(built, os.X_OK) else shutil.which("versitygw")


def listens(pid, port):
    """Whether it is this very process that listens there, and not somebody else's server."""
    inodes = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as table:
            for line in table.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    for descriptor in descriptors:
        try:
            if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                return True
        except OSError:
            continue
    return False


def has_attributes(folder):
    try:
        os.setxattr(folder, "user.roadstead-probe", b"1")
        os.removexattr(folder, "user.roadstead-probe")
        return True
    except OSError:
        return False


class Versitygw:
    """One running gateway with one empty bucket. Use as a context manager."""

    def __init__(self, scratch=None):
        self.binary = find()
        self.owns_scratch = scratch is None
        self.scratch = scratch or tempfile.mkdtemp(prefix="roadstead-s3-")
        self.root = os.path.join(self.scratch, "s3")
        self.secret_key = SECRET_KEY
        self.process = None
        self.port = 0

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def storage_url(self, prefix="registry", **parameters):
        more = "".join(f"&{name}={value}" for name, value in parameters.items())
        return f"s3://{BUCKET}/{prefix}?endpoint={self.endpoint}&region={REGION}{more}"

    @property
    def environment(self):
        return {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        os.makedirs(os.path.join(self.root, BUCKET), exist_ok=True)
        arguments = ["posix"]
        if not has_attributes(self.root):
            sidecar = os.path.join(self.scratch, "sidecar")
            os.makedirs(sidecar, exist_ok=True)
            arguments += ["--sidecar", sidecar]
        for _ in range(5):
            with socket.socket() as probe:
                # A port of ours that was in use a moment ago may be used again.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", self.port))
                self.port = probe.getsockname()[1]
            with open(os.path.join(self.scratch, "versitygw.log"), "ab") as log:
                self.process = subprocess.Popen(
                    [self.binary, "--port", f"127.0.0.1:{self.port}", "--access", ACCESS_KEY, "--secret", SECRET_KEY,
                     "--region", REGION, "--quiet", *arguments, self.root],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.scratch)
            deadline = time.monotonic() + START_SECONDS
            while time.monotonic() < deadline and self.process.poll() is None:
                if listens(self.process.pid, self.port):
                    return self
                time.sleep(0.02)
            self.stop()
            self.port = 0  # Somebody took it meanwhile.
        with open(os.path.join(self.scratch, "versitygw.log"), encoding="utf-8", errors="replace") as log:
            raise RuntimeError("versitygw does not start:\n" + log.read()[-3000:])

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def close(self):
        self.stop()
        if self.owns_scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def objects(self, area="blobs", prefix="registry"):
        """Names of the files that are objects of this area, as the disk has them."""
        folder = os.path.join(self.root, BUCKET, prefix, area)
        found = []
        for at, _, names in os.walk(folder):
            found += [os.path.relpath(os.path.join(at, name), folder) for name in names]
        return sorted(found)


def main():
    if find() is None:
        print("SKIPPED: versitygw is neither built (tests/e2e/clients) nor installed", flush=True)
        return 77
    with Versitygw() as gateway:
        print(gateway.port, flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
