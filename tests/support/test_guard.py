#!/usr/bin/python3
"""Does nothing outlive a test that is killed?"""
import os
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from service import process_tree  # noqa: E402

SECONDS = 20
# A test that starts a server with a child of its own, says who they are, and is killed.
PROGRAM = """
import os, signal, subprocess, sys
sys.path.insert(0, sys.argv[1])
import guard
server = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
guard.watch(server.pid, sys.argv[2])
print(server.pid, server.stdout.readline().strip(), flush=True)
if sys.argv[3] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
server.kill()
server.wait()
"""


class GuardTest(unittest.TestCase):
    def run_program(self, how):
        scratch = tempfile.mkdtemp(prefix="roadstead-guard-")
        done = subprocess.run([sys.executable, "-c", PROGRAM, HERE, scratch, how], capture_output=True, text=True,
                              timeout=SECONDS, check=False)
        return scratch, [int(pid) for pid in done.stdout.split()]

    def eventually(self, condition, complaint):
        deadline = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, complaint)
            time.sleep(0.05)

    def test_what_a_killed_test_has_started_ends(self):
        scratch, pids = self.run_program("killed")
        self.assertEqual(len(pids), 2)
        self.eventually(lambda: not any(process_tree(pid) for pid in pids), f"{pids} are alive")
        self.eventually(lambda: not os.path.exists(scratch), f"{scratch} is there")

    def test_a_process_of_the_same_number_is_not_ours(self):
        with subprocess.Popen(["sleep", "100"]) as other:
            program = ("import sys; sys.path.insert(0, sys.argv[1]); import guard; "
                       "guard._began = lambda pid: 1; guard.watch(int(sys.argv[2]))")
            subprocess.run([sys.executable, "-c", program, HERE, str(other.pid)], check=True, timeout=SECONDS)
            time.sleep(0.5)
            self.assertIsNone(other.poll())
            other.kill()


if __name__ == "__main__":
    unittest.main()
