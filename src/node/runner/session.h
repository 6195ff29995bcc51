/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.h - one command between a frame stream and its pipes
 *
 *	WAITING   the OPEN frame has not come. Nothing runs
 *	RUNNING   the command runs; bytes go both ways
 *	SETTLING  the command has ended; what it left behind is being ended, its last output is sent
 *	LEAVING   EXIT is in the queue; when it is out the runner ends. No frame may follow it
 *	HANGUP    the stream is gone: all is being ended, nothing is sent any more
 *
 * WAITING and LEAVING have no descendants. From HANGUP there is no way back.
 */
#ifndef NODE_RUNNER_SESSION_H
#define NODE_RUNNER_SESSION_H

#include "base/err.h"

struct loop;
struct session;

#define SESSION_STDIN_WINDOW 262144 /* bytes of input held for a command that does not read */
#define SESSION_GRACE_MS     3000   /* from SIGTERM to SIGKILL */

/**
 * session_new() - Serve the stream on two fds
 * @l:		Ends with loop_stop(0) when all is over
 * @in, @out:	The stream, non-blocking; stay the caller's
 * @ret:	Set on success only; ended by session_free() after the loop
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int session_new(struct loop *l, int in, int out, struct session **ret, struct err *e) MUST_CHECK;
void session_free(struct session *s);

#endif
