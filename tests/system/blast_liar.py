#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""blast_liar.py - a worker for mpiblast that lies, once; the other workers are real ones

$LIAR is the lie, $LIAR_MARK a file: who creates it is the liar, everybody else becomes the real
worker. Speaks src/wire/blast.proto, written from that file.
"""
import os
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import frames as w

BLAST = 64
TASK, NEED, READY, BEAT, HITS, DONE, FAILED = 3, 16, 17, 18, 19, 20, 21


def send(raw, kind=BLAST, length=None):
    header = struct.pack(">IBxxx", len(raw) if length is None else length, kind)
    os.write(1, header + raw)


def say(which, raw=b""):
    send(w.varint(which << 3 | 2) + w.varint(len(raw)) + raw)


def read(n):
    got = b""
    while len(got) < n:
        more = os.read(0, n - len(got))
        if not more:
            sys.exit(0)
        got += more
    return got


def hear():
    """Body number and fields of the next message."""
    length, _ = struct.unpack(">IBxxx", read(8))
    (which, values), = w.parse(read(length)).items()
    return which, w.parse(values[0])


def hits(task, *pairs, chunk=False):
    q, o = zip(*pairs)
    say(HITS, w.message(f1=task, f2=struct.pack(f"<{len(q)}I", *q), f3=struct.pack(f"<{len(o)}I", *o),
                        f4=struct.pack("<d", 1e-9) * len(q), f5=struct.pack("<I", 1050) * len(q),
                        f6=chunk))


def done(task, n):
    say(DONE, w.message(f1=task, f2=n, f3=1))


def lie(what, t):
    task, first, last, n = (t.get(k, [0])[0] for k in (1, 2, 3, 4))
    if what == "outside":
        hits(task, (0, last))
        done(task, 1)
    elif what == "query":
        hits(task, (n, first))
        done(task, 1)
    elif what == "twice":
        hits(task, (0, first), (0, first))
        done(task, 2)
    elif what == "count":
        hits(task, (0, first))
        done(task, 2)
    elif what == "lists":
        say(HITS, w.message(f1=task, f2=struct.pack("<I", 0), f3=struct.pack("<II", 0, 1)))
    elif what == "flood":
        while True:
            hits(task, *((0, first) for _ in range(8192)), chunk=True)
    elif what == "garbage":
        send(b"\xff" * 100)
    elif what == "huge":
        send(b"", length=0x7FFFFFFF)
    elif what == "frame":
        send(b"", kind=3)
    elif what == "unsearched":
        say(DONE, w.message(f1=task))
    elif what == "nothing":
        done(task, 0)
    elif what == "need":
        say(NEED, w.message(f1=77))
    elif what == "failed":
        say(FAILED, w.message(f1=task, f2=3, f3="I do not feel well"))
    elif what == "gone":
        sys.exit(0)
    elif what == "silent":
        while True:
            read(1)
    elif what == "beats":
        while True:  # the same name for good: only starting the task twice helps
            say(BEAT)
            time.sleep(1)


def main():
    try:
        os.close(os.open(os.environ["LIAR_MARK"], os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        os.execv(os.environ["LIAR_REAL"], ["comosix-blast-worker"])
    what = os.environ["LIAR"]
    if what == "refusal":
        say(FAILED, w.message(f3="BLAST+ differs: here 1, at the master 2"))
    say(BEAT)
    say(READY)
    while True:
        which, fields = hear()
        if which == TASK:
            lie(what, fields)


try:
    main()
except BrokenPipeError:
    pass  # found out
