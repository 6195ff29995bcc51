/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_client.h - a client of the head's API (blocking)
 *
 * For commands. docs/openapi.json describes what may be asked. An answer that is no success
 * becomes a struct err made of the problem's detail, ready to be shown.
 */
#ifndef NET_API_CLIENT_H
#define NET_API_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define API_OPERATOR_DEFAULT "/etc/comosix/operator.pem"
#define API_URL_MAX	     256
#define API_ANSWER_MAX	     (64 * 1024 * 1024)
#define API_TIMEOUT_S	     30
#define API_CONNECT_S	     10

struct api_client;

struct api_credential {
	const char *url;  /* "https://10.0.0.1:4661" */
	const char *ca;	  /* file that the server must be signed by; NULL: not checked at all */
	const char *cert; /* file with our certificate and key, NULL for none */
	const char *key;
};

/** api_open() - Get ready to ask; nothing is sent. *ret is ended with api_close() */
int api_open(const struct api_credential *c, struct api_client **ret, struct err *e) MUST_CHECK;

/**
 * api_open_operator() - The same with the operator's credential
 * @ret:	Ended with api_close()
 * @e:		Reason; says how to get the credential
 *
 * $COMOSIX_OPERATOR, else API_OPERATOR_DEFAULT; the address is in the file, $COMOSIX_URL wins.
 *
 * Return: 0, -EACCES or -ENOENT when there is no credential, other -errno
 */
int api_open_operator(struct api_client **ret, struct err *e) MUST_CHECK;
void api_close(struct api_client *c);

/**
 * api_call() - One request
 * @c:		The client
 * @method:	"GET", "POST", "DELETE"
 * @path:	Behind /api/v1, "/nodes"
 * @body:	Sent as JSON; NULL for none. Stays the caller's
 * @ret:	The answer, the caller's to json_decref(); NULL when it has no body. May be NULL
 * @e:		Reason
 *
 * Return: 0, -EREMOTE when the head said no (see api_status()), -ECONNREFUSED when it could not be
 * reached, other -errno
 */
int api_call(struct api_client *c, const char *method, const char *path, const json_t *body,
	     json_t **ret, struct err *e) MUST_CHECK;

/** api_status() - HTTP status of the last answer; 0 when there was none */
long api_status(const struct api_client *c);

/** api_retry_s() - In how many seconds the head wants to be asked again; 0 when it did not say */
uint64_t api_retry_s(const struct api_client *c);

/**
 * api_events_fn - One event of a stream
 * @owner:	As given to api_stream()
 * @type:	"node.up"; "live" when something changed that is no event
 * @data:	The event as JSON
 *
 * Return: true to go on
 */
typedef bool api_event_fn(void *owner, const char *type, const json_t *data);

/**
 * api_stream() - Follow the events until the callback says stop
 * @c:		The client
 * @after:	Number of the last event known; -1: only new ones. Moved on with each event
 * @live:	Also `live` events
 * @fn, @owner:	Called for each
 * @e:		Reason
 *
 * A broken stream is taken up again where it ended, without losing events, for as long as the head
 * can be reached.
 *
 * Return: 0 when the callback said stop, -EREMOTE, -ECONNREFUSED, other -errno
 */
int api_stream(struct api_client *c, int64_t *after, bool live, api_event_fn *fn, void *owner,
	       struct err *e) MUST_CHECK;

#endif
