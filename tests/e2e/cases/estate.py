"""tools/make_estate: the same arguments make the same rows, and the program serves them as if it had been pushed to."""
import json
import os
import shutil
import sqlite3
import subprocess

from harness import check, equal, only_on, started

TOOL = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))),
                    "tools", "make_estate")
# More than one stretch of each counted list (2,048 entries), and numbers that do not divide evenly.
DEEP = ("--prefix", "deep", "--projects", "2", "--repositories", "2", "--artifacts", "5001", "--tags", "7003")
WIDE = ("--prefix", "wide", "--projects", "2500", "--repositories", "3001", "--public")
IMAGES = 5001 + 3001
PAGE = 100


def main():
    only_on("tools/make_estate", "sqlite")
    with started() as case:
        data = case.server.data
        refused = make(data, *DEEP, ok=False)
        check("stop the server" in refused, refused)
        case.server.stop()
        twin = case.scratch.path("twin")
        shutil.copytree(data, twin)
        for directory in (data, twin):
            make(directory, *DEEP)
            make(directory, *WIDE)
        check("choose another --prefix" in make(data, *DEEP, ok=False), "an estate is made once")
        compare(data, twin)
        case.server.start()
        pull(case)
        registry_lists(case)
        counted_lists(case)
        grow(case)


def make(directory, *arguments, ok=True):
    done = subprocess.run([TOOL, "--data-dir", directory, *arguments], capture_output=True, text=True, check=False)
    equal(done.returncode == 0, ok, f"make_estate {arguments}: {done.stderr}")
    return done.stderr


def compare(one, other):
    """Row by row, and the checks of the database itself."""
    left, right = (sqlite3.connect(os.path.join(directory, "roadstead.db")) for directory in (one, other))
    equal(left.execute("PRAGMA integrity_check").fetchone()[0], "ok", "integrity")
    equal(left.execute("PRAGMA foreign_key_check").fetchall(), [], "foreign keys")
    schema = "SELECT name, sql FROM sqlite_master ORDER BY name"
    equal(left.execute(schema).fetchall(), right.execute(schema).fetchall(), "tables and indexes")
    for table, in left.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        rows = f"SELECT * FROM {table}"
        check(sorted(map(repr, left.execute(rows))) == sorted(map(repr, right.execute(rows))), f"rows of {table}")
    equal(left.execute("SELECT COUNT(*) FROM artifact").fetchone()[0], IMAGES, "artifacts")
    left.close()
    right.close()


def pull(case):
    """By tag and digest, with all blobs; the digest is that of the bytes."""
    for repository, tag in (("deep-0000000/r0000000", "t0000000"), ("deep-0000001/r0000001", "t0003499"),
                            ("wide-0002499/r0003000", "t0000000")):
        manifest, headers = case.manifest(repository, tag)
        case.manifest(repository, headers["Docker-Content-Digest"])
        for part in (manifest["config"], *manifest["layers"]):
            check(case.blob_matches(repository, part["digest"]), f"blob of {repository}")


def registry_lists(case):
    equal(len(case.tags("deep-0000000/r0000000")) + len(case.tags("deep-0000001/r0000001")), 7003, "tags")
    equal(case.tags("wide-0000000/r0000001"), ["t0000000"], "tag of a small repository")
    _, headers, body = case.admin.request("GET", "/v2/_catalog?n=2&last=wide-0002498/r0002999")
    equal(json.loads(body)["repositories"], ["wide-0002499/r0003000"], "end of the catalog")
    check(headers["Link"] is None, "nothing follows")


def numbers(case, path, user=None):
    """(total, names or digests of all pages) as a client pages through a list."""
    rows, page = [], 1
    while True:
        status, headers, body = case.server.request("GET", f"/api/v2.0{path}?page={page}&page_size={PAGE}",
                                                    authenticated=user is None)
        equal(status, 200, path)
        rows += [row.get("digest") or row["name"] for row in json.loads(body)]
        if 'rel="next"' not in (headers["Link"] or ""):
            return int(headers["X-Total-Count"]), rows
        page += 1


def counted_lists(case):
    for path, count, user in (("/projects", 2 + 2500 + 1, None), ("/projects", 2500 + 1, "anonymous"),
                              ("/repositories", 2 + 3001, None),
                              ("/projects/deep-0000000/repositories/r0000000/artifacts", 2501, None),
                              ("/projects/deep-0000001/repositories/r0000001/artifacts", 2500, None)):
        total, rows = numbers(case, path, user)
        equal((total, len(rows), len(set(rows))), (count, count, count), f"{path} of {user}")
    equal(numbers(case, "/projects/wide-0000000/repositories")[1], ["wide-0000000/r0000001", "wide-0000000/r0000000"],
          "newest first")
    names = numbers(case, "/projects")[1]
    equal(names, sorted(names), "projects by name")


def grow(case):
    """What is pushed and deleted afterwards is counted on."""
    manifest, _ = case.manifest("deep-0000000/r0000000", "t0000000")
    manifest["annotations"] = {"estate": "new"}
    status, headers, _ = case.admin.request("PUT", "/v2/deep-0000000/r0000000/manifests/new", json.dumps(manifest).encode(),
                                            headers={"Content-Type": manifest["mediaType"]})
    equal(status, 201, "push into an estate")
    artifacts = "/projects/deep-0000000/repositories/r0000000/artifacts"
    total, rows = numbers(case, artifacts)
    equal((total, rows[0]), (2502, headers["Docker-Content-Digest"]), "the new one is the first")
    case.server.api("DELETE", f"{artifacts}/new")
    equal(numbers(case, artifacts)[0], 2501, "artifacts after the deletion")
    case.server.api("DELETE", "/projects/wide-0000000/repositories/r0000000")
    equal(numbers(case, "/projects/wide-0000000/repositories")[1], ["wide-0000000/r0000001"], "repositories of the project")
    equal(case.server.api("GET", "/projects/wide-0000000")["repo_count"], 1, "repo_count")
    equal(numbers(case, "/repositories")[0], 3002, "repositories after the deletion")
