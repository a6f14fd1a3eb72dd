"""After a restart: asks the server for what the clients know.

First every request whose answer was lost is looked up: it has happened or it has not, and then all that belongs to it
has, too. Then what was touched since the last verification is compared, and a sample of the rest, or everything.
"""
import time

from load import HOT_TAGS
from model import Broken, digest_of
from wire import Wire

SAMPLE = 4


class Verifier:
    def __init__(self, world, random):
        self.world, self.random = world, random
        self.wire = Wire(world.address, world.authorization)

    def close(self):
        self.wire.close()

    def get(self, repository, *parts, method="GET"):
        self.world.count("looks")
        return self.wire.request(method, f"/v2/{repository.name}/" + "/".join(parts), headers=("Accept: */*",))

    def verify(self, everything):
        for repository in self.world.repositories:
            self.settle_pending(repository)
            self.settle_doubts(repository)
        for repository in self.world.repositories:
            self.check_repository(repository, everything)
            repository.forget_touched()
        self.check_hot()

    # What was in flight.

    def settle_pending(self, repository):
        op, repository.pending = repository.pending, None
        if op is None:
            return
        happened = self.settle(repository, op)
        self.world.note("verifier", repository.name, op, "had happened" if happened else "had not happened")
        self.world.count("lost, happened" if happened else "lost, did not happen")

    def settle(self, repository, op):
        end = self.world.down_at
        if op.kind in ("single", "put"):
            return self.settle_put(repository, op)
        if op.kind == "mount":
            return self.settle_content(repository, op)
        if op.kind == "patch":
            return self.settle_patch(repository, op)
        if op.kind == "manifest":
            return self.settle_manifest(repository, op, end)
        if op.kind == "delete manifest":
            return self.settle_delete(repository, op, end)
        if op.kind == "delete tag":
            gone = self.get(repository, "manifests", op.tag).status == 404
            if gone:
                repository.delete_tag(op.tag)
            return gone
        if op.kind == "delete content":
            gone = self.get(repository, "blobs", op.content.digest, method="HEAD").status == 404
            if gone:
                repository.drop_content(op.content.digest)
            return gone
        if op.kind == "delete repository":
            return self.settle_delete_repository(repository)
        return False  # Beginning, cancelling and wrong digests leave nothing to look for here.

    def settle_put(self, repository, op):
        if op.upload is not None:
            # Done or not, it may have been left; what it staged would count for as long as it lives.
            self.wire.request("DELETE", op.upload.location)
        self.world.orphans.add(op.content.digest)
        return self.settle_content(repository, op)

    def settle_content(self, repository, op):
        there = self.content_is_there(repository, op.content)
        if op.content.digest in repository.contents:
            repository.touched_contents.add(op.content.digest)  # Whether its lease was renewed does not show.
        elif there:
            repository.put_content(op.content, op.begin)
        else:
            repository.note_absent(op.content.digest)
        return there

    def settle_patch(self, repository, op):
        upload = op.upload
        offset = self.offset_of(repository, upload)
        if offset not in (upload.offset, upload.lost_offset):
            raise Broken(f"{repository.name}: {upload.location} stands at {offset}: neither {upload.offset} nor "
                         f"{upload.lost_offset}")
        happened, upload.offset, upload.lost_offset = offset == upload.lost_offset, offset, None
        if upload not in repository.uploads:  # Somebody goes on with it later.
            repository.uploads.append(upload)
            if upload.content.digest not in repository.contents:
                repository.note_absent(upload.content.digest)
        return happened

    def offset_of(self, repository, upload):
        answer = self.wire.request("GET", upload.location)
        if answer.status != 204:
            raise Broken(f"{repository.name}: {upload.location} is unknown: {answer.status}")
        last = int(answer.headers["range"].partition("-")[2])
        return last + 1 if last else 0

    def settle_manifest(self, repository, op, end):
        manifest, existed = op.manifest, op.manifest.digest in repository.manifests
        there = self.manifest_is_there(repository, manifest)
        if existed and not there:
            raise Broken(f"{repository.name}: {manifest.digest} was acknowledged and is gone")
        tagged = self.tag_target(repository, op.tag) if op.tag else None
        before = repository.tags.get(op.tag) if op.tag else None
        happened = there and (not existed or (op.tag is not None and tagged == manifest.digest != before))
        if op.tag and tagged != (manifest.digest if happened else before):
            raise Broken(f"{repository.name}:{op.tag} is {tagged}: the manifest came without its tag, or the tag "
                         f"without its manifest {manifest.digest}")
        if happened or existed:  # It may have renewed a lease that nothing shows.
            low, high = repository.leases.get(manifest.digest, (op.begin, op.begin))
            repository.put_manifest(manifest, op.tag if happened else None, op.begin, end)
            if existed:
                repository.leases[manifest.digest] = low, max(high, end + repository.lease)
        return happened

    def settle_delete(self, repository, op, end):
        gone = self.get(repository, "manifests", op.manifest.digest, method="HEAD").status == 404
        if gone:
            repository.delete_manifest(op.manifest.digest, op.begin, end)
        return gone

    def settle_delete_repository(self, repository):
        there = {digest: self.get(repository, "manifests", digest, method="HEAD").status == 200
                 for digest in repository.manifests}
        if any(there.values()):
            if not all(there.values()):
                raise Broken(f"{repository.name} is deleted by half: {there}")
            return False
        repository.delete_all()
        return True

    def settle_doubts(self, repository):
        for digest in list(repository.doubtful):
            if self.get(repository, "manifests", digest, method="HEAD").status == 404:
                repository.forget_manifest(digest)
            repository.doubtful.discard(digest)

    # What is.

    def manifest_is_there(self, repository, manifest):
        answer = self.get(repository, "manifests", manifest.digest)
        if answer.status == 200 and answer.body != manifest.data:
            raise Broken(f"{repository.name}: {manifest.digest} has other bytes")
        if answer.status not in (200, 404):
            raise Broken(f"{repository.name}: {manifest.digest}: {answer.status} {answer.error_codes()}")
        return answer.status == 200

    def content_is_there(self, repository, content):
        answer = self.get(repository, "blobs", content.digest)
        if answer.status == 200 and (len(answer.body) != content.size or digest_of(answer.body) != content.digest):
            raise Broken(f"{repository.name}: {content.digest} is not whole: {len(answer.body)} of {content.size} bytes")
        if answer.status not in (200, 404):
            raise Broken(f"{repository.name}: {content.digest}: {answer.status} {answer.error_codes()}")
        return answer.status == 200

    def tag_target(self, repository, tag):
        answer = self.get(repository, "manifests", tag, method="HEAD")
        if answer.status not in (200, 404):
            raise Broken(f"{repository.name}:{tag}: {answer.status}")
        return answer.headers["docker-content-digest"] if answer.status == 200 else None

    # Everything of one repository.

    def check_repository(self, repository, everything):
        digests = list(repository.manifests)
        chosen = digests if everything else [digest for digest in digests if digest in repository.touched_manifests]
        if not everything and digests:
            chosen += self.random.sample(digests, min(len(digests), SAMPLE if self.random.random() < 0.2 else 0))
        contents = {} if not everything else dict(repository.contents)
        for digest in dict.fromkeys(chosen):
            manifest = repository.manifests[digest]
            if not self.manifest_is_there(repository, manifest):
                raise Broken(f"{repository.name}: {digest} was acknowledged and is gone")
            contents.update((content.digest, content) for content in manifest.blobs)
        for digest in repository.deleted:
            if self.get(repository, "manifests", digest, method="HEAD").status != 404:
                raise Broken(f"{repository.name}: {digest} was deleted and is there")
        self.check_contents(repository, contents)
        self.check_tags(repository, everything)
        self.check_referrers(repository, chosen)
        self.check_uploads(repository)

    def check_contents(self, repository, contents):
        referenced = repository.referenced()
        for digest in repository.touched_contents:
            if digest in repository.contents:
                contents[digest] = repository.contents[digest]
            elif digest in repository.absent:
                if self.get(repository, "blobs", digest, method="HEAD").status != 404:
                    raise Broken(f"{repository.name}: {digest} was deleted or never acknowledged, and is readable")
        for content in contents.values():
            there = self.content_is_there(repository, content)
            if not there and repository.must_have(content.digest, time.time(), referenced):
                raise Broken(f"{repository.name}: {content.digest} was acknowledged and is gone")
            if not there:
                repository.contents.pop(content.digest, None)
                repository.kept_until.pop(content.digest, None)

    def check_tags(self, repository, everything):
        tags = set(repository.tags) | repository.touched_tags if everything else repository.touched_tags
        for tag in tags:
            target, known = self.tag_target(repository, tag), repository.tags.get(tag)
            if target != known:
                raise Broken(f"{repository.name}:{tag} is {target} instead of {known}")

    def check_referrers(self, repository, digests):
        subjects = {repository.manifests[digest].subject for digest in digests} - {None}
        for subject in list(subjects)[:3]:
            text = self.get(repository, "referrers", subject).body
            for referrer in repository.referrers(subject):
                if referrer.digest.encode() not in text:
                    raise Broken(f"{repository.name}: {subject} has lost its referrer {referrer.digest}")

    def check_uploads(self, repository):
        for upload in repository.uploads[:]:
            if time.time() - upload.begun > self.world.upload_seconds:
                repository.uploads.remove(upload)  # It has expired, or will while we look.
            elif (offset := self.offset_of(repository, upload)) != upload.offset:
                raise Broken(f"{repository.name}: {upload.location} stands at {offset} instead of {upload.offset} of "
                             f"{upload.content.size}")

    def check_hot(self):
        hot = self.world.hot
        for image in hot.images:
            if not self.manifest_is_there(hot, image):
                raise Broken(f"{hot.name}: {image.digest} is gone")
        for tag in HOT_TAGS:
            target, possible = self.tag_target(hot, tag), hot.tags.possible(tag)
            if target not in possible:
                raise Broken(f"{hot.name}:{tag} is {target}, which is none of {possible}")
            hot.tags.settle(tag, target)
