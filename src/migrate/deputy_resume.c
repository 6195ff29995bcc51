/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_resume.c - the host is lost, and the process goes on from the image that is kept
 *
 * Theory of operation. Only in a state in which nothing was done to the stub for the way home, and
 * only if the ledger has nothing that others may have noticed. Then, in this order:
 *
 *	fence	the stream is closed, with its key and with all that was numbered on it: from here on
 *		no frame of the old guest is taken, and comosixd gives it no other stream, for this
 *		move is over. So whatever runs there still, nothing of it comes out. deputy_lost() is
 *		called when the stream was ended on purpose, or after the whole lease; the guest has
 *		ended itself by then
 *	quiet	calls that the old guest has begun are cancelled, and each is waited for: what it has
 *		done meanwhile is in the ledger as well
 *	judge	the ledger once more, and whether anybody else has written to the same files
 *	rebuild	files are cut back, descriptors and offsets put as they were, threads that came
 *		after the image end; then memory, signals and registers as on the way home
 *
 * Up to the judgement nothing has been changed. What fails after it ends the process, as if there had
 * been no image. The signals: those that waited in the image, then all that were told after it, but
 * for those that the process has sent to itself since: it will do that again.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "log/log.h"
#include "migrate/deputy_checkpoint.h"
#include "migrate/pages_frame.h"
#include "migrate/region.h"
#include "migrate/restore.h"
#include "migrate/set_state.h"
#include "migrate/stub_thread.h"
#include "migrate/told.h"

#define EARLY_CHUNKS 4	   /* of 2 MiB, in one turn of the loop */
#define QUIET_MS     10000 /* for cancelled calls to end; what waits for a disk may take longer */

/* ---------------------------------------------------------------- descriptors */

/* the process takes a descriptor out of the socket of its first thread; *ret: its number there */
static int receive_there(struct deputy *d, int *ret, struct err *e)
{
	struct batch *b = &d->stub.batch;
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iovlen = 1, .msg_controllen = sizeof(control) };
	struct iovec v = { .iov_len = 1 };
	uint64_t at, place[3];
	int r;

	batch_clear(b);
	r = batch_data(b, NULL, 8, &place[0]);
	v.iov_base = (void *)place[0];
	if (!r)
		r = batch_data(b, &v, sizeof(v), &place[1]);
	if (!r)
		r = batch_data(b, NULL, sizeof(control), &place[2]);
	m.msg_iov = (struct iovec *)place[1];
	m.msg_control = (void *)place[2];
	if (!r)
		r = batch_data(b, &m, sizeof(m), &at);
	if (!r)
		r = batch_add(b, SYS_recvmsg, (uint64_t)d->stub.threads[0]->there, at,
			      MSG_CMSG_CLOEXEC | MSG_DONTWAIT, 0, 0, 0);
	if (r >= 0)
		r = batch_run(b, d->stub.pid, e);
	if (!r && batch_result(b, 0) != 1)
		r = -EIO;
	if (!r)
		r = batch_read(b, place[2], &control, sizeof(control));
	batch_clear(b);
	if (!r)
		memcpy(ret, CMSG_DATA(&control.head), sizeof(*ret));
	return r;
}

static int send_there(const struct deputy *d, int fd)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec v = { .iov_base = (void *)"", .iov_len = 1 };
	const struct msghdr m = { .msg_iov = &v,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(d->stub.threads[0]->sock, &m, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* as it was at the image: this open file, or none */
static int put_descriptor(void *owner, int number, int kept, bool close_exec, struct err *e)
{
	struct deputy *d = owner;
	struct batch *b = &d->stub.batch;
	int there = -1, r = 0;

	if (kept >= 0) {
		r = send_there(d, kept);
		if (!r)
			r = receive_there(d, &there, e);
	}
	batch_clear(b);
	if (!r && kept < 0)
		r = batch_add(b, SYS_close, (uint64_t)number, 0, 0, 0, 0, 0);
	if (!r && kept >= 0 && there != number) {
		r = batch_add(b, SYS_dup3, (uint64_t)there, (uint64_t)number,
			      close_exec ? SOCK_CLOEXEC : 0, 0, 0, 0);
		if (r >= 0)
			r = batch_add(b, SYS_close, (uint64_t)there, 0, 0, 0, 0, 0);
	} else if (!r && kept >= 0 && !close_exec) {
		r = batch_add(b, SYS_fcntl, (uint64_t)number, 2 /* F_SETFD */, 0, 0, 0, 0);
	}
	if (r >= 0)
		r = batch_run(b, d->stub.pid, e);
	/* closed already: it is as it should be */
	if (!r && kept >= 0 && b->n && batch_first_failure(b) >= 0)
		r = (int)batch_result(b, batch_first_failure(b));
	batch_clear(b);
	return r < 0 ? err_set(e, r, "give descriptor %d back to it: %s", number, strerror(-r)) : 0;
}

/* ---------------------------------------------------------------- pages, signals */

struct rebuilding {
	struct deputy *d;
	const struct image *image;
	bool early; /* into the mappings of its departure, before those of the image are made of them */
	struct pages_writer writer;
};

/* early: what may be mapped anew for the image would lose its pages, and nobody would put them once more */
static bool stays(const struct image *m, uint64_t at)
{
	const struct image_mapping *v = image_at(m, at);

	return v && !v->file && !(v->flags & (IMAGE_MAP_SHARED | IMAGE_MAP_BEYOND));
}

static int put_page(void *owner, uint64_t at, enum page_store_kind kind, const uint8_t *bytes,
		    struct err *e)
{
	static const uint32_t kinds[] = {
		[PAGE_STORE_BYTES] = PAGES_BYTES,
		[PAGE_STORE_ZERO] = PAGES_ZERO,
		[PAGE_STORE_ABSENT] = PAGES_ABSENT,
	};
	const struct rebuilding *to = owner;
	struct {
		struct pages_header h;
		uint8_t bytes[MOVE_PAGE];
	} payload = { .h = { .at = at, .n = 1, .kind = kinds[kind] } };
	const struct move_frame f = {
		.type = MOVE_PAGES,
		.payload = (const uint8_t *)&payload,
		.len = (uint32_t)sizeof(payload.h) + (bytes ? MOVE_PAGE : 0),
	};
	bool end;

	int r;

	if (!deputy_is_mapped(to->image, at, at + MOVE_PAGE))
		return 0; /* unmapped since it came, or mapped since it left */
	if (to->early && !stays(to->image, at))
		return 0;
	if (kind == PAGE_STORE_ABSENT && !to->writer.drop)
		return 0; /* not while the stub works */
	if (bytes)
		memcpy(payload.bytes, bytes, MOVE_PAGE);
	r = pages_write(&to->writer, &f, &end, e);
	return r < 0 ? r : 1;
}

int deputy_put_early(struct deputy *d, uint64_t *from, struct err *e)
{
	struct rebuilding to = {
		.d = d,
		.image = &d->stub.before,
		.early = true,
		.writer = { .mem = d->mem,
			    .pagemap = d->pagemap,
			    .owner = d,
			    .hide_start = d->stub.region,
			    .hide_end = d->stub.region + REGION_BYTES },
	};

	return page_store_some(&d->checkpoint->store, from, EARLY_CHUNKS, put_page, &to, e);
}

static int put_pages(struct deputy *d, const struct image *m, struct err *e)
{
	struct rebuilding to = {
		.d = d,
		.image = m,
		.writer = { .mem = d->mem,
			    .pagemap = d->pagemap,
			    .drop = deputy_drop_pages,
			    .owner = d,
			    .hide_start = d->stub.region,
			    .hide_end = d->stub.region + REGION_BYTES },
	};
	int r = page_store_each(&d->checkpoint->store, put_page, &to, e);

	return r < 0 ? r : set_state_run(&d->stub.batch, d->pid, "give pages back", e);
}

/*
 * Sent by the process to itself, after the image: it will do that once more. Without a number: by a
 * call that was still under way when its host was lost
 */
static bool comes_again(const struct checkpoint *c, const struct pending *p)
{
	const siginfo_t *i = &p->info;

	return (!p->number || p->number > c->told_at) && i->si_code <= 0 &&
	       i->si_code != SI_TIMER && i->si_pid == c->deputy->pid;
}

static int put_signals(struct deputy *d, bool undo, struct err *e)
{
	const struct checkpoint *c = d->checkpoint;
	int r = 0;

	for (size_t i = 0; !r && i < c->at.n; i++)
		r = pending_queue(&d->stub.batch, d->pid, &c->at.list[i], e);
	for (size_t i = 0; !r && i < c->told.n; i++) {
		const struct pending *p = &c->told.list[i];

		if ((!p->number || p->number > c->taken) && !(undo && comes_again(c, p)))
			r = pending_queue(&d->stub.batch, d->pid, p, e);
	}
	return r;
}

/* ---------------------------------------------------------------- threads */

static struct image_thread *thread_of(const struct image *m, pid_t tid)
{
	for (size_t i = 0; i < m->n_threads; i++)
		if (m->threads[i].tid == (uint32_t)tid)
			return &m->threads[i];
	return NULL;
}

/* those that began after the image, or have ended before it */
static void end_threads(struct deputy *d, const struct image *m)
{
	for (size_t i = 0; i < d->stub.n; i++)
		if (!thread_of(m, d->stub.threads[i]->tid) && !d->stub.threads[i]->ending)
			stub_gone(&d->stub, d->stub.threads[i]->tid);
}

/*
 * A sleep that was interrupted before it left, and whose rest was in the kernel: the stub has made
 * other calls since, so it sleeps its whole time. It is never too short.
 */
static void begin_sleeps_anew(struct deputy *d, struct image *m)
{
	for (size_t i = 0; i < m->n_threads; i++) {
		const struct image_thread *left = thread_of(&d->stub.before,
							    (pid_t)m->threads[i].tid);

		if (m->threads[i].regs.rax == SYS_restart_syscall && left && left->restart_call)
			m->threads[i].regs.rax = left->restart_call;
	}
}

int deputy_rebuild(struct deputy *d, bool undo, struct err *e)
{
	struct checkpoint *c = d->checkpoint;
	struct image *m = c->image.n_threads ? &c->image : &d->stub.before;
	int r = d->mem < 0 ? deputy_open_memory(d, e) : 0;

	end_threads(d, m);
	if (!r)
		r = deputy_stop_stub(d, e);
	if (!r)
		r = restore_memory(&d->stub, m, e);
	if (!r && undo) {
		r = ledger_undo(&c->ledger, e);
		if (!r)
			r = ledger_descriptors(&c->ledger, put_descriptor, d, e);
		begin_sleeps_anew(d, m);
	}
	if (!r)
		r = put_pages(d, m, e);
	if (!r)
		r = put_signals(d, undo, e);
	deputy_hold(m);
	return r < 0 ? r : restore_finish(&d->stub, m, undo ? 0 : deputy_again_thread(d), e);
}

/* ---------------------------------------------------------------- the course of it */

static void end_it(struct deputy *d, const char *why)
{
	char text[ERR_TEXT_MAX];

	(void)snprintf(text, sizeof(text),
		       "the process was lost with its host and is ended: %s; %s",
		       d->checkpoint->why, why);
	if (d->stub.pid)
		(void)kill(d->stub.pid, SIGKILL); /* gone already: all the better */
	deputy_over(d, 1, text);
}

static void finish(struct deputy *d)
{
	struct checkpoint *c = d->checkpoint;
	uint64_t age_s = (loop_now(d->loop) - c->kept_ms) / 1000;
	const char *outside = ledger_outside(&c->ledger);
	char text[ERR_TEXT_MAX];
	struct err e = { 0 };
	int r = 0;

	loop_remove(d->loop, &c->deadline);
	if (outside)
		r = err_set(&e, -EBUSY, "others may have noticed what it did since its image (%s)",
			    outside);
	if (!r)
		r = ledger_check(&c->ledger, &e);
	if (!r)
		r = deputy_rebuild(d, true, &e);
	if (r < 0) {
		end_it(d, e.text);
		return;
	}
	(void)snprintf(text, sizeof(text), "it goes on at home from its image of %llu s ago: %s",
		       (unsigned long long)age_s, c->why);
	deputy_enter(d, DEPUTY_OVER, 0);
	d->state = DEPUTY_RESUMING;
	deputy_over(d, 0, text);
}

static void on_turn(void *owner)
{
	struct deputy *d = owner;
	struct checkpoint *c = d->checkpoint;

	c->turn = (struct ev_ref){ 0 };
	if (d->state != DEPUTY_RESUMING)
		return;
	if (d->channel) {
		channel_free(d->channel);
		d->channel = NULL;
		for (size_t i = 0; i < d->stub.n; i++)
			stub_cancel(&d->stub, d->stub.threads[i]->tid);
	}
	if (stub_is_idle(&d->stub))
		finish(d);
}

static void on_deadline(void *owner)
{
	struct deputy *d = owner;

	d->checkpoint->deadline = (struct ev_ref){ 0 };
	if (d->state == DEPUTY_RESUMING)
		end_it(d, "a call of it does not end");
}

/* not now: whoever tells us is in the middle of something */
static int turn_soon(struct deputy *d)
{
	struct checkpoint *c = d->checkpoint;

	return c->turn.gen ? 0 : loop_add_timer(d->loop, loop_now(d->loop), on_turn, d, &c->turn);
}

void deputy_resume_answer(struct deputy *d)
{
	if (turn_soon(d) < 0)
		end_it(d, "no memory for a timer");
}

bool deputy_resume(struct deputy *d, const char *why, char *ret_why, size_t len)
{
	struct checkpoint *c = d->checkpoint;
	const char *outside;

	if (!c || d->state < DEPUTY_AWAY)
		return false;
	if (d->state == DEPUTY_RESUMING)
		return true; /* it is on its way */
	outside = ledger_outside(&c->ledger);
	if (outside || d->state == DEPUTY_RETURNING) {
		(void)snprintf(ret_why, len, "; there is no way back to its image: %s",
			       outside ? outside : "it was half at home");
		return false;
	}
	(void)snprintf(c->why, sizeof(c->why), "%s", why);
	log_warn("%s; it goes back to its image", why);
	deputy_enter(d, DEPUTY_RESUMING, 0);
	stub_room(&d->stub);
	loop_remove(d->loop, &d->lease_ref);
	loop_remove(d->loop, &c->timer);
	if (turn_soon(d) < 0 ||
	    loop_add_timer(d->loop, loop_now(d->loop) + QUIET_MS, on_deadline, d, &c->deadline) < 0)
		end_it(d, "no memory for a timer");
	return true;
}
