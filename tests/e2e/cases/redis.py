"""Replicas that share a Redis count failed sign-ins together; without it each counts by itself, and nothing else is lost, however
it goes. Needs no client."""
import concurrent.futures
import contextlib
import os
import secrets
import subprocess
import threading
import time

import backends
from harness import OCI_MANIFEST, Case, Scratch, Skip, check, equal
from cases.backup import push
from redis import NotInstalled, Redis
from server import Server, program_environment

GUESSES = 12  # Sent at once, all are admitted: together they take many more tokens than there are.
REDIS_PASSWORD = "Sesame-and-poppy"
RECOVERY_SECONDS = 20
# Of a request while Redis goes: hashing a password on a busy machine takes most of it.
SLOW_SECONDS = 10
CLIENTS = 4


@contextlib.contextmanager
def replicas(redis):
    """Two over one database; each has a store of its own, as all that is pushed here lies in rows."""
    scratch = Scratch()
    with contextlib.ExitStack() as stack:
        stack.callback(scratch.remove)
        key = scratch.write("secret.key", secrets.token_hex(32) + "\n")
        os.chmod(key, 0o600)
        database = backends.new_database(scratch.path("database"))
        cases = []
        for name in ("one", "two"):
            server = Server(scratch=os.path.join(scratch.folder, name), environment={
                "ROADSTEAD_REDIS_URL": redis.url, "ROADSTEAD_SECRET_KEY_FILE": key,
                "ROADSTEAD_TRUSTED_PROXIES": "127.0.0.1"})
            os.makedirs(server.scratch)
            backends.assign(server.data, backends.Backend(database, backends.FileStore(server.data)))
            cases.append(Case(scratch, stack.enter_context(server)))
        yield cases


def sign_in(case, user, password, address):
    """The status, and Retry-After."""
    status, headers, _ = case.server.request("GET", "/api/v2.0/users/current", user=user, password=password,
                                             headers={"X-Forwarded-For": address})
    return status, headers.get("Retry-After")


def guess(case, user, address):
    with concurrent.futures.ThreadPoolExecutor(GUESSES) as pool:
        answers = list(pool.map(lambda number: sign_in(case, user, f"Wrong{number}", address), range(GUESSES)))
    check(all(status in (401, 429) for status, _ in answers), f"guesses: {answers}")
    equal(sign_in(case, user, "Wrong", address)[0], 429, f"the next guess after {answers}")


def metric(case, name):
    text = case.server.request("GET", "/metrics")[2].decode()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(name + " ")))


def eventually(condition, what):
    deadline = time.monotonic() + RECOVERY_SECONDS
    while not condition():
        check(time.monotonic() < deadline, what)
        time.sleep(0.05)


def failures_are_counted_together(redis, one, two):
    one.user("victim")
    guess(one, "victim", "192.0.2.1")
    status, retry = sign_in(two, "victim", "Pass12345word", "192.0.2.1")
    equal(status, 429, "the other replica, even with the right password")
    check(int(retry) > 0, "Retry-After")
    equal(sign_in(two, "victim", "Pass12345word", "192.0.2.2")[0], 200, "from elsewhere")
    equal(sign_in(one, "victim", "Pass12345word", "192.0.2.2")[0], 200, "from there at the first one")
    keys = redis.call("KEYS", "roadstead:signin:*")
    check(len(keys) >= 3, f"keys: {keys}")
    check(not any("victim" in key or "192.0.2" in key for key in keys), f"keys name somebody: {keys}")
    check(all(redis.call("PTTL", key) > 0 for key in keys), "keys that do not expire")


def without_redis_each_counts_by_itself(one, two):
    one.user("other")
    guess(one, "other", "192.0.2.3")
    equal(sign_in(two, "other", "Pass12345word", "192.0.2.3")[0], 200, "the other replica knows nothing of it")
    equal(sign_in(one, "victim", "Wrong", "192.0.2.9")[0], 401, "a first failure elsewhere")


class Load:
    """Clients that pull, and whose sign-ins fail, each of them from an address of its own, so that no one is throttled."""

    def __init__(self, cases, manifest):
        self.cases, self.manifest = cases, manifest
        self.stopping, self.lock, self.counter = threading.Event(), threading.Lock(), 0
        self.slowest, self.done = 0.0, 0
        self.pool = concurrent.futures.ThreadPoolExecutor(CLIENTS)
        self.clients = [self.pool.submit(self._run, cases[number % len(cases)]) for number in range(CLIENTS)]

    def _run(self, case):
        while not self.stopping.is_set():
            with self.lock:
                self.counter += 1
                number = self.counter
            begin = time.monotonic()
            status, _ = sign_in(case, f"nobody{number}", "Wrong", f"198.51.{number // 250 % 250}.{number % 250}")
            equal(status, 401, "a sign-in that fails")
            status, _, body = case.admin.request("GET", "/v2/team/image/manifests/v1", headers={"Accept": OCI_MANIFEST})
            equal(status, 200, "a pull")
            equal(body, self.manifest, "the manifest")
            with self.lock:
                self.slowest = max(self.slowest, time.monotonic() - begin)
                self.done += 1

    def goes_on(self, rounds=8):
        before = self.done
        eventually(lambda: self.done >= before + rounds or any(client.done() for client in self.clients),
                   "requests do not go on")

    def end(self):
        self.stopping.set()
        for client in self.clients:
            client.result()
        self.pool.shutdown()
        return self.slowest


def redis_goes_under_load(redis, cases, manifest):
    losses = [metric(case, "roadstead_redis_losses_total") for case in cases]
    for name, go, come in (("pause", redis.pause, redis.resume), ("kill -9", redis.kill, redis.start)):
        load = Load(cases, manifest)
        try:
            load.goes_on()
            go()
            load.goes_on(24)
            for case in cases:
                equal(metric(case, "roadstead_redis_up"), 0, f"whether Redis is there after: {name}")
            come()
            eventually(lambda: all(metric(case, "roadstead_redis_up") == 1 for case in cases), f"it is not found after: {name}")
            load.goes_on()
        finally:
            if redis.alive():
                redis.resume()
            slowest = load.end()
        print(f"{name}: {load.done} rounds of two requests, the slowest {slowest:.2f} s")
        check(slowest < SLOW_SECONDS, f"{name} delayed a request by {slowest:.1f} s")
    for case, before in zip(cases, losses):
        equal(metric(case, "roadstead_redis_losses_total"), before + 2, "losses that were noticed")
        check(metric(case, "roadstead_redis_refused_total") > 0, "nothing went on without asking Redis")


def no_password_is_told(case):
    shown = subprocess.run([case.server.binary, "config", "show"], env=program_environment(case.server.data, case.server.environment),
                           capture_output=True, text=True, check=True, timeout=60).stdout
    check("redis_url: \"redis://:***@127.0.0.1" in shown, shown)
    with open(case.server.log_path, encoding="utf-8") as file:
        log = file.read()
    check("redis is away" in log and "redis answers again" in log, "the log says nothing of Redis")
    check(REDIS_PASSWORD not in shown + log, "the password of Redis is told")


def main():
    if backends.database_engine() == "sqlite":
        raise Skip("two replicas need a database server")
    try:
        redis = Redis(password=REDIS_PASSWORD)
    except NotInstalled as reason:
        raise Skip(str(reason)) from None
    with redis, replicas(redis) as (one, two):
        one.project("team")
        _, manifest = push(one, "team/image", "v1", b"small enough for a row")
        failures_are_counted_together(redis, one, two)
        redis_goes_under_load(redis, (one, two), manifest)
        redis.kill()
        eventually(lambda: sign_in(one, "nobody", "Wrong", "203.0.113.9")[0] == 401
                   and metric(one, "roadstead_redis_up") == 0, "its end is not noticed")
        two.server.stop()
        two.server.start()  # A start needs no Redis either.
        without_redis_each_counts_by_itself(one, two)
        no_password_is_told(one)
