# SPDX-License-Identifier: GPL-2.0-or-later
"""move_files.py - files of a process that is away: full disks, ends and broken streams in the middle of it

Reads are answered from what home has sent ahead, writes go on before home has answered. A python3
that does both is moved, and what it had and what is in its files is compared with what it would be
at home.
"""
import contextlib
import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import moving

BETWEEN = None
DEPUTY = os.path.join(os.environ.get("COMOSIX_BIN", "build/bin"), "comosix-deputy")
PIECE = 3000

# waits for an order, and then does what it names; a number in each piece, so that none can be missed
PROGRAM = r"""
import errno, os, signal, sys, threading
what, path, other = sys.argv[1:4]
def piece(n):
    return n.to_bytes(4, "little") * 750
def fill(most):
    fd, n, error = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 0, 0
    try:
        for n in range(most):
            if os.write(fd, piece(n)) != 3000:
                break
    except OSError as e:
        error = e.errno
    for end in os.fsync, os.close:
        try:
            end(fd)
        except OSError as e:
            error = error or e.errno
    return error, n, os.path.getsize(path)
def copy():
    with open(path, "rb", 0) as a, open(other, "wb", 0) as b:
        while data := a.read(4096):
            b.write(data)
print("ready", flush=True)
for line in sys.stdin:
    if what == "fill":
        print(*fill(1 << 30), flush=True)
    elif what == "again":
        fd, error = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), None
        while not error:
            try:
                os.write(fd, piece(0))
            except OSError as e:
                error = errno.errorcode[e.errno]
        print(error, flush=True)
        sys.stdin.readline()
        print(*(os.write(fd, piece(1)) for n in range(8)), flush=True)
    elif what == "exit":
        fill(400)
        fd = os.open(other, os.O_WRONLY | os.O_CREAT, 0o600)
        for n in range(400):
            os.write(fd, piece(n))
        os._exit(7) if line == "exit\n" else os.kill(os.getpid(), signal.SIGTERM)
    elif what == "threads":
        fd = os.open(path, os.O_RDONLY)
        def read(i):
            for n in range(30):
                same.append(os.pread(fd, 229376, 4096 * ((i + n) % 100)) == data[4096 * ((i + n) % 100):][:229376])
        same, threads = [], [threading.Thread(target=read, args=(i,)) for i in range(40)]
        data = os.pread(fd, 1 << 20, 0)
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(len(same), all(same), flush=True)
    elif what == "copy":
        copy()
        print("copied", flush=True)
"""


class Program:
    def __init__(self, what, path, other="/dev/null"):
        self.process = subprocess.Popen(
            ["setpriv", f"--reuid={moving.USER}", f"--regid={moving.USER}", "--clear-groups",
             "/usr/bin/python3", "-c", PROGRAM, what, path, other],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", text=True)
        self.pid = self.process.pid
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, order="go"):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()

    def said(self):
        return self.process.stdout.readline().split()

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Files(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="move_files.", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.dir)
        os.chown(self.dir, moving.USER, moving.USER)

    def path(self, name):
        return os.path.join(self.dir, name)

    def memory(self, size):
        """A file system of so many bytes."""
        at = self.path("full")
        os.mkdir(at)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "files", at], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", at], check=True)
        return at

    def program(self, *args):
        program = Program(*args)
        self.addCleanup(program.close)
        return program

    def away(self, program):
        """It is away, in a guest on this machine."""
        deputy = subprocess.Popen([DEPUTY, "--local", str(program.pid)], stdout=subprocess.PIPE, text=True)
        self.addCleanup(deputy.stdout.close)
        self.addCleanup(deputy.wait)
        self.addCleanup(deputy.terminate)
        self.assertIn("away", deputy.stdout.readline())
        return deputy

    def limit(self, program, size):
        """Of its files, from outside, as its user."""
        subprocess.run(["setpriv", f"--reuid={moving.USER}", f"--regid={moving.USER}", "--clear-groups",
                        "prlimit", f"--pid={program.pid}", f"--fsize={size}:"], check=True)

    def check_pieces(self, path, n, size):
        want = b"".join(i.to_bytes(4, "little") * 750 for i in range(n + 1))[:size]
        with open(path, "rb") as f:
            self.assertEqual(hashlib.sha256(f.read()).digest(), hashlib.sha256(want).digest())

    def test_full_disk(self):
        """The write that does not fit says so, at the same byte as at home."""
        file = os.path.join(self.memory("70m"), "file")
        program = self.program("fill", file)
        program.tell()
        at_home = program.said()
        self.assertEqual(int(at_home[0]), 0 if int(at_home[2]) % PIECE else errno.ENOSPC)
        self.check_pieces(file, int(at_home[1]), int(at_home[2]))
        self.away(program)
        program.tell()
        self.assertEqual(program.said(), at_home)
        self.check_pieces(file, int(at_home[1]), int(at_home[2]))

    def test_disk_that_others_fill(self):
        """Space goes while writes are on the way: it is told later, and nothing is in the wrong place."""
        at = self.memory("256m")
        file = os.path.join(at, "file")
        program = self.program("fill", file)
        self.away(program)
        program.tell()
        moving.until(lambda: os.path.exists(file) and os.path.getsize(file) > 100 * PIECE, "it does not write")
        with open(os.path.join(at, "others"), "wb") as f:
            with contextlib.suppress(OSError):
                for n in range(256):
                    os.posix_fallocate(f.fileno(), n << 20, 1 << 20)
        error, n, size = (int(word) for word in program.said())
        self.assertIn(error, (0, errno.ENOSPC))
        self.assertTrue(error or size % PIECE)
        self.assertLessEqual(size, (n + 1) * PIECE)
        self.check_pieces(file, n, size)

    def test_failure_behind(self):
        """One that fails behind the program's back is told once; then writes are made as before."""
        file = self.path("file")
        program = self.program("again", file)
        self.away(program)
        program.tell()
        moving.until(lambda: os.path.exists(file) and os.path.getsize(file) > 100 * PIECE, "it does not write")
        self.limit(program, os.path.getsize(file) + (1 << 20))
        self.assertEqual(program.said(), ["EFBIG"])
        self.limit(program, "unlimited")
        size = os.path.getsize(file)
        program.tell()
        self.assertEqual(program.said(), [str(PIECE)] * 8)
        with open(file, "rb") as f:
            self.assertEqual(f.seek(0, os.SEEK_END), size + 8 * PIECE)
            f.seek(size)
            self.assertEqual(f.read(), (1).to_bytes(4, "little") * 750 * 8)

    def test_its_end(self):
        """What it wrote last is there when its parent sees the end."""
        for order, status in (("exit", 7), ("signal", -signal.SIGTERM)):
            program = self.program("exit", self.path("file"), self.path(order))
            self.away(program)
            program.tell(order)
            self.assertEqual(program.process.wait(moving.LIMIT_S), status)
            self.check_pieces(self.path("file"), 399, 400 * PIECE)
            self.check_pieces(self.path(order), 399, 400 * PIECE)

    def test_many_readers(self):
        """More answers at a time than the channel has room for."""
        with open(self.path("file"), "wb") as f:
            f.write(os.urandom(1 << 20))
        os.chmod(self.path("file"), 0o644)
        program = self.program("threads", self.path("file"))
        self.away(program)
        program.tell()
        self.assertEqual(program.said(), ["1200", "True"])

    def test_stream_replaced(self):
        """Cut at any byte while a file is copied: every byte of it comes once."""
        with open(self.path("file"), "wb") as f:
            f.write(os.urandom(3 << 20))
        os.chmod(self.path("file"), 0o644)
        program = self.program("copy", self.path("file"), self.path("copy"))
        move = moving.Move(BETWEEN, program, "bytes")
        self.addCleanup(move.close)
        move.away()
        program.tell()
        for n in range(20):
            move.replace_stream(1 + n * 99991 % 250007)
            if n == 10:
                self.assertEqual(program.said(), ["copied"])
                with open(self.path("file"), "rb") as a, open(self.path("copy"), "rb") as b:
                    self.assertEqual(a.read(), b.read())
                program.tell()
        self.assertEqual(program.said(), ["copied"])
        move.say("home")
        self.assertEqual(move.over(), (0, moving.FATE_HOME))
        with open(self.path("file"), "rb") as a, open(self.path("copy"), "rb") as b:
            self.assertEqual(a.read(), b.read())


if __name__ == "__main__":
    BETWEEN = sys.argv.pop(1)
    unittest.main()
