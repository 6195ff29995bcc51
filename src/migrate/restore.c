/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/restore.h"

#include <errno.h>

#include "migrate/capture.h"
#include "migrate/cpu_timers.h"
#include "migrate/ends.h"
#include "migrate/rlimits.h"
#include "migrate/region.h"
#include "migrate/remap.h"
#include "migrate/rest.h"
#include "migrate/set_state.h"
#include "migrate/sleep_on.h"
#include "migrate/stub_thread.h"
#include "migrate/told.h"

int restore_memory(struct stub *s, const struct image *m, struct err *e)
{
	struct image now;
	int r;

	image_init(&now);
	r = capture_maps(s->pid, s->region, s->region + REGION_BYTES, &s->before, &now, e);
	if (!r)
		r = ends_keep(&s->before, &now, e);
	if (!r)
		r = remap_grow(&s->batch, s->pid, &now, m, e);
	if (!r)
		r = remap(&s->batch, s->pid, &now, m, IMAGE_BY_PLACE, e);
	if (!r)
		r = remap_open_shared(&s->batch, s->pid, m, false, e);
	image_done(&now);
	return r;
}

static const struct image_thread *find(const struct image *m, pid_t tid)
{
	for (size_t i = 0; i < m->n_threads; i++)
		if (m->threads[i].tid == (uint32_t)tid)
			return &m->threads[i];
	return NULL;
}

static bool same_rseq(const struct stub *s, const struct image_thread *t)
{
	const struct image_thread *before = find(&s->before, (pid_t)t->tid);

	return before && before->rseq_address == t->rseq_address;
}

/* what each thread must set for itself; its registers come last */
static int set_threads(struct stub *s, const struct image *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < m->n_threads; i++) {
		const struct image_thread *t = &m->threads[i];

		r = set_state_thread(&s->batch, t, !same_rseq(s, t));
		if (!r)
			r = set_state_run(&s->batch, (pid_t)t->tid, "set the state of a thread", e);
	}
	return r;
}

/* what the stub traces by default, its new threads, is none of our business any more */
static void let_go(const struct image_thread *t, bool keep)
{
	pid_t tid = (pid_t)t->tid;

	if (keep && tracee_set_options(tid, 0) == 0 && tracee_syscall_cont(tid, 0) == 0)
		return;
	set_state_in_call(t, true);
	told_later(tracee_detach(tid, 0));
}

int restore_finish(struct stub *s, const struct image *m, pid_t but, struct err *e)
{
	int r = 0;

	if (m->n_threads != s->n)
		return err_set(e, -EPROTO, "%zu threads have come back, there are %zu",
			       m->n_threads, s->n);
	for (size_t i = 0; i < s->n; i++)
		if (!find(m, s->threads[i]->tid))
			return err_set(e, -EPROTO, "thread %d has not come back",
				       s->threads[i]->tid);
	r = remap_shut_shared(&s->batch, s->pid, m, false, e);
	if (!r)
		r = set_state_process(&s->batch, m, true);
	if (!r)
		r = set_state_run(&s->batch, s->pid, "set the state of the process", e);
	if (!r)
		r = set_threads(s, m, e);
	if (r < 0)
		return r;
	r = cpu_timers_set(&s->batch, m, false, e);
	if (!r)
		r = rlimits_put_back(&s->batch, s->pid, m, &s->before, e);
	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < m->n_threads; i++)
		r = set_state_registers(&m->threads[i]);
	if (r < 0)
		return err_set(e, r, "set its registers: %s", strerror(-r));
	for (size_t i = 0; i < m->n_threads; i++) {
		if (m->threads[i].done)
			told_later(rest_install(s, m, &m->threads[i]));
		else if (m->threads[i].wait_until_ns)
			told_later(sleep_on(s, &m->threads[i])); /* else the whole time anew */
	}
	/* from here on it is the process again, and goes on even if we die */
	stub_leave_nothing(s);
	for (size_t i = 0; i < m->n_threads; i++)
		let_go(&m->threads[i], (pid_t)m->threads[i].tid == but);
	rest_watch(s, s->pid);
	s->pid = 0;
	stub_done(s);
	return 0;
}
