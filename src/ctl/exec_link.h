/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_link.h - the connection that carries one node's command
 *
 * The node takes input only as fast as the command reads it. So that a signal is never stuck behind
 * input, no more than EXEC_WINDOW bytes are on their way: a PING follows each piece, and the runner
 * answers it when the command has taken what came before (node/runner/session.c).
 */
#ifndef CTL_EXEC_LINK_H
#define CTL_EXEC_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "wire/control.pb-c.h"
#include "wire/message.h"

#define EXEC_WINDOW 262144
#define EXEC_PIECE  16384 /* of input, in one frame */
#define EXEC_PIECES (EXEC_WINDOW / EXEC_PIECE)

struct exec_link {
	struct loop *loop;
	int fd; /* owned; -1 when closed */
	struct ev_ref ev;
	struct buf in, out;
	uint32_t unanswered;	       /* pieces on their way */
	bool paused;		       /* nothing is read from it */
	void (*on_ready)(void *owner); /* something came, or it closed */
	void *owner;
	bool ended; /* the daemon has closed it, or it broke */
};

/**
 * exec_link_open() - Connect to the daemon of this node and send OPEN
 * @l:		Filled on success; ended by exec_link_close()
 *
 * Return: 0, -EAGAIN the daemon is busy, come again; other -errno
 */
int exec_link_open(struct exec_link *l, struct loop *loop, const Cmx__Open *open,
		   void (*on_ready)(void *), void *owner, struct err *e) MUST_CHECK;
void exec_link_close(struct exec_link *l);

/** exec_link_next() - 1: a frame, drop it with exec_link_eat(); 0: none is there; -EPROTO */
int exec_link_next(const struct exec_link *l, struct frame *ret, struct err *e) MUST_CHECK;
void exec_link_eat(struct exec_link *l, const struct frame *f);

/** exec_link_pause() - Stop or go on reading */
void exec_link_pause(struct exec_link *l, bool on);

/** exec_link_send() - Queue a small frame */
void exec_link_send(struct exec_link *l, enum frame_type type, const ProtobufCMessage *m);

/** exec_link_has_room() - May a piece of input be sent? */
bool exec_link_has_room(const struct exec_link *l);

/** exec_link_input() - Send a piece of input, at most EXEC_PIECE; none: there will be no more */
void exec_link_input(struct exec_link *l, const void *p, size_t n);

/** exec_link_pong() - A PONG came; false: it was not asked for */
bool exec_link_pong(struct exec_link *l);

#endif
