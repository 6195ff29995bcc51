/* SPDX-License-Identifier: GPL-2.0-or-later */
/* counters.h - what comosixd counts; shown by STATUS */
#ifndef NODE_COUNTERS_H
#define NODE_COUNTERS_H

#include <stdint.h>

/* name as STATUS shows it */
#define COUNTERS(X)                                                                                \
	X(connections_in)      /* accepted on the TCP port */                                      \
	X(connections_out)     /* made to other nodes */                                           \
	X(connections_refused) /* over a limit, closed unheard */                                  \
	X(handshakes_failed)   /* garbage, wrong or expired certificates, stalled peers */         \
	X(peers_revoked)       /* handshakes of revoked nodes */                                   \
	X(hellos_refused)      /* old versions, wants that are not for that role */                \
	X(opens)	       /* streams asked for, local and remote */                           \
	X(opens_refused)                                                                           \
	X(pairs_made) /* pair keys */                                                              \
	X(pairs_failed)                                                                            \
	X(datagrams_in)                                                                            \
	X(datagrams_out)                                                                           \
	X(datagrams_bad) /* garbage or forged */                                                   \
	X(datagrams_replayed)                                                                      \
	X(datagrams_unknown) /* no such key: from before our restart, or garbage */                \
	X(gossip_bad)	     /* sealed right, but not understood */                                \
	X(gossip_unsent)     /* no key or no connection yet */                                     \
	X(relayed_streams)   /* joined here for others */                                          \
	X(statements_bad)                                                                          \
	X(renewals)                                                                                \
	X(moves_out)	/* processes of ours that ran at another node */                           \
	X(moves_home)	/* ... that came home */                                                   \
	X(moves_lost)	/* ... whose host was lost */                                              \
	X(moves_failed) /* ... that stayed, for a reason */                                        \
	X(guests_taken)                                                                            \
	X(guests_refused)

enum counter {
#define COUNTER_ENUM(name) COUNT_##name,
	COUNTERS(COUNTER_ENUM)
#undef COUNTER_ENUM
	N_COUNTERS,
};

struct counters {
	uint64_t n[N_COUNTERS];
};

static inline void count(struct counters *c, enum counter which)
{
	c->n[which]++;
}

const char *counter_name(enum counter which);

#endif
