/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_system.c - system() and popen() run commands and give their status and their output */
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void)
{
	char line[64];

	victim_ready();
	while (victim_round()) {
		int status = system("exit 9");
		FILE *f;

		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 9);
		CHECK_EQ(system("true"), 0);
		f = popen("echo one; echo two; exit 4", "r");
		NEED(f != NULL);
		CHECK_STR(fgets(line, sizeof(line), f), "one\n");
		CHECK_STR(fgets(line, sizeof(line), f), "two\n");
		CHECK(fgets(line, sizeof(line), f) == NULL);
		status = pclose(f);
		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 4);
	}
	return victim_end();
}
