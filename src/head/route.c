/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.c - which handler answers a request */
#include "head/route.h"

#include "head/api.h"

#define ANYBODY	 (CALLER_NONE | CALLER_NODE | CALLER_OPERATOR)
#define MEMBERS	 (CALLER_NODE | CALLER_OPERATOR)
#define OPERATOR CALLER_OPERATOR

#define JOIN_BODY  16384
#define SMALL_BODY 4096

static const struct route table[] = {
	{ "GET", "/health", ANYBODY, 0, api_health },
	{ "GET", "/ca", ANYBODY, 0, api_ca },
	{ "GET", "/openapi.json", ANYBODY, 0, api_openapi },
	{ "GET", "/cluster", MEMBERS, 0, api_cluster },
	{ "GET", "/nodes", MEMBERS, 0, api_nodes },
	{ "GET", "/nodes/{}", MEMBERS, 0, api_node },
	{ "DELETE", "/nodes/{}", OPERATOR, 0, api_node_remove },
	{ "POST", "/nodes/{}/revoke", OPERATOR, 0, api_node_revoke },
	{ "POST", "/nodes/{}/approve", OPERATOR, SMALL_BODY, api_node_approve, true },
	{ "POST", "/nodes/{}/refuse", OPERATOR, 0, api_node_refuse },
	{ "GET", "/joins", OPERATOR, 0, api_joins },
	{ "GET", "/tokens", OPERATOR, 0, api_tokens },
	{ "POST", "/tokens", OPERATOR, SMALL_BODY, api_token_create },
	{ "GET", "/tokens/{}", OPERATOR, 0, api_token },
	{ "DELETE", "/tokens/{}", OPERATOR, 0, api_token_revoke },
	{ "POST", "/join", ANYBODY, JOIN_BODY, api_join },
	{ "GET", "/join/{}", ANYBODY, 0, api_join_poll },
	{ "POST", "/renew", ANYBODY, JOIN_BODY, api_renew },
	{ "GET", "/revocations", MEMBERS, 0, api_revocations },
	{ "GET", "/operators", OPERATOR, 0, api_operators },
	{ "POST", "/operators/{}/revoke", OPERATOR, SMALL_BODY, api_operator_revoke, true },
	{ "GET", "/processes", OPERATOR, 0, api_processes },
	{ "POST", "/nodes/{}/processes/{}/move", OPERATOR, SMALL_BODY, api_process_move },
	{ "GET", "/events", OPERATOR, 0, api_events },
};

const struct route *routes(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(table);
	return table;
}

/* {} stands for one word of at least one byte without a slash; true with the words that stood there
 */
static bool matches(const char *pattern, const char *path, char words[2][ROUTE_WORD_MAX])
{
	words[0][0] = words[1][0] = '\0';
	for (int i = 0; i < 2; i++) {
		const char *hole = strstr(pattern, "{}");
		size_t before = hole ? (size_t)(hole - pattern) : 0, len;

		if (!hole)
			break;
		if (strncmp(pattern, path, before) != 0)
			return false;
		path += before;
		len = strcspn(path, "/");
		if (!len || len >= ROUTE_WORD_MAX)
			return false;
		memcpy(words[i], path, len);
		words[i][len] = '\0';
		path += len;
		pattern = hole + 2;
	}
	return !strcmp(pattern, path);
}

enum route_result route_find(const char *method, const char *path, const struct route **ret,
			     char word[ROUTE_WORD_MAX], char second[ROUTE_WORD_MAX], char allow[64])
{
	char words[2][ROUTE_WORD_MAX];
	size_t n = 0;

	word[0] = second[0] = '\0';
	allow[0] = '\0';
	if (strncmp(path, ROUTE_PREFIX, strlen(ROUTE_PREFIX)) != 0)
		return ROUTE_NO_PATH;
	path += strlen(ROUTE_PREFIX);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (!matches(table[i].path, path, words))
			continue;
		if (!strcmp(table[i].method, method)) {
			memcpy(word, words[0], ROUTE_WORD_MAX);
			memcpy(second, words[1], ROUTE_WORD_MAX);
			allow[0] = '\0';
			*ret = &table[i];
			return ROUTE_FOUND;
		}
		if (n < 48)
			n += (size_t)snprintf(allow + n, 64 - n, "%s%s", n ? ", " : "",
					      table[i].method);
	}
	return n ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}
