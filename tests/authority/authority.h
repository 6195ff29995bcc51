/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * authority.h - a cluster's authority for tests: makes certificates good and bad
 *
 * What comosix-headd's signer does, without its rules, so that tests can make what it refuses.
 */
#ifndef TESTS_AUTHORITY_H
#define TESTS_AUTHORITY_H

#include <stddef.h>
#include <stdint.h>

struct authority;

/* all of these abort the test on failure */
struct authority *authority_new(const char *cluster);
void authority_free(struct authority *a);

struct authority_order {
	const char *dir; /* made if missing */
	const char *role, *name;
	uint32_t id;
	int64_t from_s, to_s; /* relative to now */
	const char *peers;    /* JSON array for node.json, NULL: [] */
	const char *uri;      /* instead of the right identity */
};

/** authority_issue() - Write key.pem, cert.pem, ca.pem, statement.pub and node.json */
void authority_issue(struct authority *a, const struct authority_order *o);

/** authority_operator() - Write an operator.pem */
void authority_operator(struct authority *a, const char *path);

/**
 * authority_revoke() - A signed revocation list, a packed Statement
 * @ids, @n:	Who is on it
 * @epoch:	Its epoch
 * @path:	Where to
 */
void authority_revoke(struct authority *a, const uint32_t *ids, size_t n, uint64_t epoch,
		      const char *path);

#endif
