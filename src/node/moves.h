/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * moves.h - the moved processes that this node has to do with: its own that are away, and guests
 *
 * Theory of operation. One struct move (move.h) for each half that runs here. A deputy is begun by
 * a command (OPEN MIGRATE, depart.c): the process is looked at, the host is reached with OPEN MOVE,
 * and comosix-deputy gets the bare stream and the key. A guest is begun by the OPEN MOVE of a home
 * node (arrive.c). From then on the halves speak with each other; we are told the stage, pass
 * orders on (come home, a new transport), and tell those who asked (watch.c). When this daemon is
 * started again it finds the halves by their sockets in RUN/moves/.
 *
 * Who may: only the owner of a process or root begins a move. A desktop gets jobs only (mosrun),
 * unless the operator trusts his desktops (setting `desktops = full` in [trust]). A guest is taken
 * while there are fewer than [guests] max and there is memory for it.
 */
#ifndef NODE_MOVES_H
#define NODE_MOVES_H

#include "base/err.h"
#include "wire/control.pb-c.h"

#define MOVES_MAX 4096
#define MOVE_LEASE_MS                                                                              \
	30000 /* of the deputy; a guest is frozen after a third and ends after two                 \
	       */

struct node;
struct conn;
struct moves;

/** moves_open() - And speak with the halves that run already */
int moves_open(struct node *n, struct moves **ret, struct err *e) MUST_CHECK;

/** moves_close() - The halves go on */
void moves_close(struct moves *all);

/** moves_serve() - OPEN MOVE of a home node, authorized; the connection is owned here */
void moves_serve(struct moves *all, struct conn *c, const Cmx__Open *m);

/**
 * moves_command() - OPEN MIGRATE or MOVES, authorized; the connection is owned here
 * @m:		uid is the caller's; 0 may do it to all
 */
void moves_command(struct moves *all, struct conn *c, const Cmx__Open *m);

/** moves_revoked() - A node was expelled: its transports break, its halves are told */
void moves_revoked(struct moves *all, uint32_t id);

/** moves_guests(), moves_away() - How many of either */
unsigned int moves_guests(const struct moves *all);
unsigned int moves_away(const struct moves *all);

#endif
