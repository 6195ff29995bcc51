#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lab.py - 'comosix lab' with pods only (--bare): walls, exec, failures, and no trace left

Each case waits for the end of a process or for its output, never for time to pass; the one
random delay is the moment of a kill.
"""
import contextlib
import json
import os
import pty
import pwd
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import labs

USER = next((p for p in pwd.getpwall() if 1000 <= p.pw_uid < 60000), pwd.getpwnam("nobody"))
KILLS = int(os.environ.get("COMOSIX_LAB_KILLS", "8"))
SEED = int(os.environ.get("COMOSIX_SEED", "2004"))

# echoes one line of one connection after the other; says when it listens
ECHO = """
import socket
s = socket.create_server(("0.0.0.0", 7777))
print("ready", flush=True)
while True:
    c, _ = s.accept()
    while True:
        b = c.recv(100)
        if not b:
            break
        c.sendall(b)
"""

# sends each line of stdin to the address and prints the echo
ASK = """
import socket, sys
s = socket.create_connection((sys.argv[1], 7777), timeout=60)
print("connected", flush=True)
for line in sys.stdin:
    s.sendall(line.encode())
    print(s.recv(100).decode(), end="", flush=True)
"""

TRY = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 7777), timeout=1)
    print("open")
except OSError as e:
    print("closed")
"""

PYTHON = "/usr/bin/python3"


@contextlib.contextmanager
def as_user(user):
    """Arguments for a Lab's run(): the command, where that user can reach it, as that user."""
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        yield {"executable": shutil.copy(labs.COMOSIX, d), "cwd": "/", "user": user.pw_uid,
               "group": user.pw_gid, "extra_groups": []}


class Terminal:
    """A command on a node, at a terminal."""

    def __init__(self, lab, node, *cmd):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execv(labs.COMOSIX, lab.command("exec", node, "--", *cmd))
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        os.close(self.fd)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def type(self, keys):
        os.write(self.fd, keys)

    def more(self):
        """The next bytes, none at the end."""
        assert select.select([self.fd], [], [], labs.TIMEOUT)[0], self.seen
        try:
            return os.read(self.fd, 1000)
        except OSError:  # EIO: nobody is at the other end any more
            return b""

    def until(self, text):
        while text not in self.seen:
            more = self.more()
            assert more, self.seen
            self.seen += more
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def status(self):
        while self.more():
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return code


class WithLab(unittest.TestCase):
    """One lab for all cases of a class."""
    ARGS = ("--nodes", "2")

    @classmethod
    def setUpClass(cls):
        cls.lab = labs.Lab(cls.__name__.lower())
        cls.lab.must("up", "--bare", *cls.ARGS)

    @classmethod
    def tearDownClass(cls):
        cls.lab.must("down")


class Walls(WithLab):
    """A call that wrongly runs at the other end must fail."""

    def test_a_node_sees_nothing_of_the_machine(self):
        with tempfile.NamedTemporaryFile(dir="/tmp") as tmp, \
                tempfile.NamedTemporaryFile(dir=os.path.expanduser("~root")) as home, \
                tempfile.NamedTemporaryFile(dir="/var/tmp") as var, \
                tempfile.NamedTemporaryFile(dir="/dev/shm") as shm, \
                tempfile.NamedTemporaryFile(dir="/run") as run:
            for f in (tmp, home, var, shm, run):
                with self.subTest(f.name):
                    self.assertNotEqual(self.lab.on("n1", "test", "-e", f.name).returncode, 0)
            for path in ("/etc/shadow", "/etc/ssh", "/etc/sudoers", labs.ROOT, "/boot/vmlinuz",
                         os.environ["COMOSIX_SOURCE"]):
                with self.subTest(path):
                    self.assertNotEqual(self.lab.on("n1", "test", "-e", path).returncode, 0)

    def test_the_head_sees_home_and_tmp(self):
        with tempfile.NamedTemporaryFile(dir="/tmp") as tmp, \
                tempfile.NamedTemporaryFile(dir=os.path.expanduser("~root")) as home:
            for f in (tmp, home):
                self.assertEqual(self.lab.on("head", "test", "-e", f.name).returncode, 0)

    def test_the_head_has_its_own_cluster_directories(self):
        before = labs.machine()
        for d in ("/etc/comosix", "/var/lib/comosix", "/run/comosix"):
            self.assertEqual(self.lab.out("head", "ls", d), "")
            self.lab.out("head", "touch", d + "/here")
        self.assertEqual(labs.machine(), before)

    def test_each_has_its_own_processes_and_links(self):
        for node in ("head", "n1"):
            seen = self.lab.out(node, "sh", "-c", "echo /proc/[0-9]*").split()
            self.assertLess(len(seen), 8)
            links = self.lab.out(node, "ls", "/sys/class/net" if node == "n1" else "/proc/sys/net/ipv4/conf")
            self.assertEqual(set(links.split()) - {"all", "default"}, {"eth0", "lo"})
        for kind in labs.NAMESPACES:
            of = {self.lab.out(n, "readlink", f"/proc/self/ns/{kind}") for n in ("head", "n1", "n2")}
            self.assertEqual(len(of), 3, kind)
            self.assertFalse({s.strip() for s in of} & labs.own_namespaces())

    def test_no_way_out(self):
        routes = self.lab.out("n1", "cat", "/proc/net/route").splitlines()[1:]
        self.assertEqual(len(routes), 1)
        self.assertEqual(routes[0].split()[1], "00004D0A")

    def test_usr_and_programs_cannot_be_written(self):
        for d in ("/usr", "/usr/bin", "/opt/comosix/bin", "/sys/kernel", "/etc/hosts"):
            done = self.lab.on("n1", "sh", "-c", f"test -d {d} && : >{d}/x || : >>{d}")
            self.assertNotEqual(done.returncode, 0, d)

    def test_a_node_cannot_reach_the_lab_itself(self):
        self.assertNotEqual(self.lab.on("n1", "comosix", "lab", "status", "--name",
                                        self.lab.name).returncode, 0)

    def test_names(self):
        for node in ("head", "n1", "n2"):
            self.assertEqual(self.lab.out(node, "hostname").strip(), node)
            self.assertIn("10.77.1.2", self.lab.out(node, "getent", "hosts", "n2"))

    def test_users_agree(self):
        for node in ("head", "n1"):
            self.assertEqual(self.lab.out(node, "id", "-u", USER.pw_name).strip(), str(USER.pw_uid))


class Exec(WithLab):
    ARGS = ("--nodes", "1")

    def test_status(self):
        cases = (
            (["true"], 0), (["false"], 1), (["sh", "-c", "exit 77"], 77),
            (["no-such-command"], 127), (["/etc/hosts"], 126), (["sh", "-c", "kill -9 $$"], 137),
        )
        for node in ("head", "n1"):
            for cmd, status in cases:
                with self.subTest(node=node, cmd=cmd):
                    self.assertEqual(self.lab.on(node, *cmd).returncode, status)
        self.assertEqual(self.lab.on("n9", "true").returncode, 125)
        nobody = labs.Lab("nosuchlab")
        done = nobody.on("n1", "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("comosix lab up", done.stderr)

    def test_bytes(self):
        data = os.urandom(1 << 20)
        done = subprocess.run(self.lab.command("exec", "n1", "--", "cat"), input=data,
                              capture_output=True, timeout=labs.TIMEOUT)
        self.assertEqual(done.stdout, data)
        done = self.lab.on("n1", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual((done.stdout, done.stderr), ("out\n", "err\n"))

    def test_many_arguments(self):
        args = [f"{i:0100d}" for i in range(5000)]
        self.assertEqual(self.lab.out("n1", "sh", "-c", "echo $#", *args).strip(), "4999")

    def test_directory_and_environment(self):
        with tempfile.TemporaryDirectory() as d:
            os.environ["COMOSIX_LAB_TEST"] = "seen"
            self.assertEqual(self.lab.run("exec", "head", "--", "sh", "-c",
                                          "pwd; echo $COMOSIX_LAB_TEST", cwd=d).stdout,
                             f"{d}\nseen\n")
            self.assertEqual(self.lab.run("exec", "n1", "--", "sh", "-c",
                                          "pwd; echo $COMOSIX_LAB_TEST", cwd=d).stdout, "/root\n\n")
        self.assertEqual(self.lab.out("head", "sh", "-c", "command -v comosix").strip(),
                         "/run/lab/bin/comosix")
        self.assertEqual(self.lab.out("n1", "sh", "-c", "command -v comosix").strip(),
                         "/opt/comosix/bin/comosix")

    def test_as_another_user(self):
        with as_user(USER) as user:
            done = self.lab.on("head", "sh", "-c", "id -u; id -g; id -G; comosix --version", **user)
            self.assertEqual(done.stdout.split()[:4],
                             [str(USER.pw_uid), str(USER.pw_gid), str(USER.pw_gid), "comosix"],
                             done.stderr)
            self.assertNotEqual(self.lab.on("head", "cat", "/etc/shadow", **user).returncode, 0)

    def test_another_user_may_do_no_more(self):
        with as_user(USER) as user:
            self.assertEqual(self.lab.on("n1", "true", **user).returncode, 125)
            for verb in (["status"], ["kill", "n1"], ["cut", "n1"], ["add"], ["down"], ["up"]):
                done = self.lab.run(*verb, **user)
                self.assertEqual(done.returncode, 5, verb)
                self.assertIn("sudo comosix lab", done.stderr)
        self.assertEqual(self.lab.status()["n1"]["state"], "ready")

    def test_signals_reach_it(self):
        for sig, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)):
            p = self.lab.start("n1", "sh", "-c", "echo ready; exec sleep 1000")
            self.assertEqual(p.stdout.readline(), "ready\n")
            p.send_signal(sig)
            self.assertEqual(p.wait(labs.TIMEOUT), status)
            p.stdout.close()

    def test_it_dies_with_its_caller(self):
        # the pipe's end comes when the last process that has it is gone
        p = self.lab.start("n1", "sh", "-c", "echo ready; sleep 1000 & sleep 1000")
        self.assertEqual(p.stdout.readline(), "ready\n")
        p.kill()
        self.assertEqual(p.stdout.read(), "")
        p.wait()
        p.stdout.close()

    def test_terminal(self):
        with Terminal(self.lab, "n1", "sh", "-c", "stty size; tty; exec sleep 1000") as t:
            t.until(b"/dev/pts/")
            t.type(b"\x03")
            self.assertEqual(t.status(), 130)

    def test_job_control(self):
        # bash throws away what is typed before it asks
        with Terminal(self.lab, "n1", "env", "PS1=ask:", "bash", "--norc", "-i") as t:
            t.until(b"ask:")
            t.type(b"sh -c 'echo up-$((1+1)); exec sleep 1000'\r")
            t.until(b"up-2\r\n")
            t.type(b"\x1a")
            t.until(b"Stopped")
            t.until(b"ask:")
            t.type(b"bg; exit 9\r")
            self.assertEqual(t.status(), 9)


class Failures(unittest.TestCase):
    """Power, wires, routers."""

    def conversation(self, lab):
        server = lab.start("n2", PYTHON, "-c", ECHO)
        self.assertEqual(server.stdout.readline(), "ready\n")
        client = lab.start("n1", PYTHON, "-c", ASK, "n2", stdin=subprocess.PIPE)
        self.assertEqual(client.stdout.readline(), "connected\n")
        return server, client

    def say(self, client, text):
        client.stdin.write(text + "\n")
        client.stdin.flush()

    def hear(self, client, text):
        self.assertEqual(client.stdout.readline(), text + "\n")

    def end(self, *processes):
        for p in processes:
            p.kill()
            p.wait()
            for f in (p.stdin, p.stdout):
                if f:
                    f.close()

    def test_cut_is_silent_and_heals(self):
        with labs.Lab("cut") as lab:
            lab.must("up", "--bare", "--nodes", 2)
            server, client = self.conversation(lab)
            self.say(client, "before")
            self.hear(client, "before")
            lab.must("cut", "n2")
            self.assertTrue(lab.status()["n2"]["cut"])
            self.say(client, "meanwhile")
            lab.must("heal", "n2")
            self.hear(client, "meanwhile")
            self.end(server, client)

    def test_kill_is_silent_and_the_disk_stays(self):
        with labs.Lab("kill") as lab:
            lab.must("up", "--bare", "--nodes", 2)
            server, client = self.conversation(lab)
            self.say(client, "before")
            self.hear(client, "before")
            lab.out("n2", "sh", "-c", "echo kept >/var/lib/comosix/x; echo lost >/tmp/x")
            lab.must("kill", "n2")
            self.assertEqual(lab.status()["n2"]["state"], "off")
            self.assertEqual(server.wait(labs.TIMEOUT), 125)
            # 01: established; a FIN or RST would have changed it
            states = [line.split()[3] for line in lab.out("n1", "cat", "/proc/net/tcp").splitlines()[1:]
                      if line.split()[2].endswith(":1E61")]
            self.assertEqual(states, ["01"])
            self.assertEqual(lab.on("n2", "true").returncode, 125)
            lab.must("kill", "n2")  # is off: well
            lab.must("start", "n2")
            self.assertEqual(lab.run("start", "n2").returncode, 5)
            self.assertEqual(lab.out("n2", "cat", "/var/lib/comosix/x"), "kept\n")
            self.assertNotEqual(lab.on("n2", "test", "-e", "/tmp/x").returncode, 0)
            self.end(server, client)

    def test_unknown_nodes(self):
        with labs.Lab("unknown") as lab:
            lab.must("up", "--bare", "--nodes", 1)
            for verb in ("kill", "start", "cut", "heal"):
                self.assertEqual(lab.run(verb, "n2").returncode, 4, verb)

    def test_add(self):
        with labs.Lab("add") as lab:
            lab.must("up", "--bare", "--nodes", 1)
            self.assertEqual(lab.must("add", "--count", 2, "--role", "server"), "n2\nn3\n")
            nodes = lab.status()
            self.assertEqual(set(nodes), {"head", "n1", "n2", "n3"})
            self.assertEqual(nodes["n3"]["role"], "server")
            self.assertIn("10.77.1.3", lab.out("n1", "getent", "hosts", "n3"))
            self.assertEqual(json.loads(lab.must("add", "--json")),
                             {"lab": lab.name, "nodes": ["n4"]})

    def test_a_head_that_is_off_stays_off(self):
        with labs.Lab("off") as lab:
            lab.must("up", "--bare", "--nodes", 1)
            lab.must("kill", "head")
            refused = lab.run("add")
            self.assertEqual(refused.returncode, 5)
            self.assertIn("comosix lab start head", refused.stderr)
            lab.must("kill", "n1")
            lab.must("start", "n1")  # it has been there: it needs nobody
            nodes = lab.status()
            self.assertEqual({n: nodes[n]["state"] for n in nodes}, {"head": "off", "n1": "ready"})
            lab.must("start", "head")
            self.assertEqual(lab.must("add"), "n2\n")

    def test_wrong_words(self):
        lab = labs.Lab("words")
        for verb in ("kill", "start", "cut", "heal", "exec"):
            missing = lab.run(verb)
            self.assertEqual(missing.returncode, 2, verb)
            self.assertIn("which node?", missing.stderr)
            self.assertIn(f"comosix lab {verb} --help", missing.stderr)
        for verb in ("kill", "start", "cut", "heal"):
            many = lab.run(verb, "n1", "n2")
            self.assertEqual(many.returncode, 2, verb)
            self.assertIn("'n2' is one word too many", many.stderr)
            self.assertIn(f"comosix lab {verb} --help", many.stderr)

    @unittest.skipUnless(labs.has_nft(), "needs nft: apt install nftables")
    def test_nat_lets_out_and_nothing_in(self):
        with labs.Lab("nat") as lab:
            lab.must("up", "--bare", "--nodes", 4, "--nat-nodes", "n[1,3]")
            server, client = self.conversation(lab)  # n1 is behind it, n2 is not
            self.say(client, "out")
            self.hear(client, "out")
            inside = lab.start("n3", PYTHON, "-c", ECHO)
            self.assertEqual(inside.stdout.readline(), "ready\n")
            for node in ("n1", "n2", "head"):
                self.assertEqual(lab.out(node, PYTHON, "-c", TRY, "n3"), "closed\n", node)
            self.end(server, client, inside)


class Services(unittest.TestCase):
    """The real programs in the pods."""

    def member(self, lab, node, state):
        """Wait until the head's comosixd thinks so of a node."""
        deadline = time.monotonic() + labs.TIMEOUT
        while lab.status()[node]["member"] != state:
            self.assertLess(time.monotonic(), deadline, f"{node} does not become {state}")

    def test_a_revoked_credential_commands_no_node(self):
        old = "/etc/comosix/old.pem"

        def command(lab, pem):
            return lab.on("head", "env", f"COMOSIX_OPERATOR={pem}", "comosix", "exec", "n1", "--", "true")

        with labs.Lab("revoked") as lab:
            lab.must("up", "--nodes", 1)
            lab.out("head", "cp", "/etc/comosix/operator.pem", old)
            own, = json.loads(lab.out("head", "comosix", "operator", "list", "--json"))["operators"]
            lab.out("head", "comosix-headd", "operator")
            self.assertEqual(command(lab, old).returncode, 0)
            running = lab.start("head", "env", f"COMOSIX_OPERATOR={old}", "comosix", "exec", "n1", "--",
                                "sh", "-c", "echo begun; exec sleep 1000000")
            self.assertIn("begun", running.stdout.readline())
            lab.out("head", "comosix", "operator", "revoke", own["serial"])
            deadline = time.monotonic() + labs.TIMEOUT
            while not (done := command(lab, old)).returncode:  # until the list has come there
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual(done.returncode, 5)
            self.assertIn("was revoked", done.stderr)
            self.assertEqual(running.wait(labs.TIMEOUT), 125)  # what had begun has ended as well
            running.stdout.close()
            self.assertEqual(command(lab, "/etc/comosix/operator.pem").returncode, 0)

    def test_a_revoked_node_is_still_told_of_after_a_restart(self):
        with labs.Lab("gone") as lab:
            lab.must("up", "--nodes", 2)
            lab.out("head", "comosix", "node", "revoke", "n2")
            self.member(lab, "n2", "revoked")
            lab.must("kill", "head")
            lab.must("start", "head")
            self.member(lab, "n2", "revoked")

    def test_failures_are_seen_and_healed(self):
        with labs.Lab("serve") as lab:
            lab.must("up", "--nodes", 3, "--servers", 1)
            nodes = lab.status()
            self.assertEqual({n["member"] for n in nodes.values()}, {"alive"})
            self.assertEqual(nodes["n1"]["role"], "server")
            lab.must("cut", "head")
            refused = lab.run("add")
            self.assertEqual(refused.returncode, 5)
            self.assertIn("comosix lab heal head", refused.stderr)
            lab.must("heal", "head")
            lab.must("kill", "n2")
            lab.must("cut", "n3")
            self.member(lab, "n2", "dead")
            self.member(lab, "n3", "dead")
            lab.must("start", "n2")  # knows who it is: no token is left
            lab.must("heal", "n3")
            lab.must("add")
            for node in ("n2", "n3", "n4"):
                self.member(lab, node, "alive")
            said = lab.out("head", "comosix", "exec", "n[1-4]", "--", "hostname").splitlines()
            self.assertEqual(sorted(said), [f"n{i}: n{i}" for i in range(1, 5)])

    def test_a_service_that_ends_is_started_again(self):
        with labs.Lab("again") as lab:
            lab.must("up", "--nodes", 1)
            lab.out("n1", "sh", "-c", "kill -9 $(pgrep -x comosixd)")
            deadline = time.monotonic() + labs.TIMEOUT
            while not lab.status()["n1"]["restarts"]:
                self.assertLess(time.monotonic(), deadline)
            self.member(lab, "n1", "alive")

    def test_a_lab_that_does_not_come_up_leaves_nothing(self):
        lab = labs.Lab("late")
        done = lab.run("up", "--nodes", 2, "--timeout", "1ms")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertEqual(lab.residue(), [])
        # a head whose daemon cannot be: our programs, but for one
        with tempfile.TemporaryDirectory() as d:
            for name in os.listdir(labs.BIN):
                if os.path.isfile(f"{labs.BIN}/{name}") and name != "comosixd":
                    shutil.copy(f"{labs.BIN}/{name}", d)
            with open(f"{d}/comosixd", "w") as f:
                f.write("#!/bin/sh\necho no such day >&2\nexit 1\n")
            os.chmod(f"{d}/comosixd", 0o755)
            done = lab.run("up", "--nodes", 2, executable=f"{d}/comosix")
        self.assertEqual(done.returncode, 1)
        self.assertIn("head: comosixd does not start: no such day", done.stderr)
        self.assertEqual(lab.residue(), [])


class Limits(unittest.TestCase):
    def test_memory_and_cpus(self):
        with labs.Lab("limits") as lab:
            done = lab.run("up", "--bare", "--nodes", 1, "--cpus", "0.5", "--memory", "64M")
            if "no cgroup controller" in done.stderr:
                self.skipTest(done.stderr.strip())
            self.assertEqual(done.returncode, 0, done.stderr)
            eat = "b = bytearray(200 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1\nprint('ate')"
            self.assertNotIn("ate", lab.on("n1", PYTHON, "-c", eat).stdout)
            self.assertIn("ate", lab.on("head", PYTHON, "-c", eat).stdout)
            # what a daemon reads to know its limits, and its own group is all it sees of them
            self.assertEqual({line.split(":")[2] for line in
                              lab.out("n1", "cat", "/proc/self/cgroup").splitlines()
                              if set(line.split(":")[1].split(",")) & {"cpu", "memory"}}, {"/"})
            read = "cat /sys/fs/cgroup/cpu*/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null"
            self.assertIn("50000", lab.on("n1", "sh", "-c", read).stdout)
            read = "cat /sys/fs/cgroup/memory*/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
            self.assertIn(str(64 << 20), lab.on("n1", "sh", "-c", read).stdout)

    def test_a_node_tells_its_limits(self):
        """What it may use, not what the machine has."""
        with labs.Lab("told") as lab:
            done = lab.run("up", "--nodes", 1, "--cpus", 1, "--memory", "1G")
            if "no cgroup controller" in done.stderr:
                self.skipTest(done.stderr.strip())
            self.assertEqual(done.returncode, 0, done.stderr)
            load, deadline = None, time.monotonic() + labs.TIMEOUT
            while not load:  # the head has not heard it yet
                self.assertLess(time.monotonic(), deadline)
                nodes = json.loads(lab.out("head", "comosix", "nodes", "--json"))["nodes"]
                load = {n["name"]: n.get("load") for n in nodes}.get("n1")
            self.assertEqual((load["cpus"], load["memory_bytes"]), (1, 1 << 30))


class NoTrace(unittest.TestCase):
    """Whatever happens, after 'down' the machine is as it was."""
    ARGS = ("--bare", "--nodes", 3, "--cpus", 1)

    def setUp(self):
        self.before = labs.machine()
        self.lab = labs.Lab(self.id().rsplit("_", 1)[1])

    def tearDown(self):
        self.lab.run("down")

    def down(self):
        self.ending = labs.present()
        self.lab.must("down")

    def check_clean(self, namespaces):
        self.assertEqual(self.lab.residue(namespaces, self.ending), [])
        self.assertEqual(labs.machine(), self.before)

    def up(self):
        nat = ("--nat-nodes", "n3") if labs.has_nft() else ()
        done = self.lab.run("up", *self.ARGS, *nat)
        if "no cgroup controller" in done.stderr:
            self.ARGS = self.ARGS[:-2]
            return self.up()
        self.assertEqual(done.returncode, 0, done.stderr)
        namespaces = self.lab.namespaces()
        self.assertGreaterEqual(len(namespaces), 4 * len(labs.NAMESPACES))
        return namespaces

    def test_down(self):
        namespaces = self.up()
        self.assertEqual(self.lab.run("up", "--bare").returncode, 5)
        self.down()
        self.check_clean(namespaces)

    def test_down_twice_and_with_nothing(self):
        self.assertEqual(self.lab.run("down").returncode, 0)
        namespaces = self.up()
        self.down()
        self.assertEqual(self.lab.run("down").returncode, 0)
        self.check_clean(namespaces)

    def test_groups_made_inside(self):
        namespaces = self.up()
        self.lab.out("head", "sh", "-c", "for d in /sys/fs/cgroup/*/; do mkdir -p $d/a/b; done; true")
        self.down()
        self.check_clean(namespaces)

    def test_down_with_running_commands(self):
        namespaces = self.up()
        p = self.lab.start("n1", "sh", "-c", "trap '' TERM HUP INT; echo ready; sleep 1000")
        self.assertEqual(p.stdout.readline(), "ready\n")
        self.down()
        self.assertEqual(p.wait(labs.TIMEOUT), 125)
        p.stdout.close()
        self.check_clean(namespaces)

    def test_supervisor_killed(self):
        namespaces = self.up()
        pid = self.lab.supervisor()
        os.kill(pid, signal.SIGKILL)
        labs.await_end(pid)
        self.assertNotEqual(self.lab.run("status").returncode, 0)
        self.down()
        self.check_clean(namespaces)

    def test_supervisor_killed_then_up(self):
        namespaces = self.up()
        pid = self.lab.supervisor()
        os.kill(pid, signal.SIGKILL)
        labs.await_end(pid)
        namespaces |= self.up()
        self.down()
        self.check_clean(namespaces)

    def test_supervisor_stopped(self):
        namespaces = self.up()
        os.kill(self.lab.supervisor(), signal.SIGSTOP)
        self.down()
        self.check_clean(namespaces)

    def test_first_process_of_a_pod_killed(self):
        namespaces = self.up()
        supervisor = self.lab.supervisor()
        pod = next(p for p in labs.pids() if labs.parent(p) == supervisor)
        os.kill(pod, signal.SIGKILL)
        labs.await_end(pod)
        while all(n["state"] != "off" for n in self.lab.status().values()):
            pass
        self.down()
        self.check_clean(namespaces)

    def test_up_killed_at_random(self):
        rng = random.Random(SEED)
        ours = labs.own_namespaces()
        for i in range(KILLS):
            delay = rng.uniform(0, 0.12)
            with self.subTest(round=i, seed=SEED, delay=delay):
                p = subprocess.Popen(self.lab.command("up", "--bare", "--nodes", 5),
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    p.wait(delay)
                except subprocess.TimeoutExpired:
                    pass
                namespaces = self.lab.namespaces()
                p.kill()
                p.wait()
                self.down()
                self.check_clean(namespaces - ours)

    def test_up_killed_and_nobody_cares(self):
        # the lab notices by itself: the services' start is held up by a head that cannot be
        p = subprocess.Popen(self.lab.command("up", "--bare", "--nodes", 200),
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.assertIn("head is ready", p.stderr.readline())
        supervisor = self.lab.supervisor()
        self.ending = labs.present()
        p.kill()
        p.wait()
        p.stderr.close()
        if supervisor:
            labs.await_end(supervisor)
        self.check_clean(())


if __name__ == "__main__":
    why = labs.lacking()
    if why:
        print(why)
        sys.exit(77)
    unittest.main()
