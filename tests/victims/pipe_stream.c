/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipe_stream.c - a child streams megabytes through a pipe and each byte comes once and in order */
#include "victim.h"

#include <signal.h>
#include <unistd.h>

#define CHUNK 10000

static int pipe_[2];

static void stream(void *unused)
{
	static unsigned char bytes[CHUNK];

	(void)close(pipe_[0]);
	(void)signal(SIGPIPE, SIG_IGN);
	for (uint64_t n = 0;; n++) {
		size_t done = 0;

		victim_fill(bytes, CHUNK, n);
		while (done < CHUNK) {
			ssize_t m = write(pipe_[1], bytes + done, CHUNK - done);

			if (m <= 0)
				return; /* the reader has had enough */
			done += (size_t)m;
		}
	}
}

int main(void)
{
	static unsigned char bytes[CHUNK];
	uint64_t n = 0;
	pid_t child;

	NEED(pipe(pipe_) == 0);
	child = victim_child(stream, NULL);
	(void)close(pipe_[1]);
	victim_ready();
	while (victim_round())
		for (int i = 0; i < 20; i++, n++) {
			size_t done = 0;
			ssize_t m;

			while (done < CHUNK && (m = read(pipe_[0], bytes + done, CHUNK - done)) > 0)
				done += (size_t)m;
			CHECK_EQ(done, CHUNK);
			CHECK(victim_is(bytes, CHUNK, n));
		}
	CHECK_EQ(close(pipe_[0]), 0);
	victim_reap(child);
	return victim_end();
}
