/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty.h - which pages a running process has changed since they were last sent
 *
 * Theory of operation. A userfaultfd of the tracee, in our hands, write-protects pages in a way
 * that the kernel resolves by itself when they are written, and remembers (WP_ASYNC, Linux 6.7).
 * The process runs on, and pays one minor fault for the first write to a page after each round.
 *
 *	dirty_begin()	one thread is stopped: it makes the userfaultfd, we take it
 *	dirty_round()	the process runs (or is stopped, for the last round)
 *	dirty_next()	... until 0: what has changed since the round before; the first round
 *			names every page that there is
 *	dirty_end()	nothing of it is left in the process; also when we just die
 *
 * A page is protected before it is named. So a caller that reads it after it was named has either
 * what it is at the end, or will be told of it again. In the last round the process must not run.
 *
 * Mappings may come, go, grow and move meanwhile: what is new is taken in by the next round.
 * Private mappings are tracked, with or without a file, whatever their protection (it may change);
 * shared ones are not a matter of pages. What cannot be tracked (somebody else's userfaultfd, huge
 * pages of hugetlbfs) is named in the last round only, and whole.
 */
#ifndef TRACEE_DIRTY_H
#define TRACEE_DIRTY_H

#include "tracee/maps.h"
#include "tracee/pageset.h"

enum dirty_kind {
	DIRTY_DATA, /* read it and send it */
	DIRTY_ZERO, /* was named before, and is zeroes now: given back. Do not read it */
	DIRTY_FILE, /* a mapping of a file that was not there in the round before, or not this one:
		     * of pages that are the file's nothing may be known any more */
};

struct dirty_run {
	uint64_t start, n;
	enum dirty_kind kind;
};

struct dirty_span {
	uint64_t start, end;
};

#define DIRTY_SUSPECTS 64

struct dirty {
	pid_t pid;
	int uffd, pagemap;			   /* -1: none */
	struct pageset known;			   /* that the caller was told of */
	struct maps maps;			   /* of this round */
	size_t at;				   /* which of them is next */
	uint64_t from;				   /* where in it */
	int step;				   /* enum dirty_step */
	bool enrolled;				   /* in this round we have registered it */
	bool all_enrolled;			   /* all that was there at first is registered */
	struct dirty_span suspect[DIRTY_SUSPECTS]; /* where there may be news */
	size_t n_suspects, at_suspect;
	struct dirty_span *owed; /* owned; all of it is to be named anew, in the round after this */
	size_t n_owed;
	struct dirty_span *due; /* owned; and in this one */
	size_t n_due;
	bool last;
	bool closed; /* the owner sets it: what is new since is not taken in before the last round */
};

/** dirty_init() - As if ended: dirty_end() may be called */
void dirty_init(struct dirty *d);

/**
 * dirty_begin() - Begin to track a process
 * @d:		dirty_init()ed
 * @pid:	The process
 * @tid:	A thread of it that is stopped, as tracee_inject() wants it
 * @insn:	A syscall instruction there
 * @e:		Reason
 *
 * Return: 0, -EOPNOTSUPP this kernel cannot, -ESRCH, -EMFILE its descriptors are used up, -errno;
 * when it fails the process must be moved without
 */
int dirty_begin(struct dirty *d, pid_t pid, pid_t tid, uint64_t insn, struct err *e) MUST_CHECK;

/**
 * dirty_begin_fill() - The same, with a userfaultfd that can tell of missing pages as well (fill.h)
 * @dev:	Number of an open /dev/userfaultfd in the tracee, or -1: it has the right without
 *
 * Return: as dirty_begin(); -EOPNOTSUPP also when it is not allowed to
 */
int dirty_begin_fill(struct dirty *d, pid_t pid, pid_t tid, uint64_t insn, int dev, struct err *e)
	MUST_CHECK;

/**
 * dirty_enroll() - Take in new mappings now, before there are any pages in them that others tracked
 * @missing:	From now on whoever touches a page that is not there waits for it (fill.h)
 *
 * A round would do it too. But the kernel joins a mapping with its neighbour only as long as it is
 * empty, and what was one mapping at the other end should be one here: mremap(2) wants that.
 */
int dirty_enroll(struct dirty *d, bool missing, struct err *e) MUST_CHECK;

/** dirty_know() - Pages that the caller has sent for another reason: when they go, that is named; -ENOMEM */
int dirty_know(struct dirty *d, uint64_t start, uint64_t n) MUST_CHECK;

/** dirty_name_again() - All that is in [start, end) is to be named in the next round; -ENOMEM */
int dirty_name_again(struct dirty *d, uint64_t start, uint64_t end) MUST_CHECK;

/** dirty_is_void() - Is what it tracks no more: the process, or the program that it was? */
bool dirty_is_void(const struct dirty *d) MUST_CHECK;

/** dirty_round() - Begin a round; @last: the process is stopped; -ESRCH, -errno */
int dirty_round(struct dirty *d, bool last, struct err *e) MUST_CHECK;

/** dirty_next() - More of this round; Return: number of runs, 0 it is over, -ESRCH, -ENOMEM */
ssize_t dirty_next(struct dirty *d, struct dirty_run *runs, size_t max) MUST_CHECK;

/** dirty_end() - Stop tracking */
void dirty_end(struct dirty *d);

#endif
