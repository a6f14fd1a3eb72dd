"""The image without a builder: what `collect` gathers is complete, small, and works alone, as its Containerfile says."""
import json
import os
import re
import shutil
import subprocess
import time

from examples import DEPLOY, check_variables, free_port, read, scratch_folder
from harness import Skip, check, equal
from server import find_binary

SIZE_MAX = 60 * 10**6
UID = 65532


def instructions():
    """(name, arguments) of the last stage, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", read("container", "Containerfile"), flags=re.MULTILINE))
    stage = text[text.rindex("\nFROM "):]
    return [tuple(line.split(None, 1)) for line in stage.splitlines() if line.strip()]


def values(name):
    return [arguments for instruction, arguments in instructions() if instruction == name]


def environment():
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(values("ENV"))))


def health_command():
    return json.loads(values("HEALTHCHECK")[0].partition("CMD ")[2])


def size_of(folder):
    return sum(os.lstat(os.path.join(parent, name)).st_size for parent, _, names in os.walk(folder) for name in names)


def check_containerfile():
    equal(values("FROM"), ["scratch"], "the last stage")
    equal(values("USER"), [f"{UID}:{UID}"], "the user")
    equal(json.loads(values("ENTRYPOINT")[0]) + json.loads(values("CMD")[0]), ["/usr/bin/roadstead", "serve"], "the command")
    equal(health_command(), ["/usr/bin/roadstead", "health"], "HEALTHCHECK")
    check(environment()["ROADSTEAD_DATA_DIR"] in values("VOLUME"), "the data is a volume")
    check_variables([name for name in environment() if name.startswith("ROADSTEAD_")], "Containerfile")
    check("latest" not in read("container", "Containerfile"), "no moving tags")


def collect(folder):
    program = os.path.join(DEPLOY, "container", "collect")
    subprocess.run([program, find_binary(), folder], check=True, timeout=120)
    again = subprocess.run([program, find_binary(), folder], capture_output=True, timeout=120, check=False)
    check(again.returncode != 0, "nothing is added to what is there")


def inside(folder, *command, **more):
    """Runs a command of the image as its user, with nothing but the image and /proc to see, which is what a
    container has. The mount is of this one process."""
    os.makedirs(os.path.join(folder, "proc"), exist_ok=True)
    script = 'folder=$1 user=$2; shift 2; mount --rbind /proc "$folder/proc" && exec chroot --userspec="$user" "$folder" "$@"'
    # By their paths: the variables are those of the image, PATH among them.
    shell = ["/bin/sh", "-c", f"PATH=/usr/sbin:/usr/bin:/sbin:/bin; {script}", "sh", folder, f"{UID}:{UID}", *command]
    return subprocess.Popen([shutil.which("unshare"), "--mount", "--propagation", "private", *shell], **more)


def check_running(folder):
    port = free_port()
    variables = {**environment(), "ROADSTEAD_LISTEN": f"127.0.0.1:{port}"}
    health = inside(folder, *health_command(), env=variables, stderr=subprocess.DEVNULL)
    equal(health.wait(30), 1, "health before the start")
    with open(folder + ".log", "wb") as log:
        server = inside(folder, "/usr/bin/roadstead", "serve", env=variables, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while inside(folder, *health_command(), env=variables, stderr=subprocess.DEVNULL).wait(30) != 0:
            if server.poll() is not None or time.monotonic() > deadline:
                with open(folder + ".log", encoding="utf-8") as log:
                    raise AssertionError("the image does not serve: " + log.read()[-2000:])
            time.sleep(0.1)
        data = os.path.join(folder, environment()["ROADSTEAD_DATA_DIR"].lstrip("/"))
        equal(os.stat(os.path.join(data, "roadstead.db")).st_uid, UID, "the owner of what it writes")
        written = [name for name in os.listdir(folder) if name not in
                   ("bin", "etc", "lib", "lib64", "proc", "tmp", "usr", "var")]
        equal(written, [], "nothing else is written")
        server.terminate()
        equal(server.wait(45), 0, "ends in time")
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def main():
    check_containerfile()
    with scratch_folder() as scratch:
        folder = scratch.path("image")
        collect(folder)
        size = size_of(folder)
        print(f"the image holds {size / 1e6:.1f} MB in {sum(len(names) for _, _, names in os.walk(folder))} files")
        check(size < SIZE_MAX, f"{size} bytes are too many")
        for path in ("etc/passwd", "etc/group", "etc/nsswitch.conf", "tmp", "var/lib/roadstead"):
            check(os.path.exists(os.path.join(folder, path)), path)
        if os.geteuid() != 0:
            raise Skip("it takes root to run a program with nothing but the image")
        os.chmod(scratch.folder, 0o755)
        check_running(folder)
