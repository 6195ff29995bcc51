/* SPDX-License-Identifier: GPL-2.0-or-later */
/* services.c - what runs in the pods of a lab, as one table (pure) */
#include "lab/services.h"

#include <errno.h>

#define HEAD  (1U << LAB_HEAD)
#define NODES (1U << LAB_SERVER | 1U << LAB_DESKTOP)
#define ALL   (HEAD | NODES)

const struct service services[] = {
	{ .name = "init",
	  .roles = HEAD,
	  .unless = "/etc/comosix/operator.pem",
	  .ready = READY_AT_EXIT,
	  .argv = { "comosix", "init", "--name", "{lab}", "--address", "{address}" } },
	{ .name = "headd",
	  .roles = HEAD,
	  .ready = READY_TCP,
	  .ready_port = 4661,
	  .argv = { "comosix-headd" } },
	{ .name = "join",
	  .roles = NODES,
	  .unless = "/var/lib/comosix/node/node.json",
	  .ready = READY_AT_EXIT,
	  .argv = { "comosix", "join", "--head", "https://{head}:4661", "--token", "{token}",
		    "--name", "{name}", "--address", "{address}:4660", "{relayed}" } },
	{ .name = "comosixd",
	  .roles = ALL,
	  .ready = READY_UNIX,
	  .ready_path = "/run/comosix/comosixd.sock",
	  .argv = { "comosixd", "--listen", "0.0.0.0:4660", "--advertise", "{address}:4660",
		    "--task-uid-base", "{uids}", "{relayed}" } },
	{ 0 },
};

const char *lab_role_name(enum lab_role role)
{
	static const char *const names[] = {
		[LAB_HEAD] = "head", [LAB_SERVER] = "server", [LAB_DESKTOP] = "desktop"
	};

	return names[role];
}

static const char *meaning(const char *word, size_t len, const struct service_words *w)
{
	const struct {
		const char *word, *text;
	} words[] = {
		{ "lab", w->lab },	   { "name", w->name },
		{ "address", w->address }, { "head", w->head },
		{ "token", w->token },	   { "relayed", w->relayed ? "--relayed" : "" },
		{ "uids", w->uids },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i].word) == len && !memcmp(words[i].word, word, len))
			return words[i].text;
	return NULL;
}

static int expand(const char *from, const struct service_words *w, char *to, struct err *e)
{
	size_t n = 0;

	to[0] = '\0';
	while (*from) {
		size_t len = strcspn(from, "{");
		const char *text = from;

		if (!len) {
			size_t word = strcspn(++from, "}");

			text = meaning(from, word, w);
			if (!text || from[word] != '}')
				return err_set(e, -EINVAL, "unknown word in service argument '{%s'",
					       from);
			from += word + 1;
			len = strlen(text);
		} else {
			from += len;
		}
		if (n + len >= SERVICE_ARG_MAX)
			return err_set(e, -E2BIG, "a service's argument is too long");
		memcpy(to + n, text, len);
		n += len;
		to[n] = '\0';
	}
	return 0;
}

int service_expand(const struct service *s, const struct service_words *w,
		   struct service_command *ret, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < SERVICE_ARGS_MAX && s->argv[i]; i++) {
		int r = expand(s->argv[i], w, ret->args[n], e);

		if (r < 0)
			return r;
		if (ret->args[n][0])
			ret->argv[n] = ret->args[n], n++;
	}
	ret->argv[n] = NULL;
	return 0;
}
