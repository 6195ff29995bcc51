/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_prctl.c - dumpable, keep-caps, timer slack, THP and no-new-privileges stay as set by prctl()
 */
#include "victim.h"

#include <sys/prctl.h>

int main(void)
{
	long slack_ns = 60000;

	NEED(prctl(PR_SET_TIMERSLACK, slack_ns) == 0);
	NEED(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), slack_ns);
		slack_ns += 1000;
		CHECK_EQ(prctl(PR_SET_TIMERSLACK, slack_ns), 0);
		CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
		CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
		CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
		CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
	}
	return victim_end();
}
