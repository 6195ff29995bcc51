/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reply.h - one request of the API and its answer, apart from the HTTP server
 *
 * Handlers see a request whose body is whole, whose caller is known, and fill a reply. Errors are
 * RFC 9457 problems; their types are listed in PROBLEMS and in docs/openapi.json.
 */
#ifndef HEAD_REPLY_H
#define HEAD_REPLY_H

#include <jansson.h>
#include <stdbool.h>

#include "head/route.h"
#include "net/identity.h"
#include "os/sock.h"

#define REPLY_TEXT_MAX 512

/* name, HTTP status, type, title */
#define PROBLEMS(X)                                                                                \
	X(BAD_REQUEST, 400, "bad-request", "The request is not understood")                        \
	X(NO_CREDENTIAL, 401, "no-credential", "A certificate of this cluster is wanted")          \
	X(NOT_ALLOWED, 403, "not-allowed", "This certificate may not do that")                     \
	X(TOKEN_UNKNOWN, 403, "token-unknown", "The token is not one of this cluster")             \
	X(TOKEN_EXPIRED, 403, "token-expired", "The token's time is over")                         \
	X(TOKEN_USED, 403, "token-used", "The token has been used up")                             \
	X(TOKEN_REVOKED, 403, "token-revoked", "The token was taken back")                         \
	X(TOKEN_NETWORK, 403, "token-network", "The token is for another network")                 \
	X(NODE_REVOKED, 403, "node-revoked", "This machine was expelled from the cluster")         \
	X(JOIN_REFUSED, 403, "join-refused", "The operator refused this machine")                  \
	X(NOT_FOUND, 404, "not-found", "There is no such thing")                                   \
	X(NO_METHOD, 405, "no-method", "This address has no such method")                          \
	X(CONFLICT, 409, "conflict", "That does not fit the present state")                        \
	X(TOO_LARGE, 413, "too-large", "The request is too large")                                 \
	X(BAD_VALUE, 422, "bad-value", "A value in the request is wrong")                          \
	X(TOO_MANY, 429, "too-many", "Too many requests")                                          \
	X(INTERNAL, 500, "internal", "The head could not do it")                                   \
	X(BUSY, 503, "busy", "The head has too much to do")                                        \
	X(DISK_FULL, 507, "disk-full", "The head's disk is full")

enum problem {
#define PROBLEM_ENUM(name, status, type, title) PROBLEM_##name,
	PROBLEMS(PROBLEM_ENUM)
#undef PROBLEM_ENUM
};

struct http_request {
	char word[ROUTE_WORD_MAX], second[ROUTE_WORD_MAX]; /* of the path */
	enum caller caller;
	struct identity who; /* unless CALLER_NONE */
	struct sock_addr from;
	const json_t *body; /* an object, or NULL when there was none */
	/* query arguments and headers that any route knows; NULL when not there */
	const char *after, *limit, *live, *accept, *last_event_id;
};

struct http_reply {
	unsigned int status;
	const char *type;  /* of the content */
	char *text;	   /* owned; from malloc */
	const char *fixed; /* instead of text: lives as long as the program */
	size_t len;
	char allow[64];	  /* 405 only */
	uint32_t retry_s; /* 429 and 503 only */
	bool stream;	  /* events follow, after this one: */
	int64_t stream_after;
	bool stream_live;
	char log[128]; /* for the audit log: what was done, to what */
};

/** reply_json() - Answer with a value; @j is consumed, NULL answers 500 */
void reply_json(struct http_reply *to, unsigned int status, json_t *j);

/** reply_problem() - Answer with a problem; the detail is for a person and says what to do */
void reply_problem(struct http_reply *to, enum problem p, const char *fmt, ...) PRINTF(3, 4);

/** reply_err() - Answer with what a struct err says: 507, 429, 422, 404, 409 or 500 */
void reply_err(struct http_reply *to, int r, const struct err *e);

void reply_done(struct http_reply *to);

/** reply_time() - Seconds since 1970 as RFC 3339 in UTC; null for 0 */
json_t *reply_time(int64_t s);

#endif
