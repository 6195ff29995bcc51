#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""box.py - what a hostile program in a box can do: nothing (node/box.h)"""
import glob
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

BIN = os.environ["COMOSIX_BIN"]
START = sys.argv.pop(1)
HOSTILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "box_hostile.py")
SLOT = os.getpid() % 200  # two runs of this test at the same time shall not meet
UID = 64200 + SLOT


def processes():
    """Of our uid, zombies not counted."""
    found = []
    for path in glob.glob("/proc/[0-9]*/status"):
        try:
            with open(path) as f:
                text = f.read()
        except OSError:
            continue
        if "Uid:\t%d\t" % UID in text and "State:\tZ" not in text:
            found.append(path)
    return found


def groups():
    return [d for d, _, _ in os.walk("/sys/fs/cgroup") if d.endswith("comosix-box-%d" % UID)]


def tearDownModule():
    """A test that failed half-way leaves no box."""
    for box in Box.made:
        if box.process.poll() is None:
            box.process.terminate()
            box.process.wait(60)


class Box:
    made = []

    def __init__(self, attack, *args, memory="0", processes="32", program=None, argv=None):
        ours, theirs = socket.socketpair()
        self.dir = tempfile.mkdtemp(dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        self.cache = os.path.join(self.dir, "cache")
        os.mkdir(self.cache)
        with open(HOSTILE) as f:
            command = argv or ["python3", "-c", f.read(), attack, *args]
        self.process = subprocess.Popen(
            [START, os.path.join(BIN, "comosix-box"), str(SLOT), self.cache, memory, processes,
             "EXTRA=1", "PATH=/evil", "--", program or "/usr/bin/python3",
             *command], stdin=theirs, stderr=subprocess.PIPE, text=True)
        theirs.close()
        Box.made.append(self)
        self.stream = ours
        self.stream.settimeout(120)

    def output(self):
        data = b""
        while True:
            more = self.stream.recv(65536)
            if not more:
                return data.decode()
            data += more

    def end(self):
        self.stream.close()
        err = self.process.communicate(timeout=120)[1]
        shutil.rmtree(self.dir)
        return self.process.returncode, err


@unittest.skipUnless(os.geteuid() == 0, "needs root to make namespaces")
class Hostile(unittest.TestCase):
    def setUp(self):
        with open("/proc/self/mountinfo") as f:
            self.mounts = f.read()

    def tearDown(self):
        with open("/proc/self/mountinfo") as f:
            self.assertEqual(f.read(), self.mounts)
        self.assertEqual(processes(), [])
        self.assertEqual(groups(), [])

    def attack(self, name, *args, **more):
        box = Box(name, *args, **more)
        out = box.output()
        status, err = box.end()
        self.assertEqual(out, "held\n", err)
        self.assertEqual(status, 0, err)

    def test_what_must_work(self):
        box = Box("allowed", "made")
        self.assertEqual(box.output(), "held\n")
        st, made = os.stat(box.cache), os.stat(os.path.join(box.cache, "made"))
        self.assertEqual((st.st_uid, st.st_gid, st.st_mode & 0o7777), (0, 64200, 0o1770))
        self.assertEqual((made.st_uid, made.st_gid), (UID, 64200))
        self.assertEqual(box.end()[0], 0)

    def test_files(self):
        self.attack("files")

    def test_writing(self):
        self.attack("writing")

    def test_processes(self):
        self.attack("processes")

    def test_network(self):
        name = "box-test-%d" % os.getpid()
        with socket.socket(socket.AF_UNIX) as s:
            s.bind("\0" + name)
            s.listen()
            self.attack("network", name)

    def test_system_calls(self):
        self.attack("calls")

    def test_rights(self):
        self.attack("rights")

    def test_other_architecture(self):
        box = Box("i386")
        self.assertEqual(box.output(), "")
        self.assertEqual(box.end()[0], 128 + signal.SIGSYS)

    def test_fork_bomb(self):
        self.attack("bomb", "32")

    def test_memory(self):
        """Killed by the cgroup, or stopped by the rlimit where there is none."""
        box = Box("memory", "128", memory="128M")
        out = box.output()
        status, err = box.end()
        self.assertIn((out, status), (("held\n", 0), ("", 137)), err)

    def test_words(self):
        box = Box("words")
        self.assertEqual(box.output(), "held\n")
        err = box.end()[1]
        lines = err.split("\n")[1:-1]  # the first is box_start's
        self.assertEqual(lines[:3], ["box %d: ?[2Jhi?" % UID,
                                     "box %d: 2026-01-01T00:00:00Z comosixd: all is well" % UID,
                                     "box %d: ??" % UID])
        for line in lines:
            self.assertTrue(line.startswith("box %d: " % UID) and line.isprintable(), line)
            self.assertLess(len(line), 450)
        self.assertLess(len(err), 20000)
        self.assertIn("says more", lines[-1])

    def test_scratch(self):
        self.attack("scratch")

    def test_shared_memory_is_counted(self):
        self.attack("scratch", memory="64M")


@unittest.skipUnless(os.geteuid() == 0, "needs root to make namespaces")
class Ends(unittest.TestCase):
    def begin(self):
        box = Box("wait")
        self.assertEqual(box.stream.recv(100), b"ready\n")
        self.assertEqual(len(processes()), 5)  # init, the program, three children
        return box

    def gone(self):
        self.assertEqual(processes(), [])
        self.assertEqual(groups(), [])

    def test_with_the_program(self):
        box = self.begin()
        box.stream.send(b"end\n")
        self.assertEqual(box.output(), "")
        self.assertEqual(box.end()[0], 9)
        self.gone()

    def test_killed(self):
        box = self.begin()
        box.process.send_signal(signal.SIGTERM)  # box_kill()
        self.assertEqual(box.end()[0], 137)
        self.gone()

    def test_with_its_parent(self):
        box = self.begin()
        pids = [os.pidfd_open(int(p.split("/")[2])) for p in processes()]
        box.process.kill()
        for fd in pids:
            self.assertTrue(select.select([fd], [], [], 60)[0])
            os.close(fd)
        box.end()
        self.assertEqual(processes(), [])
        # a killed daemon leaves its groups; the next box of the slot takes them and removes them
        Again().run_true()
        self.gone()


class Again:
    def run_true(self):
        box = Box(None, program="/usr/bin/true", argv=["true"])
        box.output()
        assert box.end()[0] == 0


@unittest.skipUnless(os.geteuid() == 0, "needs root to make namespaces")
class Failures(unittest.TestCase):
    def status(self, program, memory="0"):
        box = Box(None, program=program, argv=["x"], memory=memory)
        box.output()
        return box.end()

    def test_program(self):
        self.assertEqual(self.status("/no/such")[0], 127)
        self.assertIn("'/no/such'", self.status("/no/such")[1])
        self.assertEqual(self.status("/usr/share/common-licenses/GPL-2")[0], 126)
        self.assertEqual(self.status("/etc")[0], 125)  # its directory is the root

    def test_its_own_directory_is_read_only(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as d:
            os.chmod(d, 0o777)
            touch = shutil.copy("/usr/bin/touch", d)
            box = Box(None, program=touch, argv=["touch", os.path.join(d, "x")])
            box.output()
            status, err = box.end()
            self.assertEqual((status, os.listdir(d)), (1, ["touch"]))
            self.assertIn("Read-only file system", err)

    def test_where_a_program_was_built(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as d:
            os.chmod(d, 0o755)
            shutil.copy("/usr/bin/true", d)
            os.symlink("true", os.path.join(d, "link"))
            self.assertEqual(self.status(os.path.join(d, "true"))[0], 0)
            self.assertEqual(self.status(os.path.join(d, "link"))[0], 0)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root to make namespaces")
        sys.exit(77)
    unittest.main()
