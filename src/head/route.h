/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * route.h - which handler answers a request. Pure
 *
 * The table (route.c) is the API: method, path, who may ask, how long the body may be. What stands
 * here and what docs/openapi.json says is held together by tests/system/openapi.py.
 */
#ifndef HEAD_ROUTE_H
#define HEAD_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define ROUTE_WORD_MAX 64
#define ROUTE_PREFIX   "/api/v1"

/* who asks, by the client's certificate; a mask in the table */
enum caller {
	CALLER_NONE = 1, /* no certificate, or none of ours */
	CALLER_NODE = 2, /* head, server or desktop, not revoked */
	CALLER_OPERATOR = 4,
};

struct api;
struct http_request;
struct http_reply;

typedef void route_fn(struct api *a, const struct http_request *q, struct http_reply *to);

struct route {
	const char *method;
	const char *path; /* behind ROUTE_PREFIX; {} stands for one word, at most twice */
	unsigned int may; /* CALLER_* */
	size_t body_max;  /* 0: no body */
	route_fn *run;
	bool body_optional;
};

enum route_result {
	ROUTE_FOUND,
	ROUTE_NO_PATH,
	ROUTE_NO_METHOD,
};

/**
 * route_find() - Look a request up
 * @method, @path: As received; hostile
 * @ret:	Set when found
 * @word, @second: What stood at the first and the second {}; empty when the path has none
 * @allow:	When the path is known but not with this method: the methods it has, "GET, POST"
 *
 * Return: what was found
 */
enum route_result route_find(const char *method, const char *path, const struct route **ret,
			     char word[ROUTE_WORD_MAX], char second[ROUTE_WORD_MAX],
			     char allow[64]);

/** routes() - The whole table, for tests; *ret_n rows */
const struct route *routes(size_t *ret_n);

#endif
