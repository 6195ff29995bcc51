/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - messages between mpiblast and a worker over a byte stream, on the loop
 *
 * A link that ends, for whatever reason, says so once by closed(), and nothing after it. The owner
 * then calls link_free(). link_free() may be called from inside any callback.
 */
#ifndef BLAST_RUN_LINK_H
#define BLAST_RUN_LINK_H

#include "loop/loop.h"
#include "wire/blast_msg.h"

#define LINK_QUEUE_MAX (16u << 20) /* bytes waiting to be sent; more ends the link */
#define LINK_QUEUE_LOW (1u << 20)  /* room() is called when fewer than this are waiting */

struct link;

struct link_events {
	void (*message)(void *owner, Cmx__BlastMessage *m); /* m is the owner's now */
	void (*closed)(void *owner, const char *why);
	void (*room)(void *owner); /* may be NULL */
};

struct link_setup {
	struct loop *loop;
	int fd_in, fd_out;    /* the link owns them; may be the same; made non-blocking */
	enum blast_side peer; /* who is at the other end */
	bool wait_ok;	      /* the daemon answers OPEN_OK or ERROR before the worker speaks */
	const struct link_events *events;
	void *owner;
};

int link_new(const struct link_setup *s, struct link **ret, struct err *e) MUST_CHECK;
void link_free(struct link *l);

/** link_send() - Queue a message; what goes wrong is told by closed() */
void link_send(struct link *l, const Cmx__BlastMessage *m);

/** link_send_raw() - Queue bytes that are frames already */
void link_send_raw(struct link *l, const void *p, size_t len);

/** link_queued() - Bytes not yet given to the kernel */
size_t link_queued(const struct link *l);

#endif
