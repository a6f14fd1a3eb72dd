"""./x bench --micro: runs the programs *_benchmark of the release build and collects what they measured.

They stand beside the code they measure (src/<module>/*_benchmark.cpp), so that a regression has an address.
"""
import glob
import json
import os
import subprocess

import servers

SECONDS_MAX = 300   # Of one program.


def programs():
    return sorted(path for path in glob.glob(os.path.join(servers.BUILD, "*_benchmark")) if os.access(path, os.X_OK))


def run_program(path, only, quick):
    """Google Benchmark's JSON, or RuntimeError."""
    command = [path, "--benchmark_format=json", f"--benchmark_filter={only or '.'}",
               f"--benchmark_min_time={0.001 if quick else 0.3}", f"--benchmark_repetitions={1 if quick else 3}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{os.path.basename(path)}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    # Without a benchmark that matches there is no JSON, only a word about that.
    return json.loads(done.stdout) if done.stdout.lstrip().startswith("{") else {"benchmarks": []}


NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def entries(output, program):
    """One entry a benchmark: the repetition that took the least CPU time."""
    best = {}
    for one in output["benchmarks"]:
        if one.get("run_type", "iteration") != "iteration":
            continue   # Means and deviations.
        if one.get("error_occurred"):
            raise RuntimeError(f"{program}: {one['name']}: {one.get('error_message', 'failed')}")
        scale = NANOSECONDS[one["time_unit"]]
        entry = {"name": one["name"], "program": program, "cpu_ns": one["cpu_time"] * scale,
                 "wall_ns": one["real_time"] * scale, "iterations": one["iterations"]}
        for rate in ("bytes_per_second", "items_per_second"):
            if rate in one:
                entry[rate] = one[rate]
        if one["name"] not in best or entry["cpu_ns"] < best[one["name"]]["cpu_ns"]:
            best[one["name"]] = entry
    return list(best.values())


def run_all(only, quick, say):
    """(entries, what failed)"""
    measured, failed = [], []
    for path in programs():
        name = os.path.basename(path).removesuffix("_benchmark")
        say(f"micro-benchmarks of {name}")
        try:
            measured += entries(run_program(path, only, quick), name)
        except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as error:
            failed.append(f"{name}: {error}")
    return measured, failed
