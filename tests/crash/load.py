"""One client: random work on one repository at a time, with every change noted before it is asked for."""
import json
import random
import threading
import time

from model import Broken, Content, OCI_MANIFEST, Op, Upload, descriptor, make_image, make_index
from wire import Lost, Wire

TAGS = [f"t{number}" for number in range(8)]
HOT_TAGS = ["hot0", "hot1", "hot2"]
MANIFESTS_MAX = 25
UPLOADS_MAX = 3
UPLOAD_SECONDS = 45  # Less than the server keeps them.
UNKNOWN = "sha256:" + "0" * 64
OCTETS = ("Content-Type: application/octet-stream",)


class Refused(Exception):
    """The project's quota is used up."""


class Client(threading.Thread):
    """Works until `stop` is set or the server is gone. Ends with `failure` set when a promise was broken."""

    def __init__(self, world, number, seed, stop):
        super().__init__(name=f"client{number}", daemon=True)
        self.world, self.number, self.stop = world, number, stop
        self.random = random.Random(seed)
        self.wire = Wire(world.address, world.authorization)
        self.failure = None
        self.repository = None
        self.made = 0
        self.prefix = seed

    def run(self):
        try:
            while not self.stop.is_set():
                self.work()
        except Lost as lost:
            self.world.note(self.name, "lost", str(lost))
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has failed
            self.failure = error
        finally:
            self.wire.close()

    def work(self):
        if self.random.random() < 0.1:
            return self.work_on_hot()
        repository = self.random.choice(self.world.repositories)
        if repository.pending is not None or not repository.turn.acquire(blocking=False):
            return None
        self.repository = repository
        try:
            self.choose()()
        except Refused:
            self.make_room()
        finally:
            repository.turn.release()
        return None

    def choose(self):
        choices = [(self.push_image, 30), (self.retag, 8), (self.push_index, 8), (self.push_referrer, 8),
                   (self.delete_manifest, 8), (self.delete_tag, 7), (self.delete_content, 7), (self.push_content, 4),
                   (self.churn, 8), (self.resume, 8), (self.leave_upload, 4), (self.wrong_digest, 2), (self.read, 6),
                   (self.delete_repository, 0.3)]
        if len(self.repository.manifests) > MANIFESTS_MAX:
            choices = [(self.delete_manifest, 1)]
        return self.random.choices([what for what, _ in choices], [weight for _, weight in choices])[0]

    # Requests.

    def ask(self, method, path, body=b"", headers=(), authorization=None):
        self.world.count("requests")
        return self.wire.request(method, path, body, headers, authorization)

    def change(self, op, method, path, body=b"", headers=(), expected=(), authorization=None):
        """Asks for a change; raises Refused for a full project, Broken for any status that is not expected."""
        repository = self.repository
        repository.pending = op
        op.begin = time.time()
        try:
            answer = self.ask(method, path, body, headers, authorization)
        except Lost as lost:
            self.world.note(self.name, repository.name, op, "lost")
            if not lost.sent:
                repository.pending = None
            raise
        op.end = time.time()
        repository.pending = None
        self.world.note(self.name, repository.name, op, answer.status)
        self.world.count(op.kind)
        if answer.status == 403 and repository.project.limit >= 0 and b"DENIED" in answer.body:
            self.world.count("refused for quota")
            raise Refused
        if answer.status not in expected:
            raise Broken(f"{repository.name}: {op}: {method} {path} answered {answer.status} {answer.error_codes()}")
        return answer

    def path(self, *parts):
        return f"/v2/{self.repository.name}/" + "/".join(parts)

    # Contents.

    def fresh(self, small=False):
        self.made += 1
        draw = self.random.random()
        if small or draw < 0.72:
            size = self.random.randint(40, 16384)
        elif draw < 0.97 or self.repository.project.limit >= 0:
            size = self.random.randint(16384, 120_000)
        else:
            size = self.random.randint(1 << 20, 4 << 20)
        return Content(f"{self.prefix}/{self.number}/{self.made}", size)

    def pick_layer(self):
        draw = self.random.random()
        shared = self.world.shared if self.repository.project.limit < 0 else self.world.shared_small
        if draw < 0.4:
            return self.random.choice(shared)
        if draw < 0.5:
            return self.random.choice(self.world.volatile)
        if draw < 0.65 and self.repository.contents:
            return self.random.choice(list(self.repository.contents.values()))
        return self.fresh()

    def push(self, content, look=True):
        """The content is in the repository afterwards, if only for as long as a lease."""
        if look and self.random.random() < 0.6:
            begin = time.time()
            found = self.ask("HEAD", self.path("blobs", content.digest))
            self.check_presence(content, found.status, begin)
            if found.status == 200:
                self.repository.contents[content.digest] = content
                return
        if self.random.random() < 0.35 and self.mount(content):
            return
        way = self.random.random()
        if content.size > 200_000 or way > 0.85:
            self.finish(self.patch_some(self.begin_upload(content)))
        elif way < 0.4:
            self.put(Op("single", content), "POST", self.path("blobs", "uploads", "?digest=" + content.digest),
                     content.data())
        else:
            self.finish(self.begin_upload(content))

    def check_presence(self, content, status, at):
        repository = self.repository
        if status == 404 and repository.must_have(content.digest, time.time()):
            raise Broken(f"{repository.name}: {content.digest} is gone")
        if status == 200 and content.digest in repository.absent:
            raise Broken(f"{repository.name}: {content.digest} is there, but was deleted or never pushed ({at})")
        if status not in (200, 404):
            raise Broken(f"{repository.name}: HEAD of {content.digest} answered {status}")

    def mount(self, content):
        sources = [other for other in self.world.repositories
                   if other is not self.repository and content.digest in other.contents]
        if not sources:
            return False
        source = self.random.choice(sources)
        op = Op("mount", content)
        answer = self.change(op, "POST", self.path("blobs", f"uploads/?mount={content.digest}&from={source.name}"),
                             expected=(201, 202))
        if answer.status == 201:
            self.repository.put_content(content, op.begin)
        return answer.status == 201

    def put(self, op, method, path, data):
        self.change(op, method, path, data, OCTETS, expected=(201,))
        self.repository.put_content(op.content, op.begin)

    def begin_upload(self, content):
        answer = self.change(Op("upload", content), "POST", self.path("blobs", "uploads/"), expected=(202,))
        return Upload(answer.headers["location"], content)

    def patch_some(self, upload):
        """One to three chunks, of which the last one may leave a rest."""
        chunks = self.random.randint(1, 3)
        try:
            for _ in range(chunks):
                self.patch(upload, max(2, upload.content.size // chunks))
        except Refused:
            self.cancel(upload)
            raise
        return upload

    def patch(self, upload, size):
        """At least two bytes at the beginning: a Range of 0-0 is what an upload of none and one of one byte have."""
        data = upload.content.data()[upload.offset:upload.offset + size]
        if not data:
            return
        last = upload.offset + len(data) - 1
        upload.lost_offset = last + 1
        answer = self.change(Op("patch", upload.content, upload=upload), "PATCH", upload.location, data,
                             (*OCTETS, f"Content-Range: {upload.offset}-{last}"), expected=(202,))
        upload.lost_offset = None
        upload.location, upload.offset = answer.headers["location"], last + 1

    def finish(self, upload):
        data = upload.content.data()[upload.offset:]
        try:
            self.put(Op("put", upload.content, upload=upload), "PUT",
                     f"{upload.location}?digest={upload.content.digest}", data)
        except Refused:
            self.cancel(upload)  # What was staged would count for as long as the upload lives.
            raise

    def cancel(self, upload):
        self.change(Op("cancel", upload.content), "DELETE", upload.location, expected=(204, 404))

    # Scenarios.

    def push_content(self):
        self.push(self.pick_layer())

    def churn(self):
        """Contents that everybody pushes and deletes, so that the collector removes one while another pushes it."""
        content = self.random.choice(self.world.volatile)
        self.push(content)
        if self.random.random() < 0.6 and content.digest not in self.repository.referenced():
            self.remove_content(content)

    def wrong_digest(self):
        right, wrong = self.fresh(small=True), self.fresh(small=True)
        upload = self.begin_upload(right)
        self.repository.note_absent(right.digest)
        self.repository.note_absent(wrong.digest)
        self.change(Op("wrong digest", wrong), "PUT", f"{upload.location}?digest={wrong.digest}", right.data(), OCTETS,
                    expected=(400,))

    def leave_upload(self):
        if len(self.repository.uploads) >= UPLOADS_MAX:
            return
        content = self.fresh()
        upload = self.begin_upload(content)
        self.repository.uploads.append(upload)
        self.repository.note_absent(content.digest)
        self.patch(upload, self.random.randint(2, content.size))

    def resume(self):
        repository = self.repository
        if not repository.uploads:
            return
        upload = repository.uploads[0]
        if time.time() - upload.begun > UPLOAD_SECONDS:
            repository.uploads.remove(upload)
            self.cancel(upload)
            return
        draw = self.random.random()
        if draw < 0.3:
            self.patch(upload, self.random.randint(2, upload.content.size))
        elif draw < 0.85:
            repository.uploads.remove(upload)
            repository.absent.pop(upload.content.digest, None)
            self.finish(upload)
        else:
            repository.uploads.remove(upload)
            self.cancel(upload)

    def put_manifest(self, manifest, tag):
        """Pushes again what a lease no longer keeps. False when the project is full."""
        repository = self.repository
        for _ in range(4):
            op = Op("manifest", manifest=manifest, tag=tag)
            answer = self.change(op, "PUT", self.path("manifests", tag or manifest.digest), manifest.data,
                                 (f"Content-Type: {manifest.kind}",), expected=(201, 400))
            if answer.status == 201:
                repository.put_manifest(manifest, tag, op.begin, op.end)
                return
            self.push_missing(manifest, answer, op)
        raise Broken(f"{repository.name}: {manifest.digest} cannot be pushed although its contents were pushed again")

    def push_missing(self, manifest, answer, op):
        repository = self.repository
        errors = json.loads(answer.body)["errors"]
        missing = {error.get("detail") for error in errors if error["code"] == "MANIFEST_BLOB_UNKNOWN"}
        contents = [content for content in manifest.blobs if content.digest in missing]
        if not contents or len(missing) != len(contents):
            raise Broken(f"{repository.name}: {op} refused: {answer.error_codes()}")
        for content in contents:
            if repository.must_have(content.digest, op.end):
                raise Broken(f"{repository.name}: {content.digest} is unknown, but is referenced or has a lease")
            self.push(content, look=False)
        self.world.count("lapsed and pushed again")

    def some_tag(self):
        return self.random.choice(TAGS) if self.random.random() < 0.7 else None

    def push_image(self):
        count = self.random.choice([1, 1, 2, 2, 3, 4, 6])
        layers = {content.digest: content for content in (self.pick_layer() for _ in range(count))}
        config = self.world.config if self.random.random() < 0.2 else self.fresh(small=True)
        layers.pop(config.digest, None)
        for content in [config, *layers.values()]:
            self.push(content)
        self.made += 1
        self.put_manifest(make_image(config, list(layers.values()), f"{self.prefix}/{self.number}/{self.made}"),
                          self.some_tag())

    def images(self):
        return [m for m in self.repository.manifests.values() if m.kind == OCI_MANIFEST]

    def push_index(self):
        images = self.images()
        if not images:
            return
        children = self.random.sample(images, min(len(images), self.random.randint(1, 4)))
        self.made += 1
        self.put_manifest(make_index(children, f"{self.prefix}/{self.number}/{self.made}"), self.some_tag())

    def push_referrer(self):
        known = list(self.repository.manifests.values())
        if known and self.random.random() < 0.9:
            subject = descriptor(known[0].kind, self.random.choice(known))
        else:
            subject = {"mediaType": OCI_MANIFEST, "digest": UNKNOWN, "size": 100}
        layer = self.fresh(small=True)
        self.push(self.world.config)
        self.push(layer, look=False)
        self.made += 1
        self.put_manifest(make_image(self.world.config, [layer], f"{self.prefix}/{self.made}", subject),
                          self.some_tag() if self.random.random() < 0.2 else None)

    def retag(self):
        known = list(self.repository.manifests.values())
        if known:
            self.put_manifest(self.random.choice(known), self.random.choice(TAGS))

    def delete_manifest(self):
        repository = self.repository
        if not repository.manifests:
            return
        digest = self.random.choice(list(repository.manifests))
        op = Op("delete manifest", manifest=repository.manifests[digest])
        expected = (412,) if repository.has_parent(digest) else (202,)
        answer = self.change(op, "DELETE", self.path("manifests", digest), expected=expected)
        if answer.status == 202:
            repository.delete_manifest(digest, op.begin, op.end)
            self.settle_doubts()

    def settle_doubts(self):
        for digest in list(self.repository.doubtful):
            answer = self.ask("HEAD", self.path("manifests", digest), headers=("Accept: */*",))
            if answer.status == 404:
                self.repository.forget_manifest(digest)
            self.repository.doubtful.discard(digest)

    def delete_tag(self):
        repository = self.repository
        if repository.tags:
            tag = self.random.choice(list(repository.tags))
            self.change(Op("delete tag", tag=tag), "DELETE", self.path("manifests", tag), expected=(202,))
            repository.delete_tag(tag)

    def delete_content(self):
        repository = self.repository
        if repository.contents:
            self.remove_content(self.random.choice(list(repository.contents.values())))

    def remove_content(self, content):
        repository = self.repository
        op = Op("delete content", content)
        if content.digest in repository.referenced():
            expected = (405,)
        elif repository.kept_until.get(content.digest, 0) > time.time() + 1:
            expected = (202,)
        else:
            expected = (202, 404)
        answer = self.change(op, "DELETE", self.path("blobs", content.digest), expected=expected)
        if answer.status != 405:
            repository.drop_content(content.digest)

    def make_room(self):
        """After a refusal: whatever can go goes."""
        repository = self.repository
        for upload in repository.uploads[:]:
            repository.uploads.remove(upload)
            self.cancel(upload)
        for _ in range(3):
            self.delete_manifest()
        referenced = repository.referenced()
        for content in [c for c in repository.contents.values() if c.digest not in referenced][:5]:
            self.change(Op("delete content", content), "DELETE", self.path("blobs", content.digest),
                        expected=(202, 404))
            repository.drop_content(content.digest)

    def delete_repository(self):
        repository = self.repository
        if not repository.manifests:
            return
        project, _, path = repository.name.partition("/")
        path = path.replace("/", "%252F")  # As Harbor's clients do.
        self.change(Op("delete repository"), "DELETE", f"/api/v2.0/projects/{project}/repositories/{path}",
                    expected=(200,), authorization=self.world.basic)
        repository.delete_all()

    def read(self):
        repository = self.repository
        if not repository.tags:
            return
        tag = self.random.choice(list(repository.tags))
        answer = self.ask("GET", self.path("manifests", tag), headers=("Accept: */*",))
        manifest = repository.manifests[repository.tags[tag]]
        if answer.status != 200 or answer.body != manifest.data:
            raise Broken(f"{repository.name}:{tag} answered {answer.status} instead of {manifest.digest}")

    def work_on_hot(self):
        """Tags that all clients move and delete at once, over manifests that stay."""
        hot = self.world.hot
        tag = self.random.choice(HOT_TAGS)
        manifest = self.random.choice(hot.images) if self.random.random() < 0.85 else None
        write = hot.tags.begin(tag, manifest.digest if manifest else None)
        path = f"/v2/{hot.name}/manifests/{tag}"
        if manifest:
            answer = self.ask("PUT", path, manifest.data, (f"Content-Type: {manifest.kind}",))
        else:
            answer = self.ask("DELETE", path)
        self.world.note(self.name, f"{hot.name}:{tag}", write.digest, answer.status)
        self.world.count("hot tag")
        if answer.status == 404 and manifest is None:
            hot.tags.withdraw(tag, write)  # There was none: nothing changed.
            return
        if answer.status not in (201, 202):
            raise Broken(f"{hot.name}:{tag}: {answer.status} {answer.error_codes()}")
        write.end = time.time()


class Administrator(threading.Thread):
    """Asks for a collection at a random moment: most servers do not live long enough to begin one by themselves."""

    def __init__(self, world, seed, stop):
        super().__init__(name="collect", daemon=True)
        self.world, self.random, self.stop = world, random.Random(seed), stop
        self.failure = None

    def run(self):
        wire = Wire(self.world.address, self.world.basic)
        body = json.dumps({"schedule": {"type": "Manual"}, "parameters": {"workers": self.random.randint(1, 3)}}).encode()
        self.stop.wait(self.random.uniform(0, 0.1))
        try:
            while not self.stop.is_set():
                answer = wire.request("POST", "/api/v2.0/system/gc/schedule", body, ("Content-Type: application/json",))
                self.world.note(self.name, "gc", answer.status)
                self.world.count(f"collection asked for: {answer.status}")
                if answer.status not in (201, 404, 409, 412):
                    self.failure = Broken(f"a collection was asked for: {answer.status} {answer.error_codes()}")
                    return
                self.stop.wait(self.random.uniform(0.02, 0.3))
        except Lost as lost:
            self.world.note(self.name, "lost", str(lost))
        finally:
            wire.close()


class Hot:
    def __init__(self, name, tags):
        self.name, self.tags, self.images = name, tags, []


def prepare_hot(client, repository, hot):
    """A few manifests that a tag of their own keeps."""
    client.repository = repository
    for number in range(4):
        content = Content(f"hot layer {number}", 5000 + number)
        client.push(client.world.config, look=False)
        client.push(content, look=False)
        image = make_image(client.world.config, [content], f"hot {number}")
        client.put_manifest(image, f"keep{number}")
        hot.images.append(image)
