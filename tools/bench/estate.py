"""A store with a million of everything that has a list, made by tools/make_estate, and where its pages are."""
import importlib.machinery
import importlib.util
import os
import subprocess

import fixtures
import servers

TOOL = os.path.join(servers.ROOT, "tools", "make_estate")
PAGE = 100
SEED = 1
TAGS_OF_AN_ARTIFACT = 1000
# Each list has a project of its own, so that nothing else stands behind its pages.
TAGGED, IMAGES, MANY = "tagged-0000000/r0000000", "images-0000000/r0000000", "many-0000000"


class Estate:
    """`entries` behind every list; the server's own projects come on top."""

    def __init__(self, quick):
        self.entries = 300 if quick else 1_000_000
        self.artifacts = max(1, self.entries // TAGS_OF_AN_ARTIFACT)   # Of the repository with many tags.

    def parts(self):
        entries = str(self.entries)
        return [("--prefix", "tagged", "--repositories", "1", "--artifacts", str(self.artifacts), "--tags", entries),
                ("--prefix", "images", "--repositories", "1", "--artifacts", entries),
                ("--prefix", "many", "--repositories", entries),
                ("--prefix", "wide", "--projects", entries, "--public")]

    def fill(self, server):
        """The server has made its tables; it is stopped meanwhile."""
        server.stop()
        for part in self.parts():
            done = subprocess.run([TOOL, "--data-dir", server.path("data"), "--seed", str(SEED), *part], capture_output=True,
                                  text=True, timeout=1800, check=False)
            if done.returncode != 0:
                raise RuntimeError("make_estate: " + done.stderr.strip()[-300:])
        server.start()

    def manifests(self):
        """{tag: manifest} of 97 tags of the repository that has many, spread over all of them."""
        content = make_estate().Content(SEED)
        return {f"t{tag:07}": content.manifest(tag * self.artifacts // self.entries)
                for tag in range(0, self.entries, max(1, self.entries // 97))}

    def put_manifests_on(self, server):
        for tag, manifest in self.manifests().items():
            server.put_manifest(TAGGED, tag, manifest, fixtures.MANIFEST)

    def pages(self, path):
        """First, middle and last page of a list whose pages have numbers."""
        glue = "&" if "?" in path else "?"
        return {name: f"/api/v2.0{path}{glue}page={page}&page_size={PAGE}"
                for name, page in (("first", 1), ("middle", self.entries // PAGE // 2 + 1), ("last", self.entries // PAGE))}

    def names(self, path, last):
        """The same of a list that goes on behind a name."""
        return {"first": f"{path}?n={PAGE}", "middle": f"{path}?n={PAGE}&last={last(self.entries // 2)}",
                "last": f"{path}?n={PAGE}&last={last(self.entries - PAGE - 1)}"}

    def lists(self):
        """{list: {page: path}}"""
        images, repository = IMAGES.split("/")
        return {"tags": self.names(f"/v2/{TAGGED}/tags/list", lambda number: f"t{number:07}"),
                "catalog": self.names("/v2/_catalog", lambda number: f"{MANY}/r{number:07}"),
                "projects": self.pages("/projects"),
                "repositories": self.pages("/repositories"),
                "project-repositories": self.pages(f"/projects/{MANY}/repositories"),
                "artifacts": self.pages(f"/projects/{images}/repositories/{repository}/artifacts")}


LISTS = tuple(Estate(True).lists())
PAGES = ("first", "middle", "last")


def make_estate():
    loader = importlib.machinery.SourceFileLoader("make_estate", TOOL)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_estate", loader))
    loader.exec_module(module)
    return module
