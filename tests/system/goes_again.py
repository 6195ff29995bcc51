#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""goes_again.py - a process that comes home for fork, vfork or exec goes out again, in a real cluster

Usage: goes_again.py [CASE]...

The victim is this file once more, with --victim: it does what it is told on its standard input. To
look at it while it is at home for a call it makes a child (vfork) that opens a FIFO before it
executes its program: until somebody opens the other end, that call is not over.
"""
import contextlib
import json
import os
import subprocess
import sys
import time

PATIENCE = 120
RIGHT = 7
USER = 5000
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
PYTHON = "/usr/bin/python3"
CHILD_S = "0.7"  # from one order to the next at least: what comes home three times within a second stays


# ---- the victim ----

def make_child():
    return subprocess.run(["sleep", CHILD_S], check=False).returncode


def make_child_that_waits(fifo):
    """In vfork(2) until the FIFO is opened for writing."""
    child = os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, fifo, os.O_RDONLY, 0)])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def make_many(stop):
    while not os.path.exists(stop):
        if subprocess.run(["true"], check=False).returncode:
            return 1
    return 0


def fork_only():
    child = os.fork()
    if not child:
        time.sleep(float(CHILD_S))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def victim(directory):
    print("begun", os.getpid(), flush=True)
    orders = {
        "child": make_child,
        "fork": fork_only,
        "waits": lambda: make_child_that_waits(f"{directory}/fifo"),
        "many": lambda: make_many(f"{directory}/stop"),
    }
    while order := os.read(0, 64).decode().strip():
        if order == "exec":
            time.sleep(float(CHILD_S))
            os.execv(PYTHON, [PYTHON, os.path.join(directory, "victim"), "--victim", directory])
        print(order, orders[order](), flush=True)
    return RIGHT


if sys.argv[1:2] == ["--victim"]:
    sys.exit(victim(sys.argv[2]))

# ---- the test ----

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import labs  # noqa: E402 (needs the path)

HOME, HOST = "head", "n1"


def until(true, what):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


class Events:
    """What the head tells of processes, from now on."""

    def __init__(self, lab):
        self.process = lab.start(HOME, os.path.join(labs.BIN, "comosix"), "events", "--follow", "--last", 1, "--json")
        self.process.stdout.readline()  # it follows

    def await_text(self, *texts):
        """The next one with one of these in its text."""
        for line in self.process.stdout:
            text = json.loads(line)["text"]
            if any(part in text for part in texts):
                return text
        raise AssertionError(f"no event says {texts}")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Victim:
    def __init__(self, lab):
        self.lab = lab
        self.dir = lab.out(HOME, *AS_USER, "mktemp", "-d", "-p", "/tmp").strip()
        with open(__file__, "rb") as own:
            lab.must("exec", HOME, "--", *AS_USER, PYTHON, "-c", "import sys; open(sys.argv[1], 'w').write(sys.argv[2])",
                     f"{self.dir}/victim", own.read().decode())
        lab.out(HOME, *AS_USER, "mkfifo", f"{self.dir}/fifo")
        self.process = lab.start(HOME, *AS_USER, PYTHON, f"{self.dir}/victim", "--victim", self.dir, stdin=subprocess.PIPE)
        self.pid = self.await_begun()

    def line(self):
        line = self.process.stdout.readline()
        assert line, f"the victim has ended: {self.process.wait()}"
        return line.strip()

    def await_begun(self):
        word, pid = self.line().split()
        assert word == "begun", word
        return int(pid)

    def say(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()

    def does(self, order):
        self.say(order)
        self.done(order)

    def done(self, order):
        said = self.line()
        assert said == f"{order} 0", said

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(PATIENCE) == RIGHT, self.process.returncode

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.lab.on(HOME, "rm", "-rf", self.dir)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    # ---- where it is ----

    def migrate(self, to):
        self.lab.out(HOME, os.path.join(labs.BIN, "migrate"), str(self.pid), to)

    def row(self):
        done = self.lab.on(HOME, os.path.join(labs.BIN, "mps"), "-a", "--json")
        rows = json.loads(done.stdout)["processes"] if done.returncode == 0 else []  # no daemon for a moment
        return next((row for row in rows if row["pid"] == self.pid), {"node": None, "state": None})

    def await_state(self, state):
        until(lambda: self.row()["state"] == state, f"it is never '{state}': {self.row()}")

    def await_away(self):
        self.await_state("away")
        assert self.row()["node"] == HOST

    def tracer(self, pid=None):
        for row in self.lab.out(HOME, "cat", f"/proc/{pid or self.pid}/status").splitlines():
            if row.startswith("TracerPid:"):
                return int(row.split()[1])
        raise AssertionError("no TracerPid")

    def begin_to_wait(self):
        """At home, in its call."""
        self.say("waits")
        self.await_state("again")
        assert self.row()["node"] == HOME
        child = self.lab.out(HOME, "cat", f"/proc/{self.pid}/task/{self.pid}/children").split()
        assert len(child) == 1 and self.tracer(int(child[0])) == 0, child
        assert self.tracer() != 0

    def go_on(self):
        self.lab.out(HOME, *AS_USER, "sh", "-c", f": >{self.dir}/fifo")
        self.done("waits")

    def is_left_alone(self):
        until(lambda: self.tracer() == 0, "it is traced")
        row = self.row()
        assert row["node"] == HOME and row["state"] not in ("again", "leaving", "away", "returning"), row
        maps = self.lab.out(HOME, "cat", f"/proc/{self.pid}/maps")
        assert "rwxp" not in maps, maps
        self.does("child")
        assert self.row()["node"] == HOME


def kill_in_head(lab, name):
    pids = lab.out(HOME, "pgrep", "-x", name).split()
    assert len(pids) == 1, pids
    lab.out(HOME, "kill", "-KILL", pids[0])


# ---- cases: the victim is away ----

def goes_and_comes(lab, victim, events):
    """Children by fork, by vfork and by another program of its own: each time it is away again."""
    for order in ("child", "fork", "child", "exec", "child"):
        victim.say(order)
        if order == "exec":
            assert victim.await_begun() == victim.pid
        else:
            victim.done(order)
        events.await_text("and goes out again")
        events.await_text(f"runs at {HOST} now")
        victim.await_away()


def out_when_its_call_is_over(lab, victim, events):
    victim.begin_to_wait()
    victim.go_on()
    victim.await_away()


def called_home(lab, victim, events):
    victim.begin_to_wait()
    victim.migrate("home")
    victim.go_on()
    victim.is_left_alone()


def sent_elsewhere(lab, victim, events):
    victim.begin_to_wait()
    order = lab.start(HOME, os.path.join(labs.BIN, "migrate"), str(victim.pid), "n2", stderr=subprocess.PIPE)
    victim.go_on()
    said = order.communicate()
    assert order.returncode == 0, said
    assert victim.row()["node"] == "n2"
    victim.does("child")
    events.await_text("runs at n2 now")  # before the child
    events.await_text("runs at n2 now")


def deputy_dies(lab, victim, events):
    victim.begin_to_wait()
    kill_in_head(lab, "comosix-deputy")
    events.await_text(f"is home again from {HOST}")
    victim.go_on()
    victim.is_left_alone()


def daemon_dies(lab, victim, events):
    victim.begin_to_wait()
    kill_in_head(lab, "comosixd")
    victim.await_state("again")  # the next one has found it
    victim.go_on()
    victim.await_away()


def daemon_is_away(lab, victim, events):
    """Its call is over before the next daemon is there, or at the same time."""
    victim.begin_to_wait()
    kill_in_head(lab, "comosixd")
    victim.go_on()
    victim.await_away()


def host_dies(lab, victim, events):
    victim.begin_to_wait()
    lab.must("kill", HOST)
    victim.go_on()
    events.await_text("it stays at home", "and stays")
    victim.is_left_alone()
    lab.must("start", HOST)
    until(lambda: lab.status()[HOST]["member"] == "alive", f"{HOST} does not come back")


def too_often(lab, victim, events):
    """A program that does nothing but start others is left in peace."""
    victim.say("many")
    events.await_text("three times within a second, and stays")
    lab.out(HOME, "touch", f"{victim.dir}/stop")
    victim.done("many")
    victim.is_left_alone()


# the last ones end what tells the head
CASES = [goes_and_comes, out_when_its_call_is_over, called_home, sent_elsewhere, deputy_dies, too_often, host_dies, daemon_dies, daemon_is_away]


def run(lab, case):
    events = Events(lab)
    victim = Victim(lab)
    try:
        victim.migrate(HOST)
        case(lab, victim, events)
        victim.end()
        print(f"ok - {case.__name__}", flush=True)
    finally:
        victim.close()
        events.close()


def await_events_of_moves(lab):
    """The head listens to its daemon some time after both have begun."""
    victim = Victim(lab)

    def told():
        victim.migrate(HOST)
        victim.migrate("home")
        return "process.moved" in lab.out(HOME, os.path.join(labs.BIN, "comosix"), "events")

    until(told, "no event tells of a move")
    victim.close()


def main():
    no = labs.lacking()
    if no:
        print(f"1..0 # SKIP {no}")
        return 77
    wanted = sys.argv[1:]
    with labs.Lab("again") as lab:
        lab.must("up", "--nodes", 2, "--servers", 2)
        await_events_of_moves(lab)
        for case in CASES:
            if not wanted or case.__name__ in wanted:
                run(lab, case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
