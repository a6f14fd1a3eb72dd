"""What the cases share: a running server, users with their own homes, and clients called as programs."""
import contextlib
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
sys.path.insert(0, HERE)
import images  # noqa: E402
from backends import database_engine  # noqa: E402
from object_store import NoFiles  # noqa: E402
from server import PASSWORD, Server  # noqa: E402

USER_PASSWORD = "Pass12345word"
COMMAND_SECONDS = 600
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ROLES = {"projectAdmin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limitedGuest": 5}


class Skip(Exception):
    """A case cannot run here; says loudly why."""


def run_case(doc, folder, package=""):
    """What a run.py does: the case that its argument names, out of `folder` and `package`; the exit status."""
    if len(sys.argv) != 2:
        names = sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py"))
        sys.exit(doc + "\nCases: " + " ".join(names))
    module = importlib.import_module(package + sys.argv[1])
    begin = time.monotonic()
    try:
        module.main()
    except (Skip, NoFiles) as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        return 77
    except Exception:  # noqa: BLE001 - a case may fail in any way; all of them are failures
        traceback.print_exc()
        return 1
    print(f"passed in {time.monotonic() - begin:.1f} s")
    return 0


def only_on(what, *engines):
    """For a case that is about one engine's own files."""
    if database_engine() not in engines:
        raise Skip(f"{what} is about {', '.join(engines)}, not {database_engine()}")


class CommandFailed(AssertionError):
    pass


def find_client(name):
    """A client that tests/e2e/clients built, or one that is installed."""
    built = os.path.join(images.CACHE, "clients", name)
    path = built if os.path.exists(built) else shutil.which(name)
    if path is None:
        raise Skip(f"{name} is neither built (tests/e2e/clients) nor installed (./x setup test)")
    return path


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def equal(actual, expected, what):
    check(actual == expected, f"{what}: {actual!r}, expected {expected!r}")


class Scratch:
    """A folder for one case, removed at its end."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="roadstead-e2e-")

    def path(self, *parts):
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, name, data):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return path

    def remove(self):
        # Container storage holds folders that even their owner may not write.
        subprocess.run(["chmod", "-R", "u+rwX", self.folder], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)


class User:
    """Somebody with a home of his own, who runs clients against one server."""

    def __init__(self, scratch, server, name="admin", password=PASSWORD):
        self.scratch, self.server, self.name, self.password = scratch, server, name, password
        self.home = os.path.join(scratch.folder, "home-" + name)
        os.makedirs(os.path.join(self.home, ".docker"), exist_ok=True)
        os.makedirs(os.path.join(self.home, "run"), mode=0o700, exist_ok=True)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": self.home, "LANG": "C.UTF-8",
            "DOCKER_CONFIG": os.path.join(self.home, ".docker"),
            "REGISTRY_AUTH_FILE": os.path.join(self.home, "auth.json"),
            "XDG_RUNTIME_DIR": os.path.join(self.home, "run"), "TMPDIR": scratch.folder,
            "REGCTL_CONFIG": os.path.join(self.home, "regctl.json"),
            "NO_PROXY": "*", "no_proxy": "*"}

    def run(self, client, *arguments, ok=True, input=None, environment=None):
        """Runs a client; returns its standard output. `ok=False` insists that it fails."""
        command = [find_client(client), *arguments]
        shown = " ".join([client, *arguments]).replace(self.password, "***")
        done = subprocess.run(command, env={**self.environment, **(environment or {})}, input=input, text=True,
                              cwd=self.scratch.folder, capture_output=True, timeout=COMMAND_SECONDS, check=False)
        print(f"{self.name}$ {shown}  [{done.returncode}]", flush=True)
        if (done.returncode == 0) != ok:
            raise CommandFailed(f"{shown} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        self.last_error = done.stderr
        return done.stdout

    # Each client is used the way its manual says, so each logs in by itself.

    def login(self, *clients):
        host, credentials = self.server.host, ["-u", self.name, "-p", self.password]
        plain = self.server.url.startswith("http://")
        for client in clients:
            if client in ("skopeo", "podman", "buildah"):
                self.run(client, "login", *(["--tls-verify=false"] if plain else []), *credentials, host)
            elif client == "crane":
                self.run(client, "auth", "login", *credentials, host)
            elif client == "oras":
                self.run(client, "login", *(["--plain-http"] if plain else []), *credentials, host)
            elif client == "regctl":
                self.run(client, "registry", "set", "--skip-check", "--tls", "disabled" if plain else "enabled", host)
                self.run(client, "registry", "login", "-u", self.name, "--pass-stdin", host, input=self.password)
            elif client in ("helm3", "helm4"):
                self.run(client, "registry", "login", *(["--plain-http"] if plain else []), *credentials, host)
            elif client == "cosign":
                self.run(client, "login", *credentials, host)
            else:
                raise AssertionError(f"nobody knows how {client} logs in")

    def request(self, method, path, body=None, **keywords):
        return self.server.request(method, path, body, user=self.name, password=self.password, **keywords)

    def skopeo_copy(self, source, target, *options, ok=True):
        """`docker://` references are of the server under test, over plain HTTP."""
        flags = []
        if source.startswith("docker://"):
            flags.append("--src-tls-verify=false")
        if target.startswith("docker://"):
            flags.append("--dest-tls-verify=false")
        return self.run("skopeo", "copy", "--insecure-policy", "-q", *flags, *options, source, target, ok=ok)

    def container_storage(self):
        """Options that keep podman and buildah inside the case's folder."""
        # podman refuses a runroot of more than 50 characters.
        return ["--root", os.path.join(self.home, "containers"), "--runroot",
                os.path.join(self.scratch.folder, "run"), "--storage-driver", "vfs"]


class Case:
    """Everything one case works with."""

    def __init__(self, scratch, server):
        self.scratch, self.server = scratch, server
        self.admin = User(scratch, server)

    @property
    def host(self):
        return self.server.host

    def project(self, name, public=False):
        return self.server.create_project(name, public)

    def user(self, name):
        self.server.create_user(name, USER_PASSWORD)
        return User(self.scratch, self.server, name, USER_PASSWORD)

    def layout(self, name="layout"):
        return images.Layout(self.scratch.path(name))

    def debian(self):
        if not os.path.isdir(images.DEBIAN):
            raise Skip("there is no Debian image (tests/e2e/images.py says why)")
        return images.DEBIAN

    def manifest(self, repository, reference, accept=None, user=None, expected=200):
        """(decoded manifest, headers) straight from the API."""
        accept = accept or ", ".join([OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST])
        status, headers, body = (user or self.admin).request(
            "GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": accept})
        equal(status, expected, f"GET {repository}:{reference}")
        if status != 200:
            return None, headers
        equal("sha256:" + hashlib.sha256(body).hexdigest(), headers["Docker-Content-Digest"], "digest")
        return json.loads(body), headers

    def blob_matches(self, repository, digest):
        """The blob is there and its bytes hash to its name."""
        status, _, body = self.admin.request("GET", f"/v2/{repository}/blobs/{digest}")
        return status == 200 and "sha256:" + hashlib.sha256(body).hexdigest() == digest

    def tags(self, repository):
        status, _, body = self.admin.request("GET", f"/v2/{repository}/tags/list")
        equal(status, 200, f"tags of {repository}")
        return json.loads(body)["tags"]

    def push_blob(self, repository, data, user=None):
        user = user or self.admin
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        status, headers, _ = user.request("POST", f"/v2/{repository}/blobs/uploads/")
        equal(status, 202, "POST of an upload")
        location = headers["Location"]
        location += ("&" if "?" in location else "?") + "digest=" + digest
        status, _, body = user.request("PUT", location, data, headers={"Content-Type": "application/octet-stream"})
        equal(status, 201, f"PUT of a blob {body[:300]!r}")
        return digest


@contextlib.contextmanager
def started(environment=None, arguments=(), ca=None, scratch=None):
    """A Case with a fresh server."""
    own = scratch or Scratch()
    try:
        server = Server(scratch=own.path("server"), environment=environment, arguments=arguments, ca=ca)
        os.makedirs(server.scratch, exist_ok=True)
        with server:
            yield Case(own, server)
    finally:
        if scratch is None:
            own.remove()
