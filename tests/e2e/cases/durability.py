"""kill -9 in the middle of pushes: what was acknowledged is there, whole; what was not is absent or whole."""
import hashlib
import json
import os
import random
import threading
import time

from harness import OCI_MANIFEST, equal, started

ROUNDS = 4
WRITERS = 4


def main():
    with started() as case:
        case.project("crash")
        acknowledged = {}
        for number in range(ROUNDS):
            lock, stop = threading.Lock(), threading.Event()
            writers = [threading.Thread(target=write, args=(case, f"{number}-{writer}", acknowledged, lock, stop))
                       for writer in range(WRITERS)]
            for writer in writers:
                writer.start()
            before = len(acknowledged)
            while len(acknowledged) < before + 10:  # Something has to be at stake.
                time.sleep(0.01)
            time.sleep(random.random() / 5)
            case.server.kill()
            stop.set()
            for writer in writers:
                writer.join()
            case.server.start()
            for tag, digest in acknowledged.items():
                verify(case, tag, digest)
            for tag in case.tags("crash/image"):
                verify(case, tag, acknowledged.get(tag))
            print(f"round {number}: {len(acknowledged)} pushes acknowledged, all whole")


def write(case, name, acknowledged, lock, stop):
    count = 0
    while not stop.is_set():
        tag = f"{name}-{count}"
        count += 1
        try:
            digest = push(case, tag)
        except (OSError, AssertionError):
            continue  # The server was killed under this push.
        with lock:
            acknowledged[tag] = digest


def push(case, tag):
    config = json.dumps({"os": "linux", "tag": tag}).encode()
    layer = os.urandom(20_000)
    descriptors = []
    for data, kind in ((config, "application/vnd.oci.image.config.v1+json"),
                       (layer, "application/vnd.oci.image.layer.v1.tar+gzip")):
        descriptors.append({"mediaType": kind, "digest": case.push_blob("crash/image", data), "size": len(data)})
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptors[0],
                           "layers": descriptors[1:]}).encode()
    status, _, body = case.admin.request("PUT", f"/v2/crash/image/manifests/{tag}", manifest,
                                         headers={"Content-Type": OCI_MANIFEST})
    equal(status, 201, f"PUT of a manifest {body[:200]!r}")
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def verify(case, tag, digest):
    manifest, headers = case.manifest("crash/image", tag)
    if digest is not None:
        equal(headers["Docker-Content-Digest"], digest, tag)
    for part in [manifest["config"], *manifest["layers"]]:
        if not case.blob_matches("crash/image", part["digest"]):
            raise AssertionError(f"{tag}: {part['digest']} is not whole")
