/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter.c - the seccomp filter of a guest, made from the table of calls
 *
 * Theory of operation. Numbers with the same outcome form intervals; the intervals form a tree of
 * comparisons, leaves inline:
 *
 *	architecture, x32	-> end
 *	hot calls, one by one	-> leaf
 *	tree
 *	end: own code?		-> ALLOW, else USER_NOTIF
 *
 * A jump of classic BPF reaches 255 instructions, only JA reaches further: the branch to the right
 * half is a JA, and what notifies jumps to the end by JA as well.
 */
#include "forward/table/filter.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "forward/table/table.h"

#define X32_BIT 0x40000000u

/* made without end by programs that compute; all LOCAL, at least in a case */
static const uint16_t hot[] = {
	__NR_futex,	  __NR_madvise,	       __NR_munmap,	  __NR_mmap,
	__NR_brk,	  __NR_mprotect,       __NR_gettid,	  __NR_getpid,
	__NR_sched_yield, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_getcpu,
};

/* MADV_DONTNEED, MADV_FREE, MADV_DONTNEED_LOCKED */
static const uint8_t giving_back[] = { 4, 8, 24 };

enum outcome { /* of a number */
	OUT_NOTIFY,
	OUT_ALLOW,
	OUT_TRACE,  /* data is the number: an interval of its own */
	OUT_BY_ARG, /* likewise */
	OUT_WATCH,  /* madvise, where there is memory to be watched; likewise */
};

struct interval {
	uint32_t first;
	enum outcome outcome;
};

struct program {
	struct sock_filter *insns;
	size_t n;
	bool full;
	uint32_t to_end[FILTER_INSNS_MAX]; /* JAs that wait for the address of the end */
	size_t n_to_end;
	const struct filter_range *watched;
	size_t n_watched;
};

static void emit(struct program *p, struct sock_filter insn)
{
	if (p->n >= FILTER_INSNS_MAX) {
		p->full = true;
		return;
	}
	p->insns[p->n++] = insn;
}

static void emit_load(struct program *p, size_t offset)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void emit_ret(struct program *p, uint32_t action)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void emit_jump(struct program *p, uint16_t test, uint32_t value, uint8_t yes, uint8_t no)
{
	emit(p, (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | test | BPF_K), value, yes, no));
}

/* goes to the end, where it is decided whether the call is our own */
static void emit_notify(struct program *p)
{
	if (p->n < FILTER_INSNS_MAX)
		p->to_end[p->n_to_end++] = (uint32_t)p->n;
	emit(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
}

static bool decided_here(enum table_class class)
{
	return class == TABLE_LOCAL || class == TABLE_SPECIAL;
}

static enum outcome outcome_of(const struct program *p, uint32_t nr)
{
	struct table_row row;

	if (nr == __NR_madvise && p->n_watched)
		return OUT_WATCH;
	if (!table_row(nr, &row))
		return OUT_NOTIFY;
	if (row.key_low == TABLE_ARG_NONE) /* a key of two arguments chooses nothing local */
		for (size_t i = 0; i < row.n_cases; i++)
			if (decided_here(row.cases[i].class))
				return OUT_BY_ARG;
	if (row.class == TABLE_LOCAL)
		return OUT_ALLOW;
	return row.class == TABLE_SPECIAL ? OUT_TRACE : OUT_NOTIFY;
}

static void emit_class(struct program *p, uint32_t nr, enum table_class class)
{
	if (class == TABLE_LOCAL)
		emit_ret(p, SECCOMP_RET_ALLOW);
	else if (class == TABLE_SPECIAL)
		emit_ret(p, SECCOMP_RET_TRACE | nr);
	else
		emit_notify(p);
}

/* the cases of a call do not overlap, so their order does not matter and the others need no test */
static void emit_by_arg(struct program *p, uint32_t nr)
{
	struct table_row row = { 0 };
	const struct table_case *c;
	size_t at;

	(void)table_row(nr, &row); /* has one: its outcome is by argument */
	at = offsetof(struct seccomp_data, args) + 8 * (size_t)row.key;
	emit_load(p, at); /* the low half: little-endian */
	for (size_t i = 0; i < row.n_cases; i++) {
		c = &row.cases[i];
		if (!decided_here(c->class) && row.class != TABLE_LOCAL)
			continue;
		if (c->mask >> 32) { /* a pointer: all of it is compared */
			emit_load(p, at + 4);
			emit_jump(p, BPF_JEQ, (uint32_t)(c->value >> 32), 0, 3);
			emit_load(p, at);
		} else if ((uint32_t)c->mask != UINT32_MAX) {
			emit_load(p, at);
			emit(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K,
							     (uint32_t)c->mask));
		}
		emit_jump(p, BPF_JEQ, (uint32_t)c->value, 0, 1);
		emit_class(p, nr, c->class);
		if (c->mask != UINT32_MAX)
			emit_load(p, at);
	}
	emit_class(p, nr, row.class);
}

/* of one range, in one 4 GiB: a call that begins in it is told */
static void emit_range(struct program *p, uint64_t start, uint64_t last)
{
	size_t at = offsetof(struct seccomp_data, args);

	emit_load(p, at + 4);
	emit_jump(p, BPF_JEQ, (uint32_t)(start >> 32), 0, 4);
	emit_load(p, at);
	emit_jump(p, BPF_JGE, (uint32_t)start, 0, 2);
	emit_jump(p, BPF_JGT, (uint32_t)last, 1, 0);
	emit_notify(p);
}

/* short enough for the jump over it? A piece for each 4 GiB of a range */
static bool fits(const struct program *p)
{
	uint64_t pieces = 0;

	for (size_t i = 0; i < p->n_watched; i++)
		pieces += ((p->watched[i].end - 1) >> 32) - (p->watched[i].start >> 32) + 1;
	return pieces <= 2 * FILTER_RANGES_MAX;
}

static void emit_watch(struct program *p)
{
	emit_load(p, offsetof(struct seccomp_data, args) + 8 * 2);
	for (size_t i = 0; i < ARRAY_LEN(giving_back); i++)
		emit_jump(p, BPF_JEQ, giving_back[i], (uint8_t)(ARRAY_LEN(giving_back) - i), 0);
	emit_ret(p, SECCOMP_RET_ALLOW);
	if (!fits(p)) {
		emit_notify(p); /* terabytes: wherever it is */
		return;
	}
	for (size_t i = 0; i < p->n_watched; i++) {
		uint64_t at = p->watched[i].start, end = p->watched[i].end;

		for (uint64_t last; at < end; at = last + 1) {
			last = at | UINT32_MAX;
			last = last < end ? last : end - 1;
			emit_range(p, at, last);
		}
	}
	emit_ret(p, SECCOMP_RET_ALLOW);
}

static void emit_leaf(struct program *p, uint32_t nr, enum outcome outcome)
{
	switch (outcome) {
	case OUT_NOTIFY:
		emit_notify(p);
		return;
	case OUT_ALLOW:
		emit_ret(p, SECCOMP_RET_ALLOW);
		return;
	case OUT_TRACE:
		emit_ret(p, SECCOMP_RET_TRACE | nr);
		return;
	case OUT_BY_ARG:
		emit_by_arg(p, nr);
		return;
	case OUT_WATCH:
		emit_watch(p);
		return;
	}
}

/* the hot calls come with the number in A and leave it there when they do not match */
static void emit_hot(struct program *p)
{
	size_t at;

	for (size_t i = 0; i < ARRAY_LEN(hot); i++) {
		at = p->n;
		emit_jump(p, BPF_JEQ, hot[i], 0, 0);
		emit_leaf(p, hot[i], outcome_of(p, hot[i]));
		if (!p->full)
			p->insns[at].jf = (uint8_t)(p->n - at -
						    1); /* FILTER_RANGES_MAX: it reaches */
	}
}

static void emit_tree(struct program *p, const struct interval *v, size_t n)
{
	size_t half = n / 2, ja;

	if (n == 1) {
		emit_leaf(p, v->first, v->outcome);
		return;
	}
	emit_jump(p, BPF_JGE, v[half].first, 0, 1);
	ja = p->n;
	emit(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	emit_tree(p, v, half); /* depth: log2 of the number of intervals */
	if (!p->full)
		p->insns[ja].k = (uint32_t)(p->n - ja - 1);
	emit_tree(p, v + half, n - half);
}

static size_t find_intervals(const struct program *p, struct interval *v, size_t max)
{
	enum outcome outcome, last = OUT_NOTIFY;
	size_t n = 1;

	v[0] = (struct interval){ 0, outcome_of(p, 0) };
	last = v[0].outcome;
	for (uint32_t nr = 1; nr <= table_end() && n < max; nr++) { /* the last one: unknown */
		outcome = outcome_of(p, nr);
		if (outcome == last && outcome != OUT_TRACE && outcome != OUT_BY_ARG &&
		    outcome != OUT_WATCH)
			continue;
		v[n++] = (struct interval){ nr, outcome };
		last = outcome;
	}
	return n;
}

static void emit_end(struct program *p, uint64_t own_from, uint64_t own_to)
{
	size_t ip = offsetof(struct seccomp_data, instruction_pointer);

	for (size_t i = 0; i < p->n_to_end; i++)
		p->insns[p->to_end[i]].k = (uint32_t)(p->n - p->to_end[i] - 1);
	if (own_to > own_from) {
		emit_load(p, ip + 4);
		emit_jump(p, BPF_JEQ, (uint32_t)(own_from >> 32), 0, 4);
		emit_load(p, ip);
		emit_jump(p, BPF_JGT, (uint32_t)own_from, 0, 2);
		emit_jump(p, BPF_JGT, (uint32_t)own_to, 1, 0);
		emit_ret(p, SECCOMP_RET_ALLOW);
	}
	emit_ret(p, SECCOMP_RET_USER_NOTIF);
}

void filter_watch(struct filter_range *v, size_t *n, uint64_t start, uint64_t end)
{
	if (*n && (v[*n - 1].end == start || *n == FILTER_RANGES_MAX))
		v[*n - 1].end = end;
	else
		v[(*n)++] = (struct filter_range){ start, end };
}

int filter_build(uint64_t own_from, uint64_t own_to, const struct filter_range *watched,
		 size_t n_watched, struct sock_filter *to, size_t *ret_n)
{
	struct program p = { .insns = to, .watched = watched, .n_watched = n_watched };
	struct interval v[FILTER_INSNS_MAX];
	size_t n;

	if (own_from > own_to || own_from >> 32 != own_to >> 32)
		return -EINVAL;
	n = find_intervals(&p, v, ARRAY_LEN(v));
	emit_load(&p, offsetof(struct seccomp_data, arch));
	emit_jump(&p, BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	emit_notify(&p);
	emit_load(&p, offsetof(struct seccomp_data, nr));
	emit_jump(&p, BPF_JGE, X32_BIT, 0, 1);
	emit_notify(&p);
	emit_hot(&p);
	emit_tree(&p, v, n);
	emit_end(&p, own_from, own_to);
	if (p.full)
		return -E2BIG;
	*ret_n = p.n;
	return 0;
}
