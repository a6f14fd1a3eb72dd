#!/usr/bin/python3
"""Images for the cases: a real Debian of several layers, kept in $ROADSTEAD_CACHE/images, and small ones
for many architectures, made on the spot.

Run as a program it builds the Debian image; exit 77 (skipped) where that is impossible.
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

CACHE = os.environ.get("ROADSTEAD_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "roadstead")
DEBIAN = os.path.join(CACHE, "images", "debian-12-v2")
ARCHITECTURES = [("amd64", ""), ("arm64", "v8"), ("arm", "v7"), ("386", ""), ("ppc64le", ""),
                 ("s390x", ""), ("riscv64", "")]
# Packages without dependencies that are worth a layer; each becomes one.
LAYER_PACKAGES = ["hello", "tzdata", "ca-certificates"]


def run(*command, **keywords):
    subprocess.run(command, check=True, **keywords)


def download(package, folder):
    """Fetches a package into `folder`; on a machine that has no package lists yet, those first."""
    command = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode != 0:
        run("apt-get", "update", "-q", stdout=subprocess.DEVNULL)
        run(*command, cwd=folder, stdout=subprocess.DEVNULL)


def build_debian(target):
    """Two layouts with the tag `image`: gzip/ of four layers, and zstd/, the same compressed anew."""
    if os.geteuid() != 0:
        print("SKIPPED: debootstrap needs root; the cases with a Debian image will be skipped", file=sys.stderr)
        return 77
    os.makedirs(os.path.dirname(target), exist_ok=True)
    work = tempfile.mkdtemp(prefix=".building-", dir=os.path.dirname(target))
    try:
        root = os.path.join(work, "root")
        run("debootstrap", "--variant=minbase", "bookworm", root, stdout=subprocess.DEVNULL)
        for leftover in ("var/cache/apt/archives", "var/lib/apt/lists", "var/log"):
            shutil.rmtree(os.path.join(root, leftover), ignore_errors=True)
            os.makedirs(os.path.join(root, leftover))
        made, bundle = os.path.join(work, "made"), os.path.join(work, "bundle")
        layout = os.path.join(made, "gzip")
        os.makedirs(made)
        image = layout + ":image"
        run("umoci", "init", "--layout", layout)
        run("umoci", "new", "--image", image)
        run("umoci", "unpack", "--image", image, bundle)
        run("cp", "-a", root + "/.", bundle + "/rootfs/")
        run("umoci", "repack", "--image", image, "--refresh-bundle", bundle)
        for package in LAYER_PACKAGES:
            download(package, work)
            file = next(name for name in os.listdir(work) if name.startswith(package + "_"))
            run("dpkg-deb", "-x", os.path.join(work, file), bundle + "/rootfs")
            run("umoci", "repack", "--image", image, "--refresh-bundle", bundle)
        run("umoci", "config", "--image", image, "--config.cmd", "/bin/bash", "--architecture", "amd64", "--os",
            "linux")
        run("umoci", "gc", "--layout", layout)
        run("skopeo", "copy", "--insecure-policy", "--dest-compress-format", "zstd", f"oci:{image}",
            f"oci:{made}/zstd:image", stdout=subprocess.DEVNULL)
        os.rename(made, target)
        return 0
    finally:
        shutil.rmtree(work, ignore_errors=True)


class Layout:
    """An OCI image layout that is written blob by blob."""

    def __init__(self, folder):
        self.folder = folder
        self.tags = []
        os.makedirs(os.path.join(folder, "blobs", "sha256"))

    def add(self, data, media_type, **more):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.folder, "blobs", "sha256", digest), "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data), **more}

    def add_json(self, value, media_type, **more):
        return self.add(json.dumps(value).encode(), media_type, **more)

    def tag(self, descriptor, name):
        self.tags.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
        with open(os.path.join(self.folder, "oci-layout"), "w", encoding="ascii") as file:
            file.write('{"imageLayoutVersion":"1.0.0"}')
        with open(os.path.join(self.folder, "index.json"), "w", encoding="utf-8") as file:
            json.dump({"schemaVersion": 2, "manifests": self.tags}, file)

    def image(self, files_per_layer, architecture="amd64", variant="", salt=""):
        """Adds an image whose layers hold the given {path: bytes}."""
        layers, diff_ids = [], []
        for files in files_per_layer:
            tar = tar_of(files)
            diff_ids.append("sha256:" + hashlib.sha256(tar).hexdigest())
            layers.append(self.add(gzip.compress(tar, 1, mtime=0),
                                   "application/vnd.oci.image.layer.v1.tar+gzip"))
        config = {"architecture": architecture, "os": "linux", "config": {"Cmd": ["/bin/true"], "Labels": {"salt": salt}},
                  "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        platform = {"architecture": architecture, "os": "linux"}
        if variant:
            config["variant"] = platform["variant"] = variant
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": self.add_json(config, "application/vnd.oci.image.config.v1+json"), "layers": layers}
        return self.add_json(manifest, manifest["mediaType"]), platform

    def multi(self, salt=""):
        """Adds an index over one image for each of ARCHITECTURES; they share their first layer."""
        children = []
        for architecture, variant in ARCHITECTURES:
            manifest, platform = self.image(
                [{"etc/shared": b"the same for all\n" * 100}, {"etc/arch": architecture.encode()}],
                architecture, variant, salt)
            children.append({**manifest, "platform": platform})
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children}
        return self.add_json(index, index["mediaType"])


def tar_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def main():
    if os.path.isdir(DEBIAN):
        print(f"{DEBIAN} is there")
        return 0
    missing = [tool for tool in ("debootstrap", "umoci", "skopeo") if shutil.which(tool) is None]
    if missing:
        print(f"SKIPPED: {', '.join(missing)} is not installed (./x setup test)", file=sys.stderr)
        return 77
    return build_debian(DEBIAN)


if __name__ == "__main__":
    sys.exit(main())
