#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs.py - the documents point at things that exist

Each link inside the tree leads to a file, and to a heading in it where it names one; each `make GOAL`
is a goal of the Makefile; each path of the tree that stands in backquotes is there; each page of
docs/decisions/ is in their list.
"""

import glob
import os
import re
import unittest

TREE = os.environ["COMOSIX_SOURCE"]
PAGES = sorted(
    os.path.relpath(page, TREE)
    for form in ("*.md", "docs/*.md", "docs/decisions/*.md")
    for page in glob.glob(os.path.join(TREE, form))
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
GOAL = re.compile(r"\bmake ([a-z][a-z-]*)")
PATH = re.compile(r"`((?:src|tests|tools|docs|man|bin|packaging|bench)/[A-Za-z0-9_./-]+)`")
# words of a sentence that stand for any name, and things that only a build makes
ANY_NAME = re.compile(r"NAME|[*{}<>]|\.\.\.")


def read(page):
    with open(os.path.join(TREE, page), encoding="utf-8") as text:
        return text.read()


def anchors(page):
    """The names that the usual renderers give to headings."""
    heads = re.findall(r"^#+ (.*)$", read(page), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def code_of(text):
    """What stands in backquotes or in a block: only there `make X` is meant as a command."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.S))


class Docs(unittest.TestCase):
    def test_links(self):
        for page in PAGES:
            for link in LINK.findall(read(page)):
                if re.match(r"[a-z]+:", link):
                    continue
                path, _, anchor = link.partition("#")
                there = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                with self.subTest(page=page, link=link):
                    self.assertTrue(os.path.exists(os.path.join(TREE, there)), "leads nowhere")
                    if anchor:
                        self.assertIn(anchor, anchors(there), "no such heading")

    def test_goals(self):
        goals = set()
        for line in read("Makefile").splitlines():
            if re.match(r"[a-z%.][^\t=]*:(?!=)", line):
                goals |= set(line.split(":")[0].split())
        patterns = [re.compile(g.replace("%", ".+") + "$") for g in goals if "%" in g]
        for page in PAGES:
            for goal in GOAL.findall(code_of(read(page))):
                with self.subTest(page=page, goal=goal):
                    known = goal in goals or any(p.match(goal) for p in patterns)
                    self.assertTrue(known or goal == "bench-", "the Makefile has no such goal")

    def test_paths(self):
        for page in PAGES:
            # the changelog tells of what once was
            if page == "CHANGELOG.md":
                continue
            for path in PATH.findall(read(page)):
                if ANY_NAME.search(path):
                    continue
                with self.subTest(page=page, path=path):
                    self.assertTrue(os.path.exists(os.path.join(TREE, path)), "is not there")

    def test_decisions_are_listed(self):
        text = read("docs/decisions/README.md")
        for page in PAGES:
            name = os.path.basename(page)
            if re.match(r"\d{4}-", name):
                with self.subTest(page=page):
                    self.assertIn(f"]({name})", text, "add it to docs/decisions/README.md")


if __name__ == "__main__":
    unittest.main()
