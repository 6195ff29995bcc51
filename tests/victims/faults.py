# SPDX-License-Identifier: GPL-2.0-or-later
"""faults.py - columns of run.py that do harm in the middle of a move: law 1, for every victim

tests/system/move_faults.py does each harm at each stage to one program. Here each harm is done to each
program, at a stage that the name of the victim and the column choose: the same one in each run. Before
RUN the process must go on at home as if nothing had been; from RUN on it must end, at both ends, and
nothing of it may run anywhere. The halves are those of this machine, with tests/system/move_between.c
as their wire, whatever --mover is.
"""
import os
import sys
import zlib

from movers import BUILD, HERE, Failed, Refused

sys.path.insert(0, os.path.join(HERE, "..", "system"))
import moving  # noqa: E402 (lies there)

BETWEEN = os.path.join(BUILD, "tests", "system", "move_between")
LEASE_MS = 10000
REFUSED = 5

# what has come, and whether it is called home first: (side, frame, number), homeward
EARLY = [(("guest", "CLOCK", 1), False), (("deputy", "CLOCK", 3), False), (("deputy", "IMAGE", 1), False),
         (("deputy", "PAGES", 1), False)]
LATE = [(("deputy", "RUN", 1), False), (("deputy", "RECALL", 1), True), (("guest", "IMAGE", 1), True), (("guest", "PAGES", 1), True)]

HARMS = {
    "deputy": lambda move, pid: moving.kill(move.deputy),
    "agent": lambda move, pid: moving.kill(move.agent() or move.guest),
    "stub": lambda move, pid: moving.kill(pid),
    "stream": lambda move, pid: move.say("cut"),
}


def stage_of(stages, run, column):
    return stages[zlib.crc32(f"{run.name} {column}".encode()) % len(stages)]


def harmed(run, stages, harm):
    """A move that is harmed at a stage, to its end: the frame, and what the deputy said at last."""
    frame, homeward = stage_of(stages, run, harm)
    move = moving.Move(BETWEEN, run, "frames", *frame, lease_ms=LEASE_MS)
    try:
        if homeward:
            wait(move, f"state deputy {moving.STAGE_AWAY}")
            move.say("home")
        wait(move, "at ")
        HARMS[harm](move, run.pid)
        move.say("go")
        return frame, move.over()
    except AssertionError as why:
        raise Failed(f"at {frame[1]} of {frame[0]}, {harm}: {why}") from None
    finally:
        move.close()


def wait(move, start):
    line = move.events.until(start, "end deputy ")
    if line is None or line.startswith("end deputy "):
        status, _, text = (line or "end deputy 1 0 it is gone").removeprefix("end deputy ").split(" ", 2)
        raise Refused(text) if int(status) == REFUSED else Failed(text)


def early(harm):
    def column(run):
        run.await_ready()
        run.nudge()
        harmed(run, EARLY, harm)
        run.await_rounds()
        run.end()
    return column


def late(harm):
    def column(run):
        run.await_ready()
        run.nudge()
        frame, end = harmed(run, LATE, harm)
        if harm == "agent" and end == (0, moving.FATE_HOME):
            # all of it was on the wire already, DONE as well: then the host is needed no more
            run.await_rounds()
            run.end()
            return
        try:
            moving.until(lambda: not moving.is_alive(run.pid), f"after {harm} at {frame[1]} of {frame[0]} it lives on")
        except moving.Hang as why:
            raise Failed(str(why)) from None
    return column


COLUMNS = {
    "early_deputy": early("deputy"),
    "early_agent": early("agent"),
    "early_stream": early("stream"),
    "late_deputy": late("deputy"),
    "late_agent": late("agent"),
    "late_stub": late("stub"),
    "late_stream": late("stream"),
}
