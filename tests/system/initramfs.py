# SPDX-License-Identifier: GPL-2.0-or-later
"""initramfs.py - an archive for a kernel to boot from, made of programs of this machine

What is added comes with the libraries that it is linked with, under the same names as here; what was added first stays. The
archive is what the kernel's documentation (buffer-format) calls "newc".
"""
import os
import re
import stat
import subprocess

ALIGN = 4
MAGIC = "070701"


class Initramfs:
    TOP_LINKS = ("/bin", "/sbin", "/lib", "/lib64")

    def __init__(self):
        self.files = {}  # path in it: (mode, bytes, or the name of the file here, or the target of a link, device)
        self.looked_at = set()
        for name in self.TOP_LINKS:
            if os.path.islink(name):
                self.link(name, os.readlink(name))

    def put(self, path, mode, data=b"", device=(0, 0)):
        path = self.canonical(path)
        self.parents(path)
        self.files.setdefault(path, (mode, data, device))

    @staticmethod
    def canonical(path):
        """/bin/sh is /usr/bin/sh where /bin is a link: it would take its place otherwise."""
        return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))

    def parents(self, path):
        above = os.path.dirname(path)
        if above not in ("", "/") and above not in self.files:
            self.parents(above)
            self.files[above] = (stat.S_IFDIR | 0o755, b"", (0, 0))

    def directory(self, path, mode=0o755):
        self.put(path, stat.S_IFDIR | mode)

    def device(self, path, major, minor, mode=0o666):
        self.put(path, stat.S_IFCHR | mode, device=(major, minor))

    def text(self, path, text, mode=0o644):
        self.put(path, stat.S_IFREG | mode, text.encode())

    def link(self, path, target):
        self.put(path, stat.S_IFLNK | 0o777, target.encode())

    def file(self, path, source=None):
        """A file or a link of this machine; links are followed with what they lead to."""
        source = source or path
        if self.canonical(path) in self.files:
            return
        if os.path.islink(source):
            self.link(path, os.readlink(source))
            to = os.path.join(os.path.dirname(source), os.readlink(source))
            if os.path.exists(to):
                self.file(os.path.normpath(to))
            return
        self.put(path, stat.S_IFREG | stat.S_IMODE(os.stat(source).st_mode), source)

    def tree(self, path, leave_out=()):
        if os.path.islink(path):
            self.link(path, os.readlink(path))
            path = os.path.realpath(path)
        for top, directories, names in os.walk(path):
            directories[:] = [d for d in directories if d not in leave_out]
            self.directory(top, stat.S_IMODE(os.stat(top).st_mode))
            for name in directories:
                if os.path.islink(os.path.join(top, name)):
                    self.link(os.path.join(top, name), os.readlink(os.path.join(top, name)))
            for name in names:
                self.file(os.path.join(top, name))

    def program(self, path):
        """An executable and all that it is linked with."""
        self.file(path)
        self.libraries_of(path)

    def libraries_of(self, path):
        if path in self.looked_at:
            return
        self.looked_at.add(path)
        told = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
        # that of another C library is not told by this one's ldd
        asked = subprocess.run(["readelf", "--program-headers", path], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", told) + re.findall(r"program interpreter: (/[^]\s]+)", asked):
            self.file(library)

    def write(self, path):
        with open(path, "wb") as out:
            for inode, name in enumerate(self.files, 1):
                mode, data, device = self.files[name]
                if isinstance(data, str):
                    with open(data, "rb") as source:
                        data = source.read()
                write_one(out, inode, name.lstrip("/"), mode, data, device)
            write_one(out, 0, "TRAILER!!!", 0, b"", (0, 0))


def write_one(out, inode, name, mode, data, device):
    numbers = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    out.write((MAGIC + "".join("%08X" % n for n in numbers) + name + "\0").encode())
    pad(out)
    out.write(data)
    pad(out)


def pad(out):
    out.write(b"\0" * (-out.tell() % ALIGN))
