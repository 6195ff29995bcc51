#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""exec.py - comosix exec against a stand-in for comosixd with real runners behind it"""
import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import termios
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stand_in import Daemon

BIN = os.environ["COMOSIX_BIN"]
MEMBERS = [("head", "head", "alive", "real"), ("n1", "server", "alive", "real"),
           ("n2", "server", "alive", "real"), ("n3", "desktop", "alive", "real"),
           ("n4", "desktop", "dead", 1), ("n5", "server", "revoked", 5),
           ("no", "server", "alive", 5), ("mute", "server", "suspect", "mute"),
           ("cut", "server", "alive", "cut")]


class Case(unittest.TestCase):
    members = MEMBERS

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.daemon = Daemon(self.dir.name, os.path.join(BIN, "comosix-runner"), self.members)
        self.env = dict(os.environ, COMOSIX_SOCKET=self.daemon.path, COMOSIX_OPERATOR="/nowhere")

    def tearDown(self):
        self.daemon.close()
        self.dir.cleanup()

    def start(self, *args, **more):
        more = dict(dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=self.env), **more)
        return subprocess.Popen([os.path.join(BIN, "comosix"), "exec", *args], **more)

    def run_exec(self, *args, data=None, **more):
        if data is not None:
            more["stdin"] = subprocess.PIPE
        p = self.start(*args, **more)
        out, err = p.communicate(data, timeout=120)
        return p.returncode, out, err


class OneNode(Case):
    def test_output_is_raw_and_status_is_the_commands(self):
        r = self.run_exec("n1", "--", "sh", "-c", "printf 'a\\0b'; printf e >&2; exit 7")
        self.assertEqual(r, (7, b"a\0b", b"e"))

    def test_without_dashes_and_options_behind_the_nodes(self):
        self.assertEqual(self.run_exec("n1", "echo", "-n", "x")[:2], (0, b"x"))
        self.assertEqual(self.run_exec("n1", "-l", "--", "echo", "x")[:2], (0, b"n1: x\n"))

    def test_not_executed(self):
        status, _, err = self.run_exec("n1", "--", "no-such-command")
        self.assertEqual(status, 127)
        self.assertIn(b"n1: 'no-such-command': command not found", err)
        self.assertEqual(self.run_exec("n1", "--", "/etc/passwd")[0], 126)
        self.assertEqual(self.run_exec("n1", "--", "sh", "-c", "kill -9 $$")[0], 137)

    def test_input(self):
        data = os.urandom(3 << 20)  # more than the window
        self.assertEqual(self.run_exec("n1", "--", "cat", data=data), (0, data, b""))
        self.assertEqual(self.run_exec("n1", "--", "head", "-c", "5", data=data)[1], data[:5])
        with tempfile.TemporaryFile() as f:
            f.write(data)
            f.seek(0)
            self.assertEqual(self.run_exec("n1", "--", "cat", stdin=f)[1], data)

    def test_output_to_a_file_and_to_a_closed_pipe(self):
        with tempfile.TemporaryFile() as f:
            self.assertEqual(self.run_exec("n1", "--", "head", "-c", "1000000", "/dev/zero",
                                           stdout=f)[0], 0)
            self.assertEqual(f.seek(0, 2), 1000000)
        p = self.start("n1", "--", "cat", "/dev/zero")
        p.stdout.read(1)
        p.stdout.close()
        p.stderr.close()
        self.assertNotEqual(p.wait(60), 0)

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            status, _, err = self.run_exec("n1", "--", "echo", "x", stdout=full)
        self.assertEqual(status, 125)
        self.assertIn(b"No space left", err)

    def test_directory(self):
        self.assertEqual(self.run_exec("n1", "--", "pwd", cwd="/usr/lib")[1], b"/usr/lib\n")
        self.assertEqual(self.run_exec("-d", "/usr", "n1", "--", "pwd")[1], b"/usr\n")

    def test_failures(self):
        for node, want, word in (("no", 5, b"made up"), ("n4", 125, b"made up"),
                                 ("cut", 125, b"connection was lost"), ("n9", 4, b"no node 'n9'"),
                                 ("@nobody", 2, b"there are @all"), ("n[1", 2, b"[...]")):
            status, out, err = self.run_exec(node, "--", "true")
            self.assertEqual((status, out), (want, b""), node)
            self.assertIn(word, err)

    def test_no_daemon(self):
        self.env["COMOSIX_SOCKET"] = "/nowhere"
        status, _, err = self.run_exec("n1", "--", "true")
        self.assertEqual(status, 1)
        self.assertIn(b"comosixd is not running here", err)

    def test_usage(self):
        for args in ((), ("n1",), ("n1", "--"), ("--bad", "n1", "--", "true"),
                     ("--stdin", "some", "n1", "--", "true"), ("-t", "--json", "n1", "--", "true"),
                     ("--parallel", "0", "n1", "--", "true"), ("-t", "n1,n2", "--", "true"),
                     ("--timeout", "30", "n1", "--", "true"), ("-d", "x", "n1", "--", "true")):
            self.assertEqual(self.run_exec(*args)[0], 2, args)


class ManyNodes(Case):
    def test_whole_lines_with_names(self):
        script = "for i in 1 2 3; do printf '%s-' $i; echo end; done; printf last"
        status, out, err = self.run_exec("n[1-2]", "--", "sh", "-c", script)
        self.assertEqual((status, err), (0, b""))
        for n in (b"n1", b"n2"):
            mine = [line for line in out.splitlines() if line.startswith(n + b": ")]
            self.assertEqual([line[4:] for line in mine], [b"1-end", b"2-end", b"3-end", b"last"])
        self.assertEqual(len(out.splitlines()), 8)

    def test_long_lines_do_not_mix(self):
        status, out, _ = self.run_exec("n[1-2]", "--", "sh", "-c",
                                       "head -c 100000 /dev/zero | tr '\\0' $COMOSIX_NODE; echo")
        for line in out.splitlines():
            self.assertEqual(len(set(line[4:])), 1)
        self.assertEqual(len(out) - out.count(b": ") * 4 - out.count(b"\n"), 200000)
        self.assertEqual(status, 0)

    def test_summary(self):
        script = "test $COMOSIX_NODE = n2 && exit 3; exit 0"
        status, _, err = self.run_exec("n[1-2],no,n4,cut", "--", "sh", "-c", script)
        self.assertEqual(status, 3)
        self.assertIn(b"1 ok, 1 failed: n2 (exit 3); 1 refused: no; 1 unreachable: n4; "
                      b"1 lost while it ran: cut\n", err)

    def test_groups(self):
        def names(word):
            out = self.run_exec("--json", word, "--", "true")[1]
            return [n["node"] for n in json.loads(out)["nodes"]]
        self.assertEqual(names("@alive"), ["cut", "head", "n1", "n2", "n3", "no"])
        self.assertEqual(names("@desktops"), ["n3", "n4"])
        self.assertEqual(names("@servers,!mute"), ["cut", "head", "n1", "n2", "no"])
        self.assertEqual(names("n3,@alive,!n[1-2],!no,!cut"), ["n3", "head"])
        self.assertEqual(self.run_exec("n1,!n1", "--", "true")[0], 4)

    def test_all_refused(self):
        self.assertEqual(self.run_exec("no,n5", "--", "true")[0], 5)

    def test_input_is_for_all_only_when_asked(self):
        data = os.urandom(1 << 20)
        r = self.run_exec("n[1-2]", "--", "wc", "-c", data=b"xyz")
        self.assertEqual(sorted(r[1].splitlines()), [b"n1: 0", b"n2: 0"])
        r = self.run_exec("--stdin", "all", "n[1-2]", "--", "wc", "-c", data=data)
        self.assertEqual(sorted(r[1].splitlines()), [b"n1: 1048576", b"n2: 1048576"])
        r = self.run_exec("--stdin", "all", "-p", "1", "n[1-2],no", "--", "wc", "-c", data=data)
        self.assertEqual(sorted(r[1].splitlines()), [b"n1: 1048576", b"n2: 1048576"])

    def test_one_at_a_time(self):
        lock = os.path.join(self.dir.name, "lock")
        script = "mkdir %s && sleep 0.1 && rmdir %s" % (lock, lock)
        self.assertEqual(self.run_exec("-p", "1", "head,n[1-3]", "--", "sh", "-c", script)[0], 0)

    def test_json(self):
        status, out, err = self.run_exec("--json", "n1,no", "--", "sh", "-c",
                                         "printf 'a\\377b'; echo e >&2; exit 2")
        self.assertEqual((status, err), (3, b""))
        j = json.loads(out)
        self.assertEqual((j["ok"], j["failed"], j["status"]), (0, 2, 3))
        self.assertEqual(j["nodes"][0], {"node": "n1", "result": "exited", "exit": 2,
                                         "stdout": "a\ufffdb", "stderr": "e\n"})
        self.assertEqual((j["nodes"][1]["result"], j["nodes"][1]["error"]),
                         ("refused", "made up for the test"))

    def test_json_is_bounded(self):
        out = self.run_exec("--json", "n1", "--", "head", "-c", "3000000", "/dev/zero")[1]
        node = json.loads(out)["nodes"][0]
        self.assertEqual((len(node["stdout"]), node["truncated"]), (1 << 20, True))


class Ends(Case):
    def begin(self, *args, **more):
        """Start a command that prints "ready" on each node, and wait until all have."""
        p = self.start(*args, **more)
        p.seen = b""
        while p.seen.count(b"ready") < 2:
            data = os.read(p.stdout.fileno(), 4096)
            self.assertTrue(data, p.seen)
            p.seen += data
        return p

    def end(self, p):
        out, err = p.communicate(timeout=120)
        return p.returncode, p.seen + out, err

    SCRIPT = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done"

    def test_interrupt_reaches_all(self):
        p = self.begin("n[1-2]", "--", "sh", "-c", self.SCRIPT)
        p.send_signal(signal.SIGINT)
        status, out, err = self.end(p)
        self.assertEqual(status, 130)
        self.assertEqual(out.count(b"caught"), 2)
        self.assertIn(b"n1 (exit 9), n2 (exit 9)", err)

    def test_second_interrupt_leaves_at_once(self):
        script = "trap '' INT TERM HUP; echo $$ ready; while :; do sleep 0.1; done"
        p = self.begin("n[1-2]", "--", "sh", "-c", script)
        p.send_signal(signal.SIGINT)
        while b"once more" not in p.stderr.readline():
            pass
        p.send_signal(signal.SIGINT)
        status, out, err = self.end(p)
        self.assertEqual(status, 130)
        self.assertIn(b"2 interrupted: n1, n2", err)
        for runner in self.daemon.runners:  # and the nodes end it, deaf as it is
            runner.wait(60)
        for line in out.splitlines():
            self.assertFalse(os.path.exists("/proc/" + line.split()[1].decode()))

    def test_terminated(self):
        p = self.begin("n[1-2]", "--", "sh", "-c", self.SCRIPT)
        p.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(p)[0], 143)

    def test_killed(self):
        p = self.begin("n[1-2]", "--", "sh", "-c", self.SCRIPT)
        p.kill()
        self.end(p)
        for runner in self.daemon.runners:
            runner.wait(60)

    def zero(self):
        f = open("/dev/zero", "rb")
        self.addCleanup(f.close)
        return f

    def test_interrupt_with_input_that_nobody_reads(self):
        p = self.begin("--stdin", "all", "n[1-2]", "--", "sh", "-c", self.SCRIPT,
                       stdin=self.zero())
        p.send_signal(signal.SIGINT)
        self.assertEqual(self.end(p)[0], 130)

    def test_interrupt_with_output_that_nobody_reads(self):
        p = self.start("n1", "--", "cat", "/dev/zero")
        fcntl.fcntl(p.stdout, fcntl.F_SETPIPE_SZ, 4096)
        p.stdout.read(65536)
        p.send_signal(signal.SIGINT)
        p.send_signal(signal.SIGTERM)
        # the rest of what it holds must be taken before it can end
        p.seen = b""
        self.assertIn(self.end(p)[0], (130, 143))

    def test_time_limit(self):
        status, _, err = self.run_exec("--timeout", "1s", "n1,mute", "--", "sleep", "1000")
        self.assertEqual(status, 6)
        self.assertIn(b"2 timed out: n1, mute", err)
        self.assertEqual(self.run_exec("--timeout", "1s", "mute", "--", "true")[0], 6)


class Terminal(Case):
    def test_it_is_handed_over_and_restored(self):
        pid, fd = pty.fork()
        if not pid:
            os.execve(os.path.join(BIN, "comosix"),
                      ["comosix", "exec", "n1", "--", "sh", "-c",
                       "tty; stty size; echo ready; read x; echo got $x; exit 5"], self.env)
        fcntl.ioctl(fd, 0x5414, b"\x21\0\x63\0\0\0\0\0")  # TIOCSWINSZ 33 99
        seen = b""
        while b"ready" not in seen:
            seen += os.read(fd, 4096)
        self.assertIn(b"/dev/pts/", seen)
        os.write(fd, b"word\r")
        while True:
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            if not data:
                break
            seen += data
        self.assertIn(b"got word", seen)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 5)

    def test_raw_mode_is_undone_and_typed_interrupt_is_the_nodes(self):
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        p = self.start("n1", "--", "sh", "-c",
                       "trap 'exit 4' INT; echo ready; while :; do sleep 0.1; done",
                       stdin=slave, stdout=slave)
        seen = b""
        while b"ready" not in seen:
            seen += os.read(master, 4096)
        self.assertNotEqual(termios.tcgetattr(slave), before)
        os.write(master, b"\x03")
        self.assertEqual(p.wait(60), 4)
        self.assertEqual(termios.tcgetattr(slave), before)
        p.stderr.close()
        os.close(master)
        os.close(slave)

    def test_way_out(self):
        master, slave = pty.openpty()
        p = self.start("-t", "n1", "--", "sh", "-c",
                       "trap '' INT HUP; stty raw; echo ready; while :; do sleep 0.1; done",
                       stdin=slave, stdout=slave)
        seen = b""
        while b"ready" not in seen:
            seen += os.read(master, 4096)
        os.write(master, b"x\r~.")
        self.assertEqual(p.wait(60), 129)
        p.stderr.close()
        os.close(master)
        os.close(slave)


class OnADesktop(Case):
    members = [("d1", "desktop", "alive", "real"), ("n1", "server", "alive", "real")]

    def test_refused_before_anything_is_asked(self):
        status, out, err = self.run_exec("n1", "--", "true")
        self.assertEqual((status, out), (5, b""))
        self.assertIn(b"desktop", err)
        self.assertEqual(self.daemon.opens, [])


if __name__ == "__main__":
    unittest.main()
