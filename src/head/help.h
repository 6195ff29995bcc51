/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * help.h - the root helper of comosix-headd: its verbs, and how to ask it
 *
 * Theory of operation. The helper is the process that was started: root, single-threaded, parent
 * of the other two. It does the few things that the web process cannot do from its empty root
 * directory, and nothing that the web process could choose the form of:
 *
 *	members		connect to this machine's comosixd and ask it to tell of its members; the
 *			connection is handed over when the question was answered, so that nothing
 *			else can be asked through it in root's name
 *	statement	give comosixd a statement; it checks the cluster's signature itself
 *	moves		the same as members, for the processes that are away
 *	move		have a process of a node moved, in the operator's name; that an operator
 *			asked is the web process's word, and all that it could do with a lie is
 *			to move processes where their home nodes would let them go
 *	audit		append one line to head/audit.log, which the web process cannot write,
 *			so that it cannot change what it did
 *
 * Those that wait for another program are done each by a short-lived child, so that the helper
 * itself never waits. By itself it renews the operator's credential a month before its end.
 */
#ifndef HEAD_HELP_H
#define HEAD_HELP_H

#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define HELP_TIMEOUT_MS 5000
#define HELP_LINE_MAX	1024

/* the asking end, in the web process */
struct help {
	int fd; /* a channel, stays the caller's */
	pthread_mutex_t lock;
	uint32_t number;
};

void help_init(struct help *h, int fd);

/**
 * help_members() - Get a connection to comosixd that follows the members
 * @h:		The asking end
 * @ret_fd:	The caller closes it
 * @already:	Gets the bytes that were received with the answer
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int help_members(struct help *h, int *ret_fd, struct buf *already, struct err *e) MUST_CHECK;

/** help_moves() - Get a connection to comosixd that follows what is away in the whole cluster */
int help_moves(struct help *h, int *ret_fd, struct buf *already, struct err *e) MUST_CHECK;

/**
 * help_move() - Have a process moved
 * @node:	Its home node
 * @to:		A node's name, "home" or "best"
 *
 * Return: 0 it has begun, -ENOENT no such process or node, -EPERM refused, other -errno
 */
int help_move(struct help *h, const char *node, uint32_t pid, const char *to, struct err *e)
	MUST_CHECK;
int help_statement(struct help *h, const void *p, size_t len, struct err *e) MUST_CHECK;
int help_audit(struct help *h, const char *line, struct err *e) MUST_CHECK;

/* the answering end */
struct helper {
	char socket[108];	     /* of comosixd */
	char audit_log[256];	     /* file name */
	char operator_pem[PATH_MAX]; /* the credential for "move" */
	const char *self;	     /* this node's name: no proof is wanted there */
};

/**
 * helper_answer() - Serve one request
 * @h:		Where things are
 * @fd:		A channel with something to read
 * @ret_child:	A child that does it and must be reaped, or 0
 * @e:		Reason
 *
 * Return: 1 served (or refused, which the asker is told), 0 the channel was closed, -errno
 */
int helper_answer(const struct helper *h, int fd, pid_t *ret_child, struct err *e) MUST_CHECK;

#endif
