"""What an attacker sends first: climbing paths, smuggled requests, endless headers, slow ones, name guessing."""
import json
import os
import socket
import time

from cases.resume import basic
from harness import check, equal, started


def exchange(case, data, wait=10.0):
    """Sends raw bytes on a connection of its own; returns what comes back until the server closes or pauses."""
    host, port = case.host.split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        received = b""
        try:
            connection.sendall(data)
            while piece := connection.recv(65536):
                received += piece
        except (TimeoutError, ConnectionError):
            pass
        return received


def request(case, line, *headers, body=b""):
    head = "\r\n".join([line, f"Host: {case.host}", f"Authorization: {basic()}", "Connection: close", *headers])
    return exchange(case, head.encode("latin-1") + b"\r\n\r\n" + body)


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def main():
    with started({"ROADSTEAD_LIMITS_HEADER_TIME": "1s"}) as case:
        case.project("safe")
        digest = case.push_blob("safe/image", b"something of value")
        climbing(case)
        smuggling(case, digest)
        oversized(case)
        slow(case)
        guessing(case)
        equal(case.admin.request("GET", f"/v2/safe/image/blobs/{digest}")[0], 200, "after all that")


def climbing(case):
    outside = case.scratch.write("server/outside.txt", "never served")
    for path in ("/v2/../../../../etc/passwd", "/v2/safe/image/blobs/../../../../../etc/passwd",
                 "/v2/safe/image/blobs/sha256:..%2f..%2f..%2foutside.txt", "/v2/safe/%2e%2e/%2e%2e/blobs/x",
                 "/v2/safe/image/blobs/uploads/..%2f..%2f..%2foutside.txt", "/v2/safe/image/manifests/..",
                 "/v2/safe/image/manifests/%00", "/v2/safe/image%00/manifests/x", "/..", "//v2//safe//image",
                 "/v2/safe/image/blobs/sha256:" + "../" * 21 + "x", f"/v2/safe/image/blobs/{outside}"):
        for method in ("GET", "DELETE", "PUT"):
            answer = request(case, f"{method} {path} HTTP/1.1", "Content-Length: 0")
            check(status_of(answer) in (301, 400, 401, 404, 405), f"{method} {path}: {answer[:200]!r}")
            check(b"never served" not in answer and b"root:" not in answer, f"{method} {path} leaks")
    check(os.path.exists(outside), "nothing outside was touched")


def smuggling(case, digest):
    put = "PUT /v2/safe/image/manifests/x HTTP/1.1"
    inner = b"0\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
    for name, headers in {
            "both lengths": ("Content-Length: 5", "Transfer-Encoding: chunked"),
            "two lengths": ("Content-Length: 5", "Content-Length: 50"),
            "length list": ("Content-Length: 5, 50",),
            "signed length": ("Content-Length: +5",),
            "obscured coding": ("Transfer-Encoding: xchunked",),
            "coding twice": ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
            "space before colon": ("Content-Length : 5",),
            "folded header": ("X-Folded: a\r\n b",),
            "two hosts": ("Host: other",),
            "bare line feed": ("X-A: b\nX-C: d",)}.items():
        answer = request(case, put, *headers, body=inner)
        check(status_of(answer) in (400, 501), f"{name}: {answer[:100]!r}")
        equal(answer.count(b"HTTP/1.1 "), 1, f"answers to {name}")
    for name, body in {"bad chunk size": b"zz\r\nabc\r\n0\r\n\r\n", "huge chunk": b"ffffffffffffffffff\r\n",
                       "negative chunk": b"-5\r\nabcde\r\n", "no line end": b"3\r\nabcXX0\r\n\r\n"}.items():
        answer = request(case, put, "Transfer-Encoding: chunked", "Content-Type: application/json", body=body)
        check(status_of(answer) in (0, 400), f"{name}: {answer[:100]!r}")
    for line in ("GET /v2/ HTTP/1.1\r\nHost:", "GET  /v2/ HTTP/1.1", "GET /v2/ HTTP/9.9", "GET /v2/", "\x00\x01\x02", "G@T /v2/ HTTP/1.1"):
        answer = request(case, line)
        check(status_of(answer) != 200, f"{line!r}: {answer[:100]!r}")
    equal(case.admin.request("GET", f"/v2/safe/image/blobs/{digest}")[0], 200, "the blob")


def oversized(case):
    for headers in (["X-Long: " + "a" * 70_000], [f"X-{number}: b" for number in range(20_000)]):
        check(status_of(request(case, "GET /v2/ HTTP/1.1", *headers)) in (400, 431), "oversized header")
    check(status_of(request(case, "GET /v2/" + "a" * 70_000 + " HTTP/1.1")) in (400, 414, 431), "oversized target")
    answer = request(case, "PUT /api/v2.0/projects HTTP/1.1", "Content-Length: 99999999999999999999")
    check(status_of(answer) in (400, 413), f"absurd length: {answer[:100]!r}")
    answer = request(case, "POST /api/v2.0/projects HTTP/1.1", "Content-Type: application/json",
                     "Content-Length: 100000000")
    check(status_of(answer) == 413, f"oversized JSON: {answer[:100]!r}")
    deep = b"[" * 100_000
    answer = request(case, "POST /api/v2.0/projects HTTP/1.1", "Content-Type: application/json",
                     f"Content-Length: {len(deep)}", body=deep)
    check(status_of(answer) in (400, 413, 422), f"deep JSON: {answer[:100]!r}")


def slow(case):
    """A header that never ends is cut after its time; 200 such clients do not keep others out."""
    host, port = case.host.split(":")
    stalled = [socket.create_connection((host, int(port)), timeout=30) for _ in range(200)]
    try:
        for connection in stalled:
            connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        begin = time.monotonic()
        equal(case.admin.request("GET", "/v2/")[0], 200, "others are served")
        check(time.monotonic() - begin < 1, "others wait")
        for connection in stalled:
            received = b"x"
            while received:
                try:
                    received = connection.recv(4096)
                except ConnectionError:
                    break
        check(time.monotonic() - begin < 15, "slow headers are cut off")
    finally:
        for connection in stalled:
            connection.close()


def guessing(case):
    """Unknown users and wrong passwords look alike."""
    case.server.create_user("known")
    answers = set()
    for name in ("known", "unknown-one", "unknown-two"):
        status, headers, body = case.server.request("GET", "/v2/", user=name, password="Wrong12345word")
        answers.add((status, headers["WWW-Authenticate"], json.loads(body)["errors"][0]["code"]))
    equal(len(answers), 1, f"answers {answers}")
    check("Wrong12345word" not in case.server.log_tail(100_000), "a password in the log")
