/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_session.c - a leader of a session of its own, without a terminal, keeps it and gives it to
 * its children
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void in_session(void *parent)
{
	CHECK_EQ(getsid(0), *(pid_t *)parent);
	CHECK_EQ(getpgrp(), *(pid_t *)parent);
	/* it leads no group: it may have a session of its own */
	CHECK_EQ(setsid(), getpid());
	CHECK_EQ(getsid(0), getpid());
}

int main(void)
{
	pid_t me;

	victim_session();
	me = getpid();
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(getsid(0), me);
		CHECK_EQ(getpgrp(), me);
		CHECK_ERR(setsid(), EPERM);
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		victim_reap(victim_child(in_session, &me));
	}
	return victim_end();
}
