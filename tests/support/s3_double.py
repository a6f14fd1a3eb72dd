#!/usr/bin/python3
"""A small object store that speaks the part of S3 that Roadstead uses, keeps everything in memory, and fails on demand.

Every request must carry a right SigV4 signature, in its header or its query. `POST /__fault` with a JSON list of
faults, each {"op": …, "kind": …, "times": n, "after": n}, makes the next requests of a kind fail:
  slow_down       503 SlowDown, nothing done
  error           500 InternalError, nothing done
  drop            the connection is closed, nothing done
  lost            the work is done, then the connection is closed instead of an answer
  truncate        an answer's body breaks off in its middle
  wrong_etag      an answer with another ETag than the true one
  same_page       a list begins again at its first page
  late_error      200 with an <Error> as its body (CompleteMultipartUpload), nothing done
  slow            the answer comes two seconds late
  slower          ten seconds, which is longer than the shortest silence that a client can notice
  skew            403 RequestTimeTooSkewed unless the request is dated one hour ahead, for good
`GET /__count` tells how many requests of each operation were answered; `POST /__age` with {"seconds": n} makes all
that is stored older; `POST /__lifetime` says how long credentials of roles are good. Prints its port on a line of its own and ends when its standard input does.
"""
import base64
import datetime
import hashlib
import hmac
import json
import os
import socket
import sys
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

ACCESS_KEY, SECRET_KEY, REGION, BUCKET = "double-key", "double-secret", "us-east-1", "bucket"
PART_MIN = 5 << 20
SKEW_SECONDS = 900


class Store:
    def __init__(self):
        self.lock = threading.Lock()
        self.objects = {}  # key → (bytes, etag, time)
        self.uploads = {}  # id → {"key", "parts": {number: (bytes, etag, time)}, "time"}
        self.faults = []
        self.counts = {}
        self.ahead = 0
        self.lifetime = 3600


STORE = Store()


def quote(text, safe=""):
    return urllib.parse.quote(text, safe=safe + "-_.~")


def iso(moment):
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def http_date(moment):
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")


class Refused(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):
            self.close_connection = True

    def do_any(self):
        split = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qsl(split.query, keep_blank_values=True)
        self.named = dict(self.query)
        self.raw_path = split.path
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else b""
        if self.raw_path.startswith("/__"):
            return self.control()
        self.fault = None
        if self.raw_path == "/" or self.raw_path.startswith(("/latest/", "/container/")):
            return self.send(*self.credentials())
        try:
            self.verify()
            operation = self.operation()
            self.fault = self.take_fault(operation)
            if self.fault in ("slow_down", "error", "drop", "late_error"):
                return self.fail(self.fault)
            if self.fault in ("slow", "slower"):
                time.sleep(2 if self.fault == "slow" else 10)
            answer = getattr(self, operation)()
        except Refused as refused:
            answer = (refused.status, {}, self.error_xml(refused.code))
        if self.fault == "lost":
            return self.hang_up()
        return self.send(*answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_any

    # Faults and answers.

    def take_fault(self, operation):
        with STORE.lock:
            STORE.counts[operation] = STORE.counts.get(operation, 0) + 1
            for fault in STORE.faults:
                if fault["op"] not in (operation, "*"):
                    continue
                if fault.get("after", 0) > 0:
                    fault["after"] -= 1
                    continue
                fault["times"] = fault.get("times", 1) - 1
                if fault["times"] <= 0:
                    STORE.faults.remove(fault)
                return fault["kind"]
        return None

    def fail(self, kind):
        if kind == "drop":
            return self.hang_up()
        if kind == "late_error":
            return self.send(200, {}, self.error_xml("InternalError"))
        status, code = (503, "SlowDown") if kind == "slow_down" else (500, "InternalError")
        return self.send(status, {}, self.error_xml(code))

    def hang_up(self):
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    @staticmethod
    def error_xml(code):
        return f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    def send(self, status, headers, body=b""):
        if self.fault == "wrong_etag" and "ETag" in headers:
            headers["ETag"] = '"00000000000000000000000000000000"'
        self.send_response_only(status)
        self.send_header("Date", http_date(time.time() + STORE.ahead))
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.fault == "truncate":
            self.wfile.write(body[:len(body) // 2])
            self.hang_up()
        else:
            self.wfile.write(body)

    def control(self):
        self.fault = None
        with STORE.lock:
            if self.raw_path == "/__fault":
                STORE.faults = json.loads(self.body)
                if any(fault["kind"] == "skew" for fault in STORE.faults):
                    STORE.faults, STORE.ahead = [], 3600
            elif self.raw_path == "/__age":
                seconds = json.loads(self.body)["seconds"]
                STORE.objects = {key: (data, etag, at - seconds) for key, (data, etag, at) in STORE.objects.items()}
                for upload in STORE.uploads.values():
                    upload["time"] -= seconds
            elif self.raw_path == "/__lifetime":
                STORE.lifetime = json.loads(self.body)["seconds"]
            elif self.raw_path == "/__reset":
                STORE.objects, STORE.uploads, STORE.faults, STORE.counts, STORE.ahead = {}, {}, [], {}, 0
            counts = json.dumps(STORE.counts).encode()
        self.send(200, {}, counts)

    # Those who give out credentials: of an instance, of a container, of a web identity.

    def credentials(self):
        with STORE.lock:
            STORE.counts["credentials"] = STORE.counts.get("credentials", 0) + 1
            expires = iso(time.time() + STORE.lifetime)
        document = json.dumps({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": "session/+=",
                               "Expiration": expires}).encode()
        roles = "/latest/meta-data/iam/security-credentials/"
        if self.raw_path == "/latest/api/token":
            right = self.command == "PUT" and self.headers.get("x-aws-ec2-metadata-token-ttl-seconds")
            return (200, {}, b"metadata-token") if right else (400, {}, b"")
        if self.raw_path.startswith("/latest/"):
            if self.headers.get("x-aws-ec2-metadata-token") != "metadata-token":
                return 401, {}, b""
            return 200, {}, {roles: b"a-role\n", roles + "a-role": document}.get(self.raw_path, b"")
        if self.raw_path.startswith("/container/"):
            return (200, {}, document) if self.headers.get("Authorization") == "proof" else (401, {}, b"")
        form = dict(urllib.parse.parse_qsl(self.body.decode()))
        if (form.get("Action"), form.get("WebIdentityToken"), form.get("RoleArn")) != (
                "AssumeRoleWithWebIdentity", "a.b.c", "arn:aws:iam::1:role/r"):
            return 403, {}, self.error_xml("AccessDenied")
        return 200, {}, ("<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
                         f"<AccessKeyId>{ACCESS_KEY}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>"
                         f"<SessionToken>session</SessionToken><Expiration>{expires}</Expiration></Credentials>"
                         "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>").encode()

    # Signatures, as AWS describes Signature Version 4.

    def verify(self):
        if "X-Amz-Signature" in self.named:
            credential, names = self.named["X-Amz-Credential"], self.named["X-Amz-SignedHeaders"]
            date, given, payload = self.named["X-Amz-Date"], self.named["X-Amz-Signature"], "UNSIGNED-PAYLOAD"
            signed_at = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
            if time.time() > signed_at.timestamp() + int(self.named["X-Amz-Expires"]):
                raise Refused(403, "AccessDenied")
        else:
            text = self.headers.get("Authorization", "")
            if not text.startswith("AWS4-HMAC-SHA256 "):
                raise Refused(403, "AccessDenied")
            fields = dict(field.strip().split("=", 1) for field in text.split(" ", 1)[1].split(","))
            credential, names, given = fields["Credential"], fields["SignedHeaders"], fields["Signature"]
            date, payload = self.headers["x-amz-date"], self.headers["x-amz-content-sha256"]
            signed_at = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
            if abs(time.time() + STORE.ahead - signed_at.timestamp()) > SKEW_SECONDS:
                raise Refused(403, "RequestTimeTooSkewed")
            if payload != "UNSIGNED-PAYLOAD" and payload != hashlib.sha256(self.body).hexdigest():
                raise Refused(400, "XAmzContentSHA256Mismatch")
        key, day, region, service, end = credential.split("/")
        if (key, region, service, end) != (ACCESS_KEY, REGION, "s3", "aws4_request"):
            raise Refused(403, "InvalidAccessKeyId")
        names = names.split(";")
        missing = [name.lower() for name in self.headers if name.lower().startswith("x-amz-") and name.lower() not in names]
        if "host" not in names or missing:
            raise Refused(403, "AccessDenied")
        query = "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted(self.query)
                         if name != "X-Amz-Signature")
        headers = "".join(f"{name}:{(self.headers[name] or '').strip()}\n" for name in names)
        canonical = "\n".join([self.command, self.raw_path, query, headers, ";".join(names), payload])
        scope = f"{day}/{region}/{service}/{end}"
        text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        secret = ("AWS4" + SECRET_KEY).encode()
        for piece in (day, region, service, end):
            secret = hmac.new(secret, piece.encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(hmac.new(secret, text.encode(), hashlib.sha256).hexdigest(), given):
            raise Refused(403, "SignatureDoesNotMatch")

    # Operations.

    def operation(self):
        path = urllib.parse.unquote(self.raw_path)
        if path != "/" + BUCKET and not path.startswith(f"/{BUCKET}/"):
            raise Refused(404, "NoSuchBucket")
        self.key = path[len(BUCKET) + 2:]
        has = self.named.__contains__
        if not self.key:
            return {"GET": "list_uploads" if has("uploads") else "list_objects", "POST": "delete_objects",
                    "HEAD": "head_bucket"}[self.command]
        if self.command == "GET":
            return "list_parts" if has("uploadId") else "get_object"
        if self.command == "PUT":
            return "upload_part" if has("uploadId") else "put_object"
        if self.command == "POST":
            return "create_upload" if has("uploads") else "complete_upload"
        if self.command == "DELETE":
            return "abort_upload" if has("uploadId") else "delete_object"
        return "head_object"

    def head_bucket(self):
        return 200, {}

    def put_object(self):
        etag = hashlib.md5(self.body).hexdigest()
        with STORE.lock:
            STORE.objects[self.key] = (self.body, etag, time.time())
        return 200, {"ETag": f'"{etag}"'}

    def find(self):
        with STORE.lock:
            found = STORE.objects.get(self.key)
        if found is None:
            raise Refused(404, "NoSuchKey")
        return found

    def head_object(self):
        data, etag, at = self.find()
        return 200, {"ETag": f'"{etag}"', "Content-Length": str(len(data)), "Last-Modified": http_date(at)}

    def get_object(self):
        data, etag, _ = self.find()
        headers = {"ETag": f'"{etag}"', "Content-Type": self.named.get("response-content-type", "binary/octet-stream")}
        wanted = self.headers.get("Range")
        if wanted is None:
            return 200, headers, data
        first, last = wanted.removeprefix("bytes=").split("-")
        first, last = int(first), min(int(last or len(data) - 1), len(data) - 1)
        if first >= len(data):
            raise Refused(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return 206, headers, data[first:last + 1]

    def delete_object(self):
        with STORE.lock:
            STORE.objects.pop(self.key, None)
        return 204, {}

    def delete_objects(self):
        if base64.b64encode(hashlib.md5(self.body).digest()).decode() != self.headers.get("Content-MD5"):
            raise Refused(400, "BadDigest")
        import xml.etree.ElementTree as ElementTree
        space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        keys = [element.text for element in ElementTree.fromstring(self.body).iter(space + "Key")]
        if not 0 < len(keys) <= 1000:
            raise Refused(400, "MalformedXML")
        with STORE.lock:
            for key in keys:
                STORE.objects.pop(key, None)
        return 200, {}, b"<DeleteResult></DeleteResult>"

    def list_objects(self):
        prefix, limit = self.named.get("prefix", ""), int(self.named.get("max-keys", 1000))
        after = self.named.get("continuation-token") or self.named.get("start-after", "")
        if self.fault == "same_page":
            after = ""
        delimiter = self.named.get("delimiter", "")

        def shown(key):
            head, found, _ = key[len(prefix):].partition(delimiter) if delimiter else (key, "", "")
            return prefix + head + found if found else key

        with STORE.lock:
            names = sorted({shown(key) for key in STORE.objects if key.startswith(prefix)})
            names = [name for name in names if name > after]
            found = [(name, STORE.objects.get(name)) for name in names[:limit]]
        xml = "".join(f"<Contents><Key>{escape(key)}</Key><LastModified>{iso(data[2])}</LastModified>"
                      f"<ETag>&quot;{data[1]}&quot;</ETag><Size>{len(data[0])}</Size></Contents>"
                      if data and not (delimiter and key[len(prefix):].endswith(delimiter)) else
                      f"<CommonPrefixes><Prefix>{escape(key)}</Prefix></CommonPrefixes>" for key, data in found)
        more = len(names) > limit
        token = f"<NextContinuationToken>{escape(found[-1][0])}</NextContinuationToken>" if more and found else ""
        return 200, {}, (f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{xml}"
                         "</ListBucketResult>").encode()

    def create_upload(self):
        name = uuid.uuid4().hex + "/+="
        with STORE.lock:
            STORE.uploads[name] = {"key": self.key, "parts": {}, "time": time.time()}
        return 200, {}, (f"<InitiateMultipartUploadResult><Key>{escape(self.key)}</Key><UploadId>{name}</UploadId>"
                         "</InitiateMultipartUploadResult>").encode()

    def upload(self):
        found = STORE.uploads.get(self.named["uploadId"])
        if found is None or found["key"] != self.key:
            raise Refused(404, "NoSuchUpload")
        return found

    def upload_part(self):
        etag = hashlib.md5(self.body).hexdigest()
        with STORE.lock:
            self.upload()["parts"][int(self.named["partNumber"])] = (self.body, etag, time.time())
        return 200, {"ETag": f'"{etag}"'}

    def complete_upload(self):
        import xml.etree.ElementTree as ElementTree
        space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        wanted = [(int(part.find(space + "PartNumber").text), part.find(space + "ETag").text.strip('"'))
                  for part in ElementTree.fromstring(self.body).iter(space + "Part")]
        with STORE.lock:
            parts = self.upload()["parts"]
            pieces = []
            for number, etag in wanted:
                if number not in parts or parts[number][1] != etag:
                    raise Refused(400, "InvalidPart")
                pieces.append(parts[number][0])
            if any(len(piece) < PART_MIN for piece in pieces[:-1]):
                raise Refused(400, "EntityTooSmall")
            data = b"".join(pieces)
            etag = hashlib.md5(data).hexdigest() + f"-{len(pieces)}"
            STORE.objects[self.key] = (data, etag, time.time())
            del STORE.uploads[self.named["uploadId"]]
        return 200, {}, (f"<CompleteMultipartUploadResult><Key>{escape(self.key)}</Key><ETag>&quot;{etag}&quot;</ETag>"
                         "</CompleteMultipartUploadResult>").encode()

    def abort_upload(self):
        with STORE.lock:
            self.upload()
            del STORE.uploads[self.named["uploadId"]]
        return 204, {}

    def list_parts(self):
        marker = int(self.named.get("part-number-marker", 0))
        with STORE.lock:
            found = sorted((number, part) for number, part in self.upload()["parts"].items() if number > marker)
        page = found[:2]  # So that even small uploads have several pages.
        xml = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag><Size>{len(data)}</Size>"
                      f"<LastModified>{iso(at)}</LastModified></Part>" for number, (data, etag, at) in page)
        more = ""
        if len(found) > len(page):
            more = f"<IsTruncated>true</IsTruncated><NextPartNumberMarker>{page[-1][0]}</NextPartNumberMarker>"
        return 200, {}, f"<ListPartsResult>{more}{xml}</ListPartsResult>".encode()

    def list_uploads(self):
        prefix = self.named.get("prefix", "")
        with STORE.lock:
            found = [(upload["key"], name, upload["time"]) for name, upload in STORE.uploads.items()
                     if upload["key"].startswith(prefix)]
        xml = "".join(f"<Upload><Key>{escape(key)}</Key><UploadId>{name}</UploadId><Initiated>{iso(at)}</Initiated>"
                      "</Upload>" for key, name, at in sorted(found))
        return 200, {}, f"<ListMultipartUploadsResult>{xml}</ListMultipartUploadsResult>".encode()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
