"""regctl: images, artifacts with subjects, blobs, tags."""
from harness import check, equal, started


def main():
    with started() as case:
        case.project("reg")
        layout = case.layout()
        image, _ = layout.image([{"etc/one": b"1" * 3000}])
        layout.tag(image, "one")
        user = case.admin
        user.login("regctl")
        reference = f"{case.host}/reg/image:one"
        user.run("regctl", "image", "copy", f"ocidir://{layout.folder}:one", reference)
        equal(user.run("regctl", "image", "digest", reference).strip(), image["digest"], "digest")

        user.run("regctl", "artifact", "put", "--artifact-type", "application/vnd.example.note", "--subject", reference,
                 input="a note")
        listed = user.run("regctl", "artifact", "list", reference, "--format", "{{range .Descriptors}}{{println .Digest}}{{end}}")
        equal(len(listed.split()), 1, "referrers")
        equal(case.tags("reg/image"), ["one"], "tags: no fallback tag was written")
        equal(user.run("regctl", "artifact", "get", "--subject", reference), "a note", "artifact")

        digest = user.run("regctl", "blob", "put", f"{case.host}/reg/image", input="loose bytes").strip()
        equal(user.run("regctl", "blob", "get", f"{case.host}/reg/image", digest), "loose bytes", "blob")
        user.run("regctl", "blob", "delete", f"{case.host}/reg/image", digest)
        user.run("regctl", "image", "copy", reference, f"{case.host}/reg/image:two")
        user.run("regctl", "tag", "delete", f"{case.host}/reg/image:one")
        equal(user.run("regctl", "tag", "ls", f"{case.host}/reg/image").split(), ["two"], "tags")
        check("reg/image" in user.run("regctl", "repo", "ls", case.host).split(), "repositories")
