#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""migrate.py - what it costs to move a process, and to be away

Usage: bench/migrate.py [--json] [--only LINE]... [--runs N] [--alone] [--rate MBIT]

Moves a program between two network namespaces of this machine, joined by a veth pair, with the real
deputy and guest and nobody else, and compares with what the same path can do by itself in the same
run. Lines (--only takes their names):

  freeze     how long a small process stands still: by what it sees itself, and the deputy
  precopy    the same with 1 and 2 GiB, 50 MB/s of which are written meanwhile
  postcopy   the same when 1 GiB follows after the move, and how much slower a program is that has
             256 MiB of it in use, in the 60 s after it; "refill" is until it is nearly as fast again
  bulk       memory moved in a second, against one TLS 1.3 stream
  call       a forwarded call that does nothing, against a TLS 1.3 and a TCP echo
  files      a file read and written from front to back, in calls of some size; against an NFS client
             and server in user space over the same path (unencrypted; 4 requests of 1 MiB under way,
             and one of the size of the call), where they are installed, and one TLS 1.3 stream.
             "here" is what one small read takes whose bytes are there already
  local      a call that needs no forwarding, away against at home; and what it costs with a filter
             that allows everything, and with syscall user dispatch that does
  compute    a program that only computes, away against at home
  residue    what is left of us after it came home

"one CPU" binds all that takes part to one CPU, "free" lets the scheduler choose, "apart" binds
what is at home to one and what is at the host to another, as on two machines. On some virtual
machines to wake another CPU takes longer than the whole of a call: then "one CPU" is what our code
costs. With --alone what takes part in "call", "local" and "compute" has a real-time class while it is
measured, so that what else the machine does is not in these figures. With --rate the path is a network
of so many Mbit/s in each direction, for all that is compared. Figures are medians. Nothing fails by being
slow. Wants root, and a quiet machine: it says how busy it was.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import nfs_peer

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("COMOSIX_BUILD", os.path.join(TREE, "build"))
TOOLS = os.path.join(BUILD, "bench", "migrate")
USER = 5000  # the owner of the program that is moved
SLOT = 900  # of a box: no comosixd gives so high a number soon
HOME, HOST = "10.99.0.1", "10.99.0.2"
CONNECT, COPY, CAPTURE, AWAY = 2, 3, 4, 6  # wire/half.proto
FATE_HOME = 2
MINUTE_S, FOLLOWS_S = 60, 4  # of "postcopy": how long it is watched, and when all has followed
PLACES = {"one CPU": {0}, "free": None}
APART = (0, 1)  # CPUs of home and host
ALONE = False  # --alone
FILES = [(what, size) for what in ("read", "write") for size in (1 << 20, 1 << 16, 4096)]


class Wire:
    """Two network namespaces and the veth pair between them."""

    def __init__(self, mbit=None):
        self.mbit = mbit
        self.names = [f"comosix-bench-{os.getpid()}-{end}" for end in ("home", "host")]
        self.args = [f"/run/netns/{name}" for name in self.names] + [HOST]

    def __enter__(self):
        near, far = self.names
        for name in self.names:
            ip("netns", "add", name)
        ip("link", "add", "eth0", "netns", near, "type", "veth", "peer", "name", "eth0", "netns", far)
        for name, address in zip(self.names, (HOME, HOST)):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            if self.mbit:
                # a bucket of half a millisecond, but of two packets of the largest offload at least
                burst = max(self.mbit * 1_000_000 // 8 // 2000, 1 << 17)
                subprocess.run(["tc", "-n", name, "qdisc", "add", "dev", "eth0", "root", "tbf", "rate",
                                f"{self.mbit}mbit", "burst", str(burst), "latency", "20ms"], check=True)
        return self

    def __exit__(self, *unused):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)

    def bare(self, what, count, cpus, apart=()):
        """The path by itself: bench/migrate/path.c."""
        done = subprocess.run([os.path.join(TOOLS, "bench-path"), what, *self.args, str(count), *map(str, apart)],
                              stdout=subprocess.PIPE, check=True, preexec_fn=lambda: be_alone(cpus))
        return float(done.stdout)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def bind(cpus):
    if cpus:
        os.sched_setaffinity(0, cpus)


def be_alone(cpus):
    bind(cpus)
    if ALONE:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


@contextlib.contextmanager
def alone(pids):
    """Nobody else runs before these; a process that is to move must not be so, hence not for long."""
    def be(policy, priority):
        for pid in pids if ALONE else ():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(pid, policy, os.sched_param(priority))

    be(os.SCHED_FIFO, 1)
    try:
        yield
    finally:
        be(os.SCHED_OTHER, 0)


class Subject:
    """bench/migrate/subject.c"""

    def __init__(self, cpus=None, file=()):
        self.process = subprocess.Popen(
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
             os.path.join(TOOLS, "bench-subject"), *file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=lambda: bind(cpus))
        self.pid = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def word(self):
        words = self.process.stdout.readline().split()
        if not words:
            raise SystemExit("migrate.py: the program that was moved has ended; see above")
        return words[0]

    def ask(self, *order):
        self.process.stdin.write((" ".join(map(str, order)) + "\n").encode())
        self.process.stdin.flush()
        return self.word()

    def figure(self, *order):
        return float(self.ask(*order))

    def longest_gap_ms(self):
        """The end of "watch"."""
        os.kill(self.pid, signal.SIGUSR1)
        return float(self.word()) / 1000

    def counts(self):
        """The end of "touch"."""
        os.kill(self.pid, signal.SIGUSR1)
        return [float(word) for word in self.process.stdout.readline().split()]

    def look(self):
        """What /proc tells of it that a move could leave behind."""
        def read(name):
            with open(f"/proc/{self.pid}/{name}", encoding="ascii", errors="replace") as text:
                return text.read()

        status = dict(row.split(":\t", 1) for row in read("status").splitlines() if ":\t" in row)
        return {
            "traced": status["TracerPid"] != "0",
            "filters": int(status.get("Seccomp_filters", 0)),
            # the heap and the stack may have grown
            "mappings": sorted(row.split(None, 5)[5:] + row.split()[1:2] for row in read("maps").splitlines()),
            "fds": sorted(os.listdir(f"/proc/{self.pid}/fd")),
        }


class Move:
    """One process, away; home again at the end."""

    def __init__(self, wire, subject, cpus=None, how=()):
        self.subject = subject.pid
        self.times = {}
        self.freeze_ms = 0.0
        self.is_away = False
        self.process = subprocess.Popen(
            [os.path.join(TOOLS, "bench-pair"), str(subject.pid), *wire.args, str(SLOT), *how],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: bind(cpus),
            env=dict(os.environ, COMOSIX_BIN=os.path.join(BUILD, "bin")))

    def __enter__(self):
        for words in self.lines():
            self.times.setdefault(int(words[3]), int(words[0]))
            if int(words[3]) == AWAY:
                self.freeze_ms = int(words[4]) / 1000
                self.is_away = True
                return self
        raise SystemExit("migrate.py: it did not move")

    def lines(self):
        for line in self.process.stdout:
            words = line.split(None, 5)
            if words[1] == "end" and words[2] == "deputy" and int(words[4]) != FATE_HOME:
                raise SystemExit(f"migrate.py: it did not move: {words[5].strip()}")
            if words[1] == "state" and words[2] == "deputy":
                yield words

    def processes(self):
        """Of both halves; the first thread of each, and there are no others."""
        found = [self.subject]
        below = [self.process.pid]
        while below:
            done = subprocess.run(["pgrep", "-P", str(below.pop())], stdout=subprocess.PIPE, text=True, check=False)
            below += [int(word) for word in done.stdout.split()]
            found += [int(word) for word in done.stdout.split()]
        return found

    def children(self, name):
        done = subprocess.run(["pgrep", "-x", "-P", str(self.process.pid), name], stdout=subprocess.PIPE, text=True,
                              check=True)
        return [int(word) for word in done.stdout.split()]

    def home(self):
        """Bring it home; ms that it stood still on the way."""
        self.is_away = False
        self.process.stdin.write("home\n")
        self.process.stdin.flush()
        frozen = 0
        for words in self.lines():
            frozen = int(words[4]) or frozen
        return frozen / 1000

    def __exit__(self, kind, *unused):
        if kind is None and self.is_away:
            self.home()
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


# --- the lines: each yields rows of (name, place, figures, target) -----------------------------


def row(line, place, target=None, **figures):
    return {"line": line, "place": place, "target": target, "figures": figures}


def freeze(wire, runs):
    for place, cpus in PLACES.items():
        out, gaps, back = [], [], []
        for _ in range(runs * 2):
            with Subject(cpus) as subject:
                subject.ask("watch", 0)
                with Move(wire, subject, cpus) as move:
                    out.append(move.freeze_ms)
                    gaps.append(subject.longest_gap_ms())
                    back.append(move.home())
        figures = {"deputy_ms": statistics.median(out), "way_back_ms": statistics.median(back)}
        if not cpus:  # on one CPU it also waits for its turn
            figures["stood_still_ms"] = statistics.median(gaps)
        yield row("freeze", place, "<= 10 ms", **figures)


def precopy(wire, runs):
    seen = {}
    for gib in (1, 2):
        out, gaps = [], []
        for _ in range(min(runs, 3)):
            with Subject() as subject:
                subject.ask("fill", gib << 10)
                subject.ask("watch", 50)
                with Move(wire, subject) as move:
                    out.append(move.freeze_ms)
                    gaps.append(subject.longest_gap_ms())
        seen[gib] = statistics.median(gaps)
        figures = {"deputy_ms": statistics.median(out), "stood_still_ms": seen[gib]}
        if gib == 1:
            yield row("precopy 1 GiB", "free", "<= 10 ms", **figures)
        else:
            yield row(f"precopy {gib} GiB", "free", "<= 3 ms per further GiB", **figures,
                      per_further_gib_ms=(seen[gib] - seen[1]) / (gib - 1))


def postcopy(wire, runs):
    out, gaps = [], []
    for _ in range(min(runs, 3)):
        with Subject() as subject:
            subject.ask("fill", 1024)
            subject.ask("watch", 0)
            with Move(wire, subject, how=["post-copy"]) as move:
                out.append(move.freeze_ms)
                gaps.append(subject.longest_gap_ms())
    yield row("postcopy 1 GiB", "free", "<= 5 ms", deputy_ms=statistics.median(out),
              stood_still_ms=statistics.median(gaps))
    yield slowdown(wire)


def slowdown(wire, home_s=5, away_s=60):
    """Touches in each second by a program that is away for a minute, against those before and after."""
    with Subject() as subject:
        subject.ask("fill", 1024)
        begun = time.monotonic()
        subject.ask("touch", 256)
        time.sleep(home_s + 1)
        with Move(wire, subject, how=["post-copy"]) as move:
            moved = move.times[AWAY] / 1e6 - begun
            time.sleep(away_s + 1)
            move.home()
            back = time.monotonic() - begun
            time.sleep(home_s + 1)
            counts = subject.counts()
    home = statistics.median(counts[1:int(moved)] + counts[int(back) + 1:])
    away = counts[int(moved):int(moved) + away_s]
    refill = next((s for s, n in enumerate(away) if n >= 0.9 * home), away_s)
    return row("postcopy after", "free", "<= 5 % slower over 60 s", refill_s=refill,
               slower_percent=100 * (1 - statistics.mean(away) / home),
               slower_after_refill_percent=100 * (1 - statistics.mean(away[refill:] or [0]) / home))


def bulk(wire, runs, mib=256):
    for place, cpus in PLACES.items():
        bare, ours = [], []
        for _ in range(runs):
            bare.append(wire.bare("tls-stream", mib, cpus))
            with Subject(cpus) as subject:
                subject.ask("fill", mib)
                with Move(wire, subject, cpus) as move:
                    ours.append(mib * 1e6 / (move.times[AWAY] - move.times.get(COPY, move.times[CAPTURE])))
        yield row("bulk", place, ">= 0.7 of TLS", ours_mib_s=statistics.median(ours),
                  tls_mib_s=statistics.median(bare),
                  ratio=statistics.median(ours) / statistics.median(bare))


def call(wire, runs, n=1000):
    for place, cpus in PLACES.items():
        tls, tcp, ours = [], [], []
        with Subject(cpus) as subject:
            with Move(wire, subject, cpus) as move, alone(move.processes()):
                for _ in range(runs):
                    tcp.append(wire.bare("tcp-echo", n, cpus))
                    tls.append(wire.bare("tls-echo", n, cpus))
                    ours.append(subject.figure("null", n))
        ours, tls, tcp = (statistics.median(x) for x in (ours, tls, tcp))
        yield row("call", place, "<= 2 x TLS", ours_us=ours / 1000, tls_us=tls / 1000, tcp_us=tcp / 1000,
                  ratio=ours / tls, ratio_to_tcp=ours / tcp)
    if os.cpu_count() > 1:
        yield call_apart(wire, runs, n)


def call_apart(wire, runs, n):
    tls, ours = [], []
    with Subject() as subject:
        with Move(wire, subject) as move:
            home = {subject.pid, *move.children("comosix-deputy")}
            for pid in move.processes():
                os.sched_setaffinity(pid, {APART[pid not in home]})
            with alone(move.processes()):
                for _ in range(runs):
                    tls.append(wire.bare("tls-echo", n, None, APART))
                    ours.append(subject.figure("null", n))
            for pid in move.processes():  # as it left
                os.sched_setaffinity(pid, range(os.cpu_count()))
    ours, tls = statistics.median(ours), statistics.median(tls)
    return row("call", "apart", "<= 2 x TLS", ours_us=ours / 1000, tls_us=tls / 1000, ratio=ours / tls)


def files(wire, runs, mib=64):
    client = os.path.join(TOOLS, "bench-nfs")
    why_not = nfs_peer.why_not(client)
    if why_not:
        print(f"migrate.py: files: {why_not}", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="comosix-bench.", dir="/var/tmp"))
        os.chown(place, USER, USER)
        file = os.path.join(place, "file")
        with open(file, "wb") as f:
            f.write(os.urandom(mib << 20))
        os.chmod(file, 0o644)
        nfs = None
        if not why_not:
            nfs = stack.enter_context(nfs_peer.NfsPeer(client, place, *wire.names, HOME))
        for what, size in FILES:
            yield file_row(wire, runs, mib, file, nfs, what, size)
        yield burst(wire, runs, file)


def file_row(wire, runs, mib, file, nfs, what, size):
    seen = {}

    def add(name, value):
        seen.setdefault(name, []).append(value)

    for _ in range(runs):
        add("tls", wire.bare("tls-stream", mib, None) * 1.048576)
        if nfs:
            add("nfs", nfs.mb_s(what, 1 << 20, mib, 4))
            add("nfs_each", nfs.mb_s(what, size, mib, 1))
        with Subject(file=[file]) as subject:
            add("home", subject.figure(what, size, mib))
            with Move(wire, subject):
                add("away", subject.figure(what, size, mib))
    seen = {name: statistics.median(values) for name, values in seen.items()}
    figures = {f"{name}_mb_s": seen[name] for name in ("away", "nfs", "nfs_each", "tls", "home") if name in seen}
    for peer in ("nfs", "tls"):
        if peer in seen:
            figures[f"to_{peer}"] = seen["away"] / seen[peer]
    return row(f"{what} {size}", "free", ">= 0.8 of NFS", **figures)


def burst(wire, runs, file):
    """A read of 4 KiB that finds its bytes here: what is left is the way to the agent and back."""
    ns = []
    for cpus in (None, {0}):
        with Subject(cpus, file=[file]) as subject:
            with Move(wire, subject, cpus):
                ns.append(statistics.median(subject.figure("burst", 4096, 16) for _ in range(runs)))
    return row("read 4096 here", "free", "", us=ns[0] / 1000, one_cpu_us=ns[1] / 1000, one_cpu_mb_s=4096e3 / ns[1])


def local(wire, runs, n=200000):
    floors = []
    yield alternate(wire, runs, "local", ("local", n), lambda home, away: row(
        "local", "free", "<= +30 ns", home_ns=home, away_ns=away, more_ns=away - home),
        lambda: floors.append(floor(n)))
    any_ns, filter_ns, dispatch_ns = (statistics.median(each) for each in zip(*floors))
    yield row("local floor", "free", "what it could be", home_ns=any_ns, filter_ns=filter_ns,
              filter_more_ns=filter_ns - any_ns, dispatch_ns=dispatch_ns, dispatch_more_ns=dispatch_ns - any_ns)


def floor(n):
    """The same call of a process that nobody moves: bench/migrate/floor.c"""
    done = subprocess.run([os.path.join(TOOLS, "bench-floor"), str(n)], stdout=subprocess.PIPE, check=True,
                          preexec_fn=lambda: be_alone(None))
    return [float(word) for word in done.stdout.split()]


def compute(wire, runs, ms=1500):
    yield alternate(wire, runs, "compute", ("compute", ms), lambda home, away: row(
        "compute", "free", "<= 0.5 %", home_ms=home / 1e6, away_ms=away / 1e6,
        slower_percent=100 * (away / home - 1)))


def alternate(wire, runs, what, order, make, beside=lambda: None):
    """The same in turns at home and away, so that what else the machine does falls on both alike."""
    home, away = [], []
    with Subject() as subject:
        subject.ask(*order)
        for _ in range(runs + 2):
            with alone([subject.pid]):
                home.append(subject.figure(*order))
            with Move(wire, subject) as move, alone(move.processes()):
                away.append(subject.figure(*order))
            beside()
    return make(statistics.median(home), statistics.median(away))


def residue(wire, runs):
    with Subject() as subject:
        before = subject.look()
        null = [subject.figure("null", 100000)]
        with Move(wire, subject):
            subject.figure("null", 100)
        after = subject.look()
        with Subject() as other:  # in turns with one that never moved
            for _ in range(runs):
                null.append(other.figure("null", 100000))
            back = statistics.median(subject.figure("null", 100000) for _ in range(runs))
    yield row("residue", "free", "nothing, and as fast as before", traced=after["traced"],
              filters=after["filters"] - before["filters"],
              mappings=len([m for m in after["mappings"] if m not in before["mappings"]]),
              fds=len(set(after["fds"]) - set(before["fds"])), home_ns=statistics.median(null), back_ns=back)


LINES = {f.__name__: f for f in (freeze, precopy, postcopy, bulk, call, files, local, compute, residue)}


def text(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show(r):
    figures = "  ".join(f"{name} {text(value)}" for name, value in r["figures"].items())
    print(f"{r['line']:14} {r['place']:8} {figures}  ({r['target']})", flush=True)


def main():
    global ALONE
    options = argparse.ArgumentParser(description="what it costs to move a process, and to be away")
    options.add_argument("--json", action="store_true")
    options.add_argument("--only", action="append", choices=list(LINES), metavar="LINE")
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--alone", action="store_true")
    options.add_argument("--rate", type=int, metavar="MBIT")
    chosen = options.parse_args()
    ALONE = chosen.alone

    if os.geteuid() != 0:
        print("migrate.py: wants root, for namespaces and moves: sudo make bench-migrate", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # namespaces and processes go as well
    machine = {"cpus": os.cpu_count(), "kernel": os.uname().release, "load": os.getloadavg()[0],
               "ktls": os.path.exists("/proc/net/tls_stat"), "rate_mbit": chosen.rate}
    if not chosen.json:
        print(f"{machine['cpus']} CPUs, Linux {machine['kernel']}, load {machine['load']:.1f}"
              f"{'' if machine['ktls'] else ', no kTLS'}"
              f"{f', {chosen.rate} Mbit/s' if chosen.rate else ''}; medians of {chosen.runs} runs", flush=True)
    rows = []
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(Wire(chosen.rate))
        for name in chosen.only or LINES:
            for r in LINES[name](wire, chosen.runs):
                rows.append(r)
                if not chosen.json:
                    show(r)
    if chosen.json:
        json.dump({"machine": machine, "rows": rows}, sys.stdout, indent=2)
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
