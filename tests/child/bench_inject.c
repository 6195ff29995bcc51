/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_inject.c - what one injected call costs, alone and in a batch, near and far
 *
 * Prints nanoseconds for each call, the median of rounds; judges nothing.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "child/child.h"
#include "tracee/batch.h"
#include "tracee/pin.h"

#define ROUNDS	   15
#define ALONE	   200
#define IN_BATCH   200
#define AREA_BYTES (64 * 1024)

struct bench {
	struct child c;
	struct batch b;
	uint64_t insn;
};

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "bench-inject: %s: %s\n", what, strerror(-r));
	exit(1);
}

static double now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int64_t inject(struct bench *n, long nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	const uint64_t args[6] = { 0, a1, a2, a3, a4, 0 };
	int64_t result = -1;

	must(tracee_inject(n->c.pid, n->insn, nr, args, &result), "inject");
	return result;
}

static double alone(struct bench *n)
{
	double from = now_ns();

	for (int i = 0; i < ALONE; i++)
		(void)inject(n, SYS_getppid, 0, 0, 0, 0);
	return (now_ns() - from) / ALONE;
}

static double batched(struct bench *n)
{
	double from = now_ns();
	struct err e;

	batch_clear(&n->b);
	for (int i = 0; i < IN_BATCH; i++)
		must(batch_add(&n->b, SYS_getppid, 0, 0, 0, 0, 0, 0), "batch");
	must(batch_run(&n->b, n->c.pid, &e), "batch");
	return (now_ns() - from) / IN_BATCH;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double (*fn)(struct bench *), struct bench *n)
{
	double ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		ns[i] = fn(n);
	qsort(ns, ROUNDS, sizeof(*ns), by_value);
	return ns[ROUNDS / 2];
}

static void print(struct bench *n, const char *where)
{
	double one = median(alone, n), each = median(batched, n);

	printf("%-10s %10.0f ns a call alone, %7.0f ns in a batch of %d\n", where, one, each,
	       IN_BATCH);
}

/* the agent on the first CPU it may use, the tracee on the last */
static void apart(struct bench *n)
{
	cpu_set_t all, one;
	int first = -1, last = -1;

	(void)sched_getaffinity(0, sizeof(all), &all);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all)) {
			first = first < 0 ? i : first;
			last = i;
		}
	if (first == last)
		return;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	(void)sched_setaffinity(n->c.pid, sizeof(one), &one);
	print(n, "two CPUs");
	(void)sched_setaffinity(0, sizeof(all), &all);
	(void)sched_setaffinity(n->c.pid, sizeof(all), &all);
}

int main(void)
{
	struct tracee_stop s;
	struct bench n;
	cpu_set_t saved;
	int64_t area;

	child_start(&n.c, child_count);
	child_runs_on(&n.c);
	must(tracee_seize(n.c.pid, 0, NULL), "seize");
	must(tracee_stop_thread(n.c.pid, &s), "stop");
	must(tracee_find_syscall(n.c.pid, 0, 0, &n.insn), "find a syscall instruction");
	area = inject(&n, SYS_mmap, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
		      MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1);
	must((int)(area >> 63), "map an area");
	batch_init(&n.b, n.c.pid, (uint64_t)area, AREA_BYTES);

	print(&n, "anywhere");
	apart(&n);
	must(tracee_pin_to(n.c.pid, &saved), "pin");
	print(&n, "pinned");
	must(tracee_unpin(&saved), "unpin");

	batch_done(&n.b);
	must(tracee_detach(n.c.pid, 0), "detach");
	(void)child_end(&n.c);
	return 0;
}
