/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api.h - what the handlers of the API share
 *
 * Handlers run in the threads of the web process, many at once. Each does its work in one store
 * transaction; what is in memory and changes (failures per address, the members) locks itself.
 */
#ifndef HEAD_API_H
#define HEAD_API_H

#include "head/bus.h"
#include "head/cluster.h"
#include "head/help.h"
#include "head/live.h"
#include "head/moved.h"
#include "head/operators.h"
#include "head/rate.h"
#include "head/reply.h"
#include "head/sign.h"
#include "head/store.h"

#define API_JOIN_LIFE_S	     3600 /* a pending join is forgotten after an hour */
#define API_JOINS_PER_SOURCE 16
#define API_EVENTS_PER_PAGE  500

struct api {
	const struct cluster *cluster;
	char fingerprint[CA_FINGERPRINT_TEXT]; /* of the authority's certificate */
	char *ca_pem, *statement_pub;	       /* owned */
	char *url;			       /* owned; of the API, for clients */
	struct store *store;		       /* owned by web.c */
	struct sign sign;
	struct help help;
	struct help help_live; /* its own channel: the thread that follows comosixd may wait */
	struct live *live;
	struct moved *moved;
	struct bus bus; /* wakes the streams */
	struct operators operators;
	pthread_mutex_t rate_lock;
	struct rate rate;
};

/** api_event() - Record an event inside a store transaction */
int api_event(struct api *a, const char *type, const char *subject, const char *by,
	      const char *text, struct err *e) MUST_CHECK;

/** api_by() - Who asks, as events and the audit log name him */
const char *api_by(const struct http_request *q);

/** api_begin() - Begin a transaction, or answer with the problem; true when begun */
bool api_begin(struct api *a, struct http_reply *to);

/**
 * api_found() - Go on with what was looked up, or end the transaction and answer
 * @r, @e:	What the store said
 * @to:		The answer, unless found
 * @fmt:	What to say when there is none
 *
 * Return: true when @r is 0
 */
bool api_found(struct api *a, int r, const struct err *e, struct http_reply *to, const char *fmt,
	       ...) PRINTF(5, 6);

/**
 * api_finish() - End the transaction and answer
 * @j:		The answer when all is well; consumed. Not looked at with status 204
 * @status:	Of that answer
 * @r, @e:	How it went so far: a failure rolls back and is the answer
 * @to:		The answer
 */
void api_finish(struct api *a, json_t *j, unsigned int status, int r, const struct err *e,
		struct http_reply *to);

/** api_commit() - Commit and wake the streams, or answer with the problem; true when done */
bool api_commit(struct api *a, struct http_reply *to);

/**
 * api_spread() - Give a new revocation list to this machine's comosixd, which tells the members
 * @res:	Of the signer, with a statement
 *
 * Return: false when comosixd is away; live.c brings it the list when it is back
 */
bool api_spread(struct api *a, const struct sign_result *res);

route_fn api_health, api_ca, api_openapi, api_cluster, api_revocations;
route_fn api_nodes, api_node, api_node_remove, api_node_revoke;
route_fn api_joins, api_node_approve, api_node_refuse, api_join, api_join_poll, api_renew;
route_fn api_tokens, api_token, api_token_create, api_token_revoke;
route_fn api_operators, api_operator_revoke;
route_fn api_processes, api_process_move;
route_fn api_events;

#endif
