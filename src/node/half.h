/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * half.h - start, find again and speak with one half of a moved process
 *
 * Theory of operation. A half is a program of its own (comosix-deputy at home, comosix-guest at the
 * host) that lives longer than this daemon may. Nothing of its life hangs on ours: it has a session
 * of its own, no death signal, its words go to a file, and when its control socket breaks it goes
 * on. It holds a listening socket in RUN/moves/, which is how a new daemon finds it: half_adopt()
 * connects there and the half says who it is (State with the Start it was given).
 *
 *	half_new()    --- spawned; waits for its first message, and ends when we go away before it
 *	half_begin()  --- Start is said: from here on it is on its own
 *	said() ...    --- each State
 *	over()        --- it has ended; told once, and the half is gone when it is called
 */
#ifndef NODE_HALF_H
#define NODE_HALF_H

#include <sys/types.h>

#include "base/err.h"
#include "net/half_link.h"

struct node;
struct half;

struct half_ops {
	void (*said)(void *owner, const Cmx__HalfState *s);
	void (*wants_transport)(void *owner);
	/* end: its last message; NULL: it ended without one, why tells what is known */
	void (*over)(void *owner, const Cmx__HalfEnd *end, const char *why);
};

struct half_spec {
	bool guest;
	const uint8_t *id; /* HALF_ID_LEN bytes */
	int stream;	   /* its transport; stays the caller's */
};

/** half_new() - Start the program; 0 or -errno */
int half_new(struct node *n, const struct half_spec *spec, const struct half_ops *ops, void *owner,
	     struct half **ret, struct err *e) MUST_CHECK;

/** half_pid() - Of one that this daemon has started; 0: another daemon has */
pid_t half_pid(const struct half *h);

/** half_begin() - Say Start */
int half_begin(struct half *h, const Cmx__HalfStart *start, struct err *e) MUST_CHECK;

/**
 * half_adopt() - Speak with a half that an earlier daemon has started
 *
 * Return: 0, -ECONNREFUSED nobody is there any more (its files are removed), other -errno
 */
int half_adopt(struct node *n, bool guest, const uint8_t *id, const struct half_ops *ops,
	       void *owner, struct half **ret, struct err *e) MUST_CHECK;

/** half_home(), half_transport(), half_drop() - The messages of these names; key: HALF_KEY_LEN */
int half_home(struct half *h, struct err *e) MUST_CHECK;
int half_transport(struct half *h, const uint8_t *key, int fd, struct err *e) MUST_CHECK;
int half_drop(struct half *h, const char *text, struct err *e) MUST_CHECK;

/** half_forgo() - It was not told to start and will not be: it ends, which over() tells as ever */
void half_forgo(struct half *h);

/** half_free() - Let it go: it goes on, and nothing of it is told any more; not inside said() */
void half_free(struct half *h);

/** half_tidy() - A deputy died before its process had left: take away what is left in that of it */
void half_tidy(struct node *n, pid_t pid);

/** half_scan() - Call fn for each half that has its socket in RUN/moves/ */
int half_scan(const char *run, void (*fn)(void *owner, bool guest, const uint8_t *id), void *owner,
	      struct err *e) MUST_CHECK;

#endif
