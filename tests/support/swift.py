#!/usr/bin/python3
"""OpenStack Swift with its s3api, a second real S3 server, for tests: a proxy, one account, container and object server, and the
memcached that the proxy keeps what it knows of containers in.

As a program: prints its port on a line of its own and ends when its standard input does; prints "SKIPPED: why" and ends with
77 where Swift is not installed (`./x setup swift`).
"""
import json
import os
import pwd
import secrets
import signal
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from object_store import PREFIX, REGION, NoFiles, ObjectStore  # noqa: E402
from service import NotInstalled, Service, ServiceError, find_program  # noqa: E402
from versitygw import has_attributes  # noqa: E402

USER, SECRET, BUCKET = "tester", "testing", "bucket"  # Of the program; others choose theirs.
ACCOUNT = "test"
SEGMENTS = "+segments"
SKIPPED = 77
ANSWER_SECONDS = 60
PAGE = 10_000
# Debian's Swift runs on Debian's Python, whichever this is.
PYTHON = "/usr/bin/python3"
# Swift has one place for swift.conf, and it is in /etc. Where to look instead is said before anything reads it.
RUN = """
import runpy, sys
import swift.common.utils
swift.common.utils.SWIFT_CONF_FILE = sys.argv.pop(1)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# One device each; six bits of partitions are many for what tests keep.
MAKE_RINGS = """
import os, sys
from swift.common.ring import RingBuilder
for word in sys.argv[2:]:
    kind, port = word.split("=")
    builder = RingBuilder(6, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "d1", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(os.path.join(sys.argv[1], kind + ".ring.gz"))
"""


def find(name):
    try:
        return find_program(name, "/usr/bin")
    except NotInstalled:
        raise NotInstalled(f"{name} is not installed (./x setup swift)") from None


class Memcached(Service):
    name = "memcached"

    def __init__(self):
        self.program = find("memcached")
        super().__init__()

    def command(self):
        # As root it wants to be told whom to become; here it is somebody else already.
        return [self.program, "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "16", "-t", "1"]

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
                connection.sendall(b"version\r\n")
                return connection.recv(64).startswith(b"VERSION")
        except OSError:
            return False


class SwiftProcess(Service):
    """Its program, its configuration, and swift.conf, which every process has for itself."""

    program = ""

    def __init__(self):
        self.path = find(self.program)
        super().__init__()

    def sections(self):
        """{name of a section: {option: value}}"""
        raise NotImplementedError

    def command(self):
        user = (self.owner or pwd.getpwuid(os.geteuid())).pw_name
        common = {"bind_ip": "127.0.0.1", "bind_port": self.port, "user": user, "swift_dir": self.scratch,
                  # One process. It says what is wrong to us, and not to the machine's syslog.
                  "workers": 0, "log_level": "WARNING", "log_address": os.path.join(self.scratch, "no-syslog"),
                  "devices": self.scratch, "mount_check": "false", "fallocate_reserve": 0,
                  "conn_timeout": 10, "node_timeout": ANSWER_SECONDS, "recoverable_node_timeout": ANSWER_SECONDS}
        sections = {"DEFAULT": common, **self.sections()}
        configuration = self.write(f"{self.program}.conf", "".join(
            f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
            for section, options in sections.items()))
        conf = self.write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = tests\n")
        return [PYTHON, "-c", RUN, conf, self.path, configuration, "--verbose"]


class StorageServer(SwiftProcess):
    """Of accounts, containers or objects."""

    def __init__(self, kind):
        self.kind, self.name, self.program = kind, f"swift-{kind[:4]}", f"swift-{kind}-server"
        super().__init__()

    def prepare(self):
        device = os.path.join(self.scratch, "d1")
        os.mkdir(device)
        if self.owner is not None:
            os.chown(device, self.owner.pw_uid, self.owner.pw_gid)

    def sections(self):
        server = f"{self.kind}-server"
        # An object is listed when its PUT is answered, however busy this machine is: nothing here sends later what came too late.
        late = {"container_update_timeout": ANSWER_SECONDS} if self.kind == "object" else {}
        return {"pipeline:main": {"pipeline": server}, f"app:{server}": {"use": f"egg:swift#{self.kind}", **late}}


class Swift(SwiftProcess):
    """The proxy, and the others behind it; `port` speaks S3 and Swift's own API."""

    name = "swift"
    program = "swift-proxy-server"

    def __init__(self, user=None, secret=None):
        self.parts = []
        super().__init__()
        if not has_attributes(self.scratch):
            super().close()
            raise NotInstalled(f"{self.scratch} bears no extended attributes, which Swift needs")
        self.user, self.secret_key = user or secrets.token_hex(8), secret or secrets.token_hex(16)
        self.access_key = f"{ACCOUNT}:{self.user}"
        self.token = None
        try:
            self.memcached = self._part(Memcached)
            self.storage = [self._part(StorageServer, kind) for kind in ("account", "container", "object")]
        except BaseException:
            self.close()
            raise

    def _part(self, kind, *arguments):
        self.parts.append(kind(*arguments))
        return self.parts[-1]

    def _start(self):
        for part in self.parts:
            if not part.alive():
                part.start()
        if not os.path.exists(os.path.join(self.scratch, "object.ring.gz")):
            # Their ports are theirs from now on.
            self.run(PYTHON, "-c", MAKE_RINGS, self.scratch, *(f"{part.kind}={part.port}" for part in self.storage))
        super()._start()

    def sections(self):
        pipeline = "catch_errors proxy-logging cache listing_formats bulk s3api tempauth slo dlo proxy-logging proxy-server"
        filters = {name.replace("-", "_"): {"use": f"egg:swift#{name.replace('-', '_')}"} for name in pipeline.split()[:-1]}
        filters["proxy-logging"] = filters.pop("proxy_logging")
        filters["cache"] = {"use": "egg:swift#memcache", "memcache_servers": f"127.0.0.1:{self.memcached.port}"}
        # As docs/storage.md asks for: Swift by itself takes a thousand parts, and removes two objects at a time.
        filters["s3api"].update({"location": REGION, "max_upload_part_num": 10_000, "multi_delete_concurrency": 16})
        filters["slo"]["max_manifest_segments"] = 10_000
        filters["tempauth"][f"user_{ACCOUNT}_{self.user}"] = f"{self.secret_key} .admin"
        return {"pipeline:main": {"pipeline": pipeline},
                "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true"},
                **{f"filter:{name}": options for name, options in filters.items()}}

    # What is asked in Swift's own language needs no signature.

    def answers(self):
        try:
            self.call("HEAD", "")
            return True
        except (OSError, ServiceError):
            return False

    def _open(self, method, path, headers, data=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, method=method, headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=ANSWER_SECONDS) as answer:
            return answer.headers, answer.read()

    def call(self, method, path, data=None):
        """Of our account; returns the body. Raises ServiceError for what is refused."""
        for again in (True, False):
            try:
                if self.token is None:
                    headers, _ = self._open("GET", "/auth/v1.0", {"X-Auth-User": self.access_key,
                                                                  "X-Auth-Key": self.secret_key})
                    self.token = headers["X-Auth-Token"]
                return self._open(method, f"/v1/AUTH_{ACCOUNT}{path}", {"X-Auth-Token": self.token}, data)[1]
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 401 or not again:
                        raise ServiceError(f"{method} {path}: {error.code}") from None
                self.token = None  # memcached has started anew.
        raise AssertionError("unreachable")

    def names(self, container):
        """Of all that is in it; none when it is not there."""
        found, marker = [], ""
        while True:
            query = urllib.parse.urlencode({"format": "json", "limit": PAGE, "marker": marker})
            try:
                page = json.loads(self.call("GET", f"/{urllib.parse.quote(container)}?{query}"))
            except ServiceError as error:
                if str(error).endswith(" 404"):
                    return found
                raise
            if not page:
                return found
            found += [entry["name"] for entry in page]
            marker = found[-1]

    def create_bucket(self, bucket):
        self.call("PUT", f"/{bucket}", b"")

    def create_store(self):
        return SwiftStore(self, "test-" + secrets.token_hex(6))

    # What versitygw.Versitygw says of its one bucket.

    @property
    def environment(self):
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def storage_url(self, prefix=PREFIX, **parameters):
        more = "".join(f"&{name}={value}" for name, value in parameters.items())
        return f"s3://{BUCKET}/{prefix}?endpoint=http://127.0.0.1:{self.port}&region={REGION}{more}"

    def objects(self, area="blobs", prefix=PREFIX):
        folder = f"{prefix}/{area}/"
        return [name.removeprefix(folder) for name in self.names(BUCKET) if name.startswith(folder)]

    # All of them are one server.

    def stop(self):
        for service in (super(), *self.parts):
            service.stop()

    def kill(self):
        for service in (super(), *self.parts):
            service.kill()

    def pause(self):
        for service in (super(), *self.parts):
            service.pause()

    def resume(self):
        for service in (*self.parts, super()):
            service.resume()

    def close(self):
        super().close()
        for part in self.parts:
            part.close()


class SwiftStore(ObjectStore):
    """One bucket. What is on Swift's disk is not for tests to look at: they ask for it."""

    def __init__(self, server, bucket):  # pylint: disable=super-init-not-called
        self.server, self.bucket = server, bucket
        server.create_bucket(bucket)

    def keys(self):
        """Parts of what is whole are not counted for themselves."""
        whole = self.server.names(self.bucket)
        known = set(whole)
        # "<key>/<upload>" while that goes on, and "<key>/<upload>/<number>"
        parts = [name for name in self.server.names(self.bucket + SEGMENTS)
                 if not name.rpartition("/")[2].isdigit() or name.rsplit("/", 2)[0] not in known]
        return [os.path.relpath(name, PREFIX) for name in whole + parts]

    def path(self, key):
        raise NoFiles(f"{key} lies in Swift, whose files are not what tests could look at")

    def drop(self):
        for container in (self.bucket, self.bucket + SEGMENTS):
            for name in self.server.names(container):
                self.server.call("DELETE", f"/{urllib.parse.quote(container)}/{urllib.parse.quote(name)}")
            # Which containers there are is nobody's concern; they end with the server.


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        server = Swift(USER, SECRET)
    except NotInstalled as reason:
        print(f"SKIPPED: {reason}", flush=True)
        return SKIPPED
    with server:
        server.create_bucket(BUCKET)
        print(server.port, flush=True)
        sys.stdin.read()
    return 0


__all__ = ["NotInstalled", "Swift", "SwiftStore"]

if __name__ == "__main__":
    sys.exit(main())
