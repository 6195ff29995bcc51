# SPDX-License-Identifier: GPL-2.0-or-later
"""labs.py - run 'comosix lab' from tests, and see what it leaves on the machine"""
import glob
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import time

BIN = os.environ["COMOSIX_BIN"]
COMOSIX = os.path.join(BIN, "comosix")
ROOT = "/run/comosix-lab"
NAMESPACES = ("pid", "net", "mnt", "uts", "ipc")
TIMEOUT = 60  # of a single command: a hang, not a measurement


def lacking():
    """Why no lab can be made here, or None."""
    if os.geteuid() != 0:
        return "needs root: labs are made of namespaces and mounts"
    probe = subprocess.run(["unshare", "--pid", "--net", "--mount", "--fork", "true"],
                           capture_output=True, text=True)
    if probe.returncode:
        return "this machine makes no namespaces: " + probe.stderr.strip()
    return None


def own_namespaces():
    return {os.readlink(f"/proc/self/ns/{kind}") for kind in NAMESPACES}


def namespaces_of(pid):
    found = set()
    for kind in NAMESPACES:
        try:
            found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
        except OSError:
            pass
    return found


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


made = []  # labs of this test
scratch = []  # directories that go with it


def interrupted(signo, _frame):
    """Half a second after SIGTERM Meson kills the whole process group: what must end has its own."""
    quiet = {stream: subprocess.DEVNULL for stream in ("stdin", "stdout", "stderr")}
    for lab in made:
        subprocess.Popen(lab.command("down"), start_new_session=True, **quiet)
    for directory in scratch:
        subprocess.Popen(["rm", "-rf", directory], start_new_session=True, **quiet)
    os._exit(128 + signo)


for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(signo, interrupted)


class Lab:
    """One lab with a name of its own; leaving the 'with' takes it down."""

    def __init__(self, tag="t"):
        self.name = f"{tag}{os.getpid()}"
        made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.run("down")

    def command(self, verb, *args):
        """The command line; options of ours go before CMD."""
        return [COMOSIX, "lab", verb, "--name", self.name, *map(str, args)]

    def run(self, verb, *args, **more):
        more.setdefault("capture_output", True)
        more.setdefault("text", True)
        return subprocess.run(self.command(verb, *args), timeout=TIMEOUT, **more)

    def must(self, verb, *args, **more):
        done = self.run(verb, *args, **more)
        assert done.returncode == 0, (verb, args, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def on(self, node, *cmd, **more):
        """Run a command on a node; the finished process."""
        return self.run("exec", node, "--", *cmd, **more)

    def out(self, node, *cmd):
        return self.must("exec", node, "--", *cmd)

    def start(self, node, *cmd, **more):
        """A command that goes on; the Popen."""
        more.setdefault("stdout", subprocess.PIPE)
        return subprocess.Popen(self.command("exec", node, "--", *cmd), text=True, **more)

    def status(self):
        return {n["name"]: n for n in json.loads(self.must("status", "--json"))["nodes"]}

    def supervisor(self):
        """Its pid, asked of the kernel as 'lab down' does; None when there is none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            try:
                s.connect(f"{ROOT}/{self.name}/control")
            except OSError:
                return None
            return struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def namespaces(self):
        """Of all processes below the supervisor, those that are not ours."""
        found, pid = set(), self.supervisor()
        if pid:
            family = {pid}
            grown = True
            while grown:
                more = {p for p in pids() if parent(p) in family}
                grown = not more <= family
                family |= more
            for p in family:
                found |= namespaces_of(p)
        return found - own_namespaces()

    def residue(self, namespaces=(), before=float("inf")):
        """All that the lab left on this machine, in words.

        Numbers of namespaces are used again at once, so a process counts only when it was there
        before this moment (see now()), at which the lab's end began.
        """
        left = [p for p in (f"{ROOT}/{self.name}",) if os.path.lexists(p)]
        left += glob.glob(f"/sys/fs/cgroup/**/comosix-lab.{self.name}", recursive=True)
        with open("/proc/self/mounts") as f:
            left += [line for line in f if f"{ROOT}/{self.name}" in line]
        for pid in pids():
            shared = namespaces_of(pid) & set(namespaces)
            # one that has ended and waits for the machine's init to reap it is no trace
            if shared and state(pid) not in (None, "Z") and started(pid) < before:
                left.append(f"process {pid} in {shared}")
        if os.path.isdir(ROOT) and not os.listdir(ROOT):
            left.append(f"{ROOT} is empty")
        return left


def stat(pid, word):
    """A word of /proc/PID/stat behind the name; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[word]
    except OSError:
        return None


def state(pid):
    return stat(pid, 0)


def now():
    """As started() tells it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")


def started(pid):
    return int(stat(pid, 19) or 0)


def parent(pid):
    word = stat(pid, 1)
    return word and int(word)


def await_end(pid):
    """Until a process that may not be ours has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with os.fdopen(fd):
        assert select.select([fd], [], [], TIMEOUT)[0], f"process {pid} does not end"


def machine():
    """What no lab may change: names of links, of cluster directories, of cgroups."""
    return {
        "links": set(os.listdir("/sys/class/net")) & {"lab", "in", "out", "router", "head", "n1"},
        "dirs": {d for d in ("/etc/comosix", "/var/lib/comosix", "/run/comosix", "/opt/comosix")
                 if os.path.exists(d)},
        "netns": os.path.exists("/run/netns") and set(os.listdir("/run/netns")),
    }


def has_nft():
    return shutil.which("nft") is not None
