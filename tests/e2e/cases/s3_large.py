"""A blob of 5 GiB and a byte, which no single PUT of S3 may be, goes into an object store and back within bounded memory."""
import hashlib
import http.client
import os
import shutil
import urllib.parse

from cases.resume import basic
from harness import Scratch, Skip, check, equal, started

import versitygw

SIZE = (5 << 30) + 1
PIECE = 4 << 20
MEMORY_MAX = 400 << 20  # The parts in flight and what surrounds them.
ROOM = 3 * SIZE


def main():
    if versitygw.find() is None:
        raise Skip("versitygw is neither built (tests/e2e/clients) nor installed")
    scratch = Scratch()
    try:
        if shutil.disk_usage(scratch.folder).free < ROOM:
            raise Skip(f"needs {ROOM >> 30} GiB on disk")
        with versitygw.Versitygw(scratch.path("gateway")) as gateway:
            environment = {"ROADSTEAD_STORAGE_URL": gateway.storage_url("large"), **gateway.environment}
            with started(environment=environment) as case:
                case.project("p")
                there_and_back(case, gateway)
    finally:
        scratch.remove()


def pieces():
    """Different everywhere, and the same each time."""
    seed = os.urandom(PIECE)
    number, left = 0, SIZE
    while left:
        piece = (number.to_bytes(8, "big") + seed[8:])[:left]
        yield piece
        number, left = number + 1, left - len(piece)


def there_and_back(case, gateway):
    status, headers, _ = case.admin.request("POST", "/v2/p/large/blobs/uploads/")
    equal(status, 202, "POST")
    location = urllib.parse.urlsplit(headers["Location"])
    sha256 = hashlib.sha256()
    connection = http.client.HTTPConnection(case.host, timeout=600)
    connection.putrequest("PATCH", location.path)
    connection.putheader("Authorization", basic())
    connection.putheader("Content-Type", "application/octet-stream")
    connection.putheader("Content-Length", str(SIZE))
    connection.endheaders()
    for piece in pieces():
        sha256.update(piece)
        connection.send(piece)
    answer = connection.getresponse()
    answer.read()
    equal(answer.status, 202, "PATCH")
    digest = "sha256:" + sha256.hexdigest()
    status, _, body = case.admin.request("PUT", f"{answer.headers['Location']}?digest={digest}", b"")
    equal(status, 201, f"closing PUT {body[:200]!r}")
    equal(len(gateway.objects(prefix="large")), 1, "objects")
    print(f"memory after the upload: at most {case.server.peak_rss_bytes() >> 20} MiB")

    connection = http.client.HTTPConnection(case.host, timeout=600)
    connection.request("GET", f"/v2/p/large/blobs/{digest}", headers={"Authorization": basic()})
    answer = connection.getresponse()
    equal((answer.status, answer.headers["Content-Length"]), (200, str(SIZE)), "GET")
    back = hashlib.sha256()
    while piece := answer.read(PIECE):
        back.update(piece)
    equal("sha256:" + back.hexdigest(), digest, "what came back")
    peak = case.server.peak_rss_bytes()
    print(f"memory after the download: at most {peak >> 20} MiB")
    check(peak < MEMORY_MAX, f"memory grew to {peak >> 20} MiB")
