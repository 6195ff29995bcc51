/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_run.h - one command on many nodes at once
 *
 * Each node has one connection to the daemon of this machine, and one of these states:
 *
 *	WAITING  its turn has not come; no connection
 *	OPENING  asked; the node has not said yes
 *	RUNNING  the command runs; input, signals and output pass
 *	ENDED    how: struct exec_node.result; no connection
 */
#ifndef CTL_EXEC_RUN_H
#define CTL_EXEC_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/exec_print.h"
#include "ctl/exec_targets.h"
#include "wire/control.pb-c.h"

#define EXEC_SELF_FAILED 125 /* one node and no status of the command: as env(1) says it */

/* result, word in --json, words in the summary */
#define EXEC_RESULTS(X)                                                                            \
	X(EXITED, "exited", "failed")                                                              \
	X(REFUSED, "refused", "refused")                                                           \
	X(UNREACHABLE, "unreachable", "unreachable")                                               \
	X(LOST, "lost", "lost while it ran")                                                       \
	X(TIMED_OUT, "timed_out", "timed out")                                                     \
	X(INTERRUPTED, "interrupted", "interrupted")

enum exec_result {
#define X(name, json, words) EXEC_##name,
	EXEC_RESULTS(X)
#undef X
	EXEC_N_RESULTS,
};

enum exec_state {
	EXEC_WAITING,
	EXEC_OPENING,
	EXEC_RUNNING,
	EXEC_ENDED,
};

struct exec_request {
	const struct exec_target *targets;
	size_t n_targets;
	Cmx__ExecRequest *rq;		   /* what to run; borrowed */
	const struct credential *operator; /* may be NULL */
	bool operator_always;		   /* show it to each node, not to desktops only */
	enum exec_print_mode mode;
	bool input;	     /* our standard input goes to the nodes */
	bool tty;	     /* it is a terminal in raw mode */
	uint32_t parallel;   /* nodes at a time; with input all at once */
	uint64_t timeout_ms; /* 0: none */
};

struct exec_node {
	const struct exec_target *target;
	enum exec_state state;
	enum exec_result result;     /* valid when ENDED */
	uint32_t status;	     /* valid when EXITED */
	char text[256];		     /* why; may be empty */
	struct exec_stream out, err; /* KEEP: what it said */
};

struct exec_run;

/**
 * exec_run() - Run it everywhere and wait for all ends
 * @rq:		What
 * @ret:	Set on success only; the caller ends it with exec_run_free()
 * @e:		Reason
 *
 * Return: 0 however the commands ended, -errno when it could not be tried
 */
int exec_run(const struct exec_request *rq, struct exec_run **ret, struct err *e) MUST_CHECK;
void exec_run_free(struct exec_run *r);

/** exec_run_nodes() - How each ended, in the order of the targets */
const struct exec_node *exec_run_nodes(const struct exec_run *r, size_t *ret_n);

/** exec_run_signal() - The signal that ended all of it; 0: none did */
int exec_run_signal(const struct exec_run *r);

#endif
