# SPDX-License-Identifier: GPL-2.0-or-later
"""nfs_peer.py - an NFS server in one network namespace and a client in the other, both in user space

What files of a process that is away are measured against (bench/migrate.py). It is no kernel's NFS: the
server is NFS-Ganesha, the client libnfs (bench/migrate/nfs.c), and nothing of it is encrypted.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

SBIN = os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin"
NEEDS = {"ganesha.nfsd": "nfs-ganesha nfs-ganesha-vfs", "rpcbind": "rpcbind"}

# NFSv3: the NFSv4 of the client in Debian 12 (libnfs 4.0.0) cannot write. It registers with rpcbind, whose
# socket is in a /run of their own.
CONFIG = """
NFS_CORE_PARAM {{ NFS_Protocols = 3, 4; Enable_NLM = false; Enable_RQUOTA = false; }}
NFSv4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = "{state}"; }}
EXPORT {{
	Export_Id = 1; Path = "{path}"; Pseudo = "/files"; Protocols = 3; Transports = TCP;
	Access_Type = RW; Squash = None; SecType = sys;
	FSAL {{ Name = VFS; }}
}}
"""
SERVE = """
mount -t tmpfs run /run && mkdir /run/rpcbind && ip link set lo up && rpcbind || exit
exec ganesha.nfsd -F -f {state}/config -L {state}/log -p {state}/pid -N WARN
"""


def why_not(client):
    """Why it cannot be measured here; None: it can."""
    for program, packages in NEEDS.items():
        if not shutil.which(program, path=SBIN):
            return f"no NFS server: apt-get install {packages}"
    if not os.path.exists(client):
        return "no NFS client: apt-get install libnfs-dev, and build again"
    return None


class NfsPeer:
    def __init__(self, client, path, server_at, client_at, address):
        """@server_at, @client_at: names of network namespaces; @address: the server's, as the client sees it."""
        self.client = ["ip", "netns", "exec", client_at, client, f"nfs://{address}{path}?version=3"]
        self.server_at, self.path = server_at, path

    def __enter__(self):
        self.state = tempfile.mkdtemp(prefix="comosix-nfs.")
        with open(os.path.join(self.state, "config"), "w", encoding="ascii") as text:
            text.write(CONFIG.format(state=self.state, path=self.path))
        # of its own process namespace: what it has started ends with it
        with open(os.path.join(self.state, "words"), "wb") as words:  # it also complains when it is ended
            self.server = subprocess.Popen(
                ["ip", "netns", "exec", self.server_at, "unshare", "--mount", "--pid", "--fork", "--kill-child",
                 "sh", "-c", SERVE.format(state=self.state)],
                stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=dict(os.environ, PATH=SBIN))
        return self

    def mb_s(self, what, size, mib, in_flight):
        out = os.path.join(self.path, "file.out")
        with open(out, "wb"):
            pass
        done = subprocess.run([*self.client, what, str(size), str(mib), str(in_flight)], stdout=subprocess.PIPE)
        if done.returncode:
            raise SystemExit("nfs_peer.py: no figure; the server says:\n" + self.said("words") + self.said("log"))
        os.unlink(out)
        return float(done.stdout)

    def said(self, name):
        with contextlib.suppress(FileNotFoundError):
            with open(os.path.join(self.state, name), encoding="utf-8", errors="replace") as text:
                return text.read()[-2000:]
        return ""

    def __exit__(self, *unused):
        with open(f"/proc/{self.server.pid}/task/{self.server.pid}/children", encoding="ascii") as text:
            for pid in text.read().split():  # the first of its namespace: all others end with it, and unshare does
                os.kill(int(pid), signal.SIGKILL)
        self.server.wait()
        shutil.rmtree(self.state)
