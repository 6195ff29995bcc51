/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_nodes.h - a node as the API shows it */
#ifndef HEAD_API_NODES_H
#define HEAD_API_NODES_H

#include "head/api.h"

/* states of a node as the API counts and shows them */
#define NODE_STATES(X)                                                                             \
	X(ALIVE, "alive")                                                                          \
	X(SUSPECT, "suspect")                                                                      \
	X(DEAD, "dead")                                                                            \
	X(LEFT, "left")                                                                            \
	X(UNKNOWN, "unknown")                                                                      \
	X(REVOKED, "revoked")

enum node_state {
#define NODE_STATE_ENUM(name, word) NODE_##name,
	NODE_STATES(NODE_STATE_ENUM)
#undef NODE_STATE_ENUM
	NODE_STATE_COUNT,
};

extern const char *const node_state_names[NODE_STATE_COUNT];

/** api_node_state() - From what we remember and what comosixd says; *m is valid unless UNKNOWN */
enum node_state api_node_state(struct api *a, const struct store_node *n, struct live_member *m);

#endif
