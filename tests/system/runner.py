#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""runner.py - comosix-runner, started as comosixd starts it, on a socketpair

Each case waits for frames or for the end of a process, never for time to pass.
"""
import os
import pwd
import select
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import frames as w

BIN = os.environ["COMOSIX_BIN"]
ME = pwd.getpwuid(os.geteuid())


class Run:
    """One runner with its stream; ends it and reaps it whatever the test does."""

    def __init__(self, argv=None, user=None, uid=None, **request):
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen([os.path.join(BIN, "comosix-runner")],
                                        stdin=theirs, stdout=theirs)
        theirs.close()
        self.stream = w.Stream(ours)
        if argv is not None:
            body = w.exec_request(argv, **request)
            ours.sendall(w.open_frame(w.OPEN_EXEC, "n1", ME.pw_uid if uid is None else uid,
                                      user or ME.pw_name, body))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stream.close()
        self.process.wait(60)

    def opened(self):
        kind, payload = self.stream.next()
        assert kind == w.OPEN_OK, (kind, payload)
        return self

    def until(self, text):
        """Read output until it has this in it."""
        got = b""
        while text not in got:
            kind, payload = self.stream.next()
            if kind in (w.STDOUT, w.STDERR):
                got += payload
            assert kind != w.EXIT, got
        return got

    def finish(self):
        """(stdout, stderr, status, text)"""
        out, err = bytearray(), bytearray()
        while True:
            got = self.stream.next()
            assert got, "the stream ended without EXIT"
            kind, payload = got
            if kind == w.STDOUT:
                out += payload
            elif kind == w.STDERR:
                err += payload
            elif kind == w.EXIT:
                m = w.parse(payload)
                assert self.stream.next() is None, "something came after EXIT"
                return (bytes(out), bytes(err), m.get(1, [0])[0], m.get(2, [b""])[0].decode())


def run(argv, stdin=b"", **more):
    with Run(argv, **more) as r:
        r.opened()
        if stdin:
            r.stream.send(w.STDIN, stdin)
        r.stream.send(w.STDIN)
        return r.finish()


def wait_gone(pid):
    """Wait for the end of a process that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 60)[0])
    finally:
        os.close(fd)


class Basics(unittest.TestCase):
    def test_output_and_status(self):
        out, err, status, text = run(["sh", "-c", "echo out; echo err >&2; exit 7"])
        self.assertEqual((out, err, status, text), (b"out\n", b"err\n", 7, ""))

    def test_stdin_comes_whole_and_ends(self):
        data = os.urandom(200000)
        out, _, status, _ = run(["cat"], stdin=data)
        self.assertEqual(status, 0)
        self.assertEqual(out, data)

    def test_status_as_a_shell_says_it(self):
        for argv, status, word in ((["no-such-command"], 127, "not found"),
                                   (["/etc/passwd"], 126, "denied"),
                                   (["/"], 126, "denied"),
                                   (["sh", "-c", "kill -9 $$"], 137, ""),
                                   (["sh", "-c", "kill $$"], 143, "")):
            got = run(argv)
            self.assertEqual(got[2], status, argv)
            self.assertIn(word, got[3])

    def test_environment_is_fresh(self):
        env = ["TERM=vt100", "LC_ALL=C", "COMOSIX_JOB=7", "LD_PRELOAD=/x.so", "PATH=/evil", "BAD",
               "COMOSIX_SOCKET=/x", "=x", "LC_A\nB=1", "LC_" + "A" * 5000 + "=1", "IFS=x"]
        out = run(["env"], env=env)[0].decode().splitlines()
        names = dict(line.split("=", 1) for line in out)
        self.assertEqual(names["TERM"], "vt100")
        self.assertEqual(names["LC_ALL"], "C")
        self.assertEqual(names["COMOSIX_JOB"], "7")
        self.assertEqual(names["COMOSIX_NODE"], "n1")
        self.assertEqual(names["USER"], ME.pw_name)
        self.assertEqual(names["LOGNAME"], ME.pw_name)
        self.assertEqual(names["HOME"], ME.pw_dir)
        self.assertTrue(names["PATH"].startswith("/usr/local/"))
        self.assertEqual(set(names), {"TERM", "LC_ALL", "COMOSIX_JOB", "COMOSIX_NODE", "USER",
                                      "LANG", "LOGNAME", "HOME", "PATH", "SHELL"})

    def test_directory(self):
        self.assertEqual(run(["pwd"], cwd="/usr")[0], b"/usr\n")
        home = ME.pw_dir if os.path.isdir(ME.pw_dir) else "/"
        self.assertEqual(run(["pwd", "-P"], cwd="/no/such")[0].decode(),
                         os.path.realpath(home) + "\n")

    def test_only_three_files_are_open(self):
        out = run(["ls", "/proc/self/fd"])[0].split()
        self.assertEqual(out, [b"0", b"1", b"2", b"3"])  # 3 is what ls reads

    def test_signals_are_at_their_default(self):
        out = run(["grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"])[0].split()
        self.assertEqual(out[1::2], [b"0" * 16] * 2)

    def test_command_may_close_its_input(self):
        with Run(["sh", "-c", "exec 0<&-; echo ready; sleep 1000 & wait"]) as r:
            r.opened().until(b"ready")
            for _ in range(20):  # is thrown away, and acknowledged
                r.stream.send(w.STDIN, bytes(100000))
                r.stream.send(w.PING)
                self.assertEqual(r.stream.next()[0], w.PONG)
            r.stream.send(w.SIGNAL, w.message(f1=15))
            self.assertEqual(r.finish()[2], 143)


    def test_input_that_comes_to_the_end_is_no_reset(self):
        """A sender that only stops when nobody takes more; the end is a plain one all the same."""
        with Run(["head", "-c", "5"]) as r:
            sock, piece = r.opened().stream.sock, w.frame(w.STDIN, b"12345" * 1000)
            with self.assertRaises(BrokenPipeError):
                while True:
                    sock.sendall(piece)
            got = b""
            while data := sock.recv(65536):  # ConnectionResetError fails the test
                got += data
        self.assertIn(w.frame(w.STDOUT, b"12345"), got)


class Refusals(unittest.TestCase):
    def refused(self, **who):
        with Run(["true"], **who) as r:
            kind, payload = r.stream.next()
            self.assertEqual(kind, w.ERROR)
            m = w.parse(payload)
            self.assertIsNone(r.stream.next())
            return m[1][0], m[2][0].decode()

    def test_name_and_uid_must_agree(self):
        self.assertEqual(self.refused(user="nobody-else")[0], 5)
        self.assertEqual(self.refused(uid=3999999999)[0], 5)
        self.assertIn("accounts must agree", self.refused(user="nobody-else")[1])

    def test_empty_command(self):
        with Run([]) as r:
            self.assertEqual(r.stream.next()[0], w.ERROR)

    def test_garbage_ends_the_runner(self):
        for raw in (b"GET / HTTP/1.1\r\n\r\n", w.frame(w.STDIN, b"x"), w.frame(w.OPEN, b"\xff" * 9),
                    w.frame(w.OPEN), b"\xff" * 64, b""):
            with Run() as r:
                r.stream.sock.sendall(raw)
                r.stream.sock.shutdown(socket.SHUT_WR)
                while r.stream.next():
                    pass
                r.process.wait(60)

    def test_garbage_later_ends_the_command(self):
        for raw in (w.frame(w.SIGNAL, w.message(f1=99)), w.frame(w.HELLO), w.frame(w.EXIT),
                    b"\xff" * 64, w.frame(w.WINSIZE, b"\xff\xff"),
                    w.frame(w.STDIN, bytes(262144)) + w.frame(w.PING) * 100):
            with Run(["sh", "-c", "echo $$; exec sleep 1000"]) as r:
                pid = int(r.opened().until(b"\n"))
                r.stream.sock.sendall(raw)
                self.assertTrue(wait_gone(pid))
                while r.stream.next():
                    pass


class Ends(unittest.TestCase):
    def test_signal_reaches_the_group(self):
        with Run(["sh", "-c", "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done"]) as r:
            r.opened().until(b"ready")
            r.stream.send(w.SIGNAL, w.message(f1=signal.SIGINT))
            out, _, status, _ = r.finish()
            self.assertEqual((out, status), (b"caught\n", 3))

    def test_all_dies_when_the_stream_ends(self):
        """A child, one in its own session, a daemon by double fork, and one deaf to signals."""
        script = ("import os, signal, sys, time\n"
                  "def say(): os.write(1, b'%d\\n' % os.getpid())\n"
                  "say()\n"
                  "if not os.fork(): say(); time.sleep(1000)\n"
                  "if not os.fork(): os.setsid(); say(); time.sleep(1000)\n"
                  "if not os.fork():\n"
                  "    os.setsid()\n"
                  "    if os.fork(): os._exit(0)\n"
                  "    say(); time.sleep(1000)\n"
                  "if not os.fork():\n"
                  "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                  "    signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
                  "    os.setsid(); say(); time.sleep(1000)\n"
                  "time.sleep(1000)\n")
        with Run(["/usr/bin/python3", "-c", script]) as r:
            r.opened()
            out = b""
            while out.count(b"\n") < 5:
                out += r.stream.next()[1]
            pids = [int(p) for p in out.split()]
        for pid in pids:
            self.assertTrue(wait_gone(pid))

    def test_nothing_outlives_the_command(self):
        out, _, status, _ = run(["sh", "-c", "setsid sleep 1000 & echo $!; sleep 1000 & echo $!"])
        self.assertEqual(status, 0)
        for pid in out.split():
            self.assertFalse(os.path.exists("/proc/%s" % pid.decode()), "EXIT came before its end")

    def test_a_bomb_is_put_out(self):
        """Bounded in number and in time, so that a failure of ours hurts nobody."""
        mark = "bomb-of-%d" % os.getpid()
        bomb = ("import os, resource, signal, time\n"
                "for s in (1, 2, 13, 15): signal.signal(s, signal.SIG_IGN)\n"
                "resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))\n"
                "end = time.time() + 30\n"
                "while time.time() < end:\n"
                "    try:\n"
                "        if not os.fork(): os.setsid()\n"
                "    except OSError:\n"
                "        try: os.write(1, b'full\\n')\n"
                "        except OSError: pass\n")
        who = {} if os.geteuid() else dict(user="nobody", uid=pwd.getpwnam("nobody").pw_uid)
        with Run(["/usr/bin/python3", "-c", bomb, mark], **who) as r:
            r.opened().until(b"full")
        self.assertEqual(r.process.returncode, 0)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    self.assertNotIn(b"\0" + mark.encode(), f.read())
            except OSError:
                pass  # ended while we looked

    def test_output_before_the_end_is_not_lost(self):
        out = run(["sh", "-c", "head -c 3000000 /dev/zero; kill -9 $$"])
        self.assertEqual((len(out[0]), out[2]), (3000000, 137))

    def test_runner_told_to_end(self):
        with Run(["sh", "-c", "echo $$; exec sleep 1000"]) as r:
            pid = int(r.opened().until(b"\n"))
            r.process.send_signal(signal.SIGTERM)
            self.assertTrue(wait_gone(pid))


class Pressure(unittest.TestCase):
    def test_slow_client_stops_the_output(self):
        """Three times as much as all buffers hold: the writer says when it could write it all."""
        script = "head -c 30000000 /dev/zero; echo written >&2"
        with Run(["sh", "-c", script]) as r:
            r.opened()
            while r.process.poll() is None:  # until nothing moves: two looks, the same count
                with open("/proc/%d/io" % r.process.pid) as f:
                    before = f.read()
                select.select([], [], [], 0.2)
                with open("/proc/%d/io" % r.process.pid) as f:
                    if f.read() == before and "wchar: 0\n" not in before:
                        break
            with open("/proc/%d/status" % r.process.pid) as f:
                anon = [int(line.split()[1]) for line in f if line.startswith("RssAnon")][0]
            self.assertLess(anon, 16384)  # kB
            out, err, status, _ = r.finish()
            self.assertEqual((len(out), err, status), (30000000, b"written\n", 0))

    def test_window_lets_a_signal_through(self):
        with Run(["sh", "-c", "echo ready; exec sleep 1000"]) as r:
            r.opened().until(b"ready")
            r.stream.send(w.STDIN, bytes(131072))
            r.stream.send(w.STDIN, bytes(131072))
            r.stream.send(w.PING)
            r.stream.send(w.SIGNAL, w.message(f1=signal.SIGINT))
            self.assertEqual(r.finish()[2], 130)

    def test_pong_means_taken(self):
        with Run(["sh", "-c", "trap 'cat >/dev/null' USR1; echo ready; "
                              "while :; do sleep 0.1; done"]) as r:
            r.opened().until(b"ready")
            r.stream.send(w.STDIN, bytes(262144))  # more than a pipe holds
            r.stream.send(w.PING)
            r.stream.send(w.PING)
            r.stream.sock.setblocking(False)
            self.assertRaises(BlockingIOError, r.stream.sock.recv, 1)
            r.stream.sock.settimeout(60)
            r.stream.send(w.SIGNAL, w.message(f1=signal.SIGUSR1))  # ends sleep, starts cat
            pongs = 0
            while pongs < 2:  # the shell may say that sleep was killed
                kind = r.stream.next()[0]
                self.assertIn(kind, (w.PONG, w.STDERR))
                pongs += kind == w.PONG

    def test_more_than_the_window_waits(self):
        data = os.urandom(1 << 20)
        pid = os.getpid()
        with Run(["sh", "-c", "read x; exec sha256sum"]) as r:
            r.opened()
            child = os.fork()
            if not child:  # writes on while the other end is full
                r.stream.send(w.STDIN, b"\n")
                for at in range(0, len(data), 65536):
                    r.stream.send(w.STDIN, data[at:at + 65536])
                r.stream.send(w.STDIN)
                os._exit(0)
            import hashlib
            self.assertEqual(r.finish()[0].split()[0].decode(), hashlib.sha256(data).hexdigest())
            self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(pid, os.getpid())


class Terminal(unittest.TestCase):
    def test_it_is_one(self):
        out, err, status, _ = run(["sh", "-c", "tty; stty size; echo e >&2"], tty=True, rows=33,
                                  columns=101)
        self.assertEqual(status, 0)
        self.assertIn(b"/dev/pts/", out)
        self.assertIn(b"33 101", out)
        self.assertEqual(err, b"")

    def test_typed_interrupt_and_resize(self):
        script = "trap 'stty size; exit 4' INT; echo ready; while :; do sleep 0.1; done"
        with Run(["sh", "-c", script], tty=True, rows=24, columns=80) as r:
            r.opened().until(b"ready")
            r.stream.send(w.WINSIZE, w.message(f1=50, f2=132))
            r.stream.send(w.STDIN, b"\x03")
            out, _, status, _ = r.finish()
            self.assertIn(b"50 132", out)
            self.assertEqual(status, 4)

    def test_end_of_input(self):
        out, _, status, _ = run(["cat"], stdin=b"line\n", tty=True)
        self.assertEqual(status, 0)
        self.assertIn(b"line", out)

    def test_hang_up(self):
        script = "trap 'exit 0' HUP; echo $$; while :; do sleep 0.1; done"
        with Run(["sh", "-c", script], tty=True) as r:
            pid = int(r.opened().until(b"\n"))
        self.assertTrue(wait_gone(pid))


@unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
class OtherUser(unittest.TestCase):
    NOBODY = pwd.getpwnam("nobody")

    def run_as(self, argv, **more):
        return run(argv, user="nobody", uid=self.NOBODY.pw_uid, **more)

    def test_it_is_the_user_and_nobody_else(self):
        out = self.run_as(["cat", "/proc/self/status"])[0].decode()
        status = dict(line.split(":\t", 1) for line in out.splitlines() if ":\t" in line)
        self.assertEqual(set(status["Uid"].split()), {str(self.NOBODY.pw_uid)})
        self.assertEqual(set(status["Gid"].split()), {str(self.NOBODY.pw_gid)})
        groups = os.getgrouplist("nobody", self.NOBODY.pw_gid)
        self.assertEqual(set(map(int, status["Groups"].split())), set(groups))
        for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[caps], 16), 0, caps)
        self.assertEqual(status["NoNewPrivs"].strip(), "0")  # sudo works

    def test_no_way_into_roots_files(self):
        self.assertNotEqual(self.run_as(["cat", "/etc/shadow"])[2], 0)
        self.assertNotEqual(self.run_as(["sh", "-c", "kill -0 $PPID"])[2], 0)

    def test_standard_output_can_be_opened(self):
        self.assertEqual(self.run_as(["sh", "-c", "echo x >/dev/stdout"])[0], b"x\n")
        self.assertIn(b"x", self.run_as(["sh", "-c", "echo x >$(tty)"], tty=True)[0])


if __name__ == "__main__":
    unittest.main()
