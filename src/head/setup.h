/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * setup.h - make a cluster: what `comosix init` does
 *
 * Theory of operation. Everything is made under STATE/.head.init, and that directory's rename to
 * STATE/head is the last step and the point of no return: before it there is no cluster, after it
 * there is one. The node's identity and the operator's file are put in place just before. Who is
 * killed on the way leaves .head.init behind; the next run sees by it that the rest is its own
 * leftover, removes that and begins again with new keys. A finished cluster is never touched.
 */
#ifndef HEAD_SETUP_H
#define HEAD_SETUP_H

#include "head/cluster.h"

struct setup {
	const char *state, *etc; /* directories */
	struct cluster cluster;	 /* name, address, port and DNS names set */
};

/**
 * setup_cluster() - Make it
 * @s:		What; id and time of creation are set here
 * @e:		Reason; -EEXIST when there is one already
 *
 * Return: 0 or -errno
 */
int setup_cluster(struct setup *s, struct err *e) MUST_CHECK;

/**
 * setup_operator() - Make a new operator's credential, for one that was lost or has ended
 * @state, @etc: Directories
 * @name:	Of the operator, for lists and logs
 * @e:		Reason; -ENOENT when there is no cluster
 *
 * The authority's keys are used as they lie there, which only root can; comosix-headd may run.
 *
 * Return: 0 or -errno
 */
int setup_operator(const char *state, const char *etc, const char *name, struct err *e) MUST_CHECK;

#endif
