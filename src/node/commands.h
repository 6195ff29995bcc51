/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands.h - the local socket: what commands of this node ask their daemon
 *
 * docs/PROTOCOL.md section 2. Anybody on the node may ask; who it is, the kernel says.
 */
#ifndef NODE_COMMANDS_H
#define NODE_COMMANDS_H

#include "base/err.h"

#define COMMANDS_MAX	 1024 /* clients at a time */
#define COMMANDS_OPEN_MS 5000 /* for the OPEN frame */

struct node;
struct commands;

int commands_open(struct node *n, struct commands **ret, struct err *e) MUST_CHECK;
void commands_close(struct commands *c);

#endif
