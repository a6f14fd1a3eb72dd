#!/usr/bin/python3
"""Replays the cases of *.case files against a running registry and reports each of them.

run.py [--binary PATH | --base URL] [--user NAME:PASSWORD] [--no-projects] [--verbose] file.case…

With --binary (default: build/release/roadstead) the program is started on a scratch directory; with
--base something that runs already is asked. README.md describes the format of the files.
"""
import argparse
import base64
import hashlib
import http.client
import json
import os
import random
import re
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "support"))
import server as roadstead_server  # noqa: E402
from service import NotInstalled  # noqa: E402

SKIPPED = 77
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
LEVELS = {"MUST", "SHOULD", "MAY", "OURS"}
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
TYPES = {
    "oci-manifest": OCI_MANIFEST,
    "oci-index": OCI_INDEX,
    "oci-config": "application/vnd.oci.image.config.v1+json",
    "oci-layer": "application/vnd.oci.image.layer.v1.tar+gzip",
    "oci-empty": "application/vnd.oci.empty.v1+json",
    "docker-manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "docker-list": "application/vnd.docker.distribution.manifest.list.v2+json",
    "docker-config": "application/vnd.docker.container.image.v1+json",
    "docker-layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "docker-schema1": "application/vnd.docker.distribution.manifest.v1+prettyjws",
}


class CaseError(Exception):
    """An expectation that was not met, or a line that makes no sense."""


class Content:
    def __init__(self, data, media_type=""):
        self.data, self.media_type = data, media_type

    def field(self, name):
        if name in ("digest", "sha256"):
            return "sha256:" + hashlib.sha256(self.data).hexdigest()
        if name in ("sha512", "sha384"):
            return f"{name}:" + hashlib.new(name, self.data).hexdigest()
        if name == "hex":
            return hashlib.sha256(self.data).hexdigest()
        if name == "size":
            return str(len(self.data))
        if name == "last":
            return str(len(self.data) - 1)
        if name == "type":
            return self.media_type
        raise CaseError(f"contents have no field {name}")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    def has(self, name):
        return any(key.lower() == name.lower() for key, _ in self.headers)


class Client:
    """One keep-alive connection, as a real client has."""

    def __init__(self, base, authorization):
        self.base = urllib.parse.urlsplit(base)
        self.authorization = authorization
        self.connection = None

    def path_of(self, target):
        """A path for the request line, from a path or an absolute URL of this server."""
        if not target.startswith("http"):
            return target
        parts = urllib.parse.urlsplit(target)
        if parts.netloc != self.base.netloc:
            raise CaseError(f"{target} leads to another server")
        return urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))

    def send(self, method, target, headers, body):
        names = {name.lower() for name, _ in headers}
        lines = [(name, value) for name, value in headers if value != "-"]
        if "authorization" not in names and self.authorization:
            lines.append(("Authorization", self.authorization))
        chunked = ("transfer-encoding", "chunked") in {(n.lower(), v) for n, v in lines}
        if "content-length" not in names and not chunked and (body or method in ("POST", "PUT", "PATCH")):
            lines.append(("Content-Length", str(len(body))))
        for attempt in (1, 2):
            try:
                return self._send_once(method, self.path_of(target), lines, body, chunked)
            except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
                # The server may have closed an idle connection; a fresh one must work.
                self.close()
                if attempt == 2:
                    raise
        raise AssertionError

    def _send_once(self, method, path, lines, body, chunked):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.base.netloc, timeout=60)
        connection = self.connection
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in lines:
            connection.putheader(name, value)
        connection.endheaders()
        try:
            if chunked:
                for start in range(0, len(body), 7000):
                    piece = body[start:start + 7000]
                    connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                connection.send(b"0\r\n\r\n")
            elif body:
                connection.send(body)
        except (ConnectionError, BrokenPipeError):
            pass  # Refused early: the answer is waiting to be read.
        answer = connection.getresponse()
        data = answer.read()
        if answer.will_close:
            self.close()
        return Answer(answer.status, answer.getheaders(), data)

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class CaseFile:
    def __init__(self, path, client, new_repository, verbose):
        self.path, self.client, self.new_repository = path, client, new_repository
        self.verbose = verbose
        self.contents, self.variables = {}, dict(TYPES)
        self.answer = None
        self.request = None
        self.results = []
        self.random = random.Random(os.path.basename(path))

    # Text -------------------------------------------------------------------------------------

    def expand(self, text):
        def value(found):
            name = found.group(1)
            if name in self.variables:
                return self.variables[name]
            content, _, field = name.partition(".")
            if content in self.contents and field:
                return self.contents[content].field(field)
            raise CaseError(f"${{{name}}} is not known")

        return re.sub(r"\$\{([\w.-]+)\}", value, text)

    def data_of(self, text):
        """@name, @name[from:to], or the text itself."""
        found = re.fullmatch(r"@([\w-]+)(?:\[(\d*):(\d*)\])?", text)
        if not found:
            return self.expand(text).encode()
        name, start, end = found.groups()
        if name not in self.contents:
            raise CaseError(f"@{name} is not known")
        data = self.contents[name].data
        return data[int(start) if start else 0:int(end) if end else len(data)]

    # Running ----------------------------------------------------------------------------------

    def run(self):
        blocks = [(None, "setup", [])]
        with open(self.path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                line = line.rstrip()
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
                if line.startswith("case "):
                    _, level, title = line.split(" ", 2)
                    if level not in LEVELS:
                        raise CaseError(f"{self.path}:{number}: {level} is no level")
                    blocks.append((level, title, []))
                else:
                    blocks[-1][2].append((number, line))
        for level, title, lines in blocks:
            problem = self.run_block(lines)
            if level is not None or problem:
                self.results.append((level or "SETUP", title, problem))
            if level is None and problem:
                break  # Nothing below can mean anything.
        return self.results

    def run_block(self, lines):
        number = 0
        try:
            self.answer = self.request = None
            position = 0
            while position < len(lines):
                number, line = lines[position]
                position += 1
                more = []
                while position < len(lines) and lines[position][1].lstrip().startswith("|"):
                    more.append(lines[position][1].lstrip()[1:].strip())
                    position += 1
                self.run_line(line.strip(), more)
            self.perform()
            return None
        except CaseError as problem:
            return f"line {number}: {problem}"
        except (OSError, http.client.HTTPException) as problem:
            self.client.close()
            return f"line {number}: {type(problem).__name__}: {problem}"

    def run_line(self, line, more):
        word = line.split(" ", 1)[0]
        if word in METHODS:
            self.perform()
            self.request = self.parse_request(line)
        elif word == "->":
            self.perform()
            self.expect(line[2:].strip())
        elif self.request is not None and word == "body":
            text = " ".join(more) if more else line[5:]
            self.request[3] = self.data_of(text.strip())
        elif self.request is not None and re.match(r"[A-Za-z-]+:(\s|$)", line):
            name, _, value = line.partition(":")
            self.request[2].append((name, self.expand(value.strip())))
        else:
            self.perform()
            handler = getattr(self, "do_" + word, None)
            if handler is None:
                raise CaseError(f"cannot make sense of: {line}")
            handler(line[len(word):].strip(), more)

    def parse_request(self, line):
        parts = line.split(" ")
        target = self.expand(parts[1])
        if len(parts) > 2:
            if not parts[2].startswith("?"):
                raise CaseError(f"expected ?query: {line}")
            target += ("&" if "?" in target else "?") + self.expand(parts[2][1:])
        return [parts[0], target, [], b""]

    def perform(self):
        if self.request is None:
            return
        method, target, headers, body = self.request
        self.request = None
        self.answer = self.client.send(method, target, headers, body)
        if self.verbose:
            print(f"    {method} {target} -> {self.answer.status}")
            for name, value in self.answer.headers:
                print(f"      {name}: {value}")
            print(f"      {self.answer.body[:300]!r}")

    # Expectations -----------------------------------------------------------------------------

    def expect(self, text):
        if self.answer is None:
            raise CaseError("an expectation without a request")
        word, _, rest = text.partition(" ")
        rest = rest.strip()
        if re.fullmatch(r"\d{3}(\|\d{3})*", text):
            if str(self.answer.status) not in text.split("|"):
                raise CaseError(f"status {self.answer.status}, expected {text}; {self.answer.body[:200]!r}")
        elif word == "body":
            self.expect_body(rest)
        elif word == "json":
            self.expect_json(rest)
        elif word == "error":
            code = self.lookup(".errors[0].code")
            if code not in rest.split("|"):
                raise CaseError(f"error code {code}, expected {rest}")
        elif word == "save":
            name, _, source = (part.strip() for part in rest.partition("="))
            self.variables[name] = self.value_of(source)
        elif re.match(r"[A-Za-z-]+:", text):
            name, _, value = text.partition(":")
            wanted = self.expand(value.strip())
            if not self.answer.has(name):
                raise CaseError(f"no header {name}")
            if self.answer.header(name) != wanted:
                raise CaseError(f"{name}: {self.answer.header(name)}, expected {wanted}")
        else:
            self.expect_header(text)

    def expect_header(self, text):
        name, _, rest = text.partition(" ")
        if rest == "present":
            if not self.answer.has(name):
                raise CaseError(f"no header {name}")
        elif rest == "absent":
            if self.answer.has(name):
                raise CaseError(f"{name}: {self.answer.header(name)}, expected none")
        elif rest.startswith("~ "):
            pattern = self.expand(rest[2:])
            if not re.search(pattern, self.answer.header(name)):
                raise CaseError(f"{name}: {self.answer.header(name)!r} does not match {pattern}")
        else:
            raise CaseError(f"cannot make sense of: -> {text}")

    def expect_body(self, text):
        if text == "empty":
            if self.answer.body:
                raise CaseError(f"body of {len(self.answer.body)} bytes, expected none")
        elif self.answer.body != self.data_of(text):
            raise CaseError(f"body {self.answer.body[:80]!r} is not {text}")

    def expect_json(self, text):
        if text == "errors":
            self.expect_error_format()
            return
        found = re.fullmatch(r"(\S+)\s+(=|!=|length|~|absent|contains|lacks)\s*(.*)", text)
        if not found:
            raise CaseError(f"cannot make sense of: json {text}")
        path, verb, wanted = found.groups()
        value = self.lookup(path, missing_ok=verb == "absent")
        wanted = self.expand(wanted)
        if verb == "absent":
            right = value is None
        elif verb == "length":
            right = len(value or []) == int(wanted)
        elif verb == "~":
            right = isinstance(value, str) and re.search(wanted, value) is not None
        elif verb == "contains":
            right = json.loads(wanted) in value
        elif verb == "lacks":
            right = json.loads(wanted) not in value
        else:
            right = (value == json.loads(wanted)) == (verb == "=")
        if not right:
            raise CaseError(f"{path} is {json.dumps(value)[:300]}, expected {verb} {wanted}")

    def expect_error_format(self):
        errors = self.lookup(".errors")
        if not isinstance(errors, list) or not errors:
            raise CaseError("errors is not a filled list")
        for error in errors:
            if not re.fullmatch(r"[A-Z_]+", error.get("code", "")):
                raise CaseError(f"error code {error.get('code')!r}")
            if not isinstance(error.get("message", ""), str):
                raise CaseError("message is no text")

    def lookup(self, path, missing_ok=False):
        try:
            value = json.loads(self.answer.body)
        except ValueError as problem:
            raise CaseError(f"body is not JSON: {self.answer.body[:80]!r}") from problem
        for key, index, each in re.findall(r"\.([\w-]+)|\[(\d+)\]|(\[\*\])", path):
            try:
                if each:
                    rest = path.split("[*]", 1)[1]
                    return [self.descend(item, rest) for item in value]
                value = value[key] if key else value[int(index)]
            except (KeyError, IndexError, TypeError) as problem:
                if missing_ok:
                    return None
                raise CaseError(f"no {path} in {self.answer.body[:200]!r}") from problem
        return value

    @staticmethod
    def descend(value, path):
        for key in re.findall(r"\.([\w-]+)", path):
            value = value.get(key)
        return value

    def value_of(self, source):
        word, _, rest = source.partition(" ")
        if word == "header":
            if not self.answer.has(rest):
                raise CaseError(f"no header {rest}")
            return self.answer.header(rest)
        if word == "json":
            value = self.lookup(rest)
            return value if isinstance(value, str) else json.dumps(value)
        if word == "link":
            found = re.search(r'<([^>]*)>\s*;\s*rel="?next"?', self.answer.header("Link"))
            if not found:
                raise CaseError(f"no next link in {self.answer.header('Link')!r}")
            return found.group(1)
        return self.expand(source)

    # Statements -------------------------------------------------------------------------------

    def do_repo(self, rest, _):
        for name in rest.split():
            self.variables[name] = self.new_repository()

    def do_let(self, rest, _):
        name, _, value = (part.strip() for part in rest.partition("="))
        self.variables[name] = self.value_of(value)

    def do_blob(self, rest, more):
        """blob NAME text … | random BYTES | json (with | lines)"""
        name, kind, value = (rest.split(" ", 2) + [""])[:3]
        if kind == "random":
            self.contents[name] = Content(self.random.randbytes(int(value)))
        elif kind == "text":
            self.contents[name] = Content(self.expand(value).encode())
        else:
            raise CaseError(f"a blob is text or random, not {kind}")

    def do_manifest(self, rest, more):
        """manifest NAME TYPE, then | lines with its JSON"""
        name, media_type = rest.split()
        media_type = TYPES.get(media_type, media_type)
        self.contents[name] = Content(self.expand("".join(more)).encode(), media_type)

    def do_image(self, rest, _):
        """image NAME config=@c layers=@a,@b [subject=@m] [artifactType=T] [note=TEXT]"""
        name, *options = rest.split()
        options = dict(option.split("=", 1) for option in options)

        def descriptor(at, media_type):
            content = self.contents[at.lstrip("@")]
            return {"mediaType": content.media_type or media_type, "digest": content.field("digest"),
                    "size": len(content.data)}

        layer_names = [layer for layer in options.get("layers", "").split(",") if layer]
        image = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
        if "artifactType" in options:
            image["artifactType"] = options["artifactType"]
        image["config"] = descriptor(options["config"], options.get("configType", TYPES["oci-config"]))
        image["layers"] = [descriptor(layer, TYPES["oci-layer"]) for layer in layer_names]
        if "subject" in options:
            image["subject"] = descriptor(options["subject"], OCI_MANIFEST)
        if "note" in options:
            image["annotations"] = {"org.example.note": options["note"]}
        self.contents[name] = Content(json.dumps(image, indent=1).encode(), OCI_MANIFEST)

    def do_index(self, rest, _):
        """index NAME of=@a,@b [subject=@m] [artifactType=T] [note=TEXT]"""
        name, *options = rest.split()
        options = dict(option.split("=", 1) for option in options)

        def descriptor(at):
            content = self.contents[at.lstrip("@")]
            return {"mediaType": content.media_type, "digest": content.field("digest"),
                    "size": len(content.data)}

        index = {"schemaVersion": 2, "mediaType": OCI_INDEX}
        if "artifactType" in options:
            index["artifactType"] = options["artifactType"]
        index["manifests"] = [descriptor(child) for child in options.get("of", "").split(",") if child]
        if "subject" in options:
            index["subject"] = descriptor(options["subject"])
        if "note" in options:
            index["annotations"] = {"org.example.note": options["note"]}
        self.contents[name] = Content(json.dumps(index, indent=1).encode(), OCI_INDEX)

    def do_push(self, rest, _):
        """push @blob @blob … to REPO | push @manifest to REPO as REFERENCE"""
        found = re.fullmatch(r"((?:@[\w-]+\s+)+)to\s+(\S+)(?:\s+as\s+(\S+))?", rest)
        if not found:
            raise CaseError(f"cannot make sense of: push {rest}")
        names, repository, reference = found.groups()
        repository = self.expand(repository)
        for name in names.split():
            content = self.contents[name[1:]]
            if reference is None:
                self.push_blob(repository, content)
                continue
            target = f"/v2/{repository}/manifests/{self.expand(reference)}"
            answer = self.client.send("PUT", target, [("Content-Type", content.media_type)], content.data)
            if answer.status != 201:
                raise CaseError(f"push of {name}: {answer.status} {answer.body[:200]!r}")

    def push_blob(self, repository, content):
        answer = self.client.send("POST", f"/v2/{repository}/blobs/uploads/", [], b"")
        if answer.status != 202:
            raise CaseError(f"upload into {repository}: {answer.status} {answer.body[:200]!r}")
        location = answer.header("Location")
        location += ("&" if "?" in location else "?") + "digest=" + content.field("digest")
        answer = self.client.send("PUT", location, [("Content-Type", "application/octet-stream")],
                                  content.data)
        if answer.status != 201:
            raise CaseError(f"push of a blob: {answer.status} {answer.body[:200]!r}")

    def do_repeat(self, rest, _):
        """repeat FROM..TO push @manifest to REPO as tag-${i}"""
        span, _, command = rest.partition(" ")
        first, last = span.split("..")
        for number in range(int(first), int(last) + 1):
            self.variables["i"] = f"{number:0{len(last)}d}"
            self.run_line(command, [])

    def do_big(self, rest, _):
        """big NAME BYTES: an image manifest of exactly that size, its annotations padded"""
        name, size = rest.split()
        self.manifest_with(name, {"annotations": {"org.example.padding": ""}})
        padding = int(size) - len(self.contents[name].data)
        self.manifest_with(name, {"annotations": {"org.example.padding": "x" * padding}})

    def do_nested(self, rest, _):
        """nested NAME DEPTH: an image manifest with an unknown field nested that deep"""
        name, depth = rest.split()
        value = []
        for _ in range(int(depth) - 2):
            value = [value]
        self.manifest_with(name, {"unknown": value})

    def do_layered(self, rest, _):
        """layered NAME COUNT: an image manifest with the config as each of its layers"""
        name, count = rest.split()
        self.manifest_with(name, {"layers": [self.config_descriptor(TYPES["oci-layer"])] * int(count)})

    def manifest_with(self, name, fields):
        image = {"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                 "config": self.config_descriptor(TYPES["oci-config"]), "layers": [], **fields}
        self.contents[name] = Content(json.dumps(image).encode(), OCI_MANIFEST)

    def config_descriptor(self, media_type):
        config = self.contents["config"]
        return {"mediaType": media_type, "digest": config.field("digest"), "size": len(config.data)}

    def do_manytags(self, rest, _):
        """manytags NAME COUNT: a variable with tag=tag-1&tag=tag-2&…"""
        name, count = rest.split()
        self.variables[name] = "&".join(f"tag=tag-{number}" for number in range(1, int(count) + 1))


def report(path, results):
    failures = 0
    for level, title, problem in results:
        print(f"{'ok  ' if problem is None else 'FAIL'}  {level:6}  {title}")
        if problem is not None:
            failures += 1
            print(f"        {os.path.basename(path)} {problem}")
    return failures


def run_files(options, base):
    authorization = ""
    if options.user:
        authorization = "Basic " + base64.b64encode(options.user.encode()).decode()
    client = Client(base, authorization)
    count, failures = 0, 0
    for path in options.files:
        name = re.sub(r"[^a-z0-9]+", "-", os.path.basename(path)[:-len(".case")])
        project = f"oci-{name}-{os.urandom(3).hex()}"
        numbers = iter(range(1, 10_000))
        if not options.no_projects:
            answer = client.send("POST", "/api/v2.0/projects", [("Content-Type", "application/json")],
                                 json.dumps({"project_name": project, "metadata": {"public": "false"}}).encode())
            if answer.status != 201:
                sys.exit(f"cannot create project {project}: {answer.status} {answer.body[:200]!r}")
        print(f"{os.path.basename(path)}")
        case_file = CaseFile(path, client, lambda: f"{project}/repo-{next(numbers)}", options.verbose)
        results = case_file.run()
        failures += report(path, results)
        count += len(results)
    print(f"{count} cases, {failures} failed")
    return 1 if failures or not count else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary")
    parser.add_argument("--base")
    parser.add_argument("--user", default="admin:" + roadstead_server.PASSWORD)
    parser.add_argument("--no-projects", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    if options.base:
        return run_files(options, options.base.rstrip("/"))
    with roadstead_server.Server(options.binary) as running:
        status = run_files(options, running.url)
        if status:
            sys.stderr.write("---- last lines of the server's log ----\n" + running.log_tail())
        return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotInstalled as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        sys.exit(SKIPPED)
