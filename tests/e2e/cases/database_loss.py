"""The database server goes, comes back, says nothing, is too busy: requests fail fast with 503 and Retry-After, nothing is
half done, and all is well again without anybody's help. Needs no client."""
import concurrent.futures
import contextlib
import os
import time

import backends
from cases.backup import push
from cases.fsck import fsck
from fault_proxy import FaultProxy
from harness import OCI_MANIFEST, Scratch, Skip, check, equal, started
from pgbouncer import Pgbouncer
from service import NotInstalled

POOL = 3
STATEMENT_SECONDS = 2
ACQUIRE_SECONDS = 1
# A refusal takes at most a wait for a connection and a statement, on a busy machine.
FAST_SECONDS = STATEMENT_SECONDS + ACQUIRE_SECONDS + 4
QUEUE_SECONDS = 120  # When forty wait for three slow connections, most of them wait for each other first.
RECOVERY_SECONDS = 15
HEALTH_SECONDS = 10
OPTIONS = f"?pool_size={POOL}&statement_seconds={STATEMENT_SECONDS}&acquire_seconds={ACQUIRE_SECONDS}"


class Installation:
    """A server whose database is behind a proxy."""

    def __init__(self, case, proxy, database):
        self.case, self.proxy, self.database = case, proxy, database
        self.digest, self.manifest = push(case, "loss/image", "v1", os.urandom(20_000))

    def get(self, limit=FAST_SECONDS):
        begin = time.monotonic()
        status, headers, body = self.case.admin.request("GET", "/v2/loss/image/manifests/v1", headers={"Accept": OCI_MANIFEST})
        if status == 200:
            equal(body, self.manifest, "the manifest")
        else:
            self.check_refusal(status, headers, body, time.monotonic() - begin, limit)
        return status

    @staticmethod
    def check_refusal(status, headers, body, seconds, limit=FAST_SECONDS):
        equal(status, 503, f"without a database, {body[:200]!r}")
        check(int(headers["Retry-After"]) > 0, "Retry-After")
        check(seconds < limit, f"a refusal took {seconds:.1f} s")

    def recovers(self, what):
        begin = time.monotonic()
        while self.get() != 200:
            check(time.monotonic() - begin < RECOVERY_SECONDS, f"it does not recover from: {what}")
            time.sleep(0.05)
        print(f"recovered after {time.monotonic() - begin:.2f} s from: {what}")
        push(self.case, "loss/image", "after", os.urandom(20_000))
        check(self.case.server.process.poll() is None, "the server lives")
        check(self.proxy.open_connections <= POOL + 2, f"{self.proxy.open_connections} connections")

    def says(self, healthy):
        """What balancers and people ask tells the truth, some seconds later at most."""
        deadline = time.monotonic() + HEALTH_SECONDS
        while True:
            ready = self.case.server.request("GET", "/readyz", authenticated=False)[0]
            status = self.case.server.api("GET", "/health", expected=(200, 503), authenticated=False)["status"]
            if (ready == 200) == (status == "healthy") == healthy:
                break
            check(time.monotonic() < deadline, f"/readyz {ready} and {status} should say {'' if healthy else 'un'}healthy")
            time.sleep(0.1)
        equal(self.case.server.request("GET", "/livez", authenticated=False)[0], 200, "/livez")


@contextlib.contextmanager
def installation(pooled=False):
    with contextlib.ExitStack() as stack:
        scratch = Scratch()
        stack.callback(scratch.remove)
        data = os.path.join(scratch.folder, "server", "data")
        try:
            database = backends.own_server().create_database()
            pooler = stack.enter_context(Pgbouncer(database, settings={"default_pool_size": "2"})) if pooled else None
        except NotInstalled as reason:
            raise Skip(str(reason)) from None
        behind = pooler or database.server
        proxy = stack.enter_context(FaultProxy("127.0.0.1", behind.port))
        backends.assign(data, backends.Backend(database, backends.FileStore(data)))
        url = database.url_at("127.0.0.1", proxy.port) + OPTIONS + ("&prepared_statements=false" if pooled else "")
        case = stack.enter_context(started(environment={"ROADSTEAD_DATABASE_URL": url}, scratch=scratch))
        case.project("loss")
        yield Installation(case, proxy, database)


def connections_are_cut(it):
    for _ in range(5):
        it.proxy.cut()
        it.get()  # May be refused once; may not be wrong.
        it.recovers("cut connections")


def nobody_listens(it):
    it.proxy.refuse()
    it.proxy.cut()
    for _ in range(5):
        equal(it.get(), 503, "nobody listens")
    it.says(healthy=False)
    it.proxy.heal()
    it.recovers("nobody listening")
    it.says(healthy=True)


def nothing_is_heard(it):
    it.proxy.black_hole()
    for _ in range(2):
        equal(it.get(), 503, "nothing is heard of the database")
    it.proxy.heal()
    it.recovers("a black hole")


def the_server_is_paused(it):
    it.database.server.pause()
    try:
        equal(it.get(), 503, "the database is paused")
    finally:
        it.database.server.resume()
    it.recovers("a pause")


def the_server_restarts(it):
    it.database.server.restart()
    it.recovers("a restart")
    it.database.server.kill()
    equal(it.get(), 503, "the database was killed")
    it.database.server.start()
    it.recovers("kill -9")


def everybody_wants_it(it):
    """Many more requests than connections, each of which takes long."""
    it.proxy.set_latency(0.2)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(lambda _: it.get(QUEUE_SECONDS), range(80)))
    it.proxy.heal()
    print("with too many requests:", {status: statuses.count(status) for status in set(statuses)})
    check(200 in statuses, "nobody was served")
    it.recovers("too many requests")


def a_commit_is_not_answered(it):
    """Whatever has happened has happened as a whole; and asking again does it."""
    for number in range(6):
        image = it.manifest.replace(b"{", b'{"annotations":{"number":"%d"},' % number, 1)
        tag = f"lost{number}"
        it.proxy.set_latency(0.01)
        it.proxy.drop_responses()
        it.proxy.close_after_bytes(1)
        begin = time.monotonic()
        status, headers, body = it.case.admin.request("PUT", f"/v2/loss/image/manifests/{tag}", image,
                                                      headers={"Content-Type": OCI_MANIFEST})
        it.check_refusal(status, headers, body, time.monotonic() - begin)
        it.proxy.cut()
        it.proxy.heal()
        it.recovers("a lost answer")
        status, headers, _ = it.case.admin.request("GET", f"/v2/loss/image/manifests/{tag}", headers={"Accept": OCI_MANIFEST})
        if status == 200:
            equal(it.case.admin.request("GET", f"/v2/loss/image/manifests/{headers['Docker-Content-Digest']}",
                                        headers={"Accept": OCI_MANIFEST})[2], image, "what the tag shows")
        equal(it.case.admin.request("PUT", f"/v2/loss/image/manifests/{tag}", image,
                                    headers={"Content-Type": OCI_MANIFEST})[0], 201, "asking again")


def main():
    if backends.database_engine() == "sqlite":
        raise Skip("SQLite is no server that could go")
    with installation() as it:
        for scenario in (connections_are_cut, nobody_listens, nothing_is_heard, the_server_is_paused, the_server_restarts,
                         everybody_wants_it, a_commit_is_not_answered):
            scenario(it)
        fsck(it.case, "--deep")
        it.case.server.stop()
        fsck(it.case, "--deep")
    if backends.database_engine() == "postgresql":
        with installation(pooled=True) as it:
            for scenario in (connections_are_cut, nobody_listens, the_server_restarts, everybody_wants_it):
                scenario(it)
            fsck(it.case, "--deep")
