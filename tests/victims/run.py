#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""run.py - every victim in every way of being moved: the matrix of migration

Usage: run.py [--mover none|local|lab] [--columns A,B] [--only PATTERN]... [--sample N [--seed S]]
              [--cells FILE] [--jobs N] [--repeat N] [--journal FILE] [--table FILE]

	stay      it is not moved: what it checks is so on this machine
	move      moved away, runs its rounds there and ends there
	pingpong  away and home again ten times, with rounds at each place
	atonce    away and home at once, before it has done anything there, five times
	flutter   away and home again twelve times, each after a moment by chance, some by post-copy
	midcall   moved while it is in a system call that waits, which ends after the move
	load      moved while it computes without a rest
	postcopy  moved away before its memory is (--post-copy), brought home at once, again after rounds
	          there, and moved away once more to end there
	home      moved away, brought home, and then nothing of it is left: no tracer, no filter, no
	          mapping and no descriptor that was not there before
	early_*   one of deputy, agent, stream comes to harm before RUN: it goes on at home (faults.py)
	late_*    one of deputy, agent, stub, stream does from RUN on: it ends, and nothing runs on

Each cell is one run of one victim: it passes, is refused with the system's reason, is skipped because
the machine lacks its feature, or FAILs. Exit status 0 when none failed, 1 when one did, 77 when there
is nothing to move with. --sample takes N cells by chance; its seed is printed. With --journal each
cell is written down when it is done, and a run that was stopped goes on behind the last one: cells of
the journal are not run again. Take the line of a cell out of it to have that one again.
"""

import argparse
import concurrent.futures
import contextlib
import fnmatch
import glob
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time

import faults
import movers
from movers import HERE, LIMIT_S, PROGRAMS, Failed, Lines, Refused

ROUNDS = 10
N_PINGPONG = 10
N_ATONCE = 5
N_FLUTTER = 12
LATE_SHARE = 0.3  # of its moves, by post-copy
MOMENT_S = 0.03
N_LOOKS = 15  # at a victim that goes on, before it moves
LOOK_EVERY_S = 0.006  # a round takes about 10 ms, so that looks fall on all its parts
SKIPPED = 77


def about(name):
    """The one sentence at the head of its source."""
    source = re.sub("^(static|musl)_", "", name)
    for path in glob.glob(os.path.join(HERE, glob.escape(source) + ".*")):
        with open(path, encoding="utf-8") as text:
            head = text.read(2000)
        # up to the end of the comment, or to an empty line in it
        found = re.search(rf"\b{re.escape(os.path.basename(path))} - (.*?)\s*(\*/|\"\"\"|\n\W*\n|\n[a-z])", head, re.S)
        if found:
            words = re.sub(r"\s*\n\W*", " ", found.group(1)).strip()
            return {"static": "static program: ", "musl": "with musl: "}.get(name[:len(name) - len(source)].strip("_"), "") + words
    raise SystemExit(f"run.py: no source with a head comment for the victim {name}")


def victims():
    """Names and command lines, from the list that the build made."""
    with open(os.path.join(PROGRAMS, "victims.list"), encoding="utf-8") as rows:
        words = [row.split() for row in rows if row.strip()]
    return {row[0]: row[1:] for row in words}


class Run:
    """One victim from its start to its end."""

    def __init__(self, mover, argv, **env):
        self.mover = mover
        self.dir = mover.scratch()
        self.stderr = tempfile.TemporaryFile()
        self.pid = None
        self.blocking = False
        self.refused = None
        self.proc = mover.start(argv, {
            "VICTIM_READY": "1", "VICTIM_ROUNDS": str(ROUNDS), "VICTIM_STOP": f"{self.dir}/stop",
            "VICTIM_NUDGE": f"{self.dir}/nudge", "TMPDIR": self.dir, **env,
        }, self.stderr)
        self.lines = Lines(self.proc.stdout)

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if self.proc.poll() is None and self.pid:
            self.mover.kill(self.pid)
        with contextlib.suppress(Failed):
            self.mover.over(self.pid)
        self.proc.stdout.close()
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        movers.end_family(self.dir)
        self.stderr.close()
        self.mover.forget(self.dir)

    def said(self):
        self.stderr.seek(0)
        return movers.first_line(self.stderr.read().decode(errors="replace"))

    def line(self):
        line = self.lines.next(time.monotonic() + LIMIT_S)
        if line is None:
            raise Failed(self.how_it_ended(self.proc.wait(LIMIT_S)))
        return line

    def how_it_ended(self, status):
        return f"ended with {status}: {self.said()}"

    def await_ready(self):
        while self.pid is None:
            word, _, value = self.line().partition(" ")
            if word in ("ready", "blocking"):
                self.pid = int(value)
                self.blocking = word == "blocking"
            elif word.startswith("skipped"):
                raise Skip(value)

    def await_rounds(self):
        """Until as many rounds as VICTIM_ROUNDS have begun and ended after now."""
        for _ in range(2):
            while not self.line().startswith("rounds"):
                pass

    def await_waiting(self):
        """Until it is seen in a call that waits."""
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            seen = self.mover.look(self.pid)
            if seen is None:
                raise Failed("it is gone")
            # D: vfork() waits so; Z: the first thread has ended and others go on
            if seen["status"]["State"][0] in "SDZ" and seen["call"] not in ("running", "-1"):
                return
        raise Failed("is never seen in a call that waits")

    def nudge(self):
        self.mover.touch(f"{self.dir}/nudge")

    def end(self):
        self.nudge()
        self.mover.touch(f"{self.dir}/stop")
        until = time.monotonic() + LIMIT_S
        while self.lines.next(until) is not None:
            pass
        status = self.proc.wait(LIMIT_S)
        self.mover.over(self.pid)
        if status:
            raise Failed(self.how_it_ended(status))


class Skip(Exception):
    """The machine lacks the feature."""


def stay(run):
    run.await_ready()
    run.end()


def move(run):
    run.await_ready()
    run.nudge()
    run.mover.away(run.pid)
    run.await_rounds()
    run.end()


def pingpong(run):
    run.await_ready()
    run.nudge()
    for _ in range(N_PINGPONG):
        run.mover.away(run.pid)
        run.await_rounds()
        run.mover.home(run.pid)
        run.await_rounds()
    run.end()


def atonce(run):
    """Home again before it has done anything there."""
    run.await_ready()
    run.nudge()
    for _ in range(N_ATONCE):
        run.mover.away(run.pid)
        run.mover.home(run.pid)
        run.await_rounds()
    run.end()


def flutter(run):
    """Any moment of it is one to be moved in."""
    run.await_ready()
    run.nudge()
    for _ in range(N_FLUTTER):
        run.mover.away(run.pid, late=random.random() < LATE_SHARE)
        time.sleep(random.random() * MOMENT_S)
        run.mover.home(run.pid)
        time.sleep(random.random() * MOMENT_S)
    run.await_rounds()
    run.end()


def midcall(run):
    run.await_ready()
    run.await_waiting()
    run.mover.away(run.pid)
    run.nudge()
    run.await_rounds()
    run.end()


def postcopy(run):
    run.await_ready()
    run.nudge()
    for rounds_there in (False, True):
        run.mover.away(run.pid, late=True)
        if rounds_there:
            run.await_rounds()
        run.mover.home(run.pid)
        run.await_rounds()
    run.mover.away(run.pid, late=True)
    run.await_rounds()
    run.end()


def held_against(before, after):
    """What is there now and was not there before, in words."""
    news = []
    for name, want in (("TracerPid", "0"), ("NoNewPrivs", None), ("Seccomp", None), ("Seccomp_filters", None)):
        want = before[0]["status"].get(name) if want is None else want
        if after["status"].get(name) != want:
            news.append(f"{name} is {after['status'].get(name)}, was {want}")
    maps = set().union(*(look["maps"] for look in before))
    news += [f"a mapping '{kind}'" for kind in after["maps"] if kind not in maps]
    fds = {item for look in before for item in look["fds"]}
    news += [f"descriptor {number} ({name})" for number, name in after["fds"].items() if number not in fds]
    if int(after["status"]["Threads"]) > max(int(look["status"]["Threads"]) for look in before):
        news.append(f"{after['status']['Threads']} threads")
    if after["status"]["State"][0] in "tX":
        news.append(f"state {after['status']['State']}")
    return news


def looks(run):
    for _ in range(N_LOOKS):
        yield run.mover.look(run.pid)
        time.sleep(LOOK_EVERY_S)


def home(run):
    run.await_ready()
    run.nudge()
    before = list(looks(run))
    run.mover.away(run.pid)
    run.await_rounds()
    run.mover.home(run.pid)
    until = time.monotonic() + LIMIT_S
    # it goes on and may be anywhere in a round; what is left behind is there in each look
    while (news := held_against(before, run.mover.look(run.pid))) and time.monotonic() < until:
        run.await_rounds()
    if news:
        raise Failed("left at home: " + "; ".join(news))
    run.await_rounds()
    run.end()


COLUMNS = {
    # name: (what is done, environment of its own)
    "stay": (stay, {}),
    "move": (move, {}),
    "pingpong": (pingpong, {}),
    "midcall": (midcall, {}),
    "atonce": (atonce, {}),
    "flutter": (flutter, {}),
    "postcopy": (postcopy, {}),
    "load": (move, {"VICTIM_PAUSE_US": "0"}),
    "home": (home, {}),
    **{name: (do, {}) for name, do in faults.COLUMNS.items()},
}


def cell(mover, name, column, programs):
    do, env = COLUMNS[column]
    if column in faults.COLUMNS:
        mover = mover.here()
    try:
        with Run(mover, programs[name], **env) as run:
            run.name = name
            do(run)
    except Skip as why:
        return f"skipped {why}"
    except Refused as why:
        return f"refused {why}"
    except Failed as why:
        return f"FAIL {why}"
    except Exception as why:  # a fault of this harness or of the lab: a failed cell, not the end of all
        return f"FAIL {type(why).__name__}: {why}"
    return "pass"


def table_of(results, columns, mover):
    """Markdown; the texts of what did not pass stand below the table."""
    notes = []

    def short(name, column):
        result = results.get((name, column))
        if result is None or result == "pass":
            return result or ""
        kind, _, why = result.partition(" ")
        why = re.sub(r"^migrate: process \d+: ", "", why)  # the same reason is one note
        if (kind, why) not in notes:
            notes.append((kind, why))
        return f"{kind} [{notes.index((kind, why)) + 1}]"

    names = list(dict.fromkeys(name for name, _ in results))
    rows = [[name, about(name), *(short(name, column) for column in columns)] for name in names]
    head = ["victim", "what it checks", *columns]
    tally = {kind: sum(r.startswith(kind) for r in results.values()) for kind in ("pass", "refused", "skipped", "FAIL")}
    lines = ["# Victims", "",
             f"Made by `tests/victims/run.py --mover {mover} --table`; tests/victims/run.py says what the columns are.",
             f"{len(names)} victims, {len(results)} cells: " + ", ".join(f"{n} {kind}" for kind, n in tally.items()) + ".",
             "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    if notes:
        lines += ["", *(f"{i}. {kind}: {why}" for i, (kind, why) in enumerate(notes, 1))]
    return "\n".join(lines) + "\n"


def parse():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--mover", choices=movers.MOVERS, default="none")
    p.add_argument("--columns", default=None, help=",".join(COLUMNS))
    p.add_argument("--only", action="append", metavar="PATTERN", help="victims whose names fit; repeatable")
    p.add_argument("--sample", type=int, metavar="N", help="N cells by chance")
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--cells", metavar="FILE", help="the cells of this file, a line of NAME COLUMN each, and no others")
    p.add_argument("--jobs", type=int, default=2, help="cells at a time")
    p.add_argument("--repeat", type=int, default=1)
    p.add_argument("--journal", metavar="FILE", help="what was done; a run that was stopped goes on with it")
    p.add_argument("--table", metavar="FILE")
    p.add_argument("--list", action="store_true", help="print the victims and what they check")
    args = p.parse_args()
    args.columns = (args.columns or ("stay" if args.mover == "none" else ",".join(COLUMNS))).split(",")
    for column in args.columns:
        if column not in COLUMNS:
            p.error(f"no column '{column}'; there are: {' '.join(COLUMNS)}")
    return args


def chosen(args, programs):
    if args.cells:
        with open(args.cells, encoding="utf-8") as rows:
            return [tuple(row.split()) for row in rows]
    names = [n for n in programs if not args.only or any(fnmatch.fnmatch(n, form) for form in args.only)]
    cells = [(name, column) for name in names for column in args.columns]
    if args.sample is not None:
        seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
        print(f"seed {seed}: {args.sample} of {len(cells)} cells; again: --sample {args.sample} --seed {seed}", flush=True)
        cells = sorted(random.Random(seed).sample(cells, min(args.sample, len(cells))))
    return cells * args.repeat


class Journal:
    """Lines of NAME COLUMN RESULT, one for each cell that is done; the last one of a cell counts."""

    def __init__(self, path):
        self.file = None
        self.done = {}
        if path is None:
            return
        self.file = open(path, "a+", encoding="utf-8")
        self.file.seek(0)
        for row in self.file:
            name, column, result = row.rstrip("\n").split(" ", 2)
            self.done[name, column] = result

    def add(self, key, result):
        if self.file:
            print(*key, result.replace("\n", " "), file=self.file, flush=True)


def run_all(args, programs, cells):
    journal, lock = Journal(args.journal), threading.Lock()
    results = {key: journal.done[key] for key in cells if key in journal.done}
    if results:
        print(f"{len(results)} cells are in {args.journal} already", flush=True)
    with movers.MOVERS[args.mover]() as mover, \
            concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:

        def one(key):
            result = cell(mover, *key, programs)
            ok = "not ok" if result.startswith("FAIL") else "ok"
            more = {"pass": "", "skip": " # SKIP " + result, "refu": ": " + result, "FAIL": ": " + result}[result[:4]]
            with lock:
                print(f"{ok} - {key[0]} {key[1]}{more}", flush=True)
                if not results.get(key, "").startswith("FAIL"):
                    results[key] = result
                journal.add(key, result)

        try:
            list(pool.map(one, [key for key in cells if key not in journal.done]))
        except BaseException:  # interrupted: those that run end, the others do not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {key: results[key] for key in dict.fromkeys(cells)}


def main():
    args = parse()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))  # as ^C: what was made is removed
    programs = victims()
    if args.list:
        for name in programs:
            print(f"{name}: {about(name)}")
        return 0
    why = movers.MOVERS[args.mover].lacking()
    if why:
        print(why)
        return SKIPPED
    cells = chosen(args, programs)
    if not cells:
        print("run.py: no victim has such a name", file=sys.stderr)
        return 2
    results = run_all(args, programs, cells)
    if args.table:
        os.makedirs(os.path.dirname(os.path.abspath(args.table)), exist_ok=True)
        with open(args.table, "w", encoding="utf-8") as out:
            out.write(table_of(results, args.columns, args.mover))
    return 1 if any(r.startswith("FAIL") for r in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
