/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_pipe.c - writing where nobody reads gives SIGPIPE and EPIPE, or only EPIPE when it is ignored
 * or unwanted
 */
#include "victim.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t count;

static void on_pipe(int signal)
{
	count++;
}

int main(void)
{
	int n = 0;

	victim_ready();
	while (victim_round()) {
		int ends[2], pair[2];

		NEED(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		CHECK_EQ(close(ends[0]), 0);
		CHECK_EQ(close(pair[0]), 0);
		(void)signal(SIGPIPE, on_pipe);
		CHECK_ERR(write(ends[1], "x", 1), EPIPE);
		CHECK_EQ(count, ++n);
		CHECK_ERR(send(pair[1], "x", 1, 0), EPIPE);
		CHECK_EQ(count, ++n);
		CHECK_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
		CHECK_EQ(count, n);
		(void)signal(SIGPIPE, SIG_IGN);
		CHECK_ERR(write(ends[1], "x", 1), EPIPE);
		CHECK_EQ(count, n);
		CHECK_EQ(close(ends[1]), 0);
		CHECK_EQ(close(pair[1]), 0);
	}
	return victim_end();
}
