"""cosign: a signature is stored as a referrer, without a fallback tag, and verifies."""
import json

from harness import CommandFailed, check, equal, started

# Nothing of a public transparency log: the key pair is the whole truth.
OFFLINE = {"COSIGN_PASSWORD": "", "COSIGN_YES": "true", "SIGSTORE_ROOT_FILE": "", "DO_NOT_TRACK": "1"}


def main():
    with started() as case:
        case.project("signed")
        layout = case.layout()
        image, _ = layout.image([{"etc/one": b"1" * 3000}])
        layout.tag(image, "x")
        user = case.admin
        user.login("skopeo", "cosign", "crane")
        user.skopeo_copy(f"oci:{layout.folder}:x", f"docker://{case.host}/signed/image:1")
        reference = f"{case.host}/signed/image@{image['digest']}"

        user.run("cosign", "generate-key-pair", environment=OFFLINE)
        user.run("cosign", "sign", "--key", "cosign.key", "--tlog-upload=false", "--use-signing-config=false",
                 "--new-bundle-format=true", "--registry-referrers-mode=oci-1-1", "--allow-http-registry", reference,
                 environment={**OFFLINE, "COSIGN_EXPERIMENTAL": "1"})
        equal(case.tags("signed/image"), ["1"], "tags: no fallback tag was written")
        status, _, body = user.request("GET", f"/v2/signed/image/referrers/{image['digest']}")
        equal(status, 200, "referrers")
        referrers = json.loads(body)["manifests"]
        equal(len(referrers), 1, "referrers")
        check("sigstore" in referrers[0]["artifactType"], referrers[0])

        verify = ["verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--allow-http-registry"]
        user.run("cosign", *verify, reference, environment=OFFLINE)
        user.run("cosign", "generate-key-pair", "--output-key-prefix", "other", environment=OFFLINE)
        verify[2] = "other.pub"
        try:
            user.run("cosign", *verify, reference, environment=OFFLINE)
        except CommandFailed:
            return
        raise AssertionError("a signature of another key verifies")
