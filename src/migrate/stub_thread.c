/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/stub_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/restarts.h"
#include "forward/call.h"
#include "migrate/rlimits.h"
#include "migrate/region.h"
#include "os/fd.h"

static bool slot_used(const struct stub *s, unsigned int slot)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->threads[i]->slot == slot)
			return true;
	return false;
}

struct stub_thread *stub_thread_new(struct stub *s, pid_t tid)
{
	struct stub_thread *t;
	unsigned int slot = 0;

	if (s->n == IMAGE_THREADS_MAX)
		return NULL;
	while (slot_used(s, slot))
		slot++;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct stub_thread){ .stub = s, .tid = tid, .slot = slot, .sock = -1, .there = -1 };
	buf_init(&t->in, sizeof(uint32_t) + CALL_BYTES_MAX);
	buf_init(&t->out, sizeof(uint32_t) + CALL_BYTES_MAX);
	s->threads[s->n++] = t;
	return t;
}

void stub_thread_free(struct stub_thread *t)
{
	loop_remove(t->stub->loop, &t->ref);
	fd_close(&t->sock);
	buf_done(&t->in);
	buf_done(&t->out);
	free(t);
}

void stub_thread_remove(struct stub_thread *t)
{
	struct stub *s = t->stub;

	if (t->there >= 0 && s->n_stale < ARRAY_LEN(s->stale))
		s->stale[s->n_stale++] = t->there;
	for (size_t i = 0; i < s->n; i++)
		if (s->threads[i] == t) {
			s->threads[i] = s->threads[--s->n];
			break;
		}
	stub_thread_free(t);
}

struct stub_thread *stub_thread_find(const struct stub *s, pid_t tid)
{
	/* 0: not born yet, and nobody's to ask for */
	for (size_t i = 0; tid && i < s->n; i++)
		if (s->threads[i]->tid == tid)
			return s->threads[i];
	return NULL;
}

/* ------------------------------------------------------------------ socket */

static int run_pair(struct stub *s, pid_t by, int ret[2], struct err *e)
{
	uint64_t at;
	int r = batch_data(&s->batch, NULL, 2 * sizeof(int), &at);

	if (!r)
		r = batch_add(&s->batch, SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, at,
			      0, 0);
	if (r >= 0)
		r = batch_run(&s->batch, by, e);
	if (r >= 0 && batch_result(&s->batch, 0) < 0)
		r = (int)batch_result(&s->batch, 0);
	if (r >= 0)
		r = batch_read(&s->batch, at, ret, 2 * sizeof(int));
	batch_clear(&s->batch);
	return r;
}

/*
 * Its end goes to a high number, both low ones are free again. That number is above what the program
 * may have, whatever that is now: the limit is another one for the moment, and then as it was.
 */
static int run_move(struct stub *s, pid_t by, const int pair[2], int *ret_there, struct err *e)
{
	const uint64_t files = rlimits_home_files(&s->before);
	const struct rlimit enough = { files, files };
	uint64_t at, was = 0;
	int there = 0, r = batch_data(&s->batch, &enough, sizeof(enough), &at);

	if (!r)
		r = batch_data(&s->batch, NULL, sizeof(enough), &was);
	if (!r)
		r = batch_add(&s->batch, SYS_prlimit64, 0, RLIMIT_NOFILE, at, was, 0, 0);
	if (r >= 0)
		r = there = batch_add(&s->batch, SYS_fcntl, (uint64_t)pair[1], F_DUPFD_CLOEXEC,
				      s->first_fd, 0, 0, 0);
	if (r >= 0)
		r = batch_add(&s->batch, SYS_prlimit64, 0, RLIMIT_NOFILE, was, 0, 0, 0);
	if (r >= 0)
		r = batch_add(&s->batch, SYS_close, (uint64_t)pair[0], 0, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_add(&s->batch, SYS_close, (uint64_t)pair[1], 0, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_run(&s->batch, by, e);
	if (r >= 0) {
		*ret_there = (int)batch_result(&s->batch, there);
		r = *ret_there < 0 ? *ret_there : 0;
	}
	batch_clear(&s->batch);
	return r;
}

int stub_thread_connect(struct stub_thread *t, pid_t by, struct err *e)
{
	const int room = CALL_BYTES_MAX;
	struct stub *s = t->stub;
	int pair[2], r;

	batch_clear(&s->batch);
	r = run_pair(s, by, pair, e);
	if (!r) {
		t->sock = (int)syscall(SYS_pidfd_getfd, s->pidfd, pair[0], 0);
		if (t->sock < 0)
			r = -errno;
	}
	if (!r)
		r = run_move(s, by, pair, &t->there, e);
	if (!r)
		r = fd_nonblock(t->sock, 1);
	/* a request fits in whole: the kernel doubles the number, which allows for what it adds */
	if (!r && setsockopt(t->sock, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "give thread %d a socket: %s", t->tid, strerror(-r)) : 0;
}

/* ---------------------------------------------------------------- parasite */

int stub_thread_context(const struct stub_thread *t)
{
	const struct parasite_context c = {
		.fd = t->there,
		.phase = t->tid ? PARASITE_IDLE : PARASITE_PREPARED,
		.first_slot = region_slot(t->stub->region, 0),
		.n_slots = PARASITE_SLOTS,
		.has_door = t->stub->view != NULL,
	};

	return tracee_write(t->stub->pid, region_slot(t->stub->region, t->slot), &c, sizeof(c));
}

int stub_thread_enter(const struct stub_thread *t)
{
	uint64_t slot = region_slot(t->stub->region, t->slot);
	struct user_regs_struct regs;
	int r = stub_thread_context(t);

	if (!r)
		r = tracee_get_regs(t->tid, &regs);
	if (r < 0)
		return r;
	regs.rip = t->stub->region + parasite_entry();
	regs.rdi = slot;
	regs.rsp = slot + PARASITE_SLOT_BYTES;
	regs.orig_rax = (uint64_t)-1;
	regs.eflags &= ~0x400ULL; /* the direction flag is clear in C */
	return tracee_set_regs(t->tid, &regs);
}

int stub_thread_interrupted(struct stub_thread *t, enum stub_call_state *ret)
{
	uint64_t begin = t->stub->region + parasite_call_begin();
	uint64_t end = t->stub->region + parasite_call_end();
	struct parasite_context c;
	struct user_regs_struct regs;
	bool waits;
	int r = tracee_read(t->stub->pid, region_slot(t->stub->region, t->slot), &c, sizeof(c));

	if (!r)
		r = tracee_get_regs(t->tid, &regs);
	if (r < 0)
		return r;
	/* the request may still be in the socket, and a new thread not yet in its loop */
	waits = c.phase == PARASITE_IDLE || c.phase == PARASITE_PREPARED;
	*ret = waits && t->calling ? STUB_CALL_BEFORE : STUB_CALL_NONE;
	if (c.phase != PARASITE_CALL)
		return 0;
	if (regs.rip == begin && (int64_t)regs.orig_rax < 0) {
		/* not yet made: it never will be */
		regs.rax = (uint64_t)-ERESTARTNOINTR;
		regs.rip = end;
	} else if (regs.rip == end && (int64_t)regs.orig_rax >= 0) {
		/* the kernel would restart it; the guest's kernel decides that */
		regs.orig_rax = (uint64_t)-1;
	} else if (regs.rip != end) {
		*ret = STUB_CALL_BEFORE;
		return 0;
	}
	*ret = STUB_CALL_ENDED;
	return tracee_set_regs(t->tid, &regs);
}
