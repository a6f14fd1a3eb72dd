"""The command line: help, configuration, OpenAPI, resetting a password with and without a running server."""
import json
import os
import re
import stat
import subprocess

from harness import PASSWORD, check, equal, started
from server import program_environment


def run(case, *arguments, status=0, environment=None, input=None):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ROADSTEAD_")}
    done = subprocess.run([case.server.binary, *arguments], env={**clean, **(environment or {})}, input=input,
                          capture_output=True, text=True, timeout=60, check=False)
    check((done.returncode == 0) == (status == 0),
          f"{arguments} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout + done.stderr


def main():
    with started() as case:
        check(re.search(r"\d+\.\d+\.\d+", run(case, "version")), "version")
        for command in ((), ("serve",), ("config",), ("admin", "reset-password")):
            check("--help" in run(case, *command, "--help"), f"help of {command}")
        run(case, "nonsense", status=2)
        configuration(case)
        openapi(case)
        private_files(case)
        reset_password(case)


def configuration(case):
    good = case.scratch.write("good.yml", "listen: ['127.0.0.1:0']\nadmin_password: Secret12345\nlog:\n  level: warning\n")
    run(case, "config", "check", "--config", good)
    shown = run(case, "config", "show", "--config", good)
    check("warning" in shown, shown)
    check("Secret12345" not in shown, "secrets are masked")
    shown = run(case, "config", "show", "--config", good, "--log-level", "error", environment={"ROADSTEAD_LOG_LEVEL": "debug"})
    check("error" in shown and "debug" not in shown, "flag over environment over file")
    for text, line, key in (("listen: ['127.0.0.1:0']\nlogg:\n  level: info\n", 2, "logg"),
                            ("log:\n  level: info\n  colour: red\n", 3, "colour"),
                            ("token:\n  lifetime: soon\n", 2, "lifetime"),
                            ("limits:\n  connections: many\n", 2, "connections")):
        bad = case.scratch.write("bad.yml", text)
        said = run(case, "config", "check", "--config", bad, status=2)
        check(f"bad.yml:{line}" in said and key in said, f"names file, line and key: {said}")
        run(case, "serve", "--config", bad, status=2)
    run(case, "config", "check", "--config", "/nonexistent/file.yml", status=2)
    documented(case)


def documented(case):
    """Every setting that exists is described, and every one that is described exists."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    with open(os.path.join(root, "docs", "configuration.md"), encoding="utf-8") as file:
        described = dict(re.findall(r"^\| `([\w.]+)` \| `(ROADSTEAD_\w+)` \|", file.read(), re.MULTILINE))
    help_text = run(case, "serve", "--help")
    flags = {flag.replace("-", "_") for flag in re.findall(r"--([a-z][a-z0-9-]*)", help_text)} - {"help", "config"}
    equal(sorted(key.replace(".", "_") for key in described), sorted(flags), "settings")
    for variable in described.values():
        check(variable in help_text, f"{variable} in the help")


def openapi(case):
    document = json.loads(run(case, "openapi"))
    check(document.get("openapi", document.get("swagger")), "says which version it is")
    paths = [path.removeprefix("/api/v2.0") for path in document["paths"]]
    for path in ("/projects", "/users", "/health"):
        check(path in paths, f"{path} in {paths}")


def private_files(case):
    for folder, _, names in os.walk(case.server.data):
        for name in names:
            if name in ("secret.key", "initial-admin-password", "admin.sock") or name.endswith(".key"):
                mode = stat.S_IMODE(os.lstat(os.path.join(folder, name)).st_mode)
                equal(oct(mode), oct(0o600), name)


def reset_password(case):
    data = program_environment(case.server.data)
    equal(case.admin.request("GET", "/v2/")[0], 200, "before")
    said = run(case, "admin", "reset-password", environment=data)
    fresh = said.split(":")[-1].strip().split()[0]
    equal(case.server.request("GET", "/v2/")[0], 401, "the old password")
    equal(case.server.request("GET", "/v2/", password=fresh)[0], 200, "the new password")
    case.server.stop()
    run(case, "admin", "reset-password", "--stdin", environment=data, input=PASSWORD + "\n")
    case.server.start()
    equal(case.admin.request("GET", "/v2/")[0], 200, "reset without a server")
    run(case, "admin", "reset-password", "--stdin", environment=data, input="weak\n", status=1)
    run(case, "admin", "reset-password", "--user", "nobody", environment=data, status=1)
