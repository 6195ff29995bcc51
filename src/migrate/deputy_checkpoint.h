/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_checkpoint.h - images of a process that is away, kept at home. Private to deputy*.c
 *
 * Theory of operation. The first image costs nothing: it is the process as it left, for its stub
 * keeps memory and registers. Every interval the deputy says CHECKPOINT, and the host sends what it
 * would send for the way home (guest_checkpoint.c). Three things belong to an image:
 *
 *	pages		page_store.h: those of the rounds before, and of the end
 *	effects		ledger.h: what it does at home from then on
 *	signals		those that waited at the host, and those that are told from then on
 *
 * KEPT makes them what is kept; until then what was kept before stays, whatever happens. From before
 * IMAGE until after KEPT the process stands still and no call of it is under way, so at KEPT the ledger
 * begins anew.
 *
 * The way home of a process with a checkpoint is one more image, and then the same as after the loss
 * of its host (deputy_resume.c): the stub gets what is kept already, piece by piece while the process
 * runs on, and nothing else before all has come. For that image there must be room, so it may go into memory (page_store_spill()).
 *
 * Threads that end while it is away live on in the stub as long as an image has them: nobody could
 * give a new thread their ids.
 */
#ifndef MIGRATE_DEPUTY_CHECKPOINT_H
#define MIGRATE_DEPUTY_CHECKPOINT_H

#include "migrate/deputy.h"
#include "migrate/ledger.h"
#include "migrate/page_store.h"

struct checkpoint_signals {
	struct pending *list; /* owned */
	size_t n;
};

struct checkpoint {
	struct deputy *deputy;
	uint32_t interval_ms, pause_ms; /* to the next one; longer after one that failed */
	struct ev_ref timer;
	struct page_store store;
	struct ledger ledger;
	struct ledger_note notes[IMAGE_THREADS_MAX]; /* by the slot of the thread */
	struct image image, coming; /* kept (no threads: as it left), and the one that comes */
	bool asked;		    /* CHECKPOINT was said, KEPT is awaited */
	bool void_;		    /* what comes is thrown away, for there is no room */
	bool got_pages;		    /* since it was asked for */
	bool whole;		    /* what came before is not there: all pages are wanted */
	struct checkpoint_signals at, coming_at; /* waited at the host */
	struct checkpoint_signals told;		 /* after the image that is kept, and some before */
	uint64_t taken, told_at, coming_told_at; /* SIGNAL frames: taken by the host, sent by us */
	pid_t gone[IMAGE_THREADS_MAX];		 /* have ended at the host, live on here */
	size_t n_gone;
	uint64_t kept_ms; /* when; loop_now() */
	unsigned int n_kept;
	char why[ERR_TEXT_MAX]; /* of the loss, while it is resumed */
	struct ev_ref turn, deadline;
	uint64_t early; /* of what is kept, up to here it was put into the stub */
	bool early_done;
	struct ev_ref early_ref;
};

static inline const struct image *checkpoint_image(const struct checkpoint *c)
{
	return c->image.n_threads ? &c->image : &c->deputy->stub.before;
}

/** checkpoint_start() - It runs at the host from now on, and its stub is the first image */
void checkpoint_start(struct checkpoint *c);
void checkpoint_free(struct checkpoint *c);

/** checkpoint_call(), checkpoint_answer() - A call of this thread goes to the stub, or has ended */
void checkpoint_call(struct checkpoint *c, pid_t tid, const uint8_t *request, size_t n);
void checkpoint_answer(struct checkpoint *c, pid_t tid, const uint8_t *answer, size_t n);

/** checkpoint_signal() - One is told to the host; number 0: it cannot be any more */
int checkpoint_signal(struct checkpoint *c, pid_t tid, uint64_t number, const siginfo_t *info)
	MUST_CHECK;

/** checkpoint_gone() - A thread has ended at the host; true: it lives on here for a while */
bool checkpoint_gone(struct checkpoint *c, pid_t tid);

/**
 * checkpoint_holds_recall() - One is on its way, or needed first, or what is kept is put into the stub
 * before; deputy_fetch() is called again after that
 */
bool checkpoint_holds_recall(struct checkpoint *c);

/** checkpoint_commit() - What has come is what is kept; -errno: it lacks something */
int checkpoint_commit(struct checkpoint *c, uint64_t taken, struct err *e) MUST_CHECK;

/* frames, in AWAY and RECALLING */
int checkpoint_take_image(struct checkpoint *c, struct err *e) MUST_CHECK;
int checkpoint_take_pages(struct checkpoint *c, const struct move_frame *f, struct err *e)
	MUST_CHECK;
int checkpoint_take_signal(struct checkpoint *c, const struct pending *p) MUST_CHECK;
int checkpoint_take_kept(struct checkpoint *c, const struct move_frame *f, struct err *e)
	MUST_CHECK;

/* deputy_resume.c */

/**
 * deputy_resume() - Its host is lost: go on from what is kept
 *
 * Return: false: that cannot be; *ret_why says why, if there is a checkpoint at all
 */
bool deputy_resume(struct deputy *d, const char *why, char *ret_why, size_t len);

/** deputy_resume_answer() - A call that was cancelled for it has ended */
void deputy_resume_answer(struct deputy *d);

/** deputy_put_early() - Some of what is kept, into the stub that works on; 1 more, 0 all, -errno */
int deputy_put_early(struct deputy *d, uint64_t *from, struct err *e) MUST_CHECK;

/** deputy_rebuild() - The stub becomes the process, as the image that is kept says; -errno */
int deputy_rebuild(struct deputy *d, bool undo, struct err *e) MUST_CHECK;

#endif
