"""Images as Docker schema 2, from clients of that age; schema 1 is refused."""
from harness import DOCKER_LIST, DOCKER_MANIFEST, check, equal, started


def main():
    with started() as case:
        case.project("docker")
        layout = case.layout()
        image, _ = layout.image([{"etc/one": b"1" * 3000}])
        layout.tag(image, "one")
        layout.tag(layout.multi(), "multi")
        user = case.admin
        user.login("skopeo", "crane")
        user.skopeo_copy(f"oci:{layout.folder}:one", f"docker://{case.host}/docker/image:one", "--format", "v2s2")
        manifest, headers = case.manifest("docker/image", "one")
        equal(headers["Content-Type"], DOCKER_MANIFEST, "media type")
        equal(manifest["mediaType"], DOCKER_MANIFEST, "mediaType")

        user.skopeo_copy(f"oci:{layout.folder}:multi", f"docker://{case.host}/docker/image:multi", "--all", "--format",
                         "v2s2")
        manifest, headers = case.manifest("docker/image", "multi")
        equal(headers["Content-Type"], DOCKER_LIST, "media type of the list")
        equal(len(manifest["manifests"]), 7, "children")
        user.run("crane", "pull", "--platform", "linux/arm64", f"{case.host}/docker/image:multi",
                 case.scratch.path("arm64.tar"))

        user.skopeo_copy(f"oci:{layout.folder}:one", f"docker://{case.host}/docker/image:old", "--format", "v2s1",
                         ok=False)
        check("schema" in user.last_error.lower() or "manifest" in user.last_error.lower(), user.last_error)
