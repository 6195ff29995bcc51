/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_api.c - requests to the control point: "N METHOD PATH\nBODY"
 *
 * N says who asks: 0 nobody, 1 a node, 2 the operator. The handlers run on a database in memory
 * with a node, a token and a pending join in it; the other two processes do not answer.
 */
#include "head/api.h"
#include "tests/fuzz/fuzz.h"

#define NOW 1800000000

static const struct cluster cluster = { .id = "0123456789abcdef0123456789abcdef",
					.name = "fuzz",
					.address = "10.0.0.1",
					.port = 4661 };

static void fill(struct store *s)
{
	struct store_node n = { .name = "n1",
				.role = "desktop",
				.state = "active",
				.key_fingerprint = "k1",
				.address = "10.0.0.2:4660" };
	/* the secret is 26 times the letter a */
	struct store_token t = {
		.hash = "9976d549a25115dab4e36d0c1fb8f31cb07da87dd83275977360eb7dc09e88de",
		.role = "server",
		.count = 2,
		.created = NOW,
		.expires = INT64_MAX / 2
	};
	struct store_join j = { .id = "00112233445566778899aabbccddeeff",
				.name = "d1",
				.source = "10.0.0.3",
				.key_fingerprint = "k2",
				.state = "pending",
				.created = INT64_MAX / 2,
				.csr = "csr" };

	MUST(!store_begin(s, NULL));
	MUST(!store_node_add(s, &n, NULL));
	MUST(!store_token_add(s, &t, NOW, NULL));
	MUST(!store_join_add(s, &j, NULL));
	MUST(!store_commit(s, NULL));
}

static void open_api(struct api *a)
{
	a->cluster = &cluster;
	a->ca_pem = (char *)"";
	a->statement_pub = (char *)"";
	a->url = (char *)"https://10.0.0.1:4661";
	memset(a->fingerprint, 'f', sizeof(a->fingerprint) - 1);
	sign_init(&a->sign, -1);
	help_init(&a->help, -1);
	bus_init(&a->bus);
	pthread_mutex_init(&a->rate_lock, NULL);
	rate_init(&a->rate, 1e9, 1);
	MUST(!store_open(":memory:", &a->store, NULL));
	fill(a->store);
}

static void check(const struct http_reply *to)
{
	const char *text = to->fixed ? to->fixed : to->text;
	json_t *j;

	MUST(to->status >= 200 && to->status <= 507);
	if (to->status == 204 || to->stream) {
		MUST(!to->len);
		return;
	}
	j = json_loadb(text, to->len, JSON_REJECT_DUPLICATES, NULL);
	MUST(json_is_object(j));
	MUST((to->status >= 400) == !strcmp(to->type, "application/problem+json") ||
	     to->status == 503);
	json_decref(j);
}

static void run(const struct route *route, const struct http_request *q)
{
	struct api *a = calloc(1, sizeof(*a));
	struct http_reply to = { 0 };

	MUST(a);
	open_api(a);
	route->run(a, q, &to);
	check(&to);
	reply_done(&to);
	/* the transaction was ended, whatever happened */
	MUST(!store_begin(a->store, NULL));
	store_rollback(a->store);
	store_close(a->store);
	bus_done(&a->bus);
	free(a);
}

/* what the HTTP server refuses before a handler is called never gets to run() */
static void request(char who, const char *method, const char *path, const char *body, size_t len)
{
	struct http_request q = { .caller = CALLER_NONE };
	const struct route *route;
	json_t *j = NULL;
	char allow[64];

	if (route_find(method, path, &route, q.word, q.second, allow) != ROUTE_FOUND ||
	    len > route->body_max)
		return;
	MUST(!sock_addr_parse("10.0.0.9:5000", &q.from));
	if (who == '1' || who == '2') {
		q.caller = who == '1' ? CALLER_NODE : CALLER_OPERATOR;
		(void)snprintf(q.who.name, sizeof(q.who.name), "somebody");
	}
	if (!(route->may & q.caller))
		return;
	if (len)
		j = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	q.body = j;
	if (len ? json_is_object(j) : !route->body_max || !strcmp(route->path, "/nodes/{}/approve"))
		run(route, &q);
	json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);

	if (!end || end - data < 4)
		return 0;
	AUTO_FREE char *line = strndup((const char *)data, (size_t)(end - data));

	MUST(line);
	if (strlen(line) > 2 && line[1] == ' ') {
		char *rest = line + 2;
		const char *method = strsep(&rest, " ");

		if (rest)
			request(line[0], method, rest, (const char *)end + 1,
				size - (size_t)(end + 1 - data));
	}
	return 0;
}
