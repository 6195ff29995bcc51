/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * authorize.h - who may ask a node what (docs/PROTOCOL.md section 3, docs/ARCHITECTURE.md Trust)
 *
 * Pure. One table for the streams a peer or a command may open, one for the connections a peer may
 * want. That a user of this name and uid exists here is not asked here: the look-up may block
 * (NSS), so comosix-runner does it and answers for itself.
 */
#ifndef NODE_AUTHORIZE_H
#define NODE_AUTHORIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/control.pb-c.h"

#define USER_UID_MIN 1000 /* below are the system's own, never honoured from another node */

enum party {
	PARTY_LOCAL, /* a command on this node, known by SO_PEERCRED */
	PARTY_HEAD,
	PARTY_SERVER,
	PARTY_DESKTOP,
	N_PARTIES,
};

/** party_of_role() - "head", "server", "desktop" as in a certificate; N_PARTIES for others */
enum party party_of_role(const char *role);

struct ask {
	enum party from; /* who asks: PARTY_LOCAL, or the role in the peer's certificate */
	enum party self; /* this node's role; never PARTY_LOCAL */
	Cmx__OpenKind kind;
	uint32_t uid; /* stamped by the home daemon, or SO_PEERCRED's */
	bool proof;   /* proof_verify() said 0 */
};

/**
 * authorize_open() - May this stream be opened?
 * @a:		Who asks for what
 *
 * A request from a command for another node is asked about twice: at home (from PARTY_LOCAL) and at
 * the node it is for (from PARTY_HEAD or PARTY_SERVER). For its own node once, from PARTY_LOCAL.
 *
 * Return: NULL: yes. Else the refusal, a line for a person that says what to do; goes out as
 * Error {5, text}
 */
const char *authorize_open(const struct ask *a);

/** authorize_want() - May a peer of this role want this by its HELLO? NULL, or the refusal */
const char *authorize_want(enum party from, enum party self, Cmx__Want want);

#endif
