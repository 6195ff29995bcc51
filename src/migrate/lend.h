/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lend.h - the host's files for a guest that has proven at home to have the same
 *
 * Theory of operation. A guest is in a box and sees none of the host's files. The process outside of
 * the box, which has no right but to read what everybody may, holds the host's root directory and
 * answers its agent: asked for a name, a size and a digest, it gives a descriptor for reading, if the
 * shared root has just that file under that name. So who asks must know the file already, and learns
 * nothing but that it is here. Links are not followed.
 *
 *	agent	lend_ask() ----------> lend_serve()	outside
 *		lend_take() <--------- answer, descriptor
 *
 * One question at a time. When the agent has closed its end, lend_serve() returns.
 */
#ifndef MIGRATE_LEND_H
#define MIGRATE_LEND_H

#include "image/files.h"
#include "migrate/digests.h"

struct lend {
	int root;   /* O_PATH, the host's */
	int ours;   /* end of the outside */
	int theirs; /* end of the agent; a seqpacket socket */
	struct digests digests;
};

/** lend_open() - Before the box is entered; 0 or -errno */
int lend_open(struct lend *l, const char *root, const char *cache, struct err *e) MUST_CHECK;

/** lend_serve() - Outside: answer until the agent has closed its end, or is silent for so long */
void lend_serve(struct lend *l, uint32_t silence_ms);

/** lend_close() - What is still open */
void lend_close(struct lend *l);

/** lend_ask() - Agent: ask for a file; the socket becomes readable when the answer is there */
int lend_ask(int sock, const struct image_file *f) MUST_CHECK;

/** lend_take() - Agent: a descriptor (the caller's), or -errno: -EAGAIN not there yet, -EPIPE the end */
int lend_take(int sock) MUST_CHECK;

#endif
