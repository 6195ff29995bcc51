/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_cpus.c - which CPUs of the host a thread runs on that is bound to CPUs of its home
 *
 * Theory of operation. The mask is home's: it is set, asked for and kept there, and counts again when the
 * process is back. Its numbers mean nothing here, but how many there are and which threads have
 * the same ones does. So CPU k of home is the k-th CPU that a guest may use here, counted round and
 * round if there are fewer. A thread with all CPUs of its home is bound to none, and may use all here.
 *
 * New threads inherit it at both ends. A failure here costs speed only and is told to nobody.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "migrate/guest.h"

#define MASK_BYTES (IMAGE_CPU_WORDS * sizeof(uint64_t))

static bool has(const uint64_t *mask, unsigned int cpu)
{
	return mask[cpu / 64] >> (cpu % 64) & 1;
}

static bool is_all(const struct guest *g, const uint64_t *mask)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < g->image.n_cpus && i < IMAGE_CPU_WORDS * 64; i++)
		n += has(mask, i);
	return n >= g->image.n_cpus;
}

/* the k-th of those that there are, round and round */
static int nth(const cpu_set_t *of, unsigned int k)
{
	unsigned int n = (unsigned int)CPU_COUNT(of);

	k = n ? k % n : 0;
	for (int i = 0; n && i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, of) && !k--)
			return i;
	return 0;
}

static void bind(const struct guest *g, pid_t tid, const uint64_t *mask)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned int i = 0; i < IMAGE_CPU_WORDS * 64; i++)
		if (has(mask, i))
			CPU_SET(nth(&g->cpus, i), &set);
	(void)sched_setaffinity(tid, sizeof(set), is_all(g, mask) ? &g->cpus : &set);
}

void guest_cpus_start(struct guest *g)
{
	static const uint64_t none[IMAGE_CPU_WORDS];

	if (sched_getaffinity(0, sizeof(g->cpus), &g->cpus) < 0)
		return; /* more CPUs than fit: it may use all */
	for (size_t i = 0; i < g->image.n_threads; i++)
		if (memcmp(g->image.threads[i].cpus, none, sizeof(none)) != 0)
			bind(g, (pid_t)g->image.threads[i].tid, g->image.threads[i].cpus);
}

static void on_bound(struct guest_thread *t, const uint8_t *p, size_t n)
{
	pid_t tid = (pid_t)t->args[0] ? (pid_t)t->args[0] : t->tid;
	uint64_t mask[IMAGE_CPU_WORDS] = { 0 };
	size_t len = t->args[1] < MASK_BYTES ? t->args[1] : MASK_BYTES;
	struct call_answer a;

	(void)n;
	memcpy(&a, p, sizeof(a)); /* an answer has one */
	if (a.result >= 0 && t->guest->image.n_cpus && guest_thread(t->guest, tid) &&
	    CPU_COUNT(&t->guest->cpus) && guest_read(t, t->args[2], mask, len) == 0)
		bind(t->guest, tid, mask);
	guest_reply(t, a.result);
}

void guest_bind(struct guest_thread *t)
{
	static const struct call_fixup fix = { .at = CALL_FIX_ARG | 2, .place = 0 };
	size_t len = t->args[1] < MASK_BYTES ? t->args[1] : MASK_BYTES;
	const struct call_request q = {
		.nr = SYS_sched_setaffinity,
		.n_fixups = 1,
		.args = { t->args[0], len },
		.in_len = (uint32_t)len,
	};
	uint64_t mask[IMAGE_CPU_WORDS];

	if (guest_read(t, t->args[2], mask, len) < 0)
		guest_reply(t, -EFAULT);
	else
		guest_ask(t, &q, &fix, mask, on_bound);
}
