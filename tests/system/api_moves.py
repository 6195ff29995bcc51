#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""api_moves.py - the API's view of moved processes: two real comosixd, halves that move nothing"""
import json
import os
import pwd
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import headd
import nodes

HALVES = None
NOBODY = pwd.getpwnam("nobody").pw_uid


class ApiMoves(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.head = headd.Headd()
        cls.head.__enter__()
        cls.addClassCleanup(cls.head.__exit__)
        joined = cls.head.join("s1", "--token", cls.head.token(role="server"))
        assert joined.returncode == 0, joined.stderr
        port = cls.start_daemon(cls.head.state, cls.head.run_dir)
        # the head's daemon is looked for at its usual port, which another test may have
        path = os.path.join(cls.head.dir, "s1/node/node.json")
        with open(path) as f:
            node = json.load(f)
        for peer in node["peers"]:
            peer["address"] = f"127.0.0.1:{port}"
        with open(path, "w") as f:
            json.dump(node, f)
        cls.start_daemon(os.path.join(cls.head.dir, "s1"), os.path.join(cls.head.dir, "s1/run"))
        headd.wait_for("both to be up", lambda: {
            n["name"] for n in cls.head.ask("GET", "/nodes").json["nodes"] if n["state"] == "alive"}
            == {"head", "s1"})
        headd.wait_for("the list", lambda: cls.head.ask("GET", "/processes").status == 200)

    @classmethod
    def start_daemon(cls, state, run):
        port = nodes.free_port()
        with open(os.path.join(cls.head.dir, f"daemon.{port}.log"), "w") as log:
            p = subprocess.Popen(
                [os.path.join(nodes.BIN, "comosixd"), "--state", os.path.join(state, "node"), "--run", run,
                 "--cache", os.path.join(state, "cache"), "--config", "/dev/null", "--listen",
                 f"127.0.0.1:{port}", "--advertise", f"127.0.0.1:{port}", "--halves", HALVES], stderr=log)
        cls.addClassCleanup(p.wait)
        cls.addClassCleanup(p.terminate)
        return port

    def victim(self):
        p = subprocess.Popen(["/bin/sleep", "1000"], user=NOBODY, group=NOBODY,
                             stdin=subprocess.DEVNULL)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p.pid

    def move(self, home, pid, to, want=202):
        a = self.head.ask("POST", f"/nodes/{home}/processes/{pid}/move", {"to": to})
        self.assertEqual(a.status, want, a.text)
        return a.json

    def row(self, pid):
        for row in self.head.ask("GET", "/processes").json["processes"]:
            if row["pid"] == pid:
                return row
        return None

    def there_and_back(self, home, host):
        pid = self.victim()
        with headd.Events(self.head, "/events?after=" +
                          str(self.head.ask("GET", "/events").json["last"])) as events:
            self.assertEqual(self.move(home, pid, host), {"pid": pid, "home": home, "to": host})
            event = self.next_of(events, "process.moved")
            self.assertEqual(event["subject"], home)
            self.assertEqual(event["text"], f"process {pid} (sleep) of nobody runs at {host} now")
            row = self.row(pid)
            self.assertEqual((row["user"], row["home"], row["node"], row["state"], row["command"]),
                             ("nobody", home, host, "away", "sleep"))
            self.move(home, pid, "home")
            event = self.next_of(events, "process.home")
            self.assertIn(f"is home again from {host}", event["text"])
        self.assertIsNone(self.row(pid))

    def next_of(self, events, kind):
        while True:
            got = events.next()
            if got["event"] == kind:
                return got["data"]

    def test_of_the_head_itself(self):
        self.there_and_back("head", "s1")

    def test_of_another_node(self):
        """By the operator's word, which the node checks."""
        self.there_and_back("s1", "head")

    def test_refusals(self):
        pid = self.victim()
        for home in ("head", "s1"):
            self.assertIn("no process", self.move(home, 2 ** 22 + 1, "home", 404)["detail"])
            self.assertIn("no node", self.move(home, pid, "nosuch", 404)["detail"])
            self.assertIn("system accounts",
                          self.move(home, os.getpid(), "s1" if home == "head" else "head", 409)["detail"])


if __name__ == "__main__":
    HALVES = os.path.realpath(sys.argv.pop(1))
    headd.need_root()
    unittest.main(verbosity=2)
