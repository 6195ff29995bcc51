#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""exec_live.py - comosix exec through real comosixd: head, server and desktop on the loopback

The three share this machine's accounts, so that name and uid agree. What exec itself promises is in
exec.py; here is what it takes two daemons to show: who may, what a lost daemon means, that all dies.
"""
import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import frames as w

BIN = os.environ["COMOSIX_BIN"]
AUTHORITY = sys.argv.pop(1)
NOBODY = pwd.getpwnam("nobody")
NODES = [("head", 1, "head"), ("s1", 2, "server"), ("d1", 3, "desktop")]


def free_ports(n):
    socks = [socket.socket() for _ in range(n)]
    for s in socks:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


def wait_gone(pid):
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 60)[0])
    finally:
        os.close(fd)


class Cluster:
    def __init__(self, *options):
        self.options = options
        self.dir = tempfile.mkdtemp(prefix="exec-live.")
        os.chmod(self.dir, 0o755)
        self.ports = dict(zip([n[0] for n in NODES], free_ports(len(NODES))))
        self.authority = subprocess.Popen([AUTHORITY], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, text=True)
        self.daemons = {}
        for name, number, role in NODES:
            self.order("issue %s %s %s %d -300 86400 %s" % (self.state(name), role, name, number,
                                                            self.peers(name)))
            self.start(name)
        self.operator = os.path.join(self.dir, "operator.pem")
        self.order("operator " + self.operator)

    def state(self, name):
        return os.path.join(self.dir, name)

    def socket(self, name):
        return os.path.join(self.dir, name, "run", "comosixd.sock")

    def peers(self, name):
        return json.dumps([{"name": n, "id": i, "role": r, "address": "127.0.0.1:%d" % self.ports[n]}
                           for n, i, r in NODES if n != name])

    def order(self, line):
        self.authority.stdin.write(line + "\n")
        self.authority.stdin.flush()
        answer = self.authority.stdout.readline()
        assert answer == "ok\n", (line, answer)

    def start(self, name):
        os.chmod(self.state(name), 0o711)
        os.makedirs(os.path.dirname(self.socket(name)), exist_ok=True)
        with open(self.state(name) + "/log", "ab") as log:
            self.daemons[name] = subprocess.Popen(
                [os.path.join(BIN, "comosixd"), "--state", self.state(name),
                 "--run", os.path.dirname(self.socket(name)), "--cache", self.state(name) + "/cache",
                 "--config", "/dev/null", "--listen", "127.0.0.1:%d" % self.ports[name], *self.options],
                stderr=log)

    def wait_alive(self, at, *names):
        """By the daemon's own stream of members; a daemon that does not come fails the test."""
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(self.socket(at))
                break
            except OSError:
                sock.close()
                assert self.daemons[at].poll() is None, self.log(at)
                select.select([], [], [], 0.02)
        stream = w.Stream(sock, timeout=120)
        stream.send(w.OPEN, w.message(f1=w.OPEN_MEMBERS, f5=w.message(f1=True)))
        alive = set()
        while not alive.issuperset(names):
            kind, payload = stream.next()
            m = w.parse(payload)
            if kind == w.MEMBER and 2 in m:
                name = m[2][0].decode()
                (alive.add if m[4][0] == b"alive" else alive.discard)(name)
        stream.close()

    def log(self, name):
        with open(self.state(name) + "/log") as f:
            return f.read()

    def end(self):
        for d in self.daemons.values():
            d.terminate()
        for d in self.daemons.values():
            d.wait(60)
        self.authority.stdin.close()
        self.authority.stdout.close()
        self.authority.wait(60)
        shutil.rmtree(self.dir)


class Case(unittest.TestCase):
    options = ()  # of comosixd

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(*cls.options)
        cls.addClassCleanup(cls.cluster.end)
        for at in ("head", "s1", "d1"):
            cls.cluster.wait_alive(at, "head", "s1", "d1")

    def start(self, *args, at="head", user=None, operator=True, **more):
        env = dict(os.environ, COMOSIX_SOCKET=self.cluster.socket(at),
                   COMOSIX_OPERATOR=self.cluster.operator if operator else "/nowhere")
        if user:
            more.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        more = dict(dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=env, cwd="/"), **more)
        return subprocess.Popen([os.path.join(BIN, "comosix"), "exec", *args], **more)

    def run_exec(self, *args, data=None, **more):
        if data is not None:
            more["stdin"] = subprocess.PIPE
        p = self.start(*args, **more)
        out, err = p.communicate(data, timeout=120)
        return p.returncode, out, err


class WhoMay(Case):
    def test_the_operator_anywhere(self):
        status, out, err = self.run_exec("@all", "--", "sh", "-c", "echo $(id -u) $COMOSIX_NODE")
        self.assertEqual((status, err), (0, b""))
        self.assertEqual(sorted(out.splitlines()), [b"d1: 0 d1", b"head: 0 head", b"s1: 0 s1"])

    def test_root_without_the_operators_word(self):
        for node, want in (("s1", 5), ("d1", 5), ("head", 0)):
            status, _, err = self.run_exec(node, "--", "true", operator=False)
            self.assertEqual(status, want, err)
        self.assertIn(b"operator", self.run_exec("s1", "--", "true", operator=False)[2])

    def test_a_user_on_servers(self):
        status, out, _ = self.run_exec("head,s1", "--", "id", "-un", user=NOBODY)
        self.assertEqual((status, sorted(out.splitlines())), (0, [b"head: nobody", b"s1: nobody"]))
        status, _, err = self.run_exec("d1", "--", "true", user=NOBODY)
        self.assertEqual(status, 5)
        self.assertIn(b"operator", err)

    def test_a_user_is_not_whom_he_says(self):
        """uid and user in OPEN are the daemon's to write."""
        code = ("import socket, sys; sys.path.insert(0, %r); import frames as w\n"
                "s = socket.socket(socket.AF_UNIX); s.connect(%r)\n"
                "s.sendall(w.open_frame(w.OPEN_EXEC, 's1', 0, 'root', w.exec_request(['id', '-u'])))\n"
                "t = w.Stream(s)\n"
                "while True:\n"
                "    kind, data = t.next()\n"
                "    if kind == w.STDOUT: print(data.decode())\n"
                "    if kind == w.EXIT: break\n" %
                ("@", self.cluster.socket("head")))
        with tempfile.TemporaryDirectory() as d:
            os.chmod(d, 0o755)
            shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "frames.py"), d)
            out = subprocess.run(["/usr/bin/python3", "-c", code.replace("'@'", repr(d))],
                                 user=NOBODY.pw_uid, group=NOBODY.pw_gid, extra_groups=[],
                                 capture_output=True, timeout=120, check=True).stdout
        self.assertEqual(out.strip(), b"%d" % NOBODY.pw_uid)

    def test_a_desktop_asks_for_nothing(self):
        status, _, err = self.run_exec("s1", "--", "true", at="d1")
        self.assertEqual(status, 5)
        self.assertIn(b"desktop", err)
        sock = socket.socket(socket.AF_UNIX)  # nor does one that was made to lie
        sock.connect(self.cluster.socket("d1"))
        sock.sendall(w.open_frame(w.OPEN_EXEC, "s1", 0, "root", w.exec_request(["true"])))
        stream = w.Stream(sock)
        kind, payload = stream.next()
        self.assertEqual((kind, w.parse(payload)[1][0]), (w.ERROR, 5))
        stream.close()


class Streams(Case):
    def test_bytes_come_whole_both_ways(self):
        data = os.urandom(8 << 20)
        self.assertEqual(self.run_exec("s1", "--", "cat", data=data), (0, data, b""))
        self.assertEqual(self.run_exec("d1", "--", "sh", "-c", "cat; exit 9", data=b"x")[:2],
                         (9, b"x"))

    def begin(self, *args):
        p = self.start(*args, "--", "sh", "-c", "setsid sleep 1000 & echo $! $$; "
                                                "while :; do sleep 0.1; done")
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.stderr.close)
        pids = [int(n) for n in p.stdout.readline().split()[-2:]]
        return p, pids

    def test_all_dies_with_the_caller(self):
        for how in (signal.SIGKILL, signal.SIGINT):
            p, pids = self.begin("s1")
            p.send_signal(how)
            p.wait(60)
            for pid in pids:
                self.assertTrue(wait_gone(pid))

    def test_interrupt_with_input_that_nobody_reads(self):
        with open("/dev/zero", "rb") as zero:
            p = self.start("s1", "--", "sh", "-c", "echo ready; while :; do sleep 0.1; done",
                           stdin=zero)
            self.assertEqual(p.stdout.readline(), b"ready\n")
            p.send_signal(signal.SIGINT)
            p.communicate(timeout=120)
            self.assertEqual(p.returncode, 130)

    def test_output_that_nobody_reads_ends_with_the_caller(self):
        p = self.start("s1", "--", "sh", "-c", "echo $$; exec cat /dev/zero")
        pid = int(p.stdout.readline())
        p.kill()
        p.wait(60)
        p.stdout.close()
        p.stderr.close()
        self.assertTrue(wait_gone(pid))

    def test_all_dies_with_the_far_daemon(self):
        p, pids = self.begin("s1")
        self.cluster.daemons["s1"].kill()
        self.cluster.daemons["s1"].wait(60)
        self.assertEqual(p.wait(60), 125)
        self.assertIn(b"connection was lost", p.stderr.read())
        for pid in pids:
            self.assertTrue(wait_gone(pid))
        self.cluster.start("s1")
        self.cluster.wait_alive("s1", "s1", "head")
        self.cluster.wait_alive("head", "s1")

    def test_all_dies_with_the_daemon_at_home(self):
        p, pids = self.begin("s1")
        self.cluster.daemons["head"].kill()
        self.cluster.daemons["head"].wait(60)
        self.assertEqual(p.wait(60), 125)
        for pid in pids:
            self.assertTrue(wait_gone(pid))
        self.cluster.start("head")
        self.cluster.wait_alive("head", "s1", "d1")
        self.cluster.wait_alive("s1", "head")


class Shares(Case):
    options = ("--streams-per-user", "2")

    def test_one_user_cannot_take_all_streams(self):
        for at, node in (("head", "head"), ("head", "s1")):
            running = []
            for _ in range(2):
                p = self.start(node, "--", "sh", "-c", "echo ready; cat", user=NOBODY, at=at,
                               stdin=subprocess.PIPE)
                self.assertEqual(p.stdout.readline(), b"ready\n")
                running.append(p)
            status, _, err = self.run_exec("head", "--", "true", user=NOBODY, at=at)
            self.assertEqual(status, 5, err)
            self.assertIn(b"uid %d has 2 streams on head" % NOBODY.pw_uid, err)
            self.assertEqual(self.run_exec("head,s1", "--", "true", at=at)[0], 0)  # another user
            for p in running:
                self.assertEqual(p.communicate(timeout=120), (b"", b""))
                self.assertEqual(p.returncode, 0)
            # what ended is counted no longer
            self.await_room(at)

    def await_room(self, at):
        while True:
            status, _, err = self.run_exec("head", "--", "true", user=NOBODY, at=at)
            if status != 5:
                break
        self.assertEqual(status, 0, err)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root: commands run as several users")
        sys.exit(77)
    unittest.main()
