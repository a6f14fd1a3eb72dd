"""Damage behind the cluster's back, which the verification must notice: how it is known that it can fail."""
import sabotage


class _Harness:
    """What the sabotages of tests/crash know."""

    def __init__(self, world, cluster):
        self.world, self.server = world, cluster.replicas[0].server


def _of_the_crash_test(function):
    def damage(world, cluster):
        cluster.stop_replicas()
        function(_Harness(world, cluster))
        cluster.start_replicas()

    return damage


def forget_a_push(world, cluster):
    """As if an acknowledged push had been lost with its replica."""
    place = next(place for place in world.places if place.manifests)
    cluster.api("DELETE", f"/projects/{place.project}/repositories/{_escaped(place)}/artifacts/{next(iter(place.manifests))}")


def undo_a_deletion(world, cluster):
    place = next(place for place in world.places if place.manifests and any(t is None for t in place.tags.values()))
    tag = next(tag for tag, target in place.tags.items() if target is None)
    image = next(iter(place.manifests.values()))
    status, _, _ = cluster.replicas[0].server.request("PUT", f"/v2/{place.name}/manifests/{tag}", image.data,
                                                      headers={"Content-Type": image.kind})
    assert status == 201, f"nothing to damage: {status}"


def forget_garbage(world, cluster):
    """What the last deletions left is nobody's business any more."""
    for place in world.places:
        for digest in list(place.manifests):
            cluster.api("DELETE", f"/projects/{place.project}/repositories/{_escaped(place)}/artifacts/{digest}")
            del place.manifests[digest]
            place.tags = {tag: None if target == digest else target for tag, target in place.tags.items()}
    cluster.stop_replicas()
    cluster.backend.execute("DELETE FROM review")
    cluster.start_replicas()


def _escaped(place):
    return place.name.partition("/")[2].replace("/", "%252F")


# Those whose like is above: our clients have other names, and their garbage does not wait.
LEFT_OUT = ("a deleted tag that is back", "garbage that nobody will look at")
DAMAGES = {
    "an acknowledged push undone": forget_a_push,
    "an acknowledged deletion undone": undo_a_deletion,
    "garbage that nobody will look at": forget_garbage,
    **{name: _of_the_crash_test(function) for name, function in sabotage.SABOTAGES.items() if name not in LEFT_OUT}}
