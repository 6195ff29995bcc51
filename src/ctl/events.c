/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.c - comosix events: what happened in the cluster */
#include <inttypes.h>

#include "ctl/ask.h"
#include "ctl/command.h"
#include "ctl/term.h"

#define SHOWN_DEFAULT 50

struct events_options {
	bool follow, json;
	uint32_t last;
};

static const struct opt_spec specs[] = {
	{ "follow", 'f', OPT_FLAG, offsetof(struct events_options, follow), NULL,
	  "go on with each event as it comes" },
	{ "last", 'n', OPT_U32, offsetof(struct events_options, last), "N",
	  "begin with the last N (50)" },
	{ "json", 0, OPT_FLAG, offsetof(struct events_options, json), NULL,
	  "print JSON, an object a line" },
};

static const struct opt_command command = {
	.name = "comosix events",
	.summary = "what happened in the cluster",
	.examples = "  comosix events\n  comosix events --follow\n"
		    "  comosix events --follow --json | jq .subject\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
};

static const struct {
	const char *type;
	enum term_style style;
} styles[] = {
	{ "node.up", TERM_GOOD },    { "node.joined", TERM_GOOD }, { "node.suspect", TERM_WARN },
	{ "join.asked", TERM_WARN }, { "node.down", TERM_BAD },	   { "node.revoked", TERM_BAD },
};

static bool print_event(const struct events_options *o, const json_t *j)
{
	bool colors = term_colors();
	enum term_style style = TERM_PLAIN;
	char line[512];

	if (o->json) {
		char *text = json_dumps(j, JSON_COMPACT);

		if (text)
			(void)puts(text);
		free(text);
		return !fflush(stdout);
	}
	for (size_t i = 0; i < ARRAY_LEN(styles); i++)
		if (!strcmp(styles[i].type, ask_text(j, "type")))
			style = styles[i].style;
	(void)snprintf(line, sizeof(line), "%s (by %s)", ask_text(j, "text"), ask_text(j, "by"));
	(void)printf("%s  %s%-16s%s %-16s %s\n", ask_text(j, "time"), term_style_on(style, colors),
		     ask_text(j, "type"), term_style_off(style, colors), ask_text(j, "subject"),
		     term_clean(line));
	return !fflush(stdout);
}

static bool on_event(void *owner, const char *type, const json_t *data)
{
	(void)type;
	return print_event(owner, data);
}

/* everything after a number, page by page; *after is moved on */
static int print_list(struct api_client *c, const struct events_options *o, int64_t *after,
		      struct err *e)
{
	int64_t last = INT64_MAX;

	while (*after < last) {
		json_t *answer, *row;
		char path[64];
		size_t i;
		int r;

		(void)snprintf(path, sizeof(path), "/events?after=%" PRId64, *after);
		r = api_call(c, "GET", path, NULL, &answer, e);
		if (r < 0)
			return r;
		last = ask_number(answer, "last");
		json_array_foreach(json_object_get(answer, "events"), i, row)
		{
			*after = ask_number(row, "id");
			(void)print_event(o, row); /* seen at the end by fflush() */
		}
		if (!json_array_size(json_object_get(answer, "events")))
			*after = last;
		json_decref(answer);
	}
	return 0;
}

static int find_start(struct api_client *c, uint32_t shown, int64_t *ret, struct err *e)
{
	json_t *answer;
	int r = api_call(c, "GET", "/events?limit=1", NULL, &answer, e);

	if (r < 0)
		return r;
	*ret = ask_number(answer, "last") - shown;
	if (*ret < 0)
		*ret = 0;
	json_decref(answer);
	return 0;
}

int cmd_events(int argc, char **argv)
{
	struct events_options o = { .last = SHOWN_DEFAULT };
	struct api_client *c = NULL;
	struct err e = { 0 };
	int64_t after = 0;
	long status = 0;
	int first, r = ask_options(&command, argc, argv, &o, 0, 0, &first);

	if (r >= 0)
		return r;
	r = api_open_operator(&c, &e);
	if (!r)
		r = find_start(c, o.last, &after, &e);
	if (!r)
		r = print_list(c, &o, &after, &e);
	if (!r && o.follow)
		r = api_stream(c, &after, false, on_event, &o, &e);
	if (c)
		status = api_status(c);
	api_close(c);
	if (r < 0)
		(void)fprintf(stderr, "comosix events: %s\n", e.text);
	return ask_exit_status(r, status);
}
