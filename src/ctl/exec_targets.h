/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_targets.h - the nodes that a word like "@alive,!n3,s[1-2]" names
 *
 * Parts between commas: a host list (base/hostlist.h), or a group: @all (who has not left for
 * good),
 * @alive, @servers (the head too), @desktops. A part behind "!" is taken out again.
 */
#ifndef CTL_EXEC_TARGETS_H
#define CTL_EXEC_TARGETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/hostlist.h"

struct exec_target {
	char name[HOSTLIST_NAME_MAX + 1];
	bool desktop;
};

/* what the daemon of this node knows */
struct exec_member {
	char name[HOSTLIST_NAME_MAX + 1];
	bool desktop, alive, gone; /* gone: left or revoked */
	bool self;
};

struct exec_members {
	struct exec_member *rows; /* owned; sorted by name */
	size_t n;
};

/**
 * exec_members_ask() - Ask the daemon of this node who there is
 * @ret:	Set on success only; the caller ends it with exec_members_done()
 * @ret_status:	Exit status when it failed
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int exec_members_ask(struct exec_members *ret, int *ret_status, struct err *e) MUST_CHECK;
void exec_members_done(struct exec_members *m);

/** exec_members_sort() - For lists that are not from exec_members_ask() */
void exec_members_sort(struct exec_members *m);

/**
 * exec_targets_find() - Which nodes are meant. Pure
 * @word:	As typed
 * @m:		Who there is
 * @ret, @ret_n: Set on success only; the caller frees it. At least one; as written, no doubles
 * @e:		Reason
 *
 * Return: 0, -EINVAL (not understood), -ENOENT (no such node, or nobody is left), -E2BIG, -ENOMEM
 */
int exec_targets_find(const char *word, const struct exec_members *m, struct exec_target **ret,
		      size_t *ret_n, struct err *e) MUST_CHECK;

#endif
