"""Blobs in a real object store, versitygw or, where ROADSTEAD_TEST_STORAGE says so, Swift: real clients, uploads that outlive
kill -9, collection, redirects, the cache."""
import contextlib
import hashlib
import http.client
import os
import re
import signal
import time
import urllib.parse

from cases.backup import roadstead
from cases.resume import basic
from harness import Scratch, Skip, check, equal, started

import versitygw
from backends import storage_kind, swift_server
from service import NotInstalled

MIB = 1 << 20
LEASE_SECONDS = 1


def main():
    with running_gateway() as gateway:
        pushes_and_pulls(gateway)
        uploads(gateway)
        collection(gateway)
        redirects(gateway)
        cache(gateway)


@contextlib.contextmanager
def running_gateway():
    if storage_kind() == "swift":
        try:
            gateway = swift_server()
        except NotInstalled as reason:
            raise Skip(reason) from None
        gateway.create_bucket(versitygw.BUCKET)
        yield gateway
        return
    if versitygw.find() is None:
        raise Skip("versitygw is neither built (tests/e2e/clients) nor installed")
    scratch = Scratch()
    try:
        with versitygw.Versitygw(scratch.path("gateway")) as gateway:
            yield gateway
    finally:
        scratch.remove()


def served(gateway, prefix, parameters=None, **more):
    return started(environment={"ROADSTEAD_STORAGE_URL": gateway.storage_url(prefix, **(parameters or {})),
                                **gateway.environment, **more})


def image(case, size=20 * MIB, tag="image"):
    """A layout with one image of a large layer and a small one."""
    layout = case.layout("layout-" + tag)
    descriptor, _ = layout.image([{"large": os.urandom(size)}, {"small": os.urandom(100_000)}], salt=tag)
    layout.tag(descriptor, tag)
    return layout


def pushes_and_pulls(gateway):
    with served(gateway, "pushes") as case:
        case.project("p")
        user = case.admin
        user.login("skopeo", "crane")
        layout = image(case)
        user.skopeo_copy(f"oci:{layout.folder}:image", f"docker://{case.host}/p/app:1")
        target = case.scratch.path("pulled")
        user.skopeo_copy(f"docker://{case.host}/p/app:1", f"oci:{target}:image")
        user.run("crane", "validate", "--remote", f"{case.host}/p/app:1")
        equal(len(gateway.objects(prefix="pushes")), 2, "objects")
        check(not os.path.exists(os.path.join(case.server.data, "storage")), "nothing is stored here")
        # The same content again, by a client that does not ask whether it is there: one object stays.
        data = os.urandom(6 * MIB)
        case.push_blob("p/app", data)
        case.push_blob("p/other", data)
        equal(len(gateway.objects(prefix="pushes")), 4, "both uploads before the collector")
        roadstead(case.server.data, "gc", "--gc-grace", "0")
        equal(len(gateway.objects(prefix="pushes")), 3, "the loser of two equal uploads goes")
        check(case.blob_matches("p/other", digest_of(data)), "the other stays")
        ranges(case, data)
        check(re.search(r'roadstead_s3_requests_total\{operation="put",outcome="done"\} [1-9]', metrics(case)),
              "requests are counted")
        print(roadstead(case.server.data, "fsck", "--deep"))


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def metrics(case):
    status, _, text = case.admin.request("GET", "/metrics")
    equal(status, 200, "metrics")
    return text.decode()


def ranges(case, data):
    path = f"/v2/p/app/blobs/{digest_of(data)}"
    status, headers, body = case.admin.request("GET", path, headers={"Range": "bytes=5000000-5000099"})
    equal((status, body), (206, data[5_000_000:5_000_100]), "a range")
    equal(headers["Content-Range"], f"bytes 5000000-5000099/{len(data)}", "Content-Range")
    status, headers, _ = case.admin.request("HEAD", path)
    equal((status, headers["Content-Length"]), (200, str(len(data))), "HEAD")
    equal(case.admin.request("GET", path, headers={"Range": "bytes=99999999-"})[0], 416, "a range behind the end")


def uploads(gateway):
    """Chunks of all kinds of sizes; what was acknowledged survives kill -9."""
    with served(gateway, "uploads") as case:
        case.project("p")
        data = os.urandom(30 * MIB)
        location = begin(case)
        at = 0
        for end in (1000, 3 * MIB, 9 * MIB, 9 * MIB + 1, 22 * MIB):
            status, headers, _ = case.admin.request("PATCH", location, data[at:end], headers={
                "Content-Type": "application/octet-stream", "Content-Range": f"{at}-{end - 1}"})
            equal(status, 202, f"the chunk up to {end}")
            location, at = headers["Location"], end
            if end in (3 * MIB, 9 * MIB + 1):
                case.server.stop(signal.SIGKILL)
                case.server.start()
        half_sent(case, location, at)
        case.server.stop(signal.SIGKILL)
        case.server.start()
        status, headers, _ = case.admin.request("GET", location)
        equal((status, headers["Range"]), (204, f"0-{at - 1}"), "where it stands")
        status, _, body = case.admin.request(
            "PUT", headers["Location"] + ("&" if "?" in headers["Location"] else "?") + "digest=" + digest_of(data),
            data[at:], headers={"Content-Type": "application/octet-stream"})
        equal(status, 201, f"closing PUT {body[:200]!r}")
        check(case.blob_matches("p/app", digest_of(data)), "the blob is whole")
        equal(gateway.objects("uploads", "uploads"), [], "what checkpoints left")
        equal(len(gateway.objects(prefix="uploads")), 1, "objects")


def begin(case):
    status, headers, _ = case.admin.request("POST", "/v2/p/app/blobs/uploads/")
    equal(status, 202, "POST")
    return headers["Location"]


def half_sent(case, location, at):
    """A request that is still sending when the server dies."""
    parts = urllib.parse.urlsplit(location if location.startswith("http") else case.server.url + location)
    connection = http.client.HTTPConnection(case.host, timeout=60)
    connection.putrequest("PATCH", parts.path + ("?" + parts.query if parts.query else ""))
    connection.putheader("Authorization", basic())
    connection.putheader("Content-Range", f"{at}-{30 * MIB - 1}")
    connection.putheader("Content-Length", str(30 * MIB - at))
    connection.endheaders()
    connection.send(os.urandom(6 * MIB))
    connection.close()


def collection(gateway):
    with served(gateway, "collection", ROADSTEAD_GC_GRACE_SECONDS="0", ROADSTEAD_GC_INTERVAL_SECONDS="0",
                ROADSTEAD_LEASE_SECONDS=str(LEASE_SECONDS)) as case:
        case.project("p")
        user = case.admin
        user.login("skopeo")
        for tag in ("keep", "drop"):
            layout = image(case, 2 * MIB, tag)
            user.skopeo_copy(f"oci:{layout.folder}:{tag}", f"docker://{case.host}/p/app:{tag}")
        equal(len(gateway.objects(prefix="collection")), 4, "objects of two images")
        case.server.api("DELETE", "/projects/p/repositories/app/artifacts/drop")
        time.sleep(LEASE_SECONDS + 0.5)
        roadstead(case.server.data, "gc", "--gc-grace", "0", "--registry-lease", str(LEASE_SECONDS))
        equal(len(gateway.objects(prefix="collection")), 2, "objects after the collection")
        user.skopeo_copy(f"docker://{case.host}/p/app:keep", f"oci:{case.scratch.path('kept')}:image")


def redirects(gateway):
    # By another name than the registry's: clients send their token along to the same host, whatever its port.
    public = f"http://localhost:{gateway.port}"
    with served(gateway, "redirects", {"public_endpoint": public}, ROADSTEAD_STORAGE_REDIRECT="size", ROADSTEAD_STORAGE_REDIRECT_MIN_SIZE="1MiB",
                ROADSTEAD_STORAGE_REDIRECT_EXCEPT_AGENTS="cannot-follow") as case:
        case.project("p")
        user = case.admin
        user.login("skopeo", "crane")
        layout = image(case, 3 * MIB)
        user.skopeo_copy(f"oci:{layout.folder}:image", f"docker://{case.host}/p/app:1")
        manifest, _ = case.manifest("p/app", "1")
        large, small = (layer["digest"] for layer in manifest["layers"])
        status, location = raw_get(case, f"/v2/p/app/blobs/{large}", "any")
        equal(status, 307, "a large blob")
        check(location.startswith(public + "/") and "X-Amz-Signature" in location, "it is at the store")
        equal(raw_get(case, f"/v2/p/app/blobs/{large}", "cannot-follow/1.0")[0], 200, "a client that cannot follow")
        equal(raw_get(case, f"/v2/p/app/blobs/{small}", "any")[0], 200, "a small blob")
        host = urllib.parse.urlsplit(location)
        connection = http.client.HTTPConnection(host.netloc, timeout=60)
        connection.request("GET", f"{host.path}?{host.query}")
        answer = connection.getresponse()
        body = answer.read()
        equal((answer.status, digest_of(body)), (200, large), "what is there")
        user.skopeo_copy(f"docker://{case.host}/p/app:1", f"oci:{case.scratch.path('pulled')}:image")
        user.run("crane", "validate", "--remote", f"{case.host}/p/app:1")
        with open(case.server.log_path, encoding="utf-8", errors="replace") as log:
            text = log.read()
    for secret in (gateway.secret_key, "X-Amz-Signature"):
        check(secret not in text, f"{secret} is in the log")
    check(gateway.secret_key not in location, "the secret stays here")


def raw_get(case, path, agent):
    connection = http.client.HTTPConnection(case.host, timeout=60)
    connection.request("GET", path, headers={"Authorization": basic(), "User-Agent": agent})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["Location"] or ""


def cache(gateway):
    with served(gateway, "cache", ROADSTEAD_STORAGE_CACHE_SIZE="64MiB") as case:
        case.project("p")
        data = os.urandom(8 * MIB)
        case.push_blob("p/app", data)
        for _ in range(4):
            check(case.blob_matches("p/app", digest_of(data)), "the blob")
        text = metrics(case)
        check(re.search(r'roadstead_cache_reads_total\{from="store"\} 1\b', text), text)
        check(re.search(r'roadstead_cache_reads_total\{from="copy"\} [1-9]', text), text)
        name = "sha256-" + hashlib.sha256(data).hexdigest()
        copy = os.path.join(case.server.data, "cache", name)
        equal(os.path.getsize(copy), len(data), "the copy")
        case.server.stop(signal.SIGKILL)
        case.server.start()
        gateway.stop()  # What is here needs no store, as long as nobody starts or pushes.
        try:
            check(case.blob_matches("p/app", digest_of(data)), "a copy after kill -9, without the store")
        finally:
            gateway.start()
        equal(sorted(os.listdir(os.path.join(case.server.data, "cache"))), sorted(["lock", name]), "files")
