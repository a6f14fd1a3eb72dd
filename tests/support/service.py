"""A server that a test starts for itself: a scratch directory, a free port, an unprivileged user, and signals to all of its
processes by their ids."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guard  # noqa: E402

POLL_SECONDS = 0.01
PORT_ATTEMPTS = 5  # Between choosing a free port and listening on it, somebody else may take it.
UNPRIVILEGED = "nobody"
SETTLE_SECONDS = 30


class ServiceError(Exception):
    pass


class NotInstalled(ServiceError):
    """The program is not on this machine; `./x setup test` installs it."""


def find_program(name, *folders):
    for folder in [*folders, "/usr/local/sbin", "/usr/sbin", "/sbin"]:
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    path = shutil.which(name)
    if path is None:
        raise NotInstalled(f"{name} is not installed (./x setup test)")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _parents():
    """{process id: id of its parent} of all processes that are not zombies."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                    # The command's name stands in parentheses and may hold anything.
                    state, parent = file.read().rpartition(")")[2].split()[:2]
            except OSError:
                continue  # It ended meanwhile.
            if state not in "ZX":
                parents[int(name)] = int(parent)
    return parents


def process_tree(pid):
    """The process and all that descend from it, parents first; empty when it has ended."""
    parents = _parents()
    found = [pid] if pid in parents else []
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found


def listens(pids, port):
    """Does one of these processes listen on that TCP port?"""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        inodes |= {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    for pid in pids:
        try:
            if any(os.readlink(f"/proc/{pid}/fd/{name}") in inodes for name in os.listdir(f"/proc/{pid}/fd")):
                return True
        except OSError:
            continue  # It, or the descriptor, is gone.
    return False


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def wait_until_alone(count, complaint):
    """Until `count()`, the number of other sessions, is none."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while count() > 0:
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.002)


class Service:
    """Use as a context manager. Subclasses say how it is prepared, called and asked whether it answers. Methods are called by
    one thread at a time."""

    name = "service"
    start_seconds = 60
    stop_seconds = 30
    stop_signal = signal.SIGTERM
    # The port of a service is kept over restarts; only the first start may choose another.
    needs_unprivileged = True

    def __init__(self):
        # A short path: a unix socket's name has at most 107 characters.
        self.scratch = tempfile.mkdtemp(prefix=f"rs-{self.name[:10]}-", dir="/tmp")
        self.owner = None
        if os.geteuid() == 0 and self.needs_unprivileged:
            self.owner = pwd.getpwnam(UNPRIVILEGED)
            os.chown(self.scratch, self.owner.pw_uid, self.owner.pw_gid)
        self.log_path = os.path.join(self.scratch, "log")
        self.port = 0
        self.process = None
        self.prepared = False

    # What subclasses say.

    def prepare(self):
        """Once, before the first start."""

    def command(self):
        """The program and its arguments; called before each start, with `self.port` set."""
        raise NotImplementedError

    def answers(self):
        """Does it serve requests? Raises nothing for a server that is not ready yet."""
        return True

    # What callers use.

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        if not self.prepared:
            self.prepare()
            self.prepared = True
        attempts = 1 if self.port else PORT_ATTEMPTS
        while True:
            attempts -= 1
            chosen, self.port = self.port, self.port or free_port()
            try:
                self._start()
                return self
            except ServiceError:
                self.kill()
                self.port = chosen
                if attempts <= 0:
                    raise

    def _start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.scratch, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, **self.as_owner())
        guard.watch(self.pid, self.scratch)
        deadline = time.monotonic() + self.start_seconds
        while not (listens(process_tree(self.pid), self.port) and self.answers()):
            if self.process.poll() is not None:
                raise ServiceError(f"{self.name} ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServiceError(f"{self.name} does not answer:\n{self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def as_owner(self):
        """Arguments for subprocess that give up the rights of root."""
        if self.owner is None:
            return {}
        return {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": [],
                "env": {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.scratch, "LC_ALL": "C.UTF-8"}}

    def run(self, *command, seconds=120):
        """A program of the server's package as the server's user; returns what it printed."""
        done = subprocess.run(command, cwd=self.scratch, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False, **self.as_owner())
        if done.returncode != 0:
            raise ServiceError(f"{os.path.basename(command[0])} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def write(self, name, text):
        """A file that only the server's user reads; returns its path."""
        path = os.path.join(self.scratch, name)
        with open(path, "w", encoding="utf-8") as file:
            os.chmod(path, 0o600)
            if self.owner is not None:
                os.chown(path, self.owner.pw_uid, self.owner.pw_gid)
            file.write(text)
        return path

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Gently; what does not end in time is killed, and that raises."""
        if not self.alive():
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServiceError(f"{self.name} did not stop:\n{self.log_tail()}") from None

    def kill(self):
        """kill -9 of all of its processes at once, as when the machine dies (what it wrote stays written)."""
        if self.process is None:
            return
        pids = process_tree(self.pid)
        # Stopped first, so that none is born, and none cleans up, between the signals.
        signal_all(pids, signal.SIGSTOP)
        pids = process_tree(self.pid) or pids
        signal_all(pids, signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + self.stop_seconds
        while set(pids) & set(_parents()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def restart(self):
        self.stop()
        return self.start()

    def pause(self):
        """It keeps its connections and does nothing, until resume()."""
        signal_all(process_tree(self.pid), signal.SIGSTOP)

    def resume(self):
        signal_all(process_tree(self.pid), signal.SIGCONT)

    def log_tail(self, lines=40):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except FileNotFoundError:
            return ""

    def close(self):
        try:
            if self.alive():
                self.resume()
            self.stop()
        except ServiceError as error:
            sys.stderr.write(f"{error}\n")
        finally:
            self.kill()
            shutil.rmtree(self.scratch, ignore_errors=True)


class ServerDatabase:
    """One database on a server of a test's own, and the user that may do everything in it."""

    scheme = ""  # Of its URL.

    def __init__(self, server, name, user, password):
        self.server, self.name, self.user, self.password = server, name, user, password

    def url_at(self, host, port):
        """As seen through a proxy or a pooler."""
        return f"{self.scheme}://{self.user}:{self.password}@{host}:{port}/{self.name}"

    @property
    def url(self):
        return self.url_at("127.0.0.1", self.server.port)

    @property
    def environment(self):
        return {"ROADSTEAD_DATABASE_URL": self.url}
