/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

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
