/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h - names of users, looked up aside: NSS may ask a server, and the loop does not wait
 *
 * Theory of operation. A child asks and writes the answer into a pipe. All who ask for the same uid
 * meanwhile wait for the same child; a name is remembered for a minute, a failure is not. A child
 * that says nothing for 30 s is ended, and its askers are told so.
 */
#ifndef NODE_NAMES_H
#define NODE_NAMES_H

#include <stdbool.h>

#include "base/list.h"
#include "os/user.h"

#define NAMES_MAX     64 /* remembered, and asked for at a time; more are refused: -EBUSY */
#define NAMES_KEEP_MS 60000
#define NAMES_WAIT_MS 30000

struct loop;
struct names;

typedef int names_lookup_fn(uid_t uid, struct user *ret, struct err *e);

/* Part of the asker, which may go at any time: names_forget() */
struct names_wait {
	struct list link;
	bool waits;
	void (*told)(void *owner, const char *name, const struct err *why); /* name NULL: failed */
	void *owner;
};

/** names_new() - @lookup: user_by_uid() or, in tests, another that may block */
int names_new(struct loop *l, names_lookup_fn *lookup, struct names **ret, struct err *e)
	MUST_CHECK;
void names_free(struct names *n);

/**
 * names_ask() - What is a user called?
 * @uid:	Who
 * @w:		told() and owner are set; told() comes once, from the loop or from in here
 * @e:		Reason
 *
 * Return: 0 told() was called or will be, -errno: it will not
 */
int names_ask(struct names *n, uid_t uid, struct names_wait *w, struct err *e) MUST_CHECK;

/** names_forget() - The asker goes; harmless when it does not wait */
void names_forget(struct names_wait *w);

#endif
