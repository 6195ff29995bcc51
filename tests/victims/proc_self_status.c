/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_self_status.c - /proc/self/status and stat tell this process's name, ids, threads and that
 * nobody traces it
 */
#include "victim.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* the number behind a name in /proc/self/status; -1 when it is not there */
static long field(const char *name)
{
	char text[8192], *line;
	long value = -1;

	if (!CHECK(victim_slurp("/proc/self/status", text, sizeof(text)) > 0))
		return -1;
	line = strstr(text, name);
	if (line)
		(void)sscanf(line + strlen(name), "%ld", &value);
	return value;
}

int main(void)
{
	char text[1024], name[64], state;
	long vm_kb;

	victim_ready();
	while (victim_round()) {
		int pid, parent, group, session;

		CHECK_EQ(field("\nPid:"), getpid());
		CHECK_EQ(field("\nTgid:"), getpid());
		CHECK_EQ(field("\nPPid:"), getppid());
		CHECK_EQ(field("\nUid:"), getuid());
		CHECK_EQ(field("\nThreads:"), 1);
		CHECK_EQ(field("\nTracerPid:"), 0);
		CHECK_EQ(field("\nSeccomp:"), 0);
		vm_kb = field("\nVmSize:");
		CHECK(vm_kb > 1000 && vm_kb < 1000000);
		CHECK(victim_slurp("/proc/self/stat", text, sizeof(text)) > 0);
		CHECK_EQ(sscanf(text, "%d (%63[^)]) %c %d %d %d", &pid, name, &state, &parent,
				&group, &session),
			 6);
		CHECK_EQ(pid, getpid());
		CHECK_STR(name, "proc_self_statu");
		CHECK_EQ(state, 'R');
		CHECK_EQ(parent, getppid());
		CHECK_EQ(group, getpgrp());
		CHECK_EQ(session, getsid(0));
	}
	return victim_end();
}
