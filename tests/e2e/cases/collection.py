"""Garbage collection as people see it: `roadstead gc` beside and without a server, Harbor's operations, an exact dry run."""
import json
import os
import time

from cases.backup import push, roadstead
from harness import check, equal, started

ARTIFACTS = "/projects/p/repositories/app/artifacts"
LEASE_SECONDS = 1


def main():
    with started(environment={"ROADSTEAD_GC_GRACE_SECONDS": "0", "ROADSTEAD_GC_INTERVAL_SECONDS": "0",
                              "ROADSTEAD_LEASE_SECONDS": str(LEASE_SECONDS)}) as case:
        case.project("p")
        server = case.server
        kept, _ = push(case, "p/app", "kept", os.urandom(30_000))
        for tag in ("one", "two", "three"):
            push(case, "p/app", tag, os.urandom(30_000))
        old, _ = push(case, "p/app", "moving", os.urandom(30_000))
        push(case, "p/app", "moving", os.urandom(30_000))
        full = stored_bytes(server)
        time.sleep(LEASE_SECONDS + 0.5)
        collect(server.data)
        equal(stored_bytes(server), full, "bytes while everything is referred to")

        server.api("DELETE", f"{ARTIFACTS}/one")
        planned = lines(collect(server.data, "--dry-run"), "eligible for deletion: ")
        equal(stored_bytes(server), full, "bytes after a dry run")
        removed = lines(collect(server.data), "delete blob from storage: ")
        check(removed and removed <= planned, f"{removed} of {planned}")
        check(stored_bytes(server) < full, "bytes after a deletion")

        before = stored_bytes(server)
        parameters = run_by_rest(server, delete_untagged=True)
        check(parameters["purged_artifacts"] == 1 and parameters["freed_space"] >= 30_000, parameters)
        check(stored_bytes(server) < before, "bytes after untagged artifacts went")
        case.manifest("p/app", old, expected=404)

        server.api("DELETE", f"{ARTIFACTS}/two")
        before = stored_bytes(server)
        server.stop()
        collect(server.data)
        check(stored_bytes(server) < before, "bytes after a run without a server")
        server.start()
        case.manifest("p/app", "kept")
        equal(case.manifest("p/app", "kept")[1]["Docker-Content-Digest"], kept, "what was kept")
        case.manifest("p/app", "three")


def collect(data, *arguments):
    return roadstead(data, "gc", *arguments, "--gc-grace", "0", "--registry-lease", str(LEASE_SECONDS))


def lines(text, beginning):
    return {line.rpartition(beginning)[2] for line in text.splitlines() if beginning in line}


def run_by_rest(server, **parameters):
    location = server.api("POST", "/system/gc/schedule", {"schedule": {"type": "Manual"}, "parameters": parameters})["Location"]
    path = location.removeprefix("/api/v2.0")
    deadline = time.monotonic() + 30
    run = server.api("GET", path)
    while run["job_status"] in ("Pending", "Running"):
        check(time.monotonic() < deadline, "the run does not end")
        time.sleep(0.05)
        run = server.api("GET", path)
    equal(run["job_status"], "Success", run)
    status, _, log = server.request("GET", "/api/v2.0" + path + "/log")
    check(status == 200 and b"delete untagged artifact" in log, log)
    return json.loads(run["job_parameters"])


def stored_bytes(server):
    """In files: the database keeps what it frees for itself."""
    store = server.backend.store
    return sum(os.path.getsize(store.path(key)) for key in store.keys())
