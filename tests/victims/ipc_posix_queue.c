/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipc_posix_queue.c - a POSIX message queue gives messages by priority, tells how many, and ends
 * waits in time
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 5, .mq_msgsize = 64 }, now;
	char name[64], got[64];
	mqd_t q;

	(void)snprintf(name, sizeof(name), "/victim-%d", getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (q == (mqd_t)-1)
		victim_skip("no message queues here");
	NEED(mq_unlink(name) == 0);
	victim_ready();
	while (victim_round()) {
		struct timespec until;
		unsigned int prio;
		int64_t at;

		CHECK_EQ(mq_send(q, "low", 4, 1), 0);
		CHECK_EQ(mq_send(q, "high", 5, 9), 0);
		CHECK_EQ(mq_getattr(q, &now), 0);
		CHECK_EQ(now.mq_curmsgs, 2);
		CHECK_EQ(mq_receive(q, got, sizeof(got), &prio), 5);
		CHECK_EQ(prio, 9);
		CHECK_STR(got, "high");
		CHECK_EQ(mq_receive(q, got, sizeof(got), &prio), 4);
		CHECK_STR(got, "low");
		at = victim_now(CLOCK_REALTIME) + 2 * 1000 * 1000;
		until = (struct timespec){ at / NS_PER_S, at % NS_PER_S };
		CHECK_ERR(mq_timedreceive(q, got, sizeof(got), &prio, &until), ETIMEDOUT);
		CHECK(victim_now(CLOCK_REALTIME) >= at);
	}
	(void)mq_close(q);
	return victim_end();
}
