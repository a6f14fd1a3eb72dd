"""What was deleted comes back: by REST and by `roadstead trash`, with the server running and stopped."""
import os

from cases.backup import push, roadstead
from harness import check, equal, started

REPOSITORY = "/projects/p/repositories/app"


def main():
    with started() as case:
        case.project("p")
        server, data = case.server, case.server.data
        first, _ = push(case, "p/app", "v1", os.urandom(30_000))
        second, _ = push(case, "p/app", "v2", os.urandom(30_000))
        usage = used(case)

        server.api("DELETE", f"{REPOSITORY}/artifacts/{first}")
        case.manifest("p/app", "v1", expected=404)
        check(used(case) < usage, "deleting frees usage")
        trash = server.api("GET", f"{REPOSITORY}/trash")
        equal([(item["digest"], item["tags"]) for item in trash], [(first, ["v1"])], "trash")
        restored = server.api("POST", f"{REPOSITORY}/trash/{first}/restore")
        equal(restored["tags"], ["v1"], "tags")
        pulls(case, "v1", first)
        equal(used(case), usage, "usage")

        server.api("DELETE", f"{REPOSITORY}/artifacts/{second}")
        check(second in roadstead(data, "trash", "list", "--project", "p"), "trash list")
        roadstead(data, "trash", "restore", f"p/app@{second}")
        pulls(case, "v2", second)
        roadstead(data, "trash", "restore", f"p/app@{second}", expected=1)
        roadstead(data, "trash", "restore", "p/app@sha256:rubbish", expected=1)

        push(case, "p/app", "v1", b"pushed by mistake")
        history = server.api("GET", f"{REPOSITORY}/tags/v1/history")
        equal([event["operation"] for event in history], ["move", "create", "delete", "create"], "history")
        roadstead(data, "trash", "restore-tag", "p/app:v1", "--digest", first, expected=1)
        roadstead(data, "trash", "restore-tag", "p/app:v1", "--digest", first, "--move")
        pulls(case, "v1", first)

        server.api("DELETE", REPOSITORY)
        server.stop()
        listed = roadstead(data, "trash", "list", "--project", "p", "--repository", "p/app")
        check(first in listed and second in listed, listed)
        roadstead(data, "trash", "restore", f"p/app@{second}")
        server.start()
        pulls(case, "v2", second)
        server.api("POST", f"{REPOSITORY}/trash/{first}/restore")
        pulls(case, "v1", first)
        equal(used(case), usage, "usage")


def used(case):
    return case.server.api("GET", "/projects/p/summary")["quota"]["used"]["storage"]


def pulls(case, tag, digest):
    manifest, headers = case.manifest("p/app", tag)
    equal(headers["Docker-Content-Digest"], digest, tag)
    for part in [manifest["config"], *manifest["layers"]]:
        check(case.blob_matches("p/app", part["digest"]), f"{tag}: {part['digest']} is not whole")
