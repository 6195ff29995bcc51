#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""openapi.py - docs/openapi.json held against a running comosix-headd

Every path and method of the file is asked, with success and with each failure that can be provoked,
and every answer must be one that the file describes, down to its schema. What the file does not
describe must not answer.
"""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import headd

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is wanted")
    sys.exit(77)

SOURCE = os.environ["COMOSIX_SOURCE"]
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
UNKNOWN = "cmx-%s-%s-aaaaaaaaaaaaaaaaaaaaaaaaaa"


def fill(template, word):
    """The path with the word, or one of them after the other, in place of its {names}."""
    words = iter([word] if isinstance(word, str) else word)
    return re.sub(r"\{[^}]*\}", lambda _: next(words, "1"), template)


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(SOURCE, "docs/openapi.json")) as f:
            cls.doc = json.load(f)
        cls.head = headd.Headd()
        cls.head.__enter__()
        cls.addClassCleanup(cls.head.__exit__)
        cls.seen = set()
        cls.operations = {(m, p) for p, item in cls.doc["paths"].items() for m in item if m in METHODS}

    def resolve(self, node):
        while "$ref" in node:
            at = self.doc
            for word in node["$ref"].removeprefix("#/").split("/"):
                at = at[word]
            node = at
        return node

    def valid(self, schema, value):
        checker = jsonschema.Draft202012Validator(
            {**schema, "components": self.doc["components"]},
            format_checker=jsonschema.FormatChecker())
        errors = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in checker.iter_errors(value)]
        self.assertEqual(errors, [])

    def ask(self, method, template, want, body=None, word=None, who="operator", query="", **headers):
        """One request of the file, and its answer held against the file."""
        operation = self.doc["paths"][template][method]
        path = template
        if word is not None:
            path = fill(template, word)
        a = self.head.ask(method.upper(), path + query, body, who, headers)
        self.assertEqual(a.status, want, f"{method} {path}: {a.text}")
        self.assertIn(str(want), operation["responses"], f"{method} {path}: undocumented {want}")
        described = self.resolve(operation["responses"][str(want)])
        if "content" not in described:
            self.assertEqual(a.text, b"")
        else:
            self.assertIn(a.type, described["content"])
            self.valid(described["content"][a.type]["schema"], a.json)
        if want < 300 and isinstance(body, dict):
            self.valid(operation["requestBody"]["content"]["application/json"]["schema"], body)
        if want in (429, 503) and "headers" in described:
            self.assertIn("Retry-After", a.headers)
        self.seen.add((method, template))
        return a.json

    def test_1_the_file_is_sound(self):
        self.assertEqual(self.doc["openapi"][:4], "3.1.")
        for method, path in self.operations:
            operation = self.doc["paths"][path][method]
            self.assertIn("operationId", operation)
            self.assertTrue(any(s.startswith("2") for s in operation["responses"]))
            for response in operation["responses"].values():
                for content in self.resolve(response).get("content", {}).values():
                    jsonschema.Draft202012Validator.check_schema(content["schema"])
        ids = [self.doc["paths"][p][m]["operationId"] for m, p in self.operations]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(self.ask("get", "/openapi.json", 200, who=None), self.doc)

    def test_2_open_to_all(self):
        self.ask("get", "/health", 200, who=None)
        self.ask("get", "/ca", 200, who=None)

    def test_3_a_certificate_is_wanted(self):
        for method, path in sorted(self.operations):
            operation = self.doc["paths"][path][method]
            if {} in operation["security"]:
                continue
            body = {} if operation.get("requestBody") else None
            self.ask(method, path, 401, body, word="x" if "{" in path else None, who=None)

    def test_4_tokens(self):
        made = self.ask("post", "/tokens", 201, {"count": 2, "role": "server", "network": "127.0.0.0/8",
                                                 "expires_s": 60, "note": "näher"})
        self.ask("get", "/tokens", 200)
        self.ask("get", "/tokens/{number}", 200, word=str(made["id"]))
        self.ask("get", "/tokens/{number}", 404, word="99999")
        self.ask("get", "/tokens/{number}", 404, word="x")
        self.ask("delete", "/tokens/{number}", 204, word=str(made["id"]))
        self.ask("delete", "/tokens/{number}", 404, word="99999")
        for bad in ({"count": 0}, {"count": 100001}, {"count": "1"}, {"role": "head"}, {"role": "operator"},
                    {"expires_s": 9}, {"network": "10"}, {"note": "x" * 64}, {"unknown": 1}):
            self.ask("post", "/tokens", 422, bad)
        for bad in ("", "[]", "{", "null", '{"count":1,"count":2}', '{"note":"\\u0000"}', b'{"note":"\xff"}'):
            self.ask("post", "/tokens", 400, bad)
        self.ask("post", "/tokens", 413, {"note": "x" * 5000})
        self.ask("post", "/tokens", 400, "{}", **{"Content-Type": "text/plain"})

    def join_body(self, **more):
        return {"csr": headd.make_csr(), "name": "d1", **more}

    def test_5_joining(self):
        ca = self.head.ask("GET", "/ca", who=None).json
        unknown = UNKNOWN % (ca["cluster"][:8], ca["fingerprint"][:32])
        body = self.join_body(token=self.head.token())
        first = self.ask("post", "/join", 201, body, who=None)
        self.ask("post", "/join", 429, body, who=None)
        self.ask("post", "/renew", 429, {"csr": body["csr"]}, who=None)
        self.head.later()
        again = self.ask("post", "/join", 200, body, who=None)
        self.assertEqual((first["name"], first["id"]), (again["name"], again["id"]))
        self.head.later()
        self.ask("post", "/renew", 200, {"csr": body["csr"]}, who=None)
        self.ask("post", "/renew", 404, {"csr": headd.make_csr()}, who=None)
        self.ask("post", "/renew", 422, {"csr": "x"}, who=None)
        self.ask("post", "/join", 403, self.join_body(token=unknown), who=None)
        for bad in ({"csr": 1}, {"name": "d"}, self.join_body(name="!"), self.join_body(address="here"),
                    self.join_body(relayed=1), self.join_body(extra=1), {"csr": "x", "name": "d"}):
            self.ask("post", "/join", 422, bad, who=None)
        self.ask("post", "/join", 413, {"csr": "x" * 20000, "name": "d"}, who=None)

    def test_6_approval(self):
        asked = self.ask("post", "/join", 202, self.join_body(name="Waits.example"), who=None)
        refused = self.ask("post", "/join", 202, self.join_body(name="waits"), who=None)
        self.assertNotEqual(asked["name"], refused["name"])
        self.ask("get", "/join/{id}", 202, word=asked["join"], who=None)
        self.assertEqual(len(self.ask("get", "/joins", 200)["joins"]), 2)
        self.ask("post", "/nodes/{name}/refuse", 204, word=refused["name"])
        self.ask("get", "/join/{id}", 403, word=refused["join"], who=None)
        self.ask("post", "/nodes/{name}/approve", 409, {"key_fingerprint": "0" * 64}, word=asked["name"])
        self.ask("post", "/nodes/{name}/approve", 422, {"role": "head"}, word=asked["name"])
        self.ask("post", "/nodes/{name}/approve", 200, {"role": "server",
                 "key_fingerprint": asked["key_fingerprint"]}, word=asked["name"])
        self.ask("post", "/nodes/{name}/approve", 404, word=asked["name"])
        self.ask("post", "/nodes/{name}/refuse", 404, word=asked["name"])
        self.ask("get", "/join/{id}", 200, word=asked["join"], who=None)
        self.ask("get", "/join/{id}", 429, word=asked["join"], who=None)
        self.ask("get", "/join/{id}", 404, word="0" * 32, who=None)

    def test_7_nodes(self):
        name = self.ask("post", "/join", 201, self.join_body(token=self.head.token()), who=None)["name"]
        self.ask("get", "/nodes", 200)
        self.ask("get", "/nodes/{name}", 200, word=name)
        self.ask("get", "/nodes/{name}", 404, word="nobody")
        self.ask("delete", "/nodes/{name}", 409, word=name)
        self.ask("post", "/nodes/{name}/revoke", 200, word=name)
        self.ask("post", "/nodes/{name}/revoke", 409, word="head")
        self.ask("post", "/nodes/{name}/revoke", 404, word="nobody")
        self.ask("delete", "/nodes/{name}", 204, word=name)
        self.ask("delete", "/nodes/{name}", 404, word=name)
        self.ask("get", "/cluster", 200)
        self.ask("get", "/revocations", 200)

    def test_7b_operators(self):
        own, = self.ask("get", "/operators", 200)["operators"]
        self.assertEqual((own["state"], own["own"]), ("valid", True))
        self.assertIsNotNone(own["last_used"])
        revoke = "/operators/{serial}/revoke"
        self.ask("post", revoke, 409, word=own["serial"])
        self.ask("post", revoke, 404, word="0" * 32)
        self.ask("post", revoke, 404, word="x")
        self.ask("post", revoke, 422, {"force": 1}, word=own["serial"])
        self.ask("post", revoke, 422, {"other": True}, word=own["serial"])
        self.ask("post", revoke, 400, "[]", word=own["serial"])
        self.ask("post", revoke, 413, {"force": True, "x": "x" * 5000}, word=own["serial"])
        self.head.new_operator()
        other, = [o for o in self.ask("get", "/operators", 200)["operators"] if not o["own"]]
        self.assertEqual(other["serial"], own["serial"])
        for _ in range(2):
            self.ask("post", revoke, 200, {"force": False}, word=own["serial"])
        self.assertEqual([o["state"] for o in self.ask("get", "/operators", 200)["operators"]],
                         ["revoked", "valid"])

    def test_7c_processes(self):
        # there is no comosixd; with one: api_moves.py
        move = "/nodes/{name}/processes/{pid}/move"
        self.ask("get", "/processes", 503)
        self.ask("post", move, 503, {"to": "home"}, word=("head", "1"))
        self.ask("post", move, 404, {"to": "home"}, word=("nobody", "1"))
        self.ask("post", move, 404, {"to": "home"}, word=("head", "x"))
        for bad in ({}, {"to": 1}, {"to": "not a name"}, {"to": "home", "x": 1}):
            self.ask("post", move, 422, bad, word=("head", "1"))
        self.ask("post", move, 400, "[]", word=("head", "1"))
        self.ask("post", move, 413, {"to": "x" * 5000}, word=("head", "1"))

    def test_8_a_node_may_read(self):
        joined = self.head.join("reader", "--token", self.head.token())
        self.assertEqual(joined.returncode, 0, joined.stderr)
        node = self.head.node("reader")
        for method, path in sorted(self.operations):
            security = self.doc["paths"][path][method]["security"]
            if {} in security:
                continue
            word = "reader" if "{" in path else None
            body = {} if "requestBody" in self.doc["paths"][path][method] else None
            self.ask(method, path, 200 if {"node": []} in security else 403, body, word=word, who=node)

    def test_9_events(self):
        listed = self.ask("get", "/events", 200)
        self.ask("get", "/events", 200, query=f"?after={listed['last'] - 1}&limit=1")
        for bad in ("?after=x", "?after=-1", "?limit=0", "?limit=501"):
            self.ask("get", "/events", 422, query=bad)
        schema = self.doc["components"]["schemas"]["Event"]
        with headd.Events(self.head, "/events?after=0") as events:
            for want in listed["events"]:
                got = events.next()
                self.valid(schema, got["data"])
                self.assertEqual((got["data"], got["event"], int(got["id"])),
                                 (want, want["type"], want["id"]))

    def test_x_nothing_was_left_out(self):
        self.assertEqual(self.operations - self.seen, set())

    def test_y_what_is_not_described_does_not_answer(self):
        for path in ("", "/", "/node", "/nodes/", "/nodes/head/", "/nodes/head/x", "/nodes/head/revoke/x",
                     "/tokens/1/x", "/health/", "/HEALTH", "//health", "/he%61lth", "/nodes/%2e%2e", "/admin",
                     "/join/a/b", "/openapi", "/events/1", "/" + "x" * 8000):
            a = self.head.ask("GET", path)
            self.assertEqual((a.status, a.problem), (404, "not-found"), path)
            self.valid(self.doc["components"]["schemas"]["Problem"], a.json)
        for path in ("/", "/index.html", "/api", "/api/v2/nodes"):
            c = self.head.connect()
            c.request("GET", path)
            self.assertEqual(c.getresponse().status, 404, path)
            c.close()
        for path, item in self.doc["paths"].items():
            for method in METHODS:
                if method in item:
                    continue
                word = fill(path, "x")
                a = self.head.ask(method.upper(), word)
                self.assertEqual(a.status, 405, f"{method} {word}")
                allowed = set(a.headers["Allow"].lower().split(", "))
                self.assertEqual(allowed, set(item) & set(METHODS))


if __name__ == "__main__":
    headd.need_root()
    unittest.main()
