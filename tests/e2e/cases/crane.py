"""crane: copies between projects by mounting, tags, lists, deletes."""
from harness import check, equal, started


def main():
    with started() as case:
        case.project("source")
        case.project("target")
        layout = case.layout()
        layout.tag(layout.multi(), "all")
        user = case.admin
        user.login("skopeo", "crane")
        user.skopeo_copy(f"oci:{layout.folder}:all", f"docker://{case.host}/source/image:all", "--all")

        user.run("crane", "-v", "copy", f"{case.host}/source/image:all", f"{case.host}/target/image:all")
        check("mount=sha256" in user.last_error, "crane asks for mounts")
        check("PATCH" not in user.last_error, "nothing is uploaded")
        source, target = (user.run("crane", "digest", f"{case.host}/{name}/image:all") for name in ("source", "target"))
        equal(source, target, "digest")
        user.run("crane", "validate", "--remote", f"{case.host}/target/image:all")

        user.run("crane", "tag", f"{case.host}/target/image:all", "second")
        equal(user.run("crane", "ls", f"{case.host}/target/image").split(), ["all", "second"], "tags")
        check("target/image" in user.run("crane", "catalog", case.host).split(), "catalog")
        user.run("crane", "export", "--platform", "linux/s390x", f"{case.host}/target/image:all",
                 case.scratch.path("root.tar"))
        user.run("crane", "delete", f"{case.host}/target/image@{target.strip()}")
        case.manifest("target/image", "second", expected=404)
        case.manifest("source/image", "all")

        user.run("crane", "append", "-f", tar(case), "-t", f"{case.host}/target/appended:1")
        user.run("crane", "mutate", "--label", "a=b", f"{case.host}/target/appended:1", "-t",
                 f"{case.host}/target/appended:2")
        equal(user.run("crane", "ls", f"{case.host}/target/appended").split(), ["1", "2"], "tags")


def tar(case):
    import images
    return case.scratch.write("layer.tar", images.tar_of({"etc/appended": b"x" * 10_000}))
