# SPDX-License-Identifier: GPL-2.0-or-later
"""nodes.py - several comosixd on loopback, in state directories made by the test authority"""
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

import frames as w

BIN = os.environ["COMOSIX_BIN"]
AUTHORITY = os.path.join(os.environ["COMOSIX_BUILD"], "tests/authority/test-authority")
PATIENCE = 60  # seconds until a test that waits for an event is given up
ROLES = ("head", "server", "desktop")


class Authority:
    def __init__(self):
        self.process = subprocess.Popen([AUTHORITY], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def do(self, *words):
        self.process.stdin.write(" ".join(str(x) for x in words) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n", words

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def free_port():
    """A number that is free for TCP and UDP just now."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]


class Node:
    def __init__(self, cluster, name, role, number, relayed=False):
        self.cluster, self.name, self.role, self.number = cluster, name, role, number
        self.relayed = relayed
        self.port = free_port()
        self.task_uids = 100000 + 256 * self.port  # another test may run beside this one
        self.state = os.path.join(cluster.dir, name)
        self.run = os.path.join(self.state, "run")
        self.socket = os.path.join(self.run, "comosixd.sock")
        self.log_path = os.path.join(cluster.dir, name + ".log")
        self.process = None
        self.extra = []  # more words for comosixd

    def issue(self, seconds=3600, start=-300):
        peers = [] if self.role == "head" else [self.cluster.head_entry()]
        self.cluster.authority.do("issue", self.state, self.role, self.name, self.number, start,
                                  seconds, json.dumps(peers, separators=(",", ":")))
        os.chmod(self.state, 0o711)

    def start(self):
        argv = [os.path.join(BIN, "comosixd"), "--state", self.state, "--run", self.run, "--cache",
                os.path.join(self.state, "cache"), "--config", "/dev/null", "--listen",
                "127.0.0.1:%d" % self.port, "--task-uid-base", str(self.task_uids)]
        if self.relayed:
            argv.append("--relayed")
        argv += self.extra
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(argv, stderr=log)

    def end(self, signo=signal.SIGTERM):
        if self.process:
            self.process.send_signal(signo)
            status = self.process.wait(PATIENCE)
            self.process = None
            # a sanitizer's findings and leaks end it with another one
            assert signo != signal.SIGTERM or status == 0, self.log()

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def wait_log(self, text):
        """Until the line is in the log of this run: the file is the only place where it is said."""
        end = time.monotonic() + PATIENCE
        while text not in self.log()[self.log_start:]:
            assert time.monotonic() < end, "%s never said '%s':\n%s" % (self.name, text, self.log())
            time.sleep(0.05)

    def connect(self):
        end = time.monotonic() + PATIENCE
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(self.socket)
                return w.Stream(s, PATIENCE)
            except OSError:
                s.close()
                assert self.process.poll() is None, "%s ended:\n%s" % (self.name, self.log())
                assert time.monotonic() < end, "%s never listened" % self.name
                time.sleep(0.05)

    def ask(self, kind, node="", body=b""):
        """Sends an OPEN; (stream, type, payload) of the first answer."""
        stream = self.connect()
        stream.sock.sendall(w.open_frame(kind, node, body=body))
        answer = stream.next()
        return (stream,) + (answer or (None, b""))

    def status(self):
        stream, kind, _ = self.ask(w.OPEN_STATUS)
        assert kind == w.OPEN_OK
        kind, payload = stream.next()
        stream.close()
        assert kind == w.STATUS
        m = w.parse(payload)
        m["counters"] = {}
        for row in m.get(8, []):
            c = w.parse(row)
            m["counters"][c[1][0].decode()] = c.get(2, [0])[0]
        return m

    def wait_counter(self, name, least):
        """Counters have no event; they are asked for until they have got there."""
        end = time.monotonic() + PATIENCE
        while self.status()["counters"][name] < least:
            assert time.monotonic() < end, "%s never reached %d" % (name, least)
            time.sleep(0.05)

    def members(self):
        """A stream of (name, state) changes; ends never."""
        stream, kind, _ = self.ask(w.OPEN_MEMBERS, body=w.message(f1=True))
        assert kind == w.OPEN_OK
        end = time.monotonic() + PATIENCE
        try:
            while True:
                # loads are told each second: silence is no sign
                assert time.monotonic() < end, "what was waited for never came"
                kind, payload = stream.next()
                assert kind == w.MEMBER
                m = w.parse(payload)
                if 8 not in m:
                    yield m[2][0].decode(), m[4][0].decode(), m
        finally:
            stream.close()

    def wait_states(self, wanted):
        """Until each name has its state, by the events of MEMBERS."""
        seen = {}
        for name, state, _ in self.members():
            seen[name] = state
            if all(seen.get(k) == v for k, v in wanted.items()):
                return

    def take_statement(self, path):
        with open(path, "rb") as f:
            stream, kind, payload = self.ask(5, body=f.read())
        stream.close()
        return kind, payload

    def exec(self, nodes, *argv, operator=True, uid=None, **more):
        """comosix exec, as its users run it"""
        env = dict(os.environ, COMOSIX_SOCKET=self.socket, COMOSIX_OPERATOR=os.path.join(
            self.cluster.dir, "operator.pem" if operator else "none"))
        return subprocess.run([os.path.join(BIN, "comosix"), "exec", nodes, "--"] + list(argv),
                              env=env, capture_output=True, timeout=PATIENCE, user=uid,
                              stdin=more.pop("stdin", subprocess.DEVNULL), **more)


class Cluster:
    """nodes: (name, role) or (name, role, "relayed"); the first is the head"""

    def __init__(self, *nodes):
        self.temporary = tempfile.TemporaryDirectory(prefix="comosix-nodes.")
        self.dir = self.temporary.name
        os.chmod(self.dir, 0o755)
        self.authority = Authority()
        self.authority.do("operator", os.path.join(self.dir, "operator.pem"))
        self.nodes = {}
        for i, row in enumerate(nodes):
            self.nodes[row[0]] = Node(self, row[0], row[1], i + 1, row[2:] == ("relayed",))
        self.head = self.nodes[nodes[0][0]]
        for n in self.nodes.values():
            n.issue()

    def head_entry(self):
        return {"name": self.head.name, "id": self.head.number, "role": "head",
                "address": "127.0.0.1:%d" % self.head.port}

    def __getitem__(self, name):
        return self.nodes[name]

    def start(self):
        for n in self.nodes.values():
            n.start()

    def wait_all(self):
        for n in self.nodes.values():
            if n.process:
                n.wait_states({k: "alive" for k, v in self.nodes.items() if v.process})

    def close(self):
        for n in self.nodes.values():
            n.end()
        self.authority.close()
        self.temporary.cleanup()
