#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""move_liar.py HOSTILE_HOST - what a host that lies can do to the home of its guests: nothing

The deputy is a real one. Its host is this test: it gets the frames of the deputy and may send any.
"""
import contextlib
import errno
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

from move_host import END, MAPPING, PROCESS, TYPES, UID, Move, Out, Over, Place, raw_request, request

Move.program = sys.argv.pop(1)


@unittest.skipUnless(os.geteuid() == 0, "needs root to trace the processes of others")
class Liar(unittest.TestCase):
    def setUp(self):
        self.place = Place()

    def tearDown(self):
        for m in Move.made:
            m.kill()
        Move.made.clear()
        self.assertIsNone(self.place.neighbour.poll(), "the neighbour was ended")
        with open("/proc/%d/stat" % self.place.neighbour.pid) as f:
            self.assertEqual(f.read().split()[2], "S", "the neighbour was stopped")
        self.assertEqual(self.place.state(), self.place.before)
        self.place.done()

    def ended(self, m, status=1):
        """Home has ended the process: killed, and the deputy says why."""
        line, code = m.end()
        self.assertEqual(code, status, line)
        self.assertEqual(m.victim.wait(60), -signal.SIGKILL, line)
        self.assertIn("over 1: the process was lost with its host and is ended: ", line)
        return line

    def goes_on(self, m, status):
        """Before RUN: it runs on at home, and nothing is left in it."""
        line, code = m.end()
        self.assertEqual(code, status, line)
        with open("/proc/%d/status" % m.pid) as f:
            text = f.read()
        self.assertIn("TracerPid:\t0\n", text)
        self.assertIn("Seccomp:\t0\n", text)
        self.assertEqual(set(os.listdir("/proc/%d/fd" % m.pid)), {"0", "1", "2"})
        with open("/proc/%d/maps" % m.pid) as f:
            self.assertNotIn("rwxp", f.read())
        self.assertEqual(m.victim.communicate(b"still here")[0], b"still here")
        self.assertEqual(m.victim.returncode, 0)
        return line

    # ------------------------------------------------------------ what must work

    def test_honest(self):
        """Lest all the rest hold for a wrong reason."""
        m = Move(self.place)
        for path, flags in ((self.place.path("home/desk/file"), os.O_RDWR), ("file", os.O_RDWR),
                            (self.place.path("declared/file"), os.O_RDWR), ("/etc/passwd", os.O_RDONLY),
                            ("/dev/null", os.O_RDWR), ("new", os.O_CREAT | os.O_WRONLY),
                            ("/proc/self/status", os.O_RDONLY)):
            fd, _ = m.ask("open", path.encode() + b"\0", flags, 0o600)
            self.assertGreaterEqual(fd, 0, path)
            self.assertEqual(m.ask("close", fd)[0], 0)
        self.assertEqual(m.ask("kill", m.pid, 0)[0], 0)
        self.assertGreaterEqual(m.ask("socket", 2, 1, 0)[0], 0)
        self.assertEqual(m.ask("getppid")[0], os.getpid())
        m.recall()
        m.send_image()
        m.send("PAGES", struct.pack("<QII", 0, 0, 0))
        m.send("DONE", struct.pack("<Q", 0))
        line, code = m.end()
        self.assertEqual((line, code), ("over 0: the process is at home", 0))
        # the sockets that it opened while away are its own
        self.assertEqual(m.victim.communicate(b"at home")[0], b"at home")

    def test_not_a_job(self):
        """The attacks are well made: they work on what is not confined."""
        m = Move(self.place, job=False)
        for path in ("home/.ssh/id", "elsewhere/file"):
            fd, _ = m.ask("open", self.place.path(path).encode() + b"\0", os.O_RDONLY)
            self.assertGreaterEqual(fd, 0)
            result, out = m.ask("pread64", fd, Out(100), 100, 0)
            self.assertEqual(out[:result], path.encode())
        self.assertEqual(m.ask("kill", self.place.neighbour.pid, 0)[0], 0)
        self.assertGreaterEqual(m.ask("socket", 1, 1, 0)[0], 0)

    # ------------------------------------------------------- beyond the job's wall

    def attacks(self):
        p = lambda name: self.place.path(name).encode() + b"\0"
        near, me = self.place.neighbour.pid, os.getpid()
        at_fdcwd = -100
        secret = ("home/.ssh/id", "home/.profile", "home/other/file", "elsewhere/file")
        for s in secret:
            yield "open", p(s), os.O_RDONLY
            yield "open", p(s), os.O_WRONLY
            yield "openat", at_fdcwd, p(s), os.O_RDONLY
            yield "open", b"../../" + s.encode() + b"\0", os.O_RDONLY
            yield "truncate", p(s), 0
            yield "unlink", p(s)
            yield "unlinkat", at_fdcwd, p(s), 0
            yield "rename", p(s), p("home/desk/stolen")
            yield "rename", p("home/desk/file"), p(s)
            yield "link", p(s), p("home/desk/stolen")
            yield "chmod", p(s), 0o777
            yield "fchmodat", at_fdcwd, p(s), 0o777
            yield "fchmodat2", at_fdcwd, p(s), 0o777, 0
            yield "utime", p(s), 0
            yield "utimensat", at_fdcwd, p(s), 0, 0
            yield "setxattr", p(s), b"user.x\0", b"x", 1, 0
            yield "chown", p(s), UID, UID
            yield "inotify_add_watch", 0, p(s), 0xfff
            yield "execveat", at_fdcwd, p(s), 0, 0, 0
        for d in ("home", "home/.ssh", "home/other", "elsewhere"):
            yield "open", p(d), os.O_RDONLY | os.O_DIRECTORY
            yield "creat", p(d + "/new"), 0o600
            yield "open", p(d + "/new"), os.O_CREAT | os.O_WRONLY, 0o600
            yield "mkdir", p(d + "/new"), 0o700
            yield "symlink", b"/etc\0", p(d + "/new")
            yield "mknod", p(d + "/new"), 0o10600, 0
            yield "rmdir", p(d)
        yield "symlink", b"../.ssh\0", p("elsewhere/way")
        for name in ("mem", "environ", "maps", "fd/0", "auxv", "root/etc/passwd", "cwd/etc/passwd"):
            yield "open", b"/proc/%d/%s\0" % (near, name.encode()), os.O_RDONLY
            yield "open", b"/proc/%d/%s\0" % (me, name.encode()), os.O_RDONLY
        yield "open", b"/proc/%d/oom_score_adj\0" % near, os.O_WRONLY
        yield "open", b"/dev/ptmx\0", os.O_RDWR
        for pid in (near, me, 1):
            yield "kill", pid, 9
            yield "kill", pid, 0
            yield "tkill", pid, 9
            yield "tgkill", pid, pid, 9
            yield "rt_sigqueueinfo", pid, 9, bytes(128)
            yield "ptrace", 0x4206, pid, 0, 0
            yield "ptrace", 16, pid, 0, 0
            yield "process_vm_readv", pid, bytes(16), 1, bytes(16), 1, 0
            yield "process_vm_writev", pid, bytes(16), 1, bytes(16), 1, 0
            yield "kcmp", pid, m_pid(), 0, 0, 0
            yield "prlimit64", pid, 7, bytes(16), 0
            yield "setpriority", 0, pid, 19
            yield "sched_setscheduler", pid, 5, bytes(4)
            yield "perf_event_open", bytes(128), pid, -1, -1, 0
        yield "setpriority", 2, UID, 19
        yield "fcntl", 0, 8, near  # F_SETOWN: what it would send is judged when it is sent
        yield "socket", 1, 1, 0
        yield "socket", 16, 3, 0
        yield "socket", 17, 3, 0
        yield "socket", 40, 1, 0
        yield "socketpair", 1, 2, 0, Out(8)
        yield "bind", 0, struct.pack("<HHI8x", 2, 0, 0), 16
        yield "listen", 0, 1
        for name in ("setuid", "setgid"):
            yield name, 0
            yield name, UID
        yield "setreuid", 0, 0
        yield "setresuid", 0, 0, 0
        yield "setfsuid", 0
        yield "setgroups", 1, bytes(4)
        yield "capset", bytes(8), bytes(24)
        for name in ("unshare", "setns", "chroot", "mount", "umount2", "pivot_root", "bpf", "userfaultfd",
                     "io_uring_setup", "keyctl", "add_key", "open_tree", "pidfd_getfd", "modify_ldt",
                     "ioperm", "shmget", "msgget", "mq_open", "clone3", "x32 kill", "nothing",
                     "clone", "fork", "vfork", "parasite_clone", "execveat"):
            yield name, b"/\0", 0x10000000, 0, 0, 0
        yield "execve", b"/bin/true\0", 0, 0
        yield "ioctl", 0, 0x5412, b"x"
        yield "ioctl", 0, 0x541c, b"x"
        yield "ioctl", 0, 0x1_0000_5412, b"x"

    def test_walls(self):
        """No call gets through; the deputy may also have had enough of such a host."""
        m, tried, lost = Move(self.place), 0, 0
        global m_pid
        m_pid = lambda: m.pid
        for attack in self.attacks():
            tried += 1
            try:
                result, _ = m.ask(*attack)
                if attack[0] == "fcntl":
                    continue
                self.assertLess(result, 0, attack)
            except Over:
                self.ended(m)
                m, lost = Move(self.place), lost + 1
        self.assertGreater(tried, 200)
        self.assertLess(lost, tried // 4)  # most are refused, and the process goes on

    def test_children(self):
        """A child at home lives behind the same walls."""
        program = ("/usr/bin/python3", "-c", "import os,sys\nsys.stdin.readline()\n"
                   "os.execv('/bin/sh', ['sh', '-c', sys.argv[1]])",
                   "cat %s; kill -0 %d; echo x >%s; echo ok >mine; cat /proc/%d/environ; cat mine" %
                   (self.place.path("home/.ssh/id"), self.place.neighbour.pid,
                    self.place.path("elsewhere/file"), self.place.neighbour.pid))
        m = Move(self.place, program=program)
        m.recall()
        m.send_image()
        m.send("PAGES", struct.pack("<QII", 0, 0, 0))
        m.send("DONE", struct.pack("<Q", 0))
        self.assertEqual(m.end()[1], 0)
        self.assertEqual(m.victim.communicate(b"\n", timeout=60)[0], b"ok\n")

    def test_working_directory_is_home(self):
        m = Move(self.place, cwd="home")
        p = lambda name: self.place.path(name).encode() + b"\0"
        self.assertGreaterEqual(m.ask("open", p("home/other/file"), os.O_RDONLY)[0], 0)
        self.assertGreaterEqual(m.ask("open", p("home/desk/file"), os.O_RDWR)[0], 0)
        for s in ("home/.ssh/id", "home/.profile", "elsewhere/file"):
            self.assertLess(m.ask("open", p(s), os.O_RDONLY)[0], 0, s)
        self.assertLess(m.ask("open", p("home/.new"), os.O_CREAT | os.O_WRONLY, 0o600)[0], 0)
        self.assertLess(m.ask("rename", p("home/desk/file"), p("home/.profile"))[0], 0)

    def test_working_directory_above_home(self):
        m = Move(self.place, cwd=".")
        p = lambda name: self.place.path(name).encode() + b"\0"
        self.assertGreaterEqual(m.ask("open", p("elsewhere/file"), os.O_RDONLY)[0], 0)
        self.assertLess(m.ask("open", p("home/.ssh/id"), os.O_RDONLY)[0], 0)
        self.assertLess(m.ask("rename", p("home"), p("elsewhere/home"))[0], 0)

    def test_working_directory_is_secret(self):
        m = Move(self.place, cwd="home/.ssh", until=-1)
        m.send_clocks()
        m.send_none()
        m.take_process()
        m.send("BUILT")
        self.assertIn("dot file", self.goes_on(m, 5))

    # ------------------------------------------------------------------- lies

    def test_before_run(self):
        """Whatever it says before RUN, the process goes on at home."""
        tid = lambda m: struct.pack("<I", m.pid)
        for name, payload in (("BUILT", b""), ("RUN", b""), ("CALL", bytes(8)), ("EXIT", bytes(4)),
                              ("DONE", bytes(8)), ("IMAGE", b"x"), ("PAGES", bytes(16)), ("GONE", tid),
                              ("CLONE", tid), ("SIGNAL", bytes(136)), ("STOPPED", bytes(4)),
                              ("HOMEWARD", bytes(8)), ("RECALL", b"")):
            m = Move(self.place, until=-1)
            m.send(name, payload(m) if callable(payload) else payload)
            self.assertIn("over 1: ", self.goes_on(m, 1), name)
        for text in (b"", b"no\x1b[2J\n\xff", b"x" * 512):
            m = Move(self.place, until=-1)
            m.send_clocks()
            m.send_none()
            m.take_process()
            m.send("FAIL", text)
            line = self.goes_on(m, 5)
            self.assertNotIn("\x1b", line)
        for late in ("CLOCK", "EXIT", "RUN"):
            m = Move(self.place, until=-1)
            m.send_clocks()
            m.send_none()
            m.take_process()
            m.send(late, bytes({"CLOCK": 32, "EXIT": 4, "RUN": 0}[late]))
            self.goes_on(m, 1)

    def test_files(self):
        """A host says which of the files it has, once, and of those it was told."""
        m = Move(self.place, until=-1)
        m.send_clocks()
        files = m.take_files()
        self.assertTrue(files)
        for name, size, digest in files:
            with open(name, "rb") as f:
                data = f.read()
            self.assertEqual((len(data), hashlib.sha256(data).digest()), (size, digest), name)
            self.assertTrue(name.startswith(("/usr/", "/lib", "/opt/")), name)
        m.send("HAVE", bytes((len(files) + 7) // 8 + 1))
        self.assertIn("over 1: ", self.goes_on(m, 1))
        m = Move(self.place, until=-1)
        m.send("HAVE", b"")
        self.assertIn("over 1: ", self.goes_on(m, 1))
        m = Move(self.place, until=-1)
        m.send_clocks()
        m.send("HAVE", bits := b"\xff" * ((len(m.take_files()) + 7) // 8 + 1))
        self.assertIn("over 1: ", self.goes_on(m, 1), bits)

    def stream(self, m, number, fd, *place):
        """Ask for it; (granted, offset)"""
        m.send("STREAM", struct.pack("<II", number, fd) + b"".join(struct.pack("<Q", at) for at in place))
        got, granted, offset = struct.unpack("<IIQ", m.wait("STREAMED")[1])
        self.assertEqual(got, number)
        time.sleep(0.02)  # home does not look at all processes more often
        return granted, offset

    def test_streams(self):
        """What a guest reads ahead: files that it alone reads, and no more than was asked for."""
        m = Move(self.place)
        p = lambda name: self.place.path(name).encode() + b"\0"
        fd = m.ask("open", p("home/desk/file"), os.O_RDONLY)[0]
        writing = m.ask("open", p("home/desk/new"), os.O_RDWR | os.O_CREAT, 0o600)[0]
        self.assertGreaterEqual(min(fd, writing), 0)
        self.assertEqual(self.stream(m, 1, fd), (1, 0))
        m.send("MORE", struct.pack("<IIQ", 1, 0, 10))
        self.assertEqual(m.wait("DATA")[1], struct.pack("<IIQ", 1, 0, 0) + b"home/desk/")
        m.send("RELEASE", struct.pack("<IIQ", 1, 0, 5))
        self.assertEqual(m.ask("read", fd, Out(9), 100)[1], b"desk/file")
        # not there, none of the program's, a pipe, open for writing
        for number, bad in enumerate((0xffffffff, 12345, 900, 0, writing), 2):
            self.assertEqual(self.stream(m, number, bad)[0], 0, bad)
        self.assertEqual(m.ask("dup2", fd, 77)[0], 77)
        self.assertEqual(self.stream(m, 17, fd)[0], 0)  # two descriptors of one offset
        # reads that name their place have none, and leave it alone
        self.assertEqual(self.stream(m, 18, fd, 5), (1, 5))
        m.send("MORE", struct.pack("<IIQ", 18, 0, 8))
        self.assertEqual(m.wait("DATA")[1], struct.pack("<IIQ", 18, 0, 5) + b"des")
        m.send("RELEASE", struct.pack("<IIQ", 18, 0, 8))
        self.assertEqual(self.stream(m, 19, writing, 0)[0], 0)
        self.assertEqual(m.ask("close", 77)[0], 0)
        self.assertEqual(self.stream(m, 21, fd), (1, 14))
        # home's own writers come before it: they wait for its word, no longer
        writer = subprocess.Popen(["/bin/sh", "-c", "exec 3<>\"$0\"", self.place.path("home/desk/file")])
        self.assertEqual(m.wait("STREAMED")[1], struct.pack("<IIQ", 21, 0, 0))
        self.assertIsNone(writer.poll())
        m.send("RELEASE", struct.pack("<IIQ", 21, 0, 14))
        self.assertEqual(writer.wait(60), 0)

    def test_streams_forged(self):
        one = lambda word, value: struct.pack("<IIQ", 1, word, value)
        nine = lambda value: struct.pack("<IIQ", 9, 0, value)
        for name, payload in (("STREAM", struct.pack("<II", 1, 0)), ("MORE", one(0, 1 << 40)), ("MORE", nine(1)),
                              ("MORE", one(0, (1 << 64) - 1)), ("RELEASE", one(0, 1)), ("RELEASE", nine(0)),
                              ("RELEASE", one(0, (1 << 64) - 1)), ("STREAM", struct.pack("<III", 2, 0, 0)),
                              ("STREAM", struct.pack("<IIQ", 2, 0, 1 << 63)), ("DATA", one(0, 0)), ("STREAMED", one(1, 0))):
            m = Move(self.place)
            fd = m.ask("open", self.place.path("home/desk/file").encode() + b"\0", os.O_RDONLY)[0]
            self.assertEqual(self.stream(m, 1, fd), (1, 0))
            m.send(name, payload)
            self.ended(m)

    def test_wrong_time(self):
        """After RUN a frame that cannot come ends the process: nobody knows what it is there."""
        for name, payload in (("CLOCK", bytes(32)), ("BUILT", b""), ("RUN", b""), ("ANSWER", bytes(24)),
                              ("SIGNAL", bytes(136)), ("CLONED", bytes(12)), ("IMAGE", b"x"),
                              ("PAGES", bytes(16)), ("DONE", bytes(8)), ("RECALL", b""), ("CONT", b""),
                              ("STOP", bytes(4)), ("FAIL", b"x"), ("HAVE", b""), ("FILES", b""),
                              ("STOPPED", struct.pack("<I", 9)), ("STOPPED", struct.pack("<I", 70000)),
                              ("CALL", bytes(8)), ("CALL", bytes(79))):
            m = Move(self.place)
            m.send(name, payload)
            self.ended(m)

    def test_nobody(self):
        """Frames for threads that there are not."""
        m = Move(self.place)
        for tid in (0, 1, self.place.neighbour.pid, os.getpid(), 0xffffffff, m.deputy.pid):
            self.assertEqual(m.ask("getppid", tid=tid or -1 & 0xffffffff)[0], -4)
            m.send("CANCEL", struct.pack("<I", tid))
            m.send("GONE", struct.pack("<I", tid))
        m.call(0, request("getppid"))
        self.assertEqual(struct.unpack_from("<q", m.wait("ANSWER")[1], 8)[0], -4)
        m.send("GONE", struct.pack("<I", m.pid))
        self.assertEqual(m.ask("getppid")[0], os.getpid())
        m.send("CLONE", struct.pack("<I", self.place.neighbour.pid))
        self.ended(m)

    def test_two_calls(self):
        m = Move(self.place)
        read = request("read", 0, Out(10), 10)
        m.call(m.pid, read)
        m.call(m.pid, read)
        self.ended(m)

    def test_marked_calls(self):
        """A guest may send writes ahead of their answers; nothing else, for one thread, and not without end."""
        mark = lambda m, flags, req: m.send("CALL", struct.pack("<II", m.pid, flags) + req)
        m = Move(self.place)
        fd = m.ask("open", self.place.path("home/desk/new").encode() + b"\0", os.O_WRONLY | os.O_CREAT, 0o600)[0]
        for n in range(20):
            mark(m, 1, request("write", fd, b"%02d" % n, 2))
        m.call(m.pid, request("getppid"))
        for n in range(20):
            self.assertEqual(struct.unpack_from("<IIq", m.wait("ANSWER")[1]), (m.pid, 1, 2))
        self.assertEqual(struct.unpack_from("<IIq", m.wait("ANSWER")[1]), (m.pid, 0, os.getpid()))
        with open(self.place.path("home/desk/new"), "rb") as f:
            self.assertEqual(f.read(), b"".join(b"%02d" % n for n in range(20)))
        # what is behind one that failed is not written, until a call that is waited for
        mark(m, 1, request("write", fd, b"20", 2))
        mark(m, 1, request("write", 999, b"xx", 2))
        mark(m, 1, request("write", fd, b"21", 2))
        m.call(m.pid, request("write", fd, b"22", 2))
        m.call(m.pid, request("write", fd, b"23", 2))
        got = [struct.unpack_from("<IIq", m.wait("ANSWER")[1])[1:] for _ in range(5)]
        self.assertEqual(got, [(1, 2), (1, -errno.EBADF), (1, -errno.ECANCELED), (0, -errno.ECANCELED), (0, 2)])
        self.assertEqual(os.path.getsize(self.place.path("home/desk/new")), 44)
        for flags, req in ((1, request("read", 0, Out(10), 10)), (2, request("write", fd, b"x", 1)),
                           (1, request("write", 1, bytes(200000), 200000))):
            m = Move(self.place)
            with contextlib.suppress(Over):
                for _ in range(30):
                    mark(m, flags, req)
            self.ended(m)

    def test_forged_requests(self):
        """Lengths and places: the parasite takes none of it, and ends."""
        zero = [0] * 6
        big = 0xffffffff
        for req in (raw_request(39, zero, [], b"", 0, 0, in_len=big),
                    raw_request(39, zero, [], b"", 0, big),
                    raw_request(39, zero, [], b"", big, big),
                    raw_request(39, zero, [], b"", 0, 100, fixed=200),
                    raw_request(39, zero, [], b"", 0, 0, n_fixups=0xffff),
                    raw_request(39, zero, [(0, 0)], b"", 0, 0),
                    raw_request(39, zero, [(0x80000006, 0)], b"", 0, 0),
                    raw_request(39, zero, [(0xffffffff, 0)], b"", 0, 0),
                    raw_request(39, zero, [(0, 0xffffffff)], bytes(8), 0, 0),
                    raw_request(39, zero, [(1, 0)], bytes(8), 0, 0),
                    raw_request(39, zero, [], b"", 1, 0),
                    raw_request(39, zero, [], b"", 0, 0, flags=0xff),
                    raw_request(39, zero, [], b"", 0, 245760),
                    raw_request(39, zero, [], bytes(245760), 0, 0)):
            m = Move(self.place)
            m.call(m.pid, req)
            line, _ = m.end()
            self.assertIn("over ", line)
            self.assertEqual(m.victim.wait(60), -signal.SIGKILL, line)

    def test_forged_pointers(self):
        m = Move(self.place)
        for at in (1, 0xdeadbeef000, 1 << 47, 0xffffffffff600000, 0xffff888000000000, (1 << 64) - 1):
            self.assertEqual(m.ask("write", 1, at, 100)[0], -14, hex(at))
            self.assertLess(m.ask("open", at, 0)[0], 0, hex(at))
            self.assertEqual(m.ask("pipe", at)[0], -14, hex(at))
        self.assertEqual(m.ask("getppid")[0], os.getpid())

    def overwrite(self, m, where):
        """The host may write into the stub's memory; what is broken by that is only the job."""
        fd, _ = m.ask("open", b"file\0", os.O_RDWR | os.O_TRUNC)
        self.assertEqual(m.ask("write", fd, b"\x0f\x0b" * 4096, 8192)[0], 8192)
        m.call(m.pid, request("pread64", fd, where, 8192, 0))

    def test_own_code(self):
        m = Move(self.place)
        self.overwrite(m, m.region()[0])
        line, _ = m.end()
        self.assertIn("over ", line)
        self.assertEqual(m.victim.wait(60), -signal.SIGKILL, line)

    def test_own_batches(self):
        """The area of the injected calls is written over; the deputy writes it anew."""
        m = Move(self.place)
        self.overwrite(m, m.region()[0] + 65536)
        m.wait("ANSWER")
        m.recall()
        m.send_image()
        m.send("PAGES", struct.pack("<QII", 0, 0, 0))
        m.send("DONE", struct.pack("<Q", 0))
        line, code = m.end()
        self.assertEqual((line, code), ("over 0: the process is at home", 0))

    def test_own_batches_go_in_circles(self):
        m = Move(self.place)
        fd, _ = m.ask("open", b"file\0", os.O_RDWR | os.O_TRUNC)
        self.assertEqual(m.ask("write", fd, b"\xeb\xfe" * 2048, 4096)[0], 4096)
        self.assertEqual(m.ask("pread64", fd, m.region()[0] + 65536, 4096, 0)[0], 4096)
        m.send("CLONE", struct.pack("<I", m.pid))
        try:
            m.wait("CLONED")  # it was refused, and the host may go on lying
            m.stream.close()
        except Over:
            pass
        self.ended(m)

    def test_exits(self):
        for status in (0x7f, 0x137f, 0x13, 0x12, 0x11, 0x14, 0x17, 0x1c, 0x41, 0x7e, 0xffff, 0x10000,
                       0xffffffff, 0x80000000):
            m = Move(self.place)
            m.send("EXIT", struct.pack("<I", status))
            self.ended(m)
        for status, code in ((0, 0), (3 << 8, 3), (15, -15), (9, -9), (11 | 0x80, -11), (64, -64)):
            m = Move(self.place)
            m.send("EXIT", struct.pack("<I", status))
            self.assertEqual(m.end()[1], 0)
            self.assertEqual(m.victim.wait(60), code)

    def test_threads(self):
        """More threads than can be, a thread for a thread that makes one, calls for one unborn."""
        m = Move(self.place)
        made = []
        while True:
            m.send("CLONE", struct.pack("<I", m.pid))
            _, tid, error = struct.unpack("<IIi", m.wait("CLONED")[1])
            if error:
                break
            made.append(tid)
        self.assertEqual(len(made), 255)
        self.assertEqual(m.ask("getppid", tid=made[-1])[0], os.getpid())
        m.send("CLONE", struct.pack("<I", made[0]))
        m.send("GONE", struct.pack("<I", made[1]))
        m.recall()
        m.send_image()
        self.assertIn("threads have come back", self.finish(m))

    def finish(self, m):
        try:
            m.send("PAGES", struct.pack("<QII", 0, 0, 0))
            m.send("DONE", struct.pack("<Q", 0))
        except Over:
            pass
        return self.ended(m)

    def test_two_clones(self):
        m = Move(self.place)
        m.send("CLONE", struct.pack("<I", m.pid))
        m.send("CLONE", struct.pack("<I", m.pid))
        self.ended(m)

    # ------------------------------------------------------------- lies at the return

    def changed(self, m, kind, at, value):
        """The image with one field of its first record of a kind changed."""
        out, done = b"", False
        for k, head, body in m.records():
            if k == kind and not done:
                body, done = body[:at] + value + body[at + len(value):], True
            out += head + body
        return out

    def with_mapping(self, m, start, end, prot=3):
        body = struct.pack("<QQIIQQII", start, end, prot, 0, 0, 0, 0, 0)
        out, put, n = b"", False, 0
        for k, head, b in m.records():
            if k == MAPPING:
                n += 1
            first = struct.unpack_from("<Q", b)[0] if k == MAPPING else None
            if not put and ((first is not None and first >= start) or (k != MAPPING and n)):
                out, put, n = out + struct.pack("<HHI", MAPPING, 1, len(body)) + body, True, n + 1
            if k == END:
                n_all, threads = struct.unpack_from("<II", b)
                b = struct.pack("<II", n_all + 1, threads) + b[8:]
            out += head + b
        return out

    def test_images(self):
        def images(m):
            start, size = m.region()
            yield "empty", b""
            yield "garbage", os.urandom(5000)
            yield "half", m.image[:len(m.image) // 2]
            yield "tail", m.image + b"x"
            yield "another pid", self.changed(m, PROCESS, 0, struct.pack("<I", self.place.neighbour.pid))
            yield "pid 1", self.changed(m, PROCESS, 0, struct.pack("<I", 1))
            yield "over the region", self.with_mapping(m, start, start + 4096)
            yield "around the region", self.with_mapping(m, start - 4096, start + size + 4096)
            yield "end of the region", self.with_mapping(m, start + size - 4096, start + size)
            yield "kernel", self.with_mapping(m, 0xffff800000000000, 0xffff800000001000)
            yield "no threads", b"".join(h + (b if k != END else b[:4] + bytes(4) + b[8:])
                                         for k, h, b in m.records() if k != 0x8005)
        names = [n for n, _ in images(Move(self.place))]
        for i, name in enumerate(names):
            m = Move(self.place)
            m.recall()
            image = list(images(m))[i][1]
            # at the start an image may hold its region; one of the return is judged without
            m.send_image(self.changed_region(image))
            self.finish(m)

    def changed_region(self, image):
        """An image of the return has no region of its own."""
        if len(image) > 44 and struct.unpack_from("<H", image)[0] == PROCESS:
            return image[:36] + bytes(16) + image[52:]
        return image

    def test_pages(self):
        def pages(m):
            start, size = m.region()
            yield struct.pack("<QII", start, 1, 0) + bytes(4096)
            yield struct.pack("<QII", start + 65536, 1, 0) + b"\xeb\xfe" * 2048
            yield struct.pack("<QII", 4096, 1, 0) + bytes(4096)
            yield struct.pack("<QII", 0x7fffffffe000, 60, 1)
            yield struct.pack("<QII", 0xffff888000000000, 1, 0) + bytes(4096)
            yield struct.pack("<QII", 0xfffffffffffff000, 2, 1)
            yield struct.pack("<QII", 1, 1, 1)
            yield struct.pack("<QII", 4096, 61, 1)
            yield struct.pack("<QII", 4096, 0xffffffff, 1)
            yield struct.pack("<QII", 4096, 1, 2)
            yield struct.pack("<QII", 4096, 2, 0) + bytes(4096)
        for i in range(len(list(pages(Move(self.place))))):
            m = Move(self.place)
            m.recall()
            m.send_image(self.changed_region(m.image))
            m.send("PAGES", list(pages(m))[i])
            self.finish(m)

    def test_return_out_of_order(self):
        for name, payload in (("DONE", bytes(8)), ("SIGNAL", bytes(136)),
                              ("SIGNAL", struct.pack("<IIi", 0, 65, 65) + bytes(124)),
                              ("SIGNAL", struct.pack("<IIi", 0, 10, 9) + bytes(124))):
            m = Move(self.place)
            m.recall()
            m.send(name, payload)
            self.ended(m)
        for name, payload in (("IMAGE", b"x"), ("CALL", bytes(8) + request("getppid")), ("EXIT", bytes(4)),
                              ("CLONE", bytes(4)), ("HOMEWARD", bytes(8))):
            m = Move(self.place)
            m.recall()
            m.send_image(self.changed_region(m.image))
            m.send(name, payload)
            self.ended(m)

    def test_signals_for_others(self):
        """A signal that is still pending is given to a thread of the process, or to nobody."""
        for tid in (self.place.neighbour.pid, os.getpid(), 1):
            m = Move(self.place)
            m.recall()
            m.send("SIGNAL", struct.pack("<IIi", tid, 9, 9) + bytes(124))
            m.send_image(self.changed_region(m.image))
            m.send("PAGES", struct.pack("<QII", 0, 0, 0))
            m.send("DONE", struct.pack("<Q", 0))
            line, code = m.end()  # as if the thread had ended: nobody hears of it
            self.assertEqual((line, code), ("over 0: the process is at home", 0))

    def test_call_under_way(self):
        m = Move(self.place)
        m.call(m.pid, request("read", 0, Out(10), 10))
        m.recall()
        m.send_image(self.changed_region(m.image))
        self.finish(m)

    # ------------------------------------------------------------------ floods

    def memory(self, m):
        with open("/proc/%d/status" % m.deputy.pid) as f:
            return int(next(line for line in f if line.startswith("VmHWM")).split()[1]) // 1024

    def test_flood(self):
        """The deputy's memory is bounded, whatever comes."""
        m = Move(self.place)
        for _ in range(20000):
            m.send("CANCEL", struct.pack("<I", m.pid))
            m.send("GONE", struct.pack("<I", m.pid))
        for _ in range(2000):
            self.assertEqual(m.ask("getppid", tid=1)[0], -4)
        self.assertLess(self.memory(m), 64)
        m.recall()
        with self.assertRaises(Over):
            for _ in range(70000):
                m.send("SIGNAL", struct.pack("<IIi", 0, 34, 34) + bytes(124))
            m.wait("DONE")
        self.ended(m)

    def test_endless_image(self):
        m = Move(self.place)
        m.recall()
        with self.assertRaises(Over):
            for _ in range(1000):
                m.send("IMAGE", bytes(262144))
            m.wait("DONE")
        self.ended(m)

    def test_deaf(self):
        """It asks, and never listens: the deputy does not keep answers without end."""
        m = Move(self.place)
        fd, _ = m.ask("open", b"/dev/zero\0", os.O_RDONLY)
        self.assertGreaterEqual(fd, 0)
        m.stream.settimeout(None)
        req = struct.pack("<II", 1, 0) + request("getppid")
        head = struct.pack("<II", len(req), TYPES["CALL"])
        m.stream.settimeout(5)
        try:  # nothing is read from the stream: sooner or later nothing goes into it either
            for _ in range(400000):
                m.stream.sendall(head + req)
        except (TimeoutError, socket.timeout, BrokenPipeError, ConnectionResetError):
            pass
        if m.deputy.poll() is None:
            self.assertLess(self.memory(m), 64)

    def test_hangs_up(self):
        m = Move(self.place)
        m.stream.close()
        self.ended(m)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root to trace the processes of others")
        sys.exit(77)
    unittest.main()
