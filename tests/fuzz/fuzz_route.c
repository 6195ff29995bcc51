/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_route.c - addresses, tokens, networks and names: "WORD\nREST" */
#include "head/name.h"
#include "head/route.h"
#include "head/token.h"
#include "tests/fuzz/fuzz.h"

static void route(const char *method, const char *path)
{
	const struct route *found = NULL;
	char word[ROUTE_WORD_MAX], second[ROUTE_WORD_MAX], allow[64];
	enum route_result r = route_find(method, path, &found, word, second, allow);

	MUST((r == ROUTE_FOUND) == (found != NULL));
	MUST((r == ROUTE_NO_METHOD) == (allow[0] != '\0'));
	MUST(!strchr(word, '/') && strlen(allow) < sizeof(allow) - 1);
	MUST(!word[0] || strstr(path, word));
	MUST(!strchr(second, '/') && (!second[0] || (word[0] && strstr(path, second))));
}

static void token(const char *text)
{
	char back[TOKEN_TEXT];
	struct token t;

	if (token_parse(text, &t, NULL) < 0)
		return;
	token_format(&t, back);
	MUST(!strcmp(back, text));
}

static void name(const char *host)
{
	char got[NAME_MAX_LEN + 1], again[NAME_MAX_LEN + 1];

	if (name_from_host(host, got, NULL) < 0)
		return;
	MUST(name_ok(got));
	MUST(!name_from_host(got, again, NULL) && !strcmp(got, again));
	name_numbered(got, 4096, again);
	MUST(name_ok(again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	struct sock_addr a;
	char *rest = text;
	const char *first = strsep(&rest, "\n");

	MUST(text);
	if (!rest)
		rest = text + strlen(text);
	route(first, rest);
	route("GET", rest);
	token(rest);
	name(rest);
	if (!sock_addr_parse(first, &a))
		MUST(!network_holds(rest, &a) || network_ok(rest));
	return 0;
}
