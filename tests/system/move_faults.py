#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""move_faults.py - law 1: a process runs on at exactly one node, whatever fails, at every stage

Each cell brings a move to a stage (what one half said has come, the other half does not know it),
does harm there, and looks: either one copy goes on, with nothing lost, doubled or changed in what
it writes, or none does and its parent sees SIGKILL (docs/MIGRATION.md section 4). After that
nothing is left of the move.

Usage: move_faults.py BETWEEN VICTIM [--cells N [--seed S]] [unittest's own]

--cells takes N cells by chance; the seed is printed.
"""
import argparse
import os
import random
import shutil
import signal
import sys
import unittest
from unittest import mock

import moving

BETWEEN = VICTIM = None
KILLED = -signal.SIGKILL

# name, victim, frame that has come (side, type, number), whether it is called home, what must follow:
# it goes on at home, none goes on, or either: what home does with the frame is not the harm's to say
STAGES = [
    ("connect", "compute", ("guest", "CLOCK", 1), False, "home"),
    ("clocks", "compute", ("deputy", "CLOCK", 3), False, "home"),
    ("image", "compute", ("deputy", "IMAGE", 1), False, "home"),
    ("image_sent", "compute", ("deputy", "IMAGE", 2), False, "home"),
    ("pages", "compute", ("deputy", "PAGES", 1), False, "home"),
    ("pages_more", "compute", ("deputy", "PAGES", 9), False, "home"),
    ("built", "compute", ("guest", "BUILT", 1), False, "either"),
    ("run", "compute", ("deputy", "RUN", 1), False, "none"),
    ("away", "compute", ("guest", "CALL", 20), False, "none"),
    ("answer", "compute", ("deputy", "ANSWER", 20), False, "none"),
    ("in_a_call", "read", ("guest", "CALL", 1), False, "none"),
    ("recall", "compute", ("deputy", "RECALL", 1), True, "none"),
    ("recall_in_a_call", "read", ("deputy", "RECALL", 1), True, "none"),
    ("image_back", "compute", ("guest", "IMAGE", 1), True, "none"),
    ("pages_back", "compute", ("guest", "PAGES", 1), True, "none"),
]
# all of it may have been read by then, and be on its way: the process there is not needed any more
READ = ("image_back", "pages_back")
# the same of moves whose memory follows (post-copy)
LATE_STAGES = [
    ("late_asked", "large", ("deputy", "LATE", 1), False, "home"),
    ("late_built", "large", ("guest", "BUILT", 1), False, "either"),
    ("late_fetch", "large", ("guest", "FETCH", 1), False, "none"),
    ("late_fetches", "large", ("guest", "FETCH", 50), False, "none"),
    ("late_page", "large", ("deputy", "PAGES", 40), False, "none"),
    ("late_recall", "large", ("deputy", "RECALL", 1), True, "none"),
]
# once DONE is on its way home needs the host no more
LAST = ("done", "compute", ("guest", "DONE", 1), True, "none")


def kill_deputy(move, victim):
    moving.kill(move.deputy)


def kill_agent(move, victim):
    moving.kill(move.agent() or move.guest)


def kill_outside(move, victim):
    moving.kill(move.guest)


def kill_guest(move, victim):
    program = move.program()
    if program is None:
        raise unittest.SkipTest("there is no process yet")
    moving.kill(program)


def kill_stub(move, victim):
    moving.kill(victim.pid)


def close_stream(move, victim):
    move.say("cut")


HARMS = (kill_deputy, kill_agent, kill_outside, kill_guest, kill_stub, close_stream)


class Faults(unittest.TestCase):
    def setUp(self):
        self.place = moving.Place(VICTIM)
        self.addCleanup(self.place.remove)

    def victim(self, how):
        victim = moving.Victim(self.place, how)
        self.addCleanup(victim.close)
        return victim

    def move(self, victim, *args, **more):
        move = moving.Move(BETWEEN, victim, *args, **more)
        self.addCleanup(move.close)
        return move

    def lives(self, victim, as_before=True):
        """One copy, here, whole; nothing of ours in it."""
        victim.goes_on()
        if as_before:
            self.assertEqual(victim.look(), victim.at_home)
        else:
            self.assertEqual(victim.look()[2:], victim.at_home[2:])
        victim.stop()
        self.assertEqual(victim.end(), moving.RIGHT)

    def is_killed(self, victim):
        moving.until(lambda: victim.drain() or victim.process.poll() is not None, "it runs on")
        self.assertEqual(victim.end(), KILLED)

    def cell(self, stage, harm):
        name, how, frame, homeward, then = stage
        victim = self.victim(how)
        # short: a half that nobody tells of the other's end hears nothing
        move = self.move(victim, "frames", *frame, lease_ms=3000, late=stage in LATE_STAGES)
        if homeward:
            move.away()
            if how != "read":
                victim.goes_on(2)
            move.say("home")
        move.wait("at ")
        harm(move, victim)
        move.say("go")
        end = move.over()
        if harm is kill_stub:
            self.is_killed(victim)
        elif harm is kill_guest and name in READ and end == (0, moving.FATE_HOME):
            self.lives(victim)
        elif then == "home" or (then == "either" and end not in ((1, moving.FATE_LOST),
                                                                 (0, moving.FATE_EXITED))):
            # a deputy that is killed leaves its region, where nothing of it runs any more
            self.lives(victim, as_before=harm is not kill_deputy)
            self.assertIn(end, (None,) if harm is kill_deputy else ((1, moving.FATE_STAYED), (5, moving.FATE_STAYED)))
        else:
            self.is_killed(victim)

    def test_done(self):
        """The last frame: without it the process is lost, with it it is at home."""
        for harm in HARMS:
            with self.subTest(harm.__name__):
                name, how, frame, homeward, then = LAST
                victim = self.victim(how)
                move = self.move(victim, "frames", *frame, lease_ms=3000)
                move.away()
                move.say("home")
                move.wait("at ")
                harm(move, victim)
                move.say("go")
                end = move.over()
                if end == (0, moving.FATE_HOME):
                    self.assertIn(harm, (kill_agent, kill_outside, kill_guest))
                    self.lives(victim)
                else:
                    self.is_killed(victim)

    def test_stopped_guest_ends(self):
        """An agent that stands still beyond the lease: home ends the process."""
        victim = self.victim("compute")
        move = self.move(victim, "bytes", lease_ms=3000)
        move.away()
        agent = move.agent()
        moving.kill(agent, signal.SIGSTOP)
        self.is_killed(victim)
        moving.kill(agent, signal.SIGCONT)
        self.assertEqual(move.over(), (1, moving.FATE_LOST))

    def test_stopped_deputy_ends(self):
        """Home stands still beyond the lease: the guest ends by itself, the process when home wakes."""
        victim = self.victim("compute")
        move = self.move(victim, "bytes", lease_ms=3000)
        move.away()
        moving.kill(move.deputy, signal.SIGSTOP)
        move.wait("gone guest ")
        self.assertTrue(moving.is_alive(victim.pid))
        moving.kill(move.deputy, signal.SIGCONT)
        self.assertEqual(move.over(), (1, moving.FATE_LOST))
        self.is_killed(victim)

    def test_silence_holds(self):
        """A silence shorter than the guest's lease: it is held, and goes on."""
        victim = self.victim("compute")
        move = self.move(victim, "bytes", lease_ms=30000)
        move.away()
        victim.goes_on()
        program = move.program()
        moving.kill(move.deputy, signal.SIGSTOP)
        tasks = [f"{program}/task/{tid}" for tid in os.listdir(f"/proc/{program}/task")]
        # its first thread waits for home, or is held as the second one, which never stops computing
        moving.until(lambda: any(moving.status_of(task)["State"][0] == "t" for task in tasks),
                     "the guest is not held")
        moving.kill(move.deputy, signal.SIGCONT)
        victim.goes_on()
        move.say("home")
        self.assertEqual(move.over(), (0, moving.FATE_HOME))
        self.lives(victim)

    def executes(self, victim):
        """It begins another program, and that one goes on."""
        before = self.program_of(victim)
        moving.kill(victim.pid, signal.SIGUSR1)
        moving.until(lambda: self.program_of(victim) != before, "it executes nothing")
        victim.goes_on(1)

    @staticmethod
    def program_of(victim):
        with open(f"/proc/{victim.pid}/cmdline", "rb") as words:
            return words.read()

    def test_exec(self):
        """It begins another program while its memory goes out: that one moves."""
        for frame, late in ((("deputy", "IMAGE", 1), False), (("deputy", "PAGES", 20), False),
                            (("deputy", "ROUND", 1), False), (("guest", "ROUND", 1), False),
                            (("deputy", "LATE", 1), True), (("guest", "LATE", 1), True)):
            with self.subTest(frame):
                victim = self.victim("exec")
                move = self.move(victim, "frames", *frame, late=late)
                move.wait("at ")
                self.executes(victim)
                move.say("go")
                move.away()
                victim.goes_on()
                move.say("home")
                self.assertEqual(move.over(), (0, moving.FATE_HOME))
                self.lives(victim, as_before=False)

    def test_exec_and_again(self):
        """One program after another: each time as soon as a round of the one before has gone out."""
        victim = self.victim("exec")
        move = self.move(victim, "frames", "deputy", "ROUND", 0)
        for n in range(3):
            move.wait("at ")
            self.executes(victim)
            move.say("go")
        move.away()  # the fourth one was stopped first
        self.assertEqual([line for line in move.events.all if line.startswith("at ")],
                         ["at deputy ROUND 1", "at deputy ROUND 2", "at deputy ROUND 3"])
        victim.goes_on()
        victim.stop()
        self.assertEqual(victim.end(), moving.RIGHT)
        self.assertEqual(move.over(), (0, moving.FATE_EXITED))

    def test_exec_of_what_stays(self):
        """The new program may not move: it has another user's rights."""
        program = os.path.join(self.place.dir, "of_root")
        shutil.copy(VICTIM, program)
        os.chmod(program, 0o4755)
        with mock.patch.dict(os.environ, MOVE_VICTIM_EXEC=program):
            victim = self.victim("exec")
        move = self.move(victim, "frames", "deputy", "ROUND", 1)
        move.wait("at ")
        self.executes(victim)
        move.say("go")
        self.assertEqual(move.over(), (5, moving.FATE_STAYED))
        self.assertTrue(any("privileges" in line for line in move.events.all), move.events.all)
        self.lives(victim, as_before=False)

    def test_stream_replaced(self):
        """Cut at any byte and replaced, again and again: nothing is lost and nothing comes twice."""
        self.replace_often("compute", False, [1 + n * 997 % 4099 for n in range(40)])

    def test_stream_replaced_while_memory_follows(self):
        """The same while pages are fetched; each page it looks at is right, and all are in the end."""
        self.replace_often("large", True, [1 + n * 9973 % 400009 for n in range(12)])

    def replace_often(self, how, late, places):
        victim = self.victim(how)
        move = self.move(victim, "bytes", late=late)
        move.away()
        for after in places:
            move.replace_stream(after)
            victim.goes_on(1)
        move.say("home")
        self.assertEqual(move.over(), (0, moving.FATE_HOME))
        self.lives(victim)

    def test_home_at_once(self):
        """Called home while its memory is still there: it comes back whole, again and again."""
        victim = self.victim("large")
        for n in range(5):
            move = self.move(victim, "bytes", late=True)
            move.away()
            victim.goes_on(n)
            move.say("home")
            self.assertEqual(move.over(), (0, moving.FATE_HOME))
            victim.goes_on()
        self.lives(victim)

    def test_stream_replaced_on_the_way_home(self):
        """The same while image and pages come back."""
        victim = self.victim("compute")
        move = self.move(victim, "bytes")
        move.away()
        victim.goes_on()
        move.say("home")
        move.wait(f"state deputy {moving.STAGE_RECALL}")
        for n in (1, 5000, 100000, 30001):
            move.say(f"after {n}")
            if move.wait("cut", "broken").startswith("broken"):
                break  # it was home before
            move.wait("want deputy")
            move.say("new")
        self.assertEqual(move.over(), (0, moving.FATE_HOME))
        self.lives(victim)


def add(stage, harm):
    def test(self):
        self.cell(stage, harm)
    setattr(Faults, f"test_{stage[0]}_{harm.__name__}", test)


def main():
    global BETWEEN, VICTIM
    parser = argparse.ArgumentParser()
    parser.add_argument("between")
    parser.add_argument("victim")
    parser.add_argument("--cells", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    args, rest = parser.parse_known_args()
    if os.getuid():
        print("move_faults: needs root", file=sys.stderr)
        return 77
    BETWEEN, VICTIM = args.between, args.victim
    cells = [(stage, harm) for stage in STAGES + LATE_STAGES for harm in HARMS]
    if args.cells is not None:
        print(f"seed {args.seed}", file=sys.stderr)
        cells = random.Random(args.seed).sample(cells, args.cells)
    for stage, harm in cells:
        add(stage, harm)
    unittest.main(argv=[sys.argv[0], *rest])
    return 0


if __name__ == "__main__":
    sys.exit(main())
