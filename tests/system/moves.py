#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""moves.py - what comosixd does about moved processes, with halves that move nothing

The halves are tests/halves/half.c: they prove to each other that they were given the same stream and
the same key, and report stages as the real ones do.
"""
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import frames as w
import nodes

HALVES = None
NOBODY = pwd.getpwnam("nobody").pw_uid
REFUSED, NOT_FOUND = 5, 4
AWAY, ENDED = 6, 9
STAYED, HOME, EXITED, LOST = 1, 2, 3, 4


def number(message, key):
    return message.get(key, [0])[0]


def text(message, key):
    return message.get(key, [b""])[0].decode()


class Order:
    """OPEN MIGRATE and what is answered."""

    def __init__(self, node, pid, to):
        self.stream, kind, payload = node.ask(w.OPEN_MIGRATE, body=w.message(f1=pid, f2=to))
        self.stages, self.status, self.text, self.fate = [], None, None, 0
        if kind == w.ERROR:
            error = w.parse(payload)
            self.status, self.text = number(error, 1), text(error, 2)
            self.stream.close()
        else:
            assert kind == w.OPEN_OK, kind

    def wait(self, stage=None):
        """Until its end, or until that stage."""
        while self.status is None:
            kind, payload = self.stream.next()
            assert kind == w.HALF, kind
            half = w.parse(payload)
            if 16 in half:
                self.stages.append(number(w.parse(half[16][0]), 1))
                if self.stages[-1] == stage:
                    return self
            else:
                end = w.parse(half[17][0])
                self.status, self.text, self.fate = number(end, 1), text(end, 2), number(end, 4)
                self.stream.close()
        return self


def processes_of(name):
    """pids of the halves that run now"""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe") == os.path.join(HALVES, name):
                found.append(int(pid))
        except OSError:
            pass
    return found


def wait_moves(node, wanted):
    """By the events of MOVES with follow, until the table is as wanted."""
    stream, kind, _ = node.ask(w.OPEN_MOVES, body=w.message(f1=True))
    assert kind == w.OPEN_OK, kind
    rows, whole = {}, False
    while not whole or not wanted(rows):
        kind, payload = stream.next()
        m = w.parse(payload)
        whole |= bool(number(m, 1))
        key = number(m, 4), bool(number(m, 3))
        if number(m, 9) == ENDED:
            rows.pop(key, None)
        elif not number(m, 1):
            rows[key] = m
    stream.close()
    return rows


class Moves(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.c = nodes.Cluster(("head", "head"), ("s1", "server"), ("d1", "desktop"),
                              ("r1", "server", "relayed"))
        for n in cls.c.nodes.values():
            n.extra = ["--halves", HALVES]
            n.start()
        cls.c.wait_all()

    @classmethod
    def tearDownClass(cls):
        cls.c.close()

    def setUp(self):
        self.victims = []

    def tearDown(self):
        for v in self.victims:
            v.kill()
            v.wait()
        # nothing is left of what the case has moved
        for n in self.c.nodes.values():
            if n.process:
                wait_moves(n, lambda rows: not rows)
                self.assertEqual(os.listdir(os.path.join(n.run, "moves")), [])

    def victim(self, uid=NOBODY, name="sleep"):
        path = shutil.which("sleep")
        if name != "sleep":  # a process is called as the file that it was started from
            link = os.path.join(self.c.dir, name)
            os.symlink(path, link)
            path = link
        v = subprocess.Popen([path, "1000"], user=uid, group=uid, stdin=subprocess.DEVNULL)
        self.victims.append(v)
        return v.pid

    def moves(self, node, **more):
        """{(pid, guest): MoveInfo} now"""
        stream, kind, _ = node.ask(w.OPEN_MOVES, body=w.message(**more))
        self.assertEqual(kind, w.OPEN_OK)
        rows = {}
        while True:
            kind, payload = stream.next()
            self.assertEqual(kind, w.MOVE)
            m = w.parse(payload)
            if number(m, 1):
                stream.close()
                return rows
            rows[number(m, 4), bool(number(m, 3))] = m

    def ok(self, order):
        order.wait()
        self.assertEqual(order.status, 0, order.text)
        return order

    def refused(self, order, says, status=REFUSED):
        order.wait()
        self.assertIn(says, order.text)
        self.assertEqual(order.status, status)

    # ---- there and back ----

    def there_and_back(self, home, host):
        pid = self.victim()
        order = self.ok(Order(self.c[home], pid, host))
        self.assertEqual(order.stages, sorted(order.stages))
        self.assertEqual(order.stages[-1], AWAY)
        row = self.moves(self.c[home])[pid, False]
        self.assertEqual((text(row, 6), text(row, 7), text(row, 8), number(row, 9)),
                         ("nobody", home, host, AWAY))
        self.assertEqual(text(row, 15), "sleep")
        guest = self.moves(self.c[host])[pid, True]
        self.assertEqual((text(guest, 7), text(guest, 8), guest[2]), (home, host, row[2]))
        self.assertEqual(self.c[host].status()["counters"]["guests"], 1)
        order = self.ok(Order(self.c[home], pid, "home"))
        self.assertEqual(order.fate, HOME)

    def test_direct(self):
        self.there_and_back("head", "s1")

    def test_to_and_from_a_node_behind_a_relay(self):
        self.there_and_back("s1", "r1")
        self.there_and_back("head", "r1")  # which holds its connection itself
        self.there_and_back("r1", "s1")

    def test_one_host_to_the_next(self):
        pid = self.victim()
        self.ok(Order(self.c["head"], pid, "s1"))
        self.ok(Order(self.c["head"], pid, "r1"))
        self.assertEqual(text(self.moves(self.c["head"])[pid, False], 8), "r1")
        self.ok(Order(self.c["head"], pid, "r1"))  # it is there: nothing to be done
        self.ok(Order(self.c["head"], pid, "home"))
        self.ok(Order(self.c["head"], pid, "home"))

    def test_best(self):
        pid = self.victim()
        self.ok(Order(self.c["s1"], pid, "best"))
        self.assertIn(text(self.moves(self.c["s1"])[pid, False], 8), ("head", "r1"))
        self.ok(Order(self.c["s1"], pid, "home"))

    def test_the_head_knows_of_all(self):
        pid, own = self.victim(), self.victim()
        stream, kind, _ = self.c["head"].ask(w.OPEN_MOVES, body=w.message(f1=True, f2=True))
        self.assertEqual(kind, w.OPEN_OK)
        rows = {}

        def until(wanted):
            while not wanted():
                row = w.parse(stream.next()[1])
                if number(row, 4):
                    rows[number(row, 4)] = row
        self.ok(Order(self.c["r1"], pid, "s1"))
        self.ok(Order(self.c["head"], own, "s1"))
        until(lambda: {number(r, 9) for r in rows.values()} == {AWAY} and len(rows) == 2)
        self.assertEqual((text(rows[pid], 7), text(rows[pid], 8)), ("r1", "s1"))
        self.assertEqual((text(rows[own], 7), text(rows[own], 8)), ("head", "s1"))
        now = self.moves(self.c["head"], f2=True)
        self.assertEqual(set(now), {(pid, False), (own, False)})
        self.ok(Order(self.c["r1"], pid, "home"))
        until(lambda: number(rows[pid], 9) == ENDED)
        self.assertEqual(number(rows[pid], 17), HOME)
        self.ok(Order(self.c["head"], own, "home"))
        stream.close()

    # ---- who may ----

    def test_refusals(self):
        head, pid = self.c["head"], self.victim()
        self.refused(Order(head, self.victim(uid=0), "s1"), "system accounts")
        self.refused(Order(head, pid, "d1"), "mosrun")
        self.refused(Order(head, pid, "nosuch"), "no node 'nosuch'", NOT_FOUND)
        self.refused(Order(head, self.victim(name="stays"), "s1"), "called 'stays'")
        self.refused(Order(self.c["d1"], pid, "s1"), "a desktop only hosts")
        self.refused(Order(head, 2 ** 22 + 1, "s1"), "no process", NOT_FOUND)
        self.refused(Order(head, 2, "s1"), "kernel thread", 1) if os.path.exists("/proc/2") else None

    def test_it_stays_where_it_is_when_the_next_host_refuses(self):
        head, pid = self.c["head"], self.victim()
        self.ok(Order(head, pid, "s1"))
        self.refused(Order(head, pid, "nosuch"), "no node 'nosuch'", NOT_FOUND)
        self.refused(Order(head, pid, "d1"), "mosrun")
        self.assertEqual(text(self.moves(head)[pid, False], 8), "s1")
        self.ok(Order(head, pid, "r1"))
        self.ok(Order(head, pid, "home"))

    def test_of_others(self):
        pid = self.victim()
        code = (
            "import os, sys, socket; os.setgroups([]); os.setgid(1); os.setuid(1);"
            "sys.path.insert(0, {0!r}); import frames as w;"
            "s = socket.socket(socket.AF_UNIX); s.connect({1!r}); t = w.Stream(s);"
            "s.sendall(w.open_frame(w.OPEN_MIGRATE, '', 0, 'root', w.message(f1={2}, f2='s1')));"
            "print(t.next())").format(os.path.dirname(os.path.abspath(__file__)),
                                      self.c["head"].socket, pid)
        out = subprocess.run([sys.executable, "-c", code], capture_output=True,
                             timeout=nodes.PATIENCE).stdout
        self.assertIn(b"only its owner or root", out)

    # ---- what breaks ----

    def test_a_daemon_goes_and_comes(self):
        pid = self.victim()
        self.ok(Order(self.c["head"], pid, "s1"))
        before = self.moves(self.c["head"])[pid, False], self.moves(self.c["s1"])[pid, True]
        halves = processes_of("comosix-deputy") + processes_of("comosix-guest")
        for name, signo in (("s1", signal.SIGKILL), ("head", signal.SIGTERM)):
            self.c[name].end(signo)
            self.c[name].start()
            self.c[name].wait_log("found running")
        self.assertEqual(halves, processes_of("comosix-deputy") + processes_of("comosix-guest"))
        after = self.moves(self.c["head"])[pid, False], self.moves(self.c["s1"])[pid, True]
        for b, a in zip(before, after):
            for key in (2, 4, 5, 7, 8, 9):
                self.assertEqual(b.get(key), a.get(key), key)
        self.c.wait_all()
        self.ok(Order(self.c["head"], pid, "home"))

    def test_a_relay_goes(self):
        """The daemons are in the path then: their streams break, and new ones are made."""
        pid = self.victim()
        self.ok(Order(self.c["s1"], pid, "r1"))
        self.c["r1"].end(signal.SIGKILL)
        self.c["r1"].start()
        self.c["r1"].wait_log("found running")
        self.c["s1"].wait_log("a new transport to r1")
        self.ok(Order(self.c["s1"], pid, "home"))

    def test_a_half_dies(self):
        pid = self.victim()
        self.ok(Order(self.c["head"], pid, "s1"))
        lost = self.c["head"].status()["counters"]["moves_lost"]
        for half in processes_of("comosix-deputy"):
            os.kill(half, signal.SIGKILL)
        wait_moves(self.c["head"], lambda rows: not rows)
        self.assertEqual(self.c["head"].status()["counters"]["moves_lost"], lost + 1)
        self.assertIn("killed by signal 9", self.c["head"].log())
        # its guest would be alone until its lease is over
        self.c["s1"].wait_log("its half at home is dead")
        wait_moves(self.c["s1"], lambda rows: not rows)

    def test_the_client_goes_the_move_goes_on(self):
        pid = self.victim()
        Order(self.c["head"], pid, "s1").stream.close()
        wait_moves(self.c["head"], lambda rows: number(rows.get((pid, False), {}), 9) == AWAY)
        self.ok(Order(self.c["head"], pid, "home"))

    # ---- jobs ----

    def job(self, node, stay=False):
        """A sleep that asked to be a job, as mosrun does."""
        code = (
            "import os, sys, socket; sys.path.insert(0, {0!r}); import frames as w;"
            "s = socket.socket(socket.AF_UNIX); s.connect({1!r}); t = w.Stream(s);"
            "s.sendall(w.open_frame(w.OPEN_JOB, body=w.message(f1={2})));"
            "print(t.next()[0], flush=True); os.execv('/bin/sleep', ['sleep', '1000'])"
        ).format(os.path.dirname(os.path.abspath(__file__)), node.socket, stay)
        v = subprocess.Popen([sys.executable, "-c", code], user=NOBODY, group=NOBODY,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.victims.append(v)
        self.addCleanup(v.stdout.close)
        self.assertEqual(v.stdout.readline(), b"%d\n" % w.OPEN_OK)
        end = time.monotonic() + nodes.PATIENCE
        while os.path.basename(os.readlink(f"/proc/{v.pid}/exe")) != "sleep":
            self.assertLess(time.monotonic(), end)  # exec has no event for us
            time.sleep(0.01)
        return v.pid

    def test_a_job_may_go_to_a_desktop(self):
        pid = self.job(self.c["head"])
        with open(f"/proc/{pid}/cgroup") as f:
            self.assertIn(f"comosix-job-{NOBODY}-", f.read())
        self.ok(Order(self.c["head"], pid, "d1"))
        self.assertTrue(number(self.moves(self.c["head"])[pid, False], 13))
        self.ok(Order(self.c["head"], pid, "home"))

    def test_a_job_that_stays(self):
        pid = self.job(self.c["head"], stay=True)
        self.refused(Order(self.c["head"], pid, "s1"), "stays at home")

    def test_a_desktop_makes_no_jobs(self):
        stream, kind, payload = self.c["d1"].ask(w.OPEN_JOB, body=b"")
        stream.close()
        self.assertEqual((kind, number(w.parse(payload), 1)), (w.ERROR, REFUSED))


class Real(unittest.TestCase):
    """The same with comosix-deputy and comosix-guest: the program must not notice."""

    COUNT = "$| = 1; for $i (1 .. 100000) { print \"$i\\n\"; select(undef, undef, undef, 0.005) }"

    def setUp(self):
        self.c = nodes.Cluster(("head", "head"), ("s1", "server"), ("r1", "server", "relayed"),
                               ("d1", "desktop"))
        self.addCleanup(self.c.close)
        self.c.start()
        self.c.wait_all()
        self.p = subprocess.Popen(["/usr/bin/perl", "-e", self.COUNT], user=NOBODY, group=NOBODY,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(self.p.stdout.close)
        self.addCleanup(self.p.wait)
        self.addCleanup(self.p.kill)
        self.said = 0
        self.goes_on()

    def goes_on(self):
        """It counts on, and has left nothing out."""
        for _ in range(20):
            self.said += 1
            self.assertEqual(self.p.stdout.readline(), b"%d\n" % self.said)

    def move(self, to):
        order = Order(self.c["head"], self.p.pid, to).wait()
        self.assertEqual(order.status, 0, order.text)
        self.goes_on()

    def test_there_and_back(self):
        for _ in range(3):
            self.move("s1")
            self.assertEqual(self.c["s1"].status()["counters"]["guests"], 1)
            self.move("home")
            self.assertEqual(self.c["head"].status()["counters"]["away"], 0)
        with open(f"/proc/{self.p.pid}/status") as f:
            self.assertIn("TracerPid:\t0\n", f.read())

    def test_daemons_are_killed_meanwhile(self):
        self.move("s1")
        for name in ("head", "s1", "head"):
            self.c[name].end(signal.SIGKILL)
            self.goes_on()
            self.c[name].start()
            self.c[name].wait_log("found running")
            self.goes_on()
        self.move("home")

    def test_daemons_in_the_path_are_killed(self):
        self.move("r1")
        for name in ("r1", "head"):
            self.c[name].end(signal.SIGKILL)
            self.c[name].start()
            self.c[name].wait_log("found running")
            self.goes_on()
        self.c["head"].wait_log("a new transport to r1")
        self.move("home")

    def test_a_job_on_a_desktop(self):
        p = subprocess.Popen([os.path.join(nodes.BIN, "mosrun"), "/usr/bin/perl", "-e", self.COUNT],
                             user=NOBODY, group=NOBODY, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE,
                             env=dict(os.environ, COMOSIX_SOCKET=self.c["head"].socket))
        for end in (p.stdout.close, p.wait, p.kill):
            self.addCleanup(end)
        self.p, self.said = p, 0
        self.goes_on()
        self.move("d1")
        self.move("home")
        with open(f"/proc/{p.pid}/status") as f:  # confined for good
            self.assertIn("NoNewPrivs:\t1\n", f.read())
        self.move("d1")
        self.move("home")

    # its words go to a file, and nobody else hears of it
    WRITE = ("open(my $f, '>>', $ARGV[0]); $f->autoflush(1); use IO::Handle; "
             "for $i (1 .. 100000) { print $f \"$i\\n\"; select(undef, undef, undef, 0.002) }")

    def job_with_images(self, interval):
        place = tempfile.mkdtemp(dir="/var/tmp")
        self.addCleanup(shutil.rmtree, place)
        os.chown(place, NOBODY, NOBODY)
        self.file = os.path.join(place, "out")
        p = subprocess.Popen([os.path.join(nodes.BIN, "mosrun"), "--checkpoint", interval, "--checkpoint-dir", place,
                              "/usr/bin/perl", "-e", self.WRITE, self.file],
                             user=NOBODY, group=NOBODY, stdin=subprocess.DEVNULL,
                             env=dict(os.environ, COMOSIX_SOCKET=self.c["head"].socket))
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        self.grows()
        order = Order(self.c["head"], p.pid, "s1").wait()
        self.assertEqual(order.status, 0, order.text)
        self.grows()
        return p

    def lines(self):
        try:
            with open(self.file) as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def grows(self):
        least, end = len(self.lines()) + 50, time.monotonic() + nodes.PATIENCE
        while len(self.lines()) < least:
            self.assertLess(time.monotonic(), end, "it writes nothing")
            time.sleep(0.05)

    def guest_of_s1(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    words = f.read().rsplit(")", 1)[1].split()
                if os.readlink(f"/proc/{pid}/exe").endswith("/comosix-guest") and \
                        int(words[1]) == self.c["s1"].process.pid:
                    return int(pid)
            except OSError:
                pass
        raise AssertionError("s1 has no guest")

    def is_home(self, p):
        self.c["head"].wait_log("goes on at home from its image")
        self.grows()
        p.kill()
        p.wait()
        self.assertEqual(self.lines(), [str(n) for n in range(1, len(self.lines()) + 1)])

    def test_a_job_goes_on_when_its_guest_is_killed(self):
        p = self.job_with_images("200ms")
        os.kill(self.guest_of_s1(), signal.SIGKILL)
        self.is_home(p)

    def test_a_job_goes_on_when_its_node_is_lost(self):
        p = self.job_with_images("200ms")
        guest = self.guest_of_s1()
        self.c["s1"].end(signal.SIGKILL)
        os.kill(guest, signal.SIGKILL)
        self.is_home(p)  # after its lease

    def test_it_ends_while_away(self):
        self.move("s1")
        self.p.kill()
        self.assertEqual(self.p.wait(), -signal.SIGKILL)
        for name in ("head", "s1"):
            wait_moves(self.c[name], lambda rows: not rows)
        self.assertEqual(self.c["head"].status()["counters"]["moves_lost"], 0)

    def test_what_cannot_move_is_said(self):
        code = ("import mmap, os, time; m = mmap.mmap(-1, 4096); pid = os.fork(); "
                "print('up', flush=True); time.sleep(1000)")
        p = subprocess.Popen(["/usr/bin/python3", "-c", code], user=NOBODY, group=NOBODY,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.wait)
        self.addCleanup(os.killpg, p.pid, signal.SIGKILL)
        p.stdout.readline()
        order = Order(self.c["head"], p.pid, "s1").wait()
        self.assertEqual((order.status, order.fate), (REFUSED, STAYED))
        self.assertIn("shares memory with another process", order.text)


class Settings(unittest.TestCase):
    def test_limits_and_trust(self):
        with_settings = nodes.Cluster(("head", "head"), ("d1", "desktop"), ("s1", "server"))
        self.addCleanup(with_settings.close)
        path = os.path.join(with_settings.dir, "d1.ini")
        with open(path, "w") as f:
            f.write("[guests]\nmax = 1\n[other]\nwhat = ever\n")
        with_settings["d1"].extra = ["--halves", HALVES, "--config", path]
        with_settings["head"].extra = ["--halves", HALVES, "--trust-desktops", "full"]
        with_settings["s1"].extra = ["--halves", HALVES]
        with_settings.start()
        with_settings.wait_all()
        sleeps = [subprocess.Popen(["/bin/sleep", "1000"], user=NOBODY, group=NOBODY)
                  for _ in range(2)]
        for s in sleeps:
            self.addCleanup(s.wait)
            self.addCleanup(s.kill)
        self.assertEqual(Order(with_settings["head"], sleeps[0].pid, "d1").wait().status, 0)
        second = Order(with_settings["head"], sleeps[1].pid, "d1").wait()
        self.assertEqual((second.status, "all it takes" in second.text), (REFUSED, True))
        # and one that is away already is not fetched home for it
        self.assertEqual(Order(with_settings["head"], sleeps[1].pid, "s1").wait().status, 0)
        third = Order(with_settings["head"], sleeps[1].pid, "d1").wait()
        self.assertEqual(third.status, REFUSED)
        self.assertIn("it stays where it is", third.text)
        self.assertEqual(third.stages, [])
        self.assertEqual(Order(with_settings["head"], sleeps[1].pid, "home").wait().status, 0)
        self.assertEqual(Order(with_settings["head"], sleeps[0].pid, "home").wait().status, 0)


if __name__ == "__main__":
    HALVES = os.path.realpath(sys.argv.pop(1))
    if os.geteuid():
        print("comosixd moves processes as root only")
        sys.exit(77)
    unittest.main(verbosity=2)
