/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_append.c - appended lines all get to the end of the file, once each and in order, with a
 * child's between
 */
#include "victim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fd;

static void append(void *n)
{
	char line[32];

	(void)snprintf(line, sizeof(line), "child %d\n", *(int *)n);
	CHECK_EQ(write(fd, line, strlen(line)), strlen(line));
}

int main(void)
{
	char line[32];
	int n = 0, line_n = 0;
	FILE *f;

	victim_scratch();
	fd = open("file", O_WRONLY | O_CREAT | O_APPEND, 0600);
	NEED(fd >= 0);
	victim_ready();
	while (victim_round()) {
		(void)snprintf(line, sizeof(line), "parent %d\n", n);
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0); /* does not matter to the next write */
		CHECK_EQ(write(fd, line, strlen(line)), strlen(line));
		victim_reap(victim_child(append, &n));
		n++;
	}
	f = fopen("file", "re");
	NEED(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		char want[32];

		(void)snprintf(want, sizeof(want), "%s %d\n", line_n % 2 ? "child" : "parent",
			       line_n / 2);
		CHECK_STR(line, want);
		line_n++;
	}
	CHECK_EQ(line_n, 2 * n);
	(void)fclose(f);
	return victim_end();
}
