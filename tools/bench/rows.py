"""The rows of ./x bench: what is run on which servers, and which figure of it is the row's value.

A group of rows shares freshly started servers. Within a round a row visits the servers one after the other,
in alternating order, so that a busy moment of the machine hits all of them alike.
"""
import concurrent.futures
import dataclasses
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from typing import Callable, Optional

import estate
import fixtures
import servers

ROADSTEAD = ("roadstead",)
STATIC = ("nginx", "nginx-nopush-off")
PEERS = ("olareg", "zot", "zot-commit", "distribution", "docker-registry")
OPEN_FILES = 20000
TRACED = ("fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync")


class RowFailed(Exception):
    """The operation did not do what it should; no figure."""


@dataclasses.dataclass
class Row:
    name: str
    unit: str
    run: Callable                       # (server, context) → result with every figure of the run
    metric: str                         # The key of the result that is the row's value.
    servers: tuple
    reference: tuple = ()               # The ratio is ours against the best of these.
    goal: Optional[float] = None        # Of the ratio, or of the value where there is no reference.
    rounds: Optional[int] = None        # At most so many.
    full: bool = False                  # Only with --full.


@dataclasses.dataclass
class Group:
    name: str
    rows: list
    prepare: Callable = lambda server, context: None


@dataclasses.dataclass
class Context:
    """What rows share: sizes, fixtures, the number of the round."""
    quick: bool
    image: fixtures.Image
    tagged: fixtures.TaggedRepository
    round: int = 0
    notes: dict = dataclasses.field(default_factory=dict)
    shared: dict = dataclasses.field(default_factory=dict)   # Results that several rows show.

    def count(self, usual, quick=4):
        return quick if self.quick else usual

    def seconds(self, usual):
        return 0.2 if self.quick else usual

    def size(self, usual):
        return min(usual, 1 << 20) if self.quick else usual


def load(server, verb, repository, *arguments, authorised=True):
    """One run of bench_load against `server`; its JSON, or RowFailed."""
    command = [servers.built("bench_load"), verb, "--url", server.url, "--pids", str(server.pid)]
    if server.tls:
        command += ["--ca", servers.certificate()[0]]
    if authorised:
        command += server.auth(repository)
    if verb == "push":
        command += ["--repo", repository]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=1200, check=False)
    lines = done.stdout.strip().splitlines()
    result = json.loads(lines[-1]) if lines else {}
    if done.returncode != 0:
        raise RowFailed(f"{result.get('first_error') or done.stderr.strip()[-200:]} (exit {done.returncode})")
    return result


# ---- reading

def get_manifest(verb, connections):
    def run(server, context):
        return load(server, verb, context.image.repository, "--connections", connections, "--count", context.count(10_000_000, 200),
                    "--seconds", context.seconds(2.5), "--warmup", connections * 2, *context.image.manifest_arguments(),
                    *(["--accept", fixtures.MANIFEST] if verb == "head" else []))
    return run


def head_manifest(connections):
    def run(server, context):
        return load(server, "head", context.image.repository, "--connections", connections, "--count", context.count(10_000_000, 200),
                    "--seconds", context.seconds(2.5), "--warmup", connections * 2, "--accept", fixtures.MANIFEST,
                    "--path", f"/v2/{context.image.repository}/manifests/{context.image.tag}")
    return run


def get_blob(which, connections, count, *more):
    def run(server, context):
        return load(server, "get", context.image.repository, "--connections", connections, "--count", context.count(count),
                    "--warmup", connections, *context.image.blob_arguments(which), *more)
    return run


def get_range(size, connections, count):
    """`size` bytes of the largest blob, behind its first 12,345; the whole rest of it where it is not as large as that."""
    def run(server, context):
        content = context.image.layers["100m"]
        begin = 12_345
        end = min(begin + size, len(content)) - 1
        arguments = context.image.blob_arguments("100m")[:2]
        return load(server, "get", context.image.repository, "--connections", connections, "--count", context.count(count),
                    "--warmup", connections, *arguments, "--range", f"{begin}-{end}", "--length", end - begin + 1,
                    "--digest", fixtures.digest_of(content[begin:end + 1]))
    return run


def get_path(repository, path, connections=1, count=200, basic=False, authorised=True, varies=False):
    def run(server, context):
        more = ["--basic", f"admin:{server.password}"] if basic else []
        return load(server, "get", repository, "--connections", connections, "--count", context.count(count, 10), "--warmup", 5,
                    "--path", path, *(["--varies", 1] if varies else []), *more, authorised=authorised and not basic)
    return run


def tagged_manifest(server, context):
    tags = context.count(10_000, 20)
    return load(server, "manifest", context.tagged.repository, "--connections", 16, "--count", context.count(10_000_000, 100),
                "--seconds", context.seconds(2), "--warmup", 32, "--length", len(context.tagged.manifest),
                "--path", ",".join(f"/v2/{context.tagged.repository}/manifests/t{number:07}"
                                   for number in range(0, tags, max(1, tags // 97))))


def fill_tags(server, context):
    context.tagged.put_blobs_on(server)
    return load(server, "tagsfill", context.tagged.repository, "--connections", 4, "--count", context.count(10_000, 20),
                "--manifest", context.tagged.file)


def prepare_tags(server, context):
    if server.registry:
        context.notes.setdefault("tags filled", {})[server.name] = fill_tags(server, context)
        return
    for number in range(context.count(10_000, 20)):
        server.put_manifest(context.tagged.repository, f"t{number:07}", context.tagged.manifest, fixtures.MANIFEST)


def h2load(server, context, count, size, path, *arguments):
    """One run of h2load against `server`, whose CPU time is read around it. Handshakes are in the figure."""
    total = context.count(count)
    headers = [f"--header={name}: {value}" for name, value in server.headers(context.image.repository).items()]
    command = [servers.find_binary("h2load"), "-n", str(total), *arguments, *headers, server.url + path]
    before, began = server.cpu_seconds(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    seconds, cpu = time.perf_counter() - began, server.cpu_seconds() - before
    good = re.search(r"status codes: (\d+) 2xx", done.stdout)
    received = re.search(r"\((\d+)\) data", done.stdout)
    if done.returncode != 0 or "Application protocol: h2\n" not in done.stdout or not good or int(good.group(1)) != total:
        raise RowFailed(f"h2load: {(done.stderr or done.stdout).strip()[-200:]}")
    if size is not None and int(received.group(1)) != size * total:
        raise RowFailed(f"h2load: {received.group(1)} bytes of {size * total}")
    mib = total * (size or 0) / (1 << 20)
    return {"operations": total, "seconds": seconds, "per_second": total / seconds, "cpu_us_per_op": cpu * 1e6 / total,
            "cpu_ms_per_mib": cpu * 1000 / mib if mib else None}


def h2_manifest(server, context):
    """Its Accept is h2load's: anything."""
    image = context.image
    return h2load(server, context, 40_000, len(image.manifest), f"/v2/{image.repository}/manifests/{image.tag}", "-c", "4", "-m", "16")


def h2_blob(which, connections, streams, count):
    def run(server, context):
        content = context.image.layers[which]
        path = f"/v2/{context.image.repository}/blobs/{fixtures.digest_of(content)}"
        return h2load(server, context, count, len(content), path, "-c", str(min(connections, context.count(connections))),
                      "-m", str(streams))
    return run


def h2_push(server, context):
    """One blob of 1 MiB pushed again and again: received, hashed and written each time, published once."""
    content, file = context.image.layers["1m"], server.path("pushed")
    with open(file, "wb") as out:
        out.write(content)
    path = f"/v2/{context.image.repository}/blobs/uploads/?digest={fixtures.digest_of(content)}"
    result = h2load(server, context, 300, None, path, "-c", "4", "-d", file)
    return {**result, "cpu_ms_per_mib": result["cpu_us_per_op"] / 1000}


# ---- large stores

def estate_list(name, page, connections, count):
    """One page of a list, or with None all three of them in turn."""
    def run(server, context):
        pages = estate.Estate(context.quick).lists()[name]
        paths = [pages[page]] if page else list(pages.values())
        return load(server, "get", estate.TAGGED, "--connections", connections, "--count", context.count(count, 10), "--warmup",
                    10, "--path", ",".join(paths), "--basic", f"admin:{server.password}", authorised=False)
    return run


def estate_manifest(server, context):
    manifests = estate.Estate(context.quick).manifests()
    return load(server, "manifest", estate.TAGGED, "--connections", 16, "--count", context.count(10_000_000, 200),
                "--seconds", context.seconds(2.5), "--warmup", 200, "--length", len(next(iter(manifests.values()))),
                "--path", ",".join(f"/v2/{estate.TAGGED}/manifests/{tag}" for tag in manifests))


def prepare_estate(server, context):
    store = estate.Estate(context.quick)
    if server.registry:
        store.fill(server)
    else:
        store.put_manifests_on(server)


# ---- writing

def push(size, connections, mode, count):
    def run(server, context):
        total, bytes_each = context.count(count, 2), context.size(size)
        if shutil.disk_usage(servers.WORK).free < 1.3 * bytes_each * total:
            raise RowFailed(f"needs {1.3 * bytes_each * total / (1 << 30):.0f} GiB of free space")
        fixtures.touch_memory(int(bytes_each * total * 1.3))
        result = load(server, "push", "bench/push", "--size", bytes_each, "--connections", min(connections, total), "--count", total,
                      "--mode", mode, "--warmup", 0 if size > 8 << 20 else min(connections, 8), "--check", min(total, 3),
                      "--chunk", min(5 << 20, max(1, bytes_each // 2)))
        if bytes_each >= 100 << 20:   # Larger than any database file here: nobody needs these blobs again.
            server.give_back_space(at_least=bytes_each)
        return result
    return run


def upload_memory(size, connections):
    """Half of the clients send 8 MiB/s, the others as fast as they can."""
    def run(server, context):
        total = context.count(connections, 4)
        fixtures.touch_memory(context.size(size) * total)
        return load(server, "push", "bench/push", "--size", context.size(size), "--connections", total, "--count", total,
                    "--mode", "patch", "--rate", 8 << 20, "--slow-every", 2, "--seconds", 600)
    return run


def warm_up_pushes(server, context):
    load(server, "push", "bench/warm", "--size", 1024, "--connections", 8, "--count", context.count(600, 8), "--mode", "mono")


def count_syscalls(server, names, work):
    """Calls of the server's threads while `work()` runs, by name, as strace sees them."""
    out = server.path("strace")
    filters = ["-e", "trace=" + ",".join(names)] if names else []
    attach = [word for pid in server.pids() for word in ("-p", str(pid))]
    tracer = subprocess.Popen(["strace", "-f", "-c", "-o", out, *filters, *attach], stderr=subprocess.PIPE, text=True)
    try:
        tracer.stderr.readline()   # "Process N attached"
        time.sleep(0.3)            # For the other threads; strace says nothing when it has them all.
        result = work()
        time.sleep(0.2)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)
    calls = {}
    with open(out, encoding="ascii", errors="replace") as file:
        for line in file:
            field = line.split()
            if len(field) >= 5 and field[0][0].isdigit() and field[-1] != "total":
                calls[field[-1]] = int(field[3])
    return calls, result


def syncs_per_blob(connections, count):
    def run(server, context):
        total = context.count(count)
        calls, result = count_syscalls(server, TRACED, lambda: load(
            server, "push", "bench/syncs", "--size", 32 << 10, "--connections", min(connections, total), "--count", total,
            "--mode", "mono"))
        per_blob = {name: round(number / total, 2) for name, number in calls.items()}
        return {**result, "syscalls": per_blob, "syncs": sum(per_blob.values())}
    return run


def syscalls_of(verb, count, arguments, mode=None):
    def run(server, context):
        total = context.count(count)
        more = ["--size", 1 << 20, "--mode", mode] if mode else arguments(context)
        repository = "bench/syncs" if mode else context.image.repository
        calls, result = count_syscalls(server, (), lambda: load(
            server, verb, repository, "--connections", 1, "--count", total, *more))
        per_operation = {name: round(number / total, 2) for name, number in calls.items()}
        return {**result, "syscalls": per_operation, "calls": sum(per_operation.values())}
    return run


# ---- whole images with a real client

def crane(server, *arguments):
    home = server.path("home")
    done = subprocess.run([servers.find_binary("crane"), *arguments, "--insecure"], capture_output=True, text=True, check=False,
                          env={**os.environ, "HOME": home, "DOCKER_CONFIG": home})
    if done.returncode != 0:
        raise RowFailed("crane: " + done.stderr.strip()[-200:])


def crane_all(server, context, work):
    total = context.count(50, 2)
    # Once, before any client reads it.
    os.makedirs(server.path("home"), exist_ok=True)
    with open(server.path("home", "config.json"), "w", encoding="ascii") as file:
        json.dump(server.client_config(), file)
    before, began = server.cpu_seconds(), time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(total)))
    seconds, cpu = time.perf_counter() - began, server.cpu_seconds() - before
    return {"operations": total, "cpu_ms_per_image": cpu * 1000 / total, "seconds": seconds, "per_second": total / seconds}


def image_push(server, context):
    layouts = os.path.join(servers.client_scratch(), "layouts")
    made = (context.round, server.name)
    # Every server gets the same unique images in a round; new ones are made when the round begins.
    if context.notes.get("layouts") != context.round:
        fixtures.write_layouts(layouts, context.count(50, 2), 10, 1 << 20)
        context.notes["layouts"] = context.round
    fixtures.touch_memory(context.count(50, 2) * 13 << 20)
    return crane_all(server, context,
                     lambda i: crane(server, "push", f"{layouts}/{i}", f"{server.host}/crane/i{made[0]}-{i}:v1"))


def image_pull(server, context):
    target = os.path.join(servers.client_scratch(), "pulled")
    os.makedirs(target, exist_ok=True)

    def pull(i):
        into = f"{target}/{i}"
        crane(server, "pull", "--format", "oci", f"{server.host}/crane/i{context.round}-{i}:v1", into)
        shutil.rmtree(into, ignore_errors=True)
    return crane_all(server, context, pull)


# ---- footprint

def idle_memory(server, context):
    time.sleep(context.seconds(2))
    return {"rss_kib": server.memory_kib(), "rss_mib": server.memory_kib() / 1024}


def start_up(server, context):
    """On the store it has: the fastest of five starts."""
    times = []
    for _ in range(context.count(5, 2)):
        server.stop()
        server.start()
        times.append(server.start_ms)
    return {"ms": min(times), "all_ms": times}


def many_connections():
    """As many as the limit on open files allows twice (connection and file), at most 10,000."""
    return min(10_000, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000) // 2)


def idle_connections(server, context):
    total = context.count(many_connections(), 50)
    result = load(server, "idle", context.image.repository, "--connections", total, "--path", "/v2/", "--hold", context.seconds(3))
    grown = result["rss_after_kib"] - result["rss_before_kib"]
    return {**result, "kib_per_connection": grown / total}


def slow_readers(server, context):
    """Many clients read 50 KiB/s; meanwhile a fast one downloads. Both rows show figures of the same run."""
    key = ("slow readers", context.round, server.name)
    if key not in context.shared:
        context.shared[key] = run_slow_readers(server, context)
    return context.shared[key]


def run_slow_readers(server, context):
    blob = context.image.blob_arguments("100m")
    fast = ["--connections", 1, "--count", context.count(10), *blob]
    alone = load(server, "get", context.image.repository, *fast)
    total = context.count(many_connections(), 50)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(load, server, "slowget", context.image.repository, "--connections", total, "--rate", 50 << 10,
                           "--seconds", context.count(25, 2), *blob[:4])
        time.sleep(context.count(12, 0.5))
        together = load(server, "get", context.image.repository, *fast)
        result = slow.result()
    return {**result, "peak_mib": result["rss_peak_kib"] / 1024, "fast_alone_mib_per_second": alone["mib_per_second"],
            "fast_together_mib_per_second": together["mib_per_second"],
            "fast_lost_percent": 100 * max(0.0, 1 - together["mib_per_second"] / alone["mib_per_second"])}


# ---- overload

GOOD_GETS, GOOD_PUSHES = 200, 20    # A second.
LEAD_SECONDS = 1                    # Before the excess.
SLICE_SECONDS = 0.1                 # What bench_load calls a slice.


def overload(server, context):
    """Four times the small pushes the server can do, all from one address, while a client at another address pulls
    manifests and pushes blobs at ease. All rows of the group show figures of the same run."""
    key = ("overload", context.round, server.name)
    if key not in context.shared:
        context.shared[key] = run_overload(server, context)
    return context.shared[key]


def run_overload(server, context):
    small = ["--size", 1024, "--mode", "post"]
    capacity = load(server, "push", "bench/excess", *small, "--connections", 64, "--count", context.count(1_000_000, 64),
                    "--seconds", context.seconds(2.5))
    seconds, tail, offered = context.count(5, 0.5), context.count(3, 0.5), int(4 * capacity["per_second"])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        good = [pool.submit(load, server, *what, "--from", "127.0.0.2", "--connections", 16, "--refusals", 1, "--pace", pace,
                            "--count", int(pace * (LEAD_SECONDS + seconds + tail)))
                for what, pace in ((("get", context.image.repository, "--accept", fixtures.MANIFEST,
                                     *context.image.manifest_arguments()), GOOD_GETS),
                                   (("push", "bench/good", "--size", 1024, "--mode", "mono"), GOOD_PUSHES))]
        time.sleep(LEAD_SECONDS)
        excess = load(server, "push", "bench/excess", *small, "--connections", min(context.count(6000, 200), many_connections()),
                      "--refusals", 1, "--pace", offered, "--count", int(offered * seconds), "--seconds", seconds)
        gets, pushes = (one.result() for one in good)
    ended = excess["began"] + excess["seconds"]
    result = {"capacity_per_second": capacity["per_second"], "offered_per_second": offered, "gets": gets, "pushes": pushes,
              "excess": excess, "refused_percent": 100 * excess["refused"] / max(1, excess["refused"] + excess["operations"]),
              "peak_mib": max(one["rss_peak_kib"] for one in (gets, pushes, excess)) / 1024,
              "recovery_ms": 1000 * max(recovery(one, excess["began"], ended) for one in (gets, pushes))}
    for name, one in (("get", gets), ("push", pushes)):
        failed = one["refused"] + one["missed"]
        result[f"{name}_failed_percent"] = 100 * failed / (failed + one["operations"])
        result[f"{name}_p99_ms"] = one["p99_ms"]
    return result


NORMAL_SLICES = 3   # In a row; a later one that is slow is the machine's doing.


def recovery(good, began, ended):
    """Seconds from the end of the excess to the first slices in a row that are normal: not slower than twice the worst
    before the excess, with a margin for the machine."""
    slices = [(good["began"] + number * SLICE_SECONDS, count, worst) for number, (count, worst) in enumerate(good["slices"])]
    normal_ms = max(25.0, 2 * max((worst for at, _, worst in slices if at + SLICE_SECONDS <= began), default=0.0))
    in_a_row = 0
    for at, count, worst in slices:
        in_a_row = in_a_row + 1 if at >= ended and 0 < count and worst <= normal_ms else 0
        if in_a_row == NORMAL_SLICES:
            return max(0.0, at - (NORMAL_SLICES - 1) * SLICE_SECONDS - ended)
    return slices[-1][0] - ended   # Never, as far as could be seen.


def stripped_size(server, _context):
    """Of the program without its symbols."""
    copy = server.path("stripped")
    done = subprocess.run(["strip", "-s", "-o", copy, server.binary()], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RowFailed("strip: " + done.stderr.strip()[-200:])
    size = os.path.getsize(copy)
    os.unlink(copy)
    return {"bytes": size, "mib": size / (1 << 20)}


# ---- the table of rows

MODES = ("post", "mono", "patch", "chunk")

def put_image(server, context):
    context.image.put_on(server)


def reading_group():
    both = (*ROADSTEAD, *STATIC, *PEERS)
    rows = [
        Row("manifest-get-16", "µs", get_manifest("manifest", 16), "cpu_us_per_op", both, STATIC, 1.0),
        Row("manifest-get-256", "µs", get_manifest("manifest", 256), "cpu_us_per_op", both, STATIC, 1.0),
        Row("manifest-head-16", "µs", head_manifest(16), "cpu_us_per_op", both, STATIC, 1.0),
        Row("manifest-head-256", "µs", head_manifest(256), "cpu_us_per_op", both, STATIC, 1.0),
        Row("blob-get-64k-4", "ms/MiB", get_blob("64k", 4, 16_000), "cpu_ms_per_mib", both, STATIC, 1.0),
        Row("blob-get-1m-4", "ms/MiB", get_blob("1m", 4, 2_000), "cpu_ms_per_mib", both, STATIC, 1.0),
        Row("blob-get-100m-1", "ms/MiB", get_blob("100m", 1, 20), "cpu_ms_per_mib", both, STATIC, 1.0),
        Row("blob-get-100m-4", "ms/MiB", get_blob("100m", 4, 24), "cpu_ms_per_mib", both, STATIC, 1.0),
        Row("blob-range-64k-4", "ms/MiB", get_range(64 << 10, 4, 16_000), "cpu_ms_per_mib", both, STATIC, 1.0),
        Row("blob-range-1m-4", "ms/MiB", get_range(1 << 20, 4, 2_000), "cpu_ms_per_mib", both, STATIC, 1.0),
        Row("blob-range-100m-1", "ms/MiB", get_range(100 << 20, 1, 20), "cpu_ms_per_mib", both, STATIC, 1.0),
    ]
    return Group("read", rows, put_image)


def tls_group():
    both = ("roadstead-tls", "nginx-tls")
    rows = [
        Row("tls-manifest-get-16", "µs", get_manifest("manifest", 16), "cpu_us_per_op", both, ("nginx-tls",)),
        Row("tls-blob-get-1m-4", "ms/MiB", get_blob("1m", 4, 1_000), "cpu_ms_per_mib", both, ("nginx-tls",), 1.25),
        Row("tls-blob-get-100m-1", "ms/MiB", get_blob("100m", 1, 10), "cpu_ms_per_mib", both, ("nginx-tls",), 1.25),
    ]
    return Group("tls", rows, put_image)


def http2_group():
    both = ("roadstead-tls", "nginx-tls")
    rows = [
        Row("h2-manifest-get", "µs", h2_manifest, "cpu_us_per_op", both, ("nginx-tls",)),
        Row("h2-blob-get-1m", "ms/MiB", h2_blob("1m", 4, 2, 1_000), "cpu_ms_per_mib", both, ("nginx-tls",), 1.5),
        Row("h2-blob-get-100m", "ms/MiB", h2_blob("100m", 1, 1, 10), "cpu_ms_per_mib", both, ("nginx-tls",), 1.5),
        Row("h2-push-1m", "ms/MiB", h2_push, "cpu_ms_per_mib", ("roadstead-tls",)),
    ]
    return Group("http2", rows, put_image)


def tags_group():
    lists = (*ROADSTEAD, *PEERS)
    path = "/v2/bench/tags/tags/list?n=100"
    rows = [
        Row("tags-manifest-get-16", "µs", tagged_manifest, "cpu_us_per_op", (*ROADSTEAD, *STATIC, *PEERS), STATIC, 1.0),
        Row("tags-first-100", "µs", get_path("bench/tags", path), "cpu_us_per_op", lists, PEERS, 1.0),
        Row("tags-middle-100", "µs", get_path("bench/tags", path + "&last=t0005000"), "cpu_us_per_op", lists, PEERS, 1.0),
        Row("tags-last-100", "µs", get_path("bench/tags", path + "&last=t0009899"), "cpu_us_per_op", lists, PEERS, 1.0),
    ]
    return Group("tags", rows, prepare_tags)


def estate_group():
    """Lists with a million entries behind them."""
    rows = [Row("estate-start-up", "ms", start_up, "ms", ROADSTEAD, (), 100, rounds=1),
            Row("estate-manifest-get-16", "µs", estate_manifest, "cpu_us_per_op", (*ROADSTEAD, *STATIC), STATIC, 1.0)]
    rows += [Row(f"estate-{name}-{page}", "ms p99", estate_list(name, page, 1, 1000), "p99_ms", ROADSTEAD, (), 10)
             for name in estate.LISTS for page in estate.PAGES]
    rows += [Row(f"estate-{name}-cpu", "µs", estate_list(name, None, 4, 3000), "cpu_us_per_op", ROADSTEAD)
             for name in estate.LISTS]
    return Group("estate", rows, prepare_estate)


def api_group():
    artifacts = "/api/v2.0/projects/bench/repositories/img/artifacts?page_size=10&with_tag=true"
    token = "/service/token?service=harbor-registry&scope=repository:bench/img:pull"
    anonymous = "/service/token?service=harbor-registry&scope=repository:library/img:pull"
    image = "bench/img"
    rows = [
        Row("ping", "µs", get_path(image, "/api/v2.0/ping", 4, 20_000, authorised=False), "cpu_us_per_op", ROADSTEAD, (), 30),
        Row("token", "µs", get_path(image, token, 4, 2_000, basic=True, varies=True), "cpu_us_per_op", ROADSTEAD, ("rsa2048",), 1.5),
        Row("token-anonymous", "µs", get_path(image, anonymous, 4, 2_000, authorised=False, varies=True), "cpu_us_per_op",
            ROADSTEAD, ("rsa2048",), 1.5),
        Row("projects-list", "µs", get_path(image, "/api/v2.0/projects?page_size=10", 4, 4_000, basic=True),
            "cpu_us_per_op", ROADSTEAD, (), 200),
        Row("artifacts-list", "µs", get_path(image, artifacts, 4, 4_000, basic=True), "cpu_us_per_op", ROADSTEAD, (), 200),
    ]
    return Group("api", rows, put_image)


def push_group(label, size, counts, modes, full=()):
    """Rows of every mode at so many connections: counts is {connections: blobs}. Below the chunk's 5 MiB a chunked push is
    one of two halves."""
    both = (*ROADSTEAD, "floor", *PEERS)
    small = size < 1 << 20
    rows = [Row(f"push-{label}-{connections}-{mode}", "µs" if small else "ms/MiB", push(size, connections, mode, count),
                "cpu_us_per_op" if small else "cpu_ms_per_mib", both, ("floor",), 2.0 if small else 1.25,
                full=connections in full)
            for connections, count in counts.items() for mode in modes]
    return Group(f"push-{label}", rows, warm_up_pushes)


def groups():
    image_servers = (*ROADSTEAD, *PEERS)
    traced = (*ROADSTEAD, "floor", "olareg", "distribution")
    manifest = ("manifest", 200, lambda context: context.image.manifest_arguments())
    blob = ("get", 50, lambda context: context.image.blob_arguments("1m"))
    return [
        Group("start", [
            Row("idle-memory", "MiB", idle_memory, "rss_mib", (*ROADSTEAD, "nginx", *PEERS), (), 50, rounds=1),
            Row("start-up", "ms", start_up, "ms", (*ROADSTEAD, "nginx", *PEERS), (), 100, rounds=1),
            Row("stripped-size", "MiB", stripped_size, "mib", ROADSTEAD, (), 15, rounds=1)], put_image),
        reading_group(),
        tls_group(),
        http2_group(),
        tags_group(),
        estate_group(),
        api_group(),
        push_group("1k", 1 << 10, {1: 300, 8: 1000, 64: 2000}, MODES),
        push_group("1m", 1 << 20, {1: 150, 8: 300, 64: 300}, MODES),
        push_group("100m", 100 << 20, {1: 4, 8: 8, 64: 64}, MODES, full=(64,)),
        push_group("2g", 2 << 30, {1: 1, 8: 8, 64: 64}, MODES, full=(1, 8, 64)),
        Group("image", [
            Row("image-push", "ms", image_push, "cpu_ms_per_image", image_servers, PEERS, 1.0),
            Row("image-pull", "ms", image_pull, "cpu_ms_per_image", image_servers, PEERS, 1.0)]),
        Group("syncs", [
            Row("syncs-alone", "calls", syncs_per_blob(1, 30), "syncs", (*ROADSTEAD, "floor", *PEERS), (), 4, rounds=1),
            Row("syncs-64", "calls", syncs_per_blob(64, 640), "syncs", (*ROADSTEAD, "floor", *PEERS), (), 3.2, rounds=1),
            Row("syscalls-push-1m", "calls", syscalls_of("push", 20, None, "mono"), "calls", traced, rounds=1)], warm_up_pushes),
        Group("syscalls", [
            Row("syscalls-manifest", "calls", syscalls_of(*manifest), "calls", (*ROADSTEAD, "nginx", "olareg"), rounds=1),
            Row("syscalls-blob-1m", "calls", syscalls_of(*blob), "calls", (*ROADSTEAD, "nginx", "olareg"), rounds=1)], put_image),
        Group("connections", [
            Row("idle-connections", "KiB each", idle_connections, "kib_per_connection", (*ROADSTEAD, "nginx", *PEERS), (), 8,
                rounds=1),
            Row("slow-readers", "MiB peak", slow_readers, "peak_mib", (*ROADSTEAD, "nginx"), (), 200, rounds=1),
            Row("slow-readers-fast", "% lost", slow_readers, "fast_lost_percent", (*ROADSTEAD, "nginx"), (), 30, rounds=1)],
              put_image),
        Group("uploads", [
            Row("upload-memory", "MiB peak", peak(upload_memory(32 << 20, 64)), "peak_mib", (*ROADSTEAD, "floor", *PEERS), (), 150,
                rounds=1),
            Row("upload-memory-256m", "MiB peak", peak(upload_memory(256 << 20, 64)), "peak_mib", (*ROADSTEAD, "floor"), (), 150,
                rounds=1, full=True)], warm_up_pushes),
        overload_group(),
    ]


def overload_group():
    """Ours only: the others queue without a bound or refuse nothing."""
    rows = [Row(f"overload-{name}", unit, overload, metric, ROADSTEAD, (), goal, rounds=2) for name, unit, metric, goal in (
        ("refused", "% of excess", "refused_percent", None),
        ("get-failed", "% of good", "get_failed_percent", 0.1), ("get-p99", "ms", "get_p99_ms", None),
        ("push-failed", "% of good", "push_failed_percent", 1), ("push-p99", "ms", "push_p99_ms", None),
        ("memory", "MiB peak", "peak_mib", 200), ("recovery", "ms", "recovery_ms", 1000))]

    def prepare(server, context):
        put_image(server, context)
        warm_up_pushes(server, context)
    return Group("overload", rows, prepare)


def peak(run):
    def with_peak(server, context):
        result = run(server, context)
        return {**result, "peak_mib": result["rss_peak_kib"] / 1024}
    return with_peak
