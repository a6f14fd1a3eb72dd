"""A real Debian image of several layers, gzip and zstd: pushed, pulled, copied between tags."""
import os

from harness import OCI_MANIFEST, check, equal, started


def main():
    with started() as case:
        layout = case.debian()
        case.project("debian")
        user = case.admin
        user.login("skopeo", "regctl")
        user.skopeo_copy(f"oci:{layout}/gzip:image", f"docker://{case.host}/debian/base:gzip")
        # skopeo would push the gzip layers that it remembers instead of the same layers in zstd.
        user.run("regctl", "image", "copy", f"ocidir://{layout}/zstd:image", f"{case.host}/debian/base:zstd")
        for kind in ("gzip", "zstd"):
            whole(case, kind)

        # The second push finds everything there: nothing is uploaded again.
        user.run("skopeo", "--debug", "copy", "--insecure-policy", "--dest-tls-verify=false",
                 f"oci:{layout}/gzip:image", f"docker://{case.host}/debian/base:again")
        check("PATCH" not in user.last_error, "no layer is sent twice")
        equal(case.tags("debian/base"), ["again", "gzip", "zstd"], "tags")
        user.run("skopeo", "delete", "--tls-verify=false", f"docker://{case.host}/debian/base:again")
        case.manifest("debian/base", "again", expected=404)


def whole(case, kind):
    user, reference = case.admin, f"docker://{case.host}/debian/base:{kind}"
    manifest, headers = case.manifest("debian/base", kind)
    equal(headers["Content-Type"], OCI_MANIFEST, "media type")
    check(len(manifest["layers"]) >= 4, "the image has several layers")
    check(all(layer["mediaType"].endswith("+" + kind) for layer in manifest["layers"]), f"layers are {kind}")
    copy = case.scratch.path("pulled-" + kind)
    user.skopeo_copy(reference, f"oci:{copy}:x")
    for part in [manifest["config"], *manifest["layers"]]:
        equal(os.path.getsize(os.path.join(copy, "blobs", *part["digest"].split(":"))), part["size"], "pulled size")
    check('"Architecture": "amd64"' in user.run("skopeo", "inspect", "--tls-verify=false", reference), "inspect")
