/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_stdio.c - buffered streams: what is in the buffer at a move is written once, and read on
 * from its place
 */
#include "victim.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	int written = 0, next = 0, value;
	FILE *out, *in;

	victim_scratch();
	out = fopen("file", "w");
	in = fopen("file", "r");
	NEED(out != NULL && in != NULL);
	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < 100; i++)
			CHECK(fprintf(out, "%d\n", written++) > 0);
		if (written % 700)
			continue; /* some hundred lines stay in the buffer */
		CHECK_EQ(fflush(out), 0);
		clearerr(in);
		while (fscanf(in, "%d", &value) == 1)
			CHECK_EQ(value, next++);
		CHECK_EQ(next, written);
	}
	CHECK_EQ(fclose(out), 0);
	clearerr(in);
	while (fscanf(in, "%d", &value) == 1)
		CHECK_EQ(value, next++);
	CHECK_EQ(next, written);
	(void)fclose(in);
	return victim_end();
}
