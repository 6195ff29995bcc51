/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy.h - the agent at home: its states and its links. Private to deputy*.c
 *
 * Theory of operation. The states are the stages of docs/MIGRATION.md section 4, in their order:
 *
 *	CONNECTING	the handshake and the clocks; the process runs on
 *	COPYING		pages go out while it runs on (deputy_copy.c)
 *	SENDING		it is stopped and captured; image and pages go out
 *	BUILDING	all is sent, BUILT is awaited
 *	AWAY		RUN was said: the stub works for the guest
 *	RECALLING	RECALL was said; the stub works on until the image comes back
 *	RETURNING	the stub is stopped and becomes the process again
 *	RESUMING	its host was lost, and it goes on from an image (deputy_resume.c)
 *	HOME		it is the process again, and makes the call that brought it home
 *			(deputy_again.c)
 *	OVER
 *
 * Up to BUILDING deputy_undo() puts everything back and the process goes on here. From RUN on the
 * process is the guest's: if that is lost, it is ended here (deputy_lost()), never continued; but for
 * a process of which images are kept (deputy_checkpoint.h), and only if nobody can tell.
 */
#ifndef MIGRATE_DEPUTY_H
#define MIGRATE_DEPUTY_H

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"
#include "loop/loop.h"
#include "migrate/channel.h"
#include "migrate/confine.h"
#include "migrate/digests.h"
#include "migrate/laps.h"
#include "migrate/mapped.h"
#include "migrate/pages.h"
#include "migrate/pending.h"
#include "migrate/stub.h"

enum deputy_state {
	DEPUTY_CONNECTING,
	DEPUTY_COPYING,
	DEPUTY_SENDING,
	DEPUTY_BUILDING,
	DEPUTY_AWAY,
	DEPUTY_RECALLING,
	DEPUTY_RETURNING,
	DEPUTY_RESUMING,
	DEPUTY_HOME,
	DEPUTY_OVER,
};

/* may pages follow after the move? */
enum deputy_late {
	DEPUTY_LATE_NO, /* all of them go before it */
	DEPUTY_LATE_WANTED,
	DEPUTY_LATE_ASKED, /* the host was asked whether it can */
	DEPUTY_LATE_YES,   /* it can; after RUN: they follow */
	DEPUTY_LATE_DONE,  /* it has all of them */
};

struct deputy;
struct checkpoint;

/* images of it are kept at home */
struct checkpoint_spec {
	uint32_t interval_ms;
	uint64_t max_bytes;
	const char *dir; /* where */
};

struct deputy_ops {
	/* a state was reached; freeze_us: how long the process stood still, in AWAY, HOME and OVER */
	void (*state)(void *owner, enum deputy_state s, uint64_t freeze_us);
	/* the end: status as of our commands; the process runs here again, or has ended */
	void (*over)(void *owner, int status, const char *why);
	/* all pages that were to follow have; so long after RUN. May be NULL */
	void (*filled)(void *owner, uint64_t us);
	/* the stream was cut; true: deputy_transport() may follow. NULL: it never does */
	bool (*cut)(void *owner, const struct err *why);
	/*
	 * it has begun another program before RUN: may that one move? 0, or the status and why not,
	 * in @len bytes. May be NULL
	 */
	int (*look)(void *owner, char *why, size_t len);
	/* something its user should know; may be NULL */
	void (*note)(void *owner, const char *text);
	/* one more image is kept, or an attempt has failed; n: how many there were. May be NULL */
	void (*checkpoint)(void *owner, unsigned int n);
};

/* a file that the process maps, by what /proc/PID/maps says of it */
struct deputy_file {
	int fd;
	struct stat st; /* as it was hashed */
	uint64_t inode;
	uint32_t major, minor;
};

struct deputy_files {
	struct image_files list;
	struct deputy_file *files; /* owned; as many as in the list */
	bool told;		   /* and the answer is awaited */
};

/* the call that brought it home */
struct deputy_again {
	bool allowed;
	pid_t tid;    /* whose; 0: nobody's, it was called home */
	uint32_t nr;  /* as the host says */
	bool in_call; /* it is being made */
	bool yes;     /* when all is over: it is to go out again */
	struct ev_ref turn_ref, deadline_ref;
};

#define DEPUTY_STREAMS 16

/* a file that is sent before it is read; file -1: none */
struct deputy_stream {
	uint32_t id;
	int file;		 /* the process's open file */
	int own;		 /* the same file, opened by us, with the lease */
	int nowait;		 /* RWF_NOWAIT, or 0 for a file system of memory */
	bool broken;		 /* the guest knows, RELEASE will come */
	bool placed;		 /* reads name their place: the file's offset is not ours */
	uint64_t from, at, upto; /* where it began; sent; asked for */
};

struct deputy_streams {
	struct deputy_stream s[DEPUTY_STREAMS];
	uint32_t last_id;
	uint64_t not_before_ms;
	uint8_t *buffer; /* owned */
	struct ev_ref retry_ref, io_ref;
};

/* of a CALL, and of its ANSWER */
struct deputy_call_header {
	uint32_t tid,
		flags; /* 0 or DEPUTY_CALL_BEHIND: a write that the program does not wait for */
};

#define DEPUTY_CALL_BEHIND 1
#define DEPUTY_KEPT	   (IMAGE_THREADS_MAX + 2)

struct deputy_behind {
	pid_t tid; /* whose calls stand in line; 0: there is no line */
	struct buf line;
	bool running;	/* one of them is with the stub */
	uint32_t flags; /* of that one */
	size_t front; /* bytes of the line that are it: a write that nobody waits for stays until it is answered */
	int64_t done; /* of that: bytes that are written */
	pid_t failed; /* whose write did not; 0: none */
	bool cancel;  /* the last one in line */
	struct {
		uint8_t what;
		uint32_t payload;
	} kept[DEPUTY_KEPT]; /* frames that wait for the end of the line */
	size_t n_kept;
	struct ev_ref empty_ref;
};

struct deputy {
	struct loop *loop;
	struct channel *channel;
	const struct deputy_ops *ops;
	void *owner;
	enum deputy_state state;
	pid_t pid;
	struct stub stub;
	struct confine confine;	       /* of a job that goes to a desktop */
	struct checkpoint *checkpoint; /* owned; NULL: no images are kept */
	struct deputy_again again;
	struct buf image_bytes;
	bool image_is_sent, all_is_sent, recall;
	unsigned int clocks_told;
	struct deputy_files files;
	struct deputy_streams streams;
	struct deputy_behind behind;
	struct pages_reader reader;
	unsigned int programs; /* begun since the move began: deputy_anew.c */
	bool anew;	       /* ANEW was said, and not answered */
	enum deputy_late late;
	bool late_refused;
	struct pages_reader urgent; /* late pages that somebody waits for */
	uint64_t filling_since_us;
	bool tracking; /* written pages are known */
	struct dirty dirty;
	struct image flags;	 /* what smaps said of its mappings, once */
	struct image early, was; /* sent last, and before that */
	unsigned int rounds, stalls;
	uint64_t round_began, round_pages; /* of the round: pages sent before it, and in it */
	struct image back;		   /* as it came home */
	int mem, pagemap;		   /* /proc/PID/..., for its pages */
	struct pageset missed;		   /* that came and found no memory */
	struct mapped mapped;		   /* files that it has mapped, while it is away */
	struct pending *pending; /* signals that the guest had not taken, or may not have */
	size_t n_pending;
	uint64_t signals_sent;
	uint64_t froze_us;
	struct laps laps; /* since then */
	uint32_t lease_ms;
	struct ev_ref lease_ref, child_ref;
	uint64_t bytes_out, bytes_back;
};

/**
 * deputy_start() - Begin to move a process
 * @fd:		Bare stream to the guest's agent; owned by the deputy from now on
 * @key:	CHANNEL_KEY bytes
 * @pid:	Found movable by preflight
 * @lease_ms:	lease.h
 *
 * Return: 0 or -errno: nothing was done then
 */
int deputy_start(struct deputy *d, struct loop *l, int fd, const uint8_t *key, pid_t pid,
		 uint32_t lease_ms, const struct deputy_ops *ops, void *owner, struct err *e)
	MUST_CHECK;

/** deputy_transport() - Another stream to the guest; fd is the deputy's after success */
int deputy_transport(struct deputy *d, int fd, const uint8_t *key, struct err *e) MUST_CHECK;

/**
 * deputy_confine() - The process is a job and goes to a desktop: it is confined before it goes
 *
 * Right after deputy_start(), before the loop runs.
 *
 * Return: 0 or -errno (a reason for its user): nothing was done to the process, end it by
 * deputy_done()
 */
int deputy_confine(struct deputy *d, const struct confine_spec *spec, struct err *e) MUST_CHECK;

/**
 * deputy_late() - Its pages may follow after it (post-copy), if the host can have that
 *
 * Right after deputy_start(), before the loop runs.
 */
void deputy_late(struct deputy *d);

/**
 * deputy_checkpoint() - Keep images of it while it is away
 *
 * Right after deputy_start(); with the rights of the process's user, for the file. Return: 0 or -errno
 */
int deputy_checkpoint(struct deputy *d, const struct checkpoint_spec *spec, struct err *e)
	MUST_CHECK;

/** deputy_recall() - Somebody calls it home: now, or as soon as it is away; it stays there */
void deputy_recall(struct deputy *d);
void deputy_done(struct deputy *d);

/* deputy_again.c */

/**
 * deputy_again_allow() - What comes home for a call only is to go out again: d->again.yes says so at the end
 *
 * Right after deputy_start().
 */
void deputy_again_allow(struct deputy *d);

/** deputy_again_note() - The host brings it home for this call of this thread */
void deputy_again_note(struct deputy *d, uint32_t nr, pid_t tid);

/** deputy_again_thread() - The one that is to make its call before all is over; 0: none */
pid_t deputy_again_thread(const struct deputy *d);

/** deputy_again_await() - In HOME: until the call is over */
void deputy_again_await(struct deputy *d);

/** deputy_again_reap() - In HOME, at SIGCHLD */
void deputy_again_reap(struct deputy *d);

/** deputy_again_stop() - In HOME: it stays. Nothing happens in any other state */
void deputy_again_stop(struct deputy *d);

/* deputy_files.c */

/** deputy_files_look() - Which files may the host have as well? As root */
void deputy_files_look(struct deputy *d);

/** deputy_files_tell() - Tell the host, who answers with HAVE */
int deputy_files_tell(struct deputy *d, struct err *e) MUST_CHECK;
int deputy_files_take_have(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;

/** deputy_files_mark() - Note in an image which mappings are of files that the host has */
void deputy_files_mark(const struct deputy *d, struct image *m);

/** deputy_files_check() - Are they still as they were told? -EAGAIN */
int deputy_files_check(const struct deputy *d, struct err *e) MUST_CHECK;
void deputy_files_done(struct deputy *d);

/* deputy_copy.c */

/** deputy_copy_start() - The first round; d->tracking is false after it if there cannot be any */
int deputy_copy_start(struct deputy *d, struct err *e) MUST_CHECK;

/** deputy_copy_next() - The host has all of a round: another one, or *ret_enough */
int deputy_copy_next(struct deputy *d, bool *ret_enough, struct err *e) MUST_CHECK;

/** deputy_copy_last() - It is stopped and read: what is left to send, or everything */
int deputy_copy_last(struct deputy *d, struct err *e) MUST_CHECK;

/* deputy_anew.c: it has begun another program while its memory went out */

/**
 * deputy_began_anew() - Before RUN something has failed: because it has begun another program?
 * @r:	The failure, or 0: nothing has failed
 */
bool deputy_began_anew(const struct deputy *d, int r);

/** deputy_anew() - If so: the host is to forget what came; or the move is given up */
void deputy_anew(struct deputy *d);

/** deputy_stops_first() - It has begun so many programs that this one is stopped before it is copied */
bool deputy_stops_first(const struct deputy *d);

/* deputy_late.c: pages that follow after RUN */

/** deputy_late_last() - It is stopped: what goes before RUN all the same; -ENOMEM */
int deputy_late_last(struct deputy *d) MUST_CHECK;

/** deputy_late_run() - After RUN: the rest is served from now on */
int deputy_late_run(struct deputy *d, struct err *e) MUST_CHECK;

/** deputy_late_serve() - There is room again */
void deputy_late_serve(struct deputy *d);
int deputy_take_late(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_fetch(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;

/** deputy_take_frame() - What the host says, judged by the state; -errno: it lies */
int deputy_take_frame(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;

/** deputy_fetch() - As deputy_recall(), for a reason of its own */
void deputy_fetch(struct deputy *d);

/** deputy_drop() - Nothing more will come: undo before RUN, after it the process is lost */
void deputy_drop(struct deputy *d, const char *why);

/* deputy_away.c: frames of the guest while it is away, and the stub's words for it */
int deputy_take_call(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_cancel(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_clone(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_gone(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_stopped(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_exit(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
extern const struct stub_ops deputy_stub_ops;

/* deputy_stream.c */
int deputy_stream_init(struct deputy *d) MUST_CHECK;
void deputy_stream_done(struct deputy *d);

/** deputy_stream_end() - The guest reads no more: leases are let go */
void deputy_stream_end(struct deputy *d);
int deputy_take_stream(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_more(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_release(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;

/** deputy_stream_on() - There is room in the channel: send what is asked for */
void deputy_stream_on(struct deputy *d);

/** deputy_call() - Give a call to the stub; as stub_call(), or stub_call_now() */
int deputy_call(struct deputy *d, pid_t tid, const uint8_t *request, size_t n, bool now) MUST_CHECK;

/* deputy_behind.c */
void deputy_behind_init(struct deputy *d);
void deputy_behind_done(struct deputy *d);
bool deputy_behind_is_busy(const struct deputy *d);

/** deputy_behind_settle() - If the line is empty, what was kept for that is done now, not in a moment */
void deputy_behind_settle(struct deputy *d);

/** deputy_behind_takes() - Is a call with these flags one of the line's? */
bool deputy_behind_takes(const struct deputy *d, pid_t tid, uint32_t flags);

/** deputy_behind_call() - A call of the line; -errno: no honest guest asks for that */
int deputy_behind_call(struct deputy *d, pid_t tid, uint32_t flags, const uint8_t *request,
		       size_t n) MUST_CHECK;

/** deputy_behind_cancel() - Is a CANCEL for this thread the line's business? */
bool deputy_behind_cancel(struct deputy *d, pid_t tid);

/** deputy_behind_answer() - Was it a call of the line? Then it is dealt with */
bool deputy_behind_answer(struct deputy *d, pid_t tid, const uint8_t *p, size_t n);

/** deputy_behind_keeps() - Does this frame wait for the end of the line? */
bool deputy_behind_keeps(struct deputy *d, const struct move_frame *f);

/* deputy_return.c: the way back */

/** deputy_open_memory() - Before pages come; they may come as soon as it was recalled */
int deputy_open_memory(struct deputy *d, struct err *e) MUST_CHECK;
int deputy_take_image(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_round(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_pages(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_signal(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_done(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_kept(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;

/** deputy_check_image() - Can the stub become what the host sends? -EPROTO */
int deputy_check_image(const struct deputy *d, const struct image *m, struct err *e) MUST_CHECK;

/** deputy_is_mapped() - Is all of [at, end) in mappings of an image? Our region is in none of them */
bool deputy_is_mapped(const struct image *m, uint64_t at, uint64_t end);

/** deputy_stop_stub() - For good: no signal comes to it any more, nothing but us makes it do anything */
int deputy_stop_stub(struct deputy *d, struct err *e) MUST_CHECK;

/** deputy_drop_pages() - Of struct pages_writer; the batch is to be run after the last one */
int deputy_drop_pages(void *owner, uint64_t at, uint64_t n, struct err *e);

/** deputy_hold() - Until no clock steps back for it */
void deputy_hold(const struct image *m);

/** deputy_seize() - Stop it, if it can be stopped: not in vfork(2), -EBUSY */
int deputy_seize(struct deputy *d, struct err *e) MUST_CHECK;

/** deputy_undo() - Before RUN: the process goes on here, as if nothing had been */
void deputy_undo(struct deputy *d, int status, const char *why);

/** deputy_over() - The end; the owner hears of it from here, once */
void deputy_over(struct deputy *d, int status, const char *why);

/** deputy_lost() - After RUN: the guest is gone, so the process ends, or goes on from an image */
void deputy_lost(struct deputy *d, const char *why);

/** deputy_lap() - A part of the stop has ended; its name is a constant */
void deputy_lap(struct deputy *d, const char *name);

/** deputy_enter() - Another state; tells the owner */
void deputy_enter(struct deputy *d, enum deputy_state s, uint64_t freeze_us);

/** deputy_send() - A frame that must go; after RUN the guest is lost if it does not */
void deputy_send(struct deputy *d, enum move_type type, const void *p, size_t n, const void *q,
		 size_t m);

#endif
