#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_blast.py - a search over a whole cluster, with a node that lies and nodes that fail in the middle

The report must be, byte for byte, the one of plain blastp in the same directory with the same
options.
"""
import gzip
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import labs

EXAMPLES = "/usr/share/doc/mmseqs2/example-data"
USER = next((p for p in pwd.getpwall() if 1000 <= p.pw_uid < 60000), None)


def records(name, n):
    """The first n sequences of an example file."""
    text = gzip.open(f"{EXAMPLES}/{name}", "rt").read()
    return ">" + ">".join(text[1:].split(">", n)[:n])


class Blast(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="comosix-lab-blast-")
        labs.scratch.append(cls.dir)
        os.chmod(cls.dir, 0o755)
        cls.make_database("large", 20000)
        cls.make_database("small", 1000)
        cls.make_queries("many", 60)
        cls.make_queries("more", 100)
        cls.make_queries("few", 5)
        cls.lab = labs.Lab("blast")
        nat = ("--nat-nodes", "n3") if labs.has_nft() else ()
        cls.lab.must("up", "--nodes", 4, "--servers", 1, *nat)

    @classmethod
    def tearDownClass(cls):
        cls.lab.must("down")
        shutil.rmtree(cls.dir)

    @classmethod
    def make_database(cls, name, n):
        with open(f"{cls.dir}/{name}.fasta", "w") as f:
            f.write(records("DB.fasta.gz", n))
        subprocess.run(["makeblastdb", "-dbtype", "prot", "-in", f"{name}.fasta", "-out", name],
                       cwd=cls.dir, check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def make_queries(cls, name, n):
        with open(f"{cls.dir}/{name}.fa", "w") as f:
            f.write(records("QUERY.fasta.gz", n))

    def plain(self, db, queries, *options):
        return subprocess.run(["blastp", "-db", db, "-query", queries + ".fa", *options],
                              cwd=self.dir, check=True, capture_output=True).stdout

    def search(self, db, queries, *options, out, **more):
        """mpiblast on the head, started."""
        cmd = self.lab.command("exec", "head", "--", "mpiblast", "-p", "blastp", "-d", db, "-i",
                               queries + ".fa", "-o", out, "--json", *options)
        more.setdefault("cwd", self.dir)
        return subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                **more)

    def finish(self, p):
        """The summary of a search; it must have been spread over nodes."""
        out, err = p.communicate(timeout=600)
        self.assertEqual(p.returncode, 0, err)
        summary = json.loads(out)
        self.assertTrue(summary["split"], err)
        return summary, {n["node"]: n for n in summary["nodes"]}, err

    def corrupt(self, node):
        """Its owner changes a desktop: from now on its workers leave hits out."""
        self.lab.must("exec", node, "--", "sh", "-c",
                      "mkdir /run/thief && cp -a /opt/comosix/bin/comosix* /run/thief && "
                      "cd /run/thief && mv comosix-blast-worker comosix-blast-worker.real")
        for name, to in (("frames.py", "frames.py"), ("blast_thief.py", "comosix-blast-worker")):
            with open(f"{HERE}/{name}") as f:
                self.lab.must("exec", node, "--", "sh", "-c",
                              f"cat >/run/thief/{to} && chmod 755 /run/thief/{to}", input=f.read())
        self.lab.must("exec", node, "--", "mount", "--bind", "/run/thief", "/opt/comosix/bin")

    def read(self, name):
        with open(f"{self.dir}/{name}", "rb") as f:
            return f.read()

    def await_task(self, node):
        """Until the node works for the search: a worker of it runs there."""
        deadline = time.monotonic() + labs.TIMEOUT
        look = "grep -lz -e comosix-blast-worker /proc/[0-9]*/cmdline"
        while not self.lab.on(node, "sh", "-c", look).stdout:
            self.assertLess(time.monotonic(), deadline, f"no worker on {node}")

    def test_1_formats(self):
        for outfmt in ("0", "5", "6", "7"):
            with self.subTest(outfmt=outfmt):
                self.finish(self.search("small", "few", "-outfmt", outfmt, out="formats.out"))
                self.assertEqual(self.read("formats.out"),
                                 self.plain("small", "few", "-outfmt", outfmt))

    @unittest.skipUnless(USER, "this machine has no user")
    def test_2_as_a_user(self):
        with tempfile.TemporaryDirectory() as home:
            os.chown(home, USER.pw_uid, USER.pw_gid)
            for name in os.listdir(self.dir):
                if name.startswith(("small", "few")):
                    shutil.copy(f"{self.dir}/{name}", home)
            os.chmod(home, 0o755)
            # the command itself, where this user can reach it
            comosix = shutil.copy(labs.COMOSIX, self.dir)
            self.finish(self.search("small", "few", out="user.out", cwd=home, executable=comosix,
                                    user=USER.pw_uid, group=USER.pw_gid, extra_groups=[]))
            self.assertEqual(os.stat(f"{home}/user.out").st_uid, USER.pw_uid)
            with open(f"{home}/user.out", "rb") as f:
                self.assertEqual(f.read(), self.plain("small", "few"))

    def test_3_nodes_fail_in_the_middle(self):
        """One loses its power, another its network; a third sits behind NAT all the time."""
        expected = self.plain("large", "many")
        p = self.search("large", "many", out="failed.out")
        for node in ("n1", "n2"):
            self.await_task(node)
        self.lab.must("kill", "n1")
        self.lab.must("cut", "n2")
        summary, nodes, _ = self.finish(p)
        self.assertEqual(self.read("failed.out"), expected)
        if labs.has_nft():
            # it took part: the database came through its relay; others may have been quicker
            self.assertGreater(nodes["n3"]["fetched_bytes"], 0, summary)
        # they come back, and are worked with again
        self.lab.must("start", "n1")
        self.lab.must("heal", "n2")

    def test_4_the_cache_is_roots(self):
        """What a task has fetched is given to root, and is there for the tasks of other uids."""
        def await_kept(node):
            deadline = time.monotonic() + labs.TIMEOUT
            look = ("find /var/lib/comosix/cache -type f ! -name '*.lock' "
                    "\\( ! -user root -o ! -perm 0444 \\)")
            while (left := self.lab.on(node, "sh", "-c", look).stdout):
                self.assertLess(time.monotonic(), deadline, left)

        _, first, _ = self.finish(self.search("small", "few", out="first.out"))
        have = [n for n, row in first.items() if row["cached_bytes"] + row["fetched_bytes"]]
        self.assertTrue(have)
        for node in have:
            await_kept(node)
        _, second, _ = self.finish(self.search("small", "few", out="second.out"))
        for node in set(have) & set(second):
            self.assertEqual(second[node]["fetched_bytes"], 0, second)

    def test_5_a_desktop_lies(self):
        """One leaves hits out; it is found out by a server or the head, named and barred."""
        expected = self.plain("large", "more", "-outfmt", "6")
        self.corrupt("n4")
        try:
            for more in (["--paranoid"], []):
                with self.subTest(more=more):
                    for _ in range(5):  # until the others leave it something to do
                        p = self.search("large", "more", "-outfmt", "6", "--per-node", "1", *more,
                                        out="lied.out")
                        summary, nodes, err = self.finish(p)
                        self.assertEqual(self.read("lied.out"), expected)
                        if nodes["n4"]["tasks"]:
                            break
                    self.assertEqual([n for n in nodes if nodes[n]["lied"]], ["n4"], summary)
                    self.assertIn("mpiblast: n4 gave a false answer", err)
                    self.assertGreater(summary["checks"]["false"], 0, summary)
                    # only who is trusted checks
                    checkers = {n for n in nodes if nodes[n]["checks"]}
                    self.assertFalse(checkers & {"n2", "n3", "n4"}, summary)
        finally:
            self.lab.must("exec", "n4", "--", "umount", "/opt/comosix/bin")


if __name__ == "__main__":
    why = labs.lacking()
    if not why and not os.path.exists(EXAMPLES + "/DB.fasta.gz"):
        why = f"no {EXAMPLES}: apt install mmseqs2-examples"
    if not why and not shutil.which("blastp"):
        why = "no blastp: apt install ncbi-blast+"
    if why:
        print(why)
        sys.exit(77)
    unittest.main()
