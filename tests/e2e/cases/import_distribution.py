"""An old registry moves in: Roadstead serves what CNCF distribution stored, byte for byte, where it lies."""
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time

from backends import database_engine
from cases.backup import roadstead
from cases.export import ACCEPT, Distribution
from harness import OCI_MANIFEST, Scratch, Skip, check, equal, find_client, images, started
from server import find_binary, program_environment

# Whatever the collector may remove, it removes at once.
EAGER = {"ROADSTEAD_GC_GRACE_SECONDS": "0", "ROADSTEAD_GC_INTERVAL_SECONDS": "1", "ROADSTEAD_LEASE_SECONDS": "1"}
MANY = 300
KILLS_MAX = 200


def main():
    for binary in find_all():
        print("**", binary, flush=True)
        scratch = Scratch()
        try:
            moves_in(binary, scratch)
        finally:
            scratch.remove()


def find_all():
    binaries = [binary for binary in map(find, ("docker-registry", "distribution")) if binary]
    if not binaries:
        raise Skip("CNCF distribution is neither built (tests/e2e/clients) nor installed (docker-registry)")
    return binaries


def find(name):
    try:
        return find_client(name)
    except Skip:
        return None


def moves_in(binary, scratch):
    root = scratch.path("old", "x")[:-2]
    with Old(binary, scratch, root) as old:
        fill(old, scratch)
        recorded = record(old)
    files = files_below(root)
    started_before_the_import(scratch, root, files)
    killed_in_the_middle(scratch, root, recorded)
    environment = {**EAGER, "ROADSTEAD_STORAGE_URL": "file:" + root}
    with started(environment, scratch=sub(scratch, "running")) as case:
        in_a_running_server(case, root, recorded)
        lives_on(case, recorded)
    equal(set(files) - set(files_below(root)), set(), "files that are gone")
    copied(scratch, root, recorded)
    # And back: nothing was moved.
    with Old(binary, scratch, root) as old:
        again = record(old)
        equal({name: again.get(name) for name in recorded}, recorded, "what distribution serves afterwards")


class Old(Distribution):
    """The registry that moves."""

    def send(self, method, path, body=None, kind=None):
        url = path if path.startswith("http") else "http://" + self.host + path
        command = ["curl", "-sS", "-X", method, "-o", "/dev/null", "-D", "-", "--noproxy", "*", url]
        if body is not None:
            command += ["-H", "Content-Type: " + (kind or "application/octet-stream"), "--data-binary", "@-"]
        answer = subprocess.run(command, input=body, capture_output=True, check=True, timeout=60).stdout.decode()
        statuses = re.findall(r"^HTTP/\S+ (\d+)", answer, re.M)
        location = re.search(r"^Location: (\S+)", answer, re.M | re.I)
        return int(statuses[-1]), location[1] if location else None

    def blob(self, repository, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        status, location = self.send("POST", f"/v2/{repository}/blobs/uploads/")
        equal(status, 202, "POST of an upload")
        status, _ = self.send("PUT", location + ("&" if "?" in location else "?") + "digest=" + digest, data)
        equal(status, 201, "PUT of a blob")
        return {"digest": digest, "size": len(data)}

    def manifest(self, repository, reference, value):
        data = json.dumps(value).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        status, _ = self.send("PUT", f"/v2/{repository}/manifests/{reference or digest}", data, value["mediaType"])
        equal(status, 201, f"PUT of {repository}:{reference}")
        return {"mediaType": value["mediaType"], "digest": digest, "size": len(data)}


def fill(old, scratch, count=MANY):
    """By clients, and what they do not make by hand."""
    layout = images.Layout(scratch.path("layout"))
    layout.tag(layout.multi(), "multi")
    layout.tag(layout.image([{"etc/one": b"one" * 10_000}, {"etc/two": os.urandom(100_000)}])[0], "single")
    for target, tag, more in (("team/group/app", "multi", ["--all"]), ("team/group/app", "single", []),
                              ("busybox", "latest", ["--format", "v2s2"]), ("team/group", "v2s2", ["--format", "v2s2"])):
        source = "multi" if tag == "multi" else "single"
        done = subprocess.run(["skopeo", "copy", "--insecure-policy", "-q", *more, "--dest-tls-verify=false",
                               f"oci:{layout.folder}:{source}", f"docker://{old.host}/{target}:{tag}"],
                              capture_output=True, text=True, check=False, timeout=120)
        equal(done.returncode, 0, done.stderr)
    attach(old, "team/group/app", old.get("/v2/team/group/app/manifests/single")[2])
    many(old, count)


def attach(old, repository, manifest):
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", **old.blob(repository, b"{}")}
    layer = {"mediaType": "text/plain", **old.blob(repository, b"a signature, say")}
    subject = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + hashlib.sha256(manifest).hexdigest(),
               "size": len(manifest)}
    old.manifest(repository, "", {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": empty, "layers": [layer],
                                  "artifactType": "application/vnd.example.signature", "subject": subject})


def many(old, count):
    """So many that an import can be killed in the middle."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **old.blob("many/images", b'{"os":"linux"}')}
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", **old.blob("many/images", b"layer" * 100)}
    for number in [*range(count), "moved"]:
        tag = "v0" if number == "moved" else f"v{number}"
        old.manifest("many/images", tag, {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config,
                                          "layers": [layer], "annotations": {"number": str(number)}})


def record(old):
    """What its API answers: manifests by repository and tag, their digests, and digests of blobs."""
    answers = {}
    repositories = json.loads(old.get("/v2/_catalog?n=1000")[2])["repositories"]
    answers["catalog"] = sorted(repositories)
    for repository in repositories:
        tags = sorted(json.loads(old.get(f"/v2/{repository}/tags/list")[2])["tags"])
        answers[repository] = tags
        for tag in tags:
            remember(old, answers, repository, tag)
    return answers


def remember(old, answers, repository, reference):
    status, headers, body = old.get(f"/v2/{repository}/manifests/{reference}")
    equal(status, 200, f"{repository}:{reference}")
    answers[repository, reference] = (headers["Docker-Content-Digest"], headers["Content-Type"].split(";")[0], body)
    manifest = json.loads(body)
    for child in manifest.get("manifests", []):
        remember(old, answers, repository, child["digest"])
    for part in [manifest["config"], *manifest["layers"]] if "layers" in manifest else []:
        if (repository, part["digest"]) not in answers:
            status, _, blob = old.get(f"/v2/{repository}/blobs/{part['digest']}")
            equal(status, 200, part["digest"])
            answers[repository, part["digest"]] = hashlib.sha256(blob).hexdigest()


def target_of(repository):
    return repository if "/" in repository else "library/" + repository


def same(case, recorded):
    """Roadstead serves it all, byte for byte."""
    catalog = json.loads(case.admin.request("GET", "/v2/_catalog?n=1000")[2])["repositories"]
    equal(sorted(catalog), sorted(map(target_of, recorded["catalog"])), "catalog")
    for key, wanted in recorded.items():
        if key == "catalog":
            continue
        if isinstance(key, str):
            equal(sorted(case.tags(target_of(key))), wanted, f"tags of {key}")
            continue
        repository, reference = target_of(key[0]), key[1]
        if isinstance(wanted, str):
            status, _, body = case.admin.request("GET", f"/v2/{repository}/blobs/{reference}")
            equal((status, hashlib.sha256(body).hexdigest()), (200, wanted), f"{key}")
            continue
        status, headers, body = case.admin.request("GET", f"/v2/{repository}/manifests/{reference}",
                                                   headers={"Accept": ACCEPT})
        equal(status, 200, f"{key} {body[:200]!r}")
        equal((headers["Docker-Content-Digest"], headers["Content-Type"].split(";")[0], body), wanted, f"{key}")


def files_below(root):
    tree = os.path.join(root, "docker")
    return {os.path.join(folder, name): os.path.getsize(os.path.join(folder, name))
            for folder, _, names in os.walk(tree) for name in names}


def sub(scratch, name):
    own = Scratch.__new__(Scratch)
    own.folder = scratch.path(name, "x")[:-2]
    return own


def started_before_the_import(scratch, root, files):
    """A server that was killed looks for what it left behind: what lies here is not that."""
    environment = {**EAGER, "ROADSTEAD_STORAGE_URL": "file:" + root}
    with started(environment, scratch=sub(scratch, "early")) as case:
        for _ in range(2):
            time.sleep(3)
            case.server.kill()
            case.server.start()
        case.server.stop()  # Its own check of what was left behind would be in the way.
        roadstead(case.server.data, "fsck", "--repair", "--storage-url", "file:" + root)
        case.server.start()
        time.sleep(3)
    equal(files_below(root), files, "files of a registry that was not imported yet")


def killed_in_the_middle(scratch, root, recorded):
    environment = {"ROADSTEAD_STORAGE_URL": "file:" + root}
    with started(environment, scratch=sub(scratch, "killed")) as case:
        case.server.stop()
        command = [find_binary(), "import", "distribution", "--root", root, "--storage-url", "file:" + root,
                   "--data-dir", case.server.data]
        delay, text, seen = 0.02, None, set()
        for _ in range(KILLS_MAX):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                       env=program_environment(case.server.data, environment))
            try:
                text, _ = process.communicate(timeout=delay)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                seen.add(count_artifacts(case))
                delay += 0.004
        check(text is not None and process.returncode == 0, f"the import did not come to its end: {text}")
        print(sorted(seen), "artifacts after kills;", text, end="", flush=True)
        check(seen - {0, count_manifests(root)}, f"no import was killed in the middle: {seen}")
        new, present = map(int, re.search(r": (\d+) manifests.*new, (\d+) ", text).groups())
        equal(new + present, count_manifests(root), "manifests")
        case.server.start()
        same(case, recorded)


def count_artifacts(case):
    """In a copy of the file, as nobody but the program opens that."""
    if database_engine() != "sqlite":
        case.server.backend.database.settle()
        return int(case.server.rows("SELECT COUNT(*) FROM artifact")[0][0])
    copy = case.scratch.path("copy", "x")[:-2]
    for name in os.listdir(case.server.data):
        if name.startswith("roadstead.db"):
            shutil.copy(os.path.join(case.server.data, name), copy)
    with contextlib.closing(sqlite3.connect(os.path.join(copy, "roadstead.db"))) as database:
        count = database.execute("SELECT COUNT(*) FROM artifact").fetchone()[0]
    shutil.rmtree(copy)
    return count


def count_manifests(root):
    """Revisions of all repositories."""
    repositories = os.path.join(root, "docker/registry/v2/repositories")
    return sum("link" in names for folder, _, names in os.walk(repositories) if "/_manifests/revisions/" in folder)


def in_a_running_server(case, root, recorded):
    storage = ["--storage-url", "file:" + root]
    text = roadstead(case.server.data, "import", "distribution", "--root", root + "/..", *storage, expected=4)
    check("storage_url" in text, text)
    text = roadstead(case.server.data, "import", "distribution", "--root", root, "--verify", *storage)
    print(text, end="", flush=True)
    tags = sum(len(tags) for name, tags in recorded.items() if isinstance(name, str) and name != "catalog")
    check(f"imported {len(recorded['catalog'])} repositories: {count_manifests(root)} manifests and {tags} tags" in text,
          text)
    same(case, recorded)
    again = roadstead(case.server.data, "import", "distribution", "--root", root, *storage)
    check(": 0 manifests and 0 tags are new" in again and "\n0 blobs" in again, again)
    private_projects(case)
    found_by_subject(case, recorded)


def private_projects(case):
    status, _, body = case.admin.request("GET", "/api/v2.0/projects?page_size=100")
    equal(status, 200, "projects")
    projects = {project["name"]: project for project in json.loads(body)}
    equal(sorted(projects), ["library", "many", "team"], "projects")
    equal(projects["team"]["metadata"]["public"], "false", "a new project")
    equal(projects["team"]["owner_name"], "admin", "its owner")


def found_by_subject(case, recorded):
    single = recorded["team/group/app", "single"][0]
    status, _, body = case.admin.request("GET", f"/v2/team/group/app/referrers/{single}")
    equal([item["artifactType"] for item in json.loads(body)["manifests"]], ["application/vnd.example.signature"],
          "referrers")


def lives_on(case, recorded):
    """Collection, kill -9, checks and pushes do no harm."""
    case.admin.login("skopeo")
    time.sleep(3)
    case.server.kill()
    case.server.start()
    time.sleep(3)
    same(case, recorded)
    text = roadstead(case.server.data, "fsck", "--deep", *storage_of(case))
    print(text, end="", flush=True)
    layout = images.Layout(case.scratch.path("pushed"))
    layout.tag(layout.image([{"etc/one": b"one" * 10_000}, {"etc/new": os.urandom(50_000)}])[0], "new")
    case.admin.skopeo_copy(f"oci:{layout.folder}:new", f"docker://{case.host}/team/group/app:new")
    case.admin.skopeo_copy(f"docker://{case.host}/team/group/app:new", f"oci:{case.scratch.path('pulled')}:new")


def storage_of(case):
    return ["--storage-url", case.server.environment["ROADSTEAD_STORAGE_URL"]]


def copied(scratch, root, recorded):
    """Into a store of its own."""
    with started(scratch=sub(scratch, "copied")) as case:
        text = roadstead(case.server.data, "import", "distribution", "--root", root, expected=4)
        check("--copy" in text, text)
        case.server.stop()
        text = roadstead(case.server.data, "import", "distribution", "--root", root, "--copy")
        print(text, end="", flush=True)
        case.server.start()
        same(case, recorded)
