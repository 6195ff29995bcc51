#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""cache_live.py - the cache of a real comosixd while a task runs: given to root, swept, never full

The cache is a small file system of its own, in a mount namespace of this test.
"""
import contextlib
import fcntl
import hashlib
import os
import select
import socket
import subprocess
import sys
import unittest

if "COMOSIX_PRIVATE" not in os.environ and os.geteuid() == 0:
    os.environ["COMOSIX_PRIVATE"] = "mounts"
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import exec_live as live
import frames as w

BASE = 1 << 24 | (os.getpid() & 0xFFFF) << 8  # uids that no other test has
MIB = 1 << 20


class Cache(live.Case):
    options = ("--task-uid-base", str(BASE), "--cache-size", str(8 * MIB), "--tasks", "4")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dir = os.path.join(cls.cluster.state("s1"), "cache")
        os.makedirs(cls.dir, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "cache", cls.dir], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "--lazy", cls.dir], check=True)

    def open_task(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.cluster.socket("s1"))
        sock.sendall(w.open_frame(w.OPEN_TASK, "s1", body=w.message(f1="blast")))
        stream = w.Stream(sock)
        self.addCleanup(stream.close)
        return stream, *stream.next()

    def task(self):
        stream, kind, payload = self.open_task()
        self.assertEqual(kind, w.OPEN_OK, payload)
        return stream

    def put(self, name, data, uid):
        """As a worker does it: whole, closed for writing, and then under its name."""
        path = os.path.join(self.dir, name)
        fd = os.open(self.dir, os.O_TMPFILE | os.O_RDWR)
        os.write(fd, data)
        os.fchown(fd, uid, BASE)
        os.fchmod(fd, 0o644)
        ro = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY)
        os.close(fd)
        # with a directory it is linkat(), which can follow
        os.link("/proc/self/fd/%d" % ro, path, src_dir_fd=ro, follow_symlinks=True)
        os.close(ro)
        return path

    def until(self, what):
        """Something the daemon's children do: seen in the directory, for nobody tells of it."""
        while not what():
            self.assertIsNone(self.cluster.daemons["s1"].poll())
            select.select([], [], [], 0.05)

    def test_1_files_become_roots(self):
        stream = self.task()
        data = os.urandom(MIB)
        right = self.put(hashlib.sha256(data).hexdigest(), data, BASE)
        wrong = self.put("0" * 64, data, BASE + 1)
        self.until(lambda: os.stat(right).st_uid == 0 and
                   os.stat(right).st_mode & 0o7777 == 0o444)
        self.until(lambda: not os.path.exists(wrong))
        stream.close()

    def test_2_it_is_swept_while_a_task_runs(self):
        stream = self.task()
        used = self.put("used", b"x" * 5 * MIB, BASE)
        with open(used, "rb") as f:
            fcntl.flock(f, fcntl.LOCK_SH)
            os.utime(used, (1, 1))  # it would be the first to go
            idle = self.put("idle", b"x" * 5 * MIB, BASE)
            os.mkdir(os.path.join(self.dir, "made"))
            os.chown(os.path.join(self.dir, "made"), BASE, BASE)
            self.until(lambda: not os.path.exists(idle))
            self.until(lambda: not os.path.exists(os.path.join(self.dir, "made")))
            self.assertTrue(os.path.exists(used))
        os.unlink(used)
        stream.close()

    def test_3_a_full_disk_ends_tasks_and_takes_none(self):
        for name in os.listdir(self.dir):  # nothing is left that a sweep could remove
            with contextlib.suppress(FileNotFoundError):  # one is at it, it may be
                os.unlink(os.path.join(self.dir, name))
        stream = self.task()
        # what a box has open and has removed: only its end would free it
        fd = os.open(self.dir, os.O_TMPFILE | os.O_RDWR)
        v = os.statvfs(self.dir)
        os.posix_fallocate(fd, 0, v.f_bavail * v.f_frsize - MIB // 2)
        while stream.next():  # the worker's beats, until it is ended
            pass
        kind, payload = self.open_task()[1:]
        self.assertEqual((kind, w.parse(payload)[1][0]), (w.ERROR, 5))
        self.assertIn(b"disk of the cache on s1 is full", payload)
        os.close(fd)

        def is_taken():  # when the daemon has looked again
            stream, kind, _ = self.open_task()
            stream.close()
            return kind == w.OPEN_OK

        self.until(is_taken)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("needs root: tasks run under uids of their own")
        sys.exit(77)
    unittest.main()
