"""A haproxy of a test's own before several servers: it asks each for its health, and passes requests to the healthy in turn."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from service import NotInstalled, Service, find_program  # noqa: E402

CONFIGURATION = """
global
    maxconn 2000
defaults
    mode http
    maxconn 1000
    timeout connect 1s
    timeout client 30s
    timeout server 20s
    timeout http-keep-alive 30s
    timeout check 1s
    retries 2
    option redispatch
frontend front
    bind 127.0.0.1:{port}
    default_backend replicas
backend replicas
    balance roundrobin
    option httpchk
    http-check send meth GET uri {health} ver HTTP/1.1 hdr Host check
    http-check expect status 200
    http-check expect ! string unhealthy
    default-server check inter 500ms fastinter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""


class Haproxy(Service):
    """`servers`: host:port of each. A request whose connection fails is passed to another one; none is sent twice."""

    name = "haproxy"
    stop_signal = signal.SIGTERM
    retries_unseen = False  # Does it repeat a request that a server may have carried out?

    def __init__(self, servers, health):
        self.program = find_program("haproxy")
        super().__init__()
        self.servers, self.health = servers, health

    def command(self):
        servers = "\n".join(f"    server replica{number} {address}" for number, address in enumerate(self.servers))
        text = CONFIGURATION.format(port=self.port, health=self.health, servers=servers)
        return [self.program, "-db", "-f", self.write("configuration", text)]

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"


__all__ = ["Haproxy", "NotInstalled"]
