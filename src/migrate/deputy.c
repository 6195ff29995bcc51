/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deputy.c - the way out, and what every state has in common */
#include "migrate/deputy.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "log/log.h"
#include "migrate/clock.h"
#include "migrate/deputy_checkpoint.h"
#include "migrate/ends.h"
#include "migrate/preflight.h"
#include "os/clock.h"
#include "os/fd.h"
#include "tracee/maps.h"

/* for all that one frame makes us inject; a process that waits for a disk stops in that time */
#define WATCH_S 10
#define REFUSED 5 /* exit status: ctl/exit_status.h */

void deputy_enter(struct deputy *d, enum deputy_state s, uint64_t freeze_us)
{
	d->state = s;
	d->ops->state(d->owner, s, freeze_us);
}

void deputy_lap(struct deputy *d, const char *name)
{
	laps_mark(&d->laps, name, clock_boot_us());
}

void deputy_over(struct deputy *d, int status, const char *why)
{
	if (d->state == DEPUTY_OVER)
		return;
	d->state = DEPUTY_OVER;
	loop_remove(d->loop, &d->lease_ref);
	d->ops->over(d->owner, status, why);
}

void deputy_undo(struct deputy *d, int status, const char *why)
{
	pages_reader_done(&d->reader);
	dirty_end(&d->dirty);
	stub_release(&d->stub);
	deputy_over(d, status, why);
}

void deputy_lost(struct deputy *d, const char *why)
{
	char text[ERR_TEXT_MAX], image[128] = "";

	if (d->state == DEPUTY_OVER || deputy_resume(d, why, image, sizeof(image)))
		return;
	/* it may have run on there until it ended by its lease: it must not run on here as well */
	(void)snprintf(text, sizeof(text), "the process was lost with its host and is ended: %s%s",
		       why, image);
	if (d->stub.pid)
		(void)kill(d->stub.pid, SIGKILL); /* gone already: all the better */
	deputy_over(d, 1, text);
}

void deputy_send(struct deputy *d, enum move_type type, const void *p, size_t n, const void *q,
		 size_t m)
{
	int r = d->state == DEPUTY_RESUMING ? 0 : channel_send(d->channel, type, p, n, q, m);

	if (r < 0 && r != -EPIPE)
		deputy_lost(d, "the host takes nothing any more");
}

/* ----------------------------------------------------------------- way out */

static int send_image(struct deputy *d)
{
	while (channel_room(d->channel, MOVE_PAYLOAD_MAX)) {
		size_t n = d->image_bytes.len < MOVE_PAYLOAD_MAX ? d->image_bytes.len
								 : MOVE_PAYLOAD_MAX;
		int r = channel_send(d->channel, MOVE_IMAGE, buf_bytes(&d->image_bytes), n, NULL,
				     0);

		if (r < 0)
			return r;
		if (!n)
			return 1;
		buf_eat(&d->image_bytes, n);
	}
	return 0;
}

/* Return: 1 all is sent, 0 there is no room, -errno */
static int send_all(struct deputy *d, struct err *e)
{
	int r = 1;

	if (!d->image_is_sent) {
		r = send_image(d);
		d->image_is_sent = r > 0;
		if (r < 0)
			return err_set(e, r, "send its image: %s", strerror(-r));
	}
	if (r > 0)
		r = pages_send(&d->reader, d->channel, e);
	d->bytes_out = d->reader.bytes;
	if (r > 0 && !channel_room(d->channel, MOVE_PAYLOAD_MAX))
		r = 0; /* for the end */
	return r;
}

/* a filter that is not the wall of an earlier move would be lost at the host */
static int check_filter(struct deputy *d, struct err *e)
{
	struct proc_stat st;
	int r = proc_stat_read(d->pid, &st, e);

	if (r < 0 || !st.seccomp)
		return r;
	r = confine_is_ours(&d->stub, e);
	if (r)
		return r < 0 ? r : 0;
	return err_set(e, -EPERM, "it has restricted its own system calls (seccomp)");
}

/* before RUN: it goes on here; or the move goes on, with the program that it is now */
static void give_up(struct deputy *d, int r, const char *why)
{
	if (deputy_began_anew(d, r))
		deputy_anew(d);
	else
		deputy_undo(d, r == -ENOMEM ? 1 : REFUSED, why);
}

static void go_on_sending(struct deputy *d)
{
	struct err e = { 0 };
	int r;

	if (d->anew)
		return;
	r = d->all_is_sent ? 0 : send_all(d, &e);
	if (r > 0 && d->late == DEPUTY_LATE_WANTED) {
		static const uint32_t question;

		r = channel_send(d->channel, MOVE_LATE, &question, sizeof(question), NULL, 0);
		d->late = DEPUTY_LATE_ASKED;
		r = r < 0 ? r : 1;
	}
	if (r > 0) {
		d->all_is_sent = true;
		r = d->state == DEPUTY_COPYING
			    ? channel_send(d->channel, MOVE_ROUND, NULL, 0, NULL, 0)
			    : pages_send_end(d->channel);
		if (!r && d->state == DEPUTY_SENDING)
			deputy_enter(d, DEPUTY_BUILDING, 0);
		if (!r && d->state == DEPUTY_BUILDING)
			deputy_lap(d, "send");
	}
	if (r < 0 && deputy_began_anew(d, r))
		deputy_anew(d);
	else if (r < 0)
		deputy_undo(d, 1, e.code ? e.text : "the host takes nothing any more");
}

int deputy_seize(struct deputy *d, struct err *e)
{
	/* it has begun one since it was looked at: its other threads would wait with us */
	if (preflight_vfork(d->pid))
		return err_set(e, -EBUSY, "%s", preflight_sentence(PREFLIGHT_VFORK));
	return stub_seize(&d->stub, d->pid, e);
}

static int read_it(struct deputy *d, struct err *e)
{
	int r = deputy_seize(d, e);

	if (!r && deputy_began_anew(d, 0))
		r = err_set(e, -ESRCH, "it has begun another program");
	deputy_lap(d, "stop");
	/* before our region is there, which is no part of it */
	if (!r && d->tracking)
		r = dirty_round(&d->dirty, true, e);
	deputy_lap(d, "track");
	if (!r)
		r = stub_prepare(&d->stub, d->early.parasite,
				 d->tracking || d->late ? &d->flags : NULL, e);
	deputy_lap(d, "read");
	if (!r)
		r = check_filter(d, e);
	if (!r)
		r = deputy_files_check(d, e);
	deputy_files_mark(d, &d->stub.before);
	if (!r)
		r = ends_mark(d->pid, &d->stub.before, e);
	if (!r)
		r = image_check(&d->stub.before, e);
	if (!r && mapped_files(&d->mapped, &d->stub.before) < 0)
		r = err_set(e, -ENOMEM, "no memory for a list of its files");
	if (!r) {
		r = image_put(&d->image_bytes, &d->stub.before);
		if (r < 0)
			(void)err_set(e, r, "write its image: %s", strerror(-r));
	}
	d->image_is_sent = false;
	return r < 0 ? r : deputy_copy_last(d, e);
}

static void capture(struct deputy *d)
{
	struct err e = { 0 };
	int r;

	d->froze_us = clock_boot_us();
	laps_start(&d->laps, d->froze_us);
	r = read_it(d, &e);
	deputy_lap(d, "write");
	d->all_is_sent = false;
	if (r < 0) {
		give_up(d, r, e.text);
		return;
	}
	deputy_enter(d, DEPUTY_SENDING, 0);
	go_on_sending(d);
}

static void begin_sending(struct deputy *d)
{
	if (!d->tracking && !d->late) {
		capture(d);
		return;
	}
	deputy_enter(d, DEPUTY_COPYING, 0);
	go_on_sending(d);
}

static void start_copying(struct deputy *d)
{
	struct err why = { 0 };
	int r = deputy_copy_start(d, &why);

	if (r < 0)
		give_up(d, r, why.text);
	else
		begin_sending(d);
}

/* the host has forgotten what came before */
static int take_anew(struct deputy *d, const struct move_frame *f, struct err *e)
{
	(void)f;
	if (!d->anew)
		return err_set(e, -EPROTO, "ANEW, which was not said");
	d->anew = false;
	start_copying(d);
	return 0;
}

/* after it the host knows what it will be sent, and the first bytes may go */
static int take_have(struct deputy *d, const struct move_frame *f, struct err *e)
{
	int r = deputy_files_take_have(d, f, e);

	if (!r)
		start_copying(d);
	return r;
}

static int take_clock(struct deputy *d, const struct move_frame *f, struct err *e)
{
	struct clocks both[2];
	int r;

	memcpy(&both[1], f->payload, sizeof(both[1])); /* wire/move.h: it is that long */
	clocks_read(&both[0]);
	r = channel_send(d->channel, MOVE_CLOCK, both, sizeof(both), NULL, 0);
	if (r < 0)
		return err_set(e, r, "answer the host: %s", strerror(-r));
	return ++d->clocks_told == CLOCKS_SAMPLES ? deputy_files_tell(d, e) : 0;
}

static int take_round(struct deputy *d, const struct move_frame *f, struct err *e)
{
	struct err why = { 0 };
	bool enough = false;
	int r;

	(void)f;
	if (d->anew)
		return 0; /* of the program before */
	if (!d->all_is_sent)
		return err_set(e, -EPROTO, "the end of a round that goes on");
	d->all_is_sent = false;
	r = deputy_copy_next(d, &enough, &why);
	if (r < 0)
		give_up(d, r, why.text);
	else if (enough)
		capture(d);
	else
		begin_sending(d);
	return 0;
}

static int take_built(struct deputy *d, const struct move_frame *f, struct err *e)
{
	struct err why = { 0 };
	int r;

	(void)f;
	deputy_lap(d, "build");
	/* it has all that was sent; what it is told from now on may have to be told again */
	channel_keep(d->channel, true);
	/* the last thing before RUN, for it cannot be undone */
	if (confine_is_wanted(&d->confine) && confine_enter(&d->confine, &d->stub, &why) < 0) {
		deputy_undo(d, 5, why.text);
		return 0;
	}
	r = stub_enter(&d->stub, e);
	if (r < 0)
		return r;
	r = stub_tell_pending(&d->stub, e);
	if (r < 0)
		return r;
	/* POINT OF NO RETURN. No thread here can execute the program any more, even if we die now */
	r = channel_send(d->channel, MOVE_RUN, NULL, 0, NULL, 0);
	if (r < 0)
		return err_set(e, r, "tell the host to go on: %s", strerror(-r));
	r = stub_start(&d->stub, e);
	deputy_lap(d, "go");
	deputy_enter(d, DEPUTY_AWAY, clock_boot_us() - d->froze_us);
	mapped_look(&d->mapped, d->pid); /* before its first call is taken */
	if (d->late)
		r = r < 0 ? r : deputy_late_run(d, e);
	else
		pages_reader_done(&d->reader);
	dirty_end(&d->dirty); /* takes some time for each GiB: not before */
	deputy_files_done(d);
	if (d->checkpoint)
		checkpoint_start(d->checkpoint);
	if (r < 0)
		deputy_lost(d, e->text);
	else if (d->recall)
		deputy_fetch(d);
	return 0;
}

static int take_fail(struct deputy *d, const struct move_frame *f, struct err *e)
{
	char text[ERR_TEXT_MAX];

	(void)e;
	deputy_undo(d, 5,
		    log_quote(strndupa((const char *)f->payload, f->len), text, sizeof(text)));
	return 0;
}

void deputy_fetch(struct deputy *d)
{
	struct err e = { 0 };

	d->recall = true;
	if (d->state != DEPUTY_AWAY || (d->checkpoint && checkpoint_holds_recall(d->checkpoint)))
		return;
	d->froze_us = clock_boot_us();
	laps_start(&d->laps, d->froze_us);
	deputy_enter(d, DEPUTY_RECALLING, 0);
	if (d->mem < 0 && deputy_open_memory(d, &e) < 0)
		deputy_lost(d, e.text);
	else
		deputy_send(d, MOVE_RECALL, NULL, 0, NULL, 0);
}

void deputy_recall(struct deputy *d)
{
	d->again.tid = 0;
	deputy_again_stop(d);
	deputy_fetch(d);
}

static int take_homeward(struct deputy *d, const struct move_frame *f, struct err *e)
{
	uint32_t why[2]; /* call, thread */

	(void)e;
	memcpy(why, f->payload, sizeof(why)); /* wire/move.h: it is that long */
	if (why[0] != MOVE_NO_CALL)
		deputy_again_note(d, why[0], (pid_t)why[1]);
	deputy_fetch(d);
	return 0;
}

/* ------------------------------------------------------------------ frames */

static const struct {
	enum move_type type;
	enum deputy_state from, to; /* the states in which it may come */
	int (*take)(struct deputy *d, const struct move_frame *f, struct err *e);
} frames[] = {
	{ MOVE_CLOCK, DEPUTY_CONNECTING, DEPUTY_CONNECTING, take_clock },
	{ MOVE_HAVE, DEPUTY_CONNECTING, DEPUTY_CONNECTING, take_have },
	{ MOVE_LATE, DEPUTY_COPYING, DEPUTY_COPYING, deputy_take_late },
	{ MOVE_ANEW, DEPUTY_COPYING, DEPUTY_COPYING, take_anew },
	{ MOVE_FETCH, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_fetch },
	{ MOVE_ROUND, DEPUTY_COPYING, DEPUTY_COPYING, take_round },
	{ MOVE_ROUND, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_round },
	{ MOVE_FAIL, DEPUTY_CONNECTING, DEPUTY_BUILDING, take_fail },
	{ MOVE_BUILT, DEPUTY_BUILDING, DEPUTY_BUILDING, take_built },
	{ MOVE_CALL, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_call },
	{ MOVE_STREAM, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_stream },
	{ MOVE_MORE, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_more },
	{ MOVE_RELEASE, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_release },
	{ MOVE_CANCEL, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_cancel },
	{ MOVE_CLONE, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_clone },
	{ MOVE_GONE, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_gone },
	{ MOVE_STOPPED, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_stopped },
	{ MOVE_EXIT, DEPUTY_AWAY, DEPUTY_RECALLING, deputy_take_exit },
	{ MOVE_HOMEWARD, DEPUTY_AWAY, DEPUTY_RECALLING, take_homeward },
	{ MOVE_IMAGE, DEPUTY_AWAY, DEPUTY_RETURNING, deputy_take_image },
	{ MOVE_SIGNAL, DEPUTY_AWAY, DEPUTY_RETURNING, deputy_take_signal },
	{ MOVE_PAGES, DEPUTY_AWAY, DEPUTY_RETURNING, deputy_take_pages },
	{ MOVE_KEPT, DEPUTY_AWAY, DEPUTY_AWAY, deputy_take_kept },
	{ MOVE_DONE, DEPUTY_RECALLING, DEPUTY_RETURNING, deputy_take_done },
};

static void on_watch(int signo)
{
	(void)signo; /* what waits says -EINTR */
}

/*
 * After RUN the stub's memory is what the host likes, the code of our injected calls too: it may run
 * in circles. tracee.h: a wait ends when a handler runs; again and again, lest it run just before.
 */
static void watch(unsigned int seconds)
{
	const struct itimerval t = { .it_value = { seconds, 0 }, .it_interval = { 1, 0 } };
	const struct sigaction action = { .sa_handler = on_watch };

	(void)sigaction(SIGALRM, &action, NULL); /* valid arguments: cannot fail, nor does this */
	(void)setitimer(ITIMER_REAL, &t, NULL);
}

static int take_watched(struct deputy *d, const struct move_frame *f,
			int (*take)(struct deputy *d, const struct move_frame *f, struct err *e),
			struct err *e)
{
	int r;

	/* the path of a call is hot, and nothing is injected on it */
	if (d->state < DEPUTY_AWAY || f->type == MOVE_CALL || f->type == MOVE_CANCEL ||
	    f->type == MOVE_FETCH)
		return take(d, f, e);
	watch(WATCH_S);
	r = take(d, f, e);
	watch(0);
	return r;
}

int deputy_take_frame(struct deputy *d, const struct move_frame *f, struct err *e)
{
	if (d->state >= DEPUTY_RESUMING)
		return 0; /* whoever speaks there, it is not the process any more */
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		if (frames[i].type == f->type && d->state >= frames[i].from &&
		    d->state <= frames[i].to)
			return deputy_behind_keeps(d, f) ? 0
							 : take_watched(d, f, frames[i].take, e);
	return err_set(e, -EPROTO, "%s cannot come now", move_name(f->type));
}

static int on_frame(void *owner, const struct move_frame *f, struct err *e)
{
	return deputy_take_frame(owner, f, e);
}

static void on_room(void *owner)
{
	struct deputy *d = owner;

	if (d->state == DEPUTY_COPYING || d->state == DEPUTY_SENDING)
		go_on_sending(d);
	if (d->state < DEPUTY_AWAY || d->state >= DEPUTY_RETURNING)
		return;
	stub_room(&d->stub);
	if (d->late == DEPUTY_LATE_YES)
		deputy_late_serve(d);
	else
		deputy_stream_on(d);
}

void deputy_drop(struct deputy *d, const char *why)
{
	deputy_again_stop(d);
	if (d->state >= DEPUTY_RESUMING)
		return;
	if (d->state < DEPUTY_AWAY)
		deputy_undo(d, 1, why);
	else
		deputy_lost(d, why);
}

/* before RUN there is nothing worth waiting for: it goes on here */
static bool on_cut(void *owner, const struct err *why)
{
	struct deputy *d = owner;

	return d->state >= DEPUTY_AWAY && d->state < DEPUTY_RESUMING && d->ops->cut &&
	       d->ops->cut(d->owner, why);
}

static void on_broken(void *owner, const struct err *why)
{
	struct deputy *d = owner;

	if (d->state < DEPUTY_HOME) /* then it has no more to say */
		deputy_drop(d, why->text);
}

static const struct channel_ops channel_ops = {
	.frame = on_frame,
	.room = on_room,
	.cut = on_cut,
	.broken = on_broken,
};

static void on_lease(void *owner)
{
	struct deputy *d = owner;
	uint64_t end = channel_heard_ms(d->channel) + d->lease_ms;
	char text[64];

	if (loop_now(d->loop) >= end) {
		(void)snprintf(text, sizeof(text), "nothing was heard of it for %u s",
			       d->lease_ms / 1000);
		if (d->state < DEPUTY_AWAY)
			deputy_undo(d, 6, "the host does not answer");
		else
			deputy_lost(d, text);
		return;
	}
	if (loop_add_timer(d->loop, end, on_lease, d, &d->lease_ref) < 0)
		deputy_lost(d, "no memory for a timer");
}

static void on_child(void *owner, int signo)
{
	struct deputy *d = owner;

	(void)signo;
	stub_reap(&d->stub);
	if (d->state == DEPUTY_HOME)
		deputy_again_reap(d);
}

int deputy_start(struct deputy *d, struct loop *l, int fd, const uint8_t *key, pid_t pid,
		 uint32_t lease_ms, const struct deputy_ops *ops, void *owner, struct err *e)
{
	int r;

	*d = (struct deputy){
		.loop = l, .ops = ops, .owner = owner, .pid = pid, .mem = -1, .pagemap = -1
	};
	d->lease_ms = lease_ms;
	pages_reader_init(&d->reader);
	pages_reader_init(&d->urgent);
	dirty_init(&d->dirty);
	image_init(&d->flags);
	image_init(&d->early);
	image_init(&d->was);
	buf_init(&d->image_bytes, IMAGE_BYTES_MAX);
	image_init(&d->back);
	mapped_init(&d->mapped);
	confine_init(&d->confine);
	stub_init(&d->stub, l, &deputy_stub_ops, d);
	deputy_behind_init(d);
	r = deputy_stream_init(d);
	if (!r)
		r = channel_new(l, fd, true, key, &channel_ops, d, &d->channel, e);
	if (!r)
		channel_keep(d->channel, false); /* up to RUN on_cut() undoes it all */
	if (!r)
		r = loop_add_signal(l, SIGCHLD, on_child, d, &d->child_ref);
	if (!r)
		r = loop_add_timer(l, loop_now(l) + lease_ms, on_lease, d, &d->lease_ref);
	if (r < 0)
		deputy_done(d);
	else
		deputy_files_look(d);
	return r;
}

int deputy_transport(struct deputy *d, int fd, const uint8_t *key, struct err *e)
{
	if (!d->channel)
		return err_set(e, -EPIPE, "a stream for a process that is at home");
	return channel_replace(d->channel, fd, key, e);
}

void deputy_late(struct deputy *d)
{
	d->late = DEPUTY_LATE_WANTED;
}

int deputy_confine(struct deputy *d, const struct confine_spec *spec, struct err *e)
{
	return confine_prepare(&d->confine, d->pid, spec, e);
}

void deputy_done(struct deputy *d)
{
	channel_free(d->channel);
	loop_remove(d->loop, &d->lease_ref);
	loop_remove(d->loop, &d->child_ref);
	loop_remove(d->loop, &d->again.turn_ref);
	loop_remove(d->loop, &d->again.deadline_ref);
	stub_done(&d->stub);
	pages_reader_done(&d->reader);
	pages_reader_done(&d->urgent);
	dirty_end(&d->dirty);
	image_done(&d->flags);
	image_done(&d->early);
	image_done(&d->was);
	buf_done(&d->image_bytes);
	image_done(&d->back);
	pageset_done(&d->missed);
	mapped_done(&d->mapped);
	confine_done(&d->confine);
	deputy_files_done(d);
	deputy_stream_done(d);
	deputy_behind_done(d);
	checkpoint_free(d->checkpoint);
	d->checkpoint = NULL;
	fd_close(&d->mem);
	fd_close(&d->pagemap);
	free(d->pending);
	d->channel = NULL;
	d->pending = NULL;
}
