"""An old registry moves in whose storage is a bucket: CNCF distribution's own S3 driver wrote it, byte for byte."""
import hashlib
import os
import subprocess
import time

from backends import storage_kind
from cases.backup import roadstead
from cases.import_distribution import (EAGER, Old, count_manifests, fill, find_all, found_by_subject, lives_on,
                                       private_projects, record, same, sub)
from harness import Scratch, Skip, check, equal, started
from server import find_binary, program_environment

import versitygw

PREFIX = "old/registry"
IMAGES = 10


def main():
    if versitygw.find() is None:
        raise Skip("versitygw is neither built (tests/e2e/clients) nor installed")
    if storage_kind() != "file":
        raise Skip("it brings a bucket of its own, and a directory to copy into")
    for binary in find_all():
        print("**", binary, flush=True)
        scratch = Scratch()
        try:
            with versitygw.Versitygw(scratch.path("gateway")) as gateway:
                moves_in(binary, scratch, gateway)
        finally:
            scratch.remove()


def moves_in(binary, scratch, gateway):
    with old_registry(binary, scratch, gateway) as old:
        fill(old, scratch, IMAGES)
        recorded = record(old)
    objects = objects_of(gateway)
    check(len(objects) > 100, f"{len(objects)} objects")
    url = gateway.storage_url(PREFIX)
    environment = {**EAGER, **gateway.environment, "ROADSTEAD_STORAGE_URL": url}
    with started(environment, scratch=sub(scratch, "running")) as case:
        before_the_import(case)
        equal(objects_of(gateway), objects, "objects of a registry that was not imported yet")
        in_a_running_server(case, gateway, recorded)
        lives_on(case, recorded)
        equal(objects_of(gateway), objects, "what the old registry had")
    without_a_server(scratch, gateway, recorded)
    copied(scratch, gateway, recorded)
    equal(objects_of(gateway), objects, "what the old registry had")
    # And back: nothing was moved.
    with old_registry(binary, scratch, gateway) as old:
        again = record(old)
        equal({name: again.get(name) for name in recorded}, recorded, "what distribution serves afterwards")


def old_registry(binary, scratch, gateway):
    driver = {"accesskey": versitygw.ACCESS_KEY, "secretkey": versitygw.SECRET_KEY, "region": versitygw.REGION,
              "regionendpoint": gateway.endpoint, "bucket": versitygw.BUCKET, "rootdirectory": "/" + PREFIX,
              "secure": False, "v4auth": True, "forcepathstyle": True}
    return Old(binary, scratch, None, {"s3": driver})


def root_of(gateway):
    """The gateway keeps objects as files."""
    return os.path.join(gateway.root, versitygw.BUCKET, PREFIX)


def objects_of(gateway):
    """Those of the old registry: when they were written and what they hold."""
    found = {}
    for folder, _, names in os.walk(os.path.join(root_of(gateway), "docker")):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[path] = os.stat(path).st_mtime_ns, hashlib.sha256(file.read()).hexdigest()
    return found


def before_the_import(case):
    """What lies there without a row is not what the program left behind."""
    case.server.kill()
    case.server.start()
    roadstead(case.server.data, "fsck", "--repair")
    time.sleep(3)  # The collector looks every second.


def import_of(case, url, *more, expected=0):
    return roadstead(case.server.data, "import", "distribution", "--root", url, *more, expected=expected)


def in_a_running_server(case, gateway, recorded):
    url = gateway.storage_url(PREFIX)
    for wrong, more, message in ((gateway.storage_url("old"), [], "is not the store"),
                                 (url, ["--copy"], "is the store itself"),
                                 ("s3://b?secret=1", [], "--root: s3 URL"),
                                 (root_of(gateway), [], "is not the store, which is s3://")):
        text = import_of(case, wrong, *more, expected=4)
        check(message in text, text)
    text = import_of(case, url, "--verify")
    print(text, end="", flush=True)
    tags = sum(len(tags) for name, tags in recorded.items() if isinstance(name, str) and name != "catalog")
    count = count_manifests(root_of(gateway))
    check(f"imported {len(recorded['catalog'])} repositories: {count} manifests and {tags} tags are new" in text, text)
    same(case, recorded)
    again = import_of(case, url)
    check(": 0 manifests and 0 tags are new" in again and "\n0 blobs" in again, again)
    private_projects(case)
    found_by_subject(case, recorded)


def without_a_server(scratch, gateway, recorded):
    url = gateway.storage_url(PREFIX)
    environment = {**gateway.environment, "ROADSTEAD_STORAGE_URL": url}
    with started(environment, scratch=sub(scratch, "stopped")) as case:
        case.server.stop()
        done = subprocess.run([find_binary(), "import", "distribution", "--root", url, "--storage-url", url],
                              env={**program_environment(case.server.data), **environment}, capture_output=True,
                              text=True, timeout=300, check=False)
        equal(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout, end="", flush=True)
        case.server.start()
        same(case, recorded)


def copied(scratch, gateway, recorded):
    """Out of the bucket, into a directory."""
    with started(gateway.environment, scratch=sub(scratch, "copied")) as case:
        text = import_of(case, gateway.storage_url(PREFIX), expected=4)
        check("--copy" in text, text)
        text = import_of(case, gateway.storage_url("nothing"), "--copy", expected=4)
        check("there is nothing to import" in text, text)
        print(import_of(case, gateway.storage_url(PREFIX), "--copy"), end="", flush=True)
        same(case, recorded)
        roadstead(case.server.data, "fsck", "--deep")
