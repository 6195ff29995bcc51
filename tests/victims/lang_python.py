#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lang_python.py - a Python program: big numbers, dictionaries, threads, a subprocess, SQLite and its journal

Keeps the life of a victim, see victim.h.
"""

import hashlib
import os
import queue
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

ROUNDS = int(os.environ.get("VICTIM_ROUNDS", "10"))
STOP = os.environ.get("VICTIM_STOP")
READY = os.environ.get("VICTIM_READY")
PAUSE_S = int(os.environ.get("VICTIM_PAUSE_US", "10000")) / 1e6

wrong = 0


def tell(word, n):
    if READY:
        os.write(int(READY), f"{word} {n}\n".encode())


def check(held, what):
    global wrong
    if not held:
        wrong += 1
        print(f"lang_python: not so: {what}", file=sys.stderr)


def squares(work, done):
    while (n := work.get()) is not None:
        done.put((n, n * n))


def rounds(db, work, done):
    n, fib, table = 0, [0, 1], {}
    while True:
        n += 1
        fib.append(fib[-1] + fib[-2])
        check(fib[n] ** 2 - fib[n - 1] * fib[n + 1] == (-1) ** (n - 1), "Cassini's identity of big numbers")
        table[n] = hashlib.sha256(str(n).encode()).hexdigest()
        check(table[(n + 1) // 2] == hashlib.sha256(str((n + 1) // 2).encode()).hexdigest(), "a digest kept")
        for i in range(5):
            work.put(n + i)
        check(dict(done.get() for _ in range(5)) == {n + i: (n + i) ** 2 for i in range(5)}, "threads")
        with db:
            db.execute("insert into t values (?, ?)", (n, table[n]))
        check(db.execute("select count(*), sum(n) from t").fetchone() == (n, n * (n + 1) // 2), "SQL")
        if n % 5 == 0:
            out = subprocess.run(["cat"], input=b"x" * n, capture_output=True).stdout
            check(out == b"x" * n, "a subprocess")
        if n % ROUNDS == 0:
            tell("rounds", n)
            if not STOP or os.path.exists(STOP):
                return n
        time.sleep(PAUSE_S)


def main():
    work, done = queue.Queue(), queue.Queue()
    threads = [threading.Thread(target=squares, args=(work, done), daemon=True) for _ in range(3)]
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "db")
        db = sqlite3.connect(path)
        db.execute("create table t (n integer primary key, digest text)")
        for thread in threads:
            thread.start()
        tell("ready", os.getpid())
        n = rounds(db, work, done)
        db.close()
        again = sqlite3.connect(path)
        check(again.execute("pragma integrity_check").fetchone() == ("ok",), "the file of the database")
        check(again.execute("select count(*) from t").fetchone() == (n,), "all rows are in the file")
        again.close()
        for _ in threads:
            work.put(None)
        for thread in threads:
            thread.join()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
