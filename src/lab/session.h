/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.h - run a command in this pod as the user who asked for it
 *
 * Theory of operation. 'lab exec' connects to the supervisor; the supervisor hands the connection
 * itself, with the caller's stdin, stdout and stderr, to the first process of the pod. Who the
 * caller is stands in the connection (SO_PEERCRED, SO_PEERGROUPS), put there by the kernel. The
 * command becomes a session of its own, with a pty if one was wanted. Signals come as messages.
 * When the connection closes before the command has ended, the whole session is killed.
 */
#ifndef LAB_SESSION_H
#define LAB_SESSION_H

#include <stdbool.h>

#include "lab/channel.h"
#include "loop/loop.h"

#define SESSIONS_MAX 256

struct sessions;

struct session_place {
	const char *programs; /* goes first in PATH */
	bool is_head;	      /* keeps the caller's environment and working directory */
};

int sessions_new(struct loop *l, const struct session_place *at, struct sessions **ret,
		 struct err *e) MUST_CHECK;

/** sessions_exec() - Serve a POD_EXEC; takes its fds; the answer goes to the caller */
void sessions_exec(struct sessions *s, struct channel_msg *m);

/** sessions_child() - A child has ended; Return: was it a command of ours? */
bool sessions_child(struct sessions *s, pid_t pid, int wait_status);

#endif
