"""A layer of 2 GiB goes through in both directions and does not move the server's memory."""
import hashlib
import os

from harness import check, equal, started

SIZE = 2 << 30
MEMORY_MAX = 200 << 20


def main():
    with started() as case:
        case.project("large")
        user = case.admin
        user.login("oras", "crane")
        path = case.scratch.path("big/layer.bin")
        with open(path, "wb") as file:  # Sparse: what matters is that the bytes travel.
            file.truncate(SIZE)
            for offset in range(0, SIZE, SIZE // 16):
                file.seek(offset)
                file.write(os.urandom(4096))
        case.server.request("GET", "/api/v2.0/health")
        before = case.server.rss_bytes()
        reference = f"{case.host}/large/thing:1"
        user.run("oras", "push", "--plain-http", "--disable-path-validation", reference, path)
        grown = case.server.peak_rss_bytes()
        print(f"memory: {before >> 20} MiB before, at most {grown >> 20} MiB")
        check(grown < MEMORY_MAX, f"memory grew to {grown >> 20} MiB")

        manifest, _ = case.manifest("large/thing", "1")
        layer = manifest["layers"][0]
        equal(layer["size"], SIZE, "size")
        status, _, tail = user.request("GET", f"/v2/large/thing/blobs/{layer['digest']}",
                                       headers={"Range": f"bytes={SIZE - 4096}-"})
        equal((status, len(tail)), (206, 4096), "the last bytes")
        os.remove(path)
        fetched = case.scratch.path("fetched.bin")
        user.run("oras", "blob", "fetch", "--plain-http", "--output", fetched, f"{case.host}/large/thing@{layer['digest']}")
        with open(fetched, "rb") as file:
            equal("sha256:" + hashlib.file_digest(file, "sha256").hexdigest(), layer["digest"], "fetched")
        check(case.server.peak_rss_bytes() < MEMORY_MAX, "memory after the download")
