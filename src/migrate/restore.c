/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/restore.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "migrate/capture.h"
#include "migrate/region.h"
#include "migrate/set_state.h"
#include "migrate/stub_thread.h"
#include "migrate/told.h"

#define NO_REBUILD (IMAGE_MAP_VDSO | IMAGE_MAP_VSYSCALL)

/* the batch of the moment; a full one is run and begun again */
static int add(struct stub *s, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
	       uint64_t a4, struct err *e)
{
	int r = batch_add(&s->batch, nr, a0, a1, a2, a3, a4, 0);

	if (r != -ENOBUFS)
		return r < 0 ? err_set(e, r, "make a batch: %s", strerror(-r)) : 0;
	r = set_state_run(&s->batch, s->pid, "change its mappings", e);
	if (!r)
		r = batch_add(&s->batch, nr, a0, a1, a2, a3, a4, 0);
	return r < 0 ? r : 0;
}

/* the first mapping that ends behind an address, from index *i on */
static const struct image_mapping *behind(const struct image *m, size_t *i, uint64_t at)
{
	while (*i < m->n_mappings && m->mappings[*i].end <= at)
		(*i)++;
	return *i < m->n_mappings ? &m->mappings[*i] : NULL;
}

/* what the stub has: unmap what the guest has not, protect as the guest has it */
static int change_old(struct stub *s, const struct image *now, const struct image *m,
		      struct err *e)
{
	size_t k = 0;
	int r = 0;

	for (size_t i = 0; !r && i < now->n_mappings; i++) {
		const struct image_mapping *v = &now->mappings[i];
		uint64_t at = v->start;

		if (v->flags & NO_REBUILD)
			continue;
		while (!r && at < v->end) {
			const struct image_mapping *w = behind(m, &k, at);
			uint64_t end = v->end;

			if (w && w->start <= at) {
				end = w->end < end ? w->end : end;
				if (w->prot != v->prot)
					r = add(s, SYS_mprotect, at, end - at, w->prot, 0, 0, e);
			} else {
				end = w && w->start < end ? w->start : end;
				r = add(s, SYS_munmap, at, end - at, 0, 0, 0, e);
			}
			at = end;
		}
	}
	return r;
}

/* what the guest has and the stub has not */
static int add_new(struct stub *s, const struct image *now, const struct image *m, struct err *e)
{
	size_t k = 0;
	int r = 0;

	for (size_t i = 0; !r && i < m->n_mappings; i++) {
		const struct image_mapping *v = &m->mappings[i];
		uint64_t at = v->start;

		if (v->flags & NO_REBUILD)
			continue;
		while (!r && at < v->end) {
			const struct image_mapping *w = behind(now, &k, at);
			uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
			uint64_t end = v->end;

			if (w && w->start <= at) {
				at = w->end < end ? w->end : end;
				continue;
			}
			end = w && w->start < end ? w->start : end;
			if (v->flags & IMAGE_MAP_GROWSDOWN)
				flags |= MAP_GROWSDOWN;
			r = add(s, SYS_mmap, at, end - at, v->prot, flags, (uint64_t)-1, e);
			at = end;
		}
	}
	return r;
}

int restore_memory(struct stub *s, const struct image *m, struct err *e)
{
	struct image now;
	int r;

	image_init(&now);
	r = capture_maps(s->pid, s->region, s->region + REGION_BYTES, &now, e);
	batch_clear(&s->batch);
	if (!r)
		r = change_old(s, &now, m, e);
	if (!r)
		r = add_new(s, &now, m, e);
	image_done(&now);
	return r < 0 ? r : set_state_run(&s->batch, s->pid, "change its mappings", e);
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

int restore_finish(struct stub *s, const struct image *m, struct err *e)
{
	int r = 0;

	if (m->n_threads != s->n)
		return err_set(e, -EPROTO, "%zu threads have come back, there are %zu", m->n_threads,
			       s->n);
	for (size_t i = 0; i < s->n; i++)
		if (!find(m, s->threads[i]->tid))
			return err_set(e, -EPROTO, "thread %d has not come back",
				       s->threads[i]->tid);
	r = set_state_process(&s->batch, m);
	if (!r)
		r = set_state_run(&s->batch, s->pid, "set the state of the process", e);
	if (!r)
		r = set_threads(s, m, e);
	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < m->n_threads; i++)
		r = set_state_registers(&m->threads[i]);
	if (r < 0)
		return err_set(e, r, "set its registers: %s", strerror(-r));
	/* from here on it is the process again, and goes on even if we die */
	stub_leave_nothing(s);
	for (size_t i = 0; i < s->n; i++)
		told_later(tracee_detach(s->threads[i]->tid, 0));
	s->pid = 0;
	stub_done(s);
	return 0;
}
