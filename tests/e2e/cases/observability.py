"""Metrics that a Prometheus reads, and a log that a program reads, without a secret in either."""
import json
import re

from harness import PASSWORD, check, equal, started


def main():
    with started({"ROADSTEAD_LOG_FORMAT": "json", "ROADSTEAD_LOG_LEVEL": "debug"}) as case:
        case.project("seen")
        case.push_blob("seen/image", b"x" * 100_000)
        user = case.user("watcher")
        equal(user.request("GET", "/v2/")[0], 200, "signed in")
        equal(case.server.request("GET", "/v2/", headers={"X-Request-Id": "our-own-request-id"})[0], 200, "named request")
        token = json.loads(case.admin.request("GET", "/service/token?service=harbor-registry&scope=repository:seen/image:pull")[2])["token"]
        equal(case.server.request("GET", "/v2/seen/image/tags/list", authenticated=False,
                                  headers={"Authorization": "Bearer " + token})[0], 404, "with a token")
        metrics(case, user)
        case.server.stop()
        log(case, token)


def metrics(case, user):
    status, headers, body = case.admin.request("GET", "/metrics")
    equal(status, 200, "metrics")
    check(headers["Content-Type"].startswith("text/plain"), headers["Content-Type"])
    text = body.decode()
    for line in text.splitlines():
        check(line.startswith("#") or re.fullmatch(r'[a-z0-9_:]+(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? [0-9.eE+-]+|.*(NaN|Inf)', line), line)
    for name in ("roadstead_http_requests_total", "roadstead_http_request_duration_seconds_bucket", "process_resident_memory_bytes",
                 "process_open_fds", "roadstead_database_writes_total"):
        check(re.search(rf"^{name}[{{ ]", text, re.MULTILINE), f"{name} is missing")
    requests = {match[1]: int(float(match[2])) for match in
                re.finditer(r'^roadstead_http_requests_total\{([^}]*)\} (\S+)$', text, re.MULTILINE)}
    check(any('status="201"' in labels and count for labels, count in requests.items()), requests)
    check(all("seen" not in labels and "watcher" not in labels for labels in requests), "labels are bounded: no names of users")
    # From this machine anybody may look; behind a proxy only administrators.
    check(case.server.request("GET", "/metrics", authenticated=False)[0] == 200, "local clients")
    check(user.name == "watcher", user.name)


def log(case, token):
    with open(case.server.log_path, encoding="utf-8") as file:
        text = file.read()
    for secret in (PASSWORD, case.admin.password, token, "Pass12345word"):
        check(secret not in text, "a secret in the log")
    requests = []
    for line in text.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            check({"time", "level", "message"} <= entry.keys() or {"ts", "level", "msg"} <= entry.keys(), entry)
            if "route" in entry:
                requests.append(entry)
    check(requests, "there are access lines")
    check(all(entry.get("request_id") for entry in requests), "a request id on every line")
    check(any(entry["request_id"] == "our-own-request-id" for entry in requests), "the client's own request id")
    upload = next(entry for entry in requests if entry["method"] == "PUT" and entry["status"] == 201)
    equal(upload["bytes_in"], 100_000, "bytes of the upload")
    equal(upload["identity"], "user:admin", "identity")
