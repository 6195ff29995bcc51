/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * streams.h - EXEC and TASK: from a command here to a node, and from a node to a program here
 *
 * Theory of operation. At home the daemon stamps who asks (SO_PEERCRED, names.h), connects to the
 * node and from then on joins the two streams: the answers, OPEN_OK among them, are the far side's
 * own bytes. At the node the request is judged (authorize.h; the operator's proof is checked here),
 * a program is started on a socket pair and joined with the connection. Nobody reads what passes.
 * MOVE, MIGRATE and MOVES come the same way, and are handed to moves.h when they were allowed.
 * A node that is dead or revoked takes its streams with it. One user may have a share of all
 * streams only (--streams-per-user), so that the others can still work.
 */
#ifndef NODE_STREAMS_H
#define NODE_STREAMS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "wire/control.pb-c.h"

#define STREAMS_MAX 4096

struct node;
struct conn;
struct streams;

int streams_new(struct node *n, struct streams **ret, struct err *e) MUST_CHECK;
void streams_free(struct streams *s);

/** streams_serve() - A peer opens a stream to this node; the connection is owned here from now on
 */
void streams_serve(struct streams *s, struct conn *c, const Cmx__Open *m);

/** streams_local() - A command here opens a stream to some node; owned here from now on */
void streams_local(struct streams *s, struct conn *c, const Cmx__Open *m, uid_t uid);

/** streams_drop() - End all streams with a node at once */
void streams_drop(struct streams *s, uint32_t id, const char *why);

/** streams_revoked() - End at once what runs here on the word of a credential that is revoked now */
void streams_revoked(struct streams *s);

/** streams_guests() - Programs of others that run here */
unsigned int streams_guests(const struct streams *s);

#endif
