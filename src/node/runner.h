/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner.h - what comosixd has to know about comosix-runner
 *
 * The daemon checks who asks (authorize_open()), makes a socketpair, starts the runner on one end,
 * writes the OPEN frame into the other end and from then on passes bytes on, both ways, unread. All
 * answers are the runner's: first OPEN_OK or ERROR, then STDOUT, STDERR, PONG, at last EXIT. It
 * runs on as root (the command does not) to be able to end all that the command started; closing
 * the stream is the way to end it. Never kill it: what it should have ended would be left.
 */
#ifndef NODE_RUNNER_H
#define NODE_RUNNER_H

#include <sys/types.h>

#include "base/err.h"

#define RUNNER_PROGRAM "comosix-runner"

/**
 * runner_spawn() - Start a runner
 * @path:	The program, from spawn_find(RUNNER_PROGRAM, COMOSIX_LIBEXECDIR, ...)
 * @stream:	Its end of the socketpair; stays the caller's, who closes it afterwards
 * @ret_pid:	The caller reaps it (loop_add_child()); its exit status means nothing
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int runner_spawn(const char *path, int stream, pid_t *ret_pid, struct err *e) MUST_CHECK;

#endif
