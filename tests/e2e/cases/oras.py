"""oras: an SBOM attached to an image is discovered, pulled, copied along and deleted."""
import json

from harness import check, equal, started

SBOM = "application/vnd.example.sbom.v1"


def main():
    with started() as case:
        case.project("artifacts")
        user = case.admin
        user.login("oras", "crane")
        image = f"{case.host}/artifacts/app:1"
        case.scratch.write("app.txt", "the application\n")
        case.scratch.write("sbom.json", json.dumps({"spdxVersion": "SPDX-2.3", "packages": []}))
        user.run("oras", "push", "--plain-http", image, "app.txt:text/plain")
        user.run("oras", "attach", "--plain-http", "--artifact-type", SBOM, "--annotation", "org.example.by=test",
                 image, "sbom.json:application/spdx+json")

        check(SBOM in user.run("oras", "discover", "--plain-http", image), "the SBOM is discovered")
        found = json.loads(user.run("oras", "discover", "--plain-http", "--format", "json", "--artifact-type", SBOM, image))
        referrers = found.get("referrers") or found.get("manifests")
        equal(len(referrers), 1, "referrers")
        equal(referrers[0]["artifactType"], SBOM, "artifact type")
        equal(referrers[0]["annotations"]["org.example.by"], "test", "annotation")
        equal(case.tags("artifacts/app"), ["1"], "tags: no fallback tag was written")

        user.run("oras", "pull", "--plain-http", "-o", case.scratch.path("pulled"),
                 f"{case.host}/artifacts/app@{referrers[0]['digest']}")
        user.run("oras", "cp", "-r", "--from-plain-http", "--to-plain-http", image, f"{case.host}/artifacts/copy:1")
        check(SBOM in user.run("oras", "discover", "--plain-http", f"{case.host}/artifacts/copy:1"), "copied along")

        user.run("oras", "manifest", "delete", "--plain-http", "-f", f"{case.host}/artifacts/app@{referrers[0]['digest']}")
        check(SBOM not in user.run("oras", "discover", "--plain-http", image), "deleted")
        user.run("oras", "repo", "tags", "--plain-http", f"{case.host}/artifacts/app")
        check("artifacts/copy" in user.run("oras", "repo", "ls", "--plain-http", case.host), "listed")
