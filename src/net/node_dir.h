/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node_dir.h - write what a node keeps about itself (docs/PROTOCOL.md section 6)
 *
 * STATE/node/ holds key.pem, cert.pem, ca.pem, statement.pub, node.json and revoked. A first join
 * builds it whole under another name and puts it in place with one rename, so that a daemon finds
 * all of an identity or none, and of one cluster only.
 */
#ifndef NET_NODE_DIR_H
#define NET_NODE_DIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/identity.h"

#define NODE_DIR_FILE_MAX (256 * 1024)

struct node_dir_peer {
	char name[IDENTITY_NAME_MAX + 1];
	uint32_t id;
	enum role role;
	char address[72];
};

/* strings are the caller's */
struct node_dir {
	char name[IDENTITY_NAME_MAX + 1];
	char cluster[CLUSTER_ID_LEN + 1];
	uint32_t id;
	enum role role;
	const char *head_url;
	const char *key, *cert, *ca, *statement_pub; /* PEM; key NULL: leave the one there */
	const void *revoked;			     /* a packed Statement; none: no such file */
	size_t revoked_len;
	const struct node_dir_peer *peers;
	size_t n_peers;
};

/**
 * node_dir_write() - Put an identity into a directory that is not in use
 * @dir:	Existing directory
 * @n:		The identity
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int node_dir_write(const char *dir, const struct node_dir *n, struct err *e) MUST_CHECK;

/** node_dir_renew() - Replace certificate, peers and list of one in use, each file at once */
int node_dir_renew(const char *dir, const struct node_dir *n, struct err *e) MUST_CHECK;

/**
 * node_dir_place() - Make a finished directory the one in use
 * @from:	The finished one
 * @to:		Its final name; what was there before is removed
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int node_dir_place(const char *from, const char *to, struct err *e) MUST_CHECK;

/** node_dir_read_json() - node.json of a directory: name, id, role, cluster; and the head's URL */
int node_dir_read_json(const char *dir, struct node_dir *ret, char ret_url[256], struct err *e)
	MUST_CHECK;

#endif
