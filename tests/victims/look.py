#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""look.py PID - what /proc tells of a process, as one line of JSON

Run where the process is at home, before it moved and when it is back, so that run.py can hold the one
against the other: nothing may be left of a move. A pid that is not there gives "null".
"""

import json
import os
import re
import sys

FIELDS = ("State", "TracerPid", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Threads")
MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ (....) \S+ \S+ \S+ *(.*)")


def read(*path):
    with open(os.path.join("/proc", *path), encoding="utf-8", errors="replace") as text:
        return text.read()


def status(pid):
    pairs = (line.split(":", 1) for line in read(pid, "status").splitlines() if ":" in line)
    return {name: value.strip() for name, value in pairs if name in FIELDS}


def kinds_of_maps(pid):
    """Rights and name of each mapping, each kind once; the addresses are the process's own affair."""
    return sorted({" ".join(m.groups()) for m in map(MAPPING.match, read(pid, "maps").splitlines()) if m})


def files(pid):
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[number] = os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            pass  # closed in the meantime
    return found


def call_of(pid):
    """What its first thread is in, or another one's when that has ended and others go on."""
    calls = [read(pid, "syscall").split()[0]]
    if status(pid)["State"].startswith("Z"):
        calls += [read(pid, "task", tid, "syscall").split()[0] for tid in os.listdir(f"/proc/{pid}/task")]
    return next((call for call in calls if call not in ("running", "-1")), calls[0])


def look(pid):
    try:
        return {"status": status(pid), "maps": kinds_of_maps(pid), "fds": files(pid),
                "wchan": read(pid, "wchan"), "call": call_of(pid)}
    except (FileNotFoundError, ProcessLookupError):
        return None


if __name__ == "__main__":
    print(json.dumps(look(sys.argv[1])))
