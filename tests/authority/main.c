/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - test-authority: the authority as a co-process for system tests
 *
 * Reads lines from stdin and answers each with "ok":
 *	issue DIR ROLE NAME ID FROM_S TO_S PEERS_JSON
 *	operator PATH
 *	revoke EPOCH PATH ID...
 */
#include <errno.h>

#include "authority/authority.h"
#include "base/banned.h"
#include "base/parse.h"

#define CLUSTER "00112233445566778899aabbccddeeff"
#define IDS_MAX 64

static int64_t seconds(const char *s)
{
	return s ? strtoll(s, NULL, 10) : 0;
}

static int issue(struct authority *a, char **rest)
{
	struct authority_order o = { .dir = strsep(rest, " "),
				     .role = strsep(rest, " "),
				     .name = strsep(rest, " ") };
	const char *id = strsep(rest, " ");

	if (!id || parse_u32(id, &o.id) < 0)
		return -EINVAL;
	o.from_s = seconds(strsep(rest, " "));
	o.to_s = seconds(strsep(rest, " "));
	o.peers = *rest;
	authority_issue(a, &o);
	return 0;
}

static int revoke(struct authority *a, char **rest)
{
	const char *epoch = strsep(rest, " "), *path = strsep(rest, " "), *id;
	uint32_t ids[IDS_MAX];
	uint64_t e;
	size_t n = 0;

	if (!path || parse_u64(epoch, &e) < 0)
		return -EINVAL;
	while ((id = strsep(rest, " ")) && n < IDS_MAX)
		if (parse_u32(id, &ids[n++]) < 0)
			return -EINVAL;
	authority_revoke(a, ids, n, e, path);
	return 0;
}

int main(void)
{
	struct authority *a = authority_new(CLUSTER);
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		char *rest = line, *verb;
		int r = -EINVAL;

		line[n - 1] = '\0';
		verb = strsep(&rest, " ");
		if (!strcmp(verb, "issue"))
			r = issue(a, &rest);
		else if (!strcmp(verb, "revoke"))
			r = revoke(a, &rest);
		else if (!strcmp(verb, "operator")) {
			authority_operator(a, rest);
			r = 0;
		}
		(void)puts(r < 0 ? "what?" : "ok");
		(void)fflush(stdout);
	}
	free(line);
	authority_free(a);
	return 0;
}
