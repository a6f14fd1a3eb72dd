"""Helm charts with provenance, for both major versions of the client."""
import os

from harness import equal, check, started


def chart_files(case):
    case.scratch.write("chart/demo/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.2.3\ndescription: A demo\n")
    case.scratch.write("chart/demo/values.yaml", "answer: 42\n")
    case.scratch.write("chart/demo/templates/map.yaml",
                       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo}\ndata: {answer: \"{{ .Values.answer }}\"}\n")
    return os.path.join(case.scratch.folder, "chart", "demo")


def signing_keys(case, user):
    """A key without a passphrase, exported in the old format that Helm reads."""
    home = case.scratch.path("gnupg", "x")[:-2]
    os.chmod(home, 0o700)
    gpg = ["--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    user.run("gpg", *gpg, "--quick-generate-key", "Tester <tester@example.org>", "rsa2048", "sign", "never")
    secret, public = case.scratch.path("secret.gpg"), case.scratch.path("public.gpg")
    user.run("gpg", *gpg, "--output", secret, "--export-secret-keys", "tester@example.org")
    user.run("gpg", *gpg, "--output", public, "--export", "tester@example.org")
    user.run("gpgconf", "--homedir", home, "--kill", "all")
    return secret, public


def exercise(helm):
    with started() as case:
        case.project("charts")
        user = case.admin
        user.login(helm)
        secret, public = signing_keys(case, user)
        user.run(helm, "package", "--sign", "--key", "Tester", "--keyring", secret, chart_files(case))
        user.run(helm, "push", "--plain-http", "demo-1.2.3.tgz", f"oci://{case.host}/charts")

        manifest, _ = case.manifest("charts/demo", "1.2.3")
        equal(manifest["config"]["mediaType"], "application/vnd.cncf.helm.config.v1+json", "config")
        equal(sorted(layer["mediaType"] for layer in manifest["layers"]),
              ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/vnd.cncf.helm.chart.provenance.v1.prov"],
              "layers")
        chart = f"oci://{case.host}/charts/demo"
        check("A demo" in user.run(helm, "show", "chart", "--plain-http", chart, "--version", "1.2.3"), "show")
        user.run(helm, "pull", "--plain-http", "--verify", "--keyring", public, "-d", case.scratch.path("pulled", "x")[:-2],
                 chart, "--version", "1.2.3")
        check(os.path.exists(os.path.join(case.scratch.folder, "pulled", "demo-1.2.3.tgz.prov")), "provenance is pulled")
        check("answer: \"42\"" in user.run(helm, "template", "--plain-http", "demo", chart, "--version", "1.2.3"), "template")
        # Without a version the newest of the tags is taken, so the tags are listed.
        user.run(helm, "pull", "--plain-http", "-d", case.scratch.path("newest", "x")[:-2], chart)
        user.run(helm, "registry", "logout", case.host)
        user.run(helm, "pull", "--plain-http", chart, "--version", "1.2.3", ok=False)
