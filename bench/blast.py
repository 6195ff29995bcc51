#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""blast.py - the exact parallel search against plain BLAST+, on this machine

Usage: bench/blast.py [--runs N] [--queries N]

Searches example proteins of the package mmseqs2-examples in each of the ways below, one run of each in
turn, so that what else the machine does falls on all alike. Prints for each the median, the least
and the most of the wall time and the median of the CPU time of all its processes. Every report is
compared with the first: a fast wrong answer is no figure.
"""

import argparse
import glob
import gzip
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MPIBLAST = os.path.join(TREE, "build", "bin", "mpiblast")
EXAMPLES = "usr/share/doc/mmseqs2/example-data"
PACKAGE = "mmseqs2-examples"
OURS = [MPIBLAST, "-p", "blastp", "-d", "db", "-i", "queries", "-o", "out", "--local-workers"]
PLAIN = ["blastp", "-db", "db", "-query", "queries", "-out", "out", "-num_threads"]
WAYS = (
    ("plain blastp, 1 thread", PLAIN + ["1"]),
    ("plain blastp, 2 threads", PLAIN + ["2"]),
    ("mpiblast, 1 worker", OURS + ["1"]),
    ("mpiblast, 2 workers", OURS + ["2"]),
    ("mpiblast, 4 workers", OURS + ["4"]),
)


def find_examples(work):
    """Images for containers leave /usr/share/doc out of packages: take it from the package then."""
    if os.path.isdir("/" + EXAMPLES):
        return "/" + EXAMPLES
    subprocess.run(["apt-get", "download", "-q", PACKAGE], cwd=work, check=True,
                   stdout=subprocess.DEVNULL)
    deb = glob.glob(os.path.join(work, PACKAGE + "*.deb"))[0]
    subprocess.run(["dpkg-deb", "-x", deb, os.path.join(work, "unpacked")], check=True)
    return os.path.join(work, "unpacked", EXAMPLES)


def make_data(work, queries):
    examples = find_examples(work)
    with gzip.open(os.path.join(examples, "DB.fasta.gz")) as source, \
            open(os.path.join(work, "proteins"), "wb") as to:
        shutil.copyfileobj(source, to)
    with gzip.open(os.path.join(examples, "QUERY.fasta.gz"), "rt") as source:
        records = source.read().split(">")[1:queries + 1]
    with open(os.path.join(work, "queries"), "w", encoding="ascii") as to:
        to.writelines(">" + record for record in records)
    subprocess.run(["makeblastdb", "-dbtype", "prot", "-in", "proteins", "-out", "db"], cwd=work,
                   check=True, stdout=subprocess.DEVNULL)
    return len(records)


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def one_run(work, command):
    """(wall seconds, CPU seconds, report); the CPU time is that of all processes waited for."""
    cpu, wall = cpu_seconds(), time.monotonic()
    subprocess.run(command, cwd=work, check=True, stderr=subprocess.DEVNULL)
    wall, cpu = time.monotonic() - wall, cpu_seconds() - cpu
    with open(os.path.join(work, "out"), "rb") as report:
        return wall, cpu, report.read()


def main():
    options = argparse.ArgumentParser(description="the exact parallel search against plain BLAST+")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--queries", type=int, default=50)
    chosen = options.parse_args()
    figures = {name: [] for name, _ in WAYS}
    first = None

    with tempfile.TemporaryDirectory(prefix="comosix-bench-") as work:
        found = make_data(work, chosen.queries)
        print(f"{found} queries, 20,000 proteins, {chosen.runs} runs of each, "
              f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", flush=True)
        for _ in range(chosen.runs):
            for name, command in WAYS:
                wall, cpu, report = one_run(work, command)
                first = first if first is not None else report
                if report != first:
                    print(f"{name}: the report differs from that of {WAYS[0][0]}", file=sys.stderr)
                    return 1
                figures[name].append((wall, cpu))

    print(f"{'':26}{'median':>8} {'least':>8} {'most':>8} {'CPU':>8}   seconds")
    for name, runs in figures.items():
        walls = [wall for wall, _ in runs]
        print(f"{name:26}{statistics.median(walls):8.2f} {min(walls):8.2f} {max(walls):8.2f} "
              f"{statistics.median(cpu for _, cpu in runs):8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
