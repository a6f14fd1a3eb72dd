"""HTTP/1.1 over one kept connection: as little work for the client as possible, and no retry behind its back."""
import socket

CONNECT_SECONDS = 5
ANSWER_SECONDS = 30
HEAD_BYTES_MAX = 65536


class Lost(Exception):
    """No answer came. Whether the request was carried out, nobody knows; `sent` is False when it surely was not."""

    def __init__(self, reason, sent=True):
        super().__init__(str(reason))
        self.sent = sent


class Answer:
    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def error_codes(self):
        return self.body[:500].decode(errors="replace")


class Wire:
    def __init__(self, address, authorization):
        self.address, self.authorization = address, authorization
        self.socket = None
        self.rest = b""

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None
            self.rest = b""

    def _connect(self):
        host, _, port = self.address.rpartition(":")
        try:
            self.socket = socket.create_connection((host, int(port)), CONNECT_SECONDS)
        except OSError as error:
            raise Lost(error, sent=False) from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(ANSWER_SECONDS)
        self.rest = b""

    def request(self, method, path, body=b"", headers=(), authorization=None):
        """The answer, whatever its status. Raises Lost."""
        if self.socket is None:
            self._connect()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.address}", f"Content-Length: {len(body)}",
                 f"Authorization: {authorization or self.authorization}", *headers, "", ""]
        refused = None
        try:
            self.socket.sendall("\r\n".join(lines).encode() + body)
        except OSError as error:
            refused = error  # The server may have answered before it read everything.
        try:
            return self._answer(method)
        except (OSError, ValueError) as error:
            self.close()
            raise Lost(refused or error) from error

    def _answer(self, method):
        head = self._head()
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = b""
        if method != "HEAD" and status not in (204, 304):
            body = self._body(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body)

    def _more(self, size=65536):
        data = self.socket.recv(size)
        if not data:
            raise ValueError("the connection ended")
        return data

    def _head(self):
        text = self.rest
        while b"\r\n\r\n" not in text:
            if len(text) > HEAD_BYTES_MAX:
                raise ValueError("the head does not end")
            text += self._more()
        head, _, self.rest = text.partition(b"\r\n\r\n")
        return head

    def _body(self, length):
        parts, have = [self.rest], len(self.rest)
        while have < length:
            data = self._more(max(65536, min(length - have, 1 << 20)))
            parts.append(data)
            have += len(data)
        text = b"".join(parts)
        self.rest = text[length:]
        return text[:length]
