"""Starting and stopping: SIGTERM drains, the lock is exclusive, a restart is quick and loses nothing."""
import http.client
import os
import signal
import subprocess
import threading
import time

from cases.resume import basic
from harness import Server, check, equal, started
from server import program_environment

SIZE = 64 << 20


def main():
    with started() as case:
        case.project("stop")
        digest = case.push_blob("stop/image", os.urandom(SIZE))
        second_server_is_refused(case)
        download_survives(case, digest)
        times = []
        for _ in range(3):
            case.server.start()
            begin = time.monotonic()
            equal(case.server.stop(signal.SIGTERM), 0, "exit status")
            times.append(time.monotonic() - begin)
        print("seconds to stop:", [round(seconds, 3) for seconds in times])
        start_is_quick(case)
        second_signal_stops_at_once(case, digest)


def second_server_is_refused(case):
    environment = program_environment(case.server.data, {"ROADSTEAD_LISTEN": "127.0.0.1:0"})
    done = subprocess.run([case.server.binary, "serve"], env=environment, capture_output=True, text=True, timeout=60,
                          check=False)
    check(done.returncode != 0, "a second server on the same data directory ends")
    check(case.server.data in done.stderr + done.stdout, f"it says why: {done.stderr[-500:]}")
    equal(case.admin.request("GET", "/api/v2.0/ping")[0], 200, "the first one goes on")


def slow_download(case, digest):
    connection = http.client.HTTPConnection(case.host, timeout=60)
    connection.request("GET", f"/v2/stop/image/blobs/{digest}", headers={"Authorization": basic()})
    return connection.getresponse()


def download_survives(case, digest):
    answer = slow_download(case, digest)
    received = len(answer.read(1 << 20))
    stopped = threading.Thread(target=case.server.stop)
    stopped.start()
    wait_until_refused(case)
    while piece := answer.read(1 << 20):
        received += len(piece)
    equal(received, SIZE, "bytes of a download that was running at SIGTERM")
    stopped.join()
    equal(case.server.process.returncode, 0, "exit status")


def wait_until_refused(case):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            http.client.HTTPConnection(case.host, timeout=1).connect()
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError("a draining server still accepts connections")


def start_is_quick(case):
    times = []
    for _ in range(5):
        begin = time.monotonic()
        case.server.start()
        times.append(time.monotonic() - begin)
        case.server.stop()
    print("seconds from start to first answer:", [round(seconds, 3) for seconds in times])
    check(min(times) < 0.25, "start is slow")  # The aim is 0.1; machines that test are busy.
    case.server.start()


def second_signal_stops_at_once(case, digest):
    answer = slow_download(case, digest)
    answer.read(1 << 20)
    case.server.process.send_signal(signal.SIGTERM)
    wait_until_refused(case)
    begin = time.monotonic()
    case.server.process.send_signal(signal.SIGTERM)
    case.server.process.wait(10)
    check(time.monotonic() - begin < 5, "the second signal stops at once")
    check(isinstance(case.server, Server), "still ours")
    case.server.start()
