"""Nobody is locked in: CNCF distribution serves what `roadstead export` wrote, byte for byte."""
import hashlib
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

from cases.backup import push, roadstead
from harness import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Skip, check, equal, find_client, started

ACCEPT = ", ".join([OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST])
START_SECONDS = 30


def main():
    binary = find_distribution()
    with started() as case:
        case.project("p")
        digests = {tag: push(case, "p/group/app", tag, os.urandom(50_000))[0] for tag in ("v1", "v2", "gone")}
        index = put_index(case, "p/group/app", [digests["v1"], digests["v2"]])
        push(case, "p/other", "small", b"x")
        target = case.scratch.path("export", "x")[:-2]
        print(roadstead(case.server.data, "export", "--layout", "distribution", "--to", target))
        with Distribution(binary, case.scratch, target) as other:
            same(case, other, "p/group/app", ["gone", "multi", "v1", "v2"])
            same(case, other, "p/other", ["small"])
            equal(other.get("/v2/p/group/app/manifests/multi")[1]["Docker-Content-Digest"], index, "the index")

        # Tags move and go; the next export follows and copies what is new only.
        push(case, "p/group/app", "v1", b"another layer")
        case.server.api("DELETE", f"/projects/p/repositories/group%252Fapp/artifacts/{digests['gone']}")
        text = roadstead(case.server.data, "export", "--to", target, "--link")
        print(text)
        check(re.search("; (0 were copied now, 1|1 were copied now, 0) linked", text), text)
        with Distribution(binary, case.scratch, target) as other:
            same(case, other, "p/group/app", ["multi", "v1", "v2"])


def find_distribution():
    for name in ("distribution", "docker-registry"):
        try:
            return find_client(name)
        except Skip:
            pass
    raise Skip("CNCF distribution is neither built (tests/e2e/clients) nor installed (docker-registry)")


def put_index(case, repository, digests):
    manifests = []
    for digest in digests:
        _, _, body = case.admin.request("GET", f"/v2/{repository}/manifests/{digest}", headers={"Accept": ACCEPT})
        manifests.append({"mediaType": OCI_MANIFEST, "digest": digest, "size": len(body)})
    data = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()
    status, _, body = case.admin.request("PUT", f"/v2/{repository}/manifests/multi", data,
                                         headers={"Content-Type": OCI_INDEX})
    equal(status, 201, f"PUT of an index {body[:200]!r}")
    return "sha256:" + hashlib.sha256(data).hexdigest()


def same(case, other, repository, tags):
    """Both serve the same tags, manifests and blobs."""
    equal(sorted(case.tags(repository)), tags, "tags of Roadstead")
    equal(sorted(json.loads(other.get(f"/v2/{repository}/tags/list")[2])["tags"]), tags, "tags of distribution")
    for tag in tags:
        path = f"/v2/{repository}/manifests/{tag}"
        _, ours, body = case.admin.request("GET", path, headers={"Accept": ACCEPT})
        status, theirs, copy = other.get(path)
        equal(status, 200, path)
        equal(copy, body, path)
        equal(theirs["Docker-Content-Digest"], ours["Docker-Content-Digest"], path)
        manifest = json.loads(body)
        for part in [manifest["config"], *manifest["layers"]] if "layers" in manifest else []:
            status, _, blob = other.get(f"/v2/{repository}/blobs/{part['digest']}")
            equal(status, 200, part["digest"])
            equal("sha256:" + hashlib.sha256(blob).hexdigest(), part["digest"], "blob")


class Distribution:
    """The real one over an exported tree, or over `storage`; stopped by its process id."""

    def __init__(self, binary, scratch, root, storage=None):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % probe.getsockname()[1]
        config = {"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
                  "storage": {**(storage or {"filesystem": {"rootdirectory": root}}),
                              "maintenance": {"uploadpurging": {"enabled": False}}},
                  "http": {"addr": self.host, "secret": "e2e"}}
        self.command = [binary, "serve", scratch.write("distribution.yml", json.dumps(config))]  # JSON is YAML.
        self.process = None

    def __enter__(self):
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        environment.pop("AWS_CA_BUNDLE", None)  # Its S3 driver cannot bear it.
        self.process = subprocess.Popen(self.command, env=environment)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            check(self.process.poll() is None, "distribution ended")
            try:
                equal(self.get("/v2/")[0], 200, "GET /v2/ of distribution")
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise AssertionError("distribution does not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def get(self, path):
        request = urllib.request.Request("http://" + self.host + path, headers={"Accept": ACCEPT})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, answer.read()
