#!/usr/bin/python3
"""Many clients push, mount, re-tag, pull and delete the same few contents while the collector never rests.

Nobody who goes from the first question to the manifest within half the grace period may be told that a blob is unknown,
no manifest may lose content, and when everything was deleted nothing may be left. README.md.
"""
import argparse
import base64
import collections
import json
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
sys.path.insert(0, HERE)
from model import Broken, Content, digest_of, make_image  # noqa: E402
from server import PASSWORD, Server  # noqa: E402
from wire import Wire  # noqa: E402

GRACE_SECONDS = 6
LEASE_SECONDS = 1
TAGS = [f"t{number}" for number in range(6)]
OCTETS = ("Content-Type: application/octet-stream",)
ACCEPT = ("Accept: application/vnd.oci.image.manifest.v1+json",)
COLLECTION = json.dumps({"schedule": {"type": "Manual"},
                         "parameters": {"delete_untagged": True, "workers": 2}}).encode()
END_SECONDS = 120
LEFT = {
    "blobs": 'SELECT COUNT(*) FROM "blob"',
    "repository_blob rows": "SELECT COUNT(*) FROM repository_blob",
    "manifests": "SELECT COUNT(*) FROM manifest",
    "artifacts": "SELECT COUNT(*) FROM artifact",
    "deleted artifacts": "SELECT COUNT(*) FROM artifact_trash",
    "locations to remove": "SELECT COUNT(*) FROM deleting",
    "usage": "SELECT COALESCE((SELECT SUM(used) FROM quota), 0) + COALESCE((SELECT SUM(bytes) FROM quota_delta), 0) - "
             "COALESCE((SELECT SUM(headroom) FROM quota_slice), 0)",
    "repositories": "SELECT COUNT(*) FROM repository"}


class World:
    def __init__(self, server, options):
        self.server, self.options = server, options
        self.authorization = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        self.counters, self.counting = collections.Counter(), threading.Lock()
        self.stop = threading.Event()
        self.failures = []
        self.config = Content("soak config", 200)
        self.contents = [Content(f"soak {number}", 100 if number % 3 else 40_000 + number)
                         for number in range(options.contents)]
        self.by_digest = {content.digest: content for content in [*self.contents, self.config]}
        self.repositories = ["one/a", "one/b", "two/a"]

    def wire(self):
        return Wire(self.server.host, self.authorization)

    def count(self, what):
        with self.counting:
            self.counters[what] += 1

    def fail(self, text):
        self.failures.append(text)
        self.stop.set()


class Client(threading.Thread):
    def __init__(self, world, number):
        super().__init__(name=f"client{number}", daemon=True)
        self.world, self.random = world, random.Random(world.options.seed * 1000 + number)
        self.wire = world.wire()

    def run(self):
        try:
            while not self.world.stop.is_set():
                self.random.choices([self.push, self.retag, self.pull, self.delete], [4, 2, 3, 5])[0]()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has failed
            self.world.fail(f"{self.name}: {error!r}")

    def ask(self, method, path, body=b"", headers=()):
        self.world.count("requests")
        answer = self.wire.request(method, path, body, headers)
        if answer.status >= 500:
            raise Broken(f"{method} {path}: {answer.status} {answer.error_codes()}")
        return answer

    def provide(self, repository, content):
        path = f"/v2/{repository}/blobs"
        if self.ask("HEAD", f"{path}/{content.digest}").status == 200:
            return
        if self.random.random() < 0.5:
            source = self.random.choice(self.world.repositories)
            answer = self.ask("POST", f"{path}/uploads/?mount={content.digest}&from={source}")
            if answer.status == 201:
                self.world.count("mounts")
                return
        answer = self.ask("POST", f"{path}/uploads/?digest={content.digest}", content.data(), OCTETS)
        if answer.status != 201:
            raise Broken(f"upload of {content.digest}: {answer.status} {answer.error_codes()}")
        self.world.count("uploads")

    def push(self):
        world = self.world
        repository = self.random.choice(world.repositories)
        layers = self.random.sample(world.contents, self.random.randint(1, 4))
        image = make_image(world.config, layers, "soak")
        begin = time.monotonic()
        for content in [world.config, *layers]:
            self.provide(repository, content)
        name = self.random.choice([*TAGS, image.digest])
        answer = self.ask("PUT", f"/v2/{repository}/manifests/{name}", image.data, (f"Content-Type: {image.kind}",))
        in_time = time.monotonic() - begin < GRACE_SECONDS / 2
        if answer.status == 201:
            world.count("pushes")
        elif b"UNKNOWN" in answer.body and not in_time:
            world.count("too slow")
        else:
            world.fail(f"push to {repository} after {time.monotonic() - begin:.2f} s: {answer.status} "
                       f"{answer.error_codes()}")

    def manifest(self, repository, reference):
        answer = self.ask("GET", f"/v2/{repository}/manifests/{reference}", headers=ACCEPT)
        return answer.body if answer.status == 200 else None

    def retag(self):
        repository = self.random.choice(self.world.repositories)
        body = self.manifest(repository, self.random.choice(TAGS))
        if body is None:
            return
        answer = self.ask("PUT", f"/v2/{repository}/manifests/{self.random.choice(TAGS)}", body,
                          ("Content-Type: application/vnd.oci.image.manifest.v1+json",))
        # Deleted meanwhile, its content may be on its way out: the client did not ask for it.
        self.world.count("re-tags" if answer.status == 201 else "re-tags of what went")

    def pull(self):
        repository = self.random.choice(self.world.repositories)
        body = self.manifest(repository, self.random.choice(TAGS))
        if body is not None:
            self.check_whole(repository, body)
            self.world.count("pulls")

    def check_whole(self, repository, body):
        document = json.loads(body)
        for part in [document["config"], *document["layers"]]:
            for attempt in range(3):
                answer = self.ask("GET", f"/v2/{repository}/blobs/{part['digest']}")
                if answer.status == 200:
                    if answer.body != self.world.by_digest[part["digest"]].data():
                        self.world.fail(f"{part['digest']}: wrong bytes")
                    break
                if self.manifest(repository, digest_of(body)) is None:
                    return  # Deleted while we pulled.
                if attempt == 2:
                    self.world.fail(f"{repository}: {digest_of(body)} has lost {part['digest']}")

    def delete(self):
        repository = self.random.choice(self.world.repositories)
        reference = self.random.choice(TAGS)
        if self.random.random() < 0.6:
            body = self.manifest(repository, reference)
            if body is None:
                return
            reference = digest_of(body)
        answer = self.ask("DELETE", f"/v2/{repository}/manifests/{reference}")
        self.world.count("deletions" if answer.status == 202 else "deletions of what was not there")


class Collector(threading.Thread):
    """Asks for a run as soon as the one before is over."""

    def __init__(self, world):
        super().__init__(name="collector", daemon=True)
        self.world, self.wire = world, world.wire()

    def run(self):
        try:
            while not self.world.stop.is_set():
                answer = self.wire.request("POST", "/api/v2.0/system/gc/schedule", COLLECTION,
                                           ("Content-Type: application/json",))
                if answer.status == 201:
                    self.world.count("collections")
                elif answer.status != 409:
                    raise Broken(f"collection: {answer.status} {answer.error_codes()}")
                self.world.stop.wait(0.05)
        except Exception as error:  # noqa: BLE001
            self.world.fail(f"collector: {error!r}")


def check_everything(world):
    """All that is there is whole."""
    client = Client(world, 999)
    for repository in world.repositories:
        tags = client.ask("GET", f"/v2/{repository}/tags/list")
        for tag in json.loads(tags.body).get("tags") or [] if tags.status == 200 else []:
            client.check_whole(repository, client.manifest(repository, tag))
            world.count("checked at the end")


def empty(world):
    """Deletes all that is there; what is left of it afterwards, by name."""
    for repository in world.repositories:
        project, _, name = repository.partition("/")
        world.server.api("DELETE", f"/projects/{project}/repositories/{name}", expected=(200, 404))
    deadline, store = time.monotonic() + END_SECONDS, world.server.backend.store
    while True:
        time.sleep(GRACE_SECONDS / 2)
        world.server.api("POST", "/system/gc/schedule", json.loads(COLLECTION), expected=(201, 409))
        time.sleep(1)
        late = time.monotonic() > deadline
        if late or not store.keys():
            world.server.stop()
            left = {name: int(world.server.backend.value(sql)) for name, sql in LEFT.items()}
            left["files"] = len(store.keys())
            left = {name: number for name, number in left.items() if number}
            if late or not left:
                return left
            world.server.start()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--contents", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    environment = {"ROADSTEAD_GC_GRACE_SECONDS": str(GRACE_SECONDS), "ROADSTEAD_GC_INTERVAL_SECONDS": "1",
                   "ROADSTEAD_LEASE_SECONDS": str(LEASE_SECONDS), "ROADSTEAD_LOG_ACCESS": "false",
                   "ROADSTEAD_LOG_LEVEL": "warning"}
    with Server(environment=environment) as server:
        server.create_project("one")
        server.create_project("two")
        world = World(server, options)
        threads = [Client(world, number) for number in range(options.clients)] + [Collector(world)]
        for thread in threads:
            thread.start()
        world.stop.wait(options.seconds)
        world.stop.set()
        for thread in threads:
            thread.join()
        check_everything(world)
        runs = server.api("GET", "/system/gc?page_size=50")
        failed = [run["job_parameters"] for run in runs if run["job_status"] == "Error"]
        purged = sum(json.loads(run["job_parameters"])["purged_blobs"] for run in runs)
        left = {} if world.failures else empty(world)
    print(f"seed {options.seed}: " + ", ".join(f"{number} {what}" for what, number in sorted(world.counters.items()))
          + f"; {purged} blobs removed by the last {len(runs)} collections")
    for failure in world.failures + failed + [f"left behind: {number} {what}" for what, number in left.items()]:
        print("FAILED:", failure)
    if world.counters["pushes"] == 0 or world.counters["collections"] == 0 or purged == 0:
        print("FAILED: nothing happened")
        return 1
    return 1 if world.failures or failed or left else 0


if __name__ == "__main__":
    sys.exit(main())
