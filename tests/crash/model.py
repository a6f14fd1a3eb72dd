"""What the clients know: contents, manifests, and for each repository what was acknowledged.

Times are of this machine's clock, which the server reads as well. Whatever depends on the moment at which the server
looked is known as an interval.
"""
import hashlib
import json
import random
import threading
import time

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
NEVER = float("-inf")
POOL = random.Random(1).randbytes(8 << 20)


class Broken(Exception):
    """The server has broken a promise."""


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Content:
    """Bytes that are made again whenever they are needed."""
    __slots__ = ("name", "size", "digest")

    def __init__(self, name, size):
        self.name, self.size = name, max(size, 32)
        self.digest = digest_of(self.data())

    def data(self):
        head = hashlib.sha256(self.name.encode()).digest()
        at = int.from_bytes(head[:4], "big") % (len(POOL) - self.size)
        return head + POOL[at:at + self.size - 32]


class Manifest:
    __slots__ = ("data", "digest", "size", "kind", "blobs", "children", "subject")

    def __init__(self, document, kind, blobs=(), children=(), subject=None):
        self.data = json.dumps(document, separators=(",", ":")).encode()
        self.digest, self.size = digest_of(self.data), len(self.data)
        self.kind, self.blobs, self.children, self.subject = kind, list(blobs), list(children), subject

    @property
    def content_digests(self):
        return {content.digest for content in self.blobs}


def descriptor(media_type, thing):
    return {"mediaType": media_type, "digest": thing.digest, "size": thing.size}


def make_image(config, layers, note, subject=None):
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(CONFIG_TYPE, config),
                "layers": [descriptor(LAYER_TYPE, layer) for layer in layers], "annotations": {"note": note}}
    if subject:
        document["subject"] = subject
        document["artifactType"] = "application/vnd.test.signature"
    return Manifest(document, OCI_MANIFEST, [config, *layers], (), subject["digest"] if subject else None)


def make_index(children, note):
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "annotations": {"note": note},
                "manifests": [descriptor(child.kind, child) for child in children]}
    return Manifest(document, OCI_INDEX, (), [child.digest for child in children])


class Upload:
    """One that was left open: its offset is what the last acknowledged PATCH left."""

    def __init__(self, location, content):
        self.location, self.content, self.offset, self.begun = location, content, 0, time.time()
        self.lost_offset = None  # Where it stands if the PATCH whose answer was lost has happened.


class Op:
    """One request that changes something. It stays `pending` in its repository when its answer is lost."""
    __slots__ = ("kind", "begin", "end", "content", "manifest", "tag", "upload")

    def __init__(self, kind, content=None, manifest=None, tag=None, upload=None):
        self.kind, self.content, self.manifest, self.tag, self.upload = kind, content, manifest, tag, upload
        self.begin = self.end = None

    def __str__(self):
        parts = [self.kind]
        if self.content is not None:
            parts.append(f"{self.content.digest} ({self.content.size} bytes)")
        if self.manifest is not None:
            parts.append(self.manifest.digest)
        if self.tag is not None:
            parts.append("tag " + self.tag)
        return " ".join(parts)


class Repository:
    """Used by one client at a time (`turn`), so that what it knows is exact."""

    def __init__(self, project, path, lease):
        self.project, self.name, self.lease = project, f"{project.name}/{path}", lease
        self.turn = threading.Lock()
        self.manifests, self.tags = {}, {}
        self.contents = {}    # digest → Content: what may be readable here.
        self.kept_until = {}  # digest → until when the lease surely keeps it.
        self.leases = {}      # manifest's digest → earliest and latest end of its lease.
        self.absent = {}      # digest → True: acknowledged as deleted, or never acknowledged (in this order).
        self.doubtful = set()  # Manifests that went with an index, if their lease had ended.
        self.uploads = []
        self.pending = None
        self.deleted = set()  # Manifests deleted since the last verification.
        self.touched_manifests, self.touched_contents, self.touched_tags = set(), set(), set()

    # What is.

    def has_parent(self, digest):
        return any(digest in manifest.children for manifest in self.manifests.values())

    def is_tagged(self, digest):
        return digest in self.tags.values()

    def referenced(self):
        return {digest for manifest in self.manifests.values() for digest in manifest.content_digests}

    def must_have(self, digest, at, referenced=None):
        needed = self.referenced() if referenced is None else referenced
        return digest in needed or self.kept_until.get(digest, NEVER) > at

    def referrers(self, digest):
        return [m for m in self.manifests.values() if m.subject == digest]

    # What changes it.

    def put_content(self, content, begin):
        self.contents[content.digest] = content
        self.absent.pop(content.digest, None)
        self.kept_until[content.digest] = max(self.kept_until.get(content.digest, NEVER), begin + self.lease)
        self.touched_contents.add(content.digest)
        self.project.may_count[content.digest] = content.size

    def drop_content(self, digest):
        self.contents.pop(digest, None)
        self.kept_until.pop(digest, None)
        self.note_absent(digest)

    def note_absent(self, digest):
        self.absent[digest] = True
        self.touched_contents.add(digest)

    def put_manifest(self, manifest, tag, begin, end):
        self.manifests[manifest.digest] = manifest
        self.deleted.discard(manifest.digest)
        low, high = self.leases.get(manifest.digest, (NEVER, NEVER))
        self.leases[manifest.digest] = max(low, begin + self.lease), max(high, end + self.lease)
        self.touched_manifests.add(manifest.digest)
        self.touched_contents |= manifest.content_digests
        for content in manifest.blobs:
            self.project.may_count[content.digest] = content.size
        if tag:
            self.tags[tag] = manifest.digest
            self.touched_tags.add(tag)

    def forget_manifest(self, digest):
        manifest = self.manifests.pop(digest)
        for tag in [tag for tag, target in self.tags.items() if target == digest]:
            self.delete_tag(tag)
        self.leases.pop(digest, None)
        self.doubtful.discard(digest)
        self.deleted.add(digest)
        self.touched_manifests.discard(digest)
        self.touched_contents |= manifest.content_digests
        return manifest

    def delete_tag(self, tag):
        self.tags.pop(tag, None)
        self.touched_tags.add(tag)

    def delete_manifest(self, digest, begin, end):
        """With what goes with it: untagged, parentless referrers; then loose children whose lease has ended."""
        children = []
        self._cascade(digest, children)
        while children:
            child = children.pop()
            if child not in self.manifests or self.is_tagged(child) or self.has_parent(child):
                continue
            low, high = self.leases[child]
            if begin >= high:
                self._cascade(child, children)
            elif end >= low:
                self._doubt(child)

    def _loose_referrers(self, digest):
        return [m.digest for m in self.referrers(digest)
                if m.digest != digest and not self.is_tagged(m.digest) and not self.has_parent(m.digest)]

    def _cascade(self, digest, children):
        for referrer in self._loose_referrers(digest):
            if referrer in self.manifests:
                self._cascade(referrer, children)
        if digest in self.manifests:
            children.extend(self.forget_manifest(digest).children)

    def _doubt(self, digest):
        self.doubtful.add(digest)
        for referrer in self._loose_referrers(digest):
            self._doubt(referrer)

    def delete_all(self):
        for digest, manifest in list(self.manifests.items()):
            self.project.may_count[digest] = manifest.size  # Until the server has come around to it.
            self.project.may_count.update((content.digest, content.size) for content in manifest.blobs)
            self.forget_manifest(digest)
        for digest in list(self.contents):
            self.drop_content(digest)
        self.uploads.clear()

    def forget_unreferenced(self):
        """After a collection when no lease lives any more."""
        referenced = self.referenced()
        for digest in [digest for digest in self.contents if digest not in referenced]:
            self.drop_content(digest)
        self.project.may_count.clear()

    def forget_touched(self):
        self.deleted.clear()
        self.touched_manifests.clear()
        self.touched_contents.clear()
        self.touched_tags.clear()
        for digest in list(self.absent)[:-100]:
            del self.absent[digest]


class HotWrite:
    """A change of a tag that several clients change at once."""
    __slots__ = ("begin", "end", "digest")

    def __init__(self, digest):
        self.digest, self.begin, self.end = digest, time.time(), None


class HotTags:
    """The tags of one repository that all clients write to: of concurrent writes any may be the last."""

    def __init__(self):
        self.lock = threading.Lock()
        self.before = {}
        self.writes = {}

    def begin(self, tag, digest):
        write = HotWrite(digest)
        with self.lock:
            self.writes.setdefault(tag, []).append(write)
        return write

    def withdraw(self, tag, write):
        with self.lock:
            self.writes[tag].remove(write)

    def possible(self, tag):
        writes = self.writes.get(tag, [])
        acknowledged = [write for write in writes if write.end is not None]
        last_begin = max((write.begin for write in acknowledged), default=NEVER)
        values = {write.digest for write in writes if write.end is None or write.end >= last_begin}
        if not acknowledged:
            values.add(self.before.get(tag))
        return values

    def settle(self, tag, digest):
        self.before[tag] = digest
        self.writes.pop(tag, None)


class Project:
    def __init__(self, name, limit=-1):
        self.name, self.limit, self.id = name, limit, 0
        self.may_count = {}  # digest → size of content that its usage may count beside what manifests need.
