/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * name.h - names of nodes, given out unique by the head. Pure
 *
 * A node is called by one lower-case label, so that it is a DNS label, a file name and a word of a
 * host list. Some words mean something else where names are used (RESERVED) and are given to
 * nobody; so are the names that the head's HTTPS certificate is good for, or a node could stand in
 * for the head.
 */
#ifndef HEAD_NAME_H
#define HEAD_NAME_H

#include <stdbool.h>

#include "base/err.h"

#define NAME_MAX_LEN 63

/** name_ok() - May a node be called so? */
bool name_ok(const char *s);

/** name_reserved() - Is it a word that no node may have? */
bool name_reserved(const char *s);

/**
 * name_from_host() - Make a name out of what a machine calls itself
 * @host:	"PC-17.biology.example" gives "pc-17"; hostile
 * @ret:	Set on success only
 * @e:		Reason
 *
 * Return: 0, -EINVAL when nothing usable is in it
 */
int name_from_host(const char *host, char ret[NAME_MAX_LEN + 1], struct err *e) MUST_CHECK;

/** name_numbered() - The n-th choice for a name: "n1", "n1-2", "n1-3"; n counts from 1 */
void name_numbered(const char *name, unsigned int n, char ret[NAME_MAX_LEN + 1]);

#endif
