/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reply.c - one request of the API and its answer, apart from the HTTP server */
#include "head/reply.h"

#include <errno.h>
#include <stdarg.h>

#define PROBLEM_TYPE "urn:comosix:problem:"

static const struct {
	unsigned int status;
	const char *type, *title;
} problems[] = {
#define PROBLEM_ROW(name, status, type, title) { status, type, title },
	PROBLEMS(PROBLEM_ROW)
#undef PROBLEM_ROW
};

/* which problem an -errno is when nothing better is known */
static const struct {
	int code;
	enum problem problem;
} of_errno[] = {
	{ -ENOSPC, PROBLEM_DISK_FULL },	 { -EDQUOT, PROBLEM_CONFLICT },
	{ -EAGAIN, PROBLEM_TOO_MANY },	 { -EBUSY, PROBLEM_BUSY },
	{ -ETIMEDOUT, PROBLEM_BUSY },	 { -EINVAL, PROBLEM_BAD_VALUE },
	{ -ENOENT, PROBLEM_NOT_FOUND },	 { -EEXIST, PROBLEM_CONFLICT },
	{ -EPERM, PROBLEM_NOT_ALLOWED },
};

static void set_text(struct http_reply *to, unsigned int status, const char *type, char *text)
{
	reply_done(to);
	to->status = status;
	to->type = type;
	to->text = text;
	to->len = strlen(text);
}

static void out_of_memory(struct http_reply *to)
{
	static const char text[] = "{\"type\":\"" PROBLEM_TYPE "internal\",\"status\":500,"
				   "\"title\":\"The head could not do it\","
				   "\"detail\":\"it is out of memory; try again\"}";

	reply_done(to);
	to->status = 500;
	to->type = "application/problem+json";
	to->fixed = text;
	to->len = sizeof(text) - 1;
}

void reply_json(struct http_reply *to, unsigned int status, json_t *j)
{
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	if (!text)
		out_of_memory(to);
	else
		set_text(to, status, "application/json", text);
}

void reply_problem(struct http_reply *to, enum problem p, const char *fmt, ...)
{
	char detail[REPLY_TEXT_MAX], type[64];
	char *text;
	va_list ap;
	json_t *j;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap); /* a cut line is still a line */
	va_end(ap);
	(void)snprintf(type, sizeof(type), PROBLEM_TYPE "%s", problems[p].type);
	/* a detail that quotes bytes which are no UTF-8 is left out */
	j = json_pack("{s:s, s:s, s:i, s:s*}", "type", type, "title", problems[p].title, "status",
		      (int)problems[p].status, "detail", detail);
	if (!j)
		j = json_pack("{s:s, s:s, s:i}", "type", type, "title", problems[p].title, "status",
			      (int)problems[p].status);
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	if (!text)
		out_of_memory(to);
	else
		set_text(to, problems[p].status, "application/problem+json", text);
	if (problems[p].status == 429 || problems[p].status == 503)
		to->retry_s = 10;
}

void reply_err(struct http_reply *to, int r, const struct err *e)
{
	enum problem p = PROBLEM_INTERNAL;

	for (size_t i = 0; i < ARRAY_LEN(of_errno); i++)
		if (of_errno[i].code == r)
			p = of_errno[i].problem;
	reply_problem(to, p, "%s", e->text);
}

void reply_done(struct http_reply *to)
{
	free(to->text);
	to->text = NULL;
	to->fixed = NULL;
	to->len = 0;
}

json_t *reply_time(int64_t s)
{
	time_t t = (time_t)s;
	char text[32];
	struct tm tm;

	if (!s || !gmtime_r(&t, &tm))
		return json_null();
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}
