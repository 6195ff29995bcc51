/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_limits.c - limits of memory, CPU time and descriptors of a process that is away
 *
 * Theory of operation. What the program has set is in the image that it came with, and goes home with
 * the next one (rlimits.h); getrlimit(2) and its kin are answered from there, by the rules of the kernel.
 * So that the kernel here refuses memory just where home's would have, it is told
 *
 *	AS	and our region
 *	DATA	and what of it can be written
 *	CPU	less what the process had used at home, in whole seconds, rounded up
 *	STACK, MEMLOCK	the same
 *
 * (where home could not lift its hard limit, less: rlimits.h) as soft limits: the hard ones stay what the host allows its guests, and the kernel takes the lesser of
 * both. Only CPU has a hard one as well, for that ends the process. When it goes off, the kernel
 * raises the soft limit by a second, here as at home, and so does what the program is told.
 *
 * Memory that a guest locks is memory that the host's owner cannot have: a guest may lock little
 * of it. A program that may lock more at home comes home for it.
 *
 * The number of descriptors is home's, whose kernel looks at it. Ours lie above it there; a program that
 * raises it over them comes home, and is given another place for ours when it leaves again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "migrate/guest.h"
#include "migrate/rlimits.h"
#include "migrate/region.h"

#define SECOND_NS 1000000000ULL

static bool is_none(uint64_t limit)
{
	return limit == RLIM_INFINITY;
}

/* ------------------------------------------------------------------- the kernel's */

static uint64_t and_ours(uint64_t limit, uint64_t bytes)
{
	return limit > RLIM_INFINITY - bytes ? RLIM_INFINITY : limit + bytes;
}

/* whole seconds that are left; the least that a kernel knows is one */
static uint64_t seconds_left(const struct guest *g, uint64_t limit)
{
	uint64_t used_s = g->image.cpu_used_ns / SECOND_NS; /* rounded down: it gets the rest */

	return is_none(limit) ? limit : limit > used_s ? limit - used_s : 1;
}

/*
 * @ours:	Bytes of our region that count here
 * @at_home:	And there: where it is bound with the program, both must fit
 */
static uint64_t memory(const struct guest *g, unsigned int which, uint64_t ours, uint64_t at_home)
{
	const struct image_limit *l = &g->image.limits[which];
	uint64_t most = l->hard > at_home ? l->hard - at_home : 0;

	if (g->image.limits_bound >> which & 1 && l->soft > most)
		return and_ours(most, ours);
	return and_ours(l->soft, ours);
}

static uint64_t as_told_here(const struct guest *g, unsigned int which)
{
	uint64_t limit = g->image.limits[which].soft;

	switch (which) {
	case RLIMIT_AS:
		return memory(g, which, REGION_BYTES, REGION_BYTES);
	case RLIMIT_DATA:
		return memory(g, which, REGION_SLOTS, REGION_BYTES);
	case RLIMIT_CPU:
		return seconds_left(g, limit);
	default:
		return limit;
	}
}

static void tell_kernel(struct guest *g, unsigned int which)
{
	struct rlimit now;

	if (rlimits_owner(which) != RLIMITS_OF_GUEST ||
	    prlimit(g->build.pid, which, NULL, &now) < 0)
		return; /* it has just ended */
	if (which == RLIMIT_CPU) {
		uint64_t hard = seconds_left(g, g->image.limits[which].hard);

		now.rlim_max = now.rlim_max < hard ? now.rlim_max : hard;
	}
	now.rlim_cur = as_told_here(g, which);
	if (now.rlim_cur > now.rlim_max)
		now.rlim_cur = now.rlim_max;
	if (which == RLIMIT_CPU)
		g->limits.cpu_soft = now.rlim_cur;
	/* never above what it may be here: nothing but its end is in the way */
	(void)prlimit(g->build.pid, which, &now, NULL);
}

/* each SIGXCPU has raised it by a second */
static void see_cpu(struct guest *g, struct image *known)
{
	struct image_limit *l = &known->limits[RLIMIT_CPU];
	struct rlimit now;

	if (!g->limits.cpu_soft || is_none(l->soft) ||
	    prlimit(g->build.pid, RLIMIT_CPU, NULL, &now) < 0 || now.rlim_cur <= g->limits.cpu_soft)
		return;
	l->soft += now.rlim_cur - g->limits.cpu_soft;
	l->soft = l->soft < l->hard ? l->soft : l->hard;
	g->limits.cpu_soft = now.rlim_cur;
}

void guest_limits_start(struct guest *g)
{
	for (unsigned int i = 0; rlimits_known(&g->image) && i < IMAGE_LIMITS; i++)
		tell_kernel(g, i);
}

void guest_limits_leave(struct guest *g)
{
	see_cpu(g, &g->arrived);
	memcpy(g->image.limits, g->arrived.limits, sizeof(g->image.limits));
	g->image.cpu_used_ns = g->arrived.cpu_used_ns;
	g->image.n_cpus = g->arrived.n_cpus;
	g->image.limits_bound = g->arrived.limits_bound;
}

const struct image_limit *guest_limits(struct guest *g)
{
	see_cpu(g, &g->image);
	return rlimits_known(&g->image) ? g->image.limits : NULL;
}

/* ------------------------------------------------------------------- the program's */

/* the three calls in one form; an address of 0: nothing is set, nothing is told */
struct asked {
	uint64_t which, set_at, get_at;
};

static struct asked asked(const struct guest_thread *t)
{
	switch (t->nr) {
	case SYS_getrlimit:
		return (struct asked){ t->args[0], 0, t->args[1] };
	case SYS_setrlimit:
		return (struct asked){ t->args[0], t->args[1], 0 };
	default:
		return (struct asked){ t->args[1], t->args[2], t->args[3] };
	}
}

static bool is_own(const struct guest_thread *t)
{
	return t->nr != SYS_prlimit64 || !(pid_t)t->args[0] ||
	       guest_thread(t->guest, (pid_t)t->args[0]);
}

/* it is so now; the program hears what it was */
static void finish(struct guest_thread *t, const struct image_limit *was)
{
	const struct asked a = asked(t);
	const struct rlimit l = { was->soft, was->hard };

	if (a.get_at && guest_write(t, a.get_at, &l, sizeof(l)) < 0)
		guest_reply(t, -EFAULT);
	else
		guest_reply(t, 0);
}

static int read_new(const struct guest_thread *t, uint64_t at, struct image_limit *ret)
{
	struct rlimit l;
	int r = guest_read(t, at, &l, sizeof(l));

	if (!r)
		*ret = (struct image_limit){ l.rlim_cur, l.rlim_max };
	return r;
}

static void on_files_set(struct guest_thread *t, const uint8_t *p, size_t n)
{
	struct image_limit *l = &t->guest->image.limits[RLIMIT_NOFILE], was = *l;
	struct call_answer a;
	struct image_limit to;

	(void)n;
	memcpy(&a, p, sizeof(a)); /* an answer has one */
	if (a.result < 0) {
		guest_reply(t, a.result);
		return;
	}
	if (read_new(t, asked(t).set_at, &to) == 0 && to.soft <= to.hard && to.hard <= l->hard)
		*l = to;
	finish(t, &was);
}

/* home's hard limit has room for our descriptors, and keeps it */
static void set_files(struct guest_thread *t, const struct image_limit *to)
{
	static const struct call_fixup fix = { .at = CALL_FIX_ARG | 2, .place = 0 };
	const struct rlimit l = { to->soft, rlimits_home_files(&t->guest->image) };
	const struct call_request q = { .nr = SYS_prlimit64,
					.n_fixups = 1,
					.args = { 0, RLIMIT_NOFILE },
					.in_len = sizeof(l) };

	if (to->soft > t->guest->image.first_fd &&
	    to->soft > t->guest->image.limits[RLIMIT_NOFILE].soft)
		guest_homeward(t);
	else
		guest_ask(t, &q, &fix, &l, on_files_set);
}

void guest_limit(struct guest_thread *t)
{
	const struct asked a = asked(t);
	struct guest *g = t->guest;
	struct image_limit was, to;

	if (a.which >= IMAGE_LIMITS || rlimits_owner(a.which) == RLIMITS_OF_HOME || !is_own(t) ||
	    !rlimits_known(&g->image)) {
		guest_forward(t);
		return;
	}
	see_cpu(g, &g->image);
	was = to = g->image.limits[a.which];
	if (a.set_at && read_new(t, a.set_at, &to) < 0)
		guest_reply(t, -EFAULT);
	else if (to.soft > to.hard)
		guest_reply(t, -EINVAL);
	else if (to.hard > was.hard) /* what may raise it does not move: preflight.c */
		guest_reply(t, -EPERM);
	else if (a.set_at && rlimits_owner(a.which) == RLIMITS_OF_BOTH)
		set_files(t, &to);
	else {
		g->image.limits[a.which] = to;
		if (a.set_at)
			tell_kernel(g, (unsigned int)a.which);
		finish(t, &was);
	}
}

/* -------------------------------------------------------------------- locked memory */

static uint64_t locked_bytes(const struct guest *g)
{
	unsigned long long kib = 0;
	char path[64], line[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)g->build.pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %llu", &kib) == 1)
			break;
	if (f)
		(void)fclose(f); /* was only read */
	return kib * 1024;
}

/* would this be refused here, and not at home? mlockall(2) may want anything */
static bool is_for_home(const struct guest_thread *t)
{
	uint64_t page = MOVE_PAGE, len = t->args[1] + (t->args[0] & (page - 1)), want;
	const struct guest *g = t->guest;
	uint64_t home = g->image.limits[RLIMIT_MEMLOCK].soft;
	struct rlimit here;

	if (!rlimits_known(&g->image) || prlimit(g->build.pid, RLIMIT_MEMLOCK, NULL, &here) < 0 ||
	    here.rlim_cur >= home)
		return false;
	if (t->nr == SYS_mlockall || len > IMAGE_TOP)
		return t->nr == SYS_mlockall;
	want = locked_bytes(g) + (len + page - 1) / page * page;
	return want > here.rlim_cur && want <= home;
}

void guest_lock(struct guest_thread *t)
{
	if (is_for_home(t))
		guest_homeward(t);
	else
		guest_let_through(t);
}
