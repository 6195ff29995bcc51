/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_head.c - the pure parts of the control point: names, tokens, networks, routes, rates */
#include <errno.h>

#include "head/name.h"
#include "head/rate.h"
#include "head/route.h"
#include "head/token.h"
#include "net/sse.h"
#include "test.h"

static void names(void **state)
{
	static const struct {
		const char *host, *name; /* NULL: refused */
	} rows[] = {
		{ "n1", "n1" },
		{ "PC-17.biology.example", "pc-17" },
		{ "my_desk top", "my-desk-top" },
		{ "--x--", "x" },
		{ "\xc3\xa4"
		  "b\"c\n",
		  "bc" },
		{ "", NULL },
		{ "...", NULL },
		{ "42", NULL }, /* would look like a number */
		{ "-", NULL },
		{ "\x1b[2J", "2j" },
		{ "a234567890123456789012345678901234567890123456789012345678901234567890",
		  "a23456789012345678901234567890123456789012345678901234567890123" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[NAME_MAX_LEN + 1] = "";
		struct err e = { 0 };
		int r = name_from_host(rows[i].host, name, &e);

		assert_int_equal(r, rows[i].name ? 0 : -EINVAL);
		if (rows[i].name)
			assert_string_equal(name, rows[i].name);
		else
			assert_true(e.text[0]);
		assert_true(r || name_ok(name));
	}
	assert_true(name_reserved("head") && name_reserved("localhost") && name_reserved("home"));
	assert_false(name_reserved("n1"));
	assert_false(name_ok("a.b") || name_ok("A") || name_ok("a-") || name_ok("../x"));
}

static void names_are_numbered(void **state)
{
	char name[NAME_MAX_LEN + 1], full[NAME_MAX_LEN + 1];

	name_numbered("n1", 1, name);
	assert_string_equal(name, "n1");
	name_numbered("n1", 12, name);
	assert_string_equal(name, "n1-12");
	memset(full, 'a', NAME_MAX_LEN);
	full[NAME_MAX_LEN] = '\0';
	name_numbered(full, 1000, name);
	assert_int_equal(strlen(name), NAME_MAX_LEN);
	assert_string_equal(name + NAME_MAX_LEN - 5, "-1000");
	assert_true(name_ok(name));
}

static void tokens(void **state)
{
	static const uint8_t bytes[16] = {
		0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	};
	static const char *const bad[] = {
		"",
		"cmx-",
		"cmx-0123456-00000000000000000000000000000000-aaaaaaaaaaaaaaaaaaaaaaaaaa",
		"cmx-01234567-0000000000000000000000000000000-aaaaaaaaaaaaaaaaaaaaaaaaaa",
		"cmx-01234567-00000000000000000000000000000000-aaaaaaaaaaaaaaaaaaaaaaaaa",
		"cmx-01234567-00000000000000000000000000000000-aaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"cmx-01234567-00000000000000000000000000000000-aaaaaaaaaaaaaaaaaaaaaaaaa1",
		"CMX-01234567-00000000000000000000000000000000-aaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct token t = { .cluster = "1f0c88aa", .pin = "5d7e0cb8c2ae44d0a7e6b1f35d7e0cb8" }, back;
	char text[TOKEN_TEXT], hash[TOKEN_HASH_TEXT];

	token_secret(bytes, t.secret);
	assert_int_equal(strlen(t.secret), TOKEN_SECRET_LEN);
	token_format(&t, text);
	assert_int_equal(strlen(text), TOKEN_TEXT - 1);
	assert_int_equal(token_parse(text, &back, NULL), 0);
	assert_memory_equal(&t, &back, sizeof(t));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = { 0 };

		assert_int_equal(token_parse(bad[i], &back, &e), -EINVAL);
		assert_true(e.text[0]);
	}
	/* SHA-256("abc"), FIPS 180-2 */
	assert_int_equal(token_hash("abc", hash), 0);
	assert_string_equal(hash,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void networks(void **state)
{
	static const struct {
		const char *network, *address;
		bool ok, holds;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.1.2:9", true, true },
		{ "10.0.0.0/8", "11.0.0.1:9", true, false },
		{ "10.1.2.3", "10.1.2.3:9", true, true },
		{ "10.1.2.3", "10.1.2.4:9", true, false },
		{ "10.1.2.128/25", "10.1.2.200:9", true, true },
		{ "10.1.2.128/25", "10.1.2.100:9", true, false },
		{ "0.0.0.0/0", "1.2.3.4:9", true, true },
		{ "10.0.0.0/8", "[::ffff:10.1.2.3]:9", true, true }, /* mapped */
		{ "0.0.0.0/0", "[fd00::1]:9", true, false },
		{ "fd00::/8", "[fd12::1]:9", true, true },
		{ "fd00::/8", "[fe12::1]:9", true, false },
		{ "10.0.0.0/33", "10.0.0.1:9", false, false },
		{ "10.0.0.0/", "10.0.0.1:9", false, false },
		{ "10.0.0/8", "10.0.0.1:9", false, false },
		{ "/8", "10.0.0.1:9", false, false },
		{ "", "10.0.0.1:9", false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sock_addr a;

		assert_int_equal(sock_addr_parse(rows[i].address, &a), 0);
		assert_int_equal(network_ok(rows[i].network), rows[i].ok);
		assert_int_equal(network_holds(rows[i].network, &a), rows[i].holds);
	}
}

static void routing(void **state)
{
	static const struct {
		const char *method, *path;
		enum route_result want;
		const char *word, *second;
	} rows[] = {
		{ "POST", "/api/v1/nodes/n1/processes/47/move", ROUTE_FOUND, "n1", "47" },
		{ "POST", "/api/v1/nodes/n1/processes//move", ROUTE_NO_PATH, "" },
		{ "POST", "/api/v1/nodes/n1/processes/47/move/x", ROUTE_NO_PATH, "" },
		{ "POST", "/api/v1/nodes/n1/processes/47", ROUTE_NO_PATH, "" },
		{ "GET", "/api/v1/nodes/n1/processes/47/move", ROUTE_NO_METHOD, "" },
		{ "GET", "/api/v1/nodes", ROUTE_FOUND, "" },
		{ "GET", "/api/v1/nodes/n1", ROUTE_FOUND, "n1" },
		{ "POST", "/api/v1/nodes/n1/revoke", ROUTE_FOUND, "n1" },
		{ "DELETE", "/api/v1/tokens/3", ROUTE_FOUND, "3" },
		{ "PUT", "/api/v1/nodes", ROUTE_NO_METHOD, "" },
		{ "POST", "/api/v1/nodes/n1", ROUTE_NO_METHOD, "" },
		{ "GET", "/api/v1/nodes/", ROUTE_NO_PATH, "" },
		{ "GET", "/api/v1/nodes//revoke", ROUTE_NO_PATH, "" },
		{ "GET", "/api/v1/nodes/n1/", ROUTE_NO_PATH, "" },
		{ "GET", "/api/v1/nodes/a/b", ROUTE_NO_PATH, "" },
		{ "GET", "/api/v1", ROUTE_NO_PATH, "" },
		{ "GET", "/", ROUTE_NO_PATH, "" },
		{ "GET", "", ROUTE_NO_PATH, "" },
		{ "GET", "/api/v1nodes", ROUTE_NO_PATH, "" },
		{ "GET",
		  "/api/v1/nodes/"
		  "0123456789012345678901234567890123456789012345678901234567890123456789",
		  ROUTE_NO_PATH, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct route *route = NULL;
		char word[ROUTE_WORD_MAX], second[ROUTE_WORD_MAX], allow[64];

		assert_int_equal(
			route_find(rows[i].method, rows[i].path, &route, word, second, allow),
			rows[i].want);
		assert_string_equal(word, rows[i].word);
		assert_string_equal(second, rows[i].second ? rows[i].second : "");
		assert_int_equal(allow[0] != '\0', rows[i].want == ROUTE_NO_METHOD);
		assert_int_equal(route != NULL, rows[i].want == ROUTE_FOUND);
	}
}

/* nothing that changes anything is open to everybody but joining and renewing */
static void only_the_operator_changes(void **state)
{
	size_t n;
	const struct route *all = routes(&n);

	for (size_t i = 0; i < n; i++) {
		bool own_business = !strcmp(all[i].path, "/join") || !strcmp(all[i].path, "/renew");

		if (strcmp(all[i].method, "GET") != 0 && !own_business)
			assert_int_equal(all[i].may, CALLER_OPERATOR);
	}
}

static void rates(void **state)
{
	static struct rate rate;
	struct sock_addr a, same_net, other;
	uint64_t now_ms = 1000;

	assert_int_equal(sock_addr_parse("[fd00::1]:1", &a), 0);
	assert_int_equal(sock_addr_parse("[fd00::2]:1", &same_net), 0);
	assert_int_equal(sock_addr_parse("10.0.0.1:1", &other), 0);
	rate_init(&rate, 3, 0.1);
	for (int i = 0; i < 3; i++) {
		assert_true(rate_left(&rate, &a, now_ms));
		rate_count(&rate, &a, now_ms);
	}
	assert_false(rate_left(&rate, &a, now_ms));
	assert_false(rate_left(&rate, &same_net, now_ms)); /* one /64 is one asker */
	assert_true(rate_left(&rate, &other, now_ms));
	assert_false(rate_left(&rate, &a, now_ms + 9000));
	assert_true(rate_left(&rate, &a, now_ms + 11000));
	/* a flood of other addresses does not let the one that failed go */
	for (uint32_t i = 0; i < 3 * RATE_SLOTS; i++) {
		struct sock_addr flood;
		char text[SOCK_ADDR_TEXT];

		(void)snprintf(text, sizeof(text), "10.1.%u.%u:1", i / 256, i % 256);
		assert_int_equal(sock_addr_parse(text, &flood), 0);
		rate_count(&rate, &flood, now_ms);
	}
	assert_false(rate_left(&rate, &a, now_ms));
}

struct seen {
	char text[512];
	size_t n;
	bool stop;
};

static bool on_sse(void *owner, const char *type, const char *data, int64_t id)
{
	struct seen *s = owner;

	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, "%s|%s|%lld;", type, data,
				 (long long)id);
	return !s->stop;
}

static void streams_are_cut_into_events(void **state)
{
	static const char in[] = "retry: 2000\n\n: still here\n\nid: 7\nevent: node.up\n"
				 "data: {\"a\":1}\n\nevent: live\r\ndata: {}\r\n\r\n"
				 "data: x\ndata: y\nid: 12z\n\n";
	static const char want[] = "node.up|{\"a\":1}|7;live|{}|7;message|x\ny|7;";
	AUTO_FREE char *flood = malloc(2 * SSE_LINE_MAX);

	/* in pieces of every size */
	for (size_t step = 1; step < sizeof(in); step++) {
		struct seen seen = { 0 };
		struct sse s;

		sse_init(&s);
		for (size_t at = 0; at < sizeof(in) - 1; at += step) {
			size_t left = sizeof(in) - 1 - at;

			assert_int_equal(
				sse_feed(&s, in + at, left < step ? left : step, on_sse, &seen), 1);
		}
		assert_string_equal(seen.text, want);
		sse_done(&s);
	}

	struct seen stop = { .stop = true };
	struct sse s;

	sse_init(&s);
	assert_int_equal(sse_feed(&s, in, sizeof(in) - 1, on_sse, &stop), 0);
	sse_done(&s);
	assert_non_null(flood);
	memset(flood, 'x', 2 * SSE_LINE_MAX);
	sse_init(&s);
	assert_int_equal(sse_feed(&s, flood, 2 * SSE_LINE_MAX, on_sse, &stop), -EMSGSIZE);
	sse_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),   cmocka_unit_test(names_are_numbered),
		cmocka_unit_test(tokens),  cmocka_unit_test(networks),
		cmocka_unit_test(routing), cmocka_unit_test(only_the_operator_changes),
		cmocka_unit_test(rates),   cmocka_unit_test(streams_are_cut_into_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
