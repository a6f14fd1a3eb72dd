"""The Containerfile, built by buildah from a Debian that debootstrap makes, and started. Takes its time: it compiles."""
import json
import os
import shutil
import subprocess
import time

import container
from examples import ROOT, scratch_folder
from harness import Skip, check, equal

BASE, IMAGE = "localhost/roadstead-base:12", "localhost/roadstead:test"


class Buildah:
    def __init__(self, scratch):
        self.storage = ["--root", scratch.path("containers", "root"), "--runroot", scratch.path("containers", "run"),
                        "--storage-driver", "vfs"]

    def command(self, *arguments):
        return ["buildah", *self.storage, *arguments]

    def run(self, *arguments, seconds=600):
        done = subprocess.run(self.command(*arguments), stdout=subprocess.PIPE, text=True, timeout=seconds, check=True)
        return done.stdout.strip()


def make_base(scratch, buildah):
    """What debian:12-slim is: a minimal Debian with its archives."""
    root = scratch.path("base")
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], check=True, stdout=subprocess.DEVNULL, timeout=900)
    # As in those images: what is unpacked there need not survive a loss of power.
    with open(os.path.join(root, "etc", "dpkg", "dpkg.cfg.d", "unsafe-io"), "w", encoding="ascii") as file:
        file.write("force-unsafe-io\n")
    made = buildah.run("from", "scratch")
    buildah.run("copy", made, root, "/")
    buildah.run("commit", "--rm", made, BASE)
    shutil.rmtree(root)


def build(buildah, scratch):
    """Only what git knows, as in a fresh clone. A compiler cache, where there is one, spares most of the time."""
    sources = scratch.path("sources", "x")
    sources = os.path.dirname(sources)
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
                            capture_output=True, check=True).stdout
    subprocess.run(["tar", "-C", ROOT, "--null", "--files-from=-", "-cf", scratch.path("sources.tar")], input=listed, check=True)
    subprocess.run(["tar", "-C", sources, "-xf", scratch.path("sources.tar")], check=True)
    cache = os.path.expanduser("~/.cache/ccache")
    volume = ["--volume", f"{cache}:/root/.cache/ccache"] if os.path.isdir(cache) else []
    arguments = {"BASE": BASE, "JOBS": os.environ.get("ROADSTEAD_JOBS", "")}
    buildah.run("build", "--format", "docker", "--isolation", "chroot", "--layers=false", "--pull-never", *volume,
                *(part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")), "--tag", IMAGE,
                "--file", os.path.join(sources, "deploy", "container", "Containerfile"), sources, seconds=5400)


def check_image(buildah, scratch):
    config = json.loads(buildah.run("inspect", "--type", "image", IMAGE))["Docker"]["config"]
    equal(config["User"], f"{container.UID}:{container.UID}", "the user")
    equal(config["Healthcheck"]["Test"], ["CMD", *container.health_command()], "HEALTHCHECK")
    equal(config["Entrypoint"] + config["Cmd"], ["/usr/bin/roadstead", "serve"], "the command")
    archive = scratch.path("image.tar")
    buildah.run("push", IMAGE, "docker-archive:" + archive)
    size = os.path.getsize(archive)
    print(f"the image has {size / 1e6:.1f} MB")
    check(size < container.SIZE_MAX, f"{size} bytes are too many")


def check_running(buildah):
    made = buildah.run("from", "--pull-never", IMAGE)
    port = container.free_port()
    run = buildah.command("run", "--isolation", "chroot", "--env", f"ROADSTEAD_LISTEN=127.0.0.1:{port}", made, "--")
    server = subprocess.Popen([*run, "/usr/bin/roadstead", "serve"])
    try:
        deadline = time.monotonic() + 120
        while subprocess.run([*run, *container.health_command()], timeout=60, check=False, stderr=subprocess.DEVNULL).returncode != 0:
            check(server.poll() is None and time.monotonic() < deadline, "the container is healthy in time")
            time.sleep(0.5)
    finally:
        server.terminate()
        server.wait(60)


def main():
    missing = [tool for tool in ("debootstrap", "buildah", "git") if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        raise Skip(f"needs root, and {', '.join(missing) or 'nothing else'}")
    with scratch_folder() as scratch:
        buildah = Buildah(scratch)
        make_base(scratch, buildah)
        build(buildah, scratch)
        check_image(buildah, scratch)
        check_running(buildah)
