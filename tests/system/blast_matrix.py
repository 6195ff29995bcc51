#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""blast_matrix.py [--quick] [TABLE] - mpiblast against plain BLAST+, every report format and option, byte by byte

Prints a table in Markdown, or writes it to TABLE (docs/tables/blast.md). A row that is not proven
yet is split all the same (--try-unproven), so that the table also says what could be added to
src/blast/core/options.c. --quick takes a tenth of the sequences and few queries. Exit status 1 when a row that is proven differs.
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import blast

PROVEN = {"0", "5", "6", "7"}
FORMATS = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "15", "16", "18",
           "6 qseqid sseqid evalue bitscore btop stitle", "7 delim=@ qacc sacc score qcovs",
           "10 qseqid sseqid pident"]
OPTIONS = [
    [], ["-max_target_seqs", "1"], ["-max_target_seqs", "5"], ["-max_target_seqs", "50"],
    ["-max_target_seqs", "5000"], ["-evalue", "1e-20"], ["-evalue", "1000"], ["-max_hsps", "1"],
    ["-culling_limit", "1"], ["-culling_limit", "2"], ["-subject_besthit"],
    ["-best_hit_overhang", "0.1", "-best_hit_score_edge", "0.1"],
    ["-comp_based_stats", "0"], ["-comp_based_stats", "0", "-max_target_seqs", "5"],
    ["-comp_based_stats", "1"], ["-comp_based_stats", "3"], ["-ungapped", "-comp_based_stats", "0"],
    ["-use_sw_tback"], ["-task", "blastp-fast"], ["-task", "blastp-short"], ["-word_size", "2"],
    ["-threshold", "21"], ["-matrix", "BLOSUM45"], ["-matrix", "BLOSUM80"], ["-matrix", "PAM30"],
    ["-gapopen", "9", "-gapextend", "2"], ["-seg", "yes"], ["-seg", "12 2.2 2.5"],
    ["-seg", "yes", "-soft_masking", "true"], ["-lcase_masking"], ["-qcov_hsp_perc", "50"],
    ["-window_size", "0"], ["-xdrop_ungap", "10"], ["-xdrop_gap", "20"], ["-xdrop_gap_final", "40"],
    ["-dbsize", "100000000"], ["-searchsp", "10000000000"], ["-num_threads", "2"],
]
REPORTS = [
    ["-num_descriptions", "7", "-num_alignments", "3"], ["-num_descriptions", "700"],
    ["-num_alignments", "600"], ["-max_target_seqs", "9"], ["-line_length", "100"], ["-show_gis"],
    ["-html"], ["-parse_deflines"], ["-sorthits", "1"], ["-sorthits", "2"], ["-sorthits", "3"],
    ["-sorthits", "4"], ["-sorthsps", "1"], ["-sorthsps", "2"], ["-sorthsps", "3"],
    ["-sorthsps", "4"],
]


class Matrix:
    def __init__(self, place):
        self.place = place
        self.rows = []
        self.bad = 0

    def cell(self, words, proven=True):
        want = self.place.plain(words)
        status, report, talk, summary = self.place.ours(["--try-unproven", *words])
        split = bool(summary and summary["split"])
        same = (status, report if report is not None else b"") == (want[0], want[1] if not want[0] else b"")
        said = "plain BLAST+ says so" if want[0] else ""
        if proven and not (same and (split or want[0])):
            self.bad += 1
        if not split and not want[0]:
            said = talk.decode(errors="replace").strip().splitlines()[-1][:100]
        self.rows.append((" ".join(words), str(want[0]), str(len(want[1])), str(want[1].count(b"\n")),
                          "split" if split else "unsplit", "identical" if same else "**DIFFERS**",
                          "" if proven else "not proven yet", said))
        print("|", " | ".join(self.rows[-1]), "|", file=sys.stderr, flush=True)

    def table(self):
        head = ("options", "status", "bytes", "lines", "run", "result", "", "said")
        lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        lines += ["| " + " | ".join(r) + " |" for r in self.rows]
        return "\n".join(lines) + "\n"


def run(place, table, quick):
    queries = blast.records("QUERY.fasta.gz")
    n, n_queries = (2000, 8) if quick else (20000, 25)
    blast.make_database(place.dir, "db", n)
    blast.make_database(place.dir, "parts", n, "-max_file_sz", f"{n * 150}B")
    blast.make_database(place.dir, "old", n // 2, "-blastdb_version", "4")
    blast.write(place.path("q.fa"), blast.every(queries, n_queries))
    blast.write(place.path("few.fa"), blast.every(queries, 6))
    m = Matrix(place)
    for f in FORMATS:
        m.cell(["-db", "db", "-query", "q.fa", "-outfmt", f], f.split()[0] in PROVEN)
    for o in OPTIONS:
        m.cell(["-db", "db", "-query", "q.fa", "-outfmt", "6 std btop", *o])
    for o in REPORTS:
        m.cell(["-db", "db", "-query", "few.fa", *o])
    for db in ("parts", "old"):
        for f in sorted(PROVEN):
            m.cell(["-db", db, "-query", "few.fa", "-outfmt", f])
    head = ("# mpiblast against plain BLAST+\n\nMade by `tests/system/blast_matrix.py`; each row compares "
            "the whole report, byte by byte.\nDatabase and queries are UniProt proteins of Debian's "
            f"mmseqs2-examples (db, parts: {n} sequences, parts in volumes;\nold: {n // 2}, version 4; "
            f"q.fa: {n_queries} queries, few.fa: 6), four local workers, "
            + subprocess.run(["blastp", "-version"], capture_output=True, text=True).stdout.split("\n")[0]
            + ".\n\n")
    text = head + m.table()
    if table:
        os.makedirs(os.path.dirname(table) or ".", exist_ok=True)
        with open(table, "w") as f:
            f.write(text)
    else:
        print(text, end="")
    print(f"{len(m.rows)} rows, {m.bad} proven ones differ", file=sys.stderr)
    return 1 if m.bad else 0


def main():
    if blast.MISSING:
        print("skipped: not installed:", *blast.MISSING)
        return 77
    root = tempfile.mkdtemp(prefix="blast-matrix.")
    try:
        words = sys.argv[1:]
        quick = "--quick" in words
        return run(blast.Place(root), next((w for w in words if w != "--quick"), None), quick)
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
