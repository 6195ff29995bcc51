# SPDX-License-Identifier: GPL-2.0-or-later
"""figures.py - named counts that several threads add to, printed as one line"""
import threading


class Figures:
    def __init__(self, *names):
        self.lock = threading.Lock()
        self.of = dict.fromkeys(names, 0)

    def add(self, name, n=1):
        with self.lock:
            self.of[name] += n

    def __str__(self):
        return " ".join(f"{name}={n}" for name, n in self.of.items())
