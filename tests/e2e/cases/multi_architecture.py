"""An index of seven architectures: skopeo, crane and regctl agree about every child."""
import json

from harness import OCI_INDEX, equal, started
from images import ARCHITECTURES


def main():
    with started() as case:
        case.project("multi")
        layout = case.layout()
        layout.tag(layout.multi(), "all")
        user = case.admin
        user.login("skopeo", "crane", "regctl")
        reference = f"{case.host}/multi/image:all"
        user.skopeo_copy(f"oci:{layout.folder}:all", f"docker://{reference}", "--all")

        index, headers = case.manifest("multi/image", "all")
        equal(headers["Content-Type"], OCI_INDEX, "media type")
        equal([child["platform"]["architecture"] for child in index["manifests"]],
              [architecture for architecture, _ in ARCHITECTURES], "architectures")
        for child in index["manifests"]:
            platform = child["platform"]
            name = "/".join(filter(None, ["linux", platform["architecture"], platform.get("variant", "")]))
            equal(user.run("crane", "digest", "--platform", name, reference).strip(), child["digest"], name)
            config = json.loads(user.run("crane", "config", "--platform", name, reference))
            equal(config["architecture"], platform["architecture"], "config")
        equal(user.run("regctl", "image", "digest", reference).strip(), headers["Docker-Content-Digest"], "regctl")

        user.run("regctl", "image", "copy", reference, f"{case.host}/multi/copied:all")
        _, copied = case.manifest("multi/copied", "all")
        equal(copied["Docker-Content-Digest"], headers["Docker-Content-Digest"], "copy")
        user.skopeo_copy(f"docker://{reference}", f"docker://{case.host}/multi/mirror:all", "--all")
        user.skopeo_copy(f"docker://{case.host}/multi/mirror:all", f"oci:{case.scratch.path('back')}:all", "--all")
