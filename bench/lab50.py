#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lab50.py - a lab of 50 nodes: how long until all know all, and what a comosixd costs when idle

Wanted: known within 30 s; at most 6 MB of private memory and 0.3 % of a core for each daemon.
Prints medians and the worst; it measures, and judges nothing. As root.

Usage: bench/lab50.py [NODES [SECONDS]]
"""
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/system"))
os.environ.setdefault("COMOSIX_BIN", os.path.realpath(os.path.join(HERE, "../build/bin")))
import labs

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except OSError:
        return None


def daemons(lab):
    """pid -> name of the pod, of each comosixd in the lab."""
    supervisor = lab.supervisor()
    inits = {p for p in labs.pids() if labs.parent(p) == supervisor}
    return {p: comm(labs.parent(p)) for p in labs.pids()
            if comm(p) == "comosixd" and labs.parent(p) in inits}


def private_mb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private_")) / 1024


def cpu_s(pid):
    """Its own and its ended children's."""
    return sum(int(labs.stat(pid, word)) for word in (11, 12, 13, 14)) * TICK_S


def show(what, values, unit):
    print(f"  {what:30} median {statistics.median(values):7.3f} {unit}   "
          f"worst {max(values):7.3f} {unit}", flush=True)


def idle(lab, nodes, seconds):
    pids = daemons(lab)
    before, begin = {p: cpu_s(p) for p in pids}, time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begin
    cpu = {p: 100 * (cpu_s(p) - before[p]) / passed for p in pids}
    head = [p for p, name in pids.items() if name == "head"]
    others = [p for p in pids if p not in head]
    assert len(others) == nodes and len(head) == 1, pids
    print(f"Idle, {passed:.0f} s, load {os.getloadavg()[0]:.1f}:")
    show("private memory, node", [private_mb(p) for p in others], "MB")
    show("private memory, head", [private_mb(p) for p in head], "MB")
    show("share of a core, node", [cpu[p] for p in others], "% ")
    show("share of a core, head", [cpu[p] for p in head], "% ")


def main():
    why = labs.lacking()
    if why:
        sys.exit(f"lab50: {why}")
    nodes = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    with labs.Lab("bench") as lab:
        print(f"A head and {nodes} nodes; {os.cpu_count()} processors, "
              f"load {os.getloadavg()[0]:.1f} before", flush=True)
        begin = time.monotonic()
        lab.must("up", "--nodes", nodes)
        print(f"  up, and all know all in {time.monotonic() - begin:.1f} s", flush=True)
        time.sleep(seconds / 4)  # the echo of joining: pairs are made, loads settle
        idle(lab, nodes, seconds)
        begin = time.monotonic()
        lab.must("down")
        print(f"  down in {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    try:
        main()
    except subprocess.TimeoutExpired as e:
        sys.exit(f"lab50: {e}")
