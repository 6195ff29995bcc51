#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""move_programs.py - real programs write the very bytes that they write where they stay

Usage: move_programs.py [--mover lab|local] [--moves N] [--every SECONDS] [--only NAME]... [--sample N [--seed S]]
                        [--jobs N] [--table FILE] [--list]

Each program is fed on its standard input, block by block, for as long as it is moved to and fro;
then its input ends, and so does the program. It is run once more with the same blocks and not moved:
output, files and exit status must be the same. A program that forks comes home by itself; if it stays
there, it goes out again with the next move.

Exit status 0 when all were the same, 1 when one was not, 77 when there is nothing to move with.
"""
import argparse
import concurrent.futures
import contextlib
import fcntl
import gzip
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "victims"))
import movers  # noqa: E402 (lies beside the victims)
from movers import AS_USER, LIMIT_S, USER, Failed, Refused  # noqa: E402

BUILD = os.environ["COMOSIX_BUILD"]
BUILT = os.path.join(BUILD, "tests", "programs")
EXAMPLES = "/usr/share/doc/mmseqs2/example-data"
SKIPPED = 77
LINE_BYTES = 1000  # each a quarter of the pipe: what lies ahead in it is soon done
PIPE_BYTES = 4096
KEPT_BYTES = 1 << 20  # of an output, to show where it differs
DB_SEQUENCES = 3000
SSH_PORT = 2222
NOBODY = 65534

# $PIDS gets the pid of what is to be moved
EXEC = 'echo $$ >>"$PIDS"; exec "$@"'


def line(text):
    """A line of its own size, with spaces at its end."""
    return (text.ljust(LINE_BYTES - 1) + "\n").encode()


def digits(i):
    return hashlib.sha256(str(i).encode()).hexdigest()


class Program:
    """One that reads its standard input to the end; the argv is a list, or a text for sh."""

    def __init__(self, about, argv, block, needs=(), paced=0, last=b"", prepare=None, files=(), same=None, as_root=False, on_tty=False):
        self.about, self.argv, self.block, self.last = about, argv, block, last
        self.needs = needs  # programs, or names of files
        self.paced = paced  # blocks for each move; 0: as many as it takes
        self.prepare = prepare  # called with the directory
        self.files = files  # names in the directory whose bytes count
        self.same = same  # instead of equal bytes: a check of one output
        self.as_root = as_root
        self.on_tty = on_tty  # what is typed before its first screen would be thrown away

    def lacking(self):
        for name in self.needs:
            if not (os.path.exists(name) if name.startswith("/") else shutil.which(name)):
                return f"there is no {name}"
        return None


PYTHON = """
import hashlib, re, sys
seen = {}
for n, line in enumerate(sys.stdin, 1):
    for word in re.findall(r"[0-9a-f]{4}", line):
        seen[word] = seen.get(word, 0) + n
    big = pow(3, 20000 + n) % (10 ** 300 + n)
    print(n, hashlib.sha256(repr((sorted(seen.items())[:50], big)).encode()).hexdigest(), flush=True)
"""

PERL = r"""
my (%seen, $n);
$| = 1;
while (my $line = <STDIN>) {
    $n++;
    $seen{$_} += $n for $line =~ /([0-9a-f]{3})/g;
    my $text = join ",", map { "$_=$seen{$_}" } sort keys %seen;
    my $h = 0;
    $h = ($h * 31 + ord $_) % 4294967291 for split //, $text;
    print "$n $h\n";
}
"""

AWK = """{ for (i = 1; i <= NF; i++) seen[substr($i, 1, 5)] += NR
for (k = 0; k < 3000; k++) x = (x * 1103515245 + NR + k) % 2147483648
print x, $1 }"""

MAKEFILE = """.PHONY: all
all: $(shell seq 1 UNITS)
%:
\t@read line || exit 0; echo "$@ $$(echo "$$line" | sha256sum | cut -c1-16)" >>out
"""

TMUX = """
tmux -S "$DIR/tmux" -f /dev/null new-session -d -x 80 -y 24 'PS1=; export PS1; exec sh'
tmux -S "$DIR/tmux" set-option -g history-limit 100000 \\; display-message -p '#{pid}' >>"$PIDS"
while read line; do
    tmux -S "$DIR/tmux" send-keys -l "printf '%s\\n' $line | sha256sum; tmux -S $DIR/tmux wait-for -S told"
    tmux -S "$DIR/tmux" send-keys Enter
    tmux -S "$DIR/tmux" wait-for told
done
tmux -S "$DIR/tmux" capture-pane -p -J -S - | grep -o '[0-9a-f]\\{64\\}  -'
tmux -S "$DIR/tmux" kill-server
"""

# the server has a mount namespace of its own, where the user it lets in has a name, a home and a shell; the
# client must have a name as well, and is not moved out of a namespace: it is somebody whom each machine knows
SSH = """
unshare --mount sh -c 'mount --make-rprivate / && mount --bind "$DIR/passwd" /etc/passwd &&
    exec dropbear -F -E -s -r "$DIR/host" -p 127.0.0.1:PORT -P "$DIR/pid"' 2>"$DIR/log" & server=$!
until grep -q 'Not backgrounding' "$DIR/log"; do sleep 0.1; done
setpriv --reuid CLIENT --regid CLIENT --clear-groups sh -c 'echo $$ >>"$PIDS"; exec "$@"' sh ssh -F "$DIR/config" there 'sha256sum; cat /proc/self/comm'
status=$?
kill $server; wait $server
exit $status
"""


def with_port(text):
    return text.replace("PORT", str(SSH_PORT)).replace("CLIENT", str(NOBODY))


def prepare_make(units):
    def prepare(directory):
        with open(os.path.join(directory, "Makefile"), "w", encoding="ascii") as out:
            out.write(MAKEFILE.replace("UNITS", str(units)))
    return prepare


def prepare_ssh(directory):
    with open(os.path.join(directory, "passwd"), "w", encoding="ascii") as out:
        out.write(f"root:x:0:0:root:/root:/bin/sh\nvictim:x:{USER}:{USER}::{directory}:/bin/sh\n")
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", f"{directory}/host"], check=True, capture_output=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{directory}/key"], check=True)
    os.mkdir(f"{directory}/.ssh", 0o700)
    shutil.copy(f"{directory}/key.pub", f"{directory}/.ssh/authorized_keys")
    host = subprocess.run(["dropbearkey", "-y", "-f", f"{directory}/host"], check=True, capture_output=True, text=True).stdout
    key = next(row for row in host.splitlines() if row.startswith("ssh-"))
    with open(f"{directory}/known", "w", encoding="ascii") as out:
        out.write(f"[127.0.0.1]:{SSH_PORT} {key}\n")
    for name in ("pids", "key"):
        open(f"{directory}/{name}", "a", encoding="ascii").close()
        os.chown(f"{directory}/{name}", NOBODY, NOBODY)
    os.chmod(directory, 0o755)
    with open(f"{directory}/config", "w", encoding="ascii") as out:
        out.write(f"Host there\n Hostname 127.0.0.1\n Port {SSH_PORT}\n User victim\n IdentityFile {directory}/key\n"
                  f" UserKnownHostsFile {directory}/known\n StrictHostKeyChecking yes\n BatchMode yes\n")


def fasta(name):
    with gzip.open(f"{EXAMPLES}/{name}.fasta.gz", "rt", encoding="ascii") as text:
        return [">" + record for record in text.read().split(">")[1:]]


def prepare_blast(directory):
    with open(f"{directory}/db.fasta", "w", encoding="ascii") as out:
        out.writelines(fasta("DB")[:DB_SEQUENCES])
    subprocess.run(["makeblastdb", "-dbtype", "prot", "-in", f"{directory}/db.fasta", "-out", f"{directory}/db"],
                   check=True, capture_output=True)


queries = []


def query(i):
    if not queries:
        queries.extend(fasta("QUERY"))
    return queries[i % len(queries)].replace(">", f">{i}_", 1).encode()


def bytes_block(i):
    return hashlib.shake_128(str(i).encode()).digest(65536)


def screens(output):
    """top cannot write the same twice: but whole screens, each with a head and its processes. It takes keys
    that come together for one that it does not know, so nothing is typed but the last one."""
    n = output.count(b"load average")
    if not n or b"PID" not in output:
        raise Failed(f"{n} screens of top: {output[-300:]!r}")


PROGRAMS = {
    "sha256sum": Program("a large file through a pipe", ["sha256sum"], bytes_block),
    "gzip": Program("compresses a pipe into a pipe", ["gzip", "-9c"], lambda i: line(digits(i) * 3 + digits(i // 7) * 9)),
    "bc": Program("big numbers", ["bc", "-q"], lambda i: line(f"s = 0; for (i = 0; i < 400; i++) s += ({i} + i) ^ 9 % 1009; s"), ["bc"]),
    "python3": Program("dictionaries, big numbers, digests", ["/usr/bin/python3", "-c", PYTHON], lambda i: line(digits(i) * 8)),
    "perl": Program("hashes and regular expressions", ["perl", "-e", PERL], lambda i: line(digits(i) * 2)),
    "go": Program("static program, goroutines", [f"{BUILT}/chain_go"], lambda i: line(digits(i)), [f"{BUILT}/chain_go"]),
    "java": Program("threads, just-in-time compiler, garbage", ["java", "-Xmx64m", "-cp", BUILT, "Chain"],
                    lambda i: line(digits(i)), [f"{BUILT}/Chain.class", "java"]),
    "awk": Program("a pipeline of four, each of which moves",
                   """sh -c "$EXEC" sh awk "$AWK" | sh -c "$EXEC" sh grep -v '^0' | sh -c "$EXEC" sh sort -n -S 1M | sh -c "$EXEC" sh sha256sum""",
                   lambda i: line(digits(i) * 4)),
    "make": Program("children without end", ["make", "-s", "-C", ".", "-f", "Makefile"], lambda i: line(digits(i)), ["make"], paced=4,
                    files=["out"]),
    "sqlite3": Program("a database with its journal", ["sqlite3", "-batch", "db"],
                       lambda i: line(f"PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v TEXT); BEGIN; "
                                      f"INSERT INTO t VALUES({i}, '{digits(i)}'); UPDATE t SET v = v || 'x' WHERE k % 17 = {i % 17}; COMMIT; "
                                      "SELECT count(*), sum(length(v)), max(v) FROM t;"),
                       ["sqlite3"], files=["db"]),
    "blastp": Program("a search with two threads",
                      ["blastp", "-db", "db", "-query", "-", "-num_threads", "2", "-outfmt", "6", "-evalue", "1e-3"], query,
                      ["blastp", "makeblastdb", f"{EXAMPLES}/DB.fasta.gz"], prepare=prepare_blast),
    "vim": Program("an editor on a terminal",
                   """exec script -qefc 'echo $$ >>"$PIDS"; exec vim -Nu NONE -i NONE -n text' /dev/null""",
                   lambda i: f"o{digits(i)}\x1b0ylp".encode(), ["vim", "script"], paced=3, last=b"\x1b:wq\r", files=["text"],
                   same=lambda output: None, on_tty=True),
    "top": Program("screens on a terminal", """exec script -qefc 'stty rows 24 cols 80; echo $$ >>"$PIDS"; exec top -d 1' /dev/null""",
                   lambda i: b"", ["top", "script"], paced=1, last=b"q", same=screens,
                   on_tty=True),
    "tmux": Program("a terminal's server with a shell in it", TMUX, lambda i: digits(i).encode() + b"\n", ["tmux"], paced=3),
    "ssh": Program("a session that is encrypted", with_port(SSH), bytes_block, ["ssh", "dropbear", "ssh-keygen", "unshare"],
                   prepare=prepare_ssh, as_root=True),
}


class Output(threading.Thread):
    """All that comes out of a pipe: its length and digest, and its beginning."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe, self.sha, self.n, self.kept = pipe, hashlib.sha256(), 0, b""
        self.begun = threading.Event()
        self.start()

    def run(self):
        while more := self.pipe.read1(65536):
            self.sha.update(more)
            self.n += len(more)
            self.kept += more[:KEPT_BYTES - len(self.kept)]
            self.begun.set()
        self.begun.set()

    def result(self):
        self.join(LIMIT_S)
        if self.is_alive():
            raise Failed("its output does not end")
        return self.n, self.sha.hexdigest()


class Feeder(threading.Thread):
    """Writes blocks into the program's input: as many as are allowed, all the time, or until it may not."""

    def __init__(self, pipe, program, output, n=None):
        super().__init__(daemon=True)
        self.pipe, self.program, self.output = pipe, program, output
        self.n, self.wanted = 0, n
        self.allowed = threading.Semaphore(0)
        self.stopped = False
        self.start()

    def more(self):
        if self.wanted is not None:
            return self.n < self.wanted
        if self.program.paced:
            self.allowed.acquire()
        return not self.stopped

    def run(self):
        if self.program.on_tty:
            self.output.begun.wait()
        with contextlib.suppress(BrokenPipeError):
            while self.more():
                self.pipe.write(self.program.block(self.n))
                self.n += 1
            self.pipe.write(self.program.last)
        with contextlib.suppress(BrokenPipeError):
            self.pipe.close()

    def allow(self):
        for _ in range(self.program.paced):
            self.allowed.release()

    def end(self):
        self.stopped = True
        self.allowed.release()
        while self.is_alive():  # who is not moved begins to read what the other one has read in a minute
            n = self.n
            self.join(LIMIT_S)
            if self.is_alive() and self.n == n:
                raise Failed("it does not read its input")


class Run:
    """One run of one program, moved or not."""

    def __init__(self, mover, program, directory, n=None):
        self.mover, self.program, self.dir = mover, program, directory
        self.pids_file = os.path.join(directory, "pids")
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=0)
        fcntl.fcntl(self.process.stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.output = Output(os.fdopen(os.dup(self.process.stdout.fileno()), "rb"))
        self.feeder = Feeder(self.process.stdin, program, self.output, n)

    def command(self):
        p = self.program
        given = {"PIDS": self.pids_file, "DIR": self.dir, "EXEC": EXEC, "AWK": AWK, "TMPDIR": self.dir, "HOME": self.dir, "TERM": "vt100",
                 "LC_ALL": "C.UTF-8", "VICTIM_STOP": f"{self.dir}/stop"}
        words = [f"{name}={value}" for name, value in given.items()]
        argv = ["sh", "-c", p.argv] if isinstance(p.argv, str) else ["sh", "-c", EXEC, "sh", *p.argv]
        who = [] if p.as_root else list(AS_USER)
        inside = ["env", "-C", self.dir, *words, *who, *argv]
        return self.mover.at_home_command(inside)

    def pids(self, n):
        """As many as the program tells of."""
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            with contextlib.suppress(FileNotFoundError), open(self.pids_file, encoding="ascii") as text:
                found = text.read().split("\n")[:-1]
                if len(found) >= n:
                    return [int(word) for word in found]
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise Failed(f"it does not start: {self.said()}")

    def said(self):
        self.errors.seek(0)
        return movers.first_line(self.errors.read().decode(errors="replace"))

    def end(self):
        """Exit status, output, files."""
        self.feeder.end()
        try:
            status = self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Failed("hangs: its input has ended") from None
        output = self.output.result()
        files = []
        for name in self.program.files:
            with open(os.path.join(self.dir, name), "rb") as text:
                files.append(hashlib.sha256(text.read()).hexdigest())
        if status:
            raise Failed(f"ended with {status}: {self.said()}")
        return output, files

    def close(self):
        movers.end_family(self.dir)
        self.feeder.stopped = True
        self.process.kill()
        self.process.wait()
        self.errors.close()


class Figures:
    """What became of the moves of one program."""

    def __init__(self):
        self.away = self.home = 0
        self.refused = {}

    def __str__(self):
        text = f"{self.away} times away, {self.home} home"
        for why, n in self.refused.items():
            text += f"; {n} refused: {why}"
        return text


def move_about(run, args, figures):
    pids = run.pids(4 if run.program.about.startswith("a pipeline") else 1)
    for i in range(args.moves):
        run.feeder.allow()
        for pid in pids:
            try:
                if i % 2 == 0:
                    run.mover.away(pid)
                    figures.away += 1
                else:
                    run.mover.home(pid)
                    figures.home += 1
            except Refused as why:
                text = str(why).replace(str(pid), "PID")
                figures.refused[text] = figures.refused.get(text, 0) + 1
        time.sleep(args.every)  # the pace that users were promised, not a wait for something
    if not figures.away:
        raise Failed(f"it was never moved: {figures}")


def difference(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"at byte {at}: {a[max(0, at - 20):at + 60]!r}, want {b[max(0, at - 20):at + 60]!r}"


@contextlib.contextmanager
def place(mover, program):
    directory = mover.scratch()
    try:
        if program.prepare:
            program.prepare(directory)
            subprocess.run(["chown", "-R", "--from", "root", f"{USER}:{USER}", directory], check=True)
        yield directory
    finally:
        mover.forget(directory)


def once(mover, program, work, n=None):
    """Run it; work(run) is done in the meantime. Its results, blocks and the beginning of its output."""
    with place(mover, program) as directory:
        run = Run(mover, program, directory, n)
        try:
            work(run)
            return run.end(), run.feeder.n, run.output.kept
        finally:
            run.close()


def try_program(mover, name, args):
    """What is said of it: (word, text)."""
    program = PROGRAMS[name]
    why = program.lacking()
    if why:
        return "skipped", why
    figures = Figures()
    try:
        moved, n, kept = once(mover, program, lambda run: move_about(run, args, figures))
        stayed, _, wanted = once(mover, program, lambda run: None, n)
        if program.same:
            program.same(kept)
            program.same(wanted)
            moved, stayed = moved[1], stayed[1]
        if moved != stayed:
            return "FAIL", f"it has written {moved}, want {stayed}; {difference(kept, wanted)}; {figures}"
    except Failed as why:
        return "FAIL", f"{why}; {figures}"
    except Exception as why:  # a fault of this harness or of the lab: one program that failed
        return "FAIL", f"{type(why).__name__}: {why}; {figures}"
    return "pass", f"{n} blocks, {figures}"


def table_of(results, args):
    rows = ["# Real programs", "", f"Made by `tests/system/move_programs.py --table`: {args.moves} moves, {args.every:g} s apart, "
            f"mover {args.mover}; what they write is the same as where they stay.", "", "| program | what it does | result | moves |", "| --- | --- | --- | --- |"]
    rows += [f"| {name} | {PROGRAMS[name].about} | {word} | {text} |" for name, (word, text) in results.items()]
    return "\n".join(rows) + "\n"


class HomeCommands:
    """How a command is run where the programs live."""

    @staticmethod
    def lab(mover):
        return lambda argv: mover.lab.command("exec", mover.HOME, "--", *argv)

    @staticmethod
    def local(mover):
        return lambda argv: list(argv)


def parse():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--mover", choices=("lab", "local"), default="lab")
    p.add_argument("--moves", type=int, default=60)
    p.add_argument("--every", type=float, default=1)
    p.add_argument("--only", action="append", choices=PROGRAMS)
    p.add_argument("--sample", type=int, metavar="N")
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--table", metavar="FILE")
    p.add_argument("--list", action="store_true")
    return p.parse_args()


def main():
    args = parse()
    names = args.only or list(PROGRAMS)
    if args.list:
        for name in names:
            print(f"{name}: {PROGRAMS[name].about}")
        return 0
    kind = movers.MOVERS[args.mover]
    why = "moving a process takes root" if os.geteuid() else kind.lacking()
    if why:
        print(why)
        return SKIPPED
    if args.sample is not None:
        print(f"seed {args.seed}: {args.sample} of {len(names)} programs")
        names = random.Random(args.seed).sample(names, min(args.sample, len(names)))
    PROGRAMS["make"].prepare = prepare_make(args.moves * PROGRAMS["make"].paced + 1)
    results = {}
    with kind() as mover, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        mover.at_home_command = getattr(HomeCommands, args.mover)(mover)

        def one(name):
            word, text = try_program(mover, name, args)
            print({"pass": f"ok - {name}: {text}", "skipped": f"ok - {name} # SKIP {text}", "FAIL": f"not ok - {name}: {text}"}[word], flush=True)
            results[name] = word, text

        list(pool.map(one, names))
    if args.table:
        with open(args.table, "w", encoding="utf-8") as out:
            out.write(table_of({name: results[name] for name in names}, args))
    return 1 if any(word == "FAIL" for word, _ in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
