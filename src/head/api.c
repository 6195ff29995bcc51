/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api.c - what the handlers of the API share: their transaction, from its begin to the answer */
#include "head/api.h"

#include <errno.h>
#include <stdarg.h>

#include "os/clock.h"

const char *api_by(const struct http_request *q)
{
	return q->caller == CALLER_NONE ? "nobody" : q->who.name;
}

int api_event(struct api *a, const char *type, const char *subject, const char *by,
	      const char *text, struct err *e)
{
	struct store_event ev = { .time = clock_wall_s() };

	(void)snprintf(ev.type, sizeof(ev.type), "%s", type);
	(void)snprintf(ev.subject, sizeof(ev.subject), "%s", subject);
	(void)snprintf(ev.by, sizeof(ev.by), "%s", by);
	(void)snprintf(ev.text, sizeof(ev.text), "%s", text);
	return store_event_add(a->store, &ev, e);
}

bool api_begin(struct api *a, struct http_reply *to)
{
	struct err e = { 0 };
	int r = store_begin(a->store, &e);

	if (r < 0)
		reply_err(to, r, &e);
	return r == 0;
}

bool api_found(struct api *a, int r, const struct err *e, struct http_reply *to, const char *fmt,
	       ...)
{
	char text[REPLY_TEXT_MAX];
	va_list ap;

	if (!r)
		return true;
	store_rollback(a->store);
	if (r != -ENOENT) {
		reply_err(to, r, e);
		return false;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut line is still a line */
	va_end(ap);
	reply_problem(to, PROBLEM_NOT_FOUND, "%s", text);
	return false;
}

bool api_commit(struct api *a, struct http_reply *to)
{
	struct err e = { 0 };
	int r = store_commit(a->store, &e);

	if (r < 0) {
		reply_err(to, r, &e);
		return false;
	}
	bus_events(&a->bus);
	return true;
}

void api_finish(struct api *a, json_t *j, unsigned int status, int r, const struct err *e,
		struct http_reply *to)
{
	if (r < 0) {
		store_rollback(a->store);
		json_decref(j);
		reply_err(to, r, e);
	} else if (!api_commit(a, to)) {
		json_decref(j);
	} else if (status == 204) {
		to->status = status;
	} else {
		reply_json(to, status, j);
	}
}
