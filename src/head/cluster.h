/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cluster.h - what a cluster is called and where its head is
 *
 * Written once by `comosix init` as head/cluster.json, read by comosix-headd before it splits into
 * its processes, never changed by them.
 */
#ifndef HEAD_CLUSTER_H
#define HEAD_CLUSTER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/identity.h"

#define CLUSTER_NAME_MAX    63
#define CLUSTER_ADDRESS_MAX 45
#define CLUSTER_NAMES_MAX   8

#define HEAD_PORT      4661
#define NODE_PORT      4660
#define HEAD_NODE_NAME "head"
#define HEAD_NODE_ID   1

struct cluster {
	char id[CLUSTER_ID_LEN + 1];
	char name[CLUSTER_NAME_MAX + 1];
	char address[CLUSTER_ADDRESS_MAX + 1]; /* of the head, without a port */
	uint32_t port;			       /* of the API */
	int64_t created;
	/* more DNS names that the head's HTTPS certificate is good for */
	char dns[CLUSTER_NAMES_MAX][IDENTITY_NAME_MAX + 1];
	size_t n_dns;
};

/** cluster_url() - "https://10.77.0.1:4661", in brackets for IPv6 */
int cluster_url(const struct cluster *c, struct buf *to) MUST_CHECK;

/** cluster_node_address() - "10.77.0.1:4660": where the head's own comosixd is */
int cluster_node_address(const struct cluster *c, struct buf *to) MUST_CHECK;

/** cluster_check() - Are name, address and DNS names such as we can work with? */
int cluster_check(const struct cluster *c, struct err *e) MUST_CHECK;

int cluster_load(const char *path, struct cluster *ret, struct err *e) MUST_CHECK;
int cluster_save(const char *path, const struct cluster *c, struct err *e) MUST_CHECK;

#endif
