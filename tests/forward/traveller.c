/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traveller.c - a program that does all scenarios at home, is moved away, and does them again
 *
 * Prints "ready" when it can be moved, waits for a line, and compares. What would bring it home
 * (calls of class RETURN) it leaves out both times; that no call but those does, the one who has
 * moved it sees. Usage: traveller [SCENARIO TO LEAVE OUT]... Exit status: 0 the same, 1 different:
 * said on standard output.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/forward/scenarios.h"
#include "tests/fuzz/fuzz.h" /* MUST() */

static const struct {
	const char *name;
	void (*run)(struct twin *t);
} scenarios[] = {
#define SCENARIO_ROW(name) { #name, scenario_##name },
	SCENARIOS(SCENARIO_ROW)
#undef SCENARIO_ROW
};

static bool left_out(const char *name, char **names)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static struct twin t;
	char *notes[ARRAY_LEN(scenarios)] = { NULL };
	char line[8];
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigaddset(&set, SIGALRM);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	twin_scratch();
	twin_start_alone(&t);
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		if (!left_out(scenarios[i].name, argv + 1))
			notes[i] = twin_notes(&t, scenarios[i].run);
	MUST(write(STDOUT_FILENO, "ready\n", 6) == 6);
	MUST(read(STDIN_FILENO, line, sizeof(line)) > 0);
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		if (!left_out(scenarios[i].name, argv + 1)) {
			AUTO_FREE char *away = twin_notes(&t, scenarios[i].run);

			twin_compare(&t, scenarios[i].name, notes[i], away);
		}
	(void)dprintf(STDOUT_FILENO, "%u scenarios differ\n", t.differences);
	twin_leave_scratch();
	return t.differences ? 1 : 0;
}
