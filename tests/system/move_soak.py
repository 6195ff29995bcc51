#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""move_soak.py - many moves of many victims at random moments, with random kills: none lost, doubled or changed

Usage: move_soak.py BETWEEN VICTIM [--moves N] [--seed S] [--kills PERCENT] [--jobs N]

A victim is moved out and home again and again. In some of the moves (--kills) one of deputy, agent,
guest or stub is killed, or the stream is cut, at a random moment; sometimes the stream is given back. After each
move it is looked at: it goes on at home and nothing of the move is left, or it was killed in one of
the ways that docs/MIGRATION.md section 4 knows, and another one takes its place. What all of them
have written is checked to the last line. Prints a line of figures; exit status 0 when all that went
wrong was done on purpose. SIGTERM ends it after the moves that are under way, with the figures so far.
"""
import argparse
import concurrent.futures
import os
import random
import signal
import sys
import threading
import time

import moving
from figures import Figures

KILLED = -signal.SIGKILL
LEASE_MS = 10000  # longer than a busy machine is silent: who is lost by it was lost on purpose


over = threading.Event()  # somebody wants to know what there is so far


class Wrong(AssertionError):
    pass


NAMES = ("moves", "home", "stayed", "killed", "in_the_gap", "cuts", "lost", "doubled_or_changed", "hung")
BAD = ("lost", "doubled_or_changed", "hung")


class Worker:
    def __init__(self, args, figures, number):
        self.args = args
        self.figures = figures
        self.random = random.Random(args.seed * 1000 + number)
        self.place = moving.Place(args.victim)
        self.victim = None

    def close(self):
        if self.victim:
            self.victim.close()
        self.place.remove()

    def pause(self):
        """A random moment: most are short."""
        time.sleep(self.random.choice((0, 0.001, 0.005, 0.02, 0.1)) * self.random.random())

    def harm(self, move):
        """Somebody is killed, or the wire is; who."""
        what = self.random.choice(("deputy", "agent", "outside", "guest", "stub", "cut", "replace", "replace"))
        if what == "replace":
            move.say("after %d" % self.random.choice((1, 100, 5000, 200000)))
            return what
        if what == "cut":
            move.say("cut")
            return what
        pid = {"deputy": lambda: move.deputy, "agent": move.agent, "outside": lambda: move.guest,
               "guest": move.program, "stub": lambda: self.victim.pid}[what]()
        if pid is None:
            return None
        moving.kill(pid)
        return what

    def follow(self, move, harmed):
        """To the end of the move: gives the stream back where that was the plan."""
        homeward = False
        while True:
            line = move.events.next()
            if line is None:
                return
            if line == f"state deputy {moving.STAGE_AWAY}" and not homeward:
                homeward = True
                self.pause()
                if harmed == "late":
                    harmed = self.harmed = self.harm(move)
                move.say("home")
            elif line == "want deputy" and harmed == "replace":
                self.figures.add("cuts")
                move.say("new")

    def move(self):
        """One move; what was done to it, and what the deputy said at the end."""
        how = self.random.random() * 100
        plan = None if how >= self.args.kills else self.random.choice(("early", "late"))
        move = moving.Move(self.args.between, self.victim, "bytes", lease_ms=LEASE_MS)
        self.harmed = None
        try:
            if plan == "early":
                if self.random.random() < 0.5:
                    move.events.until("state deputy 2")
                self.pause()
                self.harmed = self.harm(move)
            self.follow(move, "late" if plan == "late" else self.harmed)
            return self.harmed, move.over(), move.said()
        finally:
            move.close()

    def check(self, harmed, end, said):
        victim = self.victim
        if victim.runs_alone():
            look = victim.look()
            if harmed != "deputy" and look != victim.at_home:
                raise Wrong(f"something is left after {harmed}, {end}: {look} was {victim.at_home}")
            if look[2:] != victim.at_home[2:]:
                raise Wrong(f"it is traced or filtered after {harmed}, {end}")
            self.figures.add("home" if end == (0, moving.FATE_HOME) else "stayed")
            if harmed == "deputy":
                victim.at_home = look  # the region of a killed deputy stays, doing nothing
            return
        status = victim.process.wait()
        if not harmed:
            self.figures.add("lost")
            raise Wrong(f"it has ended with {status} in a move that nobody harmed: {end} {said}")
        if harmed == "replace" and end is not None:
            self.figures.add("lost")
            raise Wrong(f"it has ended with {status} though its stream was replaced: {end} {said}")
        if status == -signal.SIGSEGV and harmed == "deputy":
            self.figures.add("in_the_gap")
        elif status != KILLED:
            self.figures.add("lost")
            raise Wrong(f"it has ended with {status} after {harmed}: {end} {said}")
        self.figures.add("killed")

    def once(self):
        if self.victim is None:
            self.victim = moving.Victim(self.place, "compute")
        self.figures.add("moves")
        try:
            self.check(*self.move())
            if self.victim.process.poll() is not None:
                self.finish(expect=None)
        except moving.Hang:
            self.figures.add("hung")
            raise

    def finish(self, expect=moving.RIGHT):
        victim, self.victim = self.victim, None
        if victim is None:
            return
        try:
            if expect is not None:
                victim.stop()
            status = victim.end()
            if expect is not None and status != expect:
                raise Wrong(f"its status is {status}")
        except AssertionError:
            self.figures.add("doubled_or_changed")
            raise
        finally:
            victim.close()


def work(args, figures, number, moves):
    worker = Worker(args, figures, number)
    done = 0
    try:
        for done in range(1, moves + 1):
            if over.is_set():
                break
            worker.once()
            if worker.random.random() < 0.05:
                worker.finish()
        worker.finish()
    except AssertionError as wrong:
        print(f"move_soak: worker {number}, move {done}: {wrong}", file=sys.stderr)
    finally:
        worker.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("between")
    parser.add_argument("victim")
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--kills", type=float, default=30, help="percent of the moves")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    if os.getuid():
        print("move_soak: needs root", file=sys.stderr)
        return 77
    signal.signal(signal.SIGTERM, lambda *unused: over.set())
    figures = Figures(*NAMES)
    share = [args.moves // args.jobs + (i < args.moves % args.jobs) for i in range(args.jobs)]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for job in [pool.submit(work, args, figures, i, n) for i, n in enumerate(share)]:
            job.result()
    print(f"seed={args.seed} {figures}")
    if figures.of["moves"] != args.moves:
        print("move_soak: it ended early", file=sys.stderr)
    return 1 if any(figures.of[name] for name in BAD) or figures.of["moves"] != args.moves else 0


if __name__ == "__main__":
    sys.exit(main())
