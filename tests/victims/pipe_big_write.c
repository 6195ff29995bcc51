/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipe_big_write.c - one write larger than the pipe waits for the reader until all of it is through
 */
#include "victim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE (300 << 10)

static int there[2], back[2];

/* reads it in small pieces and tells whether it was right */
static void drain(void *unused)
{
	unsigned char *bytes = malloc(SIZE), verdict;

	NEED(bytes != NULL);
	(void)close(there[1]);
	for (uint64_t n = 0;; n++) {
		size_t done = 0;
		ssize_t m;

		while (done < SIZE && (m = read(there[0], bytes + done,
						SIZE - done < 5000 ? SIZE - done : 5000)) > 0)
			done += (size_t)m;
		if (done == 0)
			return;
		verdict = done == SIZE && victim_is(bytes, SIZE, n);
		CHECK_EQ(write(back[1], &verdict, 1), 1);
	}
}

int main(void)
{
	unsigned char *bytes = malloc(SIZE), verdict;
	uint64_t n = 0;
	pid_t child;

	NEED(bytes != NULL && pipe(there) == 0 && pipe(back) == 0);
	child = victim_child(drain, NULL);
	(void)close(there[0]);
	victim_ready();
	while (victim_round()) {
		victim_fill(bytes, SIZE, n++);
		CHECK_EQ(write(there[1], bytes, SIZE), SIZE);
		CHECK_EQ(read(back[0], &verdict, 1), 1);
		CHECK_EQ(verdict, 1);
	}
	CHECK_EQ(close(there[1]), 0);
	victim_reap(child);
	return victim_end();
}
