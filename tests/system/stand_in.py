# SPDX-License-Identifier: GPL-2.0-or-later
"""stand_in.py - a comosixd for the tests of commands: the local socket, members, and real runners

Names and behaviours of nodes are the test's choice: "real" starts comosix-runner; a number answers
ERROR with that status; "mute" never answers; "cut" closes after OPEN_OK.
"""
import os
import pwd
import socket
import struct
import subprocess
import threading

import frames as w


class Daemon:
    def __init__(self, directory, runner, members):
        """members: [(name, role, state, behaviour)]; the first is this node itself"""
        self.path = os.path.join(directory, "comosixd.sock")
        self.runner = runner
        self.members = members
        self.behaviour = {m[0]: m[3] for m in members}
        self.runners = []
        self.threads = []
        self.opens = []  # parsed OPENs of EXEC, in the order they came
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.serve, args=(sock,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def serve(self, sock):
        stream = w.Stream(sock)
        kind, payload = stream.next()
        assert kind == w.OPEN
        m = w.parse(payload)
        if m[1][0] == w.OPEN_MEMBERS:
            self.send_members(stream)
        else:
            self.opens.append(m)
            self.run(sock, stream, m)

    def send_members(self, stream):
        stream.send(w.OPEN_OK)
        for i, (name, role, state, _) in enumerate(self.members):
            stream.send(w.MEMBER, w.message(f1=i + 1, f2=name, f3=role, f4=state, f7=i == 0))
        stream.send(w.MEMBER, w.message(f8=True))
        stream.close()

    def run(self, sock, stream, m):
        node = m[2][0].decode()
        how = self.behaviour[node]
        if isinstance(how, int):
            stream.send(w.ERROR, w.message(f1=how, f2="made up for the test"))
            stream.close()
        elif how == "cut":
            stream.send(w.OPEN_OK, w.message(f1=node))
            stream.close()
        elif how == "mute":
            while stream.next():
                pass
            stream.close()
        else:
            self.start_runner(sock, node, m)

    def start_runner(self, sock, node, m):
        """The runner gets one end of a socketpair, as from the real one; two threads pass bytes on."""
        uid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        ours, theirs = socket.socketpair()
        self.runners.append(subprocess.Popen([self.runner], stdin=theirs, stdout=theirs))
        theirs.close()
        ours.sendall(w.open_frame(w.OPEN_EXEC, node, uid, pwd.getpwuid(uid).pw_name, m[5][0]))
        sock.settimeout(None)
        back = threading.Thread(target=self.copy, args=(sock, ours), daemon=True)
        back.start()
        self.copy(ours, sock)
        back.join()
        ours.close()
        sock.close()

    @staticmethod
    def copy(source, to):
        """As the real splice: one way, to its own end; who takes no more may still have much to say."""
        deaf = False
        while True:
            try:
                data = source.recv(65536)
            except ConnectionResetError:  # closed with bytes unread, behind all that it said
                data = b""
            if not data:
                break
            try:
                if not deaf:
                    to.sendall(data)
            except OSError:
                deaf = True
        try:
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is gone

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()
        for t in self.threads:
            t.join()
        for r in self.runners:
            r.wait(60)
