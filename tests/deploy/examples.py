"""What the cases share: the files of deploy/, the settings that exist, and a program started as an example says."""
import contextlib
import functools
import os
import re
import socket
import subprocess
import urllib.parse

import yaml
from harness import Scratch, check
from server import Server, find_binary

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPLOY = os.path.join(ROOT, "deploy")
# Variables that are read, but belong to no setting of ours.
FOREIGN = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GC_TIME_WINDOW_HOURS"}
DATA = "/var/lib/roadstead"


def read(*parts):
    with open(os.path.join(DEPLOY, *parts), encoding="utf-8") as file:
        return file.read()


def read_yaml(*parts):
    return yaml.safe_load(read(*parts))


@functools.cache
def known_variables():
    """The environment variables of all settings, as the program lists them."""
    done = subprocess.run([find_binary(), "serve", "--help"], capture_output=True, text=True, timeout=30, check=True)
    return set(re.findall(r"\((ROADSTEAD_\w+)\)", done.stdout)) | FOREIGN


def serves_replicas():
    """Whether this program knows what several replicas need."""
    return {"ROADSTEAD_SECRET_KEY_FILE", "ROADSTEAD_REDIS_URL", "ROADSTEAD_ROLES"} <= known_variables()


def check_variables(names, where):
    unknown = sorted(set(names) - known_variables())
    if unknown and not serves_replicas():
        print(f"**** NOT CHECKED: {where}: this program has no settings {', '.join(unknown)} ****")
        check(all(name in ("ROADSTEAD_SECRET_KEY_FILE", "ROADSTEAD_REDIS_URL", "ROADSTEAD_ROLES") for name in unknown),
              f"{where}: there are no settings {unknown}")
        return
    check(not unknown, f"{where}: there are no settings {unknown}")


def accepts(environment):
    """Whether this program takes these settings: a database or a store that it cannot work with is refused."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROADSTEAD_")}
    done = subprocess.run([find_binary(), "config", "check"], env={**clean, **environment}, capture_output=True, text=True,
                          timeout=30, check=False)
    return done.returncode == 0


def has_path(server, path):
    return server.request("GET", path, authenticated=False)[0] != 404


def free_port():
    """A port that nobody used a moment ago. The program's own are 0; this is for those that cannot be told."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class ExampleServer(Server):
    """The program with exactly the environment of an example. Only what belongs to another machine is replaced:
    its directories (`paths`) by scratch ones, its addresses by loopback ones."""

    def __init__(self, scratch, environment, paths=None, arguments=(), ca=None):
        super().__init__(scratch=scratch.folder, arguments=arguments, ca=ca)
        self.paths = {DATA: self.data, **(paths or {})}
        self.environment = {name: self.local(name, value) for name, value in environment.items()}
        self.password = self.environment.get("ROADSTEAD_ADMIN_PASSWORD")

    def local(self, name, value):
        if name in ("ROADSTEAD_LISTEN", "ROADSTEAD_METRICS_LISTEN"):
            check(re.fullmatch(r"0\.0\.0\.0:\d+", value), f"{name} is for a container: {value}")
            return "127.0.0.1:0" if name == "ROADSTEAD_LISTEN" else f"127.0.0.1:{free_port()}"
        for path, here in self.paths.items():
            value = re.sub(re.escape(path) + r"(?=/|$)", here, value)
        return value

    @property
    def metrics_url(self):
        return "http://" + self.environment["ROADSTEAD_METRICS_LISTEN"] + "/metrics"

    def health(self):
        """What a health check does: the program asks the program. Returns the exit status."""
        done = subprocess.run([self.binary, "health"], env={"PATH": os.environ["PATH"], **self.whole_environment()},
                              capture_output=True, text=True, timeout=30, check=False)
        print(f"roadstead health: [{done.returncode}] {done.stdout.strip()}{done.stderr.strip()}")
        return done.returncode

    def whole_environment(self):
        return {"ROADSTEAD_DATA_DIR": self.data, **self.environment}


@contextlib.contextmanager
def scratch_folder():
    scratch = Scratch()
    try:
        yield scratch
    finally:
        scratch.remove()


def make_certificate(scratch, folder):
    """tls.crt and tls.key for localhost and 127.0.0.1, in a new folder."""
    crt, key = scratch.path(folder, "tls.crt"), scratch.path(folder, "tls.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-out", crt, "-keyout", key], check=True, capture_output=True)
    return os.path.dirname(crt)


def use_registry(server, project):
    """A project, a blob in two requests, and the blob back: what an installation is for."""
    def request(method, path, body=None, headers=None):
        return server.request(method, path, body, password=server.password, headers=headers)

    status, _, answer = request("POST", "/api/v2.0/projects", b'{"project_name":"%s"}' % project.encode(),
                                {"Content-Type": "application/json"})
    check(status == 201, f"a project: {status} {answer[:300]!r}")
    status, headers, _ = request("POST", f"/v2/{project}/image/blobs/uploads/")
    check(status == 202, f"an upload: {status}")
    # A public name in the answer is the load balancer's to resolve: the path is what counts here.
    location = urllib.parse.urlsplit(headers["Location"])
    digest = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of "foo"
    path = location.path + "?" + (location.query + "&" if location.query else "") + "digest=" + digest
    status, _, answer = request("PUT", path, b"foo", {"Content-Type": "application/octet-stream"})
    check(status == 201, f"a blob: {status} {answer[:300]!r}")
    status, _, answer = request("GET", f"/v2/{project}/image/blobs/{digest}")
    check((status, answer) == (200, b"foo"), f"the blob back: {status} {answer[:300]!r}")
