# SPDX-License-Identifier: GPL-2.0-or-later
"""blast.py - what the tests of mpiblast share: real proteins, plain BLAST+ to compare with

Proteins and queries are those of Debian's mmseqs2-examples (UniProt). Everything is made in one
temporary directory, which the caller removes.
"""
import gzip
import json
import os
import shutil
import subprocess

BIN = os.environ["COMOSIX_BIN"]
DATA = "/usr/share/doc/mmseqs2/example-data"
MISSING = [what for what, there in (
    ("ncbi-blast+", shutil.which("blastp")),
    ("mmseqs2-examples", os.path.exists(DATA + "/DB.fasta.gz")),
) if not there]


def records(name):
    with gzip.open(os.path.join(DATA, name), "rt") as f:
        return [">" + r for r in f.read().split(">")[1:]]


def every(all_of_them, n):
    """n of them, evenly spread: the same each time."""
    return all_of_them[::max(1, len(all_of_them) // n)][:n]


def write(path, items):
    with open(path, "w") as f:
        f.write("".join(items))


def make_database(directory, name, n, *options):
    fasta = os.path.join(directory, name + ".fa")
    write(fasta, every(records("DB.fasta.gz"), n))
    subprocess.run(["makeblastdb", "-in", fasta, "-dbtype", "prot", "-out", name, "-title",
                    "UniProt examples", *options], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL)


class Place:
    """A working directory with a database, queries, and a temporary directory to be left empty."""

    def __init__(self, root):
        self.dir = os.path.join(root, "files")
        self.tmp = os.path.join(root, "tmp")
        os.makedirs(self.dir)
        os.makedirs(self.tmp)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("COMOSIX_")}
        self.env.update(TMPDIR=self.tmp, BLAST_USAGE_REPORT="false",
                        COMOSIX_SOCKET=os.path.join(root, "no-daemon"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def plain(self, words, **more):
        """Plain BLAST+: (status, bytes of the report, bytes of stderr)."""
        r = subprocess.run(["blastp", *words], cwd=more.pop("cwd", self.dir),
                           env=more.pop("env", self.env), capture_output=True, **more)
        return r.returncode, r.stdout, r.stderr

    def command(self, words, workers=4, program=None):
        return [os.path.join(BIN, "mpiblast"), "-p", "blastp", "--json",
                *(["--local-workers", str(workers)] if workers else []),
                *(["--worker-program", program] if program else []), *words]

    def ours(self, words, workers=4, program=None, **more):
        """mpiblast to a file: (status, report or None, stderr, summary)."""
        out = self.path("ours.out")
        if os.path.exists(out):
            os.unlink(out)
        r = subprocess.run(self.command([*words, "-o", out], workers, program),
                           cwd=more.pop("cwd", self.dir), env=more.pop("env", self.env),
                           capture_output=True, **more)
        return r.returncode, self.read(out), r.stderr, self.summary(r.stdout)

    @staticmethod
    def read(path):
        try:
            with open(path, "rb") as f:
                return f.read()
        except FileNotFoundError:
            return None

    @staticmethod
    def summary(text):
        return json.loads(text) if text.strip() else None

    def left_behind(self):
        """What mpiblast left in the temporary directory or beside the report."""
        return os.listdir(self.tmp) + [n for n in os.listdir(self.dir) if "~" in n or ".mpiblast" in n]


def children(pid):
    """Direct children of a process."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except OSError:
        return ""


def words(pid):
    """Its command line."""
    try:
        with open(f"/proc/{pid}/cmdline") as f:
            return f.read().split("\0")
    except OSError:
        return []
