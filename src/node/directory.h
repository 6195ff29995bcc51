/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * directory.h - who is in the cluster: number, name, role, address
 *
 * Theory of operation. Gossip speaks of numbers; this table says who they are. An entry comes from
 * node.json, from the certificate and HELLO of the node itself, or from a core member, whose word
 * is trusted (docs/PROTOCOL.md section 4). Each change gets the next serial, so that others can ask
 * for what is new since the last time. Of two words about one node the one with the newer stamp
 * (set by the node itself when it starts) counts. The name and the role of a node never change
 * without a new stamp. Pure: no I/O; bounded by DIRECTORY_MAX entries.
 */
#ifndef NODE_DIRECTORY_H
#define NODE_DIRECTORY_H

#include "net/identity.h"
#include "os/sock.h"

#define DIRECTORY_MAX 16384

struct dir_entry {
	uint32_t id;
	enum role role;
	bool relayed;
	bool known_address;
	char name[IDENTITY_NAME_MAX + 1];
	struct sock_addr addr;
	uint64_t stamp;	 /* ms since 1970, set by the node itself; 0: from node.json */
	uint64_t serial; /* in this table */
};

struct directory;

int directory_new(struct directory **ret) MUST_CHECK;
void directory_free(struct directory *d);

/**
 * directory_put() - Take a word about a node
 * @e:		serial is ignored
 *
 * Return: 1 it changed something, 0 nothing new (or older than what is known), -ENOSPC, -ENOMEM
 */
int directory_put(struct directory *d, const struct dir_entry *e) MUST_CHECK;
void directory_remove(struct directory *d, uint32_t id);

/** directory_get(), directory_find() - NULL: not known; good until the next put or remove */
const struct dir_entry *directory_get(const struct directory *d, uint32_t id);
const struct dir_entry *directory_find(const struct directory *d, const char *name);

/** directory_after() - The entry with the lowest serial above that; NULL: none */
const struct dir_entry *directory_after(const struct directory *d, uint64_t serial);

/** directory_serial() - Of the newest entry */
uint64_t directory_serial(const struct directory *d);
uint32_t directory_count(const struct directory *d);
const struct dir_entry *directory_at(const struct directory *d, uint32_t i);

#endif
