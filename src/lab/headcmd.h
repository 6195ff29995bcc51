/* SPDX-License-Identifier: GPL-2.0-or-later */
/* headcmd.h - the supervisor runs one command on the head and reads what it prints */
#ifndef LAB_HEADCMD_H
#define LAB_HEADCMD_H

#include "lab/pod.h"

#define HEADCMD_OUTPUT_MAX 4096

/* @status: its exit status, or 125; @output: what it printed on stdout and stderr, cut if long */
typedef void headcmd_fn(void *owner, int status, char *output);

struct headcmd {
	struct loop *loop;
	int conn, out; /* -1 when not running */
	struct ev_ref conn_ref, out_ref;
	char output[HEADCMD_OUTPUT_MAX + 1];
	size_t len;
	headcmd_fn *done;
	void *owner;
};

void headcmd_init(struct headcmd *c, struct loop *l, headcmd_fn *done, void *owner);

/** headcmd_run() - Run argv; done is called once, later; one at a time */
int headcmd_run(struct headcmd *c, const struct pod *head, char *const *argv, struct err *e)
	MUST_CHECK;

#endif
