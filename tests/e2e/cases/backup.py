"""Leaving and coming back: backups of a server that is pushed to and collects, restored into an empty directory."""
import hashlib
import json
import os
import subprocess
import threading
import time

from harness import OCI_MANIFEST, Case, Scratch, check, equal, only_on, started
from server import Server, find_binary, program_environment

WRITERS = 3
# Whatever the collector may remove, it removes at once.
EAGER = {"ROADSTEAD_GC_GRACE_SECONDS": "0", "ROADSTEAD_GC_INTERVAL_SECONDS": "1", "ROADSTEAD_LEASE_SECONDS": "10"}
LOAD_SECONDS = 12  # Long enough for leases to lapse, so that there is something to collect.


def main():
    only_on("a backup", "sqlite")  # A server's database is copied with the server's own tools.
    with started(environment=EAGER) as case:
        case.project("keep")
        case.project("busy")
        target = case.scratch.path("backup", "x")[:-2]
        acknowledged = under_load(case, target)
        restored(case, target, "first", lambda copy: whole(copy, acknowledged))

        # Nobody pushes any more, so the copy must be the same in every respect.
        time.sleep(1)
        text = roadstead(case.server.data, "backup", "--to", target)
        print(text)
        usage = used(case)
        restored(case, target, "second", lambda copy: (whole(copy, acknowledged), equal(used(copy), usage, "usage")))
        again = roadstead(case.server.data, "backup", "--to", target)
        check(" 0 copied" in again, f"the third backup copied content: {again}")
        private(target)

        case.server.stop()
        roadstead(case.server.data, "backup", "--to", target)
        damage(target)
        case.server.start()
        whole(case, acknowledged)


def under_load(case, target):
    """Makes a backup while others push, move, delete and collect; what was acknowledged before it began."""
    stop, lock, pushed = threading.Event(), threading.Lock(), {}
    writers = [threading.Thread(target=write, args=(case, number, stop, lock, pushed)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    begin = time.monotonic()
    while len(pushed) < 20 or time.monotonic() < begin + LOAD_SECONDS:
        time.sleep(0.05)
    with lock:
        before = dict(pushed)
    try:
        print(roadstead(case.server.data, "backup", "--to", target))
        print(roadstead(case.server.data, "backup", "--verify", target))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    check(len(pushed) > len(before), "nothing was pushed during the backup")
    return before


def write(case, number, stop, lock, pushed):
    count = 0
    while not stop.is_set():
        tag = f"{number}-{count}"
        count += 1
        try:
            digest, manifest = push(case, "keep/image", tag, os.urandom(40_000))
        except AssertionError:
            continue  # Slower than its lease.
        with lock:
            pushed[tag] = (digest, manifest)
        garbage(case, number)


def garbage(case, number):
    """Of unique and of shared content."""
    try:
        busy, _ = push(case, "busy/image", f"latest-{number}", os.urandom(20_000))
        shared, _ = push(case, "busy/shared", f"s{number}", b"the same for all " * 1000)
    except AssertionError:
        return
    for repository, digest in (("image", busy), ("shared", shared)):
        status, _, _ = case.admin.request("DELETE", f"/v2/busy/{repository}/manifests/{digest}")
        check(status in (202, 404), f"DELETE: {status}")


def push(case, repository, tag, layer):
    config = json.dumps({"os": "linux", "tag": tag}).encode()
    parts = []
    for data, kind in ((config, "application/vnd.oci.image.config.v1+json"),
                       (layer, "application/vnd.oci.image.layer.v1.tar+gzip")):
        parts.append({"mediaType": kind, "digest": case.push_blob(repository, data), "size": len(data)})
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": parts[0],
                           "layers": parts[1:]}).encode()
    status, _, body = case.admin.request("PUT", f"/v2/{repository}/manifests/{tag}", manifest,
                                         headers={"Content-Type": OCI_MANIFEST})
    equal(status, 201, f"PUT of a manifest {body[:200]!r}")
    return "sha256:" + hashlib.sha256(manifest).hexdigest(), manifest


def roadstead(data, *arguments, expected=0):
    done = subprocess.run([find_binary(), *arguments], env=program_environment(data), capture_output=True, text=True,
                          timeout=300, check=False)
    equal(done.returncode, expected, f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def restored(case, target, name, verify):
    """Restores into an empty directory of its own, starts a server over it and looks."""
    own = case.scratch.path(name, "x")[:-2]
    data = os.path.join(own, "data")
    print(roadstead(data, "restore", "--from", target))
    roadstead(data, "restore", "--from", target, expected=1)  # Never over something.
    with Server(scratch=own) as server:
        copy = Case(Scratch(), server)
        try:
            verify(copy)
            push(copy, "keep/image", "after", b"a new layer")
        finally:
            copy.scratch.remove()


def whole(case, acknowledged):
    for tag, (digest, manifest) in acknowledged.items():
        status, headers, body = case.admin.request("GET", f"/v2/keep/image/manifests/{tag}",
                                                   headers={"Accept": OCI_MANIFEST})
        equal(status, 200, f"GET of {tag}")
        equal(headers["Docker-Content-Digest"], digest, tag)
        equal(body, manifest, tag)
        decoded = json.loads(body)
        for part in [decoded["config"], *decoded["layers"]]:
            check(case.blob_matches("keep/image", part["digest"]), f"{tag}: {part['digest']} is not whole")


def used(case):
    return {name: case.server.api("GET", f"/projects/{name}/summary")["quota"]["used"]["storage"]
            for name in ("keep", "busy")}


def private(target):
    for folder, _, files in os.walk(target):
        equal(os.stat(folder).st_mode & 0o77, 0, folder)
        for name in files:
            equal(os.stat(os.path.join(folder, name)).st_mode & 0o777, 0o600, name)


def damage(target):
    """A flipped bit is found, and refused."""
    for folder, _, files in os.walk(os.path.join(target, "content")):
        if files:
            path = os.path.join(folder, files[0])
            break
    with open(path, "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))
    text = roadstead(target, "backup", "--verify", target, expected=1)
    check("is damaged" in text, text)
    data = target + "-damaged"
    roadstead(data, "restore", "--from", target, expected=1)
    text = roadstead(data, "serve", expected=2)
    check("did not finish" in text, text)
