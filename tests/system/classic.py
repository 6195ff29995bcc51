#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""classic.py - migrate, mps, mosctl and mosrun, as their users run them, with halves that move nothing"""
import json
import os
import pwd
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nodes

HALVES = None
NOBODY = pwd.getpwnam("nobody").pw_uid
ERROR, USAGE, NOT_FOUND, REFUSED = 1, 2, 4, 5
LINKER = "/lib64/ld-linux-x86-64.so.2"


class Classic(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.c = nodes.Cluster(("head", "head"), ("s1", "server"), ("d1", "desktop"))
        for n in cls.c.nodes.values():
            n.extra = ["--halves", HALVES]
        cls.c.start()
        cls.c.wait_all()
        cls.addClassCleanup(cls.c.close)
        for name in "stays", "noted":
            shutil.copy("/bin/sleep", os.path.join(cls.c.dir, name))

    def env(self, at="head"):
        return dict(os.environ, COMOSIX_SOCKET=self.c[at].socket)

    def run_as(self, uid, *argv, at="head", **more):
        return subprocess.run([os.path.join(nodes.BIN, argv[0]), *argv[1:]], env=self.env(at),
                              user=uid, group=uid, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=nodes.PATIENCE, **more)

    def nobody(self, *argv, **more):
        return self.run_as(NOBODY, *argv, **more)

    def ok(self, result, status=0):
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def refused(self, result, says, status=REFUSED):
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn(says, result.stderr)

    def start(self, *argv, uid=NOBODY, **more):
        p = subprocess.Popen(argv, user=uid, group=uid, stdin=subprocess.DEVNULL, env=self.env(),
                             **more)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def mps(self, *options, by=None, **more):
        by = by or self.nobody
        out = self.ok(by("mps", "--json", *options, **more)).stdout
        return {row["pid"]: row for row in json.loads(out)["processes"]}

    # ---- migrate, mosctl ----

    def test_there_and_back(self):
        p = self.start("/bin/sleep", "1000")
        r = self.ok(self.nobody("migrate", str(p.pid), "s1"))
        self.assertEqual(r.stdout, "")
        self.assertIn("runs at s1", r.stderr)
        self.assertEqual(self.ok(self.nobody("mosctl", "whereis", str(p.pid))).stdout, "s1\n")
        row = self.mps()[p.pid]
        self.assertEqual((row["user"], row["home"], row["node"], row["state"], row["command"]),
                         ("nobody", "head", "s1", "away", "sleep"))
        guests = self.mps("-g", by=lambda *a, **m: self.run_as(0, *a, **m), at="s1")
        self.assertEqual((guests[p.pid]["home"], guests[p.pid]["node"]), ("head", "s1"))
        self.ok(self.nobody("migrate", "-q", str(p.pid), "home"))
        where = json.loads(self.ok(self.nobody("mosctl", "whereis", "--json", str(p.pid))).stdout)
        self.assertEqual(where, {"pid": p.pid, "home": "head", "node": "head", "state": "home"})

    def test_what_its_user_should_know_is_said(self):
        p = self.start(self.c.dir + "/noted", "1000")
        r = self.ok(self.nobody("migrate", str(p.pid), "s1"))
        self.assertRegex(r.stderr, r"runs at s1\b.*; a note$")
        self.ok(self.nobody("migrate", "-q", str(p.pid), "home"))

    def test_refusals(self):
        p, stays = self.start("/bin/sleep", "1000"), self.start(self.c.dir + "/stays", "1000")
        roots = self.start("/bin/sleep", "1000", uid=0)
        for who, words, says, status in (
                (NOBODY, (p.pid, "d1"), "start the program with mosrun", REFUSED),
                (NOBODY, (p.pid, "n77"), "no node 'n77'", NOT_FOUND),
                (NOBODY, (roots.pid, "s1"), "not yours", REFUSED),
                (0, (roots.pid, "s1"), "system accounts", REFUSED),
                (NOBODY, (stays.pid, "s1"), "called 'stays'", REFUSED),
                (NOBODY, (2 ** 22 + 1, "s1"), "no process", NOT_FOUND),
                (NOBODY, ("x", "s1"), "no process number", USAGE),
                (NOBODY, (p.pid,), "usage", USAGE)):
            with self.subTest(words):
                self.refused(self.run_as(who, "migrate", *map(str, words)), says, status)
        self.refused(self.nobody("mosctl", "whereis", str(2 ** 22 + 1)), "no process", NOT_FOUND)
        self.refused(self.nobody("mosctl", "whereis", str(roots.pid)), "not yours")
        self.refused(self.nobody("mosctl", "nosuchverb"), "nosuchverb", USAGE)

    def test_without_a_daemon(self):
        for words in (("migrate", "1", "s1"), ("mps",), ("mosctl", "whereis", "1")):
            r = subprocess.run([os.path.join(nodes.BIN, words[0]), *words[1:]], text=True,
                               capture_output=True, env=dict(os.environ, COMOSIX_SOCKET="/nowhere"))
            self.refused(r, "comosixd is not running here", ERROR)

    # ---- mps ----

    def test_whose(self):
        p, roots = self.start("/bin/sleep", "1000"), self.start("/bin/sleep", "1000", uid=0)
        mine, everybodys = self.mps(), self.mps("-a")
        self.assertIn(p.pid, mine)
        self.assertNotIn(roots.pid, mine)
        self.assertIn(roots.pid, everybodys)
        self.assertEqual(set(mine[p.pid]), {"pid", "user", "home", "node", "state", "cannot_move",
                                            "command", "job"})
        table = self.ok(self.nobody("mps")).stdout.splitlines()
        self.assertEqual(table[0].split(), "PID USER HOME NODE STATE JOB CANNOT MOVE COMMAND".split())
        self.assertTrue(any(line.split()[0] == str(p.pid) for line in table[1:]))

    def test_why_not(self):
        # memory that two processes share, and both may write
        code = ("import mmap, os, sys, time; m = mmap.mmap(-1, 4096); r, w = os.pipe();"
                "pid = os.fork(); print(os.getpid(), flush=True) if pid else None; time.sleep(1000)")
        p = self.start("/usr/bin/python3", "-c", code, stdout=subprocess.PIPE, text=True,
                       start_new_session=True)
        self.addCleanup(lambda: os.killpg(p.pid, 9))
        self.addCleanup(p.stdout.close)
        p.stdout.readline()
        free = self.start("/bin/sleep", "1000")
        rows = self.mps()
        self.assertEqual(rows[p.pid]["cannot_move"], ["shared-memory"])
        self.assertEqual(rows[free.pid]["cannot_move"], [])
        root = self.mps("-a", by=lambda *a, **m: self.run_as(0, *a, **m))
        self.assertIn("system-user", root[os.getpid()]["cannot_move"])

    # ---- mosrun ----

    def wait_line(self, *argv, **more):
        p = self.start(os.path.join(nodes.BIN, "mosrun"), *argv, "/bin/sh", "-c",
                       "echo up; exec sleep 1000", stdout=subprocess.PIPE, text=True, **more)
        self.addCleanup(p.stdout.close)
        self.assertEqual(p.stdout.readline(), "up\n")
        return p

    def test_a_job(self):
        p = self.wait_line()
        self.assertTrue(self.mps()[p.pid]["job"])
        self.ok(self.nobody("migrate", str(p.pid), "d1"))
        self.ok(self.nobody("migrate", str(p.pid), "home"))

    def test_declared_paths(self):
        self.wait_line("--path", "/usr/share:/tmp")
        kept = os.path.join(self.c["head"].run, "jobs")
        texts = []
        for name in os.listdir(kept):
            self.assertRegex(name, f"^comosix-job-{NOBODY}-[0-9]+$")
            with open(os.path.join(kept, name)) as f:
                texts.append(f.read())
        self.assertIn("/usr/share\0/tmp\0", texts)
        self.refused(self.nobody("mosrun", "--path", "/nosuch", "true"), "/nosuch", 125)

    def test_jobs_that_stay(self):
        for option in ("-h", "-l"):
            p = self.wait_line(option)
            self.refused(self.nobody("migrate", str(p.pid), "s1"), "stays at home")
            self.assertEqual(self.mps()[p.pid]["cannot_move"], ["stays"])

    def test_started_elsewhere(self):
        for options, where in ((("-r", "d1"), {"d1"}), (("-j", "s1,d1"), {"s1", "d1"}),
                               (("-b",), {"s1", "d1"})):
            p = self.wait_line(*options)
            node = self.wait_away(p.pid)
            self.assertIn(node, where)
            self.ok(self.nobody("migrate", str(p.pid), "home"))
        p = self.wait_line("-F", "-r", "nosuch", stderr=subprocess.PIPE)
        self.addCleanup(p.stderr.close)
        self.assertIn("runs at home", p.stderr.readline())
        self.assertEqual(self.mps()[p.pid]["node"], "head")
        r = self.nobody("mosrun", "-r", "nosuch", "true")
        self.refused(r, "no node 'nosuch'", 125)

    def wait_away(self, pid):
        """By the events of MOVES with follow."""
        import frames as w
        stream, kind, _ = self.c["head"].ask(w.OPEN_MOVES, body=w.message(f1=True))
        while True:
            kind, payload = stream.next()
            m = w.parse(payload)
            if m.get(4) == [pid] and m.get(9) == [6]:
                stream.close()
                return m[8][0].decode()

    def test_its_status_is_the_commands(self):
        for argv, status in ((("sh", "-c", "exit 7"), 7), (("true",), 0), (("/nowhere",), 127),
                             (("/etc/passwd",), 126)):
            self.assertEqual(self.nobody("mosrun", *argv).returncode, status, argv)
        self.assertEqual(self.nobody("mosrun", "sh", "-c", "kill -9 $$").returncode, -9)
        self.assertEqual(self.nobody("mosrun", "echo", "-n", "--", "-h").stdout, "-- -h")

    def test_refused_options(self):
        self.refused(self.nobody("mosrun", "--checkpoint", "10", "true"), "wants a time", USAGE)
        self.refused(self.nobody("mosrun", "--checkpoint", "1m", "--checkpoint-max", "x", "true"), "a size", USAGE)
        self.refused(self.nobody("mosrun", "--checkpoint", "1m", "--checkpoint-dir", "/proc", "true"),
                     "--checkpoint-dir", USAGE)
        self.refused(self.nobody("mosrun", "--checkpoint", "1m", "-l", "true"), "may move", USAGE)
        self.refused(self.nobody("mosrun", "-h", "-b", "true"), "only one", USAGE)
        self.refused(self.nobody("mosrun", "--cpu", "z80", "true"), "x86-64-v1", USAGE)
        self.refused(self.nobody("mosrun", "true", at="d1"), "a desktop only hosts", 125)

    def test_baselines(self):
        if not os.path.exists(LINKER):
            self.skipTest("the C library is another one")

        def levels(*options):
            out = self.ok(self.nobody("mosrun", *options, LINKER, "--help")).stdout
            return {word for word in out.split() if word.startswith("x86-64-v") and
                    f"{word} (supported" in out}
        native = levels()
        for n in (1, 2, 3, 4):
            wanted = {level for level in native if int(level[-1]) <= n}
            self.assertEqual(levels("--cpu", f"x86-64-v{n}"), wanted)


if __name__ == "__main__":
    HALVES = os.path.realpath(sys.argv.pop(1))
    if os.geteuid():
        print("comosixd moves processes as root only")
        sys.exit(77)
    unittest.main(verbosity=2)
