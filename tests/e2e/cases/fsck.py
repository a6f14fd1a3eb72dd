"""Checking and repairing a store: beside a running load, after bit flips and truncations, with and without a server."""
import hashlib
import json
import os
import subprocess
import threading
import time

from harness import OCI_MANIFEST, check, equal, started
from server import program_environment

NO_SCRUBBER = {"ROADSTEAD_SCRUB_BYTES_PER_SECOND": "0"}
EAGER_SCRUBBER = {"ROADSTEAD_SCRUB_BYTES_PER_SECOND": "64MiB", "ROADSTEAD_SCRUB_INTERVAL": "0s"}
REPOSITORY = "store/image"


def fsck(case, *arguments, status=0):
    """The report of `roadstead fsck`; insists on its exit code."""
    done = subprocess.run([case.server.binary, "fsck", "--data-dir", case.server.data, "--json", *arguments],
                          env=program_environment(case.server.data), capture_output=True, text=True, timeout=300,
                          check=False)
    equal(done.returncode, status, f"fsck {arguments}: {done.stdout[-2000:]}{done.stderr[-1000:]}; exit code")
    return json.loads(done.stdout) if done.stdout else None


def push(case, tag, layer):
    config = json.dumps({"os": "linux", "tag": tag}).encode()
    parts = [{"mediaType": kind, "digest": case.push_blob(REPOSITORY, data), "size": len(data)}
             for data, kind in ((config, "application/vnd.oci.image.config.v1+json"),
                                (layer, "application/vnd.oci.image.layer.v1.tar+gzip"))]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": parts[0],
                           "layers": parts[1:]}).encode()
    status, _, body = case.admin.request("PUT", f"/v2/{REPOSITORY}/manifests/{tag}", manifest,
                                         headers={"Content-Type": OCI_MANIFEST})
    equal(status, 201, f"PUT of a manifest {body[:200]!r}")


def blob(case, digest, method="GET"):
    status, _, body = case.admin.request(method, f"/v2/{REPOSITORY}/blobs/{digest}")
    return status, body


def code(body):
    return json.loads(body)["errors"][0]["code"]


def flip(path):
    with open(path, "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))


def while_pushing(case):
    stop, failures = threading.Event(), []

    def work(name):
        count = 0
        while not stop.is_set():
            try:
                push(case, f"{name}-{count % 5}", os.urandom(20_000))
            except (OSError, AssertionError) as error:
                failures.append(error)
                return
            count += 1

    writers = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(4):
        equal(fsck(case, "--repair", "--deep")["found"], 0, "findings beside a load")
    stop.set()
    for writer in writers:
        writer.join()
    check(not failures, f"pushes failed beside a check: {failures[:1]}")
    check(fsck(case, "--deep")["blobs"] > 10, "blobs looked at")


def flipped(case, layer, digest):
    flip(case.server.backend.file_of(digest))
    fsck(case)  # Not without reading.
    report = fsck(case, "--deep", status=1)
    equal([(f["kind"], f["object"]) for f in report["findings"]], [("blob_corrupt", digest)], "findings")
    fsck(case, "--deep", "--repair", status=1)
    status, body = blob(case, digest)
    equal((status, code(body)), (404, "BLOB_UNKNOWN"), "a damaged blob")
    equal(blob(case, digest, "HEAD")[0], 404, "HEAD of a damaged blob")
    case.push_blob(REPOSITORY, layer)
    check(case.blob_matches(REPOSITORY, digest), "a push did not heal the blob")
    fsck(case, "--deep")


def truncated(case, layer, digest):
    os.truncate(case.server.backend.file_of(digest), 100)
    status, body = blob(case, digest)
    equal((status, code(body)), (500, "UNKNOWN"), "a truncated blob")
    equal(fsck(case, "--repair", status=1)["kinds"], {"blob_size": {"found": 1, "repaired": 0}}, "kinds")
    equal(blob(case, digest)[0], 404, "a blob that is known to be truncated")
    case.push_blob(REPOSITORY, layer)
    check(case.blob_matches(REPOSITORY, digest), "a push did not heal the blob")
    fsck(case, "--deep")


def leaked(case):
    data = os.urandom(20_000)
    store = case.server.backend.store
    path = store.path(store.free_key())
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    equal(list(fsck(case, status=1)["kinds"]), ["leaked_file"], "kinds")
    fsck(case, "--repair", status=3)
    fsck(case)


def scrubbed(case, layer, digest):
    flip(case.server.backend.file_of(digest))
    deadline = time.monotonic() + 60
    while blob(case, digest, "HEAD")[0] != 404:
        check(time.monotonic() < deadline, "the scrubber did not find a flipped bit")
        time.sleep(0.05)
    equal(code(blob(case, digest)[1]), "BLOB_UNKNOWN", "a blob that the scrubber found damaged")
    case.push_blob(REPOSITORY, layer)
    check(case.blob_matches(REPOSITORY, digest), "a push did not heal the blob")
    _, _, metrics = case.admin.request("GET", "/metrics")
    for name in (b"roadstead_scrub_bytes_total", b"roadstead_scrub_damaged_total 1",
                 b"roadstead_scrub_oldest_age_seconds"):
        check(name in metrics, f"{name} is not in the metrics")


def main():
    with started(environment=NO_SCRUBBER) as case:
        case.project("store")
        while_pushing(case)
        layer = os.urandom(50_000)
        push(case, "v1", layer)
        digest = "sha256:" + hashlib.sha256(layer).hexdigest()
        flipped(case, layer, digest)
        truncated(case, layer, digest)
        fsck(case, "--no-such-option", status=2)
        case.server.stop()
        leaked(case)
        os.truncate(case.server.backend.file_of(digest), 100)
        fsck(case, "--repair", status=1)
        case.server.environment = EAGER_SCRUBBER
        case.server.start()
        equal(blob(case, digest)[0], 404, "a blob that was marked without a server")
        case.push_blob(REPOSITORY, layer)
        scrubbed(case, layer, digest)
        case.server.stop()
        fsck(case, "--deep")
        case.server.data += "-none"
        fsck(case, status=4)
        check(not os.path.exists(case.server.data), "a check made a data directory")
