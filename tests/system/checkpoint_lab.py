#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""checkpoint_lab.py - a job with images whose node is cut off, or loses its power, in a real cluster

After the cut both halves live: home goes on only when the lease is over, the guest has ended before.
"""
import os
import re
import sys
import time

BUILD = os.environ["COMOSIX_BUILD"]
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checkpoint  # noqa: E402 (needs the path)
import labs  # noqa: E402

AS_USER = ("setpriv", "--reuid=5000", "--regid=5000", "--clear-groups", "env", "HOME=/tmp")
PATIENCE = 120


def until(true, what):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def size(lab, path):
    done = lab.on("head", "stat", "-c", "%s", path)
    return int(done.stdout) if done.returncode == 0 else 0


def grows(lab, path):
    least = size(lab, path) + 500
    until(lambda: size(lab, path) > least, "it writes nothing")


def case(lab, victim, verb):
    """One job whose host has an accident."""
    place = lab.out("head", *AS_USER, "mktemp", "-d").strip()
    out, in_, stop = (os.path.join(place, name) for name in ("out", "in", "stop"))
    lab.out("head", *AS_USER, "/usr/bin/python3", "-c",
            "import sys; open(sys.argv[1], 'wb').write(bytes(range(1, 252)))", in_)
    job = lab.start("head", *AS_USER, os.path.join(labs.BIN, "mosrun"), "--checkpoint", "300ms", victim, "quiet",
                    out, in_, stop)
    try:
        grows(lab, out)
        row = re.search(r"(\d+)", lab.out("head", "pgrep", "-x", "-u", "5000", os.path.basename(victim)[:15]))
        pid = row.group(1)
        lab.out("head", os.path.join(labs.BIN, "migrate"), pid, "n1")
        grows(lab, out)
        lab.must(verb, "n1")
        until(lambda: "TracerPid:\t0\n" in lab.out("head", "cat", f"/proc/{pid}/status"), "it is not at home")
        grows(lab, out)
        lab.out("head", *AS_USER, "touch", stop)
        assert job.wait(PATIENCE) == checkpoint.RIGHT, job.returncode
        checkpoint.check(lab.out("head", "cat", out), "quiet")
        lab.out("head", "rm", "-rf", place)
        print(f"ok - {verb}", flush=True)
    finally:
        job.kill()
        job.wait()
        job.stdout.close()


def main():
    no = labs.lacking()
    if no:
        print(f"1..0 # SKIP {no}")
        return 77
    with labs.Lab("c") as lab:
        lab.must("up", "--nodes", 1, "--servers", 1)
        case(lab, sys.argv[1], "cut")
        lab.must("heal", "n1")
        until(lambda: lab.status()["n1"]["member"] == "alive", "n1 does not come back")
        case(lab, sys.argv[1], "kill")
    return 0


if __name__ == "__main__":
    sys.exit(main())
