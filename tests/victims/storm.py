#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""storm.py - random victims move at random moments between the nodes of a lab, while daemons and halves are killed

Usage: storm.py [--moves N] [--jobs N] [--kills PERCENT] [--seed S]

Where tests/system/move_soak.py moves one program by the halves alone, this one moves all victims by the
real command and daemons: to one server, on to the other one or home, before its memory or after it, at any
moment of their work. In some of the moves (--kills) somebody is killed at a random moment: comosixd of
any node (each one's processes go on), or the victim's own deputy, its agent or what runs of it at its host
(it ends, or had not left yet). Each victim must end as on its own machine, with all its checks true,
unless one of these was killed; in the end nothing of a move is left on any node. Prints a line of figures;
exit status 0 when nothing was lost or changed, 1 else, 77 when no lab can be made. SIGINT ends it after
the moves that are under way.
"""

import argparse
import collections
import concurrent.futures
import random
import re
import signal
import subprocess
import sys
import threading
import time

import movers
import run as victims_run
from figures import Figures  # noqa: I001 (movers says where it lies)
from movers import Failed, Refused

SERVERS = ("n1", "n2")
NODES = ("head", *SERVERS)
MOVES_EACH = 12  # of one victim, at most
REST_S = 0.3  # after a move that was broken off
DAEMON_REST_S = 2  # between two kills of daemons: a move wants some moments
GRACE_S = 20  # after a kill moves may be refused or broken off: nodes find each other again
LEFT_S = 30  # until all that moved has ended everywhere

# of all processes of a host, the one that has this number in the innermost of its namespaces, and who traces it
FIND = """
import os, sys
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{pid}/status") as text:
            status = dict(line.split(":", 1) for line in text)
    except OSError:
        continue
    if len(status.get("NSpid", "").split()) > 1 and status["NSpid"].split()[-1] == sys.argv[1]:
        print(pid, status["TracerPid"].strip())
"""

over = threading.Event()


NAMES = ("victims", "moves", "done", "refused", "broken_off", "daemons_killed", "halves_killed", "ended_by_that",
         "skipped", "lost_or_changed")


class Storm:
    def __init__(self, args, mover, programs):
        self.args = args
        self.mover = mover
        self.programs = programs
        self.figures = Figures(*NAMES)
        self.lock = threading.Lock()
        self.left = args.moves
        self.pool = concurrent.futures.ThreadPoolExecutor(args.jobs)
        self.daemon_killed = -GRACE_S
        self.reasons = collections.Counter()

    def take(self, n):
        with self.lock:
            n = min(n, self.left)
            self.left -= n
            return n

    def calm(self):
        return time.monotonic() - self.daemon_killed > GRACE_S

    def kill_daemon(self, node):
        with self.lock:
            if time.monotonic() - self.daemon_killed < DAEMON_REST_S:
                return
            self.daemon_killed = time.monotonic()
        self.mover.lab.on(node, "pkill", "-KILL", "-x", "comosixd")
        self.daemon_killed = time.monotonic()
        self.figures.add("daemons_killed")

    def broken_off(self, why, pid):
        self.figures.add("broken_off")
        with self.lock:
            self.reasons[re.sub(r"\d+", "N", why.replace(str(pid), "PID"))] += 1

    def left_behind(self):
        """Agents and deputies that are somewhere, in words."""
        found = []
        for node in NODES:
            said = self.mover.lab.on(node, "pgrep", "-a", "-x", "comosix-deputy|comosix-guest").stdout
            found += [f"{node}: {line}" for line in said.splitlines()]
        return found


class Worker:
    def __init__(self, storm, number):
        self.storm = storm
        self.random = random.Random(storm.args.seed * 1000 + number)
        self.harmed = False

    def moment(self):
        return self.random.choice((0, 0.002, 0.01, 0.05, 0.3)) * self.random.random()

    def deputy(self, pid):
        seen = self.storm.mover.look(pid)
        tracer = seen["status"].get("TracerPid", "0") if seen else "0"
        return movers.InLab.HOME, tracer if tracer != "0" else None

    def guest(self, pid, how):
        """Where it is a guest: what runs there of it, or its agent."""
        for node in SERVERS:
            said = self.storm.mover.lab.on(node, sys.executable, "-c", FIND, str(pid)).stdout.split()
            if said and (how == "program" or said[1] != "0"):
                return node, said[0] if how == "program" else said[1]
        return None, None

    def harm(self, run):
        """In a moment, beside the move; its future."""
        after, how = self.moment(), self.random.choice((*NODES, *NODES, "deputy", "agent", "program"))

        def work():
            time.sleep(after)
            if how in NODES:
                self.storm.kill_daemon(how)
                return
            node, pid = self.deputy(run.pid) if how == "deputy" else self.guest(run.pid, how)
            if pid:
                self.harmed = True
                self.storm.mover.lab.on(node, "kill", "-KILL", pid)
                self.storm.figures.add("halves_killed")

        return self.storm.pool.submit(work)

    def move(self, run):
        to = self.random.choice((*SERVERS, "home"))
        late = ["--post-copy"] if to != "home" and self.random.random() < 0.25 else []
        harm = self.harm(run) if self.random.random() * 100 < self.storm.args.kills else None
        calm = self.storm.calm()
        self.storm.figures.add("moves")
        try:
            self.storm.mover.migrate(run.pid, to, *late)
            self.storm.figures.add("done")
        except Refused:
            self.storm.figures.add("refused")
        except Failed as why:
            if calm and self.storm.calm() and not harm:
                raise
            self.storm.broken_off(str(why), run.pid)
            time.sleep(REST_S)
        finally:
            if harm:
                harm.result()

    def one(self, name, moves):
        self.harmed = False
        with victims_run.Run(self.storm.mover, self.storm.programs[name]) as run:
            try:
                run.await_ready()
                run.nudge()
                for _ in range(moves):
                    if run.proc.poll() is not None:
                        break
                    self.move(run)
                    time.sleep(self.moment())
                run.end()
            except victims_run.Skip:
                self.storm.figures.add("skipped")
            except Failed:
                if not self.harmed:
                    raise
                self.storm.figures.add("ended_by_that")

    def work(self):
        names = sorted(self.storm.programs)
        while not over.is_set():
            moves = self.storm.take(self.random.randrange(1, MOVES_EACH + 1))
            if not moves:
                return
            name = self.random.choice(names)
            self.storm.figures.add("victims")
            try:
                self.one(name, moves)
            # also what labs.py says of a command that hangs or fails
            except (Failed, AssertionError, subprocess.TimeoutExpired) as why:
                self.storm.figures.add("lost_or_changed")
                print(f"storm: {name}: {why}", flush=True)


def parse():
    p = argparse.ArgumentParser(usage=__doc__.split("Usage: ", 1)[1].split("\n\n", 1)[0])
    p.add_argument("--moves", type=int, default=200)
    p.add_argument("--jobs", type=int, default=4)
    p.add_argument("--kills", type=float, default=20, help="percent of the moves")
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    return p.parse_args()


def main():
    args = parse()
    why = movers.InLab.lacking()
    if why:
        print(why)
        return victims_run.SKIPPED
    signal.signal(signal.SIGINT, lambda *unused: over.set())  # SIGTERM is of labs.py
    print(f"seed {args.seed}", flush=True)
    with movers.InLab() as mover:
        storm = Storm(args, mover, victims_run.victims())
        threads = [threading.Thread(target=Worker(storm, n).work) for n in range(args.jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until = time.monotonic() + LEFT_S
        while (left := storm.left_behind()) and time.monotonic() < until:
            time.sleep(0.2)
    for line in left:
        print(f"storm: left behind: {line}")
    for why, n in storm.reasons.most_common():
        print(f"broken off {n}: {why}")
    print(storm.figures)
    broken = storm.left and not over.is_set()  # some worker has not come to its end
    return 1 if left or broken or storm.figures.of["lost_or_changed"] else 0


if __name__ == "__main__":
    sys.exit(main())
