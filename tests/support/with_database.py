#!/usr/bin/python3
"""with_database.py postgresql|mariadb … -- COMMAND …: runs COMMAND with a fresh database of each named engine.

Where they are, COMMAND finds in ROADSTEAD_TEST_POSTGRESQL_URL and ROADSTEAD_TEST_MYSQL_URL (and, over the unix socket, in
the same names with SOCKET_URL instead of URL). Ends with COMMAND's status, or with 77 when a server is not installed.
"""
import contextlib
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mariadb import Mariadb  # noqa: E402
from postgresql import Postgresql  # noqa: E402
from service import NotInstalled  # noqa: E402

# Tests that make transactions wait for each other need not wait for a second each time.
ENGINES = {"postgresql": (Postgresql, "ROADSTEAD_TEST_POSTGRESQL_", {"deadlock_timeout": "20ms"}),
           "mariadb": (Mariadb, "ROADSTEAD_TEST_MYSQL_", {})}
SKIPPED = 77


def main():
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    names, command = words[:split], words[split + 1:]
    if not names or not command or not set(names) <= set(ENGINES):
        sys.exit(__doc__)
    # A test that takes too long is told to end: the servers have to end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    environment = dict(os.environ)
    with contextlib.ExitStack() as servers:
        for name in names:
            kind, prefix, settings = ENGINES[name]
            try:
                # Nothing here outlives the command, so nothing has to survive a loss of power.
                database = servers.enter_context(kind(fsync=False, settings=settings)).create_database()
            except NotInstalled as reason:
                print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
                return SKIPPED
            environment.update({prefix + "URL": database.url, prefix + "SOCKET_URL": database.socket_url})
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
