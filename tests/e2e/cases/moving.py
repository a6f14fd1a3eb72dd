"""From one database engine to the next and back, with the commands that look after databases, and a backup of a server's."""
import json
import os
import subprocess

from cases.backup import push, whole
from harness import Case, Scratch, Skip, check, equal, only_on, started
from server import Server, find_binary, program_environment
from service import NotInstalled


def main():
    only_on("moving", "sqlite")  # It starts the other engines itself.
    try:
        from mariadb import Mariadb
        from postgresql import Postgresql
        postgresql, mariadb = Postgresql(fsync=False), Mariadb(fsync=False)
    except NotInstalled as reason:
        raise Skip(reason) from None
    with postgresql, mariadb, started() as case:
        around(case, [postgresql.create_database(), mariadb.create_database()])


def around(case, servers):
    first = os.path.join(case.server.data, "roadstead.db")
    last = case.scratch.path("last.db")
    urls = ["sqlite:" + first, *(server.url for server in servers), "sqlite:" + last]
    acknowledged, projects = {}, []
    case.project("keep")
    for step, url in enumerate(urls):
        whole(case, acknowledged)
        acknowledged[f"t{step}"] = push(case, "keep/image", f"t{step}", os.urandom(50_000))
        projects.append(given_away(case, f"gone{step}"))
        equal(sorted(projects), projects, "ids of projects, of which none comes twice")
        if url.startswith("mysql:"):
            backed_up(case, acknowledged)
        case.server.stop()
        check("up to date" in command(case, "db", "status"), "status")
        if step + 1 < len(urls):
            move(case, urls[step + 1])
    refusals(case, servers[0], last)


def given_away(case, name):
    """The id of a project that is gone at once."""
    case.project(name)
    status, _, body = case.admin.request("GET", f"/api/v2.0/projects/{name}")
    equal(status, 200, body)
    number = json.loads(body)["project_id"]
    status, _, body = case.admin.request("DELETE", f"/api/v2.0/projects/{name}")
    equal(status, 200, body)
    return number


def command(case, *arguments, expected=0):
    done = subprocess.run([find_binary(), *arguments], env=program_environment(case.server.data, case.server.environment),
                          capture_output=True, text=True, timeout=300, check=False)
    equal(done.returncode, expected, f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def move(case, url):
    if not url.startswith("sqlite:"):
        status = command(case, "db", "status", "--database-url", url, expected=3)
        check("schema version: 0" in status and "pending: 1 core" in status, status)
    said = command(case, "db", "copy", "--to", url)
    print(said)
    password = url.split("@")[0].rpartition(":")[2] if "@" in url else "no password"
    check(password not in said, "the password is told")
    command(case, "db", "copy", "--to", url, expected=1)  # Never over something.
    case.server.environment["ROADSTEAD_DATABASE_URL"] = url
    check("the schema has version" in command(case, "db", "migrate"), "migrate")
    case.server.start()


def backed_up(case, acknowledged):
    """A backup of a running server whose database is a server too becomes an installation that needs none."""
    target = case.scratch.path("backup", "x")[:-2]
    print(command(case, "backup", "--to", target), command(case, "backup", "--verify", target))
    own = case.scratch.path("restored", "x")[:-2]
    done = subprocess.run([find_binary(), "restore", "--from", target],
                          env=program_environment(os.path.join(own, "data")), capture_output=True, text=True,
                          timeout=300, check=False)
    equal(done.returncode, 0, done.stdout + done.stderr)
    with Server(scratch=own) as server:
        copy = Case(Scratch(), server)
        try:
            whole(copy, acknowledged)
        finally:
            copy.scratch.remove()


def refusals(case, server, last):
    """A newer schema, half a copy, and URLs that are none."""
    server.execute("INSERT INTO schema_version (version, name, applied_at) VALUES (900, 'newer', 0)")
    environment = {"ROADSTEAD_DATABASE_URL": server.url}
    saved, case.server.environment = case.server.environment, environment
    check("older than the schema" in command(case, "db", "status", expected=4), "a newer schema")
    command(case, "db", "migrate", expected=1)
    case.server.environment = saved
    command(case, "db", "copy", "--to", "oracle://u@h/d", expected=1)
    command(case, "db", "status", "--database-url", "sqlite:" + last + ".none", expected=2)
    command(case, "db", "copy", expected=2)
