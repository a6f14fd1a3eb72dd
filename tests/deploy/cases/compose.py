"""The compose files: complete, without passwords of their own, and started as they say."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import yaml
from examples import DEPLOY, ExampleServer, check_variables, free_port, has_path, make_certificate, read
from examples import read_yaml, scratch_folder, use_registry
from harness import check, equal
from schemas import compose_problems

EXAMPLES = ("single", "postgresql-s3", "mysql-s3")
REFERENCE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")
ONCE = {"bucket"}  # Services that do one thing and end.


class Missing(Exception):
    pass


def interpolate(value, variables):
    """As compose does it: ${A}, ${A:-default}, ${A:?complaint}."""
    if isinstance(value, dict):
        return {key: interpolate(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, variables) for item in value]
    if not isinstance(value, str):
        return value

    def replaced(match):
        name, operator, rest = match.groups()
        if variables.get(name):
            return variables[name]
        if operator == ":-":
            return rest
        raise Missing(name if operator == ":?" else f"{name} has neither a default nor a complaint")

    return REFERENCE.sub(replaced, value)


def references(text):
    """Name → whether it is required."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {name: operator == ":?" for name, operator, _ in REFERENCE.findall(code)}


def dotenv(text, commented=False):
    pattern = r"^#?([A-Z][A-Z0-9_]*)=(.*)$" if commented else r"^([A-Z][A-Z0-9_]*)=(.*)$"
    return dict(re.findall(pattern, text, re.MULTILINE))


def main():
    for example in EXAMPLES:
        text = read("compose", example, "compose.yaml")
        file = yaml.safe_load(text)
        check_references(example, text, file)
        filled = interpolate(file, {**dotenv(read("compose", example, ".env.example")), **filled_in()})
        equal(compose_problems(filled), [], f"{example}: as Compose's schema has it")
        for name, service in filled["services"].items():
            check_service(f"{example}, {name}", name, service, filled)
        check_names(example, filled)
        check_variables(filled["services"]["roadstead"]["environment"], example)
    wrong = read_yaml("compose", "single", "compose.yaml")
    wrong["services"]["roadstead"]["read-only"] = True
    check(any("read-only" in problem for problem in compose_problems(wrong)), "the schema finds mistakes")
    start_single()
    start_behind_haproxy()


def filled_in(**more):
    """What somebody writes into .env."""
    return {"ROADSTEAD_IMAGE": "roadstead:0.1.0", "ROADSTEAD_EXTERNAL_URL": "https://images.example.org",
            "ROADSTEAD_ADMIN_PASSWORD": "Admin12345word", "ROADSTEAD_TLS_DIR": "/tls", "ROADSTEAD_TLS_PEM": "/tls.pem",
            "ROADSTEAD_SECRET_KEY_FILE": "/secret_key", "DATABASE_PASSWORD": "d" * 48, "REDIS_PASSWORD": "e" * 48,
            "S3_ACCESS_KEY": "access", "S3_SECRET_KEY": "f" * 48, **more}


def check_references(example, text, file):
    used, explained = references(text), dotenv(read("compose", example, ".env.example"), commented=True)
    equal(set(explained), set(used), f"{example}: .env.example explains what the file uses")
    for name, required in used.items():
        secret = re.search(r"PASSWORD|SECRET|ACCESS_KEY", name)
        check(required or not secret, f"{example}: {name} must have no default")
        if required:
            equal(explained[name], "", f"{example}: {name} in .env.example")
        else:
            default = re.search(r"\$\{%s:-([^}]*)\}" % name, text)[1]
            equal(explained[name], default, f"{example}: {name} in .env.example is the default")
    # An .env that was copied and not filled in starts nothing; nor does one where a single answer is missing.
    for name in (name for name, required in used.items() if required):
        try:
            interpolate(file, {**dotenv(read("compose", example, ".env.example")), **filled_in(**{name: ""})})
        except Missing as missing:
            equal(str(missing), name, f"{example}: the complaint")
            continue
        raise AssertionError(f"{example}: starts without {name}")


def check_service(where, name, service, file):
    image = service["image"]
    repository, _, tag = image.rpartition(":")
    check(repository and tag not in ("", "latest") and "/" not in tag, f"{where}: {image} has a tag")
    check("." not in repository.partition("/")[0], f"{where}: {image} names no registry")
    equal(service["restart"], "no" if name in ONCE else "unless-stopped", f"{where}: restart")
    check(service["read_only"] is True, f"{where}: the root is read-only")
    equal(service["cap_drop"], ["ALL"], f"{where}: capabilities")
    check("no-new-privileges:true" in service["security_opt"], f"{where}: no new privileges")
    check("privileged" not in service and "network_mode" not in service or service["network_mode"] == "none", where)
    check(name in ONCE or "test" in service["healthcheck"], f"{where}: a health check")
    if name in ("roadstead", "haproxy", "redis"):
        check(not service["user"].startswith(("0", "root")) and "cap_add" not in service, f"{where}: not root")
    for port in service.get("ports", []):
        check(name in ("haproxy",) or "roadstead" in file["services"] and len(file["services"]) == 1,
              f"{where}: only the entrance has ports: {port}")
        check(":9090" not in port or port.startswith("127.0.0.1:"), f"{where}: metrics stay on this machine")


def check_names(example, file):
    volumes, networks = set(), set()
    for name, service in file["services"].items():
        volumes |= {entry.partition(":")[0] for entry in service.get("volumes", []) if isinstance(entry, str)}
        networks |= set(service.get("networks", []))
        for other, condition in service.get("depends_on", {}).items():
            target = file["services"][other]
            once = condition["condition"] == "service_completed_successfully"
            equal(once, other in ONCE, f"{example}: {name} waits for {other}")
            check(once or "healthcheck" in target, f"{example}: {other} can be healthy")
        for secret in service.get("secrets", []):
            check(secret in file["secrets"], f"{example}: the secret {secret}")
        for config in service.get("configs", []):
            path = file["configs"][config["source"]]["file"]
            check(os.path.exists(os.path.join(DEPLOY, "compose", example, path)), f"{example}: {path} exists")
    equal(set(file.get("volumes", {})), volumes, f"{example}: volumes")
    equal(set(file.get("networks", {})), networks, f"{example}: networks")
    stop = int(file["services"]["roadstead"]["stop_grace_period"].rstrip("s"))
    check(stop > 30, f"{example}: longer than limits.drain_time")
    if example != "single":
        environment = file["services"]["roadstead"]["environment"]
        equal(environment["ROADSTEAD_TRUSTED_PROXIES"], file["networks"]["replicas"]["ipam"]["config"][0]["subnet"],
              f"{example}: the proxy is trusted")
        check(file["services"]["roadstead"]["deploy"]["replicas"] > 1, f"{example}: replicas")
        secret = environment["ROADSTEAD_SECRET_KEY_FILE"].rpartition("/")[2]
        check(secret in file["services"]["roadstead"]["secrets"], f"{example}: the key is there")


def start_single():
    """The program with exactly this environment, its health check, and a certificate that is renewed."""
    with scratch_folder() as scratch:
        tls = make_certificate(scratch, "tls")
        file = interpolate(yaml.safe_load(read("compose", "single", "compose.yaml")), filled_in(ROADSTEAD_TLS_DIR=tls))
        service = file["services"]["roadstead"]
        mount = next(entry for entry in service["volumes"] if isinstance(entry, dict))
        server = ExampleServer(scratch, service["environment"], {mount["target"]: mount["source"]},
                               ca=os.path.join(tls, "tls.crt"))
        equal(service["healthcheck"]["test"], ["CMD", "/usr/bin/roadstead", "health"], "the health check")
        equal(server.health(), 1, "health before the start")
        with server:
            check(server.url.startswith("https://127.0.0.1:"), server.url)
            use_registry(server, "single")
            equal(server.health(), 0, "health")
            status, _, text = server.request("GET", server.metrics_url, authenticated=False)
            check(status == 200 and b"process_resident_memory_bytes" in text, "metrics")
            begin = time.monotonic()
            equal(server.stop(), 0, "ends")
            check(time.monotonic() - begin < int(service["stop_grace_period"].rstrip("s")), "in time")
            equal(server.health(), 1, "health of a stopped server")
            server.start()
            status, _, text = server.request("GET", "/v2/single/image/blobs/sha256:2c26b46b68ffc68ff99b453c1d30413413422d7"
                                             "06483bfa0f98a5e886266e7ae", password=server.password)
            equal((status, text), (200, b"foo"), "after a restart")


def haproxy_configuration(scratch, servers, pem, port):
    """The example, with its files and addresses on this machine."""
    replicas = "\n".join(f"  server replica{number} {server.host}" for number, server in enumerate(servers))
    text = read("compose", "haproxy.cfg")
    # This machine may allow fewer descriptors than the container.
    changes = [(r"maxconn 20000", "maxconn 500"), (r"bind :8443 ", f"bind 127.0.0.1:{port} "), (r"/etc/haproxy/tls\.pem", pem),
               (r"  server-template replica 8 roadstead:8080 resolvers names init-addr none", replicas)]
    if not has_path(servers[0], "/readyz"):
        print("**** NOT CHECKED: this program has no /readyz yet: HAProxy asks for /api/v2.0/health here ****")
        changes.append((r"uri /readyz", "uri /api/v2.0/health"))
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text)
        check(count >= 1, f"haproxy.cfg has no {pattern}")
    return scratch.write("haproxy.cfg", text)


@contextlib.contextmanager
def haproxy(scratch, servers, tls, port):
    """HAProxy as the example has it, in front of running servers."""
    pem = scratch.path("tls.pem")
    with open(pem, "wb") as both:
        for name in ("tls.crt", "tls.key"):
            with open(os.path.join(tls, name), "rb") as part:
                both.write(part.read())
    # As it stands, with the names of compose that do not resolve here.
    subprocess.run(["haproxy", "-c", "-q", "-f", scratch.write("as-it-is.cfg", read("compose", "haproxy.cfg").replace(
        "/etc/haproxy/tls.pem", pem))], check=True, timeout=60)
    config = haproxy_configuration(scratch, servers, pem, port)
    with open(scratch.path("haproxy.log"), "wb") as log:
        proxy = subprocess.Popen(["haproxy", "-db", "-f", config], stdout=log, stderr=log)
    try:
        yield proxy
    finally:
        proxy.kill()
        proxy.wait()


def start_behind_haproxy():
    if shutil.which("haproxy") is None:
        print("**** NOT CHECKED: haproxy is not installed (./x setup test) ****")
        return
    limit = yaml.safe_load(read("compose", "mysql-s3", "compose.yaml"))["services"]["haproxy"]["ulimits"]["nofile"]
    check(limit > 2 * int(re.search(r"maxconn (\d+)", read("compose", "haproxy.cfg"))[1]) + 100, "descriptors")
    with scratch_folder() as scratch:
        tls, port = make_certificate(scratch, "tls"), free_port()
        environment = {"ROADSTEAD_LISTEN": "0.0.0.0:8080", "ROADSTEAD_TRUSTED_PROXIES": "127.0.0.0/8",
                       "ROADSTEAD_ADMIN_PASSWORD": "Admin12345word"}
        with ExampleServer(scratch, environment, ca=os.path.join(tls, "tls.crt")) as server:
            with haproxy(scratch, [server], tls, port) as proxy:
                through_haproxy(server, proxy, port)


def answers(server):
    try:
        return server.request("GET", "/api/v2.0/ping", authenticated=False)[0] == 200
    except OSError:
        return False


def wait_for_replica(server, proxy):
    """Two checks have to succeed before the first request gets through."""
    deadline = time.monotonic() + 30
    while not answers(server):
        check(proxy.poll() is None and time.monotonic() < deadline, "HAProxy finds a replica")
        time.sleep(0.1)


def through_haproxy(server, proxy, port):
    direct, server.url = server.url, f"https://127.0.0.1:{port}"
    wait_for_replica(server, proxy)
    use_registry(server, "proxied")
    _, headers, _ = server.request("GET", "/v2/", authenticated=False, headers={"X-Forwarded-Host": "evil.example.org"})
    check(f'realm="https://127.0.0.1:{port}/' in headers["WWW-Authenticate"], f"clients stay: {headers['WWW-Authenticate']}")
    for path in ("/metrics", "/livez", "/readyz"):
        equal(server.request("GET", path, authenticated=False)[0], 404, path)
    server.url = direct
    proxy.send_signal(signal.SIGUSR1)
    equal(proxy.wait(45), 0, "HAProxy ends")
