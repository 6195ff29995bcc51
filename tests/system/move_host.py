# SPDX-License-Identifier: GPL-2.0-or-later
"""move_host.py - the host of a real deputy, in the hands of a test; for move_liar.py

The program hostile_host is the deputy and carries its frames; Move sends and takes them.
"""
import os
import shutil
import socket
import struct
import subprocess
import tempfile

UID = 61000 + os.getpid() % 1000  # two runs of this test at the same time shall not meet

TYPES = {"IMAGE": 1, "PAGES": 2, "BUILT": 3, "RUN": 4, "CALL": 5, "ANSWER": 6, "CANCEL": 7, "SIGNAL": 8,
         "CLONE": 9, "CLONED": 10, "GONE": 11, "STOPPED": 12, "STOP": 13, "CONT": 14, "HOMEWARD": 15,
         "RECALL": 16, "DONE": 17, "EXIT": 18, "FAIL": 22, "CLOCK": 23, "ROUND": 24,
         "FILES": 29, "HAVE": 30, "STREAM": 31, "STREAMED": 32, "MORE": 33, "DATA": 34, "RELEASE": 35}
NAMES = {v: k for k, v in TYPES.items()}
PROCESS, MAPPING, END = 0x8001, 0x8004, 0x8006
AWAY, OVER_OK = 3, 0

NR = {"read": 0, "write": 1, "open": 2, "close": 3, "mmap": 9, "ioctl": 16, "munmap": 11, "rt_sigreturn": 15,
      "pread64": 17, "pipe": 22, "shmget": 29, "socket": 41, "connect": 42, "bind": 49, "listen": 50,
      "socketpair": 53, "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "exit": 60, "kill": 62,
      "msgget": 68, "fcntl": 72, "truncate": 76, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85,
      "link": 86, "unlink": 87, "symlink": 88, "readlink": 89, "chmod": 90, "chown": 92, "umask": 95,
      "ptrace": 101, "setuid": 105, "setgid": 106, "setreuid": 113, "setgroups": 116, "setresuid": 117,
      "setfsuid": 122, "capset": 126, "rt_sigqueueinfo": 129, "utime": 132, "mknod": 133,
      "personality": 135, "setpriority": 141, "sched_setscheduler": 144, "pivot_root": 155,
      "prctl": 157, "chroot": 161, "mount": 165, "umount2": 166, "setxattr": 188, "tkill": 200,
      "exit_group": 231, "mq_open": 240, "add_key": 248, "keyctl": 250, "inotify_add_watch": 254,
      "openat": 257, "unlinkat": 263, "renameat": 264, "fchmodat": 268, "unshare": 272,
      "utimensat": 280, "tgkill": 234, "perf_event_open": 298, "prlimit64": 302, "setns": 308,
      "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "seccomp": 317, "bpf": 321,
      "execveat": 322, "userfaultfd": 323, "pidfd_send_signal": 424, "io_uring_setup": 425,
      "open_tree": 428, "clone3": 435, "pidfd_getfd": 438, "fchmodat2": 452, "pidfd_open": 434,
      "getppid": 110, "modify_ldt": 154, "ioperm": 173, "parasite_clone": 0x10000,
      "parasite_exit": 0x10001, "x32 kill": 0x4000003e, "nothing": 9999, "memfd_create": 319,
      "getpid": 39, "setsid": 112, "dup2": 33}


class Out:
    """An argument that points to so many bytes to be written."""

    def __init__(self, n):
        self.n = n


def request(nr, *args):
    """Bytes become input that is pointed to, Out output."""
    data, fixups, values, outs = b"", [], [], []
    for i, a in enumerate(args):
        if isinstance(a, bytes):
            fixups.append((0x80000000 | i, len(data)))
            data += a + bytes(-len(a) % 8)
            values.append(0)
        elif isinstance(a, Out):
            outs.append((i, a.n))
            values.append(0)
        else:
            values.append(a & (1 << 64) - 1)
    out_len = 0
    for i, n in outs:
        fixups.append((0x80000000 | i, len(data) + out_len))
        out_len += n
    values += [0] * (6 - len(values))
    return raw_request(NR.get(nr, nr), values, fixups, data, len(data), out_len)


def raw_request(nr, values, fixups, data, out_at, out_len, in_len=None, n_fixups=None, flags=0, fixed=None):
    head = struct.pack("<IHH6QIIII", nr, flags, len(fixups) if n_fixups is None else n_fixups, *values,
                       len(data) if in_len is None else in_len, out_at, out_len,
                       out_len if fixed is None else fixed)
    return head + b"".join(struct.pack("<II", *f) for f in fixups) + data


class Over(Exception):
    pass


class Place:
    """A home directory with a secret, a working directory in it, a declared one, and a neighbour."""

    def __init__(self):
        self.top = tempfile.mkdtemp(dir="/var/tmp")
        self.home = self.path("home")
        for d in ("home", "home/.ssh", "home/desk", "home/other", "declared", "elsewhere"):
            os.mkdir(self.path(d))
        self.files = {}
        for name in ("home/.ssh/id", "home/.profile", "home/other/file", "elsewhere/file",
                     "declared/file", "home/desk/file"):
            self.files[self.path(name)] = name.encode()
            with open(self.path(name), "wb") as f:
                f.write(name.encode())
        for path, _, names in os.walk(self.top):
            os.chown(path, UID, UID)
            for n in names:
                os.chown(os.path.join(path, n), UID, UID)
        self.neighbour = subprocess.Popen(as_user("/usr/bin/cat"), stdin=subprocess.PIPE,
                                          env={"SECRET": "of the neighbour"}, cwd="/")
        while os.readlink("/proc/%d/exe" % self.neighbour.pid) == "/usr/bin/setpriv":
            pass
        self.before = self.state()

    def path(self, name):
        return os.path.join(self.top, name)

    def state(self):
        """All that a job may not change."""
        found = {}
        for path, dirs, names in os.walk(self.top):
            if path.startswith((self.path("home/desk"), self.path("declared"))):
                continue
            for n in dirs + names:
                p = os.path.join(path, n)
                st = os.lstat(p)
                data = None
                if os.path.isfile(p):
                    with open(p, "rb") as f:
                        data = f.read()
                found[p] = (st.st_mode, st.st_uid, data)
        return found

    def done(self):
        self.neighbour.kill()
        self.neighbour.communicate()
        shutil.rmtree(self.top)


def as_user(*argv):
    return ["/usr/bin/setpriv", "--reuid=%d" % UID, "--regid=%d" % UID, "--clear-groups", *argv]


class Move:
    made = []
    program = None  # hostile_host; set by the test

    def __init__(self, place, job=True, until=AWAY, program=("/usr/bin/cat",), cwd="home/desk"):
        Move.made.append(self)
        self.victim = subprocess.Popen(as_user(*program), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       cwd=place.path(cwd), env={"HOME": place.home})
        while os.readlink("/proc/%d/exe" % self.victim.pid) == "/usr/bin/setpriv":
            pass  # it becomes the program
        ours, theirs = socket.socketpair()
        ours.settimeout(60)
        self.stream = ours
        extra = ["job", place.path("declared")] if job else []
        fd = theirs.fileno()
        self.deputy = subprocess.Popen([Move.program, str(fd), str(self.victim.pid), *extra], pass_fds=[fd],
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                       env={"JOB_HOME": place.home})
        theirs.close()
        self.image = b""
        if until >= 0:
            self.go_away()

    @property
    def pid(self):
        return self.victim.pid

    def send(self, name, payload=b""):
        try:
            self.stream.sendall(struct.pack("<II", len(payload), TYPES.get(name, name)) + payload)
        except (BrokenPipeError, ConnectionResetError):
            raise Over from None

    def bytes(self, n):
        data = b""
        while len(data) < n:
            more = self.stream.recv(n - len(data))
            if not more:
                raise Over
            data += more
        return data

    def take(self):
        try:
            n, number = struct.unpack("<II", self.bytes(8))
            return NAMES[number], self.bytes(n)
        except ConnectionResetError:
            raise Over from None

    def wait(self, *names):
        while True:
            name, payload = self.take()
            if name in names:
                return name, payload

    def send_clocks(self):
        for _ in range(4):
            self.send("CLOCK", struct.pack("<4q", 0, 0, 0, 0))

    def take_files(self):
        """Home's list, as (name, size, digest)"""
        files, data = [], b""
        while True:
            _, piece = self.wait("FILES")
            if not piece:
                break
            data += piece
        while data:
            size, digest, n = struct.unpack_from("<Q32sH", data)
            files.append((data[42:42 + n].decode(), size, digest))
            data = data[42 + n:]
        return files

    def send_none(self):
        """This host has none of the files that the process maps."""
        self.send("HAVE", bytes((len(self.take_files()) + 7) // 8))

    def take_process(self):
        whole = False
        while True:
            name, payload = self.take()
            if name == "IMAGE":
                if whole:  # the first one was of the running process
                    self.image = b""
                self.image += payload
                whole = not payload
            elif name == "ROUND":
                self.send("ROUND")
            elif name == "PAGES" and not struct.unpack_from("<QI", payload)[1]:
                return

    def go_away(self):
        self.send_clocks()
        self.send_none()
        self.take_process()
        self.send("BUILT")
        self.wait("RUN")

    def call(self, tid, req):
        self.send("CALL", struct.pack("<II", tid, 0) + req)

    def ask(self, nr, *args, tid=None):
        """(result, output)"""
        self.call(tid or self.pid, request(nr, *args))
        _, p = self.wait("ANSWER")
        return struct.unpack_from("<q", p, 8)[0], p[24:]

    def recall(self):
        self.send("HOMEWARD", struct.pack("<II", 0, self.pid))
        self.wait("RECALL")

    def records(self):
        at, found = 0, []
        while at < len(self.image):
            kind, _, n = struct.unpack_from("<HHI", self.image, at)
            found.append((kind, self.image[at:at + 8], self.image[at + 8:at + 8 + n]))
            at += 8 + n
        return found

    def region(self):
        """(start, size)"""
        body = next(b for k, _, b in self.records() if k == PROCESS)
        return struct.unpack_from("<QQ", body, 28)

    def send_image(self, image=None):
        image = self.image if image is None else image
        for i in range(0, len(image), 1 << 17):
            self.send("IMAGE", image[i:i + (1 << 17)])
        self.send("IMAGE")

    def end(self, timeout=60):
        """The deputy's last line, its status and that of the process (None: it lives)"""
        try:
            words = self.deputy.communicate(timeout=timeout)[0].splitlines()
        finally:
            self.stream.close()
        last = [w for w in words if w.startswith("over ")]
        return (last[-1] if last else "\n".join(words)), self.deputy.returncode

    def kill(self):
        for p in (self.deputy, self.victim):
            if p.poll() is None:
                p.kill()
                p.wait()
            for f in (p.stdin, p.stdout):
                if f:
                    f.close()
        self.stream.close()
