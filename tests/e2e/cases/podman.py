"""podman: log in, push, pull, log out."""
from harness import check, equal, started


def main():
    with started() as case:
        case.project("pods")
        layout = case.layout()
        manifest, _ = layout.image([{"bin/true": b"#!/bin/sh\n" * 1000}, {"etc/second": b"2" * 5000}])
        layout.tag(manifest, "x")
        user, storage = case.admin, case.admin.container_storage()
        reference = f"{case.host}/pods/small:1"

        user.run("podman", *storage, "login", "--tls-verify=false", "-u", "admin", "-p", "wrong", case.host, ok=False)
        user.login("podman")
        user.run("podman", *storage, "load", "-q", "-i", archive(case, user, layout))
        user.run("podman", *storage, "push", "-q", "--tls-verify=false", "localhost/small:1", reference)
        pushed, _ = case.manifest("pods/small", "1")
        equal(len(pushed["layers"]), 2, "layers")

        user.run("podman", *storage, "rmi", "-a", "-f")
        user.run("podman", *storage, "pull", "-q", "--tls-verify=false", reference)
        check(reference in user.run("podman", *storage, "images", "--format", "{{.Repository}}:{{.Tag}}"), "pulled")
        user.run("podman", *storage, "rmi", "-a", "-f")
        user.run("podman", *storage, "logout", case.host)
        user.run("podman", *storage, "pull", "-q", "--tls-verify=false", reference, ok=False)


def archive(case, user, layout):
    """The image as podman loads it: a Docker archive with a name."""
    path = case.scratch.path("small.tar")
    user.skopeo_copy(f"oci:{layout.folder}:x", f"docker-archive:{path}:localhost/small:1")
    return path
