#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""rows.py - no test lies about unused: each has its row in a meson.build, each fuzz target its seeds"""

import glob
import os
import re
import unittest

TREE = os.environ["COMOSIX_SOURCE"]


def read(*path):
    with open(os.path.join(TREE, *path), encoding="utf-8") as text:
        return text.read()


def names(form):
    """What stands for the * in the paths that fit form."""
    pattern = re.compile(re.escape(form).replace(r"\*", "(.*)") + "$")
    paths = glob.glob(os.path.join(TREE, form))
    return sorted(pattern.match(os.path.relpath(path, TREE)).group(1) for path in paths)


class Rows(unittest.TestCase):
    def assert_named(self, name, *places):
        text = "".join(read(place) for place in places)
        named = re.search(rf"['_/]{re.escape(name)}['.]", text)
        self.assertTrue(named, f"add it to {places[0]}")

    def test_unit(self):
        for name in names("tests/unit/test_*.c"):
            with self.subTest(test=name):
                self.assert_named(name, "tests/unit/meson.build")

    def test_fuzz(self):
        for name in names("tests/fuzz/fuzz_*.c"):
            with self.subTest(target=name):
                self.assert_named(name, "tests/fuzz/meson.build")
                self.assertTrue(names(f"tests/fuzz/corpus/{name}/*"), "it has no seeds")

    def test_corpora(self):
        for name in names("tests/fuzz/corpus/*"):
            with self.subTest(corpus=name):
                self.assertTrue(os.path.exists(os.path.join(TREE, f"tests/fuzz/fuzz_{name}.c")),
                                "no target feeds on it")

    def test_victims(self):
        for name in names("tests/victims/*.c"):
            with self.subTest(victim=name):
                self.assert_named(name, "tests/victims/meson.build")
                says = read("tests", "victims", name + ".c").split("\n", 1)[1]
                self.assertRegex(says, rf"^/\*(\n \*)? {name}\.c - \S", "say in its head what it checks")

    def test_system(self):
        others = {name: read("tests", "system", name + ".py") for name in names("tests/system/*.py")}
        for ending in ("sh", "py"):
            for name in names(f"tests/system/*.{ending}"):
                used = any(re.search(rf"\b(import|from) {name}\b|\b{name}\.py\b", text)
                           for other, text in others.items() if other != name)
                if used or not read("tests", "system", f"{name}.{ending}").startswith("#!"):
                    continue  # a part of other tests
                with self.subTest(test=name):
                    self.assert_named(name, "tests/system/meson.build")


if __name__ == "__main__":
    unittest.main()
