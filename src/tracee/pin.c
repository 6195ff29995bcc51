/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pin.c - run where the stopped thread runs
 *
 * Each stop is two wake-ups. On one CPU they are two context switches; across CPUs each is an
 * interrupt to the other one, which costs 10 to 20 times as much in a virtual machine.
 */
#include "tracee/pin.h"

#include <errno.h>

#include "os/file.h"

#define STAT_MAX      4096
#define PROC_PATH_MAX 64
#define STAT_STATE    3
#define STAT_CPU      39 /* proc(5) */

/* Return: the CPU a thread ran on last, -errno */
static int last_cpu(pid_t tid)
{
	char path[PROC_PATH_MAX];
	const char *p;
	struct buf b;
	long cpu = -1;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", tid, tid);
	buf_init(&b, STAT_MAX);
	r = file_read(path, &b, NULL);
	p = r < 0 ? NULL : buf_text(&b);
	p = p ? strrchr(p, ')') : NULL; /* the name before it may hold anything */
	for (int field = STAT_STATE - 1; p && field < STAT_CPU; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	if (p)
		cpu = strtol(p, NULL, 10);
	buf_done(&b);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return cpu < 0 || cpu >= CPU_SETSIZE ? -EPROTO : (int)cpu;
}

int tracee_pin_to(pid_t tid, cpu_set_t *saved)
{
	cpu_set_t one, was;
	int cpu = last_cpu(tid);

	if (cpu < 0)
		return cpu;
	if (sched_getaffinity(0, sizeof(was), &was) < 0)
		return -errno;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return -errno;
	*saved = was;
	return 0;
}

int tracee_unpin(const cpu_set_t *saved)
{
	return sched_setaffinity(0, sizeof(*saved), saved) < 0 ? -errno : 0;
}
