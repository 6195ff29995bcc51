#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""summary.py - tools/test-summary counts what was tested, and never says more than that"""

import json
import os
import subprocess
import tempfile
import unittest

TOOL = os.path.join(os.environ["COMOSIX_SOURCE"], "tools", "test-summary")
CMOCKA = "[ RUN      ] a\n[       OK ] a\n[       OK ] b\n"
CMOCKA_BAD = CMOCKA + "[  FAILED  ] c\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] c\n"


def entry(result, stdout="", stderr=""):
    return {"name": "t", "result": result, "stdout": stdout, "stderr": stderr}


class Summary(unittest.TestCase):
    # what the log holds, the last line, the exit status
    ROWS = (
        ([entry("OK")], "1 passed, 0 failed, 0 skipped", 0),
        ([entry("OK", CMOCKA), entry("OK")], "3 passed, 0 failed, 0 skipped", 0),
        ([entry("FAIL", CMOCKA_BAD)], "2 passed, 1 failed, 0 skipped", 1),
        ([entry("FAIL", CMOCKA)], "2 passed, 1 failed, 0 skipped", 1),  # crashed at its end
        ([entry("TIMEOUT")], "0 passed, 1 failed, 0 skipped", 1),
        ([entry("ERROR")], "0 passed, 1 failed, 0 skipped", 1),
        ([entry("OK", "not ok - x\nok - y\n")], "1 passed, 1 failed, 0 skipped", 1),
        ([entry("OK", "ok - y # SKIP no\nok - z\n")], "1 passed, 0 failed, 1 skipped", 0),
        ([entry("OK"), entry("SKIP", "ok - a\nneeds root\n")], "1 passed, 0 failed, 1 skipped", 0),
        ([entry("SKIP", "needs root\n")], "0 passed, 0 failed, 1 skipped", 1),  # nothing passed
        ([entry("OK", "", "Ran 5 tests in 1s\n\nOK (skipped=2)\n")],
         "3 passed, 0 failed, 2 skipped", 0),
        ([entry("FAIL", "", "Ran 5 tests in 1s\n\nFAILED (failures=1, errors=1)\n")],
         "3 passed, 2 failed, 0 skipped", 1),
        ([], "0 passed, 1 failed, 0 skipped", 1),
    )

    def run_tool(self, *args):
        done = subprocess.run([TOOL, *args], capture_output=True, text=True, check=False)
        return done.stdout.rstrip("\n").split("\n")[-1], done.returncode

    def test_rows(self):
        for tests, want, status in self.ROWS:
            with self.subTest(want=want), tempfile.NamedTemporaryFile("w") as log:
                log.writelines(json.dumps(test) + "\n" for test in tests)
                log.flush()
                self.assertEqual(self.run_tool(log.name), (want, status))

    def test_no_log_is_a_failure(self):
        self.assertEqual(self.run_tool("/nonexistent"), ("0 passed, 1 failed, 0 skipped", 1))

    def test_a_log_cut_off_is_a_failure(self):
        with tempfile.NamedTemporaryFile("w") as log:
            log.write(json.dumps(entry("OK")) + '\n{"name": "half')
            log.flush()
            self.assertEqual(self.run_tool(log.name)[1], 1)

    def test_extra(self):
        with tempfile.NamedTemporaryFile("w") as log:
            log.write(json.dumps(entry("OK")) + "\n")
            log.flush()
            self.assertEqual(self.run_tool("--extra", "2,1", log.name),
                             ("3 passed, 1 failed, 0 skipped", 1))

    def test_usage(self):
        self.assertEqual(self.run_tool()[1], 2)


if __name__ == "__main__":
    unittest.main()
