# SPDX-License-Identifier: GPL-2.0-or-later
"""movers.py - the ways to move a victim: not at all, on this machine, or between two nodes of a lab

A mover starts victims, moves one away and brings it home, and reads and writes what is at their home.
run.py knows nothing of how. What cannot be done for a reason that the system told is Refused; all
else that is not as it should be is Failed.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.realpath(os.environ.get("COMOSIX_BUILD", os.path.join(HERE, "..", "..", "build")))
BIN = os.environ.setdefault("COMOSIX_BIN", os.path.join(BUILD, "bin"))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import labs  # noqa: E402 (needs COMOSIX_BIN)
import look  # noqa: E402 (beside the others that are found here)

PROGRAMS = os.path.join(BUILD, "tests", "victims")
# of the mover local: "--checkpoint 20ms" takes an image of the victim every now and then
DEPUTY_OPTIONS = os.environ.get("VICTIM_DEPUTY_OPTIONS", "").split()
LIMIT_S = float(os.environ.get("VICTIM_LIMIT_S", 120))  # of one wait: a hang, not a measurement
REFUSED = 5  # exit status of our commands
NOT_LATE = "its memory goes before it"  # said instead of a post-copy


class Failed(Exception):
    """A cell that did not pass."""


class Refused(Exception):
    """The process may not move, and the system said why."""


class Lines:
    """The lines of a pipe, as they come."""

    def __init__(self, pipe):
        self.fd = pipe.fileno()
        self.pipe = pipe
        self.rest = b""

    def next(self, until):
        """The next line, None at the end; Failed when neither comes before the deadline."""
        while b"\n" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Failed("hangs: no word for %.0f s" % LIMIT_S)
            more = os.read(self.fd, 4096)
            if not more:
                return None
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode(errors="replace")


def first_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "it did not say why"


def end_family(directory):
    """A victim that failed may have left children: all whose environment names its directory."""
    marker = f"VICTIM_STOP={directory}/stop".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment:
                if marker in environment.read().split(b"\0"):
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass  # it has ended, or is the kernel's


class Stay:
    """Moves nothing; also what the other movers have in common."""

    name = "none"
    NEEDS = ()  # programs

    @classmethod
    def lacking(cls):
        """Why it cannot be used here, or None."""
        for program in cls.NEEDS:
            if not os.path.exists(os.path.join(BIN, program)):
                return f"there is no {os.path.join(BIN, program)} to move with"
        return None

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="victims.")
        self.programs = PROGRAMS

    def __enter__(self):
        return self

    def give_away(self):
        """Let the victims be another user's, also where the tree is in a directory that is not for all."""
        os.chmod(self.dir, 0o755)
        self.programs = os.path.join(self.dir, "programs")
        leave = shutil.ignore_patterns("*.p", "*.a", "*.cache")
        shutil.copytree(PROGRAMS, self.programs, ignore=leave)

    def here(self):
        """A mover whose victims are of this machine, for those whose halves are."""
        local = Local.__new__(Local)
        local.dir, local.programs, local.deputies = self.dir, self.programs, {}
        return local

    def argv_of(self, argv):
        return [word.replace(PROGRAMS, self.programs) for word in argv]

    def __exit__(self, *unused):
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, argv, env, stderr):
        return subprocess.Popen(self.argv_of(argv), env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=stderr,
                                stdin=subprocess.DEVNULL)

    def scratch(self):
        """A new directory at the victims' home."""
        return tempfile.mkdtemp(dir=self.dir)

    def touch(self, path):
        with open(path, "w", encoding="ascii"):
            pass

    def forget(self, path):
        shutil.rmtree(path, ignore_errors=True)

    def look(self, pid):
        return look.look(str(pid))

    def kill(self, pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def away(self, pid, late=False):
        """late: its memory follows after it (post-copy)."""
        raise Refused("there is nowhere to go: no mover was chosen")

    def home(self, pid):
        raise Failed("it is not away")

    def over(self, pid):
        """The victim has ended: so must all that moved it."""


# root of one node is nobody on another, so only others' processes are moved
USER = 5000
AS_USER = ("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups")


class Local(Stay):
    """`comosix-deputy --local PID`: a guest on this machine, until the deputy is asked to recall it."""

    name = "local"
    NEEDS = ("comosix-deputy",)

    def __init__(self):
        super().__init__()
        self.deputies = {}

    def __enter__(self):
        self.give_away()
        return self

    def argv_of(self, argv):
        return [*AS_USER, *super().argv_of(argv)]

    def scratch(self):
        path = super().scratch()
        os.chown(path, USER, USER)
        return path

    def away(self, pid, late=False):
        self.over(pid)
        option = ["--post-copy"] if late else []
        deputy = subprocess.Popen([os.path.join(BIN, "comosix-deputy"), "--local", str(pid), "--again", *DEPUTY_OPTIONS, *option],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deputy.lines = Lines(deputy.stdout)
        deputy.late = late
        self.deputies[pid] = deputy
        word = deputy.lines.next(time.monotonic() + LIMIT_S)
        if word and word.split()[0] == "away":
            return
        status = deputy.wait(LIMIT_S)
        os.set_blocking(deputy.stderr.fileno(), False)
        said = first_line((word or "") + "\n" + (deputy.stderr.read() or b"").decode(errors="replace"))
        del self.deputies[pid]
        if status == REFUSED:
            raise Refused(said)
        raise Failed(f"comosix-deputy ended with {status}: {said}")

    def home(self, pid):
        deputy = self.deputies[pid]
        if deputy.poll() is None:
            deputy.send_signal(signal.SIGINT)
        self.over(pid)

    def over(self, pid):
        deputy = self.deputies.pop(pid, None)
        if deputy is None:
            return
        try:
            status = deputy.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            deputy.kill()
            deputy.wait()
            status = "nothing: it hangs"
        with deputy.stdout, deputy.stderr:
            # no more than is there: what it started may hold the pipe open
            os.set_blocking(deputy.stderr.fileno(), False)
            said = (deputy.stderr.read() or b"").decode(errors="replace")
        if status != 0:
            raise Failed(f"comosix-deputy ended with {status}: {first_line(said)}")
        if deputy.late and NOT_LATE in said:
            raise Failed(first_line(said))


class InLab(Stay):
    """Victims live on the head of a lab and go to a server of it, which sees no file of theirs."""

    name = "lab"
    NEEDS = ("comosix", "comosix-deputy", "migrate")
    HOME, HOST = "head", "n1"

    @classmethod
    def lacking(cls):
        return super().lacking() or labs.lacking()

    def __init__(self):
        super().__init__()
        self.lab = labs.Lab("v")

    def __enter__(self):
        self.give_away()
        self.lab.must("up", "--nodes", 2, "--servers", 2)
        return self

    def __exit__(self, *unused):
        self.lab.run("down")
        super().__exit__()

    def start(self, argv, env, stderr):
        given = [f"{name}={value}" for name, value in env.items()]
        return subprocess.Popen(self.lab.command("exec", self.HOME, "--", *AS_USER, "env", *given, *self.argv_of(argv)),
                                stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.DEVNULL)

    def at_home(self, *argv):
        return self.lab.on(self.HOME, *argv)

    def scratch(self):
        return self.lab.out(self.HOME, *AS_USER, "mktemp", "-d").strip()

    def touch(self, path):
        self.lab.out(self.HOME, "touch", path)

    def forget(self, path):
        self.at_home("rm", "-rf", path)

    def look(self, pid):
        return json.loads(self.lab.out(self.HOME, sys.executable, os.path.join(HERE, "look.py"), pid))

    def kill(self, pid):
        self.at_home("kill", "-KILL", str(pid))

    def migrate(self, pid, to, *options):
        done = self.at_home(os.path.join(BIN, "migrate"), *options, str(pid), to)
        if done.returncode == REFUSED:
            raise Refused(first_line(done.stderr))
        if done.returncode:
            raise Failed(f"migrate {to} ended with {done.returncode}: {first_line(done.stderr)}")
        return done.stderr

    def away(self, pid, late=False):
        said = self.migrate(pid, self.HOST, *(["--post-copy"] if late else []))
        if late and NOT_LATE in said:
            raise Failed(first_line(said))

    def home(self, pid):
        self.migrate(pid, "home")


MOVERS = {mover.name: mover for mover in (Stay, Local, InLab)}
