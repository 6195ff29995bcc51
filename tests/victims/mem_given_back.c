/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_given_back.c - a thread gives pages back while another one has them in a call: each byte that
 * goes through is the old one or zero
 */
#include "victim.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES 65536 /* of a pipe: it takes all of them at once */
#define CALLS 40    /* in a round */

static unsigned char *buffer;
static unsigned char echo[BYTES];
static atomic_bool over;

static void *give_back(void *unused)
{
	while (!over) {
		CHECK_EQ(madvise(buffer, BYTES, MADV_DONTNEED), 0);
		memset(buffer, 0x5a, BYTES / 2);
		(void)sched_yield();
	}
	return NULL;
}

static bool is_right(void)
{
	for (size_t i = 0; i < BYTES; i++)
		if (echo[i] && (echo[i] != 0x5a || i >= BYTES / 2))
			return false;
	return true;
}

int main(void)
{
	pthread_t thread;
	int ends[2];

	NEED(pipe(ends) == 0);
	buffer = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(buffer != MAP_FAILED && pthread_create(&thread, NULL, give_back, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		for (int i = 0; i < CALLS; i++) {
			size_t n = 0;

			CHECK_EQ(write(ends[1], buffer, BYTES), BYTES);
			while (n < BYTES) {
				ssize_t got = read(ends[0], echo + n, BYTES - n);

				NEED(got > 0);
				n += (size_t)got;
			}
			CHECK(is_right());
			/* the other way: home's bytes come to where it is given back */
			CHECK_EQ(write(ends[1], echo, BYTES / 2), BYTES / 2);
			CHECK_EQ(read(ends[0], buffer, BYTES / 2), BYTES / 2);
		}
	}
	over = true;
	NEED(pthread_join(thread, NULL) == 0);
	return victim_end();
}
