"""Without credentials: public projects can be pulled from, nothing else can be done."""
import hashlib
import json

from harness import User, check, equal, started


def main():
    with started() as case:
        case.project("open", public=True)
        case.project("closed")
        layout = case.layout()
        image, _ = layout.image([{"etc/one": b"1" * 3000}])
        layout.tag(image, "x")
        case.admin.login("skopeo")
        for project in ("open", "closed"):
            case.admin.skopeo_copy(f"oci:{layout.folder}:x", f"docker://{case.host}/{project}/image:1")

        nobody = User(case.scratch, case.server, "nobody", "none")
        nobody.skopeo_copy(f"docker://{case.host}/open/image:1", f"oci:{case.scratch.path('pulled')}:x")
        nobody.skopeo_copy(f"docker://{case.host}/closed/image:1", f"oci:{case.scratch.path('denied')}:x", ok=False)
        nobody.skopeo_copy(f"oci:{layout.folder}:x", f"docker://{case.host}/open/image:2", ok=False)
        equal(case.tags("open/image"), ["1"], "tags")
        nobody.run("crane", "digest", f"{case.host}/open/image:1")
        nobody.run("crane", "digest", f"{case.host}/closed/image:1", ok=False)
        nobody.run("crane", "ls", f"{case.host}/open/image")
        nobody.run("crane", "catalog", case.host, ok=False)
        nobody.run("crane", "delete", f"{case.host}/open/image:1", ok=False)

        # What is refused looks the same whether it exists or not.
        refusals = set()
        for path in ("closed/image", "closed/nothing", "absent/image"):
            status, headers, body = case.server.request("GET", f"/v2/{path}/manifests/1", authenticated=False)
            refusals.add((status, headers["WWW-Authenticate"].replace(path, "…"), json.loads(body)["errors"][0]["code"]))
        equal(len(refusals), 1, f"refusals {refusals}")
        equal(refusals.pop()[0], 401, "status")

        # A private project's blob is not reached through a public repository.
        secret = case.push_blob("closed/image", b"only members read this")
        status, _, _ = case.server.request("GET", f"/v2/open/image/blobs/{secret}", authenticated=False)
        check(status in (401, 404), f"blob of another project: {status}")
        names = [project["name"] for project in json.loads(
            case.server.request("GET", "/api/v2.0/projects", authenticated=False)[2])]
        check("closed" not in names and "open" in names, names)
        check(hashlib.sha256(b"only members read this").hexdigest() in secret, secret)
