"""Clients that push, pull, re-tag and delete through the balancer, try again as real ones do, and keep a journal.

A request whose answer was lost may be carried out later: a replica that was stopped goes on where it was. So whatever such a
request was about is left `quiet` for a while: the same is asked for again, and nothing else, until no replica can hold it any
more. What was acknowledged holds from then on.
"""
import base64
import collections
import json
import random
import threading
import time

from installation import GRACE_SECONDS
from faults import LONGEST_SECONDS
from model import Broken, Content, HotTags, make_image
from server import PASSWORD
from wire import ANSWER_SECONDS, Lost, Wire

TAGS = [f"t{number}" for number in range(8)]
HOT_TAGS = ["hot0", "hot1", "hot2"]
MANIFESTS_MAX = 15
RETRY_SECONDS = 75  # As long as docker goes on: five times, 5, 10, … 25 s apart.
PAUSE_SECONDS = 2
RESTARTS_MAX = 10  # Of a push, or of an upload in chunks.
# After its client has given it up, a request ends with the faults that hold it, one after the other, or with its own limits.
QUIET_SECONDS = 3 * LONGEST_SECONDS + 10
LOG_LINES = 20_000
OCTETS = ("Content-Type: application/octet-stream",)
ACCEPT = ("Accept: */*",)
COLLECTION = json.dumps({"schedule": {"type": "Manual"}, "parameters": {"workers": 2}}).encode()


class GaveUp(Broken):
    """Tried for as long as real clients do."""


class Place:
    """A repository. Whoever has its `turn` knows exactly what is in it."""

    def __init__(self, project, path):
        self.project, self.name = project, f"{project}/{path}"
        self.turn = threading.Lock()
        self.manifests, self.tags = {}, {}
        self.contents = {}  # What its manifests have, by digest.
        self.gone = collections.deque(maxlen=500)  # Digests whose deletion was acknowledged.
        self.quiet = {}

    def hush(self, *things):
        until = time.monotonic() + QUIET_SECONDS
        self.quiet.update((thing, until) for thing in things)

    def may_change(self, thing):
        return self.quiet.get(thing, 0) < time.monotonic()

    def referenced(self):
        return {digest for manifest in self.manifests.values() for digest in manifest.content_digests}

    def tags_of(self, digest):
        return [tag for tag, target in self.tags.items() if target == digest]


class World:
    def __init__(self, options):
        self.options = options
        self.stop = threading.Event()
        self.log = collections.deque(maxlen=LOG_LINES)
        self.counters, self.counting = collections.Counter(), threading.Lock()
        self.failures = []
        self.places = [Place(project, f"app/r{number}") for project in ("one", "two") for number in range(options.clients)]
        self.hot = Place("one", "hot")
        self.hot_tags = HotTags()
        self.config = Content("cluster config", 300)
        # Rows, single objects, and one that goes in several pieces.
        self.shared = [Content(f"cluster shared {number}", size) for number, size in
                       enumerate([400, 3000, 15_000, 17_000, 40_000, 120_000, 700_000, 1_500_000])]
        self.volatile = [Content(f"cluster volatile {number}", 5000 + 9000 * number) for number in range(6)]
        self.host, self.basic, self.bearer = "", "", ""
        self.longest_wait = 0.0
        self.failed = False  # Has anything been made to fail?

    @property
    def repositories(self):
        return self.places

    def note(self, who, *what):
        self.log.append((time.time(), who, *map(str, what)))

    def count(self, what, number=1):
        with self.counting:
            self.counters[what] += number

    def waited(self, seconds):
        with self.counting:
            self.longest_wait = max(self.longest_wait, seconds)

    def fail(self, text):
        self.note("FAILED", text)
        self.failures.append(text)
        self.stop.set()

    def print_log(self, lines, out):
        for at, who, *what in list(self.log)[-lines:]:
            print(f"{at:.3f} {who:9} {' '.join(what)}", file=out)

    def log_in(self, cluster):
        """The token comes from the replica with the wrong clock, and is good for all."""
        self.host = cluster.host
        self.basic = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        scopes = "&".join(f"scope=repository:{place.name}:pull,push,delete" for place in [*self.places, self.hot])
        status, _, body = cluster.replicas[-1].server.request("GET", f"/service/token?service=harbor-registry&{scopes}")
        if status != 200:
            raise Broken(f"no token: {status} {body[:200]}")
        self.bearer = "Bearer " + json.loads(body)["token"]


class Client(threading.Thread):
    def __init__(self, world, number, host=None):
        super().__init__(name=f"client{number}", daemon=True)
        self.world, self.number = world, number
        self.random = random.Random(f"{world.options.seed}-{number}")
        self.wire = Wire(host or world.host, world.basic if number % 4 == 0 else world.bearer)
        self.place, self.made = None, 0

    def run(self):
        try:
            while not self.world.stop.is_set():
                self.work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has failed
            self.world.fail(f"{self.name}: {error if isinstance(error, Broken) else repr(error)}")
        finally:
            self.wire.close()

    def work(self):
        if self.random.random() < 0.08:
            return self.move_hot_tag()
        place = self.random.choice(self.world.places)
        if not place.turn.acquire(blocking=False):
            return None
        self.place = place
        try:
            choices = [(self.push, 30), (self.retag, 12), (self.pull, 25), (self.delete_manifest, 12), (self.delete_tag, 8),
                       (self.look_for_what_is_gone, 5)]
            if len(place.manifests) > MANIFESTS_MAX:
                choices = [(self.delete_manifest, 1)]
            self.random.choices([what for what, _ in choices], [weight for _, weight in choices])[0]()
        finally:
            place.turn.release()
        return None

    # Requests.

    def ask(self, method, path, body=b"", headers=(), once=False):
        """(answer, sure): tries again until there is one that is not about a server that cannot answer now. `sure` is False
        when an earlier try may be carried out as well. `once`: a loss is the caller's to look into, and raised."""
        begin, pause, sure = time.monotonic(), 0.05, True
        while True:
            self.world.count("requests")
            tried = time.monotonic()
            try:
                answer = self.wire.request(method, path, body, headers)
                if answer.status < 500 and answer.status != 429:
                    if time.monotonic() - begin > 1:
                        self.world.waited(time.monotonic() - begin)
                    return answer, sure
                lost = Lost(f"{answer.status} {answer.error_codes()[:200]}")
                self.world.count(f"answers {answer.status}")
                if answer.status == 500:
                    raise Broken(f"{method} {path}: {answer.status} {answer.error_codes()}")
            except Lost as error:
                lost = error
                self.world.count("lost answers")
            sure = sure and not lost.sent
            self.world.note(self.name, method, path, f"lost after {time.monotonic() - tried:.2f} s:", lost)
            if once and lost.sent:
                raise lost
            if time.monotonic() - begin > RETRY_SECONDS:
                raise GaveUp(f"{method} {path}: no answer in {RETRY_SECONDS} s, the last: {lost}")
            time.sleep(self.random.uniform(0.5, 1) * pause)
            pause = min(2 * pause, PAUSE_SECONDS)

    def path(self, *parts):
        return f"/v2/{self.place.name}/" + "/".join(parts)

    def change(self, what, method, path, body, headers, expected):
        """A change, noted. A deletion that was asked for twice may have found nothing the second time."""
        answer, sure = self.ask(method, path, body, headers)
        self.world.note(self.name, self.place.name, what, answer.status, "" if sure else "(tried again)")
        # The balancer asks twice when the first replica has died of it: then nothing is under way any more.
        twice = not sure or self.world.options.retries_unseen
        if answer.status not in expected and not (method == "DELETE" and answer.status == 404 and twice):
            raise Broken(f"{self.place.name}: {what}: {method} {path} answered {answer.status} {answer.error_codes()}")
        return answer, sure

    # Contents.

    def fresh(self, large=False):
        self.made += 1
        size = self.random.randint(100, 30_000) if not large else self.random.randint(100_000, 2_000_000)
        return Content(f"{self.world.options.seed}/{self.number}/{self.made}", size)

    def layer(self):
        draw = self.random.random()
        if draw < 0.45:
            return self.random.choice(self.world.shared)
        if draw < 0.65:
            return self.random.choice(self.world.volatile)
        return self.fresh(large=draw > 0.95)

    def provide(self, content):
        answer, _ = self.ask("HEAD", self.path("blobs", content.digest))
        if answer.status == 200:
            return
        if self.random.random() < 0.4:
            source = self.random.choice(self.world.places).name
            answer, _ = self.ask("POST", self.path("blobs", f"uploads/?mount={content.digest}&from={source}"))
            if answer.status == 201:
                self.world.count("mounts")
                return
        if content.size > 100_000 or self.random.random() < 0.3:
            self.upload_in_chunks(content)
        else:
            answer, _ = self.ask("POST", self.path("blobs", "uploads", "?digest=" + content.digest), content.data(), OCTETS)
            if answer.status != 201:
                raise Broken(f"{self.place.name}: push of {content.digest}: {answer.status} {answer.error_codes()}")
        self.world.count("uploads")

    def upload_in_chunks(self, content):
        """Goes on where the server says it is; begins again when the server does not know it any more."""
        data = content.data()
        for _ in range(RESTARTS_MAX):
            answer, _ = self.ask("POST", self.path("blobs", "uploads/"))
            if answer.status != 202:
                raise Broken(f"{self.place.name}: an upload was answered {answer.status} {answer.error_codes()}")
            if self.send_chunks(content, data, answer.headers["location"]):
                return
            self.world.count("uploads begun again")
        raise Broken(f"{self.place.name}: {content.digest} cannot be uploaded")

    def send_chunks(self, content, data, location):
        """False when the upload is lost."""
        offset, step = 0, max(1000, len(data) // self.random.randint(1, 4))
        for _ in range(RESTARTS_MAX + 5):
            piece = data[offset:offset + step]
            try:
                if piece:
                    answer, _ = self.ask("PATCH", location, piece,
                                         (*OCTETS, f"Content-Range: {offset}-{offset + len(piece) - 1}"), once=True)
                    if answer.status == 202:
                        location, offset = answer.headers["location"], offset + len(piece)
                        continue
                else:
                    separator = "&" if "?" in location else "?"
                    answer, _ = self.ask("PUT", f"{location}{separator}digest={content.digest}", once=True)
                    if answer.status == 201:
                        return True
                self.world.note(self.name, self.place.name, "chunk", answer.status, answer.error_codes()[:200])
            except Lost:
                pass
            if self.ask("HEAD", self.path("blobs", content.digest))[0].status == 200:
                return True  # The answer was lost, and nothing else.
            answer, _ = self.ask("GET", location)
            if answer.status != 204:
                return False
            self.world.count("uploads resumed")
            last = int(answer.headers["range"].partition("-")[2])
            offset = last + 1 if last else 0
        return False

    # Scenarios.

    def free_tag(self):
        free = [tag for tag in TAGS if self.place.may_change(tag)]
        return self.random.choice(free) if free else None

    def push(self):
        place, tag = self.place, self.free_tag()
        contents = {content.digest: content for content in (self.layer() for _ in range(self.random.randint(1, 4)))}
        self.made += 1
        image = make_image(self.world.config, list(contents.values()), f"{self.world.options.seed}/{self.number}/{self.made}")
        path = self.path("manifests", tag or image.digest)
        sure = True
        for _ in range(RESTARTS_MAX):
            begin = time.monotonic()
            for content in image.blobs:
                self.provide(content)
            answer, this_sure = self.change(f"push {image.digest} {tag}", "PUT", path, image.data,
                                            (f"Content-Type: {image.kind}",), (201, 400, 404))
            sure = sure and this_sure
            if answer.status == 201:
                break
            if time.monotonic() - begin < GRACE_SECONDS / 2:
                raise Broken(f"{place.name}: {image.digest} after {time.monotonic() - begin:.2f} s: {answer.status} "
                             f"{answer.error_codes()}")
            self.world.count("pushes that took too long, repeated")
        else:
            raise Broken(f"{place.name}: {image.digest} cannot be pushed")
        place.manifests[image.digest] = image
        place.contents.update((content.digest, content) for content in image.blobs)
        if tag:
            place.tags[tag] = image.digest
        if not sure:
            place.hush(image.digest, *([tag] if tag else []))
        self.world.count("pushes")

    def retag(self):
        place, tag = self.place, self.free_tag()
        if not place.manifests or tag is None:
            return
        image = self.random.choice(list(place.manifests.values()))
        if not place.may_change(image.digest):
            return
        _, sure = self.change(f"re-tag {image.digest} {tag}", "PUT", self.path("manifests", tag), image.data,
                              (f"Content-Type: {image.kind}",), (201,))
        place.tags[tag] = image.digest
        if not sure:
            place.hush(tag, image.digest)
        self.world.count("re-tags")

    def delete_manifest(self):
        place = self.place
        free = [digest for digest in place.manifests
                if place.may_change(digest) and all(map(place.may_change, place.tags_of(digest)))]
        if not free:
            return
        digest = self.random.choice(free)
        _, sure = self.change(f"delete {digest}", "DELETE", self.path("manifests", digest), b"", (), (202,))
        tags = place.tags_of(digest)
        del place.manifests[digest]
        place.gone.append(digest)
        for tag in tags:
            place.tags[tag] = None
        if not sure:
            place.hush(digest, *tags)
        self.world.count("deletions")

    def delete_tag(self):
        place = self.place
        free = [tag for tag, target in place.tags.items() if target and place.may_change(tag)]
        if not free:
            return
        tag = self.random.choice(free)
        _, sure = self.change(f"delete {tag}", "DELETE", self.path("manifests", tag), b"", (), (202,))
        place.tags[tag] = None
        if not sure:
            place.hush(tag)
        self.world.count("deletions of tags")

    def pull(self):
        """By tag or by digest; now and then with everything in it."""
        place = self.place
        known = [(tag, target) for tag, target in place.tags.items()] + [(digest, digest) for digest in place.manifests]
        if not known:
            return
        reference, digest = self.random.choice(known)
        self.check_manifest(reference, digest)
        if digest and self.random.random() < 0.3:
            for content in place.manifests[digest].blobs:
                self.check_content(content)
        self.world.count("pulls")

    def look_for_what_is_gone(self):
        if self.place.gone:
            self.check_manifest(self.random.choice(self.place.gone), None)

    # What was acknowledged.

    def check_manifest(self, reference, digest):
        """`digest` None: it must not be there."""
        place = self.place
        answer, _ = self.ask("GET", self.path("manifests", reference), headers=ACCEPT)
        if digest is None:
            if answer.status != 404:
                raise Broken(f"{place.name}: {reference} was deleted and is there: {answer.status} "
                             f"{answer.headers.get('docker-content-digest')}")
        elif answer.status != 200 or answer.body != place.manifests[digest].data:
            raise Broken(f"{place.name}: {reference} should be {digest}: {answer.status} "
                         f"{answer.headers.get('docker-content-digest')} {answer.error_codes()[:200]}")

    def check_content(self, content):
        answer, _ = self.ask("GET", self.path("blobs", content.digest))
        if answer.status != 200 or answer.body != content.data():
            raise Broken(f"{self.place.name}: {content.digest} is not whole: {answer.status}, {len(answer.body)} of "
                         f"{content.size} bytes {answer.error_codes()[:200] if answer.status != 200 else ''}")

    # Tags that all clients move.

    def prepare_hot(self):
        self.place = self.world.hot
        for number in range(4):
            self.provide(self.world.config)
            content = Content(f"cluster hot {number}", 4000 + number)
            self.provide(content)
            image = make_image(self.world.config, [content], f"hot {number}")
            self.change(f"push {image.digest}", "PUT", self.path("manifests", f"keep{number}"), image.data,
                        (f"Content-Type: {image.kind}",), (201,))
            self.place.manifests[image.digest] = image
            self.place.contents.update((part.digest, part) for part in image.blobs)
            self.place.tags[f"keep{number}"] = image.digest

    def move_hot_tag(self):
        """Each try counts by itself: one whose answer was lost may come at any time."""
        self.place, hot = self.world.hot, self.world.hot_tags
        tag = self.random.choice(HOT_TAGS)
        image = self.random.choice(list(self.place.manifests.values()))
        write = hot.begin(tag, image.digest)
        try:
            answer, _ = self.ask("PUT", self.path("manifests", tag), image.data, (f"Content-Type: {image.kind}",), once=True)
        except Lost:
            return
        if answer.status != 201:
            raise Broken(f"{self.place.name}:{tag}: {answer.status} {answer.error_codes()}")
        write.end = time.time()
        self.world.count("moves of hot tags")


class Collector(threading.Thread):
    """Asks for one run after the other."""

    def __init__(self, world):
        super().__init__(name="collector", daemon=True)
        self.world, self.wire = world, Wire(world.host, world.basic)
        self.random = random.Random(f"{world.options.seed}-collector")

    def run(self):
        while not self.world.stop.is_set():
            try:
                answer = self.wire.request("POST", "/api/v2.0/system/gc/schedule", COLLECTION,
                                           ("Content-Type: application/json",))
                self.world.count(f"collections answered {answer.status}")
                if answer.status not in (201, 409, 412) and answer.status < 500:
                    self.world.fail(f"a collection was asked for: {answer.status} {answer.error_codes()}")
            except Lost as lost:
                self.world.note(self.name, "lost", lost)
            self.world.stop.wait(self.random.uniform(0.1, 0.6))
        self.wire.close()


assert QUIET_SECONDS > LONGEST_SECONDS and ANSWER_SECONDS >= 20  # wire.py waits longer than the balancer does.
