/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.h - a half's end of what it speaks with comosixd (net/half_link.h)
 *
 * Theory of operation. comosixd may go and come back; the half goes on. What the half last said of
 * itself is kept here, and a daemon that connects to the listening socket is told it first. What is
 * said while no daemon is there is lost, but for the state: the new daemon asks nothing else.
 */
#ifndef MIGRATE_CONTROL_H
#define MIGRATE_CONTROL_H

#include <stdbool.h>

#include "base/err.h"
#include "loop/loop.h"
#include "net/half_link.h"

struct control;

struct control_ops {
	void (*home)(void *owner);
	/* key: HALF_KEY_LEN bytes; fd: the owner's */
	void (*transport)(void *owner, const uint8_t *key, int fd);
	void (*drop)(void *owner, const char *text);
	/* the last word was told to a daemon that has come since; NULL: nobody waits for that */
	void (*told)(void *owner);
};

/**
 * control_start() - Wait for Start on HALF_FD_CONTROL (blocking, before there is a loop)
 * @ret:	Freed with message_free()
 *
 * Return: 0, -EPIPE comosixd has gone without it, so there is nothing to do; other -errno
 */
int control_start(Cmx__HalfStart **ret, struct err *e) MUST_CHECK;

/**
 * control_new() - Go on with it in the loop
 * @start:	Said in each State, without its key; must live as long
 * @ops:	home and transport may be NULL: not for this half
 */
int control_new(struct loop *l, Cmx__HalfStart *start, const struct control_ops *ops, void *owner,
		struct control **ret, struct err *e) MUST_CHECK;
void control_free(struct control *c);

/** control_state() - A stage was reached, or bytes have moved; freeze_us 0: as before */
void control_state(struct control *c, Cmx__HalfStage stage, uint64_t bytes_done, uint64_t bytes_all,
		   uint32_t freeze_us);

/** control_note() - Something its user should know; said with each state from now on */
void control_note(struct control *c, const char *text);

/** control_again() - From the next state on is said: it is at home for a call, and is to go out again */
void control_again(struct control *c);
Cmx__HalfStage control_stage(const struct control *c);

/** control_want_transport() - Said until there is one, to each daemon that comes */
void control_want_transport(struct control *c);

/** control_open() - Is a daemon there, or can one come? */
bool control_open(const struct control *c);

/** control_end() - The last word; again: and now it is to go out again */
void control_end(struct control *c, int status, Cmx__HalfFate fate, bool again, const char *text);

/** control_waits() - Was the last word told to nobody, but a daemon may come? control_ops.told() tells */
bool control_waits(const struct control *c);

#endif
