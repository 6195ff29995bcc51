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
 *	OVER
 *
 * Up to BUILDING deputy_undo() puts everything back and the process goes on here. From RUN on the
 * process is the guest's: if that is lost, it is ended here (deputy_lost()), never continued.
 */
#ifndef MIGRATE_DEPUTY_H
#define MIGRATE_DEPUTY_H

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"
#include "loop/loop.h"
#include "migrate/channel.h"
#include "migrate/confine.h"
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
	DEPUTY_OVER,
};

struct deputy;

struct deputy_ops {
	/* a state was reached; freeze_us: how long the process stood still, in AWAY and OVER */
	void (*state)(void *owner, enum deputy_state s, uint64_t freeze_us);
	/* the end: status as of our commands; the process runs here again, or has ended */
	void (*over)(void *owner, int status, const char *why);
	/* the stream was cut; true: deputy_transport() may follow. NULL: it never does */
	bool (*cut)(void *owner, const struct err *why);
};

struct deputy {
	struct loop *loop;
	struct channel *channel;
	const struct deputy_ops *ops;
	void *owner;
	enum deputy_state state;
	pid_t pid;
	struct stub stub;
	struct confine confine; /* of a job that goes to a desktop */
	struct buf image_bytes;
	bool image_is_sent, all_is_sent, recall;
	unsigned int clocks_told;
	struct pages_reader reader;
	bool tracking; /* written pages are known */
	struct dirty dirty;
	struct image flags;	 /* what smaps said of its mappings, once */
	struct image early, was; /* sent last, and before that */
	unsigned int rounds;
	uint64_t round_began, round_pages; /* of the round: pages sent before it, and in it */
	struct image back;		   /* as it came home */
	int mem, pagemap;		   /* /proc/PID/..., for its pages */
	struct mapped mapped;		   /* files that it has mapped, while it is away */
	struct pending *pending; /* signals that the guest had not taken, or may not have */
	size_t n_pending;
	uint64_t signals_sent;
	uint64_t froze_us;
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

/** deputy_recall() - Bring it home; now, or as soon as it is away */
void deputy_recall(struct deputy *d);
void deputy_done(struct deputy *d);

/* deputy_copy.c */

/** deputy_copy_start() - The first round; d->tracking is false after it if there cannot be any */
int deputy_copy_start(struct deputy *d, struct err *e) MUST_CHECK;

/** deputy_copy_next() - The host has all of a round: another one, or *ret_enough */
int deputy_copy_next(struct deputy *d, bool *ret_enough, struct err *e) MUST_CHECK;

/** deputy_copy_last() - It is stopped and read: what is left to send, or everything */
int deputy_copy_last(struct deputy *d, struct err *e) MUST_CHECK;

/** deputy_take_frame() - What the host says, judged by the state; -errno: it lies */
int deputy_take_frame(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;

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

/* deputy_return.c: the way back */

/** deputy_open_memory() - Before pages come; they may come as soon as it was recalled */
int deputy_open_memory(struct deputy *d, struct err *e) MUST_CHECK;
int deputy_take_image(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_round(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_pages(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_signal(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;
int deputy_take_done(struct deputy *d, const struct move_frame *f, struct err *e) MUST_CHECK;

/** deputy_over() - The end; the owner hears of it from here, once */
void deputy_over(struct deputy *d, int status, const char *why);

/** deputy_lost() - After RUN: the guest is gone, so the process ends */
void deputy_lost(struct deputy *d, const char *why);

/** deputy_enter() - Another state; tells the owner */
void deputy_enter(struct deputy *d, enum deputy_state s, uint64_t freeze_us);

/** deputy_send() - A frame that must go; after RUN the guest is lost if it does not */
void deputy_send(struct deputy *d, enum move_type type, const void *p, size_t n, const void *q,
		 size_t m);

#endif
