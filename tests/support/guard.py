"""Sees to it that nothing outlives the test that started it, however that ends: a process of its own that waits until ours is
gone, and then kills what is left and removes its directories."""
import os
import shutil
import signal
import subprocess
import sys
import threading

_lock = threading.Lock()
_process = None


def _began(pid):
    """When that process began, in the kernel's ticks: with it an id names one process for ever. None without it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


def watch(pid, scratch=""):
    """After our end, process `pid` and its descendants are killed, and the directory `scratch` is removed."""
    global _process
    with _lock:
        if _process is None:
            # In a session of its own, so that Ctrl-C reaches us and not it.
            _process = subprocess.Popen([sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE,
                                        start_new_session=True, cwd="/")
        _process.stdin.write(f"{pid} {_began(pid)} {scratch}\n".encode())
        _process.stdin.flush()


def _main():
    from service import process_tree, signal_all
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    watched = [line.rstrip("\n").split(" ", 2) for line in sys.stdin]
    for pid, began, _ in watched:
        if _began(int(pid)) == began:
            signal_all(process_tree(int(pid)), signal.SIGKILL)
    for _, _, scratch in watched:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    _main()
