"""The service: its unit is valid and tight, and the program works as it says and within it."""
import os
import re
import shutil
import socket
import subprocess

from examples import DEPLOY, ExampleServer, make_certificate, read, scratch_folder, use_registry
from harness import check, equal
from server import find_binary

UNIT = os.path.join(DEPLOY, "systemd", "roadstead.service")
# systemd's own estimate, of 100; "OK" ends at 50 there.
EXPOSURE_MAX = 20


def settings_of(section):
    """Name → values of one section of the unit, in order."""
    inside, found = False, {}
    for line in read("systemd", "roadstead.service").splitlines():
        if line.startswith("["):
            inside = line == f"[{section}]"
        elif inside and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def main():
    service = settings_of("Service")
    equal(service["ProtectSystem"], ["strict"], "ProtectSystem")
    equal(service["MemoryDenyWriteExecute"], ["yes"], "MemoryDenyWriteExecute")
    with scratch_folder() as scratch:
        if shutil.which("systemd-analyze"):
            verify(scratch)
            allowed = allowed_calls(service["SystemCallFilter"])
        else:
            print("**** NOT CHECKED: systemd-analyze is not installed: the unit itself, and the calls it allows ****")
            allowed = None
        accounts_and_folders(scratch)
        run(scratch, service, allowed)


def verify(scratch):
    """With a program that is there, and without documentation that is not."""
    text = read("systemd", "roadstead.service").replace("/usr/bin/roadstead", find_binary())
    unit = scratch.write("verify/roadstead.service", text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True,
                          timeout=60, check=False)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "roadstead.service" in line]
    check(done.returncode == 0 and not complaints, f"systemd-analyze verify: {done.returncode} {done.stdout}{done.stderr}")
    wrong = scratch.write("wrong/roadstead.service", text.replace("PrivateTmp=yes", "PrivateTpm=yes"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", wrong], capture_output=True, text=True,
                          timeout=60, check=False)
    check("PrivateTpm" in done.stdout + done.stderr, "a mistake is found")
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE_MAX}", unit],
                          capture_output=True, text=True, timeout=60, check=False)
    overall = re.search(r"Overall exposure level.*", done.stdout)
    print(overall[0] if overall else done.stdout + done.stderr)
    equal(done.returncode, 0, f"exposure of {EXPOSURE_MAX / 10} at most\n{done.stdout}")


def members(group):
    """The system calls of a group, and of the groups in it."""
    done = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", group], capture_output=True, text=True,
                          timeout=60, check=True)
    names = set()
    for line in done.stdout.splitlines():
        name = line.strip()
        if line.startswith(" ") and not name.startswith("#"):
            names |= members(name) if name.startswith("@") else {name}
    return names


def allowed_calls(filters):
    """As systemd reads them: the first list says what is allowed, each further one adds or, with ~, takes away."""
    allowed = set()
    for line in filters:
        named = set()
        for item in line.lstrip("~").split():
            named |= members(item) if item.startswith("@") else {item}
        allowed = allowed - named if line.startswith("~") else allowed | named
    # Always allowed: what every process needs to begin and to end.
    return allowed | members("@default") | {"execve"}


def accounts_and_folders(scratch):
    """The account exists before the folders that it owns."""
    root = scratch.path("root", "etc", "passwd")
    for name in ("passwd", "group"):
        scratch.write(f"root/etc/{name}", "root:x:0:0:root:/root:/bin/sh\n" if name == "passwd" else "root:x:0:\n")
    root = os.path.dirname(os.path.dirname(root))
    if not shutil.which("systemd-sysusers") or os.geteuid() != 0:
        print("**** NOT CHECKED: roadstead.sysusers and roadstead.tmpfiles need systemd's programs, and root ****")
        return
    for program, file in (("systemd-sysusers", "roadstead.sysusers"), ("systemd-tmpfiles", "roadstead.tmpfiles")):
        action = ["--create"] if program == "systemd-tmpfiles" else []
        done = subprocess.run([program, f"--root={root}", *action, os.path.join(DEPLOY, "systemd", file)],
                              capture_output=True, text=True, timeout=60, check=False)
        check(done.returncode == 0, f"{program}: {done.returncode} {done.stdout}{done.stderr}")
    with open(os.path.join(root, "etc", "passwd"), encoding="utf-8") as file:
        entry = next(line.split(":") for line in file if line.startswith("roadstead:"))
    check(int(entry[2]) > 0 and entry[6].strip().endswith("nologin"), f"the account {entry}")
    for folder, mode, owner in (("var/lib/roadstead", 0o700, int(entry[2])), ("etc/roadstead", 0o750, 0)):
        state = os.stat(os.path.join(root, folder))
        equal((state.st_mode & 0o777, state.st_uid), (mode, owner), folder)


def run(scratch, service, allowed):
    """ExecStart with its file and the account's environment; the manager's end of the notification is ours."""
    program, *arguments = service["ExecStart"][0].split()
    equal(program, "/usr/bin/roadstead", "the program")
    check(arguments[0] == "serve" and arguments[1] == "--config", f"{arguments}")
    equal(arguments[2], "/etc/roadstead/roadstead.yml", "the configuration")
    certificate = make_certificate(scratch, "tls")
    text = read("systemd", "roadstead.yml")
    # What is commented out is part of the example as well.
    text = re.sub(r"^# (tls:|  certificate:|  key:|external_url:)", r"\1", text, flags=re.MULTILINE)
    for path, here in (("/var/lib/roadstead", scratch.path("data")), ("/etc/roadstead", certificate)):
        text = text.replace(path, here)
    config = scratch.write("roadstead.yml", text)
    calls = scratch.path("calls")
    server = ExampleServer(scratch, {"ROADSTEAD_ADMIN_PASSWORD": "Admin12345word"}, arguments=["--config", config],
                           ca=os.path.join(certificate, "tls.crt"))
    # Shutdown by SIGTERM to the program itself, which strace is not.
    traced = allowed is not None and shutil.which("strace") is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(scratch.path("notify"))
        manager.settimeout(60)
        server.environment["NOTIFY_SOCKET"] = scratch.path("notify")
        if traced:
            server.arguments = ["-f", "-qq", "-c", "-S", "name", "-U", "name", "-o", calls, find_binary(), "serve",
                                "--config", config]
            server.binary = wrapper(scratch)
        with server:
            equal(manager.recv(4096), b"READY=1", "told the manager that it is ready")
            use_registry(server, "unit")
            check(server.url.startswith("https://"), server.url)
            stop(server, traced)
            equal(manager.recv(4096), b"STOPPING=1", "told the manager that it ends")
    if not traced:
        print("**** NOT CHECKED: which system calls the program makes (strace, systemd-analyze) ****")
        return
    with open(calls, encoding="utf-8") as file:
        made = set(re.findall(r"^(\w+)$", file.read(), re.MULTILINE)) - {"syscall", "total"}
    check({"execve", "accept4", "fsync", "epoll_wait"} & made, f"calls were counted: {made}")
    if os.geteuid() == 0:
        made.discard("fchown")  # SQLite's, which gives files to the owner of the database: as root only.
    equal(sorted(made - allowed), [], "calls that the unit does not allow")
    print(f"{len(made)} different system calls, all of them allowed by the unit")


def wrapper(scratch):
    """Server starts `<binary> serve <arguments>`: this drops the word and becomes strace."""
    path = scratch.write("trace", "#!/bin/sh\nshift\nexec strace \"$@\"\n")
    os.chmod(path, 0o755)
    return path


def stop(server, traced):
    if not traced:
        equal(server.stop(), 0, "ends in time")
        return
    with open(f"/proc/{server.pid}/task/{server.pid}/children", encoding="ascii") as file:
        child = int(file.read().split()[0])
    os.kill(child, 15)
    equal(server.process.wait(45), 0, "ends in time")
