"""One registry: a database, a store, replicas that reach both only through proxies that can fail, and a balancer before them."""
import json
import os
import secrets
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))
import backends  # noqa: E402
from fault_proxy import FaultProxy  # noqa: E402
from haproxy import Haproxy  # noqa: E402
from model import Broken  # noqa: E402
from nginx import Nginx  # noqa: E402
from pgbouncer import Pgbouncer  # noqa: E402
from server import Server, program_environment  # noqa: E402
from service import NotInstalled  # noqa: E402

GRACE_SECONDS = 10
LEASE_SECONDS = 5
READY = "/readyz"
RECOVERY_SECONDS = 60
STOP_SECONDS = 30
START_FAILURES_MAX = 100  # Starts of one replica that end because the database is not there.
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
ENVIRONMENT = {
    "ROADSTEAD_LOG_ACCESS": "false", "ROADSTEAD_LOG_LEVEL": "warning", "ROADSTEAD_TOKEN_LIFETIME": "86400",
    "ROADSTEAD_GC_GRACE_SECONDS": str(GRACE_SECONDS), "ROADSTEAD_LEASE_SECONDS": str(LEASE_SECONDS),
    "ROADSTEAD_GC_INTERVAL_SECONDS": "1", "ROADSTEAD_REGISTRY_UPLOAD_LIFETIME": "60",
    "ROADSTEAD_REGISTRY_UPLOADS_PER_PROJECT": "100000", "ROADSTEAD_REGISTRY_UPLOADS_PER_IDENTITY": "100000"}
BALANCERS = {"haproxy": Haproxy, "nginx": Nginx}


def skewed(seconds):
    """What makes a program's wall clock, and nothing else, go so many seconds ahead."""
    if not os.path.exists(FAKETIME):
        raise NotInstalled("faketime is not installed (./x setup test)")
    return {"LD_PRELOAD": FAKETIME, "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
            "FAKETIME_NO_CACHE": "1"}


class Replica:
    """A process, and its proxies. What should be with it is `wanted`: running, paused or down."""

    def __init__(self, number, folder, backend, pooler, skew):
        self.number, self.skew, self.wanted = number, skew, "down"
        scratch = os.path.join(folder, f"replica{number}")
        os.makedirs(scratch)
        self.server = Server(scratch=scratch, environment=dict(ENVIRONMENT))
        backends.assign(self.server.data, backend)
        self.proxies = {}
        environment = self.server.environment
        if skew:
            environment.update(skewed(skew))
        if backend.engine != "sqlite":
            behind = pooler or backend.database.server
            self.proxies["database"] = FaultProxy("127.0.0.1", behind.port).start()
            environment["ROADSTEAD_DATABASE_URL"] = backend.database.url_at("127.0.0.1", self.proxies["database"].port) + (
                "?prepared_statements=false" if pooler else "")
        if backend.store.kind == "s3":
            self.proxies["store"] = FaultProxy("127.0.0.1", backend.store.server.port).start()
            environment.update(backend.store.environment_at("127.0.0.1", self.proxies["store"].port))
        self.answered, self.start_failures = False, 0

    def __str__(self):
        return f"replica {self.number}"

    def launch(self):
        self.server.launch()
        self.answered, self.wanted = False, "running"

    def supervise(self):
        """As whatever runs services does: starts again what ended because it could not start. That it ends by itself later is
        a failure."""
        if self.wanted != "running":
            return
        status = self.server.process.poll()
        if status is not None:
            if self.answered:
                raise Broken(f"{self} ended by itself with {status}:\n{self.server.log_tail()}")
            self.start_failures += 1
            if status < 0 or self.start_failures > START_FAILURES_MAX:
                raise Broken(f"{self} does not start, it ends with {status}:\n{self.server.log_tail()}")
            time.sleep(0.1)
            self.launch()
        elif not self.answered:
            self.look_for_url()

    def look_for_url(self):
        url = self.server._read_url(self.server.urls)
        if url is not None:
            self.server.url, self.answered = url, True
            self.server.listen = self.server.host

    def kill(self):
        self.wanted = "down"
        self.server.kill()

    def terminate(self):
        self.wanted, self.end_by = "down", time.monotonic() + STOP_SECONDS
        self.server.process.send_signal(signal.SIGTERM)

    def has_ended(self):
        """After terminate(); or should have."""
        return self.server.process.poll() is not None or time.monotonic() > self.end_by

    def wait_for_end(self):
        """After terminate()."""
        try:
            status = self.server.process.wait(max(0.0, self.end_by - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Broken(f"{self} does not stop:\n{self.server.log_tail()}") from None
        if status != 0 and self.answered:
            raise Broken(f"{self} ended with {status} after SIGTERM:\n{self.server.log_tail()}")

    def pause(self):
        self.wanted = "paused"
        self.server.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.wanted = "running"
        self.server.process.send_signal(signal.SIGCONT)

    def healthy(self):
        if not self.answered:
            return False
        try:
            return self.server.request("GET", READY, authenticated=False)[0] == 200
        except OSError:
            return False

    def close(self):
        if self.wanted == "paused":
            self.resume()
        self.server.kill()
        for proxy in self.proxies.values():
            proxy.close()


class Cluster:
    """Use as a context manager. `folder` keeps the replicas' data directories and logs."""

    def __init__(self, folder, replicas=3, skew=0, balancer="haproxy", pooler=False):
        self.folder = folder
        self.count, self.skew, self.balancer_kind, self.with_pooler = replicas, skew, BALANCERS[balancer], pooler
        self.backend, self.replicas, self.balancer, self.pooler = None, [], None, None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self):
        data = os.path.join(self.folder, "replica0", "data")
        self.backend = backends.Backend(backends.new_database(data, fsync=True), backends.new_store(data))
        if self.count > 1 and (self.backend.engine == "sqlite" or self.backend.store.kind == "file"):
            raise NotInstalled("replicas need a database server and an object store")
        if self.with_pooler:
            self.pooler = Pgbouncer(self.backend.database).start()
        key = os.path.join(self.folder, "secret.key")
        with open(key, "w", encoding="ascii") as file:
            os.chmod(key, 0o600)
            file.write(secrets.token_hex(32) + "\n")
        for number in range(self.count):
            # The last one is the one whose clock is wrong.
            replica = Replica(number, self.folder, self.backend, self.pooler,
                              self.skew if number == self.count - 1 else 0)
            if self.count > 1:
                replica.server.environment["ROADSTEAD_SECRET_KEY_FILE"] = key
            self.replicas.append(replica)
        for replica in self.replicas:  # All at once: who makes the schema is theirs to find out.
            replica.launch()
        self.wait_until_healthy()
        if failed := [replica for replica in self.replicas if replica.start_failures]:
            raise Broken(f"{failed[0]} did not start at once beside the others:\n{failed[0].server.log_tail()}")
        self.balancer = self.balancer_kind([replica.server.host for replica in self.replicas], READY).start()

    @property
    def host(self):
        """Where clients go."""
        return self.balancer.host

    def supervise(self):
        for replica in self.replicas:
            replica.supervise()

    def wait_until_healthy(self):
        """With no fault any more: each recovers by itself, in bounded time. Returns how long that took."""
        begin = time.monotonic()
        while True:
            self.supervise()
            ill = [replica for replica in self.replicas if not replica.healthy()]
            if not ill:
                return time.monotonic() - begin
            if time.monotonic() - begin > RECOVERY_SECONDS:
                raise Broken(f"{ill[0]} does not recover:\n{ill[0].server.log_tail()}")
            time.sleep(0.05)

    def api(self, method, path, value=None, expected=(200, 201)):
        return self.replicas[0].server.api(method, path, value, expected)

    def fsck(self, *options):
        """(exit code, report) of the command, from the data directory of the first replica."""
        server = self.replicas[0].server
        environment = {key: value for key, value in server.environment.items() if key not in self.backend.environment}
        done = subprocess.run([server.binary, "fsck", "--json", *options],
                              env=program_environment(server.data, environment), capture_output=True, text=True,
                              check=False, timeout=600)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            raise Broken(f"fsck ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-1000:]}") from None

    def stop_replicas(self):
        for replica in self.replicas:
            replica.terminate()
        for replica in self.replicas:
            replica.wait_for_end()

    def start_replicas(self):
        for replica in self.replicas:
            replica.launch()
        self.wait_until_healthy()

    def logs(self, lines=25):
        return "\n".join(f"---- {replica} ----\n{replica.server.log_tail(lines)}" for replica in self.replicas
                         if replica.server.process is not None)

    def close(self):
        for part in [self.balancer, *self.replicas, self.pooler]:
            if part is not None:
                part.close()
        if self.backend is not None:
            for name, server in self.servers().items():
                if name == "pooler":
                    continue
                server.resume()
                if not server.alive():  # A run that failed in the middle of a fault.
                    server.start()
            self.backend.close()

    def servers(self):
        """What the replicas share, by name: a process that can be killed, too."""
        parts = {"database": self.backend.database, "store": self.backend.store}
        found = {name: part.server for name, part in parts.items() if hasattr(part, "server")}
        return {**found, "pooler": self.pooler} if self.pooler is not None else found
