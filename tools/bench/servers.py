"""Starts and stops the servers that ./x bench compares, each in a fresh directory on a free loopback port.

Only processes started here are ever signalled. After the start it is checked that the port is held by our
own process: a client once measured somebody else's server on a taken port.
"""
import base64
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.environ.get("BENCH_WORK", os.path.join(ROOT, "bench-work"))
BUILD = os.environ.get("BENCH_BUILD", os.path.join(ROOT, "build", "release"))
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 15


def client_scratch():
    """For the files of clients: in memory where that is possible, so that what they delete does not slow down the
    file system that is measured (see give_back_space)."""
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else WORK
    path = os.path.join(parent, f"bench-clients-{os.getpid()}")
    os.makedirs(path, exist_ok=True)
    return path


def find_binary(*names):
    """The first of `names` in $PEERS_BIN, then in PATH; None when there is none."""
    for name in names:
        beside = os.path.join(os.environ.get("PEERS_BIN", ""), name)
        if os.environ.get("PEERS_BIN") and os.access(beside, os.X_OK):
            return beside
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if found:
            return found
    return None


def built(name):
    path = os.path.join(BUILD, name)
    return path if os.access(path, os.X_OK) else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def process_tree(root):
    children = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        parent = int(text[text.rindex(")") + 2:].split()[1])
        children.setdefault(parent, []).append(int(path.split("/")[2]))
    tree = [root]
    for pid in tree:
        tree += children.get(pid, [])
    return tree


def holds_port(pids, port):
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as file:
            for line in file.readlines()[1:]:
                field = line.split()
                if field[3] == "0A" and int(field[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{field[9]}]")
    for pid in pids:
        for link in glob.glob(f"/proc/{pid}/fd/*"):
            try:
                if os.readlink(link) in inodes:
                    return True
            except OSError:
                continue
    return False


def certificate():
    """A CA-less self-signed certificate for 127.0.0.1, made once: (certificate file, key file)."""
    cert, key = os.path.join(WORK, "tls.crt"), os.path.join(WORK, "tls.key")
    if not os.path.exists(cert):
        os.makedirs(WORK, exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
    return cert, key


class Server:
    """One server. Subclasses say what it is called, how it starts and what it can do."""
    name = ""
    count = 0              # Of the servers made in this run.
    tls = False
    registry = True        # Speaks the whole protocol: can be seeded and pushed to.
    candidate_names = ()   # Of the binary.
    version_arguments = ("--version",)

    def __init__(self):
        Server.count += 1
        self.directory = os.path.join(WORK, "run", f"{self.name}-{Server.count}")
        self.port = self.pid = self.process = None
        self.start_ms = 0.0

    @classmethod
    def binary(cls):
        return find_binary(*cls.candidate_names)

    @classmethod
    def version(cls):
        done = subprocess.run([cls.binary(), *cls.version_arguments], capture_output=True, text=True, timeout=20, check=False)
        return " ".join((done.stdout + done.stderr).split())[:160]

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def fresh(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(os.path.join(self.directory, "data"))
        return self

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def start(self):
        self.port = free_port()
        argv = self.command()
        log = open(self.path("server.log"), "ab")
        began = time.perf_counter()
        self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.directory,
                                        env={**os.environ, **self.environment()})
        log.close()
        self.pid = self.process.pid
        try:
            self.wait_ready(began)
            self.start_ms = (time.perf_counter() - began) * 1000
            if not holds_port(self.pids(), self.port):
                raise RuntimeError(f"{self.name}: port {self.port} is held by another process")
            self.prepare()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_ready(self, began):
        while time.perf_counter() - began < START_SECONDS_MAX:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at start: {self.log_tail()}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=2) as probe:
                    if self.tls:
                        return
                    probe.sendall(f"GET /v2/ HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
                    if probe.recv(64)[9:12] in (b"200", b"401"):
                        return
            except OSError:
                pass
            time.sleep(0.0005)
        raise RuntimeError(f"{self.name}: no answer after {START_SECONDS_MAX} s")

    def prepare(self):
        """What has to be done once the server answers: accounts, projects."""

    def log_tail(self):
        with open(self.path("server.log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-600:].replace("\n", " | ")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def give_back_space(self, at_least=64 << 10):
        """Empties the files and leaves them: ext4 without a journal avoids the inodes of files deleted within the
        last half minute, and whoever creates files then pays for the search. They go when the run ends."""
        for directory, _, names in os.walk(self.directory):
            for name in names:
                path = os.path.join(directory, name)
                try:
                    if os.path.getsize(path) >= at_least:
                        os.truncate(path, 0)
                except OSError:
                    continue

    # ---- what the rows need

    def pids(self):
        return process_tree(self.pid)

    def cpu_seconds(self):
        total = 0.0
        for pid in self.pids():
            try:
                total += time.clock_gettime((~pid << 3) | 2)   # The kernel's CPU clock of a process.
            except OSError:
                continue
        return total

    def memory_kib(self, field="VmRSS"):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                    total += sum(int(line.split()[1]) for line in file if line.startswith(field + ":"))
            except OSError:
                continue
        return total

    def auth(self, _repository):
        """Arguments of bench_load that let it read and write the repository."""
        return []

    def headers(self, _repository):
        return {}

    def client_config(self):
        """config.json of a container client that is logged in."""
        return {}

    def request(self, method, path, body=None, repository="bench/img", headers=None):
        """One request outside of any measurement; raises on an error status."""
        request = urllib.request.Request(urllib.parse.urljoin(self.url, path), data=body, method=method,
                                         headers={**self.headers(repository), **(headers or {})})
        context = None
        if self.tls:
            import ssl
            context = ssl.create_default_context(cafile=certificate()[0])
        return urllib.request.urlopen(request, timeout=120, context=context)

    def put_blob(self, repository, content, digest):
        location = self.request("POST", f"/v2/{repository}/blobs/uploads/", b"", repository).headers["Location"]
        glue = "&" if "?" in location else "?"
        self.request("PUT", f"{location}{glue}digest={digest}", content, repository,
                     {"Content-Type": "application/octet-stream"})

    def put_manifest(self, repository, reference, content, media_type):
        self.request("PUT", f"/v2/{repository}/manifests/{reference}", content, repository, {"Content-Type": media_type})


class Roadstead(Server):
    name = "roadstead"
    version_arguments = ("version",)
    password = "Bench-1-" + base64.urlsafe_b64encode(os.urandom(9)).decode()   # The digit is a rule of the accounts.

    def __init__(self):
        super().__init__()
        self.tokens = {}

    @classmethod
    def binary(cls):
        named = os.environ.get("ROADSTEAD")
        return named if named and os.access(named, os.X_OK) else built("roadstead")

    def command(self):
        return [self.binary(), "serve"]

    def environment(self):
        settings = {"ROADSTEAD_DATA_DIR": self.path("data"), "ROADSTEAD_LISTEN": self.host,
                    "ROADSTEAD_ADMIN_PASSWORD": self.password,
                    "ROADSTEAD_REGISTRY_UPLOADS_PER_IDENTITY": "1000", "ROADSTEAD_REGISTRY_UPLOADS_PER_PROJECT": "1000",
                    "ROADSTEAD_LIMITS_CONNECTIONS": "20000", "ROADSTEAD_TOKEN_LIFETIME": "86400"}
        if self.tls:
            settings["ROADSTEAD_TLS_CERTIFICATE"], settings["ROADSTEAD_TLS_KEY"] = certificate()
        return settings

    def basic(self):
        return {"Authorization": "Basic " + base64.b64encode(f"admin:{self.password}".encode()).decode()}

    def prepare(self):
        self.tokens.clear()
        for project in ("bench", "crane"):
            body = json.dumps({"project_name": project, "metadata": {"public": "false"}}).encode()
            request = urllib.request.Request(self.url + "/api/v2.0/projects", data=body, method="POST",
                                             headers={**self.basic(), "Content-Type": "application/json"})
            try:
                self.open(request)
            except urllib.error.HTTPError as error:
                if error.code != 409:
                    raise

    def open(self, request):
        if not self.tls:
            return urllib.request.urlopen(request, timeout=60)
        import ssl
        return urllib.request.urlopen(request, timeout=60, context=ssl.create_default_context(cafile=certificate()[0]))

    def token(self, repository):
        if repository not in self.tokens:
            query = urllib.parse.urlencode({"service": "harbor-registry", "scope": f"repository:{repository}:pull,push"})
            request = urllib.request.Request(f"{self.url}/service/token?{query}", headers=self.basic())
            self.tokens[repository] = json.load(self.open(request))["token"]
        return self.tokens[repository]

    def auth(self, repository):
        return ["--bearer", self.token(repository)]

    def headers(self, repository):
        return {"Authorization": "Bearer " + self.token(repository)}

    def client_config(self):
        return {"auths": {self.host: {"auth": self.basic()["Authorization"].split()[1]}}}


class RoadsteadTls(Roadstead):
    name = "roadstead-tls"
    tls = True


class Nginx(Server):
    """Static files under the registry's paths: what serving bytes costs at least."""
    name = "nginx"
    registry = False
    candidate_names = ("nginx",)
    version_arguments = ("-v",)
    nopush = "on"

    def command(self):
        cert, key = certificate() if self.tls else ("", "")
        tls = f"ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;" if self.tls else ""
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "".join(f"{kind}_temp_path {self.path(kind)}; "
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = f"""{user} worker_processes 1; daemon off; pid {self.path('pid')};
error_log {self.path('error.log')};
events {{ worker_connections 12288; }}
http {{
  access_log off; sendfile on; tcp_nopush {self.nopush}; etag off; keepalive_requests 100000000; {temporary} {tls}
  server {{
    listen {self.host}{' ssl http2' if self.tls else ''};
    root {self.path('data')};
    location = /v2/ {{ return 200 "{{}}"; }}
    location ~ /manifests/ {{ default_type application/vnd.oci.image.manifest.v1+json; }}
    location / {{ default_type application/octet-stream; }}
  }}
}}
"""
        with open(self.path("nginx.conf"), "w", encoding="ascii") as file:
            file.write(config)
        return [self.binary(), "-p", self.directory, "-e", self.path("error.log"), "-c", self.path("nginx.conf")]

    def put_file(self, path, content):
        full = self.path("data", path.lstrip("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content)

    def put_blob(self, repository, content, digest):
        self.put_file(f"/v2/{repository}/blobs/{digest}", content)

    def put_manifest(self, repository, reference, content, _media_type):
        self.put_file(f"/v2/{repository}/manifests/{reference}", content)


class NginxNopushOff(Nginx):
    name = "nginx-nopush-off"
    nopush = "off"


class NginxTls(Nginx):
    name = "nginx-tls"
    tls = True


class Floor(Server):
    """The least an upload costs; see floor.cpp."""
    name = "floor"
    registry = False

    @classmethod
    def binary(cls):
        return built("bench_floor")

    @classmethod
    def version(cls):
        return "bench_floor"

    def command(self):
        return [self.binary(), "--listen", self.host, "--data", self.path("data")]


class Distribution(Server):
    name = "distribution"
    candidate_names = ("distribution", "registry")

    def environment(self):
        return {"OTEL_TRACES_EXPORTER": "none"}

    def command(self):
        config = {"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
                  "storage": {"filesystem": {"rootdirectory": self.path("data")}, "delete": {"enabled": True},
                              "maintenance": {"uploadpurging": {"enabled": False}}},
                  "http": {"addr": self.host, "secret": "bench"}}
        with open(self.path("config.yml"), "w", encoding="ascii") as file:
            json.dump(config, file)   # JSON is YAML.
        return [self.binary(), "serve", self.path("config.yml")]


class DockerRegistry(Distribution):
    name = "docker-registry"
    candidate_names = ("docker-registry",)


class Zot(Server):
    name = "zot"
    candidate_names = ("zot", "zot-minimal", "zot-linux-amd64-minimal")
    commit = False

    def command(self):
        config = {"distSpecVersion": "1.1.1",
                  "storage": {"rootDirectory": self.path("data"), "dedupe": True, "gc": True, "commit": self.commit},
                  "http": {"address": "127.0.0.1", "port": str(self.port), "compat": ["docker2s2"]},
                  "log": {"level": "error"}}
        with open(self.path("config.json"), "w", encoding="ascii") as file:
            json.dump(config, file)
        return [self.binary(), "serve", self.path("config.json")]


class ZotCommit(Zot):
    """zot that syncs what it stores, as Roadstead, distribution and the floor do."""
    name = "zot-commit"
    commit = True


class Olareg(Server):
    name = "olareg"
    candidate_names = ("olareg",)
    version_arguments = ("version",)

    def command(self):
        return [self.binary(), "serve", "--addr", "127.0.0.1", "--port", str(self.port), "--dir", self.path("data"),
                "--api-delete", "--api-blob-delete", "-v", "error"]


KINDS = [Roadstead, RoadsteadTls, Nginx, NginxNopushOff, NginxTls, Floor, Olareg, Zot, ZotCommit, Distribution,
         DockerRegistry]
