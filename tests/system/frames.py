# SPDX-License-Identifier: GPL-2.0-or-later
"""frames.py - CoMosix frames and the few messages that tests speak, without a protobuf library

docs/PROTOCOL.md section 2. Deliberately written from the document, not from the C code.
"""
import struct

HELLO, ERROR, OPEN, OPEN_OK, MEMBER, STATUS, MOVE = 1, 2, 3, 4, 5, 6, 7
STDIN, STDOUT, STDERR, SIGNAL, WINSIZE, EXIT = 16, 17, 18, 19, 20, 21
PING, PONG = 35, 36
HALF = 65

OPEN_MEMBERS, OPEN_STATUS, OPEN_EXEC, OPEN_TASK = 1, 2, 3, 4
OPEN_MOVE, OPEN_MIGRATE, OPEN_MOVES, OPEN_JOB = 6, 7, 8, 9


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, value):
    """One field: int, str, bytes, bool or a list of them; zero and None are left out."""
    if isinstance(value, (list, tuple)):
        return b"".join(field(number, v) or varint(number << 3 | 2) + b"\0" for v in value)
    if not value:
        return b""
    if isinstance(value, int):
        return varint(number << 3) + varint(int(value))
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def message(**fields):
    """message(f1=..., f2=...): the names are field numbers."""
    return b"".join(field(int(k[1:]), v) for k, v in fields.items())


def parse(raw):
    """{number: [values]}; ints and bytes."""
    out, at = {}, 0

    def take():
        nonlocal at
        shift = value = 0
        while True:
            b = raw[at]
            at += 1
            value |= (b & 0x7F) << shift
            shift += 7
            if b < 0x80:
                return value

    while at < len(raw):
        key = take()
        if key & 7 == 0:
            value = take()
        elif key & 7 == 2:
            n = take()
            value = raw[at:at + n]
            at += n
        else:
            raise ValueError("wire type %d" % (key & 7))
        out.setdefault(key >> 3, []).append(value)
    return out


def frame(kind, payload=b""):
    return struct.pack(">IB3x", len(payload), kind) + payload


def exec_request(argv, env=(), cwd="", tty=False, rows=0, columns=0):
    return message(f1=list(argv), f2=list(env), f3=cwd, f4=tty, f5=rows, f6=columns)


def open_frame(kind, node="", uid=0, user="", body=b""):
    return frame(OPEN, message(f1=kind, f2=node, f3=uid, f4=user, f5=body))


class Stream:
    """Frames over a blocking socket."""

    def __init__(self, sock, timeout=120):
        self.sock = sock
        self.sock.settimeout(timeout)  # a test that hangs fails
        self.data = b""

    def send(self, kind, payload=b""):
        try:
            self.sock.sendall(frame(kind, payload))
        except BrokenPipeError:
            pass  # it has ended; next() will tell what it said before

    def next(self):
        """(type, payload), or None at the end of the stream."""
        while True:
            if len(self.data) >= 8:
                n, kind = struct.unpack(">IB3x", self.data[:8])
                if len(self.data) >= 8 + n:
                    payload = self.data[8:8 + n]
                    self.data = self.data[8 + n:]
                    return kind, payload
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.data += more

    def close(self):
        self.sock.close()
