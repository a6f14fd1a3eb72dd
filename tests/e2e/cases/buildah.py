"""buildah: build on a base from the registry, push as OCI and as Docker schema 2, push a manifest list."""
import os

from harness import DOCKER_MANIFEST, OCI_MANIFEST, check, equal, started


def main():
    with started() as case:
        layout = case.debian()
        case.project("builds")
        user, storage = case.admin, case.admin.container_storage()
        user.login("skopeo", "buildah")
        base = f"{case.host}/builds/debian:12"
        user.skopeo_copy(f"oci:{layout}/gzip:image", f"docker://{base}")

        case.scratch.write("context/Containerfile", f"FROM {base}\nRUN echo built > /etc/built\nCMD [\"/bin/true\"]\n")
        user.run("buildah", *storage, "bud", "-q", "--layers=false", "--isolation", "chroot", "--tls-verify=false",
                 "-t", "app:1", os.path.join(case.scratch.folder, "context"))
        for form, media_type in (("oci", OCI_MANIFEST), ("v2s2", DOCKER_MANIFEST)):
            user.run("buildah", *storage, "push", "-q", "--tls-verify=false", "--format", form, "app:1",
                     f"docker://{case.host}/builds/app:{form}")
            manifest, headers = case.manifest("builds/app", form)
            equal(headers["Content-Type"], media_type, form)
            check(manifest["layers"], "has layers")

        user.run("buildah", *storage, "manifest", "create", "both")
        for form in ("oci", "v2s2"):
            user.run("buildah", *storage, "manifest", "add", "--tls-verify=false", "both",
                     f"docker://{case.host}/builds/app:{form}")
        user.run("buildah", *storage, "manifest", "push", "-q", "--all", "--tls-verify=false", "both",
                 f"docker://{case.host}/builds/app:both")
        manifest, _ = case.manifest("builds/app", "both")
        equal(len(manifest["manifests"]), 2, "children")
