/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask.h - what the classic commands ask the comosixd of their node (blocking)
 *
 * Each function opens a connection of its own. A failure has an exit status that fits, by the
 * daemon's word or by what kept us from asking.
 */
#ifndef CLASSIC_ASK_H
#define CLASSIC_ASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "wire/control.pb-c.h"
#include "wire/half.pb-c.h"

#define ASK_NODE_MAX 64

/* one moved process; strings are cut if too long */
struct ask_move {
	bool guest;
	pid_t pid; /* at home */
	uid_t uid;
	char user[64], home[ASK_NODE_MAX], node[ASK_NODE_MAX], command[64];
	Cmx__HalfStage stage;
	bool job, again; /* again: at home for a call, and goes out again */
};

/** ask_self() - Name of this node; ret holds ASK_NODE_MAX bytes */
int ask_self(char *ret, int *ret_status, struct err *e) MUST_CHECK;

/**
 * ask_moves() - Those of the caller (of all, for root) that this node has to do with
 * @ret:	Array, freed by the caller
 */
int ask_moves(struct ask_move **ret, size_t *ret_n, int *ret_status, struct err *e) MUST_CHECK;

struct ask_progress {
	/* may be NULL */
	void (*told)(void *owner, const Cmx__HalfState *s);
	void *owner;
};

/**
 * ask_migrate() - Move a process, and wait until it runs there
 * @to:		A node's name, "home" or "best"
 * @ret_text:	The last word about it, @len bytes, also when it went well
 *
 * Return: 0, or -errno with *ret_status
 */
int ask_migrate(pid_t pid, const char *to, bool post_copy, const struct ask_progress *p,
		char *ret_text, size_t len, int *ret_status, struct err *e) MUST_CHECK;

/** ask_job() - Make ourselves a job, as wire/control.proto has it */
int ask_job(const Cmx__JobRequest *rq, int *ret_status, struct err *e) MUST_CHECK;

/** ask_node_up() - Is there a node of this name that is up? -ENOENT, -EHOSTDOWN, other -errno */
int ask_node_up(const char *name, int *ret_status, struct err *e) MUST_CHECK;

/** ask_state_name() - "away" */
const char *ask_state_name(const struct ask_move *m);

/** ask_is_away() - Does it run at its host? */
bool ask_is_away(const struct ask_move *m);

#endif
