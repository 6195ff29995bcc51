/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>

#define AT_ONCE 32

static int read_some(pid_t tid, bool shared, uint64_t from, siginfo_t *to)
{
	struct __ptrace_peeksiginfo_args args = {
		.off = from,
		.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
		.nr = AT_ONCE,
	};
	long n = ptrace(PTRACE_PEEKSIGINFO, tid, &args, to);

	return n < 0 ? -errno : (int)n;
}

int pending_read(pid_t tid, bool shared, struct pending **ret, size_t *ret_n, struct err *e)
{
	struct pending *list = NULL, *more;
	siginfo_t infos[AT_ONCE];
	size_t n = 0;
	int got;

	while ((got = read_some(tid, shared, n, infos)) > 0 && n < PENDING_MAX) {
		more = reallocarray(list, n + (size_t)got, sizeof(*list));
		if (!more) {
			got = -ENOMEM;
			break;
		}
		list = more;
		for (int i = 0; i < got; i++)
			list[n++] = (struct pending){ .tid = shared ? 0 : tid, .info = infos[i] };
	}
	*ret = NULL;
	if (got < 0) {
		free(list);
		return err_set(e, got, "read the signals of thread %d: %s", tid, strerror(-got));
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

int pending_queue(struct batch *b, pid_t pid, const struct pending *p, struct err *e)
{
	uint64_t at;
	int r;

	batch_clear(b);
	r = batch_data(b, &p->info, sizeof(p->info), &at);
	if (!r && p->tid)
		r = batch_add(b, SYS_rt_tgsigqueueinfo, (uint64_t)pid, (uint64_t)p->tid,
			      (uint64_t)p->info.si_signo, at, 0, 0);
	else if (!r)
		r = batch_add(b, SYS_rt_sigqueueinfo, (uint64_t)pid, (uint64_t)p->info.si_signo, at,
			      0, 0, 0);
	if (r >= 0)
		r = batch_run(b, p->tid ? p->tid : pid, e);
	if (r >= 0)
		r = (int)batch_result(b, 0);
	batch_clear(b);
	return r < 0 ? err_set(e, r, "give it back its signal %d: %s", p->info.si_signo,
			       strerror(-r))
		     : 0;
}

/* Return: 1 one was taken, 0 there is none, -errno */
static int take_one(struct batch *b, pid_t tid, int signo, siginfo_t *ret, struct err *e)
{
	const uint64_t set = 1ULL << (signo - 1);
	const struct timespec now = { 0 };
	uint64_t at_set, at_now, at = 0;
	int r;

	batch_clear(b);
	r = batch_data(b, &set, sizeof(set), &at_set);
	if (!r)
		r = batch_data(b, &now, sizeof(now), &at_now);
	if (!r)
		r = batch_data(b, NULL, sizeof(*ret), &at);
	if (!r)
		r = batch_add(b, SYS_rt_sigtimedwait, at_set, at, at_now, sizeof(set), 0, 0);
	if (r >= 0)
		r = batch_run(b, tid, e);
	if (r >= 0)
		r = batch_result(b, 0) == signo;
	if (r > 0 && batch_read(b, at, ret, sizeof(*ret)) < 0)
		r = -EFAULT;
	batch_clear(b);
	return r;
}

/* those of the thread itself are taken before those of its process */
static int count_own(pid_t tid, int signo, size_t *ret, struct err *e)
{
	struct pending *list;
	size_t n;
	int r = pending_read(tid, false, &list, &n, e);

	*ret = 0;
	for (size_t i = 0; !r && i < n; i++)
		*ret += list[i].info.si_signo == signo;
	if (!r)
		free(list);
	return r;
}

int pending_take(struct batch *b, pid_t tid, int signo, struct pending **ret, size_t *ret_n,
		 struct err *e)
{
	siginfo_t info;
	size_t own;
	int r = count_own(tid, signo, &own, e);

	while (!r && (r = take_one(b, tid, signo, &info, e)) > 0 && *ret_n < PENDING_MAX) {
		struct pending *more = reallocarray(*ret, *ret_n + 1, sizeof(*more));

		if (!more)
			return err_set(e, -ENOMEM, "no memory for a signal");
		*ret = more;
		more[(*ret_n)++] = (struct pending){ .tid = own ? tid : 0, .info = info };
		own -= own > 0;
		r = 0;
	}
	return r < 0 ? err_set(e, r, "take its signal %d: %s", signo, strerror(-r)) : 0;
}

static bool is_of_timer(const struct pending *p, const struct pending *q)
{
	return p->info.si_code == SI_TIMER && q->info.si_code == SI_TIMER &&
	       p->info.si_timerid == q->info.si_timerid;
}

/* the guest has had it, or an older one says it as well */
static bool is_left_out(const struct pending *list, size_t i, uint64_t taken)
{
	if (list[i].number && list[i].number <= taken)
		return true;
	for (size_t k = 0; k < i; k++)
		if ((!list[k].number || list[k].number > taken) && is_of_timer(&list[k], &list[i]))
			return true;
	return false;
}

int pending_put_back(struct batch *b, pid_t pid, const struct pending *list, size_t n,
		     uint64_t taken, struct err *e)
{
	struct pending *later = NULL;
	size_t n_later = 0;
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		if (!is_left_out(list, i, taken) && list[i].info.si_code == SI_TIMER)
			r = pending_take(b, list[i].tid ? list[i].tid : pid, list[i].info.si_signo,
					 &later, &n_later, e);
	for (size_t i = 0; !r && i < n; i++)
		if (!is_left_out(list, i, taken))
			r = pending_queue(b, pid, &list[i], e);
	for (size_t k = 0; !r && k < n_later; k++) {
		bool again = false;

		for (size_t i = 0; i < n; i++)
			again |= !is_left_out(list, i, taken) && is_of_timer(&list[i], &later[k]);
		if (!again)
			r = pending_queue(b, pid, &later[k], e);
	}
	free(later);
	return r;
}
