#!/usr/bin/python3
"""Kills the real program again and again under load, and compares what is left with what was acknowledged.

Each cycle: start, verify what the cycle before has left, clients at work, kill -9 at a random moment (now and then
SIGTERM, or a second kill during the start). README.md tells what is compared.
"""
import argparse
import base64
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
sys.path.insert(0, HERE)
from backends import storage_kind  # noqa: E402
from load import Administrator, Client, Hot, UPLOAD_SECONDS, prepare_hot  # noqa: E402
from model import Broken, Content, HotTags, Project, Repository  # noqa: E402
from rows import Rows  # noqa: E402
from sabotage import SABOTAGES  # noqa: E402
from server import PASSWORD, Server, StartError, program_environment  # noqa: E402
from verify import Verifier  # noqa: E402

LEASE_SECONDS = 2
TIGHT_BYTES = 1_500_000
CLIENTS = 4
FULL_EVERY = 100
FIRST_STARTS = 5
ROWS_EVERY = 20
ROWS_EVERY_OF_A_SERVER = 4  # A client is started for each question.
ROWS_BYTES_MAX = 24 << 20  # Of a database that is compared after every cycle.
LOG_LINES = 5000
SHOWN_LINES = 150
START_SECONDS = 20
SKIPPED = 77
STOP_SECONDS = 15
COLLECT_SECONDS = 120
FSCK_CLEAN, FSCK_REPAIRED = 0, 3
COLLECTION = json.dumps({"schedule": {"type": "Manual"}, "parameters": {"workers": 2}}).encode()
ENVIRONMENT = {
    "ROADSTEAD_LOG_ACCESS": "false", "ROADSTEAD_LOG_LEVEL": "warning", "ROADSTEAD_TOKEN_LIFETIME": "86400",
    "ROADSTEAD_LEASE_SECONDS": str(LEASE_SECONDS), "ROADSTEAD_GC_GRACE_SECONDS": "0",
    "ROADSTEAD_GC_INTERVAL_SECONDS": "1", "ROADSTEAD_REGISTRY_UPLOAD_LIFETIME": "60",
    "ROADSTEAD_REGISTRY_UPLOADS_PER_PROJECT": "100000", "ROADSTEAD_REGISTRY_UPLOADS_PER_IDENTITY": "100000"}


class QuickServer(Server):
    """Started without a probe: the first request of a client tells soon enough whether it answers."""

    def start(self):
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while not (url := self._read_url(self.urls)):
            if self.process.poll() is not None:
                raise StartError(f"the server ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"the server does not start:\n{self.log_tail()}")
            time.sleep(0.002)
        self.url = url
        self.listen = self.host
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None


class World:
    """What the clients and the verifier share."""

    def __init__(self):
        self.log = collections.deque(maxlen=LOG_LINES)
        self.counters = collections.Counter()
        self.counting = threading.Lock()
        self.projects = [Project("alpha"), Project("beta"), Project("tight", TIGHT_BYTES)]
        self.repositories = [Repository(project, f"app/r{number}", LEASE_SECONDS)
                             for project in self.projects for number in range(4)]
        self.hot_place = Repository(self.projects[0], "hot", LEASE_SECONDS)
        self.hot = Hot(self.hot_place.name, HotTags())
        self.config = Content("config of many", 120)
        self.shared_small = [Content(f"shared {number}", 300 * (number + 1)) for number in range(12)]
        self.shared = self.shared_small + [Content(f"shared {number}", 20_000 * number) for number in range(1, 6)] + [
            Content("shared large", 1_300_000)]
        self.volatile = [Content(f"volatile {number}", 200 + 3000 * number) for number in range(8)]
        self.orphans = set()  # Contents whose push was cut off: their bytes may lie there without a row.
        self.upload_seconds = UPLOAD_SECONDS
        self.address, self.authorization, self.down_at = "", "", 0.0
        self.basic = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()

    def note(self, who, *what):
        self.log.append((time.time(), who, *map(str, what)))

    def count(self, what, number=1):
        with self.counting:
            self.counters[what] += number

    def least_usage(self, project):
        """What the project's manifests alone come to, and the contents in that."""
        manifests, contents = {}, {}
        for repository in [*self.repositories, self.hot_place]:
            if repository.project is not project:
                continue
            for manifest in repository.manifests.values():
                manifests[manifest.digest] = manifest.size
                contents.update((content.digest, content.size) for content in manifest.blobs)
        return sum(manifests.values()) + sum(contents.values()), set(contents)

    def print_log(self, lines, out):
        for at, who, *what in list(self.log)[-lines:]:
            print(f"{at:.6f} {who:9} {' '.join(what)}", file=out)


class Harness:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.random = random.Random(options.seed)
        self.world = World()
        self.server = QuickServer(scratch=folder, environment=ENVIRONMENT)
        self.copies = os.path.join(folder, "copies")
        os.makedirs(self.copies, exist_ok=True)
        self.cycle = 0
        known = subprocess.run([self.server.binary, "--help"], capture_output=True, text=True, check=True).stdout
        commands = {line.split()[0] for line in known.splitlines() if line.startswith("  ")}
        self.has_fsck, self.has_collector = "fsck" in commands, "gc" in commands

    def kill_first_starts(self):
        """However often the very first start is cut off: the one that succeeds has an administrator whose password is
        told, and the project that everybody begins with."""
        seconds = 0.1  # How long one takes; the first of them tells.
        for number in range(FIRST_STARTS):
            server = QuickServer(scratch=os.path.join(self.folder, f"first{number}"),
                                 environment={**ENVIRONMENT, "ROADSTEAD_ADMIN_PASSWORD": ""})
            os.makedirs(server.scratch)
            while number > 0 and self.random.random() < 0.8:
                server.launch()
                time.sleep(self.random.uniform(0, 1.1 * seconds))
                server.kill()
                self.world.count("kill -9 during the first start")
            fresh, begin = not os.path.exists(server.data), time.monotonic()
            server.start()
            seconds = time.monotonic() - begin if fresh else seconds
            with open(os.path.join(server.data, "initial-admin-password"), encoding="ascii") as file:
                password = file.read().strip()
            status, _, body = server.request("GET", "/api/v2.0/projects/library/summary", password=password)
            if status != 200:
                raise Broken(f"after a first start that was cut off: {status} {body[:200]}")
            server.stop()
            shutil.rmtree(server.scratch)

    def set_up(self):
        self.server.start()
        world = self.world
        for project in world.projects:
            self.server.api("POST", "/projects", {"project_name": project.name, "storage_limit": project.limit},
                            expected=(201,))
            project.id = self.server.api("GET", f"/projects/{project.name}")["project_id"]
        scopes = "&".join(f"scope=repository:{repository.name}:pull,push,delete"
                          for repository in [*world.repositories, world.hot_place])
        status, _, body = self.server.request("GET", f"/service/token?service=harbor-registry&{scopes}")
        if status != 200:
            raise Broken(f"no token: {status} {body[:200]}")
        world.address = self.server.host
        world.authorization = "Bearer " + json.loads(body)["token"]
        prepare_hot(self.client(0, threading.Event()), world.hot_place, world.hot)
        for tag in ("hot0", "hot1", "hot2"):
            world.hot.tags.before[tag] = None

    def client(self, number, stop):
        return Client(self.world, number, f"{self.options.seed}-{self.cycle}-{number}", stop)

    # One cycle.

    def run_cycle(self):
        self.work()
        full = self.cycle % FULL_EVERY == FULL_EVERY - 1
        if full:
            self.server.start()
            self.check_everything()
        if full or self.cycle % ROWS_EVERY == 0 or self.rows_are_cheap():
            with Rows(self.server, self.copies) as rows:
                self.restart_and_verify(rows, full)
        else:
            self.restart_and_verify(None, False)
        self.cycle += 1

    def rows_are_cheap(self):
        if self.server.backend.engine != "sqlite":
            return self.cycle % ROWS_EVERY_OF_A_SERVER == 0
        return os.stat(os.path.join(self.server.data, "roadstead.db")).st_size < ROWS_BYTES_MAX

    def restart_and_verify(self, rows, full):
        if rows is not None:
            rows.check(self.world, deep=full)
        self.maybe_kill_start()
        self.server.backend.settle()  # Before anybody looks whether what was under way has happened.
        self.server.start()
        self.verify_running(rows, everything=False)

    def work(self):
        """Clients at work until the server goes away."""
        stop = threading.Event()
        clients = [self.client(number, stop) for number in range(CLIENTS)]
        if self.random.random() < 0.5:
            clients.append(Administrator(self.world, f"{self.options.seed}-{self.cycle}", stop))
        for client in clients:
            client.start()
        long = self.random.random() < 0.03
        time.sleep(self.random.uniform(1.2, 1.6) if long else self.random.uniform(0.01, 0.3))
        if not self.server.alive():
            raise Broken(f"the server ended by itself with {self.server.process.returncode}")
        if self.random.random() < 0.06:
            self.world.note("harness", "SIGTERM")
            self.world.count("SIGTERM")
            self.stop_gently()
        else:
            self.world.note("harness", "kill -9")
            self.world.count("kill -9")
            self.server.kill()
        self.world.down_at = time.time()
        stop.set()
        for client in clients:
            client.join()
            if client.failure is not None:
                raise client.failure

    def stop_gently(self):
        status = self.server.stop(signal.SIGTERM, STOP_SECONDS)
        if status != 0:
            raise Broken(f"the server ended with {status} after SIGTERM")

    def maybe_kill_start(self):
        """Now and then the start is killed, too, at any moment of it."""
        while self.random.random() < 0.07:
            self.world.note("harness", "kill -9 during the start")
            self.world.count("kill -9 during the start")
            self.server.launch()
            time.sleep(self.random.uniform(0, 0.04))
            self.server.kill()

    def verify_running(self, rows, everything):
        self.world.address = self.server.host
        verifier = Verifier(self.world, self.random)
        try:
            verifier.verify(everything)
        finally:
            verifier.close()
        if rows is not None:
            rows.compare(self.world)

    def fsck(self):
        """Finds what pushes that were cut off have left in the store, and nothing else; and repairs that."""
        if not self.has_fsck:
            return
        status, report = self.run_fsck("--deep")
        unexpected = [finding for finding in report["findings"] if not self.left_by_a_crash(finding)]
        if unexpected or report.get("truncated"):
            raise Broken(f"fsck found {report['found']}: {unexpected[:5]}")
        if status == FSCK_CLEAN:
            return
        self.world.count("leaked files, repaired", report["found"])
        status, report = self.run_fsck("--repair")
        if status != FSCK_REPAIRED:
            raise Broken(f"fsck --repair ended with {status}: {report}")
        status, report = self.run_fsck()
        if status != FSCK_CLEAN:
            raise Broken(f"fsck ended with {status} after a repair: {report}")
        self.world.orphans.clear()

    def left_by_a_crash(self, finding):
        if finding["kind"] != "leaked_file":
            return finding["kind"] == "leaked_upload"
        # In an object store its name does not tell whose it was, only that something was cut off.
        named = self.server.backend.store.kind == "file"
        return finding["object"] in self.world.orphans if named else bool(self.world.orphans)

    def run_fsck(self, *options):
        done = subprocess.run([self.server.binary, "fsck", "--json", *options],
                              env=program_environment(self.server.data, ENVIRONMENT), capture_output=True, text=True,
                              check=False, timeout=600)
        self.world.count("fsck")
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            raise Broken(f"fsck ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-1000:]}") from None

    def check_everything(self):
        """With nobody at work, and when all leases have ended and the collector was there: then nothing is left that is
        not needed, and the usage is what the clients computed. Leaves the server stopped."""
        self.verify_running(None, everything=True)
        if self.has_collector:
            time.sleep(LEASE_SECONDS + 0.5)
            self.collect()
            for repository in self.world.repositories:
                repository.forget_unreferenced()
            self.verify_running(None, everything=True)
        self.stop_gently()
        with Rows(self.server, self.copies) as rows:
            rows.check(self.world, deep=True)
            rows.compare(self.world)
            if self.has_collector:
                rows.check_nothing_unused(self.world)
        self.fsck()

    def collect(self):
        """Runs until one finds nothing: what one condemns, the next may remove."""
        deadline = time.monotonic() + COLLECT_SECONDS
        found = {"reviewed": 1}
        while found["reviewed"] > 0:
            status, headers, body = self.server.request("POST", "/api/v2.0/system/gc/schedule", COLLECTION,
                                                        headers={"Content-Type": "application/json"})
            if status == 409 and time.monotonic() < deadline:
                time.sleep(0.01)  # One is at work already.
                continue
            if status != 201:
                raise Broken(f"a collection was asked for: {status} {body[:300]}")
            run = self.finished_run(headers["Location"], deadline)
            found = json.loads(run["job_parameters"])
            self.world.count("collected blobs", found["purged_blobs"])

    def finished_run(self, path, deadline):
        while True:
            _, _, body = self.server.request("GET", path)
            run = json.loads(body)
            if run["job_status"] not in ("Pending", "Running"):
                break
            if time.monotonic() > deadline:
                raise Broken(f"the collection does not end: {run}")
            time.sleep(0.01)
        if run["job_status"] != "Success":
            raise Broken(f"the collection failed: {run}")
        return run


def arguments():
    parser = argparse.ArgumentParser(prog="x crash", description=__doc__)
    parser.add_argument("--cycles", type=int, default=200, help="how many times to kill it (default 200)")
    parser.add_argument("--seconds", type=float, help="stop after so long, whatever --cycles says")
    parser.add_argument("--seed", default=None, help="of the clients' choices (times differ from run to run)")
    parser.add_argument("--keep", action="store_true", help="keep the data directory also after success")
    parser.add_argument("--folder", help="where to work (default: a new one in the folder for temporary files)")
    parser.add_argument("--self-test", action="store_true",
                        help="damage the data on purpose, in every way we know, and insist that it is noticed")
    options = parser.parse_args()
    options.seed = options.seed or str(random.SystemRandom().randrange(1 << 32))
    return options


def report(harness, begin):
    counters = harness.world.counters
    seconds = time.monotonic() - begin
    parts = ", ".join(f"{name} {counters[name]}" for name in sorted(counters))
    print(f"{harness.cycle} cycles in {seconds:.0f} s ({seconds / max(1, harness.cycle):.2f} s each): {parts}",
          flush=True)


def run_cycles(harness, begin):
    options = harness.options
    harness.kill_first_starts()
    harness.set_up()
    while harness.cycle < options.cycles:
        if options.seconds and time.monotonic() - begin > options.seconds:
            break
        harness.run_cycle()
        if harness.cycle % FULL_EVERY == 0:
            report(harness, begin)
    harness.check_everything()
    report(harness, begin)
    if not harness.has_fsck:
        print("this program has no fsck: rows and files were compared by the harness alone")


def self_test(options):
    """Each sabotage on a fresh installation that has been at work for some cycles."""
    missed = 0
    for name, sabotage in SABOTAGES.items():
        folder = tempfile.mkdtemp(prefix="roadstead-crash-")
        harness = Harness(options, folder)
        try:
            harness.set_up()
            for _ in range(4):
                harness.run_cycle()
            harness.stop_gently()
            sabotage(harness)
            try:
                harness.server.start()
                harness.check_everything()
                print(f"MISSED: {name}")
                missed += 1
            except (Broken, StartError) as noticed:
                print(f"noticed: {name}: {str(noticed)[:150]}")
        finally:
            harness.server.close()
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if missed else 0


def main():
    options = arguments()
    if storage_kind() == "swift":
        print("\n**** SKIPPED: what a crash has left is looked at in files, and Swift's are not for that ****\n", file=sys.stderr)
        return SKIPPED
    if options.self_test:
        return self_test(options)
    folder = options.folder or tempfile.mkdtemp(prefix="roadstead-crash-")
    os.makedirs(folder, exist_ok=True)
    harness = Harness(options, folder)
    begin = time.monotonic()
    print(f"seed {options.seed}, in {folder}", flush=True)
    try:
        run_cycles(harness, begin)
    except (Broken, StartError) as broken:
        return failed(harness, begin, str(broken))
    except Exception:  # noqa: BLE001 - a defect of the harness or of the server: the same to whoever runs it
        return failed(harness, begin, traceback.format_exc())
    finally:
        harness.server.close()
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def failed(harness, begin, why):
    print("---- the clients' last requests ----")
    harness.world.print_log(SHOWN_LINES, sys.stdout)
    if harness.server.process is not None:
        print("---- the server's last words ----\n" + harness.server.log_tail())
    report(harness, begin)
    print(f"\nFAILED in cycle {harness.cycle} of seed {harness.options.seed}: {why}\nThe data is in {harness.folder}",
          flush=True)
    with open(os.path.join(harness.folder, "journal.log"), "w", encoding="utf-8") as file:
        harness.world.print_log(LOG_LINES, file)
    return 1


if __name__ == "__main__":
    sys.exit(main())
