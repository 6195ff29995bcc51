/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger.h - what a moved process has changed at home since an image of it was taken
 *
 * Theory of operation. A process can go on from an older image only if nobody has noticed what it
 * did since. So each forwarded call is looked at twice, before it is executed and when its result
 * is known, and is one of three things (forward/table/effects.def):
 *
 *	no effect	nothing is noted
 *	undoable	an entry is made, from which it can be taken back: the offset of a file, its
 *			length, a descriptor that was opened or closed
 *	outside		others may have noticed it. From then on ledger_outside() says what it was,
 *			and there is no way back to this image
 *
 * When in doubt it is outside: a call without a row, a table that is full, a file of another machine
 * that was created perhaps. Writing is undoable if it makes a regular file longer, and everything
 * that was added since the image was added by this process; ledger_check() looks at that last.
 *
 * Entries hold descriptors of their own, so what the process has closed can be given back. But to hold
 * an open file is to keep it from being closed. So of pipes and sockets none is held, the other end
 * would notice; nor of a file that can be written, for others may wait for that to end (inotify(7),
 * ETXTBSY of execve(2)). Of those the file is held (O_PATH), and opened again as it was; what
 * else had the same offset does not share it any more then.
 *
 * The entries are undone from the newest to the oldest: of two that say something about one file the
 * older one is right. Descriptors are given back by who can (ledger_descriptors()).
 */
#ifndef MIGRATE_LEDGER_H
#define MIGRATE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "forward/table/effects.h"

#define LEDGER_ENTRIES_MAX 512	/* each may hold a descriptor */
#define LEDGER_NUMBERS	   4096 /* descriptors of the process that are known: from 0 on */

enum ledger_kind {
	LEDGER_OFFSET,
	LEDGER_LENGTH,
	LEDGER_DESCRIPTOR,
};

struct ledger_entry {
	enum ledger_kind kind;
	int number; /* OFFSET, DESCRIPTOR: of the process */
	int kept;   /* owned: the open file; -1: none; DESCRIPTOR: there was none of this number */
	bool by_path;	 /* kept is the file alone (O_PATH); LENGTH: always */
	int flags;	 /* DESCRIPTOR, by_path: for open(2) */
	bool close_exec; /* DESCRIPTOR */
	uint64_t value;	 /* as at the image: the length; else the offset */
	uint64_t end;	 /* LENGTH: up to where this process has written */
	dev_t device;	 /* LENGTH */
	ino_t inode;
};

/* one call between ledger_before() and ledger_after(); zeroed: there is none */
struct ledger_note {
	uint32_t nr;
	enum table_effect effect;
	bool under_way;
	bool appends; /* O_APPEND */
	bool creates; /* O_CREAT */
	int number;   /* the descriptor that it is about */
	int kept;     /* owned until ledger_after(); of WRITE and PWRITE */
	size_t entry; /* of its LENGTH */
	uint64_t offset;
	struct timespec began; /* CLOCK_REALTIME_COARSE, by which files are dated */
};

struct ledger {
	pid_t pid;
	int (*fetch)(void *owner,
		     int number); /* a copy of a descriptor of the process, or -errno */
	void *owner;
	struct ledger_entry entries[LEDGER_ENTRIES_MAX];
	size_t n;
	uint8_t seen[LEDGER_NUMBERS]; /* enum ledger_seen */
	char outside[64];	      /* "": nothing */
};

void ledger_init(struct ledger *l, pid_t pid, int (*fetch)(void *owner, int number), void *owner);
void ledger_done(struct ledger *l);

/** ledger_reset() - An image is taken now: everything begins anew */
void ledger_reset(struct ledger *l);

/**
 * ledger_before() - A call is about to be executed
 * @args:	As table_effect() wants them
 * @note:	Zeroed before the first call of this thread; passed to ledger_after()
 */
void ledger_before(struct ledger *l, uint32_t nr, const uint64_t args[6], struct ledger_note *note);
void ledger_after(struct ledger *l, struct ledger_note *note, int64_t result);

/** ledger_forget() - A note whose call will never be told of */
void ledger_forget(struct ledger_note *note);

/** ledger_spoil() - Something that is no call cannot be taken back; why: a few words */
void ledger_spoil(struct ledger *l, const char *why);

/** ledger_outside() - What others may have noticed ("write to a pipe"); NULL: nothing */
const char *ledger_outside(const struct ledger *l);

/** ledger_check() - Is each file as this process left it? -EBUSY and the reason: others write to it */
int ledger_check(const struct ledger *l, struct err *e) MUST_CHECK;

/** ledger_undo() - Cut files back and set offsets; no thread of the process executes anything */
int ledger_undo(struct ledger *l, struct err *e) MUST_CHECK;

/**
 * ledger_descriptors() - For each number that is another one now, or none
 * @put:	Make it the open file kept, or close it (kept -1); -errno ends it
 */
int ledger_descriptors(const struct ledger *l,
		       int (*put)(void *owner, int number, int kept, bool close_exec,
				  struct err *e),
		       void *owner, struct err *e) MUST_CHECK;

#endif
