#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""join.py - machines join, are approved, renewed and expelled, by the commands people use

And what attackers, races, crashes and full disks make of it.
"""
import fcntl
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import headd

REFUSED, NOT_FOUND, USAGE, ERROR = 5, 4, 2, 1


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.head = headd.Headd()
        cls.head.__enter__()
        cls.addClassCleanup(cls.head.__exit__)

    def ok(self, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def refused(self, result, says, status=REFUSED):
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIn(says, result.stderr)

    def identity(self, name):
        with open(os.path.join(self.head.dir, name, "node/node.json")) as f:
            return json.load(f)


class Tokens(Case):
    def test_used_up(self):
        token = self.head.token()
        self.ok(self.head.join("u1", "--token", token))
        self.refused(self.head.join("u2", "--token", token), "used up")
        self.assertFalse(os.path.exists(os.path.join(self.head.dir, "u2/node")))

    def test_expired(self):
        token = self.head.token()
        self.head.sql("UPDATE tokens SET expires = 1 WHERE id = (SELECT max(id) FROM tokens)")
        self.refused(self.head.join("e1", "--token", token), "time is over")

    def test_taken_back(self):
        made = self.head.ask("POST", "/tokens", {}).json
        self.ok(self.head.run("token", "revoke", str(made["id"])))
        self.refused(self.head.join("r1", "--token", made["token"]), "taken back")

    def test_other_network(self):
        token = self.head.token(network="10.0.0.0/8")
        self.refused(self.head.join("w1", "--token", token), "10.0.0.0/8")
        self.assertEqual(self.head.ask("GET", "/tokens").json["tokens"][-1]["used"], 0)

    def test_unknown_and_wrong_secret_look_the_same(self):
        token = self.head.token()
        wrong = token[:-2] + ("aa" if token[-2:] != "aa" else "bb")
        ca = self.head.ask("GET", "/ca", who=None).json
        unknown = f"cmx-{ca['cluster'][:8]}-{ca['fingerprint'][:32]}-" + "a" * 26
        answers = [self.head.ask("POST", "/join", {"csr": headd.make_csr(), "name": "x", "token": t},
                                 who=None) for t in (wrong, unknown)]
        self.assertEqual([a.status for a in answers], [403, 403])
        self.assertEqual(answers[0].text, answers[1].text)

    def test_of_two_at_once_one_wins(self):
        for race in range(5):
            token = self.head.token()
            racers = [subprocess.Popen([f"{headd.BIN}/comosix",
                                        *self.head.join_args(f"race{race}-{i}", "--token", token)],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
                      for i in range(2)]
            ends = [(r.communicate()[1], r.returncode) for r in racers]
            self.assertEqual(sorted(status for _, status in ends), [0, REFUSED], ends)

    def test_only_the_hash_is_kept(self):
        token = self.head.token()
        secret = token.rsplit("-", 1)[1].encode()
        self.head.ask("GET", "/tokens")
        for name in os.listdir(os.path.dirname(self.head.database)):
            with open(os.path.join(os.path.dirname(self.head.database), name), "rb") as f:
                self.assertNotIn(secret, f.read(), name)

    def test_the_commands(self):
        made = self.head.run("token", "create", "--count", "2", "--role", "server", "--expires", "1h")
        token = self.ok(made).strip()
        self.assertRegex(token, r"^cmx-[0-9a-f]{8}-[0-9a-f]{32}-[a-z2-7]{26}$")
        path = os.path.join(self.head.dir, "token")
        with open(path, "w") as f:
            f.write(token + "\n")
        self.ok(self.head.join("t1", "--token-file", path))
        self.assertEqual(self.identity("t1")["role"], "server")
        listed = json.loads(self.ok(self.head.run("token", "list", "--json")))["tokens"][-1]
        self.assertEqual((listed["used"], listed["count"], listed["state"]), (1, 2, "open"))
        self.assertIn("1 of 2", self.ok(self.head.run("token", "list")))
        self.refused(self.head.run("token", "revoke", "999"),
                     "comosix token revoke: there is no token 999", NOT_FOUND)
        self.refused(self.head.run("token", "create", "--role", "king"), "role", USAGE)
        self.refused(self.head.join("t2", "--token", "cmx-nonsense"), "no join token", USAGE)


class Guessing(Case):
    def test_who_guesses_has_to_wait(self):
        ca = self.head.ask("GET", "/ca", who=None).json
        body = {"csr": headd.make_csr(), "name": "x",
                "token": f"cmx-{ca['cluster'][:8]}-{ca['fingerprint'][:32]}-" + "a" * 26}
        statuses = [self.head.ask("POST", "/join", body, who=None).status for _ in range(20)]
        self.assertEqual(set(statuses), {403, 429})
        self.assertEqual(statuses, sorted(statuses))  # never let in again by trying on
        last = self.head.ask("POST", "/join", body, who=None)
        self.assertEqual(last.problem, "too-many")
        self.assertTrue(int(last.headers["Retry-After"]) > 0)


class Identities(Case):
    def test_names_are_unique_and_kept(self):
        token = self.head.token(count=3)
        for d in ("i1", "i2"):
            self.ok(self.head.run(*self.head.join_args(d)[:-1], "same", "--token", token))
        self.assertEqual(self.identity("i1")["name"], "same")
        self.assertEqual(self.identity("i2")["name"], "same-2")
        # the same machine again: same key, same name, same number, no token used
        before = self.identity("i2")
        self.head.later()
        self.ok(self.head.join("i2", "--token", token))
        self.assertEqual(self.identity("i2"), before)
        self.assertEqual(self.head.ask("GET", "/tokens").json["tokens"][-1]["used"], 2)

    def test_nobody_is_called_head(self):
        token = self.head.token(count=3)
        for wanted, got in (("head", "head-2"), ("localhost", "localhost-2"), ("best", "best-2")):
            self.ok(self.head.run(*self.head.join_args(wanted + "x")[:-1], wanted, "--token", token))
            self.assertEqual(self.identity(wanted + "x")["name"], got)

    def test_the_files(self):
        self.ok(self.head.join("f1", "--token", self.head.token(), "--address", "127.0.0.1:7001"))
        d = os.path.join(self.head.dir, "f1/node")
        self.assertEqual(os.stat(d).st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(os.path.join(d, "key.pem")).st_mode & 0o777, 0o600)
        self.assertEqual(set(os.listdir(d)) - {"revoked"},
                         {"key.pem", "cert.pem", "ca.pem", "statement.pub", "node.json"})
        self.assertEqual(os.listdir(os.path.join(self.head.dir, "f1")), ["node"])
        node = self.identity("f1")
        self.assertEqual(node["head_url"], self.head.url)
        self.assertIn({"name": "head", "id": 1, "role": "head", "address": "127.0.0.1:4660"},
                      node["peers"])
        self.assertEqual(self.head.ask("GET", "/nodes/f1").json["address"], "127.0.0.1:7001")
        self.assertEqual(self.head.ask("GET", "/nodes", who=self.head.node("f1")).status, 200)

    def test_renewed(self):
        self.ok(self.head.join("n1", "--token", self.head.token(), "--address", "127.0.0.1:7002"))
        d = os.path.join(self.head.dir, "n1/node")
        with open(os.path.join(d, "cert.pem")) as f:
            old = f.read()
        self.refused(self.head.run("node", "renew", "--state", d), "ask again in", ERROR)
        with open(os.path.join(d, "cert.pem")) as f:
            self.assertEqual(f.read(), old)
        self.head.later()
        self.ok(self.head.run("node", "renew", "--state", d))
        with open(os.path.join(d, "cert.pem")) as f:
            self.assertNotEqual(f.read(), old)
        self.assertEqual(self.head.ask("GET", "/nodes/n1", who=self.head.node("n1")).json["address"],
                         "127.0.0.1:7002")
        self.refused(self.head.run("node", "renew", "--state", self.head.dir), "join", ERROR)

    def test_of_many_renewals_at_once_one_is_made(self):
        self.ok(self.head.join("many", "--token", self.head.token()))
        d = os.path.join(self.head.dir, "many/node")
        self.head.later()
        before = self.head.sql("SELECT count(*) FROM certificates")[0][0]
        renewing = [subprocess.Popen([f"{headd.BIN}/comosix", "node", "renew", "--state", d],
                                     stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    for _ in range(8)]
        self.assertEqual(sorted(r.wait(headd.PATIENCE_S) for r in renewing), [0] + 7 * [ERROR])
        self.assertEqual(self.head.sql("SELECT count(*) FROM certificates")[0][0], before + 1)

    def test_joined_again_at_once(self):
        """An answer that was lost is asked for again, for as long as --retry says."""
        token = self.head.token()
        self.ok(self.head.join("again", "--token", token))
        before = self.identity("again")
        self.refused(self.head.join("again", "--token", token, "--retry", "1ms"), "ask again in", ERROR)
        self.ok(self.head.join("again", "--token", token))
        self.assertEqual(self.identity("again"), before)

    def test_a_wrong_authority(self):
        with headd.Headd() as other:
            token = other.token()
            self.refused(self.head.join("x1", "--token", token), "not the one wanted")
            used = other.ask("GET", "/tokens").json["tokens"][-1]["used"]
        self.assertEqual(used, 0)
        self.refused(self.head.join("x2", "--ca-fingerprint", "0" * 64), "not the one wanted")
        self.refused(self.head.join("x3"), "--ca-fingerprint")  # no terminal to ask at
        self.refused(self.head.join("x4", "--ca-fingerprint", "00"), "32 digits", USAGE)
        self.refused(self.head.join("x5", "--head", "http://127.0.0.1"), "address", USAGE)

    def test_nobody_there(self):
        gone = headd.free_port()
        r = self.head.run("join", "--head", f"127.0.0.1:{gone}", "--retry", "1ms", "--state",
                          os.path.join(self.head.dir, "g1"), "--token", self.head.token())
        self.refused(r, "is comosix-headd running", ERROR)


class Approval(Case):
    def test_approved(self):
        fingerprint = self.head.ask("GET", "/ca", who=None).json["fingerprint"]
        joining = subprocess.Popen(
            [f"{headd.BIN}/comosix", *self.head.join_args("p1", "--ca-fingerprint", fingerprint)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        pending = headd.wait_for("the join to be listed",
                                 lambda: self.head.ask("GET", "/joins").json["joins"])[0]
        self.assertEqual(pending["name"], "p1")
        shown = self.ok(self.head.run("node", "list", "--pending"))
        self.assertIn(pending["key_fingerprint"], shown)
        self.assertIn("1 machine waits", self.ok(self.head.run("status")))
        self.refused(self.head.run("node", "approve", "p1", "--key-fingerprint", "0" * 64),
                     pending["key_fingerprint"], REFUSED)
        self.ok(self.head.run("node", "approve", "p1", "--role", "server"))
        said = joining.communicate(timeout=headd.PATIENCE_S)[1]
        self.assertEqual(joining.returncode, 0, said)
        self.assertIn(pending["key_fingerprint"], said)
        self.assertEqual(self.identity("p1")["role"], "server")

    def test_refused(self):
        fingerprint = self.head.ask("GET", "/ca", who=None).json["fingerprint"]
        joining = subprocess.Popen(
            [f"{headd.BIN}/comosix", *self.head.join_args("p2", "--ca-fingerprint", fingerprint[:32])],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        headd.wait_for("the join to be listed", lambda: self.head.ask("GET", "/joins").json["joins"])
        self.ok(self.head.run("node", "refuse", "p2"))
        said = joining.communicate(timeout=headd.PATIENCE_S)[1]
        self.assertEqual(joining.returncode, REFUSED, said)
        self.assertIn("refused", said)

    def test_a_flood_is_bounded(self):
        csrs = [headd.make_csr() for _ in range(20)]
        statuses = [self.head.ask("POST", "/join", {"csr": c, "name": "flood"}, who=None).status
                    for c in csrs]
        self.assertEqual(set(statuses), {202, 409})
        for j in self.head.ask("GET", "/joins").json["joins"]:
            self.head.ask("POST", f"/nodes/{j['name']}/refuse")


class Expelled(Case):
    def test_expelled_and_forgotten(self):
        self.ok(self.head.join("b1", "--token", self.head.token()))
        node = self.head.node("b1")
        self.assertEqual(self.head.ask("GET", "/nodes", who=node).status, 200)
        self.ok(self.head.run("node", "revoke", "b1"))
        self.assertEqual(self.head.ask("GET", "/nodes", who=node).status, 401)
        d = os.path.join(self.head.dir, "b1/node")
        self.refused(self.head.run("node", "renew", "--state", d), "expelled")
        self.refused(self.head.join("b1", "--token", self.head.token()), "expelled")
        self.ok(self.head.run("node", "revoke", "b1"))  # again: no harm
        # a list that was signed is given to who joins later, also after a restart
        self.head.stop()
        self.head.start()
        self.ok(self.head.join("b2", "--token", self.head.token()))
        self.assertTrue(os.path.getsize(os.path.join(self.head.dir, "b2/node/revoked")) > 64)
        self.assertEqual(self.head.ask("GET", "/cluster").json["revocation_epoch"], 2)
        self.refused(self.head.run("node", "remove", "b2"), "revoke", REFUSED)
        self.ok(self.head.run("node", "remove", "b1"))
        self.refused(self.head.run("node", "show", "b1"),
                     "comosix node show: no node is called 'b1'", NOT_FOUND)
        # the machine may come back, as somebody new
        self.ok(self.head.join("b1", "--token", self.head.token()))
        self.assertGreater(self.identity("b1")["id"], self.identity("b2")["id"])

    def test_the_head_stays(self):
        self.refused(self.head.run("node", "revoke", "head"), "head", REFUSED)


class Streams(Case):
    def test_taken_up_where_it_ended(self):
        with headd.Events(self.head) as events:
            self.head.token(note="one")
            first = events.next()
        self.head.token(note="two")
        self.head.token(note="three")
        with headd.Events(self.head, Last_Event_ID=first["id"]) as events:
            ids = [int(events.next()["id"]) for _ in range(2)]
        self.assertEqual(ids, [int(first["id"]) + 1, int(first["id"]) + 2])

    def test_the_command_survives_a_restart(self):
        follow = subprocess.Popen([f"{headd.BIN}/comosix", "events", "--follow", "--json", "--last", "1"],
                                  env={**os.environ, "COMOSIX_OPERATOR": self.head.operator,
                                       "COMOSIX_URL": self.head.url},
                                  stdout=subprocess.PIPE, text=True)
        try:
            start = json.loads(follow.stdout.readline())["id"]
            self.head.token()
            self.assertEqual(json.loads(follow.stdout.readline())["id"], start + 1)
            self.head.stop()
            self.head.start()
            self.head.token()
            self.assertEqual(json.loads(follow.stdout.readline())["id"], start + 2)
        finally:
            follow.kill()
            follow.communicate()

    def test_they_end_with_the_server(self):
        with headd.Events(self.head) as events:
            self.assertEqual(self.head.stop(), 0)
            self.assertIsNone(events.next())
        self.head.start()


class Processes(Case):
    def status(self, pid):
        with open(f"/proc/{pid}/status") as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    def test_what_they_gave_up(self):
        children = self.head.children()
        self.assertEqual(set(children), {"headd-web", "headd-signer"})
        uids = set()
        for name, pid in children.items():
            status = self.status(pid)
            uid = set(status["Uid"].split())
            self.assertEqual(len(uid), 1)
            self.assertNotIn("0", uid)
            uids |= uid
            self.assertEqual(status["Groups"].split(), [])
            self.assertEqual(int(status["CapPrm"], 16), 0)
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
            root = os.readlink(f"/proc/{pid}/root")
            self.assertEqual(root, os.path.join(self.head.state, "head",
                                                {"headd-web": "store", "headd-signer": "signer"}[name]))
        self.assertEqual(len(uids), 2)
        # the signer has no socket but its two channels
        fds = [os.readlink(f"/proc/{children['headd-signer']}/fd/{n}")
               for n in os.listdir(f"/proc/{children['headd-signer']}/fd")]
        self.assertEqual(sum(f.startswith("socket:") for f in fds), 2, fds)

    def test_keys_are_the_signers_only(self):
        signer = os.path.join(self.head.state, "head/signer")
        owner = self.status(self.head.children()["headd-signer"])["Uid"].split()[0]
        self.assertEqual(os.stat(signer).st_mode & 0o777, 0o700)
        for name in ("ca.key", "statement.key"):
            st = os.stat(os.path.join(signer, name))
            self.assertEqual((str(st.st_uid), st.st_mode & 0o777), (owner, 0o600))
        # and in no file that the others can read
        for top, _, names in os.walk(os.path.join(self.head.state, "head")):
            for name in names:
                with open(os.path.join(top, name), "rb") as f:
                    self.assertEqual(b"PRIVATE KEY" in f.read(), top == signer and name.endswith(".key"),
                                     name)

    def test_one_ends_all_end(self):
        for victim in ("headd-web", "headd-signer"):
            children = self.head.children()
            os.kill(children[victim], 9)
            self.assertEqual(self.head.process.wait(headd.PATIENCE_S), 1)
            headd.wait_for("all to be gone",
                           lambda: not any(os.path.exists(f"/proc/{p}") for p in children.values()))
            self.assertRegex(self.head.log(), "killed by signal 9.*started anew")
            self.head.start()
        children = self.head.children()
        os.kill(self.head.process.pid, 9)
        self.head.process.wait(headd.PATIENCE_S)
        headd.wait_for("all to be gone",
                       lambda: not any(os.path.exists(f"/proc/{p}") for p in children.values()))
        self.head.start()

    def test_what_was_done_is_on_record(self):
        self.head.token(note="recorded")
        path = os.path.join(self.head.state, "head/audit.log")
        with open(path) as f:
            self.assertRegex(f.read(), r"operator from 127\.0\.0\.1:\d+: POST /api/v1/tokens -> 201\n")
        st = os.stat(path)
        self.assertEqual((st.st_uid, st.st_mode & 0o777), (0, 0o600))

    def test_a_lost_credential_is_made_anew(self):
        os.unlink(self.head.operator)
        r = self.head.run("status")
        self.assertIn("comosix-headd operator", r.stderr)
        subprocess.run([f"{headd.BIN}/comosix-headd", "operator", "--state", self.head.state, "--etc",
                        self.head.etc], check=True, capture_output=True)
        self.ok(self.head.run("status"))

    def test_credential_near_its_end_is_renewed(self):
        text = headd.read(self.head.operator)
        certs = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)
        # a certificate that is over in a day stands in for one that is old: the node's own
        old = text.replace(certs[0], headd.read(os.path.join(self.head.state, "node/cert.pem")))
        self.head.stop()
        with open(self.head.operator, "w") as f:
            f.write(old)
        self.head.start()
        headd.wait_for("a new credential", lambda: headd.read(self.head.operator) not in (text, old))
        self.assertEqual(self.head.ask("GET", "/tokens").status, 200)
        self.assertEqual(os.stat(self.head.operator).st_mode & 0o777, 0o600)


class Crashes(Case):
    def test_what_was_answered_is_kept(self):
        answered, stop = [], threading.Event()

        def write():
            while not stop.is_set():
                try:
                    a = self.head.ask("POST", "/tokens", {})
                    if a.status == 201:
                        answered.append(a.json["id"])
                except OSError:
                    pass

        for _ in range(3):
            stop.clear()
            wanted = len(answered) + 20
            writers = [threading.Thread(target=write) for _ in range(3)]
            for w in writers:
                w.start()
            headd.wait_for("some tokens to be made", lambda: len(answered) >= wanted)
            self.head.kill()
            stop.set()
            for w in writers:
                w.join()
            self.head.start()
            kept = {t["id"] for t in self.head.ask("GET", "/tokens").json["tokens"]}
            self.assertEqual(set(answered) - kept, set())
            self.assertEqual(self.head.sql("PRAGMA integrity_check"), [("ok",)])
            events = self.head.sql("SELECT count(*) FROM events WHERE type = 'token.created'")
            self.assertEqual(events[0][0], len(kept))  # a token and its event, or neither


class Init(unittest.TestCase):
    def tree(self, head):
        out = {}
        for top, _, names in os.walk(head.dir):
            for name in names:
                with open(os.path.join(top, name), "rb") as f:
                    out[os.path.join(top, name)] = f.read()
        return out

    def test_twice(self):
        head = headd.Headd()
        self.addCleanup(head.__exit__)
        head.init()
        before = self.tree(head)
        again = head.init(check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("nothing was changed", again.stderr)
        self.assertEqual(self.tree(head), before)

    def test_killed_in_the_middle(self):
        """Stopped at each of its renames in turn by strace(1), begun again, and it works."""
        finished = 0
        for at in range(1, 60):
            head = headd.Headd()
            try:
                r = subprocess.run(
                    ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=/^rename",
                     "-e", f"inject=/^rename:signal=KILL:when={at}", f"{headd.BIN}/comosix", "init",
                     "--name", "test", "--address", "127.0.0.1", "--port", str(head.port), "--state",
                     head.state, "--etc", head.etc], capture_output=True, text=True)
                if r.returncode == 0:
                    finished = at
                    break
                again = head.init(check=False)
                if os.path.exists(os.path.join(head.state, "head")) and again.returncode:
                    self.assertIn("nothing was changed", again.stderr)
                else:
                    self.assertEqual(again.returncode, 0, again.stderr)
                head.start()
                self.assertEqual(head.ask("GET", "/nodes").status, 200)
                self.assertEqual(head.ask("GET", "/nodes", who=(
                    os.path.join(head.state, "node/cert.pem"),
                    os.path.join(head.state, "node/key.pem"))).status, 200)
                self.assertEqual(sorted(os.listdir(head.state)), ["head", "node"])
            finally:
                head.__exit__()
        self.assertGreater(finished, 10)  # it was killed at more than ten places


class FullDisk(unittest.TestCase):
    def test_nothing_is_half_written(self):
        head = headd.Headd()
        self.addCleanup(head.__exit__)
        os.mkdir(head.state)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", head.state], check=True)
        self.addCleanup(subprocess.run, ["umount", head.state], check=True)
        self.addCleanup(head.stop)
        head.init()
        head.start()
        made = [head.ask("POST", "/tokens", {}).json["id"]]
        filler = os.path.join(head.state, "filler")
        with open(filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        # what is left in the log of the database is used up first
        while True:
            a = head.ask("POST", "/tokens", {})
            if a.status != 201:
                break
            made.append(a.json["id"])
            self.assertLess(len(made), 2000)
        self.assertEqual((a.status, a.problem), (507, "disk-full"), a.text)
        self.assertIn("make room", a.json["detail"])
        self.assertEqual(head.ask("GET", "/nodes").status, 200)  # reading goes on
        r = head.join("d1", "--token", "cmx-" + "0" * 8 + "-" + "0" * 32 + "-" + "a" * 26)
        self.assertNotEqual(r.returncode, 0)
        os.unlink(filler)
        a = head.ask("POST", "/tokens", {})
        self.assertEqual(a.status, 201, a.text)
        kept = [t["id"] for t in head.ask("GET", "/tokens").json["tokens"]]
        self.assertEqual(kept, made + [a.json["id"]])
        self.assertEqual(head.sql("PRAGMA integrity_check"), [("ok",)])


class BadNeighbours(Case):
    def tls(self):
        raw = socket.create_connection(("127.0.0.1", self.head.port), timeout=headd.PATIENCE_S)
        return self.head.context().wrap_socket(raw, server_hostname="127.0.0.1")

    def until_closed(self, s):
        """What came until the other side closed, however it did."""
        got = b""
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    return got
                got += piece
        except (ConnectionError, ssl.SSLError):
            return got

    def tearDown(self):
        self.assertEqual(self.head.ask("GET", "/health", who=None).status, 200)

    def test_garbage(self):
        for text in (b"\0" * 100, b"GET / HTTP/1.0\r\n\r\n", os.urandom(5000), b"\x16\x03\x01\xff\xff" + b"x" * 70000):
            with socket.create_connection(("127.0.0.1", self.head.port), timeout=headd.PATIENCE_S) as s:
                try:
                    s.sendall(text)
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                self.until_closed(s)
        for text in (b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                     b"GET " + b"x" * 100000 + b" HTTP/1.1\r\n\r\n",
                     b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
                     b"POST /api/v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"):
            with self.tls() as s:
                try:
                    s.sendall(text)
                except OSError:
                    pass
                self.assertNotIn(b" 200 ", self.until_closed(s)[:20] if s.fileno() >= 0 else b"")

    def test_oversized(self):
        for header in (b"Content-Length: 9999999\r\n", b"Content-Length: 99999999999999999999999\r\n",
                       b"Content-Length: -1\r\n"):
            with self.tls() as s:
                s.sendall(b"POST /api/v1/join HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n")
                s.settimeout(headd.PATIENCE_S)
                first = s.recv(20)
                self.assertRegex(first, rb"HTTP/1.1 4(00|13) |^$")
        with self.tls() as s:  # a body that does not say how long it is
            s.sendall(b"POST /api/v1/join HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(2000):
                    s.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                self.fail("8 MB were taken")
            except OSError:
                pass

    def test_who_drips_is_cut(self):
        with self.tls() as header, self.tls() as body, \
                socket.create_connection(("127.0.0.1", self.head.port)) as hello:
            body.sendall(b"POST /api/v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n")
            header.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nA: ")
            hello.sendall(b"\x16\x03\x01")
            open_ones = {header, body, hello}

            def drip():
                for s in list(open_ones):
                    try:
                        s.settimeout(0.05)
                        s.sendall(b"x")
                        if not s.recv(1):
                            open_ones.discard(s)
                    except TimeoutError:
                        pass
                    except OSError:
                        open_ones.discard(s)
                return not open_ones

            headd.wait_for("all three to be cut", drip)

    def test_so_many_and_no_more(self):
        many = []
        try:
            for _ in range(120):
                s = socket.create_connection(("127.0.0.1", self.head.port), timeout=headd.PATIENCE_S)
                many.append(s)
            refused = 0
            for s in many[96:]:
                s.settimeout(headd.PATIENCE_S)
                try:
                    refused += s.recv(1) == b""
                except ConnectionError:
                    refused += 1
            self.assertGreater(refused, 0)
        finally:
            for s in many:
                s.close()
        headd.wait_for("room again", self.head.listening)

    def test_another_site_cannot_use_our_browser(self):
        evil = self.head.ask("POST", "/nodes/head/revoke", headers={"Origin": "https://evil.example"})
        self.assertEqual((evil.status, evil.problem), (403, "not-allowed"))
        own = self.head.ask("GET", "/nodes", headers={"Origin": f"https://127.0.0.1:{self.head.port}"})
        self.assertEqual(own.status, 200)

    def test_a_certificate_of_somebody_else(self):
        with headd.Headd() as other:
            c = other.context(other.operator, other.operator)
            c.load_verify_locations(os.path.join(self.head.state, "head/ca.pem"))
            import http.client
            conn = http.client.HTTPSConnection("127.0.0.1", self.head.port, context=c)
            conn.request("GET", "/api/v1/nodes")
            answer = headd.Answer(conn.getresponse())
            conn.close()
        self.assertEqual((answer.status, answer.problem), (401, "no-credential"))
        self.assertIn("not of this cluster", answer.json["detail"])


class Commands(Case):
    def test_without_a_credential(self):
        env = {**os.environ, "COMOSIX_OPERATOR": "/nonexistent/operator.pem"}
        for command in (["status"], ["nodes"], ["events"], ["token", "list"], ["node", "show", "x"]):
            r = subprocess.run([f"{headd.BIN}/comosix", *command], env=env, capture_output=True, text=True)
            self.assertEqual(r.returncode, ERROR, r.stderr)
            self.assertIn("COMOSIX_OPERATOR", r.stderr)

    def test_nothing_moves_the_cursor(self):
        self.head.token(note="\x1b[2Jevil\x07")
        out = self.ok(self.head.run("token", "list"))
        self.assertNotIn("\x1b", out)
        self.assertIn("?[2Jevil?", out)

    def test_watching(self):
        watch = subprocess.Popen([f"{headd.BIN}/comosix", "status", "--watch", "--json"],
                                 env={**os.environ, "COMOSIX_OPERATOR": self.head.operator,
                                      "COMOSIX_URL": self.head.url},
                                 stdout=subprocess.PIPE, text=True)
        try:
            def nodes():
                """How many nodes the next view shows."""
                text = ""
                for line in watch.stdout:
                    text += line
                    if line == "}\n":
                        return len(json.loads(text)["list"])

            before = nodes()
            self.ok(self.head.join("watched", "--token", self.head.token()))
            while nodes() == before:
                pass
        finally:
            watch.kill()
            watch.communicate()

    def test_status(self):
        j = json.loads(self.ok(self.head.run("status", "--json")))
        self.assertEqual(j["name"], "test")
        self.assertEqual(j["list"][0]["name"], "head")
        out = self.ok(self.head.run("status"))
        self.assertIn("signer ok", out)
        self.assertNotIn("\x1b", out)
        self.assertIn("head", self.ok(self.head.run("nodes")))
        self.refused(self.head.run("node", "show", "a/b"), "no name", USAGE)


class Live(Case):
    """With comosixd at the head and at a node."""

    def daemon(self, name, address):
        """Start a comosixd; it is ended with the test."""
        home = self.head.state if name == "head" else os.path.join(self.head.dir, name)
        run = self.head.run_dir if name == "head" else os.path.join(home, "run")
        os.makedirs(run, exist_ok=True)
        with open(os.path.join(self.head.dir, name + ".log"), "a") as log:
            process = subprocess.Popen(
                [f"{headd.BIN}/comosixd", "--state", os.path.join(home, "node"), "--run", run, "--cache",
                 os.path.join(home, "cache"), "--listen", address + ":4660"], stderr=log)
        self.addCleanup(process.wait, headd.PATIENCE_S)
        self.addCleanup(process.kill)
        return process

    def state(self, name):
        return self.head.ask("GET", f"/nodes/{name}").json["state"]

    def alive(self, *names):
        headd.wait_for(f"{names} to be alive", lambda: all(self.state(n) == "alive" for n in names))

    def events_of(self, name):
        return [e["type"] for e in self.head.ask("GET", "/events").json["events"]
                if e["subject"] == name and e["by"] == "comosixd"]

    def end(self, process):
        process.kill()
        process.wait(headd.PATIENCE_S)

    def test_states_and_events(self):
        at_head = self.daemon("head", "127.0.0.1")
        self.ok(self.head.join("l1", "--token", self.head.token(), "--address", "127.0.0.2:4660"))
        with headd.Events(self.head, "/events?live=1") as events:
            at_node = self.daemon("l1", "127.0.0.2")
            seen = set()
            while ("node.up", "l1") not in seen or "live" not in {t for t, _ in seen}:
                e = events.next()
                seen.add((e["event"], e["data"].get("subject")))
        self.alive("head", "l1")
        headd.wait_for("a load", lambda: self.head.ask("GET", "/nodes/l1").json["load"])
        self.assertEqual(self.head.ask("GET", "/cluster").json["health"]["comosixd"], "ok")
        # nobody's restart is news
        self.head.stop()
        self.head.start()
        self.alive("l1")
        self.end(at_head)
        headd.wait_for("the head's daemon to be missed", lambda: self.state("l1") == "unknown")
        self.daemon("head", "127.0.0.1")
        self.alive("l1")
        self.assertEqual(self.events_of("l1"), ["node.up"])
        # a death is
        self.end(at_node)
        headd.wait_for("the death to be told", lambda: self.events_of("l1")[-1] == "node.down")
        self.assertEqual(self.state("l1"), "dead")
        self.assertIn("1 dead", self.ok(self.head.run("status")))
        self.daemon("l1", "127.0.0.2")
        headd.wait_for("the return to be told", lambda: self.events_of("l1")[-1] == "node.up")

    def test_the_list_reaches_the_daemon(self):
        revoked = os.path.join(self.head.state, "node/revoked")
        self.ok(self.head.join("l2", "--token", self.head.token(), "--relayed"))
        self.ok(self.head.join("l3", "--token", self.head.token(), "--relayed"))
        # not there at the time: brought to it later
        answer = self.head.ask("POST", "/nodes/l2/revoke").json
        self.assertEqual(answer["spreading"], False)
        self.daemon("head", "127.0.0.1")
        headd.wait_for("the list to be brought", lambda: os.path.exists(revoked))
        before = os.path.getsize(revoked)
        answer = self.head.ask("POST", "/nodes/l3/revoke").json
        self.assertEqual(answer["spreading"], True)
        self.assertGreater(os.path.getsize(revoked), before)
        self.assertEqual(self.state("l3"), "revoked")


def own_namespaces():
    """The mounts and the ports of these tests are nobody else's."""
    if os.environ.get("COMOSIX_OWN_NAMESPACES") != "1":
        os.environ["COMOSIX_OWN_NAMESPACES"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "--net", sys.executable,
                              *sys.argv])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        up_and_running = struct.pack("16sH14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(s, 0x8914, up_and_running)  # SIOCSIFFLAGS, netdevice(7)


if __name__ == "__main__":
    headd.need_root()
    own_namespaces()
    unittest.main()
