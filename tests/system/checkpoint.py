#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""checkpoint.py - a process whose guest dies goes on from its last image, or ends and says why

Each case moves a checkpoint_victim into a guest on this machine by comosix-deputy --local, and kills
the guest, all of it, in a state of which the deputy has told. The victim checks itself: what it has
written is computed once more here.
"""
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import moving  # noqa: E402 (needs the path)

DEPUTY = os.path.join(os.environ["COMOSIX_BIN"], "comosix-deputy")
VICTIM = None
INPUT = bytes(range(1, 252))  # a length that goes into nothing else
RIGHT = 42
NEVER = "1d"


def mix(h, v):
    return ((h ^ v) * 0x100000001b3 & 0xffffffffffffffff) ^ (h >> 29)


def check(text, how):
    """Lines as checkpoint_victim writes them: each number once, each digest right."""
    h, memory, page = 1, {}, 4096
    step = 16 * page if how == "large" else 64 * page
    for n, line in enumerate(text.splitlines(), 1):
        place = n % page  # of all that it writes, the only one that it reads
        memory[place] = (memory.get(place, 0) + n) & 0xff
        assert step > page
        for v in (n, INPUT[(n - 1) % len(INPUT)], memory[place], mix(n, 7), n):
            h = mix(h, v)
        assert line == f"{n} {h:016x}", f"line {n} is '{line}', not {h:016x}"


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="checkpoint.", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.dir, True)
        os.chown(self.dir, moving.USER, moving.USER)
        self.victim_program = shutil.copy(VICTIM, self.dir)
        self.images = os.path.join(self.dir, "images")
        os.mkdir(self.images, 0o700)
        os.chown(self.images, moving.USER, moving.USER)
        self.path = {name: os.path.join(self.dir, name) for name in ("out", "in", "stop")}
        with open(self.path["in"], "wb") as to:
            to.write(INPUT)

    def start(self, how):
        self.how = how
        self.victim = subprocess.Popen(
            ["setpriv", f"--reuid={moving.USER}", f"--regid={moving.USER}", "--clear-groups", self.victim_program,
             how, self.path["out"], self.path["in"], self.path["stop"]],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)
        self.addCleanup(self.victim.stdout.close)
        self.addCleanup(self.victim.wait)
        self.addCleanup(self.victim.kill)
        self.said = moving.Lines(self.victim.stdout)
        self.grows()
        self.look = self.descriptors()

    def descriptors(self):
        """Of the victim: which numbers, and what they are."""
        of = f"/proc/{self.victim.pid}/fd"
        while True:
            listed = os.listdir(of)
            try:
                return {fd: os.readlink(os.path.join(of, fd)) for fd in listed}
            except FileNotFoundError:
                continue  # one was closed in between: it is opened again

    def size(self):
        with contextlib.suppress(FileNotFoundError):
            return os.path.getsize(self.path["out"])
        return 0

    def grows(self, by=300):
        least = self.size() + by
        moving.until(lambda: self.size() >= least or self.victim.poll() is not None, "it writes nothing")

    def away(self, interval, *options):
        self.deputy = subprocess.Popen(
            [DEPUTY, "--local", str(self.victim.pid), "--checkpoint", interval, "--checkpoint-dir", self.images,
             *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.addCleanup(self.deputy.stdout.close)
        self.addCleanup(self.deputy.stderr.close)
        self.addCleanup(self.deputy.wait)
        self.addCleanup(self.deputy.kill)
        self.told = moving.Lines(self.deputy.stdout)
        self.assertTrue((self.told.next() or "").startswith("away "), self.told.all)

    def until_kept(self, n):
        while int(self.told.until("kept ").split()[1]) < n:
            pass

    def kill_guest(self):
        """The process outside of the box, the agent in it, and so all."""
        box = [pid for pid in moving.children(self.deputy.pid)]
        self.assertEqual(len(box), 1)
        for pid in moving.children(box[0]):
            os.kill(pid, signal.SIGKILL)

    def over(self):
        """What the deputy has said, when it is over."""
        if not self.deputy.stderr.closed:
            self.told.to_the_end()
            self.deputy.wait(moving.LIMIT_S)
            with self.deputy.stderr as words:
                self.last_words = "\n".join(self.told.all) + words.read().decode()
        return self.last_words

    def goes_on(self):
        words = self.over()
        self.assertEqual(self.deputy.returncode, 0, words)
        self.assertIn("home ", words)
        self.grows()
        self.ends_well()
        return words

    def ends_well(self):
        with open(self.path["stop"], "w", encoding="ascii"):
            pass
        self.said.to_the_end()
        self.assertEqual(self.victim.wait(moving.LIMIT_S), RIGHT)
        with open(self.path["out"], encoding="ascii") as text:
            check(text.read(), self.how)
        self.assertEqual(os.listdir(self.images), [], "images have names")

    def is_lost(self, why):
        words = self.over()
        self.assertEqual(self.victim.wait(moving.LIMIT_S), -signal.SIGKILL, words)
        self.assertEqual(self.deputy.returncode, 1, words)
        self.assertIn(why, words)

    def has_nothing_of_ours(self):
        with open(f"/proc/{self.victim.pid}/maps", encoding="ascii") as maps:
            self.assertFalse([row for row in maps if " rwxp " in row])
        status = moving.status_of(self.victim.pid)
        self.assertEqual((status["TracerPid"].strip(), status["Seccomp"].strip()), ("0", "0"))


class Lost(Case):
    """The guest is killed."""

    def test_goes_on_from_the_image_it_left_as(self):
        self.start("quiet")
        self.away(NEVER)
        self.grows(2000)
        self.kill_guest()
        words = self.over()
        self.assertIn("goes on at home from its image", words)
        self.assertEqual(self.descriptors(), self.look)
        self.has_nothing_of_ours()
        self.goes_on()

    def test_goes_on_from_the_last_of_many(self):
        for how, *options in (("quiet",), ("reopen",), ("large",), ("self",), ("large", "--post-copy"),
                              ("reopen", "--job", "--path", "DIR")):
            with self.subTest(how=how, options=options):
                self.setUp()
                self.start(how)
                self.away("20ms", *(self.dir if word == "DIR" else word for word in options))
                self.until_kept(5)
                self.grows()
                self.kill_guest()
                self.goes_on()

    def test_again_and_again(self):
        self.start("quiet")
        for n in (1, 2, 3):
            self.away("10ms")
            self.until_kept(n)
            self.kill_guest()
            words = self.over()
            self.assertEqual(self.deputy.returncode, 0, words)
            self.grows()
        self.ends_well()

    def test_an_image_that_is_torn(self):
        """One follows the other: most of these kill in the middle of one."""
        for n in (1, 2, 5, 11):
            with self.subTest(n=n):
                self.setUp()
                self.start("large")
                self.away("1ms")
                self.until_kept(n)
                self.kill_guest()
                self.goes_on()

    def test_at_any_moment(self):
        seed = int(os.environ.get("CHECKPOINT_SEED", random.randrange(10 ** 9)))
        dice = random.Random(seed)
        for i in range(int(os.environ.get("CHECKPOINT_KILLS", 12))):
            how = dice.choice(("quiet", "reopen", "self", "large"))
            interval = dice.choice(("1ms", "3ms", "10ms", "40ms"))
            recalled = dice.random() < 0.4
            with self.subTest(seed=seed, i=i, how=how, interval=interval, recalled=recalled):
                self.setUp()
                self.start(how)
                self.away(interval)
                self.grows(dice.randrange(1, 3000))
                if recalled:
                    self.deputy.send_signal(signal.SIGINT)
                    self.grows(dice.randrange(1, 300))
                # when it was home in time there is none, which is as good
                with contextlib.suppress(AssertionError if recalled else (), ProcessLookupError):
                    self.kill_guest()
                self.goes_on()

    def test_ends_when_others_may_have_noticed(self):
        self.start("loud")
        self.away(NEVER)
        while int(self.said.next()) < 200:
            pass
        self.kill_guest()
        self.is_lost("write of a pipe")

    def test_ends_when_others_write_to_its_file(self):
        self.start("quiet")
        self.away(NEVER)
        self.grows(1000)
        with open(self.path["out"], "a", encoding="ascii") as out:
            out.write("mine\n")
        self.grows()
        self.kill_guest()
        self.is_lost("others")


class NoRoom(Case):
    """The place for images is too small: what was kept before stays, and its user hears of it."""

    def away_without_room(self, *options):
        self.start("large")
        self.away("10ms", *options)
        self.grows(2000)

    def test_full_disk(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=1m,mode=0700,uid={moving.USER}", "tmpfs", self.images],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", self.images], check=True)
        self.away_without_room()
        self.kill_guest()
        self.assertIn("No space left", self.goes_on())

    def test_limit(self):
        self.away_without_room("--checkpoint-max", "256K")
        self.kill_guest()
        words = self.goes_on()
        self.assertIn("larger than the limit", words)
        self.assertIn("is kept", words)

    def test_comes_home_all_the_same(self):
        self.away_without_room("--checkpoint-max", "256K")
        self.deputy.send_signal(signal.SIGINT)
        self.goes_on()


class Home(Case):
    def test_comes_home_between_images(self):
        for how in ("quiet", "reopen", "large", "self"):
            with self.subTest(how=how):
                self.setUp()
                self.start(how)
                self.away("5ms")
                self.until_kept(4)
                self.deputy.send_signal(signal.SIGINT)
                words = self.over()
                self.assertEqual(self.deputy.returncode, 0, words)
                self.has_nothing_of_ours()
                self.goes_on()

    def test_ends_there(self):
        self.start("quiet")
        self.away("5ms")
        self.until_kept(3)
        self.ends_well()
        self.assertIn("has ended", self.over())


if __name__ == "__main__":
    VICTIM = sys.argv.pop(1)
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root: processes of another user are moved")
        sys.exit(77)
    unittest.main(verbosity=2)
