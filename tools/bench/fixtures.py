"""Content for the servers: one image, one repository of many tags, and layouts of unique images."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

import servers

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG_CONTENT = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}'


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(media_type, content):
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def manifest_of(config, layers):
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config),
                       "layers": [descriptor(LAYER, layer) for layer in layers]}).encode()


class Image:
    """The same bytes on every server: layers of 64 KiB, 1 MiB and 100 MiB (smaller when `quick`)."""
    repository = "bench/img"
    tag = "v1"

    def __init__(self, quick):
        self.layers = {"64k": os.urandom(64 << 10), "1m": os.urandom(1 << 20),
                       "100m": os.urandom((2 if quick else 100) << 20)}
        self.manifest = manifest_of(CONFIG_CONTENT, self.layers.values())

    def put_on(self, server):
        for content in (CONFIG_CONTENT, *self.layers.values()):
            server.put_blob(self.repository, content, digest_of(content))
        server.put_manifest(self.repository, self.tag, self.manifest, MANIFEST)

    def manifest_arguments(self):
        return ["--path", f"/v2/{self.repository}/manifests/{self.tag}", "--length", str(len(self.manifest)),
                "--digest", digest_of(self.manifest)]

    def blob_arguments(self, which):
        content = self.layers[which]
        return ["--path", f"/v2/{self.repository}/blobs/{digest_of(content)}", "--length", str(len(content)),
                "--digest", digest_of(content)]


class TaggedRepository:
    """One small manifest under many tags t0000000, t0000001, …"""
    repository = "bench/tags"

    def __init__(self):
        self.layer = os.urandom(1024)
        self.manifest = manifest_of(CONFIG_CONTENT, [self.layer])
        self.file = os.path.join(servers.WORK, "tagged-manifest.json")
        os.makedirs(servers.WORK, exist_ok=True)
        with open(self.file, "wb") as file:
            file.write(self.manifest)

    def put_blobs_on(self, server):
        for content in (CONFIG_CONTENT, self.layer):
            server.put_blob(self.repository, content, digest_of(content))


def write_layouts(directory, count, layers, layer_size):
    """`count` OCI layouts of unique content, as crane pushes them: directory/0, directory/1, …"""
    shutil.rmtree(directory, ignore_errors=True)
    for number in range(count):
        write_layout(os.path.join(directory, str(number)), layers, layer_size)


def write_layout(directory, layers, layer_size):
    blobs = os.path.join(directory, "blobs", "sha256")
    os.makedirs(blobs)

    def put(content):
        with open(os.path.join(blobs, hashlib.sha256(content).hexdigest()), "wb") as file:
            file.write(content)
        return content

    contents = [put(one_file_tar(f"file{i}", os.urandom(layer_size - 2048))) for i in range(layers)]
    config = put(json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": [digest_of(c) for c in contents]}}).encode())
    manifest = put(manifest_of(config, contents))
    with open(os.path.join(directory, "index.json"), "w", encoding="ascii") as file:
        json.dump({"schemaVersion": 2, "manifests": [descriptor(MANIFEST, manifest)]}, file)
    with open(os.path.join(directory, "oci-layout"), "w", encoding="ascii") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)


def one_file_tar(name, content):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def touch_memory(size):
    """Writes and removes a file of `size` bytes, so that a push finds page-cache pages the host has already backed.

    On a virtual machine the first touch of a page costs more than all the work a server does for it, and
    would fall on whichever server comes first.
    """
    path = os.path.join(servers.WORK, "touch")
    block = bytes(1 << 20)
    with open(path, "wb", buffering=0) as file:
        for _ in range(min(size, 4 << 30) >> 20):
            file.write(block)
    os.unlink(path)


def rsa_signature_us():
    """CPU time of one RSA-2048 signature with the system's OpenSSL, the measure of token issue."""
    done = subprocess.run(["openssl", "speed", "-seconds", "1", "-mr", "rsa2048"], capture_output=True, text=True,
                          check=False)
    for line in done.stdout.splitlines():
        field = line.split(":")
        if field[0] == "+F2":
            value = float(field[3])   # Signatures per second, or seconds per signature.
            return 1e6 / value if value > 1 else value * 1e6
    return None
