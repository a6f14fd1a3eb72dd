"""Starts the real program on a scratch data directory and a free port, and stops it by its process id."""
import base64
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guard  # noqa: E402
from backends import backend_of  # noqa: E402

PASSWORD = "Harbor12345"
START_SECONDS = 60  # Generous: the sanitizer build on a busy machine hashes a password first.


class StartError(Exception):
    pass


def find_binary():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.environ.get("ROADSTEAD", os.path.join(root, "build/release/roadstead"))


def program_environment(data, more=None):
    """For any command of the program on the installation in that data directory: nothing of ours that it would take for a
    setting, and where its rows and contents are. `more` wins."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ROADSTEAD_")}
    return {**environment, "ROADSTEAD_DATA_DIR": data, **backend_of(data).environment, **(more or {})}


class Server:
    """One running roadstead. Use as a context manager, or call start() and close()."""

    def __init__(self, binary=None, scratch=None, environment=None, arguments=(), ca=None):
        self.binary = binary or find_binary()
        self.owns_scratch = scratch is None
        self.scratch = scratch or tempfile.mkdtemp(prefix="roadstead-test-")
        self.data = os.path.join(self.scratch, "data")
        self.log_path = os.path.join(self.scratch, "server.log")
        self.environment = environment or {}
        self.arguments = list(arguments)
        self.ca = ca
        self.listen = "127.0.0.1:0"
        self.process = None
        self.url = ""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.close(show_log=kind is not None and kind is not SystemExit)

    @property
    def host(self):
        """host:port, as image references name it."""
        return urllib.parse.urlsplit(self.url).netloc

    @property
    def pid(self):
        return self.process.pid

    @property
    def backend(self):
        """Its database and its store, whether it runs or not."""
        return backend_of(self.data)

    def rows(self, sql):
        """Of its database, while it runs or not: a list of tuples of strings, None for NULL."""
        return self.backend.rows(sql)

    def launch(self):
        """Starts the process and waits for nothing."""
        environment = program_environment(self.data, {"ROADSTEAD_LISTEN": self.listen, "ROADSTEAD_ADMIN_PASSWORD": PASSWORD,
                                                      **self.environment})
        self.urls = os.path.join(self.data, "run", "urls")
        if os.path.exists(self.urls):
            os.remove(self.urls)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.binary, "serve", *self.arguments], env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        guard.watch(self.pid, self.scratch if self.owns_scratch else "")

    def start(self):
        self.launch()
        self.url = self._wait(lambda: self._read_url(self.urls), "did not say where it listens")
        # A restart keeps the address, as a real one would.
        self.listen = self.host
        self._wait(self._answers, "does not answer")
        return self

    def _wait(self, ready, complaint):
        """Polls a condition of another process: there is nothing to be notified by."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise StartError(f"the server ended with {self.process.returncode}:\n{self.log_tail()}")
            found = ready()
            if found:
                return found
            time.sleep(0.01)
        raise StartError(f"the server {complaint}:\n{self.log_tail()}")

    @staticmethod
    def _read_url(path):
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            return None
        return text.split()[0].rstrip("/") if text.endswith("\n") and text.split() else None

    def _answers(self):
        try:
            status, _, _ = self.request("GET", "/v2/", authenticated=False)
            return status in (200, 401)
        except OSError:
            return False

    def log_tail(self, lines=40):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def stop(self, how=signal.SIGTERM, seconds=30):
        """Signals our own process and waits; returns its exit status."""
        if self.process is None or self.process.poll() is not None:
            return None if self.process is None else self.process.returncode
        self.process.send_signal(how)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def kill(self):
        return self.stop(signal.SIGKILL)

    def close(self, show_log=False):
        try:
            self.stop()
        finally:
            if show_log:
                sys.stderr.write("---- last lines of the server's log ----\n" + self.log_tail())
            if self.owns_scratch:
                shutil.rmtree(self.scratch, ignore_errors=True)

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def peak_rss_bytes(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def request(self, method, path, body=None, user="admin", password=PASSWORD, authenticated=True,
                headers=None):
        """(status, headers, bytes); never raises for a status. `path` may be an absolute URL."""
        url = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
        if authenticated:
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            request.add_header("Authorization", "Basic " + token)
        context = ssl.create_default_context(cafile=self.ca) if url.startswith("https") else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        try:
            with opener.open(request, timeout=120) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, answer.read()

    def api(self, method, path, value=None, expected=(200, 201), **keywords):
        """Calls the REST API with JSON; returns the decoded answer and insists on the status."""
        body = None if value is None else json.dumps(value).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        status, answer_headers, text = self.request(method, "/api/v2.0" + path, body,
                                                    headers=headers, **keywords)
        if status not in expected:
            raise AssertionError(f"{method} {path}: {status} {text[:500]!r}")
        return json.loads(text) if text.strip() else answer_headers

    def create_project(self, name, public=False):
        self.api("POST", "/projects", {"project_name": name, "metadata": {"public": str(public).lower()}},
                 expected=(201,))
        return name

    def create_user(self, name, password="Pass12345word"):
        self.api("POST", "/users", {"username": name, "email": name + "@example.org", "realname": name,
                                    "password": password, "comment": ""}, expected=(201,))
        return name

    def add_member(self, project, user, role):
        self.api("POST", f"/projects/{project}/members",
                 {"role_id": role, "member_user": {"username": user}}, expected=(201,))
