"""Afterwards: what was acknowledged is there, through every replica; what was deleted is not; the rows, the store and the check
agree; and when everything is deleted, nothing is left."""
import json
import time

from clients import HOT_TAGS, QUIET_SECONDS, Client, COLLECTION
from model import Broken
from rows import NEVER
from soak import LEFT

CLEAN, REPAIRED = 0, 3
LEFT_OVERS_SECONDS = 150  # Until what killed replicas have left behind has been found: the life of an upload, twice.
EMPTY_SECONDS = 240  # Staged bytes without a row are old after twice the life of an upload.
AFTER_NO_FAULT_SECONDS = 30  # For both, when nothing was killed.
# What a replica that was killed has staged may be found for a while: those that live look for it now and then.
LEFT_BY_A_CRASH = {"leaked_upload", "leaked_file"}
REPAIR_AFTER_SECONDS = 10  # Of objects that no row names: in a shared store nothing but a repair takes them away.


def wait_until_quiet(world):
    """No replica holds a request any more."""
    until = max((time for place in world.places for time in place.quiet.values()), default=0)
    time.sleep(min(QUIET_SECONDS, max(0, until - time.monotonic())))


def check_acknowledged(world, cluster):
    """Through each replica by itself; all contents through one of them in turn."""
    for replica in cluster.replicas:
        client = Client(world, 100 + replica.number, replica.server.host)
        for number, place in enumerate([*world.places, world.hot]):
            client.place = place
            for digest in place.manifests:
                client.check_manifest(digest, digest)
            for tag, target in place.tags.items():
                client.check_manifest(tag, target)
            for digest in place.gone:
                client.check_manifest(digest, None)
            if number % len(cluster.replicas) == replica.number:
                needed = place.referenced()
                for content in [content for digest, content in place.contents.items() if digest in needed]:
                    client.check_content(content)
                    world.count("contents compared")
        client.wire.close()


def check_hot(world, cluster):
    client = Client(world, 200, cluster.replicas[0].server.host)
    client.place = world.hot
    for tag in HOT_TAGS:
        answer, _ = client.ask("HEAD", client.path("manifests", tag), headers=("Accept: */*",))
        target = answer.headers["docker-content-digest"] if answer.status == 200 else None
        possible = world.hot_tags.possible(tag)
        if target not in possible:
            raise Broken(f"{world.hot.name}:{tag} is {target}, which is none of {possible}")
    client.wire.close()


def check_rows(cluster):
    if cluster.pooler is None:  # It keeps its sessions; the replicas have ended theirs in good order.
        cluster.backend.settle()
    for meaning, sql in NEVER:
        found = cluster.backend.rows(sql)
        if found:
            raise Broken(f"{meaning}: {found[:5]}")


def check_fsck(world, cluster):
    """Clean, with every byte read. What a kill left behind may take its time to go by itself, or takes a repair."""
    begin, repaired = time.monotonic(), False
    limit = LEFT_OVERS_SECONDS if world.failed else AFTER_NO_FAULT_SECONDS
    while True:
        status, report = cluster.fsck("--deep")
        world.count("fsck")
        if status == CLEAN:
            return
        kinds = {finding["kind"] for finding in report["findings"]}
        seconds = time.monotonic() - begin
        if not kinds <= LEFT_BY_A_CRASH or report.get("truncated") or seconds > limit:
            raise Broken(f"fsck found {report['found']}: {report['findings'][:5]}")
        if kinds == {"leaked_file"} and world.failed and not repaired and seconds > REPAIR_AFTER_SECONDS:
            repaired = repair(world, cluster)
        time.sleep(2)


def repair(world, cluster):
    """Objects that a killed replica had written and not named yet are queued, to be removed an hour later; here it passes at
    once."""
    status, report = cluster.fsck("--repair")
    if status != REPAIRED:
        raise Broken(f"fsck --repair ended with {status}: {report['findings'][:5]}")
    world.count("objects left by kills, taken away by a repair", report["found"])
    cluster.backend.execute("UPDATE deleting SET added_at = 1")
    return True


def check_everything(world, cluster):
    """With all replicas at work and no client. Leaves the replicas as they are."""
    wait_until_quiet(world)
    check_acknowledged(world, cluster)
    check_hot(world, cluster)
    check_fsck(world, cluster)
    cluster.stop_replicas()
    check_rows(cluster)
    status, report = cluster.fsck("--deep")
    if status != CLEAN:
        raise Broken(f"fsck of what stands still found {report['found']}: {report['findings'][:5]}")
    cluster.start_replicas()


def left(cluster):
    if cluster.backend.engine != "sqlite":
        return look_for_left(cluster)
    cluster.stop_replicas()  # They have the file for themselves.
    found = look_for_left(cluster)
    cluster.start_replicas()
    return found


def look_for_left(cluster):
    found = {name: int(cluster.backend.value(sql)) for name, sql in LEFT.items()}
    found["objects"] = len(cluster.backend.store.keys())
    return {name: number for name, number in found.items() if number}


def check_nothing_is_left(world, cluster):
    """Everything is deleted, and the collector has done what it can."""
    for place in [*world.places, world.hot]:
        path = place.name.partition("/")[2].replace("/", "%252F")
        cluster.api("DELETE", f"/projects/{place.project}/repositories/{path}", expected=(200, 404))
    deadline = time.monotonic() + (EMPTY_SECONDS if world.failed else AFTER_NO_FAULT_SECONDS)
    while found := left(cluster):
        if time.monotonic() > deadline:
            raise Broken(f"left behind after everything was deleted: {found}, {cluster.backend.store.keys()[:5]}")
        cluster.api("POST", "/system/gc/schedule", json.loads(COLLECTION), expected=(201, 409))
        time.sleep(2)
        if set(found) == {"objects"} and all(key.startswith("uploads/") for key in cluster.backend.store.keys()):
            # A replica looks for what others have staged and forgotten every quarter of an hour, and when it starts.
            time.sleep(8)
            cluster.stop_replicas()
            cluster.start_replicas()
    world.count("nothing left behind")
