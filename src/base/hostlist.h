/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostlist.h - "n[1-40,!7],head" to names
 *
 * Comma separated; a part may have one [...] of numbers and ranges, "!7" takes one out again, and
 * leading zeros keep their width ("n[01-10]"). Order is as written, doubles are dropped. A list
 * that names nobody in the end is an error: "on no node" is never what was meant.
 */
#ifndef BASE_HOSTLIST_H
#define BASE_HOSTLIST_H

#include "base/err.h"

#define HOSTLIST_MAX	  65536 /* names; more is -E2BIG */
#define HOSTLIST_NAME_MAX 63

struct hostlist {
	char **names; /* owned */
	size_t n;
};

/**
 * hostlist_parse() - Expand a host list
 * @s:		The text
 * @ret:	Set on success only; the caller ends it with hostlist_done()
 * @e:		Reason
 *
 * Return: 0, -EINVAL, -E2BIG, -ENOMEM
 */
int hostlist_parse(const char *s, struct hostlist *ret, struct err *e) MUST_CHECK;
void hostlist_done(struct hostlist *h);

#endif
