/* SPDX-License-Identifier: GPL-2.0-or-later */
/* environment.h - the environment a command starts with. Pure */
#ifndef NODE_RUNNER_ENVIRONMENT_H
#define NODE_RUNNER_ENVIRONMENT_H

#include <stdbool.h>

#include "os/user.h"

#define ENVIRONMENT_WISHES_MAX 64
#define ENVIRONMENT_ENTRY_MAX  4096

/** environment_may_pass() - Is this "NAME=value" on the list of what a caller may set? */
bool environment_may_pass(const char *entry);

/**
 * environment_new() - Build it: who the user is, a safe PATH, and those of the wishes that may pass
 * @u:		The user
 * @node:	Name of this node, for COMOSIX_NODE
 * @wishes, @n:	"NAME=value" from the request, hostile; the first ENVIRONMENT_WISHES_MAX are looked
 * at
 * @tty:	Without a TERM among the wishes it is "dumb"
 *
 * Return: list that ends with NULL, to be freed by environment_free(); NULL when memory is out
 */
char **environment_new(const struct user *u, const char *node, char *const *wishes, size_t n,
		       bool tty);
void environment_free(char **env);

#endif
