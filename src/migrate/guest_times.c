/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_times.c - CPU time that was used at both ends
 *
 * clock_gettime(2) of a CPU-time clock and times(2) go home, which says what was used there; what was
 * used here is added to the answer before the marshaller takes it. All of ours counts as time of the
 * program itself: the kernel here works for it no more than home's would.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <time.h>

#include "forward/call.h"
#include "migrate/guest.h"

#define NS	     1000000000ULL
#define TICKS	     100 /* of times(2) in a second, to every program (USER_HZ) */
#define CPU_CLOCK    2 /* the two bits of such a clock's number: what it ran, clock_getcpuclockid(3) */
#define THREAD_CLOCK 4 /* the bit of a thread's */

static uint64_t of_process(const struct guest *g)
{
	struct timespec now = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(g->build.pid, &clock) == 0)
		(void)clock_gettime(clock, &now); /* 0 when it has just ended */
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* no clock of another process's thread can be asked; schedstat has its time in ns, proc(5) */
static uint64_t of_thread(const struct guest *g, pid_t tid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)g->build.pid,
		       (int)tid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	if (f)
		(void)fclose(f); /* was only read */
	return ns;
}

uint64_t guest_cpu_ns(const struct guest *g, pid_t tid)
{
	return tid ? of_thread(g, tid) : of_process(g);
}

/* what this clock has counted here; 0 also when it counts nothing of ours */
static uint64_t counted(const struct guest_thread *t, clockid_t clock)
{
	pid_t pid;

	if (clock == CLOCK_PROCESS_CPUTIME_ID)
		return of_process(t->guest);
	if (clock == CLOCK_THREAD_CPUTIME_ID)
		return of_thread(t->guest, t->tid);
	if (clock >= 0 || (clock & 3) > CPU_CLOCK)
		return 0;
	pid = ~(clock >> 3);
	if (clock & THREAD_CLOCK)
		return pid && !guest_thread(t->guest, pid)
			       ? 0
			       : of_thread(t->guest, pid ? pid : t->tid);
	return pid && (uint32_t)pid != t->guest->image.pid ? 0 : of_process(t->guest);
}

static void add_to_clock(const struct guest_thread *t, uint8_t *out)
{
	struct timespec v;
	uint64_t ns = counted(t, (clockid_t)t->args[0]);

	memcpy(&v, out, sizeof(v));
	ns += (uint64_t)v.tv_nsec;
	v.tv_sec += (time_t)(ns / NS);
	v.tv_nsec = (long)(ns % NS);
	memcpy(out, &v, sizeof(v));
}

static void add_to_times(const struct guest_thread *t, uint8_t *out)
{
	struct tms v;

	memcpy(&v, out, sizeof(v));
	v.tms_utime += (clock_t)(of_process(t->guest) / (NS / TICKS));
	memcpy(out, &v, sizeof(v));
}

static const struct {
	uint32_t nr;
	size_t out; /* bytes that the call gives */
	void (*add)(const struct guest_thread *t, uint8_t *out);
} rows[] = {
	{ SYS_clock_gettime, sizeof(struct timespec), add_to_clock },
	{ SYS_times, sizeof(struct tms), add_to_times },
};

const uint8_t *guest_times_add(const struct guest_thread *t, const uint8_t *p, size_t n,
			       uint8_t amended[GUEST_TIMES_MAX])
{
	struct call_answer a;

	memcpy(&a, p, sizeof(a)); /* guest_take_answer(): it has one */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].nr == t->nr && a.result >= 0 && n == sizeof(a) + rows[i].out) {
			memcpy(amended, p, n);
			rows[i].add(t, amended + sizeof(a));
			return amended;
		}
	return p;
}
