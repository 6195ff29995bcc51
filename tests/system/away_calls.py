#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""away_calls.py - some 200 system calls have the same results and effects at home and away

A program makes them at home, is moved into a guest on this machine, makes them again there, and
compares (tests/forward/traveller.c).
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

BIN = os.environ["COMOSIX_BIN"]
TRAVELLER = sys.argv.pop(1)
USER = 5000 + os.getpid() % 1000
LEFT_OUT = [
    "children",  # a process that forks comes home
    "signalfd",  # a blocked signal waits at the host: home's signalfd does not see it (docs/KNOWN-GAPS.md)
]


class AwayCalls(unittest.TestCase):
    def test_same(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        os.chmod(directory, 0o755)
        program = shutil.copy(TRAVELLER, directory)
        traveller = subprocess.Popen(
            [program, *LEFT_OUT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            user=USER, group=USER, extra_groups=[], cwd="/", text=True)
        self.addCleanup(traveller.wait)
        self.addCleanup(traveller.kill)
        self.assertEqual(traveller.stdout.readline(), "ready\n")
        deputy = subprocess.Popen(
            [os.path.join(BIN, "comosix-deputy"), "--local", str(traveller.pid)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(deputy.wait)
        self.addCleanup(deputy.stdout.close)
        self.addCleanup(deputy.send_signal, signal.SIGINT)
        away = deputy.stdout.readline()
        self.assertTrue(away.startswith("away "), away)
        said, differences = traveller.communicate("go\n")
        self.assertEqual(said, "0 scenarios differ\n", differences)
        self.assertEqual(traveller.returncode, 0)
        # it was there to the end: no call has brought it home
        self.assertNotIn("home ", deputy.communicate()[0])


if os.geteuid() != 0:
    print("moving a process takes root")
    sys.exit(77)
unittest.main()
