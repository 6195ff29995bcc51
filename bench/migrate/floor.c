/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor.c - what a call costs on this machine that somebody could have trapped, and nobody did
 *
 * bench-floor N
 *
 * Prints three figures, each the median ns of a gettid(2) in batches of N: of a process as any, of
 * one with the shortest seccomp filter there is, which allows everything, and of one with syscall user
 * dispatch (prctl(2)) whose selector allows. The last two are what a moved process could at best
 * have for calls that are executed where it is. Each is measured in a child of its own, for a
 * filter cannot be taken away.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/parse.h"
#include "log/log.h"

#define BATCHES 15

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* exists everywhere */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool be_any(void)
{
	return true;
}

static bool be_filtered(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = { .len = 1, .filter = &allow };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool be_dispatched(void)
{
	static char selector = PR_SYS_DISPATCH_OFF; /* the same number as "allow" */

	return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector) == 0;
}

static const struct {
	const char *what;
	bool (*be)(void);
} rows[] = {
	{ "no filter", be_any },
	{ "a filter", be_filtered },
	{ "syscall user dispatch", be_dispatched },
};

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double measure(uint64_t n)
{
	double ns[BATCHES];

	for (int b = 0; b < BATCHES; b++) {
		uint64_t begin = now_ns();

		for (uint64_t i = 0; i < n; i++)
			(void)syscall(SYS_gettid);
		ns[b] = (double)(now_ns() - begin) / (double)n;
	}
	qsort(ns, BATCHES, sizeof(*ns), by_value);
	return ns[BATCHES / 2];
}

int main(int argc, char **argv)
{
	uint64_t n;

	if (argc != 2 || parse_u64(argv[1], &n) < 0 || !n)
		return 2;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pid_t pid = fork();
		int status;

		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (!pid) {
			if (!rows[i].be())
				die("%s: %s", rows[i].what, strerror(errno));
			(void)printf("%.1f ", measure(n));
			exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			return 1;
	}
	(void)printf("\n");
	return 0;
}
