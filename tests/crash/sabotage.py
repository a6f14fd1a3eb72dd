"""Damage that the harness must notice: how it is known that it can fail."""
import os

# In a manifest's bytes another word.
OTHER_BYTES = {"sqlite": "CAST(replace(CAST(bytes AS TEXT), 'note', 'nota') AS BLOB)",
               "postgresql": "convert_to(replace(convert_from(bytes, 'UTF8'), 'note', 'nota'), 'UTF8')",
               "mariadb": "replace(bytes, 'note', 'nota')"}


def change(harness, sql):
    if harness.server.backend.execute(sql) == 0:
        raise AssertionError(f"nothing to damage: {sql}")


def needed_file(harness):
    """The file of some content that a manifest needs."""
    for repository in harness.world.repositories:
        for digest in repository.referenced():
            path = harness.server.backend.file_of(digest)
            if os.path.exists(path):
                return path
    raise AssertionError("no content lies in a file")


def remove_file(harness):
    os.remove(needed_file(harness))


def cut_file(harness):
    path = needed_file(harness)
    os.truncate(path, os.stat(path).st_size - 1)


def flip_bit(harness):
    with open(needed_file(harness), "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))


def add_file(harness):
    store = harness.server.backend.store
    path = store.path(store.free_key())
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"nobody's")


def some(harness, attribute):
    return next(repository for repository in harness.world.repositories if getattr(repository, attribute))


def remove_tag(harness):
    repository = some(harness, "tags")
    tag = next(tag for tag, target in repository.tags.items() if target)
    change(harness, f"DELETE FROM tag WHERE name = '{tag}' AND repository_id = (SELECT id FROM repository WHERE full_name = "
           f"'{repository.name}')")


def move_tag(harness):
    change(harness, "UPDATE tag SET artifact_id = (SELECT max(id) FROM artifact a WHERE a.repository_id = "
           "tag.repository_id AND a.id <> tag.artifact_id) WHERE id = (SELECT max(t.id) FROM tag t WHERE (SELECT count(*) "
           "FROM artifact a WHERE a.repository_id = t.repository_id) > 1)")


def bring_tag_back(harness):
    change(harness, "INSERT INTO tag (repository_id, name, artifact_id, push_time) SELECT repository_id, 'deleted', id, 1 "
           "FROM artifact WHERE repository_id IN (SELECT id FROM repository WHERE full_name LIKE '%/app/%') LIMIT 1")


def change_manifest(harness):
    change(harness, f"UPDATE manifest SET bytes = {OTHER_BYTES[harness.server.backend.engine]} WHERE id = (SELECT "
           "max(manifest_id) FROM artifact)")


def forget_content(harness):
    change(harness, "DELETE FROM repository_blob WHERE (repository_id, blob_id) IN (SELECT repository_id, blob_id FROM "
           "(SELECT repository_id, blob_id FROM artifact_blob LIMIT 1) one)")


def lose_usage(harness):
    change(harness, "UPDATE quota SET used = used - 1 WHERE project_id = "
           "(SELECT max(project_id) FROM project_blob)")


def forget_review(harness):
    change(harness, "DELETE FROM review")


SABOTAGES = {
    "a blob's file removed": remove_file,
    "a blob's file cut short": cut_file,
    "a bit flipped": flip_bit,
    "a file that no row names": add_file,
    "a tag lost": remove_tag,
    "a tag on another manifest": move_tag,
    "a deleted tag that is back": bring_tag_back,
    "other bytes in a manifest": change_manifest,
    "content that its repository no longer holds": forget_content,
    "a wrong usage": lose_usage,
    "garbage that nobody will look at": forget_review,
}
