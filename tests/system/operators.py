#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""operators.py - operators' credentials are listed and taken back, by the commands people use"""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import headd
from join import NOT_FOUND, REFUSED, Case


class Operators(Case):
    def listed(self):
        return {o["serial"]: o for o in json.loads(self.ok(self.head.run("operator", "list", "--json")))["operators"]}

    def as_operator(self, pem, *command):
        env = {**os.environ, "COMOSIX_OPERATOR": pem, "COMOSIX_URL": self.head.url}
        return subprocess.run([f"{headd.BIN}/comosix", *command], env=env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)

    def test_taken_back(self):
        before = self.listed()
        first, = [serial for serial, o in before.items() if o["own"]]
        self.refused(self.head.run("operator", "revoke", first), "comosix-headd operator")
        lost = self.head.new_operator()
        # not shown to anybody yet, and known all the same
        second, = set(self.listed()) - set(before)
        self.assertIn("this one", self.ok(self.head.run("operator", "list")))
        open_line = self.head.connect((lost, lost))
        open_line.request("GET", "/api/v1/nodes")
        self.assertEqual(headd.Answer(open_line.getresponse()).status, 200)
        events = headd.Events(self.head, who=(lost, lost))
        self.refused(self.head.run("operator", "revoke", "0" * 32), "comosix operator list", NOT_FOUND)
        said = self.head.run("operator", "revoke", first, "--json")
        self.assertEqual(json.loads(self.ok(said))["serial"], first)
        # refused on a line that was open, on a new one, and on the stream
        open_line.request("GET", "/api/v1/nodes")
        answer = headd.Answer(open_line.getresponse())
        open_line.close()
        self.assertEqual((answer.status, answer.problem), (401, "no-credential"))
        self.assertIn("was revoked", answer.json["detail"])
        self.assertIsNone(events.next())
        events.connection.close()
        self.refused(self.as_operator(lost, "nodes"), "was revoked")
        last = self.head.ask("GET", "/events").json["events"][-1]
        self.assertEqual((last["type"], last["subject"]), ("operator.revoked", first))
        self.ok(self.head.run("operator", "revoke", first))  # again: no harm
        # and after a restart of the head
        self.head.stop()
        self.head.start()
        self.refused(self.as_operator(lost, "nodes"), "was revoked")
        listed = self.listed()
        self.assertEqual((listed[first]["state"], listed[second]["state"]), ("revoked", "valid"))
        self.assertIsNotNone(listed[first]["last_used"])
        self.refused(self.head.run("operator", "revoke", second), "last valid one")
        self.ok(self.head.run("operator", "revoke", second, "--force"))
        self.refused(self.head.run("nodes"), "was revoked")
        self.head.new_operator()
        self.ok(self.head.run("nodes"))

    def test_one_for_somebody_else(self):
        etc = os.path.join(self.head.dir, "for-kim")
        made = subprocess.run([f"{headd.BIN}/comosix-headd", "operator", "--name", "kim", "--state",
                               self.head.state, "--etc", etc], capture_output=True, text=True)
        self.ok(made)
        kim = os.path.join(etc, "operator.pem")
        token = json.loads(self.ok(self.as_operator(kim, "token", "create", "--json")))
        last = self.head.ask("GET", "/events").json["events"][-1]
        self.assertEqual((last["type"], last["by"]), ("token.created", "kim"))
        self.assertEqual(last["subject"], str(token["id"]))
        serial, = [s for s, o in self.listed().items() if o["name"] == "kim"]
        self.ok(self.head.run("operator", "revoke", serial))
        self.refused(self.as_operator(kim, "nodes"), "was revoked")
        bad = subprocess.run([f"{headd.BIN}/comosix-headd", "operator", "--name", "a/b", "--state",
                              self.head.state, "--etc", etc], capture_output=True, text=True)
        self.refused(bad, "is not a name for an operator", 1)

    def test_of_two_who_revoke_each_other_one_stays(self):
        with headd.Headd() as head:
            pems = [head.new_operator(), head.operator]
            mine = {o["own"]: o["serial"] for o in head.ask("GET", "/operators").json["operators"]}
            racers = [subprocess.Popen([f"{headd.BIN}/comosix", "operator", "revoke", victim],
                                       env={**os.environ, "COMOSIX_OPERATOR": pem, "COMOSIX_URL": head.url},
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
                      for pem, victim in zip(pems, (mine[True], mine[False]))]
            ends = [(r.communicate()[1], r.returncode) for r in racers]
            self.assertEqual(sorted(status for _, status in ends), [0, REFUSED], ends)


if __name__ == "__main__":
    headd.need_root()
    unittest.main()
