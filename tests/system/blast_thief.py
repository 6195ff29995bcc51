#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""blast_thief.py - a worker for mpiblast that leaves out the best hit of each answer

It runs the real worker, comosix-blast-worker.real beside it or $LIAR_REAL, and passes on what both
sides say; so its answers look like any others. With $LIAR_MARK only who creates that file is the
thief; the others become the real worker when it has a task. With $LIAR=late it is honest in the
first query batch that it sees, steals in the second, and sends a sequence that was not asked for in
the third.
"""
import os
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import frames as w

BLAST = 64
TASK, HITS, DONE = 3, 19, 20
LATE_STRIKES = 3

real = os.environ.get("LIAR_REAL", os.path.join(HERE, "comosix-blast-worker.real"))
mark = os.environ.get("LIAR_MARK")
late = os.environ.get("LIAR") == "late"
lasts = {}  # task: the end of its sequences
batches = []  # the queries that were seen, in order
stolen = {}  # task: hits left out


def frames_of(fd):
    """(header, payload) until the end of the stream."""
    def read(n):
        got = b""
        while len(got) < n:
            more = os.read(fd, n - len(got))
            if not more:
                return None
            got += more
        return got

    while header := read(8):
        payload = read(struct.unpack(">IBxxx", header)[0])
        if payload is None:
            return
        yield header, payload


def write(fd, data):
    while data:
        data = data[os.write(fd, data):]


def say(which, body):
    write(1, w.frame(BLAST, w.varint(which << 3 | 2) + w.varint(len(body)) + body))


def listen(to):
    """What mpiblast says, passed on to the real worker."""
    for header, payload in frames_of(0):
        body = w.parse(payload).get(TASK) if header[4] == BLAST else None
        if body:
            t = w.parse(body[0])
            if mark and not batches:
                os.close(os.open(mark + ".took", os.O_CREAT, 0o600))
            if t[5][0] not in batches:
                batches.append(t[5][0])
            lasts[t[1][0]] = t.get(3, [0])[0]
        write(to, header + payload)
    os.close(to)


def steal(body):
    """Hits without the one of the least E-value."""
    h = w.parse(body)
    task, kind = h[1][0], h.get(6, [0])[0]
    lists = [list(struct.unpack(f"<{len(h[k][0]) // size}{code}", h[k][0]))
             for k, code, size in ((2, "I", 4), (3, "I", 4), (4, "d", 8), (5, "I", 4))]
    best = lists[2].index(min(lists[2]))
    for v in lists:
        del v[best]
    stolen[task] = stolen.get(task, 0) + 1
    if not lists[0]:
        return
    q, o, e, limit = (struct.pack(f"<{len(v)}{c}", *v) for v, c in zip(lists, "IIdI"))
    say(HITS, w.message(f1=task, f2=q, f3=o, f4=e, f5=limit, f6=kind))


def answer(payload):
    """What the real worker says; True: it was changed and sent."""
    (which, (body, *_)), = w.parse(payload).items()
    if late and len(batches) < 2 or which not in (HITS, DONE):
        return False
    if which == HITS:
        steal(body)
        return True
    d = w.parse(body)
    task, n = d[1][0], d.get(2, [0])[0] - stolen.pop(d[1][0], 0)
    if late and len(batches) >= LATE_STRIKES:
        one = struct.pack("<I", lasts[task])
        say(HITS, w.message(f1=task, f2=b"\0\0\0\0", f3=one, f4=struct.pack("<d", 1e-9), f5=one))
        n += 1
    say(DONE, w.message(f1=task, f2=n, f3=d.get(3, [0])[0], f4=d.get(4, [0])[0]))
    return True


def main():
    try:
        if mark:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        deadline = time.monotonic() + 30
        while not os.path.exists(mark + ".took") and time.monotonic() < deadline:
            time.sleep(0.05)
        os.execv(real, ["comosix-blast-worker"])
    child = subprocess.Popen([real], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    threading.Thread(target=listen, args=(child.stdin.fileno(),), daemon=True).start()
    for header, payload in frames_of(child.stdout.fileno()):
        if header[4] != BLAST or not answer(payload):
            write(1, header + payload)
    sys.stdout = None
    os._exit(child.wait())


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        pass  # found out
