/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_closed.c - a process that lets nobody look into it (PR_SET_DUMPABLE) for a while is not lost
 */
#include "victim.h"

#include <sys/prctl.h>

int main(void)
{
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
		CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
		CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
		CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
	}
	return victim_end();
}
