"""Uploads that are cut off, resumed, cancelled, and continued after the server was restarted or killed."""
import hashlib
import http.client
import os
import signal
import urllib.parse

from harness import check, equal, started

SIZE = 8 << 20


def main():
    with started() as case:
        case.project("resume")
        cut_off(case)
        cancelled(case)
        for how in (signal.SIGTERM, signal.SIGKILL):
            restarted(case, how)
        two_writers(case)


def begin(case):
    status, headers, _ = case.admin.request("POST", "/v2/resume/image/blobs/uploads/")
    equal(status, 202, "POST")
    return headers["Location"]


def patch(case, location, data, start=None):
    headers = {"Content-Type": "application/octet-stream"}
    if start is not None:
        headers["Content-Range"] = f"{start}-{start + len(data) - 1}"
    return case.admin.request("PATCH", location, data, headers=headers)


def where(case, location):
    """(bytes that arrived, location to go on with)"""
    status, headers, _ = case.admin.request("GET", location)
    equal(status, 204, "status of the upload")
    last = int(headers["Range"].split("-")[1])
    return (last + 1 if last else 0), headers["Location"]


def finish(case, location, digest, rest=b""):
    location += ("&" if "?" in location else "?") + "digest=" + digest
    status, _, body = case.admin.request("PUT", location, rest, headers={"Content-Type": "application/octet-stream"})
    equal(status, 201, f"closing PUT {body[:200]!r}")
    check(case.blob_matches("resume/image", digest), "the blob is whole")


def fresh():
    data = os.urandom(SIZE)
    return data, "sha256:" + hashlib.sha256(data).hexdigest()


def cut_off(case):
    """The connection breaks in the middle of a PATCH: the client asks where it stands, and goes on."""
    data, digest = fresh()
    location = begin(case)
    parts = urllib.parse.urlsplit(location if location.startswith("http") else case.server.url + location)
    connection = http.client.HTTPConnection(case.host, timeout=60)
    connection.putrequest("PATCH", parts.path + ("?" + parts.query if parts.query else ""))
    connection.putheader("Authorization", basic())
    connection.putheader("Content-Length", str(SIZE))
    connection.endheaders()
    connection.send(data[:SIZE // 2])
    connection.sock.close()
    connection.close()
    arrived, location = where(case, location)
    check(0 <= arrived <= SIZE // 2, f"{arrived} bytes arrived")
    status, headers, _ = patch(case, location, data[arrived:], arrived)
    equal(status, 202, "the rest")
    equal(headers["Range"], f"0-{SIZE - 1}", "Range")
    finish(case, headers["Location"], digest)


def cancelled(case):
    data, digest = fresh()
    location = begin(case)
    status, headers, _ = patch(case, location, data[:1000], 0)
    equal(status, 202, "a chunk")
    equal(case.admin.request("DELETE", headers["Location"])[0], 204, "cancel")
    equal(case.admin.request("GET", headers["Location"])[0], 404, "a cancelled upload")
    equal(case.admin.request("HEAD", f"/v2/resume/image/blobs/{digest}")[0], 404, "its blob")


def restarted(case, how):
    """What was acknowledged by a 202 is still there after a restart, even after kill -9."""
    data, digest = fresh()
    location = begin(case)
    status, headers, _ = patch(case, location, data[:SIZE // 2], 0)
    equal(status, 202, "the first half")
    location = headers["Location"]
    case.server.stop(how)
    case.server.start()
    arrived, location = where(case, location)
    equal(arrived, SIZE // 2, f"bytes after {how.name}")
    equal(patch(case, location, data[arrived + 5:], arrived + 5)[0], 416, "a gap is still noticed")
    finish(case, location, digest, data[arrived:])


def two_writers(case):
    """Two clients that write the same session cannot publish a mixture."""
    data, digest = fresh()
    other, _ = fresh()
    location = begin(case)
    status, headers, _ = patch(case, location, data[:1000], 0)
    equal(status, 202, "first writer")
    status, _, _ = patch(case, location, other[:1000], 0)
    check(status in (404, 416), f"second writer over the first: {status}")
    finish(case, headers["Location"], digest, data[1000:])


def basic():
    import base64
    from harness import PASSWORD
    return "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
