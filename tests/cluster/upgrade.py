#!/usr/bin/python3
"""Replaces replicas one by one with the next release, whose schema is newer, while clients are at work.

The next release is this program with one more migration ($ROADSTEAD_NEXT; README.md says what that shows and what it does not).
Nobody may notice: no client sees an error that its usual retry does not cover, nothing acknowledged is lost. A replica of the
old release that runs goes on; one that is started on the newer schema refuses, and says why.
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("support", "crash"):
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), folder))
sys.path.insert(0, HERE)
import run  # noqa: E402
from clients import Client, World  # noqa: E402
from installation import Cluster  # noqa: E402
from model import Broken  # noqa: E402
from server import find_binary, program_environment  # noqa: E402
from service import NotInstalled  # noqa: E402
from verification import check_everything, check_nothing_is_left  # noqa: E402

STEP_SECONDS = 5  # Between two replicas.
REFUSAL_SECONDS = 60


def versions(cluster):
    return int(cluster.backend.value("SELECT MAX(version) FROM schema_version"))


def replace(world, replica, binary):
    world.note("upgrade", f"{replica} becomes {os.path.basename(binary)}")
    replica.terminate()
    replica.wait_for_end()
    replica.server.binary = binary
    replica.launch()


def refuses(replica, binary):
    """The old release, started on the newer schema, ends and says why."""
    done = subprocess.run([binary, "serve"], env=program_environment(replica.server.data, {
        **replica.server.environment, "ROADSTEAD_LISTEN": "127.0.0.1:0"}), capture_output=True, text=True, check=False,
        timeout=REFUSAL_SECONDS)
    said = done.stdout + done.stderr
    if done.returncode == 0 or "schema version" not in said:
        raise Broken(f"the old release started on the newer schema ended with {done.returncode}: {said[-500:]}")


def roll(world, cluster, old, new):
    before = versions(cluster)
    threads = [Client(world, number) for number in range(world.options.clients)]
    for thread in threads:
        thread.start()
    try:
        world.stop.wait(STEP_SECONDS)
        for number, replica in enumerate(cluster.replicas):
            replace(world, replica, new)
            cluster.wait_until_healthy()
            if number == 0:
                if versions(cluster) != before + 1:
                    raise Broken(f"the schema has version {versions(cluster)}, expected {before + 1}")
                last = cluster.replicas[-1]
                last.terminate()
                last.wait_for_end()
                refuses(last, old)
                last.server.binary = new
                last.launch()
                cluster.wait_until_healthy()
            world.stop.wait(STEP_SECONDS)
            cluster.supervise()
    finally:
        world.stop.set()
        for thread in threads:
            thread.join(run.END_SECONDS)
    if world.failures:
        raise Broken("; ".join(world.failures))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "mariadb"), default="postgresql")
    parser.add_argument("--storage", choices=("s3", "file"), default="s3")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(1 << 32)))
    options = parser.parse_args()
    options.retries_unseen = False
    os.environ["ROADSTEAD_TEST_DATABASE"], os.environ["ROADSTEAD_TEST_STORAGE"] = options.database, options.storage
    old = find_binary()
    new = os.environ.get("ROADSTEAD_NEXT") or os.path.join(os.path.dirname(old), "roadstead_next")
    folder = tempfile.mkdtemp(prefix="roadstead-upgrade-")
    world = World(options)
    try:
        with Cluster(folder, options.replicas) as cluster:
            try:
                run.prepare(world, cluster)
                roll(world, cluster, old, new)
                check_everything(world, cluster)
                check_nothing_is_left(world, cluster)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run has failed
                return run.failed(world, cluster, folder, str(error) if isinstance(error, Broken) else repr(error))
    except NotInstalled as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        return run.SKIPPED
    run.report(world)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
