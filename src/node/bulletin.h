/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bulletin.h - spreads the directory: who asks whom what is new, who tells whom
 *
 * Theory of operation. Gossip knows numbers only; names and addresses travel here, by the payloads
 * DIRECTORY_ASK and DIRECTORY_TELL (membership.h). A core member that hears of a node from the node
 * itself tells all peers at once; what another core member told it, it tells its desktops. Who
 * hears of a number it does not know, was paired with a core member, or has not asked for a while,
 * asks a core member for what is new since its last serial. Only core members are asked and
 * believed. Everything may be lost: it is asked for again.
 */
#ifndef NODE_BULLETIN_H
#define NODE_BULLETIN_H

#include <stdint.h>

#include "base/attr.h"
#include "wire/control.pb-c.h"

struct node;
struct bulletin;
struct dir_entry;

int bulletin_new(struct node *n, struct bulletin **ret) MUST_CHECK;
void bulletin_free(struct bulletin *b);

/** bulletin_begin() - From now on ask now and then; the membership must be there */
void bulletin_begin(struct bulletin *b);

/** bulletin_ask() - Ask this core member what is new */
void bulletin_ask(struct bulletin *b, uint32_t id);

/** bulletin_missing() - There is a number without a name: ask somebody soon */
void bulletin_missing(struct bulletin *b);

/** bulletin_push() - News: tell those who cannot know; @from: who said so, 0: the node itself */
void bulletin_push(struct bulletin *b, const struct dir_entry *d, uint32_t from);

/** bulletin_asked(), bulletin_told() - A peer's payload; checked here */
void bulletin_asked(struct bulletin *b, uint32_t by, const Cmx__Directory *d);
void bulletin_told(struct bulletin *b, uint32_t by, const Cmx__Directory *d);

#endif
