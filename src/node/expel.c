/* SPDX-License-Identifier: GPL-2.0-or-later */
/* expel.c - a new revocation list takes effect here and is told to everybody */
#include "node/expel.h"

#include <errno.h>

#include "log/log.h"
#include "loop/loop.h"
#include "node/inbound.h"
#include "node/membership.h"
#include "node/moves.h"
#include "node/node.h"
#include "node/pairs.h"
#include "node/relay.h"
#include "node/revoked.h"
#include "node/streams.h"

void expel_apply(struct node *n)
{
	for (size_t i = 0; i < revoked_count(n->revoked); i++) {
		uint32_t id = revoked_at(n->revoked, i);

		if (id == n->self.id)
			log_err("this node was revoked: no other node speaks with it; to come "
				"back it must join again");
		membership_revoked(n->membership, id);
		pairs_drop(n->pairs, id);
		relay_drop(n->relay, id);
		inbound_drop(n->inbound, id);
		streams_drop(n->streams, id, "the node was revoked");
		moves_revoked(n->moves, id);
	}
	streams_revoked(n->streams);
}

int expel_statement(struct node *n, const void *p, size_t len, uint32_t from, struct err *e)
{
	static struct log_limit quiet;
	uint32_t dropped;
	int r = revoked_take(n->revoked, p, len, e);

	if (!r)
		return 0;
	if (r == -EACCES || r == -EPROTO) {
		count(&n->counters, COUNT_statements_bad);
		if (log_allow(&quiet, loop_now(n->loop), 5000, &dropped))
			log_warn("from node %u: %s; ignored", from, e->text);
		return r;
	}
	if (r < 0) /* it counts, but will be forgotten when we end */
		log_err("keep the revocation list: %s", e->text);
	log_info("revocation list %llu with %zu nodes is in force",
		 (unsigned long long)revoked_epoch(n->revoked), revoked_count(n->revoked));
	expel_apply(n);
	membership_notice(n->membership);
	return 0;
}

void expel_take(struct node *n, const void *p, size_t len, uint32_t from)
{
	struct err e;

	(void)expel_statement(n, p, len, from, &e); /* it has been logged */
}
