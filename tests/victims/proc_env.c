/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_env.c - arguments and environment stay, in memory, in /proc and in a program that is started
 */
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static bool holds(const char *text, ssize_t n, const char *string)
{
	return n > 0 && memmem(text, (size_t)n, string, strlen(string) + 1) != NULL;
}

int main(int argc, char **argv)
{
	static char text[200000];
	char random[16];

	if (argc == 1) {
		NEED(setenv("VICTIM_ENV", "a value", 1) == 0);
		(void)execl("/proc/self/exe", argv[0], "an argument", "", "last", NULL);
		NEED(!"execl() came back");
	}
	memcpy(random, (void *)getauxval(AT_RANDOM), sizeof(random));
	victim_ready();
	while (victim_round()) {
		ssize_t n;

		CHECK_EQ(argc, 4);
		CHECK_STR(argv[1], "an argument");
		CHECK_STR(argv[2], "");
		CHECK_STR(argv[3], "last");
		CHECK_STR(getenv("VICTIM_ENV"), "a value");
		n = victim_slurp("/proc/self/cmdline", text, sizeof(text));
		CHECK(holds(text, n, "an argument"));
		CHECK(holds(text, n, "last"));
		n = victim_slurp("/proc/self/environ", text, sizeof(text));
		CHECK(holds(text, n, "VICTIM_ENV=a value"));
		CHECK_EQ(getauxval(AT_PAGESZ), 4096);
		CHECK_MEM((void *)getauxval(AT_RANDOM), random, sizeof(random));
		CHECK_EQ(system("test \"$VICTIM_ENV\" = 'a value'"), 0);
	}
	return victim_end();
}
