/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signer.h - the process that holds the authority's keys
 *
 * Theory of operation. The signer has its own uid, sees nothing but its own directory, has no
 * network and two channels: one to the web process, one to the root helper. It trusts neither.
 * Each request names a verb of a table; the verb says who may use it, how often, and the signer
 * decides name, role and lifetime limits by itself; a node that asks without end uses up its own
 * share only. So who takes over the web process can make
 * nodes join for as long as he is in, and every one is in the signer's log; he cannot read a
 * key, make an operator or a second head, give out a certificate for longer than a day, or take
 * back a revocation: the signer keeps the list of revoked nodes and operators' credentials, it only
 * grows until the last certificate of a node (or the credential) has ended, and its epoch only
 * rises. It also keeps a list of all credentials it gave to operators (credentials.h).
 */
#ifndef HEAD_SIGNER_H
#define HEAD_SIGNER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "head/ca.h"
#include "head/cluster.h"
#include "wire/control.pb-c.h"
#include "wire/monitor.pb-c.h"

#define SIGNER_NODE_LIFE_S     (24 * 3600)
#define SIGNER_OPERATOR_LIFE_S (365 * 24 * 3600)
#define SIGNER_HTTPS_LIFE_S    (30 * 24 * 3600)
#define SIGNER_BACK_S	       300
/* so many nodes may be revoked within one certificate's life; the list must fit a frame */
#define SIGNER_REVOKED_MAX 4000

enum signer_from {
	SIGNER_FROM_WEB = 1,
	SIGNER_FROM_HELPER = 2,
};

struct signer;

/* an answer under construction; a statement in it points into the signer */
struct signer_answer {
	Cmx__SignReply reply;
	struct buf certificate;	      /* owned */
	Cmx__OperatorList *operators; /* owned; NULL unless they were asked for */
	struct ca_issued issued;
	struct err err;
};

/** signer_open() - Load keys and the list of revoked nodes; *ret is ended with signer_close() */
int signer_open(const char *dir, const struct cluster *c, struct signer **ret, struct err *e)
	MUST_CHECK;
void signer_close(struct signer *s);

/**
 * signer_answer() - Decide on one request and do it
 * @s:		The signer
 * @from:	Which channel it came from
 * @p, @len:	The request, hostile bytes
 * @now:	Seconds since 1970
 * @ret:	Always filled with a reply; end it with signer_answer_done()
 */
void signer_answer(struct signer *s, enum signer_from from, const void *p, size_t len, int64_t now,
		   struct signer_answer *ret);
void signer_answer_done(struct signer_answer *a);

/**
 * signer_serve() - Answer both channels until one of them closes
 * @s:		The signer
 * @web_fd, @helper_fd: Channels
 *
 * Return: 0 when a channel was closed, -errno
 */
int signer_serve(struct signer *s, int web_fd, int helper_fd, struct err *e) MUST_CHECK;

#endif
