#!/usr/bin/python3
"""Several replicas before one database and one store, everything failing at random under load; afterwards the clients' journal
is compared with what is there. README.md.
"""
import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("support", "crash"):
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), folder))
sys.path.insert(0, HERE)
from damage import DAMAGES  # noqa: E402
from faults import Faults  # noqa: E402
from installation import BALANCERS, Cluster  # noqa: E402
from clients import Client, Collector, World  # noqa: E402
from model import Broken  # noqa: E402
from server import StartError  # noqa: E402
from service import NotInstalled  # noqa: E402
from verification import check_everything, check_nothing_is_left  # noqa: E402

SKIPPED = 77
SHOWN_LINES = 120
SELF_TEST_SECONDS = 4
END_SECONDS = 120  # For clients to finish what they are at, when nothing fails any more.


def arguments():
    parser = argparse.ArgumentParser(prog="x cluster", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of load and faults (default 60)")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--database", choices=("postgresql", "mariadb", "sqlite"), help="default postgresql")
    parser.add_argument("--storage", choices=("s3", "file"), help="default s3; file and sqlite serve one replica")
    parser.add_argument("--balancer", choices=sorted(BALANCERS), default="haproxy")
    parser.add_argument("--pooler", action="store_true", help="pgbouncer before PostgreSQL, one connection per transaction")
    parser.add_argument("--skew", type=int, default=180, help="seconds that the clock of the last replica is ahead")
    parser.add_argument("--seed", help="of all choices (times differ from run to run)")
    parser.add_argument("--keep", action="store_true", help="keep data directories and logs also after success")
    parser.add_argument("--self-test", action="store_true",
                        help="damage things on purpose, in every way we know, and insist that it is noticed")
    options = parser.parse_args()
    options.seed = options.seed or str(random.SystemRandom().randrange(1 << 32))
    options.retries_unseen = BALANCERS[options.balancer].retries_unseen
    os.environ["ROADSTEAD_TEST_DATABASE"] = options.database or os.environ.get("ROADSTEAD_TEST_DATABASE") or "postgresql"
    os.environ["ROADSTEAD_TEST_STORAGE"] = options.storage or os.environ.get("ROADSTEAD_TEST_STORAGE") or "s3"
    return options


def prepare(world, cluster):
    for project in ("one", "two"):
        cluster.api("POST", "/projects", {"project_name": project}, expected=(201,))
    world.log_in(cluster)
    Client(world, 0).prepare_hot()


def work(world, cluster, seconds, faults=True):
    """Clients at work while things fail; returns when nothing fails any more and they have finished."""
    threads = [Client(world, number) for number in range(world.options.clients)] + [Collector(world)]
    for thread in threads:
        thread.start()
    plan = Faults(cluster, random.Random(world.options.seed), world)
    try:
        world.failed = faults
        if faults:
            plan.run(seconds)
        else:
            world.stop.wait(seconds)
    finally:
        plan.end_all()
        recovered = cluster.wait_until_healthy()
        world.note("harness", f"no fault any more, all replicas healthy after {recovered:.2f} s")
        world.stop.set()
    deadline = time.monotonic() + END_SECONDS
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
        if thread.is_alive():
            raise Broken(f"{thread.name} does not come to an end")
    if world.failures:
        raise Broken("; ".join(world.failures))


def check_that_something_happened(world):
    for what in ("pushes", "pulls", "deletions", "re-tags", "collections answered 201"):
        if not world.counters[what]:
            raise Broken(f"nothing happened: no {what}")
    if not any(name.startswith("fault: ") for name in world.counters):
        raise Broken("nothing failed")


def report(world):
    parts = ", ".join(f"{name} {world.counters[name]}" for name in sorted(world.counters))
    print(f"{parts}; the longest that a client had to try for: {world.longest_wait:.1f} s", flush=True)


def failed(world, cluster, folder, why):
    print("---- the last that happened ----")
    world.print_log(SHOWN_LINES, sys.stdout)
    print(cluster.logs())
    report(world)
    with open(os.path.join(folder, "journal.log"), "w", encoding="utf-8") as file:
        world.print_log(len(world.log), file)
    print(f"\nFAILED with seed {world.options.seed}: {why}\nLogs and journal.log are in {folder}", flush=True)
    return 1


def is_noticed(world, cluster, name, damage):
    damage(world, cluster)
    try:
        check_everything(world, cluster)
        check_nothing_is_left(world, cluster)
        print(f"MISSED: {name}", flush=True)
        return False
    except Broken as noticed:
        print(f"noticed: {name}: {str(noticed)[:150]}", flush=True)
        return True


def self_test(options):
    """Each damage to a fresh cluster that has been at work for some seconds."""
    missed = 0
    for name, damage in DAMAGES.items():
        folder = tempfile.mkdtemp(prefix="roadstead-cluster-")
        world = World(options)
        with Cluster(folder, options.replicas, 0, options.balancer) as cluster:
            try:
                prepare(world, cluster)
                work(world, cluster, SELF_TEST_SECONDS, faults=False)
                check_everything(world, cluster)  # So that it is the damage that is noticed.
            except Broken as broken:
                return failed(world, cluster, folder, f"before anything was damaged: {broken}")
            missed += not is_noticed(world, cluster, name, damage)
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if missed else 0


def run(options):
    folder = tempfile.mkdtemp(prefix="roadstead-cluster-")
    print(f"seed {options.seed}, {os.environ['ROADSTEAD_TEST_DATABASE']} and {os.environ['ROADSTEAD_TEST_STORAGE']}, "
          f"{options.replicas} replicas behind {options.balancer}, in {folder}", flush=True)
    world = World(options)
    with Cluster(folder, options.replicas, options.skew, options.balancer, options.pooler) as cluster:
        try:
            prepare(world, cluster)
            work(world, cluster, options.seconds)
            check_that_something_happened(world)
            check_everything(world, cluster)
            check_nothing_is_left(world, cluster)
            cluster.stop_replicas()
        except (Broken, StartError) as broken:
            return failed(world, cluster, folder, str(broken))
        except Exception:  # noqa: BLE001 - a defect of the harness or of the product: the same to whoever runs it
            return failed(world, cluster, folder, traceback.format_exc())
    report(world)
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # What was started has to end, too.
    try:
        return self_test(options) if options.self_test else run(options)
    except NotInstalled as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
