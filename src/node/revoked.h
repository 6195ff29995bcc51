/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * revoked.h - the list of nodes and operators whose certificates are not taken any more
 *
 * Signed with the cluster's statement key, so that it does not matter who brings it. The list with
 * the highest epoch counts; it is kept in the state directory as it was signed, to be handed on.
 */
#ifndef NODE_REVOKED_H
#define NODE_REVOKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define REVOKED_MAX	      65536
#define REVOKED_OPERATORS_MAX 4096
#define STATEMENT_MAX	      262144 /* bytes: it must fit into a frame */

struct revoked;

/**
 * revoked_open() - Load statement.pub, and the stored list if there is one
 * @dir:	State directory
 * @cluster:	Our cluster's id
 * @ret:	Set on success only
 * @e:		Reason
 *
 * A stored list that does not verify is an error: who could change it could also have removed it,
 * but a broken disk should be heard of.
 *
 * Return: 0 or -errno
 */
int revoked_open(const char *dir, const char *cluster, struct revoked **ret, struct err *e)
	MUST_CHECK;
void revoked_close(struct revoked *r);

bool revoked_has(const struct revoked *r, uint32_t id);

/** revoked_name() - The name it had; "" when it is not on the list, or has no name there */
const char *revoked_name(const struct revoked *r, uint32_t id);

/** revoked_has_operator() - Was the credential with this serial number (hexadecimal) revoked? */
bool revoked_has_operator(const struct revoked *r, const char *serial);
uint64_t revoked_epoch(const struct revoked *r);
size_t revoked_count(const struct revoked *r);
uint32_t revoked_at(const struct revoked *r, size_t i);

/** revoked_statement() - The list as it was signed (a packed Statement); NULL: none yet */
const void *revoked_statement(const struct revoked *r, size_t *ret_len);

/**
 * revoked_take() - Somebody brought a list
 * @p, @len:	A packed Statement, hostile
 *
 * Return: 1 it is new and on disk, 0 known or older, -EACCES (signature, other cluster), -EPROTO,
 * other -errno (disk; it counts nevertheless)
 */
int revoked_take(struct revoked *r, const void *p, size_t len, struct err *e) MUST_CHECK;

#endif
