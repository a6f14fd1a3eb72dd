"""Replicas, as the compose files and the values of the chart have them: two beside each other behind HAProxy, on a real database,
a real bucket and Redis. The commands of the services bucket and Redis are those of the compose files."""
import contextlib
import os
import shutil
import subprocess
import time

import compose
import helm
import yaml
from examples import ExampleServer, accepts, free_port, make_certificate, read, scratch_folder, use_registry
from harness import Skip, check, equal, find_client

ACCESS_KEY, SECRET_KEY = "access-of-a-test", "secret-of-a-test"
FOO = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
START_SECONDS = 60


@contextlib.contextmanager
def program(command, log_path, environment, port):
    """A process that listens on a port of ours, for as long as the block lasts."""
    with open(log_path, "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": os.environ["PATH"], **environment})
    try:
        deadline = time.monotonic() + START_SECONDS
        while not listens(process.pid, port):
            if process.poll() is not None or time.monotonic() > deadline:
                with open(log_path, encoding="utf-8", errors="replace") as log:
                    raise AssertionError(f"{command[0]} does not serve: {log.read()[-2000:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def listens(pid, port):
    """Whether it is this very process that listens there."""
    inodes = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        inodes |= {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with contextlib.suppress(OSError):
            if os.readlink(os.path.join(folder, name)) in inodes:
                return True
    return False


@contextlib.contextmanager
def bucket(scratch, file):
    """The services `s3` and `bucket`. Yields the endpoint."""
    service, port, data = file["services"]["s3"], free_port(), scratch.path("s3")
    volumes = [entry.partition(":")[2] for entry in service["volumes"]]
    for path in volumes:
        os.makedirs(path.replace("/data", data, 1))
    command = [word.replace("/data/", data + "/") for word in service["command"]]
    command[command.index(":7070")] = f"127.0.0.1:{port}"
    with program([find_client("versitygw"), *command], scratch.path("s3.log"), service["environment"], port):
        once = [word.replace("/data/", data + "/") for word in file["services"]["bucket"]["entrypoint"]]
        subprocess.run(once, check=True, timeout=60)
        url = service["healthcheck"]["test"][-1].replace("127.0.0.1:7070", f"127.0.0.1:{port}")
        subprocess.run(["curl", "-sSf", "--noproxy", "*", url], check=True, timeout=60, stdout=subprocess.DEVNULL)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def redis(scratch, file):
    """The service `redis`. Yields its port."""
    if shutil.which("redis-server") is None:
        raise Skip("redis-server is not installed (./x setup test)")
    service, port = file["services"]["redis"], free_port()
    command = [*service["command"], "--port", str(port), "--bind", "127.0.0.1", "--dir", scratch.folder]
    with program(command, scratch.path("redis.log"), {}, port):
        said = subprocess.run(["redis-cli", "-p", str(port), "ping"], env={"PATH": os.environ["PATH"], **service["environment"]},
                              capture_output=True, text=True, timeout=60, check=True).stdout
        equal(said.strip(), "PONG", "redis's health check")
        yield port


def database_server(example):
    try:
        if example.startswith("postgresql"):
            from postgresql import Postgresql as Server
        else:
            from mariadb import Mariadb as Server
    except ImportError as error:
        raise Skip(f"there is no server for {example}: {error}") from None
    return Server(fsync=False)


def located(environment, database, redis_port):
    """The names of compose's network become addresses of this machine."""
    found = dict(environment)
    scheme, _, rest = found["ROADSTEAD_DATABASE_URL"].partition("://")
    query = rest.partition("?")[2]
    ours, _, authority = database.url.partition("://")
    equal(ours, scheme, "the scheme of the database")
    found["ROADSTEAD_DATABASE_URL"] = f"{scheme}://{authority}" + (f"?{query}" if query else "")
    if "ROADSTEAD_REDIS_URL" in found:
        found["ROADSTEAD_REDIS_URL"] = found["ROADSTEAD_REDIS_URL"].replace("@redis:6379/", f"@127.0.0.1:{redis_port}/")
    return found


def start_compose(example, file, world):
    """Two replicas: one pushes, the other answers, also once the first is dead."""
    with scratch_folder() as scratch, scratch_folder() as second:
        tls, port = make_certificate(scratch, "tls"), free_port()
        key = scratch.write("secret_key", helm.SECRET_KEY + "\n")
        os.chmod(key, 0o400)
        filled = compose.interpolate(file, compose.filled_in(
            S3_ACCESS_KEY=ACCESS_KEY, S3_SECRET_KEY=SECRET_KEY, S3_ENDPOINT=world.endpoint, ROADSTEAD_SUBNET="127.0.0.0/8",
            ROADSTEAD_EXTERNAL_URL=f"https://127.0.0.1:{port}"))
        environment = located(filled["services"]["roadstead"]["environment"], world.database("compose"), world.redis_port)
        paths = {"/run/secrets/secret_key": key}
        ca = os.path.join(tls, "tls.crt")
        with ExampleServer(scratch, environment, paths, ca=ca) as one, ExampleServer(second, environment, paths, ca=ca) as two:
            equal((one.health(), two.health()), (0, 0), f"{example}: health of both")
            with compose.haproxy(scratch, [one, two], tls, port) as proxy:
                direct, one.url = one.url, f"https://127.0.0.1:{port}"
                compose.wait_for_replica(one, proxy)
                use_registry(one, "replicated")
                one.url = direct
                one.kill()
                two.url = f"https://127.0.0.1:{port}"
                compose.wait_for_replica(two, proxy)
                status, _, text = two.request("GET", f"/v2/replicated/image/blobs/{FOO}", password=two.password)
                equal((status, text), (200, b"foo"), f"{example}: the other replica has it")


def start_chart(example, world):
    """One replica with what the chart renders for the values of the same name."""
    scheme = "postgresql" if example.startswith("postgresql") else "mysql"
    documents = helm.render(
        *helm.value_sets()[example], "--set", "secrets.existingSecret=", "--set", f"storage.s3.endpoint={world.endpoint}",
        "--set", "storage.s3.bucket=roadstead,storage.s3.prefix=chart,storage.s3.region=us-east-1",
        "--set-string", f"secrets.databaseUrl={scheme}://a:b@db/roadstead", "--set-string",
        "secrets.adminPassword=Admin12345word", "--set-string", f"secrets.secretKey={helm.SECRET_KEY}", "--set-string",
        f"secrets.awsAccessKeyId={ACCESS_KEY}", "--set-string", f"secrets.awsSecretAccessKey={SECRET_KEY}", "--set-string",
        f"secrets.redisUrl=redis://:{'e' * 48}@redis:6379/0")
    with scratch_folder() as scratch:
        tls = make_certificate(scratch, "tls")
        key = scratch.write("secret-key", helm.SECRET_KEY)
        environment = located(helm.environment_of(documents), world.database("chart"), world.redis_port)
        paths = {"/etc/roadstead/secret/secret-key": key, "/etc/roadstead/tls": tls}
        with ExampleServer(scratch, environment, paths, ca=os.path.join(tls, "tls.crt")) as server:
            equal(server.health(), 0, f"{example}: health")
            helm.check_probes(server)
            use_registry(server, "chart")


class World:
    """What is around the replicas."""

    def __init__(self, endpoint, redis_port, server):
        self.endpoint, self.redis_port, self.server = endpoint, redis_port, server

    def database(self, name):
        return self.server.create_database(name)


def start(example, file, around, endpoint, redis_port):
    """False when this program cannot work with such a database or such a bucket."""
    if not accepts(around["services"]["roadstead"]["environment"]):
        return False
    with database_server(example) as server:
        world = World(endpoint, redis_port, server)
        start_compose(example, file, world)
        start_chart(example, world)
    print(f"{example}: started")
    return True


def main():
    files = {example: yaml.safe_load(read("compose", example, "compose.yaml")) for example in ("postgresql-s3", "mysql-s3")}
    values = compose.filled_in(S3_ACCESS_KEY=ACCESS_KEY, S3_SECRET_KEY=SECRET_KEY)
    around = {example: compose.interpolate(file, values) for example, file in files.items()}
    equal(around["mysql-s3"]["services"]["s3"], around["postgresql-s3"]["services"]["s3"], "the buckets of both")
    with scratch_folder() as scratch, bucket(scratch, around["postgresql-s3"]) as endpoint, \
            redis(scratch, around["postgresql-s3"]) as redis_port:
        check(shutil.which("haproxy"), "haproxy is installed (./x setup test)")
        started = [example for example in files if start(example, files[example], around[example], endpoint, redis_port)]
        if started != list(files):
            raise Skip(f"this program starts {started} of {list(files)}; the bucket and Redis of the compose files do start")
