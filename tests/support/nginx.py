"""An nginx of a test's own before several servers, as people put it before a registry: it passes requests to them in turn, and
one that failed to another."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from service import NotInstalled, Service, find_program  # noqa: E402

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/errors warn;
events {{ worker_connections 2000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    upstream replicas {{
{servers}
        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_connect_timeout 1s;
            proxy_read_timeout 20s;
        }}
    }}
}}
"""


class Nginx(Service):
    """`servers`: host:port of each."""

    name = "nginx"
    stop_signal = signal.SIGTERM
    # It repeats PUT and DELETE: whoever asks for a deletion may be told of the second one only.
    retries_unseen = True

    def __init__(self, servers, health=""):
        """`health` is not asked: this nginx finds out by failing."""
        self.program = find_program("nginx")
        super().__init__()
        del health
        self.servers = servers

    def command(self):
        servers = "\n".join(f"        server {address} max_fails=1 fail_timeout=1s;" for address in self.servers)
        text = CONFIGURATION.format(port=self.port, folder=self.scratch, servers=servers)
        return [self.program, "-p", self.scratch, "-e", os.path.join(self.scratch, "errors"), "-c",
                self.write("configuration", text)]

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"


__all__ = ["Nginx", "NotInstalled"]
