#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""move_hostile.py HOSTILE_GUEST - what a guest that means harm can do to its host: nothing

comosix-deputy --local moves a process that obeys this test; the host is this machine.
"""
import ctypes
import glob
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

BIN = os.environ["COMOSIX_BIN"]
SOURCE = os.environ["COMOSIX_SOURCE"]
GUEST = sys.argv.pop(1)
UID = 62000 + os.getpid() % 1000  # two runs of this test at the same time shall not meet
BOX_UIDS = range(1879048192, 1879048192 + 2 * 65536)  # migrate/box.h
NAMESPACES = ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup")
REGION = 2 << 20  # migrate/region.h: where the batches' area ends
BATCH = 65536
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
CALL = re.compile(r'^CALL\((\d+), (\w+), (\w+),', re.M)

# these do to others, or to the process itself, what they are for
LEFT_OUT = {"exit", "exit_group", "rt_sigreturn", "kill", "tkill", "tgkill", "rt_sigqueueinfo",
            "rt_tgsigqueueinfo", "pidfd_send_signal", "pause", "rt_sigsuspend", "munmap", "mremap", "brk",
            "mprotect", "pkey_mprotect", "arch_prctl", "rseq", "set_robust_list", "set_tid_address",
            "madvise", "close", "close_range", "dup2", "dup3", "shutdown", "restart_syscall", "uretprobe",
            "rt_sigprocmask", "rt_sigaction", "sigaltstack", "setitimer", "alarm", "reboot", "vhangup",
            "mlockall", "fcntl", "setrlimit", "prlimit64", "umask", "chdir", "fchdir", "setsid", "uprobe"}


class Guest:
    made = []

    def __init__(self, job=True):
        Guest.made.append(self)
        self.dir = tempfile.mkdtemp(dir="/var/tmp")
        os.chown(self.dir, UID, UID)
        program = shutil.copy(GUEST, self.dir)  # the build may be where its user cannot look
        self.process = subprocess.Popen(
            ["/usr/bin/setpriv", "--reuid=%d" % UID, "--regid=%d" % UID, "--clear-groups", program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.dir, text=True, bufsize=1)
        assert self.process.stdout.readline() == "ready\n"
        self.job = job
        self.deputy = None
        self.go_away()

    def go_away(self):
        self.deputy = subprocess.Popen(
            [os.path.join(BIN, "comosix-deputy"), "--local", str(self.process.pid)] +
            (["--job"] if self.job else []), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = ""
        for line in self.deputy.stdout:
            if line.startswith("away "):
                return
            said += line  # the log: a confined process is not copied while it runs
        raise AssertionError("it did not go: " + said)

    def away_again(self):
        """After a call that may have been made at home: the deputy ends soon after the answer"""
        if not self.is_traced():
            self.come_home()
            self.go_away()

    def is_traced(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            return "TracerPid:\t0\n" not in f.read()

    def is_away(self):
        """It answers when it runs, and at home it runs only when nobody traces it any more"""
        return self.is_traced()

    def come_home(self):
        if self.deputy.poll() is None:
            self.deputy.send_signal(signal.SIGINT)
        words = self.deputy.communicate(timeout=60)[0]
        return words

    def do(self, *words):
        """What it answers; None: it has ended"""
        try:
            self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        if not select.select([self.process.stdout], [], [], 60)[0]:
            raise AssertionError("no answer to %r" % (words,))
        line = self.process.stdout.readline().split()
        return None if not line else line[0] if line[0] == "fault" else int(line[0])

    def region(self):
        """Where our region is: at the same place in the stub"""
        with open("/proc/%d/maps" % self.process.pid) as f:
            for line in f:
                m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rwxp", line)
                if m and int(m[2], 16) - int(m[1], 16) >= REGION:
                    return int(m[1], 16)
        raise AssertionError("no region")

    def boxed(self):
        """Directories in /proc of all that is in the box: agent, guest, and who waits outside"""
        found, parents = [], {self.deputy.pid}
        for path in sorted(glob.glob("/proc/[0-9]*"), key=lambda p: int(p[6:])):
            try:
                with open(path + "/status") as f:
                    text = f.read()
            except OSError:
                continue
            if int(re.search(r"^PPid:\t(\d+)", text, re.M)[1]) in parents:
                parents.add(int(path[6:]))
                found.append((path, text))
        return found

    def kill(self):
        for p in (self.deputy, self.process):
            if p and p.poll() is None:
                p.kill()
                p.wait()
        for f in (self.process.stdin, self.process.stdout, self.deputy and self.deputy.stdout):
            if f:
                try:
                    f.close()
                except BrokenPipeError:
                    pass
        shutil.rmtree(self.dir, ignore_errors=True)


def leave_the_others_mounts():
    """A list of mounts of our own: what others mount meanwhile does not come into it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "a mount namespace of our own")


class Hostile(unittest.TestCase):
    def setUp(self):
        with open("/proc/self/mountinfo") as f:
            self.mounts = f.read()

    def tearDown(self):
        for g in Guest.made:
            g.kill()
        Guest.made.clear()
        with open("/proc/self/mountinfo") as f:
            self.assertEqual(f.read(), self.mounts)

    def test_box(self):
        """What is in the box has no right outside and sees nothing of the node."""
        g = Guest()
        boxed = g.boxed()
        self.assertGreaterEqual(len(boxed), 3)  # outside, agent, guest
        last = len(boxed) - 1
        for i, (path, text) in enumerate(boxed):
            uids = set(re.search(r"^Uid:(.*)", text, re.M)[1].split())
            self.assertEqual(len(uids), 1)
            self.assertIn(int(uids.pop()), BOX_UIDS, path)
            if i == 0:
                continue
            self.assertIn("NoNewPrivs:\t1\n", text)
            for n in NAMESPACES:
                self.assertNotEqual(os.readlink("%s/ns/%s" % (path, n)), os.readlink("/proc/self/ns/" + n))
            self.assertEqual(os.listdir(path + "/root"), ["proc"])
        path, text = boxed[last]
        self.assertIn("Seccomp:\t2\n", text)
        self.assertEqual(int(re.search(r"^CapEff:\t(\w+)", text, re.M)[1], 16), 1 << 40)
        self.assertNotEqual(os.readlink(path + "/ns/time"), os.readlink("/proc/self/ns/time"))
        links = [os.readlink(f) for f in glob.glob(path + "/fd/*")]
        self.assertEqual(links, ["anon_inode:seccomp notify"])
        # of the guest's own the agent is the only other process that there is
        agent_root = boxed[last - 1][0] + "/root/proc"
        self.assertLessEqual(len([p for p in os.listdir(agent_root) if p.isdigit()]), 2)

    def test_deputy(self):
        """The deputy has kept little of root, and nobody of its user's can touch it."""
        g = Guest()
        with open("/proc/%d/status" % g.deputy.pid) as f:
            text = f.read()
        real, effective, saved, files = (int(u) for u in re.search(r"^Uid:(.*)", text, re.M)[1].split())
        self.assertEqual((effective, files), (UID, UID))
        self.assertEqual(real, saved)
        self.assertGreaterEqual(real, BOX_UIDS.stop)
        self.assertEqual(int(re.search(r"^CapEff:\t(\w+)", text, re.M)[1], 16), 1 << 28 | 1 << 19 | 1 << 5)
        self.assertEqual(int(re.search(r"^CapBnd:\t(\w+)", text, re.M)[1], 16), 0)
        self.assertIn("NoNewPrivs:\t1\n", text)
        for call in ((62, g.deputy.pid, 0), (62, g.deputy.pid, 9), (101, 0x4206, g.deputy.pid)):
            self.assertLess(g.do("call", *call), 0)
        g.come_home()  # ptrace is made there; it may be on the way still
        g.go_away()
        user = subprocess.run(["/usr/bin/setpriv", "--reuid=%d" % UID, "--regid=%d" % UID, "--clear-groups",
                               "/bin/sh", "-c", "kill -9 %d" % g.deputy.pid], stderr=subprocess.PIPE)
        self.assertNotEqual(user.returncode, 0)
        self.assertIsNone(g.deputy.poll())

    def test_what_must_work(self):
        """Lest all the rest hold for a wrong reason."""
        g = Guest()
        self.assertEqual(g.do("call", 39), g.process.pid)
        self.assertEqual(g.do("call", 110), os.getpid())
        self.assertEqual(g.do("call", 0x7fffffff), -38)
        self.assertIn("the process is at home", g.come_home())
        self.assertEqual(g.do("call", 39), g.process.pid)

    def test_job_that_came_home_goes_again(self):
        """The wall of an earlier move is not a filter of its own."""
        g = Guest()
        g.come_home()
        with open("/proc/%d/status" % g.process.pid) as f:
            self.assertIn("Seccomp_filters:\t1\n", f.read())  # the wall stays
        g.go_away()
        self.assertTrue(g.is_away())

    def test_gates(self):
        """Other ways into the kernel lead home, or to the same filter."""
        g = Guest(job=False)
        self.assertEqual(g.do("int80", 20), g.process.pid)  # getpid of i386, at home
        self.assertIn("the process is at home", g.come_home())
        g.go_away()
        self.assertIn(g.do("vsyscall"), (1, "fault"))
        g = Guest(job=True)
        self.assertEqual(g.do("int80", 20), -38)  # a job has one architecture
        g.come_home()
        g.go_away()
        self.assertEqual(g.do("call", 0x40000000 + 39), -38)

    def test_our_code(self):
        """The instruction that the agent injects by has no more rights than any other."""
        g = Guest()
        at = g.region() + BATCH
        for offset in range(0, 256):
            # only where a syscall instruction is: the agent writes its loop at its first batch
            with open("/proc/%s/mem" % g.boxed()[-1][0][6:], "rb") as f:
                f.seek(at + offset)
                if f.read(2) != b"\x0f\x05":
                    continue
            self.assertIn(g.do("jump", at + offset, 101), ("fault", -1, None))  # ptrace(TRACEME)
            break
        else:
            self.fail("no code of ours was found")
        self.assertNotEqual(g.process.poll(), 0)

    def test_our_memory(self):
        """Who breaks the region of the agent in his own memory has only harmed himself."""
        for attack in ("unmap", "cover", "write"):
            g = Guest()
            at = g.region()
            result = g.do(attack, at, REGION)
            if result is not None:
                g.do("call", 110)
            words = g.come_home()
            self.assertRegex(words, "at home|was lost with its host|has ended")
            if "at home" not in words:
                self.assertEqual(g.process.wait(60), -signal.SIGKILL, attack)

    def test_listener(self):
        """The listener stays open in the guest under some number; it can not be used by any."""
        g = Guest()
        for fd in range(1024):
            if fd > 3 and fd < 890 and fd % 50:
                continue
            for request in (0xc0502100, 0xc0182101, 0x40082102, 0x40182103, 0x40082104):
                self.assertIn(g.do("call", 16, fd, request, "p"), (-9, -25, -22, -1, -14), fd)
                g.away_again()

    def test_agent(self):
        """Process 1 of the box is home's process 1 for the guest, and that is not its to touch."""
        g = Guest()
        for call in ((62, 1, 9), (62, 1, 0), (200, 1, 9), (234, 1, 1, 9), (129, 1, 9, "p"),
                     (101, 16, 1), (101, 0x4206, 1), (310, 1, "p", 1, "p", 1), (311, 1, "p", 1, "p", 1),
                     (312, 1, 1, 0, 0, 0), (302, 1, 7, "p"), (438, 3, 0), (298, "p", 1, -1, -1, 0)):
            self.assertLess(g.do("call", *call), 0, call)
            g.away_again()
        # what is executed here: the list of a thread that is not its own
        self.assertLess(g.do("call", 274, 1, "p", "p"), 0)
        self.assertEqual(g.do("call", 39), g.process.pid)

    def test_powers(self):
        """Calls that would make it more than it is."""
        g = Guest()
        for call in ((272, 0x10000000), (272, 0x20000), (308, 0, 0), (161, "p"), (165, "p", "p", "p"),
                     (155, "p", "p"), (166, "p"), (105, 0), (106, 0), (117, 0, 0, 0), (116, 1, "p"),
                     (126, "p", "p"), (317, 1, 8, "p"), (323, 1), (425, 1, "p"), (321, 0, "p", 120),
                     (250, 0), (169, 0), (175, "p", 1, "p"), (246, 0, 0, 0, 0), (172, 3), (173, 0, 8, 1),
                     (154, 1, "p", 16), (304, -100, "p", 0), (56, 0x10000011, 0), (435, "p", 88)):
            self.assertLess(g.do("call", *call), 0, call)
            g.away_again()
        with open("/proc/%d/status" % g.process.pid) as f:
            self.assertIn("Uid:\t%d\t%d\t%d\t%d\n" % ((UID,) * 4), f.read())

    def test_memory_that_cannot_be_locked(self):
        """More than the box allows is locked at home, where it may be, and not here."""
        g = Guest()
        g.do("call", 151, 1)  # mlockall
        self.assertFalse(g.is_away())

    def calls(self):
        with open(os.path.join(SOURCE, "src/forward/table/syscalls.def")) as f:
            rows = CALL.findall(f.read())
        self.assertGreater(len(rows), 350)
        for nr, name, kind in rows:
            if name not in LEFT_OUT and kind in ("HOME", "VIRTUAL", "LOCAL"):
                yield int(nr), name

    def forged(self, arguments):
        g, tried = Guest(), 0
        for nr, name in self.calls():
            for a in arguments:
                tried += 1
                result = g.do("call", nr, *a)
                self.assertIsNotNone(result, "%s%r ended it" % (name, a))
                self.assertNotEqual(result, "fault", "%s%r" % (name, a))
                if not g.is_away():
                    self.assertIn("the process is at home", g.come_home(), name)
                    g.go_away()
        self.assertEqual(g.do("call", 39), g.process.pid)
        self.assertIn("the process is at home", g.come_home())
        self.assertGreater(tried, 200)

    def test_forged_pointers(self):
        self.forged([("-",) * 6])

    def test_forged_lengths(self):
        """A good address with a length that reaches far behind it"""
        self.forged([(3, "p", 0xffffffffffffffff, "p", 0xffffffffffffffff, 0xffffffff)])

    def test_forged_numbers(self):
        self.forged([(0xffffffffffffffff,) * 6])


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root to make namespaces")
        sys.exit(77)
    leave_the_others_mounts()
    unittest.main()
