# SPDX-License-Identifier: GPL-2.0-or-later
"""moving.py - one process that is moved by move_between, and what has become of it"""
import contextlib
import glob
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

LIMIT_S = float(os.environ.get("MOVE_LIMIT_S", 120))  # of one wait: a hang, not a measurement
USER = 5000
GUEST_UIDS = 1879048192  # src/migrate/box.h
RIGHT = 42
STAGE_AWAY, STAGE_RECALL = 6, 7  # wire/half.proto
FATE_STAYED, FATE_HOME, FATE_EXITED, FATE_LOST = 1, 2, 3, 4


class Hang(AssertionError):
    pass


class Lines:
    """The lines of a pipe, as they come; all of them are kept."""

    def __init__(self, pipe):
        self.fd = pipe.fileno()
        self.pipe = pipe
        self.rest = b""
        self.all = []

    def next(self):
        """The next line, None at the end."""
        until = time.monotonic() + LIMIT_S
        while b"\n" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Hang("no word for %.0f s after %r" % (LIMIT_S, self.all[-5:]))
            more = os.read(self.fd, 65536)
            if not more:
                return None
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        self.all.append(line.decode())
        return self.all[-1]

    def until(self, *starts):
        """The next line that begins with one of these; None: the end came first."""
        while True:
            line = self.next()
            if line is None or line.startswith(starts):
                return line

    def to_the_end(self):
        while self.next() is not None:
            pass
        return self.all


def status_of(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as text:
            return dict(row.split(":\t", 1) for row in text.read().splitlines() if ":\t" in row)
    except OSError:
        return {}


def is_alive(pid):
    return status_of(pid).get("State", "Z")[0] not in "ZX"


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
            return [int(word) for word in text.read().split()]
    except OSError:
        return []


def of_uids(uids):
    """Processes of these uids, zombies not counted."""
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        status = status_of(os.path.basename(path))
        if status and int(status["Uid"].split()[0]) in uids and status["State"][0] != "Z":
            found.append(int(os.path.basename(path)))
    return found


def until(true, what):
    """Wait for a state of the kernel's that nobody tells of."""
    end = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > end:
            raise Hang(what)
        time.sleep(0.01)


class Place:
    """Where victims live: a directory that another user may use."""

    def __init__(self, victim):
        self.dir = tempfile.mkdtemp(prefix="moving.", dir="/var/tmp")
        os.chmod(self.dir, 0o777)
        self.victim = shutil.copy(victim, self.dir)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Victim:
    """tests/system/move_victim.c"""

    number = 0

    def __init__(self, place, how):
        Victim.number += 1
        self.file = os.path.join(place.dir, f"file{Victim.number}")
        self.stop_file = os.path.join(place.dir, f"stop{Victim.number}")
        self.process = subprocess.Popen(
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
             place.victim, how, self.file, self.stop_file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.pid = self.process.pid
        self.lines = Lines(self.process.stdout)
        self.how = how
        self.goes_on(2)
        self.at_home = self.look()

    def goes_on(self, n=3):
        """It writes n lines more."""
        for _ in range(n):
            if self.how == "read":
                self.process.stdin.write(b".")
            if self.lines.next() is None:
                raise AssertionError(f"the victim has ended: {self.process.wait()}")

    def drain(self):
        """Take the lines that are there."""
        while select.select([self.lines.fd], [], [], 0)[0]:
            more = os.read(self.lines.fd, 65536)
            if not more:
                return
            *whole, self.lines.rest = (self.lines.rest + more).split(b"\n")
            self.lines.all += [line.decode() for line in whole]

    def runs_alone(self):
        """After a move: does it go on here? A stub would do one more call for each thread at most."""
        before = os.path.getsize(self.file)
        until(lambda: self.process.poll() is not None or os.path.getsize(self.file) > before + 4 * 20,
              "it neither goes on nor has it ended")
        self.drain()
        return self.process.poll() is None

    def look(self):
        """What must not change by a move: mappings, descriptors, tracer, filter."""
        with open(f"/proc/{self.pid}/maps", encoding="ascii", errors="replace") as text:
            # the heap and areas that threads' memory comes from may grow by themselves
            maps = [row for row in text.read().splitlines() if row.split()[5:] and "[heap]" not in row]
        status = status_of(self.pid)
        return maps, sorted(os.listdir(f"/proc/{self.pid}/fd")), status["TracerPid"], status["Seccomp"]

    def stop(self):
        if self.how == "read":
            self.process.stdin.close()
        else:
            with open(self.stop_file, "w", encoding="ascii"):
                pass

    def end(self):
        """Its exit status; -SIGNAL as subprocess has it. All it wrote is checked."""
        self.lines.to_the_end()
        status = self.process.wait(LIMIT_S)
        with open(self.file, encoding="ascii") as text:
            in_file = text.read().splitlines()
        check_lines(self.lines.all)
        check_lines(in_file)
        lines = len(self.lines.all)
        # it may have been killed between the two
        assert lines == len(in_file) or (status < 0 and lines == len(in_file) + 1), \
            f"{lines} lines in the pipe, {len(in_file)} in the file, status {status}"
        return status

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()


def check_lines(lines):
    """Numbered from 1, each once, each with the right digest."""
    h = 1
    for n, line in enumerate(lines, 1):
        h = ((h ^ n) * 0x100000001b3 & 0xffffffffffffffff) ^ (h >> 29)
        assert line == f"{n} {h:016x}", f"line {n} is '{line}'"


class Move:
    """tests/system/move_between.c around one victim."""

    number = os.getpid() % 30000

    def __init__(self, program, victim, how, *at, lease_ms=30000, late=False):
        Move.number += 1
        self.uids = (GUEST_UIDS + 2 * Move.number, GUEST_UIDS + 2 * Move.number + 1)
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([program, how, str(victim.pid), str(lease_ms), str(Move.number),
                                         *[str(word) for word in at]],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        bufsize=0, env={**os.environ, **({"MOVE_POST_COPY": "1"} if late else {})})
        self.events = Lines(self.process.stdout)
        pids = self.events.until("pids ")
        assert pids, f"it did not begin: {self.said()}"
        self.deputy, self.guest = (int(word) for word in pids.split()[1:])

    def say(self, order):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(order.encode() + b"\n")

    def wait(self, *starts):
        line = self.events.until(*starts)
        assert line is not None, f"it ended without {starts}: {self.events.all} {self.said()}"
        return line

    def away(self):
        self.wait(f"state deputy {STAGE_AWAY}")

    def replace_stream(self, after):
        """It breaks when so many bytes more have been passed, and both halves get another one."""
        self.say(f"after {after}")
        cut = False
        while not cut:  # a half may find it broken before
            cut = self.wait("cut", "broken") == "cut"
            self.wait("want deputy")
            self.say("new")

    def agent(self):
        """Pid 1 of the box, None when there is none."""
        return (children(self.guest) or [None])[0]

    def program(self):
        """The guest itself, None when there is none."""
        agent = self.agent()
        return (children(agent) or [None])[0] if agent else None

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def over(self):
        """Both halves have ended; what the deputy said of it: (status, fate), None: nothing."""
        self.events.to_the_end()
        self.process.wait(LIMIT_S)
        until(lambda: not of_uids(self.uids), f"processes of the guest are left: {of_uids(self.uids)}")
        ends = [line.split() for line in self.events.all if line.startswith("end deputy ")]
        return (int(ends[0][2]), int(ends[0][3])) if ends else None

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(LIMIT_S)
        self.process.stdout.close()
        self.errors.close()


def kill(pid, signo=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signo)
