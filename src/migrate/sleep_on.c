/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/sleep_on.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/restarts.h"
#include "migrate/clock.h"
#include "migrate/region.h"
#include "migrate/registers.h"
#include "migrate/stub_thread.h"

#define SECOND_NS 1000000000
#define MS_NS	  1000000

/* the sleeps, and in which argument their time is */
static const struct {
	uint64_t nr;
	unsigned int time;
	bool milliseconds; /* a value; else behind a pointer */
} sleeps[] = {
	{ SYS_nanosleep, 0, false },
	{ SYS_clock_nanosleep, 2, false },
	{ SYS_poll, 2, true },
};

static int64_t left_ns(int64_t until_ns)
{
	struct clocks now;

	clocks_read(&now);
	return until_ns > now.monotonic_ns ? until_ns - now.monotonic_ns : 1;
}

/* Return: 0 and the result of a call that was begun, -errno */
static int begin(struct stub *s, const struct image_thread *t, size_t row, int64_t *ret)
{
	const struct image_registers *g = &t->regs;
	uint64_t args[6] = { g->rdi, g->rsi, g->rdx, g->r10, g->r8, g->r9 };
	int64_t ns = left_ns(t->wait_until_ns);
	const struct timespec rest = { ns / SECOND_NS, ns % SECOND_NS };
	const struct stub_thread *st = stub_thread_find(s, (pid_t)t->tid);
	uint64_t at;
	int r = 0;

	if (!st)
		return -ESRCH;
	at = region_slot(s->region, st->slot) + PARASITE_CONTEXT_BYTES;
	if (sleeps[row].milliseconds) {
		args[sleeps[row].time] = (uint64_t)((ns + MS_NS - 1) / MS_NS);
	} else {
		r = tracee_write(s->pid, at, &rest, sizeof(rest));
		args[sleeps[row].time] = at;
	}
	return r < 0 ? r
		     : tracee_inject_begun((pid_t)t->tid, s->insn, (long)sleeps[row].nr, args, ret);
}

int sleep_on(struct stub *s, const struct image_thread *t)
{
	struct user_regs_struct regs;
	size_t row = 0;
	int64_t result;
	int r;

	while (row < ARRAY_LEN(sleeps) && sleeps[row].nr != t->regs.rax)
		row++;
	if (row == ARRAY_LEN(sleeps) || !s->region)
		return -ENOTSUP;
	r = begin(s, t, row, &result);
	if (r < 0 || (result >= -ERESTARTNOHAND && result <= -ERESTARTSYS))
		return r; /* it is made again as it was */
	registers_from_image(&t->regs, &regs);
	if (result == -ERESTART_RESTARTBLOCK) {
		regs.rax = SYS_restart_syscall;
	} else { /* it is over already */
		regs.rax = (uint64_t)result;
		regs.rip += TRACEE_SYSCALL_BYTES;
	}
	return tracee_set_regs((pid_t)t->tid, &regs);
}
