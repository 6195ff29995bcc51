#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""blast_identity.py - mpiblast gives plain BLAST+'s bytes, whatever happens to its workers

Workers are local ones (--local-workers), so no cluster is needed. Each case waits for events.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import blast

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = None
PLACE = None


def setUpModule():
    global ROOT, PLACE
    ROOT = tempfile.mkdtemp(prefix="blast-identity.")
    PLACE = blast.Place(ROOT)
    blast.make_database(PLACE.dir, "small", 2000)
    blast.make_database(PLACE.dir, "whole", 20000)
    queries = blast.records("QUERY.fasta.gz")
    blast.write(PLACE.path("q.fa"), blast.every(queries, 16))
    blast.write(PLACE.path("many.fa"), blast.every(queries, 300))
    blast.write(PLACE.path("few.fa"), blast.every(queries, 5))


def tearDownModule():
    shutil.rmtree(ROOT, ignore_errors=True)


class Case(unittest.TestCase):
    def tearDown(self):
        self.assertEqual(PLACE.left_behind(), [])

    def same(self, words, split=True, program=None, **more):
        """Both programs, the same words: the same status, report and stderr."""
        status, report, talk, summary = PLACE.ours(words, program=program, **dict(more))
        want_status, want, want_talk = PLACE.plain(words, **dict(more))
        self.assertEqual(status, want_status, talk)
        self.assertTrue(report == want, f"{words}: the reports differ; {talk}")
        self.assertEqual(summary["split"], split, summary)
        if split and not program:
            self.assertEqual(talk, want_talk)
        return summary, talk


class Formats(Case):
    QUERY = ["-db", "small", "-query", "q.fa"]

    def test_formats(self):
        for fmt in ("0", "5", "6", "7", "6 qseqid sseqid evalue bitscore btop stitle"):
            with self.subTest(fmt=fmt):
                self.same([*self.QUERY, "-outfmt", fmt])

    def test_options(self):
        for words in (
            ["-max_target_seqs", "3", "-outfmt", "6"],  # BLAST+ warns about that
            ["-num_descriptions", "7", "-num_alignments", "3"],
            ["-culling_limit", "2", "-outfmt", "7"],
            ["-subject_besthit", "-max_hsps", "1", "-outfmt", "6"],
            ["-best_hit_overhang", "0.1", "-best_hit_score_edge", "0.1", "-outfmt", "6"],
            ["-ungapped", "-comp_based_stats", "0", "-outfmt", "6"],
            ["-task", "blastp-fast", "-seg", "yes", "-evalue", "1e-3", "-outfmt", "6"],
            ["-matrix", "BLOSUM80", "-comp_based_stats", "3", "-outfmt", "6"],
            ["-num_threads", "2", "-outfmt", "6"],
        ):
            with self.subTest(words=words):
                self.same([*self.QUERY, *words])

    def test_old_names(self):
        _, want, _ = PLACE.plain([*self.QUERY, "-evalue", "1e-5", "-outfmt", "6"])
        self.assertEqual(PLACE.ours(["-d", "small", "-i", "q.fa", "-e", "1e-5", "-m", "8"])[1], want)

    def test_standard_input_and_output(self):
        _, want, _ = PLACE.plain([*self.QUERY, "-outfmt", "6"])
        with open(PLACE.path("q.fa"), "rb") as f:
            r = subprocess.run(PLACE.command(["-d", "small", "-m", "8"]), stdin=f, cwd=PLACE.dir,
                               env=PLACE.env, capture_output=True, check=True)
        self.assertTrue(r.stdout == want)


class Databases(Case):
    def test_where_it_is_found(self):
        words = ["-query", PLACE.path("few.fa"), "-outfmt", "7"]
        env = dict(PLACE.env, BLASTDB=PLACE.dir)
        self.same(["-db", PLACE.path("small"), *words])
        self.same(["-db", "../files/small", *words])
        self.same(["-db", "small", *words], cwd=ROOT, env=env)

    def test_volumes(self):
        for version in ("4", "5"):
            with self.subTest(version=version):
                name = "parts" + version
                blast.make_database(PLACE.dir, name, 2000, "-blastdb_version", version,
                                    "-max_file_sz", "400000B")
                self.assertTrue(os.path.exists(PLACE.path(name + ".01.pin")))
                self.same(["-db", name, "-query", "q.fa", "-outfmt", "5"])


class Unsplit(Case):
    """What is not proven goes to the genuine program, and one line says so."""

    def test_says_why(self):
        words = ["-db", "small", "-query", "few.fa"]
        blast.write(PLACE.path("ids"), ["none\n"])
        blast.write(PLACE.path("gap.fa"), [">a\nMKV-LAAGIV\n"])
        blast.write(PLACE.path("empty.fa"), [])
        for more, why in (
            (["-outfmt", "11"], b"format"),
            (["-query_loc", "1-20"], b"-query_loc"),
            (["-db", "small few"], b"twice"),
        ):
            with self.subTest(why=why):
                talk = PLACE.ours([*words, *more])[2]
                self.assertIn(why, talk)
        self.assertIn(b"line 2 has '-'", self.same(["-db", "small", "-query", "gap.fa"], False)[1])
        self.assertIn(b"unsplit", self.same(["-db", "small", "-query", "empty.fa"], False)[1])

    def test_no_cluster(self):
        words = ["-db", "small", "-query", "few.fa", "-outfmt", "6"]
        status, report, talk, summary = PLACE.ours(words, workers=0)
        self.assertEqual((status, summary["split"]), (0, False))
        self.assertIn(b"no comosixd answers", talk)
        self.assertTrue(report == PLACE.plain(words)[1])

    def test_errors_are_blasts(self):
        for words in (["-db", "nowhere", "-query", "few.fa"], ["-db", "small", "-query", "nowhere"],
                      ["-db", "small", "-query", "few.fa", "-max_target_seqs", "0"]):
            with self.subTest(words=words):
                status, report, talk, _ = PLACE.ours(words)
                want_status, _, want_talk = PLACE.plain(words)
                self.assertEqual(status, want_status)
                self.assertIn(want_talk.splitlines()[-1], talk)
                self.assertIn(report, (None, b""))


class Faults(Case):
    WORDS = ["-db", "whole", "-query", "q.fa", "-outfmt", "6"]

    @classmethod
    def setUpClass(cls):
        cls.want = PLACE.plain(cls.WORDS)[1]

    def start(self):
        out = PLACE.path("ours.out")
        if os.path.exists(out):
            os.unlink(out)
        return subprocess.Popen(PLACE.command([*self.WORDS, "-o", out]), cwd=PLACE.dir,
                                env=PLACE.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def at_work(self, process):
        """Wait for a worker that runs BLAST+: its pid."""
        while process.poll() is None:
            for pid in blast.children(process.pid):
                if any("-query" in blast.words(p) for p in blast.children(pid)):
                    return pid
            time.sleep(0.01)
        self.fail(f"it ended before a worker worked: {process.communicate()}")

    def finish(self, process):
        out, talk = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, talk)
        self.assertTrue(PLACE.read(PLACE.path("ours.out")) == self.want, talk)
        return PLACE.summary(out), talk

    def test_killed_worker(self):
        process = self.start()
        os.kill(self.at_work(process), signal.SIGKILL)
        summary, talk = self.finish(process)
        self.assertTrue(summary["split"])
        self.assertGreaterEqual(summary["ledger"]["lost"], 1)
        self.assertIn(b"given up", talk)

    def test_stopped_worker(self):
        process = self.start()
        os.kill(self.at_work(process), signal.SIGSTOP)
        summary, _ = self.finish(process)
        self.assertTrue(summary["split"])
        self.assertGreaterEqual(summary["ledger"]["lost"] + summary["ledger"]["started_twice"], 1)

    def test_all_workers_gone(self):
        process = self.start()
        self.at_work(process)
        while process.poll() is None:
            for pid in blast.children(process.pid):
                if blast.comm(pid).startswith("comosix-blast"):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        summary, talk = self.finish(process)
        self.assertFalse(summary["split"])
        self.assertIn(b"no worker is left", talk)

    def test_interrupted(self):
        for signo in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signo=signo):
                process = self.start()
                worker = self.at_work(process)
                process.send_signal(signo)
                process.communicate(timeout=60)
                self.assertEqual(process.returncode, 128 + signo)
                self.assertFalse(os.path.exists(PLACE.path("ours.out")))
                self.assertFalse(os.path.exists(f"/proc/{worker}"))
                self.assertEqual(PLACE.left_behind(), [])


class Lies(Case):
    LOUD = ("outside", "query", "twice", "count", "lists", "flood", "garbage", "huge", "frame",
            "need", "gone", "refusal")
    FALSE = ("outside", "query", "twice", "count", "flood", "unsearched", "nothing")

    def lie(self, words, lie, program, *more, **kinds):
        """A search with one worker that lies: it must come out as by plain BLAST+."""
        mark = os.path.join(ROOT, "liar-" + lie)
        env = dict(PLACE.env, LIAR=lie, LIAR_MARK=mark,
                   LIAR_REAL=os.path.join(blast.BIN, "comosix-blast-worker"))
        status, report, talk, summary = PLACE.ours(
            [*words, *more], program=os.path.join(HERE, program), env=env, **kinds)
        self.assertEqual(status, 0, talk)
        self.assertTrue(report == PLACE.plain(words)[1], f"{lie}: the reports differ; {talk}")
        self.assertTrue(summary["split"], talk)
        self.assertTrue(os.path.exists(mark))
        for name in (mark, mark + ".took"):
            if os.path.exists(name):
                os.unlink(name)
        return talk, summary

    def false(self, talk, summary):
        """The liar was barred and named, and only it."""
        liars = [n["node"] for n in summary["nodes"] if n["lied"]]
        self.assertEqual(len(liars), 1, summary)
        self.assertIn(f"{liars[0]} gave a false answer".encode(), talk)
        self.assertIn(f"comosix node revoke {liars[0]}".encode(), talk)

    def test_lies(self):
        words = ["-db", "small", "-query", "q.fa", "-outfmt", "6"]
        for lie in (*self.LOUD, "unsearched", "nothing", "failed", "silent", "beats"):
            with self.subTest(lie=lie):
                talk, summary = self.lie(words, lie, "blast_liar.py")
                if lie in self.LOUD:
                    self.assertIn(b"given up", talk)
                if lie in self.FALSE:
                    self.false(talk, summary)

    def test_hits_left_out(self):
        """It looks like any other worker; only computing it again shows what is missing."""
        for more in (["--paranoid"], ["--recheck", "0"]):
            with self.subTest(more=more):
                talk, summary = self.lie(["-db", "whole", "-query", "q.fa", "-outfmt", "6"],
                                         "thief", "blast_thief.py", *more)
                self.false(talk, summary)
                self.assertGreaterEqual(summary["checks"]["false"], 1, summary)

    def test_found_out_late(self):
        """Some of its false answers may be in the report when it is found out."""
        talk, summary = self.lie(["-db", "small", "-query", "many.fa", "-outfmt", "6"], "late",
                                 "blast_thief.py", "--recheck", "0", workers=2)
        self.false(talk, summary)
        if summary["checks"]["begun_again"]:
            self.assertIn(b"begins again", talk)


@unittest.skipUnless(os.geteuid() == 0, "needs root to mount a small file system")
class FullDisk(Case):
    def test_full_disk(self):
        disk = os.path.join(ROOT, "disk")
        os.mkdir(disk)
        words = ["-db", "small", "-query", "q.fa"]
        self.assertGreater(len(PLACE.plain(words)[1]), 65536)
        script = ('mount -t tmpfs -o size=64k none "$0" || exit 99; echo old >"$0/out"; "$@"; '
                  'echo status $?; ls -A "$0"; cat "$0/out"; umount "$0"')
        for more in (PLACE.command(words), PLACE.command([*words, "-outfmt", "11"])):
            r = subprocess.run(["unshare", "-m", "sh", "-c", script, disk,
                                *(w for w in more if w != "--json"), "-o", disk + "/out"],
                               cwd=PLACE.dir, env=PLACE.env, capture_output=True)
            self.assertEqual(r.stdout, b"status 1\nout\nold\n", r.stderr)
            self.assertIn(b"No space left on device", r.stderr)


if __name__ == "__main__":
    if blast.MISSING:
        print("skipped: not installed:", *blast.MISSING)
        sys.exit(77)
    unittest.main()
