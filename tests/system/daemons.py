#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""daemons.py - several comosixd on loopback: they meet, obey, and bear what is thrown at them"""
import os
import pwd
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import frames as w
import nodes

NOBODY = pwd.getpwnam("nobody").pw_uid
CLUSTER = "00112233445566778899aabbccddeeff"
STATEMENT = 34
WANT_PAIR, WANT_OPEN, WANT_CONTROL, WANT_RELAY, WANT_ACCEPT = 1, 2, 3, 4, 5


def tls(node, identity):
    """A TLS connection to a node with the key of a state directory; Python knows no comosixd."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.minimum_version = ssl.TLSVersion.TLSv1_3
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    ctx.set_alpn_protocols(["comosix/1"])
    ctx.load_cert_chain(os.path.join(identity, "cert.pem"), os.path.join(identity, "key.pem"))
    raw = socket.create_connection(("127.0.0.1", node.port), timeout=nodes.PATIENCE)
    return ctx.wrap_socket(raw)


def hello(want=WANT_PAIR, low=1, high=1, **more):
    return w.message(f1=low, f2=high, f3="test", f4=want, **more)


def first_answer(node, identity, *frames):
    """What a node answers to frames; None when it hangs up instead."""
    try:
        with tls(node, identity) as s:
            for f in frames:
                s.sendall(f)
            return w.Stream(s, nodes.PATIENCE).next()
    except (ssl.SSLError, ConnectionError):
        return None


class Together(unittest.TestCase):
    """One cluster for all cases: nothing that a case does may disturb the next."""

    @classmethod
    def setUpClass(cls):
        cls.c = nodes.Cluster(("head", "head"), ("s1", "server"), ("d1", "desktop"),
                              ("r1", "desktop", "relayed"), ("spare", "server"),
                              ("toy", "desktop"))
        for n in ("head", "s1", "d1", "r1"):
            cls.c[n].start()
        cls.c.wait_all()

    @classmethod
    def tearDownClass(cls):
        cls.c.close()

    def tearDown(self):
        # nobody else was disturbed: all are there, and each can be reached
        self.c.wait_all()

    def make_identity(self, name, role, number, start, end, authority=None):
        path = os.path.join(self.c.dir, "id-" + name)
        (authority or self.c.authority).do("issue", path, role, name, number, start, end, "[]")
        return path

    # ---- streams ----

    def test_operator_reaches_all(self):
        r = self.c.head.exec("head,s1,d1,r1", "sh", "-c", "echo $COMOSIX_NODE; id -u")
        self.assertEqual(r.returncode, 0, r.stderr)
        got = sorted(r.stdout.decode().split("\n")[:-1])
        self.assertEqual(got, sorted("%s: %s" % (n, x) for n in ("head", "s1", "d1", "r1")
                                     for x in (n, "0")))

    def test_root_without_proof_is_refused(self):
        r = self.c.head.exec("s1", "id", operator=False)
        self.assertEqual(r.returncode, 5)
        self.assertIn(b"below 1000", r.stderr)

    def user_open(self, at, node):
        """OPEN EXEC as nobody: (type, payload) of the first answer, and the output."""
        code = (
            "import os, sys, socket; os.setgroups([]); os.setgid({0}); os.setuid({0});"
            "sys.path.insert(0, {1!r}); import frames as w;"
            "s = socket.socket(socket.AF_UNIX); s.connect({2!r}); t = w.Stream(s);"
            "s.sendall(w.open_frame(w.OPEN_EXEC, {3!r}, 0, 'root', w.exec_request(['id', '-un'])));"
            "print([t.next() for i in range(3)])"
        ).format(NOBODY, os.path.dirname(os.path.abspath(__file__)), at.socket, node)
        return subprocess.run([sys.executable, "-c", code], capture_output=True,
                              timeout=nodes.PATIENCE).stdout

    def test_a_user_is_who_the_kernel_says(self):
        out = self.user_open(self.c.head, "s1")
        self.assertIn(b"nobody", out)
        self.assertNotIn(b"root", out)

    def test_a_user_may_not_use_desktops(self):
        self.assertIn(b"desktop runs commands of the operator only",
                      self.user_open(self.c.head, "d1"))

    def test_a_desktop_may_not_ask(self):
        r = self.c["d1"].exec("s1", "id")
        self.assertEqual(r.returncode, 5, r.stderr)

    def test_a_lying_desktop_may_not_ask_either(self):
        with tls(self.c["s1"], os.path.join(self.c.dir, "toy")) as s:
            s.sendall(w.frame(w.HELLO, hello(WANT_OPEN)) + w.open_frame(
                w.OPEN_EXEC, "s1", NOBODY, "nobody", w.exec_request(["id"])))
            t = w.Stream(s, nodes.PATIENCE)
            self.assertEqual(t.next()[0], w.HELLO)
            kind, payload = t.next()
        self.assertEqual((kind, w.parse(payload)[1]), (w.ERROR, [5]))

    def test_a_lot_of_data_through_a_relay(self):
        data = os.urandom(1 << 20) * 8
        with open(os.path.join(self.c.dir, "data"), "wb+") as f:
            f.write(data)
            f.seek(0)
            r = self.c["s1"].exec("r1", "cat", stdin=f)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertTrue(r.stdout == data)

    def test_unknown_node(self):
        stream, kind, payload = self.c.head.ask(w.OPEN_EXEC, "nosuch",
                                                w.exec_request(["true"]))
        stream.close()
        self.assertEqual((kind, w.parse(payload)[1]), (w.ERROR, [4]))

    def test_a_task_that_nobody_knows(self):
        stream, kind, payload = self.c.head.ask(w.OPEN_TASK, "s1", w.message(f1="mine"))
        stream.close()
        self.assertEqual((kind, w.parse(payload)[1]), (w.ERROR, [4]))

    def open_task(self, name):
        """A stream of a blast worker, or None when the node takes no more."""
        stream, kind, payload = self.c.head.ask(w.OPEN_TASK, name, w.message(f1="blast"))
        if kind == w.OPEN_OK:
            return stream
        stream.close()
        self.assertEqual((kind, w.parse(payload)[1]), (w.ERROR, [5]))
        return None

    def boxed(self, name):
        """The uids of a node's range under which something runs."""
        first, found = self.c[name].task_uids, set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                uid = os.stat("/proc/" + pid).st_uid
            except FileNotFoundError:
                continue
            if first <= uid < first + 256:
                found.add(uid)
        return found

    def wait_boxed(self, name, n):
        # processes of others have no event for us
        end = time.monotonic() + nodes.PATIENCE
        while len(self.boxed(name)) != n:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_tasks_have_boxes_of_their_own_and_a_limit(self):
        streams = []
        while s := self.open_task("d1"):
            streams.append(s)
            self.assertLessEqual(len(streams), 256)
        self.assertGreaterEqual(len(streams), 2)
        self.wait_boxed("d1", len(streams))
        for s in streams:
            s.close()
        self.wait_boxed("d1", 0)
        end = time.monotonic() + nodes.PATIENCE
        while not (s := self.open_task("d1")):  # a slot is free when its box was reaped
            self.assertLess(time.monotonic(), end)
        s.close()
        self.wait_boxed("d1", 0)

    # ---- who is let in ----

    def test_wrong_certificates(self):
        other = nodes.Authority()
        strange = self.make_identity("strange", "server", 50, -300, 3600, other)
        other.close()
        expired = self.make_identity("expired", "server", 51, -7200, -3600)
        for identity, why in ((strange, "not of our authority"), (expired, "has expired")):
            before = self.c["s1"].status()["counters"]["handshakes_failed"]
            self.assertIsNone(first_answer(self.c["s1"], identity, w.frame(w.HELLO, hello())))
            self.c["s1"].wait_counter("handshakes_failed", before + 1)
        self.assertIn("connection from 127.0.0.1", self.c["s1"].log())

    def test_an_old_version_is_told(self):
        spare = os.path.join(self.c.dir, "spare")
        kind, payload = first_answer(self.c["s1"], spare, w.frame(w.HELLO, hello(low=0, high=0)))
        self.assertEqual(kind, w.ERROR)
        self.assertIn(b"upgrade", w.parse(payload)[2][0])

    def test_nonsense_after_the_handshake(self):
        spare = os.path.join(self.c.dir, "spare")
        for junk in (b"\xff" * 64,                                # a frame of 4 GB
                     struct.pack(">IB3x", 10, 99) + b"x" * 10,    # an unknown type
                     w.frame(w.HELLO, b"\xff" * 30),              # no message
                     w.frame(w.STDIN, b"x"),                      # out of turn
                     w.frame(w.HELLO, hello(77))):                # an unknown want
            kind, _ = first_answer(self.c["s1"], spare, junk)
            self.assertEqual(kind, w.ERROR)

    def test_garbage_and_stalls_on_the_port(self):
        node = self.c["s1"]
        before = node.status()["counters"]["handshakes_failed"]
        stalled = socket.create_connection(("127.0.0.1", node.port), timeout=nodes.PATIENCE)
        for junk in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(3000), b"\x16\x03\x01\xff\xff" + b"\0" * 9):
            s = socket.create_connection(("127.0.0.1", node.port), timeout=nodes.PATIENCE)
            s.sendall(junk)
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(4096):  # an alert, then the end
                    pass
            except ConnectionResetError:
                pass
            s.close()
        self.assertEqual(stalled.recv(1), b"")  # it was hung up on
        stalled.close()
        node.wait_counter("handshakes_failed", before + 4)

    def test_who_hangs_up_may_come_again(self):
        node = self.c["s1"]
        before = node.status()["counters"]["handshakes_failed"]
        for _ in range(20):  # as a home does whose moves are called off while it reaches us
            socket.create_connection(("127.0.0.1", node.port), timeout=nodes.PATIENCE).close()
        node.wait_counter("handshakes_failed", before + 20)
        kind, _ = first_answer(node, os.path.join(self.c.dir, "spare"), w.frame(w.HELLO, hello()))
        self.assertEqual(kind, w.HELLO)

    def test_garbage_bars_its_sender(self):
        node = self.c["s1"]
        for _ in range(50):
            try:  # from an address of its own: others are heard
                with socket.create_connection(("127.0.0.1", node.port), nodes.PATIENCE, ("127.0.0.77", 0)) as s:
                    s.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    while s.recv(4096):
                        pass
            except OSError:
                pass
        node.wait_log("too much garbage")

    def test_garbage_datagrams(self):
        node = self.c["s1"]
        before = node.status()["counters"]
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.settimeout(nodes.PATIENCE)
            to = ("127.0.0.1", node.port)
            for n in (0, 1, 15, 31, 4000):
                s.sendto(os.urandom(n).replace(b"\1", b"\3"), to)
            s.sendto(b"\1\0\0\0" + b"abcd" + b"\0" * 60, to)
            # no key of that number: it says so, in 16 bytes
            self.assertEqual(s.recv(100)[:8], b"\2\0\0\0abcd")
        after = node.status()["counters"]
        self.assertGreaterEqual(after["datagrams_bad"], before["datagrams_bad"] + 5)
        node.wait_log("from 127.0.0.1:")
        self.assertIn("garbage or forged", node.log())
        self.assertGreaterEqual(after["datagrams_unknown"], before["datagrams_unknown"] + 1)

    def test_garbage_from_commands(self):
        for junk in (b"\xff" * 100, w.frame(w.STDIN, b"x"), w.frame(w.OPEN, b"\xff" * 9),
                     w.open_frame(77)):
            stream = self.c["d1"].connect()
            stream.sock.sendall(junk)
            self.assertEqual(stream.next()[0], w.ERROR)
            stream.close()

    def test_forged_statements(self):
        path = os.path.join(self.c.dir, "forged")
        other = nodes.Authority()
        other.do("revoke", 99, path, self.c["d1"].number)
        other.close()
        kind, _ = self.c["s1"].take_statement(path)
        self.assertEqual(kind, w.ERROR)
        spare = os.path.join(self.c.dir, "spare")
        with open(path, "rb") as f:
            first_answer(self.c["s1"], spare,
                         w.frame(w.HELLO, hello()) + w.frame(STATEMENT, f.read()))
        self.c["s1"].wait_counter("statements_bad", 2)
        self.assertEqual(self.c["s1"].status().get(7, [0]), [0])

    # ---- life ----

    def test_a_new_certificate_is_taken_up(self):
        node = self.c["s1"]
        before = node.status()[6]
        node.issue(seconds=7200)
        node.process.send_signal(signal.SIGHUP)
        node.wait_counter("renewals", 1)
        self.assertGreater(node.status()[6], before)
        r = self.c.head.exec("s1", "true")
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_killed_and_started_again(self):
        node = self.c["s1"]
        changes = self.c["head"].members()
        old = next(m[9][0] for name, _, m in changes if name == "s1")
        node.end(signal.SIGKILL)
        node.start()
        for name, state, m in changes:
            if name == "s1" and state == "alive" and m.get(9, [0])[0] > old:
                break
        changes.close()
        r = self.c.head.exec("s1", "true")
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_the_head_forgets_nobody(self):
        self.c.head.end(signal.SIGKILL)
        self.c.head.start()
        self.c.head.wait_states({n: "alive" for n in ("head", "s1", "d1", "r1")})

    def test_a_stream_ends_with_its_node(self):
        node = self.c["d1"]
        p = subprocess.Popen([os.path.join(nodes.BIN, "comosix"), "exec", "d1", "--", "sh", "-c",
                              "echo on; exec sleep 1000"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE,
                             env=dict(os.environ, COMOSIX_SOCKET=self.c.head.socket,
                                      COMOSIX_OPERATOR=os.path.join(self.c.dir, "operator.pem")))
        self.assertEqual(p.stdout.readline(), b"on\n")
        node.end(signal.SIGKILL)
        self.assertNotEqual(p.wait(nodes.PATIENCE), 0)
        p.communicate()
        node.start()


class Revoked(unittest.TestCase):
    def test_revoked_is_out_everywhere(self):
        c = nodes.Cluster(("head", "head"), ("s1", "server"), ("d1", "desktop"),
                          ("r1", "desktop", "relayed"))
        self.addCleanup(c.close)
        c.start()
        c.wait_all()
        path = os.path.join(c.dir, "list")
        c.authority.do("revoke", 1, path, c["d1"].number)
        kind, _ = c.head.take_statement(path)
        self.assertEqual(kind, w.OPEN_OK)
        for n in ("head", "s1", "r1"):
            c[n].wait_states({"d1": "revoked"})
        self.assertIsNone(first_answer(c["s1"], c["d1"].state, w.frame(w.HELLO, hello())))
        c["s1"].wait_counter("peers_revoked", 1)
        self.assertNotEqual(c.head.exec("d1", "true").returncode, 0)
        # who has lost the list gets it from whom it meets first; who restarts still knows it
        c["s1"].end(signal.SIGKILL)
        os.unlink(os.path.join(c["s1"].state, "revoked"))
        c["s1"].start()
        c["s1"].wait_log("revocation list 1")
        c["s1"].wait_states({"head": "alive"})
        self.assertIsNone(first_answer(c["s1"], c["d1"].state, w.frame(w.HELLO, hello())))
        c.head.end(signal.SIGKILL)
        c.head.start()
        self.assertEqual(c.head.status()[7], [1])
        self.assertEqual(c.head.take_statement(path)[0], w.OPEN_OK)  # known: well


class Renewal(unittest.TestCase):
    def test_a_third_of_the_life_is_left(self):
        c = nodes.Cluster(("head", "head"))
        self.addCleanup(c.close)
        c.head.issue(start=-3500, seconds=600)
        c.head.start()
        # nobody signs here: it says so, lives on, and will try again
        c.head.wait_log("'comosix node renew' failed")
        c.head.issue()
        c.head.wait_counter("renewals", 1)  # a new file is noticed without a signal


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: comosixd starts programs for users, which needs root")
        sys.exit(77)
    unittest.main(verbosity=2)
