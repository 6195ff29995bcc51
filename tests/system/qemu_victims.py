#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu_victims.py - the victims on another kernel and another CPU: the same rows as on this machine

Usage: qemu_victims.py [--columns A,B] [--only PATTERN]... [--sample N [--seed S]] [--cpu MODEL]
                       [--kernel BZIMAGE|DEB] [--jobs N] [--here JOURNAL] [--there JOURNAL]
                       [--table FILE]

A machine of QEMU's boots Debian's kernel 6.12, the one that nodes boot, with a CPU that knows nothing
newer than SSE4.2. All it has is an initramfs of this machine's programs and libraries, the victims,
and the two halves of a move. tests/victims/run.py moves the victims about there (--mover local), and
here, and each cell must have come out the same: as pass, refused, FAIL, or skipped because that CPU
or this machine lacks the feature. It runs by emulation (TCG), always: where /dev/kvm is there it need not
work.

--here and --there name journals (tests/victims/run.py) that cells are taken from and added to: those
that are there already are not run again. Without --kernel the package is fetched with apt-get.
Exit status 0 when all rows are equal, 1 when one is not, 77 when there is no such machine to be had.
"""
import argparse
import fnmatch
import glob
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from initramfs import Initramfs

SOURCE = os.environ["COMOSIX_SOURCE"]
BUILD = os.environ["COMOSIX_BUILD"]
BIN = os.environ["COMOSIX_BIN"]
RUN = os.path.join(SOURCE, "tests", "victims", "run.py")
VICTIMS = os.path.join(BUILD, "tests", "victims")
PACKAGE = "linux-image-6.12-cloud-amd64"
PROGRAMS = ("bash", "sh", "setpriv", "cat", "perl", "python3.11", "python3", "env", "true", "mktemp", "test", "echo", "sleep")
COLUMNS = "stay,move,pingpong,midcall,load,home"
# too large for the archive, or Debian's own path of libraries that are not asked for
LEFT_OUT = ("lang_java",)
MEMORY = "3072"
BOOT_LIMIT_S = 300
SILENCE_LIMIT_S = 1800  # between two cells: a hang of the machine, not a measurement
SKIPPED = 77
NOT_BOOTED = "not booted"
CELL = re.compile(r"^(?:not )?ok - (\S+) (\w+)(?:: (.*)| # SKIP (.*))?$")

# no box can be made in the root file system that a kernel begins with, nor in a chroot: so a bind mount of it
# is moved on top of it
INIT = """#!/bin/sh
mount -t devtmpfs dev /dev
mkdir -p /new
mount -o bind / /new
cd /new
mount -o move . /
exec chroot . /inside
"""

INSIDE = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 pts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t mqueue mq /dev/mqueue
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=1777 tmp /var/tmp
ln -s /proc/self/fd /dev/fd
ip link set lo up
export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LC_ALL=C
{environment}
exec </dev/null >/dev/ttyS1 2>&1
echo "booted $(uname -r) $(grep -m1 'model name' /proc/cpuinfo)"
{command}
echo "ended $?"
poweroff -f
"""


def lacking():
    if os.geteuid() != 0:
        return "moving a process takes root"
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("busybox", "busybox-static")):
        if not shutil.which(program):
            return f"there is no {program} (Debian package {package})"
    return None


def unpack_kernel(deb, to):
    subprocess.run(["dpkg-deb", "-x", deb, to], check=True)
    return glob.glob(os.path.join(to, "boot", "vmlinuz-*"))[0]


def fetch_kernel(to):
    """Debian's kernel of that name, or SystemExit(77)."""
    asked = subprocess.run(["apt-cache", "depends", PACKAGE], capture_output=True, text=True).stdout
    names = re.findall(r"Depends: (linux-image-\S+)", asked)
    if not names:
        print(f"apt knows no package {PACKAGE}; name a kernel with --kernel")
        raise SystemExit(SKIPPED)
    done = subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", names[0]], cwd=to, capture_output=True, text=True)
    found = glob.glob(os.path.join(to, "linux-image-*.deb"))
    if done.returncode or not found:
        print(f"apt-get download {names[0]} does not bring it: {done.stderr.strip().splitlines()[-1:]}; name a kernel with --kernel")
        raise SystemExit(SKIPPED)
    return unpack_kernel(found[0], to)


def kernel(args, scratch):
    if not args.kernel:
        return fetch_kernel(scratch)
    if args.kernel.endswith(".deb"):
        return unpack_kernel(args.kernel, scratch)
    return args.kernel


def archive(path, args, cells):
    """All that run.py --mover local needs, where it is here."""
    a = Initramfs()
    for name in ("proc", "sys", "dev", "tmp", "root", "run"):
        a.directory("/" + name)
    a.directory("/var/tmp")
    a.device("/dev/console", 5, 1)
    a.device("/dev/null", 1, 3)
    a.file("/bin/busybox", shutil.which("busybox"))
    for name in PROGRAMS:
        if shutil.which(name, path="/usr/bin:/bin"):
            a.program(os.path.realpath("/usr/bin") + "/" + name)
    listed = subprocess.run(["busybox", "--list-full"], capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        for at in {"/" + name, "/usr/bin/" + os.path.basename(name)}:
            a.link(at, "/bin/busybox")
    a.tree("/usr/lib/python3.11", leave_out=("test", "__pycache__", "idlelib", "lib2to3", "pydoc_data", "ensurepip", "dist-packages"))
    for module in glob.glob("/usr/lib/python3.11/lib-dynload/*.so"):
        a.libraries_of(module)
    for top in (*glob.glob("/usr/lib/x86_64-linux-gnu/perl-base"), *glob.glob("/usr/share/perl/5.*"), *glob.glob("/usr/lib/x86_64-linux-gnu/perl/5.*")):
        a.tree(top, leave_out=("unicore", "pod", "CORE"))
    for name in ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ld.so.cache"):
        a.file(name)
    for name in ("victims", "system"):
        a.tree(os.path.join(SOURCE, "tests", name), leave_out=("__pycache__",))
    for name in ("comosix-deputy", "comosix-guest"):
        a.program(os.path.realpath(os.path.join(BIN, name)))
        a.file(os.path.join(BIN, name))
    with open(os.path.join(VICTIMS, "victims.list"), encoding="utf-8") as rows:
        for row in rows:
            for word in row.split()[1:]:
                if word.startswith(BUILD):
                    a.file(word)
                    a.libraries_of(word)
    a.file(os.path.join(VICTIMS, "victims.list"))
    a.text("/cells", "".join(f"{name} {column}\n" for name, column in cells))
    command = shlex.join(["/usr/bin/python3", RUN, "--mover", "local", "--cells", "/cells", "--jobs", str(args.jobs)])
    given = {"COMOSIX_SOURCE": SOURCE, "COMOSIX_BUILD": BUILD, "COMOSIX_BIN": BIN, "VICTIM_LIMIT_S": "600",
             "PYTHONDONTWRITEBYTECODE": "1"}
    a.text("/init", INIT, 0o755)
    a.text("/inside", INSIDE.format(command=command, environment="\n".join(
        f"export {name}={shlex.quote(value)}" for name, value in given.items())), 0o755)
    a.write(path)


class Machine:
    """One boot; the lines of its second serial port, until it switches itself off."""

    def __init__(self, args, image, initrd, scratch):
        self.console = os.path.join(scratch, "console")
        self.port = os.path.join(scratch, "port")
        open(self.port, "w", encoding="ascii").close()
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-M", "pc", "-cpu", args.cpu, "-smp", "2", "-m", MEMORY,
             "-display", "none", "-nodefaults", "-no-reboot", "-serial", f"file:{self.console}", "-serial", f"file:{self.port}",
             "-kernel", image, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr"],
            stdin=subprocess.DEVNULL)

    def lines(self):
        """As they come; ends with the machine, or when it says nothing for too long."""
        at, rest, limit = 0, "", BOOT_LIMIT_S
        until = time.monotonic() + limit
        while True:
            over = self.process.poll() is not None
            with open(self.port, encoding="utf-8", errors="replace") as port:
                port.seek(at)
                more = port.read()
                at = port.tell()
            *whole, rest = (rest + more).split("\n")
            for line in whole:
                yield line.rstrip("\r")
            if whole:
                until = time.monotonic() + SILENCE_LIMIT_S
            if over:
                return
            if time.monotonic() > until:
                raise SystemExit(f"qemu_victims: the machine says nothing; its console ends with:\n{self.end_of_console()}")
            time.sleep(0.2)

    def end_of_console(self):
        with open(self.console, encoding="utf-8", errors="replace") as text:
            return "".join(text.readlines()[-80:])

    def off(self):
        self.process.kill()
        self.process.wait()


def result_of(line):
    """(victim, column), result: of a line of run.py."""
    found = CELL.match(line)
    if not found:
        return None, None
    name, column, told, skipped = found.groups()
    return (name, column), told or skipped or "pass"


def journal(path):
    done = {}
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as rows:
            for row in rows:
                name, column, result = row.rstrip("\n").split(" ", 2)
                done[name, column] = result
    return done


def there(args, cells, scratch):
    done = journal(args.there)
    left = [cell for cell in cells if cell not in done]
    about = NOT_BOOTED
    if not left:
        return done, "the journal " + args.there
    initrd = os.path.join(scratch, "initrd")
    image = kernel(args, scratch)
    archive(initrd, args, left)
    machine = Machine(args, image, initrd, scratch)
    try:
        for line in machine.lines():
            key, result = result_of(line)
            if key:
                print(f"there: {' '.join(key)}: {result}", flush=True)
                done[key] = result
                if args.there:
                    with open(args.there, "a", encoding="utf-8") as out:
                        print(*key, result, file=out)
            elif line.startswith("booted "):
                about = re.sub(r"\s*model name\s*:", ",", line.removeprefix("booted "))
                print(f"there: {about}", flush=True)
            elif line and not line.startswith("ended "):
                print(f"there: {line}", flush=True)
        if about == NOT_BOOTED:
            raise SystemExit(f"qemu_victims: it does not boot; its console ends with:\n{machine.end_of_console()}")
    finally:
        machine.off()
    return done, about


def here(args, cells, scratch):
    path = args.here or os.path.join(scratch, "here")
    wanted = os.path.join(scratch, "cells")
    with open(wanted, "w", encoding="utf-8") as out:
        out.writelines(f"{name} {column}\n" for name, column in cells)
    subprocess.run([sys.executable, RUN, "--mover", "local", "--cells", wanted, "--journal", path, "--jobs", str(args.jobs)])
    return journal(path)


def kind(result):
    return (result or "nothing").split(" ")[0]


def lacks(one, other):
    """One of the two machines lacks the feature: no difference of ours."""
    return "skipped" in (kind(one), kind(other)) and {kind(one), kind(other)} <= {"skipped", "pass"}


def table_of(cells, a, b, about):
    names = list(dict.fromkeys(name for name, _ in cells))
    columns = list(dict.fromkeys(column for _, column in cells))
    differ = [cell for cell in cells if kind(a.get(cell)) != kind(b.get(cell)) and not lacks(a.get(cell), b.get(cell))]

    def short(cell):
        if cell not in cells:
            return ""
        one, other = kind(a.get(cell)), kind(b.get(cell))
        return one if one == other else f"{one} / {other}"

    lines = ["# Victims on another kernel and CPU", "",
             "Made by `tests/system/qemu_victims.py --table`: tests/victims/run.py --mover local on the machine that builds, and on "
             f"{about} in QEMU.", f"{len(cells)} cells, {len(differ)} differ. Two words: here / there.", "",
             "| " + " | ".join(["victim", *columns]) + " |", "|" + " --- |" * (len(columns) + 1)]
    lines += ["| " + " | ".join([name, *(short((name, column)) for column in columns)]) + " |" for name in names]
    if differ:
        lines += [""] + [f"- {' '.join(cell)}: here {a.get(cell)}; there {b.get(cell)}" for cell in differ]
    return "\n".join(lines) + "\n", differ


def parse():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--columns", default=COLUMNS)
    p.add_argument("--only", action="append", metavar="PATTERN")
    p.add_argument("--sample", type=int, metavar="N")
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    p.add_argument("--cpu", default="Nehalem")
    p.add_argument("--kernel", metavar="FILE")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--here", metavar="JOURNAL")
    p.add_argument("--there", metavar="JOURNAL")
    p.add_argument("--table", metavar="FILE")
    return p.parse_args()


def chosen(args):
    with open(os.path.join(VICTIMS, "victims.list"), encoding="utf-8") as rows:
        names = [row.split()[0] for row in rows if row.strip()]
    names = [n for n in names if n not in LEFT_OUT and (not args.only or any(fnmatch.fnmatch(n, form) for form in args.only))]
    cells = [(name, column) for column in args.columns.split(",") for name in names]
    if args.sample is not None:
        print(f"seed {args.seed}: {args.sample} of {len(cells)} cells")
        cells = random.Random(args.seed).sample(cells, min(args.sample, len(cells)))
    return cells


def main():
    args = parse()
    why = lacking()
    if why:
        print(why)
        return SKIPPED
    cells = chosen(args)
    with tempfile.TemporaryDirectory(prefix="qemu.", dir="/var/tmp") as scratch:
        b, about = there(args, cells, scratch)
        a = here(args, cells, scratch)
    text, differ = table_of(cells, a, b, about)
    if args.table:
        with open(args.table, "w", encoding="utf-8") as out:
            out.write(text)
    for cell in cells:
        print(f"{'not ok' if cell in differ else 'ok'} - {' '.join(cell)}: {kind(a.get(cell))}, there {kind(b.get(cell))}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
