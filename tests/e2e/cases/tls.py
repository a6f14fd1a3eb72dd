"""TLS with a private CA: clients that know it work, others refuse; certificates are replaced while running."""
import hashlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

from harness import Scratch, check, equal, started


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_ca(folder):
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA",
            "-keyout", "ca.key", "-out", "ca.crt", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign")


def make_certificate(folder, name):
    with open(os.path.join(folder, "names.cnf"), "w", encoding="ascii") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", "new.key", "-out", "new.csr")
    openssl(folder, "x509", "-req", "-in", "new.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names.cnf", "-out", "new.crt")
    for suffix in ("key", "crt"):
        os.replace(os.path.join(folder, "new." + suffix), os.path.join(folder, "server." + suffix))


def main():
    scratch = Scratch()
    try:
        folder = os.path.dirname(scratch.path("tls", "x"))
        make_ca(folder)
        make_certificate(folder, "first")
        environment = {"ROADSTEAD_TLS_CERTIFICATE": os.path.join(folder, "server.crt"),
                       "ROADSTEAD_TLS_KEY": os.path.join(folder, "server.key")}
        with started(environment, ca=os.path.join(folder, "ca.crt"), scratch=scratch) as case:
            check(case.server.url.startswith("https://"), case.server.url)
            case.project("secure")
            http2(case, folder)
            clients(case, folder)
            versions(case, folder)
            replaced(case, folder)
    finally:
        scratch.remove()


def clients(case, folder):
    layout = case.layout()
    image, _ = layout.image([{"etc/one": b"1" * 300_000}])
    layout.tag(image, "x")
    user, authority = case.admin, os.path.join(folder, "ca.crt")
    known = {"SSL_CERT_FILE": authority}
    reference = f"{case.host}/secure/image:1"
    certificates = os.path.dirname(case.scratch.path("certs.d", "x"))
    shutil.copy(authority, os.path.join(certificates, "ca.crt"))

    user.run("skopeo", "login", "--cert-dir", certificates, "-u", "admin", "-p", user.password, case.host)
    user.run("skopeo", "copy", "-q", "--insecure-policy", f"oci:{layout.folder}:x", f"docker://{reference}", ok=False)
    user.run("skopeo", "copy", "-q", "--insecure-policy", "--dest-cert-dir", certificates, f"oci:{layout.folder}:x",
             f"docker://{reference}")
    user.run("skopeo", "copy", "-q", "--insecure-policy", "--src-cert-dir", certificates, f"docker://{reference}",
             f"oci:{case.scratch.path('pulled')}:x")

    user.run("crane", "auth", "login", "-u", "admin", "-p", user.password, case.host, environment=known)
    equal(user.run("crane", "digest", reference, environment=known).strip(), image["digest"], "digest")
    user.run("curl", "-fsS", "-o", "/dev/null", f"https://{case.host}/v2/", ok=False)
    user.run("oras", "login", "--ca-file", authority, "-u", "admin", "-p", user.password, case.host)
    case.scratch.write("note.txt", "a note")
    user.run("oras", "push", "--ca-file", authority, f"{case.host}/secure/note:1", "note.txt:text/plain")
    user.run("curl", "-fsS", "--cacert", authority, "-u", f"admin:{user.password}", f"https://{case.host}/v2/")


def http2(case, folder):
    """curl, which offers HTTP/2 and says what it got: a blob is pushed, pulled whole and in part, and asked for in vain."""
    user, content = case.admin, os.urandom(3_000_000)
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    sent, got = case.scratch.path("sent"), case.scratch.path("got")
    with open(sent, "wb") as file:
        file.write(content)

    def curl(path, *arguments, protocol="2", status="200"):
        output = user.run("curl", "-sS", "--cacert", os.path.join(folder, "ca.crt"), "-u", f"admin:{user.password}", "-o", got,
                          "-w", "%{http_version} %{http_code}", *arguments, f"https://{case.host}{path}")
        equal(output.strip(), f"{protocol} {status}", path)
        with open(got, "rb") as file:
            return file.read()

    blob, push = "/v2/secure/curl/blobs/", f"/blobs/uploads/?digest={digest}"
    body = ("-H", "Content-Type: application/octet-stream", "--data-binary", f"@{sent}")
    curl("/v2/secure/curl" + push, *body, status="201")
    equal(curl(blob + digest), content, "the blob")
    equal(curl(blob + digest, "-r", "1000000-1999999", status="206"), content[1_000_000:2_000_000], "a part of it")
    equal(curl(blob + digest, "--http1.1", protocol="1.1"), content, "the blob by HTTP/1.1")
    curl(blob + "sha256:" + 64 * "0", status="404")
    # Refused before the body was read; the next request goes on.
    curl("/v2/nowhere/x" + push, *body, status="401")


def handshake(case, folder, **versions_allowed):
    """(TLS version, certificate's common name), or None when the server refuses."""
    context = ssl.create_default_context(cafile=os.path.join(folder, "ca.crt"))
    for name, value in versions_allowed.items():
        setattr(context, name, value)
    host, port = case.host.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        try:
            with context.wrap_socket(raw, server_hostname=host) as secure:
                subject = dict(pair[0] for pair in secure.getpeercert()["subject"])
                return secure.version(), subject["commonName"]
        except (ssl.SSLError, ConnectionError):
            return None


def versions(case, folder):
    equal(handshake(case, folder), ("TLSv1.3", "first"), "best version")
    equal(handshake(case, folder, maximum_version=ssl.TLSVersion.TLSv1_2), ("TLSv1.2", "first"), "TLS 1.2")
    done = subprocess.run(["openssl", "s_client", "-connect", case.host, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    check("Cipher is (NONE)" in done.stdout or done.returncode != 0, "TLS 1.1 is refused")
    # Plain HTTP on a TLS port ends the connection and nothing else.
    host, port = case.host.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            check(not raw.recv(4096).startswith(b"HTTP/1.1 200"), "no plain answer")
        except ConnectionError:
            pass
    equal(case.admin.request("GET", "/api/v2.0/ping")[0], 200, "still there")


def replaced(case, folder):
    """A connection that is open keeps its certificate; new ones get the new one; a broken file changes nothing."""
    context = ssl.create_default_context(cafile=os.path.join(folder, "ca.crt"))
    host, port = case.host.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw, \
            context.wrap_socket(raw, server_hostname=host) as secure:
        make_certificate(folder, "second")
        case.server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while handshake(case, folder)[1] != "second":
            check(time.monotonic() < deadline, "the new certificate is not used")
            time.sleep(0.05)
        secure.sendall(b"GET /api/v2.0/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        check(secure.recv(4096).startswith(b"HTTP/1.1 200"), "the old connection goes on")
    with open(os.path.join(folder, "server.crt"), "w", encoding="ascii") as file:
        file.write("broken\n")
    case.server.process.send_signal(signal.SIGHUP)
    equal(case.admin.request("GET", "/api/v2.0/ping")[0], 200, "ping")
    equal(handshake(case, folder)[1], "second", "a broken file changes nothing")
