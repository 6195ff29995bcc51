# SPDX-License-Identifier: GPL-2.0-or-later
"""headd.py - a control point of its own for a system test, on loopback, in a temporary directory"""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import sqlite3
import subprocess
import sys
import tempfile
import time

BIN = os.environ["COMOSIX_BIN"]
PATIENCE_S = 60  # for an event that must come; only a failure waits so long


def need_root():
    """End with 77, which meson calls skipped, when the tests cannot run."""
    if os.geteuid() != 0:
        print("skipped: comosix-headd has to be started by root")
        sys.exit(77)


def read(path):
    with open(path) as f:
        return f.read()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, until):
    """Ask again until it is so."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        got = until()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE_S} s in vain for: {what}")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.type = response.headers.get_content_type()
        self.text = response.read()
        self.json = json.loads(self.text) if self.type.endswith("json") and self.text else None

    @property
    def problem(self):
        """The last word of a problem's type."""
        return self.json["type"].rsplit(":", 1)[1] if self.type == "application/problem+json" else None


class Headd:
    def __init__(self, state=None, extra=()):
        self.dir = tempfile.mkdtemp(prefix="comosix-headd.")
        self.state = state or os.path.join(self.dir, "state")
        self.etc = os.path.join(self.dir, "etc")
        self.run_dir = os.path.join(self.dir, "run")
        self.operator = os.path.join(self.etc, "operator.pem")
        self.database = os.path.join(self.state, "head/store/head.db")
        self.log_path = os.path.join(self.dir, "log")
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.extra = list(extra)
        self.process = None

    def __enter__(self):
        self.init()
        self.start()
        return self

    def __exit__(self, *unused):
        self.stop()
        shutil.rmtree(self.dir)

    def init(self, check=True):
        return subprocess.run([f"{BIN}/comosix", "init", "--name", "test", "--address", "127.0.0.1",
                               "--port", str(self.port), "--state", self.state, "--etc", self.etc],
                              capture_output=True, text=True, check=check)

    def start(self):
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(
                [f"{BIN}/comosix-headd", "--state", self.state, "--etc", self.etc, "--run",
                 self.run_dir, "--listen", f"127.0.0.1:{self.port}", *self.extra], stderr=log)
        wait_for("comosix-headd to listen", self.listening)

    def listening(self):
        assert self.process.poll() is None, self.log()
        try:
            return self.ask("GET", "/health", who=None).status == 200
        except OSError:
            return False

    def stop(self):
        """An orderly end; its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(PATIENCE_S)
        self.process = None
        return status

    def children(self):
        """{"headd-web": pid, "headd-signer": pid}"""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            pids = f.read().split()
        return {read(f"/proc/{p}/comm").strip(): int(p) for p in pids}

    def kill(self):
        """A power cut of all three."""
        pids = [self.process.pid, *self.children().values()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(PATIENCE_S)
        wait_for("the processes to be gone",
                 lambda: not any(os.path.exists(f"/proc/{p}") for p in pids))
        self.process = None

    def log(self):
        return read(self.log_path)

    def context(self, cert=None, key=None):
        c = ssl.create_default_context(cafile=os.path.join(self.state, "head/ca.pem"))
        if cert:
            c.load_cert_chain(cert, key or cert)
        return c

    def connect(self, who="operator", timeout=PATIENCE_S):
        """A connection as the operator, as a node ((cert, key)), or as nobody (None)."""
        if who == "operator":
            who = (self.operator, self.operator)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                           context=self.context(*(who or ())))

    def ask(self, method, path, body=None, who="operator", headers=None):
        c = self.connect(who)
        try:
            headers = dict(headers or {})
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            if body is not None:
                headers.setdefault("Content-Type", "application/json")
            c.request(method, "/api/v1" + path, body, headers)
            return Answer(c.getresponse())
        finally:
            c.close()

    def token(self, **more):
        answer = self.ask("POST", "/tokens", more)
        assert answer.status == 201, answer.text
        return answer.json["token"]

    def run(self, *args, **more):
        """The comosix command, with this control point's credential."""
        env = {**os.environ, "COMOSIX_OPERATOR": self.operator, "COMOSIX_URL": self.url}
        return subprocess.run([f"{BIN}/comosix", *args], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env=env, **more)

    def join_args(self, name, *more):
        return ["join", "--head", self.url, "--state", os.path.join(self.dir, name), "--name", name,
                *more]

    def join(self, name, *more):
        return self.run(*self.join_args(name, *more))

    def node(self, name):
        """Paths of a node's certificate and key, for connect()."""
        d = os.path.join(self.dir, name, "node")
        return (os.path.join(d, "cert.pem"), os.path.join(d, "key.pem"))

    def new_operator(self):
        """Another credential in the place of the one in use; the name of a copy of that."""
        old = os.path.join(self.dir, f"operator.{len(os.listdir(self.dir))}.pem")
        shutil.copy(self.operator, old)
        subprocess.run([f"{BIN}/comosix-headd", "operator", "--state", self.state, "--etc", self.etc],
                       check=True, capture_output=True)
        return old

    def later(self):
        """All certificates were given out long enough ago for another."""
        self.sql("UPDATE nodes SET renewed = renewed - 10")

    def sql(self, text, *values):
        """Change the database behind the back of the server."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=PATIENCE_S)) as db, db:
            return db.execute(text, values).fetchall()


def make_csr(kind=("EC", "-pkeyopt", "ec_paramgen_curve:P-256")):
    """A signing request by openssl(1): another hand than our own."""
    algorithm, *options = kind
    key = subprocess.run(["openssl", "genpkey", "-algorithm", algorithm, *options],
                         capture_output=True, check=True).stdout
    with tempfile.NamedTemporaryFile() as f:
        f.write(key)
        f.flush()
        return subprocess.run(["openssl", "req", "-new", "-key", f.name, "-subj", "/CN=x"],
                              capture_output=True, check=True, text=True).stdout


class Events:
    """A stream of server-sent events."""

    def __init__(self, head, path="/events", who="operator", **headers):
        self.connection = head.connect(who)
        self.connection.request("GET", "/api/v1" + path, headers={
            "Accept": "text/event-stream", **{k.replace("_", "-"): v for k, v in headers.items()}})
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.headers.get_content_type() == "text/event-stream"

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.connection.close()

    def next(self):
        """{"id": ..., "event": ..., "data": ...} of the next event; None at the end"""
        event = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                return None
            line = line.rstrip("\n")
            if not line and "data" in event:
                event["data"] = json.loads(event["data"])
                return event
            found = re.match(r"(id|event|data): (.*)", line)
            if found:
                event[found[1]] = found[2]
