"""A disk that is full, nearly full or read-only: pushes are refused with a reason, pulls go on, and nothing needs a
restart once there is room again."""
import contextlib
import hashlib
import json
import os
import subprocess
import time

from backends import database_engine, storage_kind
from harness import OCI_MANIFEST, Scratch, Skip, check, equal, started

SIZE = 24 << 20
FLOOR = 8 << 20


@contextlib.contextmanager
def small_disk(scratch, name, size=SIZE):
    """A file system of that size in memory; only root may mount one."""
    folder = scratch.path(name, "x").rpartition("/")[0]
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "roadstead-test", folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Skip(f"there is no mount: {error}") from error
    if done.returncode != 0:
        raise Skip(f"may not mount a small file system: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, leave):
    """Takes the space until about so much is free; returns the file to remove."""
    free = os.statvfs(folder)
    path = os.path.join(folder, "ballast")
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        os.posix_fallocate(descriptor, 0, free.f_bavail * free.f_frsize - leave)
    finally:
        os.close(descriptor)
    return path


def push_image(case, repository, tag, size=1000):
    config, layer = json.dumps({"tag": tag}).encode(), os.urandom(size)
    digests = [case.push_blob(repository, data) for data in (config, layer)]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digests[0], "size": len(config)}, "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digests[1], "size": len(layer)}]}).encode()
    equal(put_manifest(case, repository, tag, manifest)[0], 201, "PUT of a manifest")
    return digests, manifest


def put_manifest(case, repository, tag, manifest):
    return case.admin.request("PUT", f"/v2/{repository}/manifests/{tag}", manifest,
                              headers={"Content-Type": OCI_MANIFEST})


def try_blob(case, repository, data):
    """The answer of the first request that is refused, or of the last one."""
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    answer = case.admin.request("POST", f"/v2/{repository}/blobs/uploads/")
    if answer[0] == 202:
        location = answer[1]["Location"]
        answer = case.admin.request("PUT", f"{location}?digest={digest}", data,
                                    headers={"Content-Type": "application/octet-stream"})
    return digest, answer


def refused(case, repository, size, what):
    """No later than when the server has looked how much room there is, which it does every 50 ms at most."""
    deadline, status = time.monotonic() + 10, 201
    while status == 201 and time.monotonic() < deadline:
        digest, (status, headers, body) = try_blob(case, repository, os.urandom(size))
    check(status in (503, 507), f"{what}: {status} {body[:300]!r}")
    error = json.loads(body)["errors"][0]
    check("full or read-only" in error["message"] and "Retry-After" in headers,
          f"{what} says why and when to come back: {body[:300]!r}")
    check("/" not in error["message"], f"{what} tells nothing of the server's files: {body[:300]!r}")
    equal(case.admin.request("HEAD", f"/v2/{repository}/blobs/{digest}")[0], 404, f"{what}: nothing was pushed")
    print(f"{what}: {status} {error['message']}")


def goes_on(case, repository, size=1000):
    """There is room again: pushes succeed as soon as the server has looked (it looks every 50 ms at most)."""
    deadline = time.monotonic() + 10
    while try_blob(case, repository, os.urandom(size))[1][0] != 201:
        check(time.monotonic() < deadline, "a push succeeds once there is room")
    pulls(case, repository, "after", *push_image(case, repository, "after", size))


def pulls(case, repository, tag, digests, manifest):
    status, _, body = case.admin.request("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": OCI_MANIFEST})
    equal((status, body), (200, manifest), "manifest")
    for digest in digests:
        check(case.blob_matches(repository, digest), f"{digest} is whole")


def staged(storage):
    return os.listdir(os.path.join(storage, "uploads"))


def storage_is_full():
    """Only the blobs' disk is full; the database has room."""
    with contextlib.ExitStack() as stack:
        scratch = Scratch()
        stack.callback(scratch.remove)
        disk = stack.enter_context(small_disk(scratch, "storage"))
        case = stack.enter_context(started(scratch=scratch, environment={
            "ROADSTEAD_STORAGE_URL": "file:" + disk, "ROADSTEAD_REGISTRY_FREE_SPACE_FLOOR": "0"}))
        case.project("full")
        image = push_image(case, "full/image", "before")
        ballast = fill(disk, 256 << 10)
        refused(case, "full/image", 4 << 20, "a blob larger than what is left")
        equal(staged(disk), [], "what was refused leaves nothing staged")
        pulls(case, "full/image", "before", *image)
        os.remove(ballast)
        goes_on(case, "full/image", 4 << 20)


def floor_is_kept():
    """Everything on one disk: uploads stop at the floor, so that the database can go on."""
    with contextlib.ExitStack() as stack:
        scratch = Scratch()
        stack.callback(scratch.remove)
        disk = stack.enter_context(small_disk(scratch, "server"))
        del disk
        case = stack.enter_context(started(scratch=scratch, environment={
            "ROADSTEAD_REGISTRY_FREE_SPACE_FLOOR": str(FLOOR)}))
        case.project("floor")
        image = push_image(case, "floor/image", "before")
        ballast = fill(case.server.scratch, FLOOR - (1 << 20))
        refused(case, "floor/image", 10_000, "a small blob below the floor")
        # The database has the room that uploads are denied: tags can be moved, things be deleted.
        equal(put_manifest(case, "floor/image", "also", image[1])[0], 201, "a tag below the floor")
        equal(case.admin.request("DELETE", "/v2/floor/image/manifests/also")[0], 202, "deletion below the floor")
        pulls(case, "floor/image", "before", *image)
        os.remove(ballast)
        goes_on(case, "floor/image")


def everything_is_full():
    """No floor, nothing left at all: the database refuses, too, and goes on when there is room."""
    with contextlib.ExitStack() as stack:
        scratch = Scratch()
        stack.callback(scratch.remove)
        stack.enter_context(small_disk(scratch, "server"))
        case = stack.enter_context(started(scratch=scratch, environment={"ROADSTEAD_REGISTRY_FREE_SPACE_FLOOR": "0"}))
        case.project("none")
        image = push_image(case, "none/image", "before")
        ballast = fill(case.server.scratch, 0)
        refused(case, "none/image", 100_000, "a blob on a full disk")
        status, body = None, b""
        for number in range(200):  # The log may have room for some more.
            status, _, body = put_manifest(case, "none/image", f"tag{number}", image[1])
            if status != 201:
                break
        check(status in (503, 507), f"a tag on a full disk: {status} {body[:300]!r}")
        pulls(case, "none/image", "before", *image)
        os.remove(ballast)
        goes_on(case, "none/image")
        case.server.kill()
        case.server.start()
        pulls(case, "none/image", "before", *image)


def storage_is_read_only():
    with contextlib.ExitStack() as stack:
        scratch = Scratch()
        stack.callback(scratch.remove)
        disk = stack.enter_context(small_disk(scratch, "storage"))
        case = stack.enter_context(started(scratch=scratch, environment={
            "ROADSTEAD_STORAGE_URL": "file:" + disk, "ROADSTEAD_REGISTRY_FREE_SPACE_FLOOR": "0"}))
        case.project("frozen")
        image = push_image(case, "frozen/image", "before")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        refused(case, "frozen/image", 100_000, "a blob for a read-only disk")
        pulls(case, "frozen/image", "before", *image)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        goes_on(case, "frozen/image")


def main():
    storage_is_full()
    if storage_kind() == "file":  # How much room an object store has nobody tells.
        floor_is_kept()
    if database_engine() == "sqlite":  # The disk of a database server is not this one.
        everything_is_full()
    storage_is_read_only()
