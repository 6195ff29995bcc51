# SPDX-License-Identifier: GPL-2.0-or-later
"""box_hostile.py ATTACK - runs inside a box and tries to get out; prints what it got

Each attack prints "held" when the wall held, else what it found behind it.
"""
import ctypes
import os
import resource
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)


def syscall(number, *args):
    ctypes.set_errno(0)
    r = libc.syscall(number, *args)
    return r, ctypes.get_errno()


def readable(*paths):
    """Which of these can be read or listed?"""
    found = []
    for p in paths:
        try:
            found.append("%s: %r" % (p, os.listdir(p) if os.path.isdir(p) else open(p, "rb").read(9)))
        except OSError:
            pass
    return found


def files():
    return readable("/etc/shadow", "/home", "/root", "/var/lib", "/run", "/sys", "/proc/1/environ",
                    "/proc/1/mem", "/proc/1/fd", "/proc/1/root/etc", "/proc/sys/kernel",
                    "/proc/kallsyms", "/proc/self/root/home", "/dev/vda", "/dev/kmsg", "/dev/tty",
                    "/etc/hostname", "/boot", "/srv", "/opt", "/mnt")


def writing():
    found = []
    for p in ("/x", "/usr/x", "/etc/x", "/dev/x", "/usr/bin/x", "/bin/x", "/etc/passwd", "/var/x",
              "/proc/sys/kernel/core_pattern", "/proc/1/oom_score_adj", "/cache/../x"):
        try:
            open(p, "w").close()
            found.append(p)
        except OSError:
            pass
    return found


def allowed():
    """What must work, lest all the rest hold for a wrong reason."""
    for p in ("/scratch/x", "/tmp/y", "/var/tmp/z", "/cache/" + sys.argv[2]):
        with open(p, "w") as f:
            f.write("x")
    s = socket.socketpair(socket.AF_UNIX)
    s[0].send(b"x")
    assert os.environ["COMOSIX_CACHE"] == "/cache" and os.environ["COMOSIX_SCRATCH"] == "/scratch"
    assert os.environ["PATH"] == "/usr/local/bin:/usr/bin:/bin" and os.environ["EXTRA"] == "1"
    assert os.getcwd() == "/scratch" and socket.gethostname() == "box"
    assert os.getgroups() in ([], [os.getgid()])
    pid = os.fork()
    if not pid:
        os._exit(7)
    return [] if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7 else ["fork"]


def processes():
    pids = {int(p) for p in os.listdir("/proc") if p.isdigit()}
    found = sorted(pids - {1, os.getpid()})
    for pid in range(1, 70000):
        if pid in (os.getpid(),):
            continue
        try:
            os.kill(pid, 9)  # init of the box is deaf to it
            if pid != 1:
                found.append("killed %d" % pid)
        except OSError:
            pass
    os.stat("/proc/1")
    return found


def network():
    found = []
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 40, 38):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(family, kind)
                found.append("socket %d %d" % (family, kind))
            except OSError:
                pass
    with open("/proc/self/net/dev") as f:
        names = [line.split(":")[0].strip() for line in f if ":" in line]
    if names != ["lo"]:
        found.append(repr(names))
    for name in ("/run/comosix/comosixd.sock", "\0" + sys.argv[2]):
        try:
            socket.socket(socket.AF_UNIX).connect(name)
            found.append(name)
        except OSError:
            pass
    return found


CALLS = {"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "ptrace": 101,
         "process_vm_readv": 310, "process_vm_writev": 311, "keyctl": 250, "add_key": 248,
         "request_key": 249, "bpf": 321, "perf_event_open": 298, "kexec_load": 246,
         "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
         "userfaultfd": 323, "unshare": 272, "setns": 308, "personality": 135,
         "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
         "open_by_handle_at": 304, "name_to_handle_at": 303, "open_tree": 428, "move_mount": 429,
         "fsopen": 430, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "pidfd_getfd": 438,
         "process_madvise": 440, "kcmp": 312, "reboot": 169, "swapon": 167, "acct": 163,
         "quotactl": 179, "iopl": 172, "ioperm": 173, "syslog": 103, "settimeofday": 164,
         "clock_settime": 227, "sethostname": 170, "setdomainname": 171, "fanotify_init": 300,
         "move_pages": 279, "migrate_pages": 256, "modify_ldt": 154}


def calls():
    found = ["%s: %r" % (name, r) for name, r in
             ((name, syscall(n, 0, 0, 0, 0, 0)) for name, n in CALLS.items()) if r != (-1, 1)]
    if syscall(435, 0, 0) != (-1, 38):
        found.append("clone3")
    for flag in (0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000, 0x10000000):
        if syscall(56, flag | 17, 0, 0, 0, 0) != (-1, 1):
            found.append("clone %x" % flag)
    if syscall(16, 0, 0x5412, b"x")[1] != 1 or syscall(16, 0, 0x1_0000_5412, b"x")[1] != 1:
        found.append("TIOCSTI")
    return found


def rights():
    found = []
    for name, call in (("setuid", lambda: os.setuid(0)), ("setgid", lambda: os.setgid(0)),
                       ("setgroups", lambda: os.setgroups([0])), ("nice", lambda: os.nice(-1)),
                       ("chown", lambda: os.chown("/scratch", 0, 0)),
                       ("mknod", lambda: os.mknod("/scratch/n", 0o60600, os.makedev(8, 0))),
                       ("core", lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1))),
                       ("nproc", lambda: resource.setrlimit(resource.RLIMIT_NPROC, (1 << 20,) * 2))):
        try:
            call()
            found.append(name)
        except (OSError, ValueError):
            pass
    with open("/scratch/run", "w") as f:
        f.write("#!/bin/sh\necho ran\n")
    os.chmod("/scratch/run", 0o6755)
    try:
        os.execv("/scratch/run", ["run"])
    except OSError:
        pass
    for suid in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd"):
        if os.path.exists(suid) and os.system(suid + " -c true root >/dev/null 2>&1 </dev/null") == 0:
            found.append(suid)
    if os.getuid() < 1000 or os.geteuid() != os.getuid():
        found.append("uid %d" % os.getuid())
    return found


def i386():
    """A system call of another architecture: the filter would not know it."""
    import mmap
    code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov $20 (getpid), %eax; int $0x80; ret
    m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    m.write(code)
    f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
    return ["getpid %d" % f()]


def bomb():
    """Ends by itself when it was stopped by the limit; in the box all end with the first."""
    n = 0
    while n < 5000:
        try:
            if not os.fork():
                time.sleep(1000)
        except OSError:
            return ["%d processes" % n] if n > int(sys.argv[2]) else []
        n += 1
    return ["%d processes" % n]


def memory():
    """Never comes back when the kernel holds the wall."""
    kept = []
    try:
        for _ in range(4096):
            kept.append(bytearray(os.urandom(1) * (1 << 20)))
            if len(kept) > int(sys.argv[2]):
                return ["%d MiB" % len(kept)]
    except MemoryError:
        pass
    return []


def scratch():
    n = 0
    try:
        with open("/scratch/fill", "wb") as f:
            while n < 1024:
                f.write(bytes(1 << 20))
                f.flush()
                n += 1
    except OSError:
        pass
    return [] if n <= 16 else ["%d MiB" % n]


def words():
    """Escape sequences, a forged log line, a long line, and more than is kept."""
    os.write(2, b"\x1b[2Jhi\r\n2026-01-01T00:00:00Z comosixd: all is well\n\xff\0\n" + b"x" * 5000)
    for _ in range(1000):
        os.write(2, b"\ny" * 100)
    return []


def wait():
    """Children in their own sessions, deaf to signals; then as told."""
    import signal
    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(s, signal.SIG_IGN)
    for _ in range(3):
        if not os.fork():
            os.setsid()
            time.sleep(1000)
    print("ready", flush=True)
    if sys.stdin.readline() == "end\n":
        sys.exit(9)
    time.sleep(1000)


if __name__ == "__main__":
    result = globals()[sys.argv[1]]()
    print("held" if not result else result, flush=True)
