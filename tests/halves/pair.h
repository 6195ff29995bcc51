/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pair.h - deputy and guest of one move, started as two comosixd do: for tests and measurements
 *
 * Theory of operation. Whoever uses it is both daemons at once: it gives each half its end of a stream
 * (or itself as what lies between), a link, and START; what they say comes to ops. Programs are those
 * of COMOSIX_BIN. There is one pair in a program, and what cannot be started ends it.
 */
#ifndef TESTS_HALVES_PAIR_H
#define TESTS_HALVES_PAIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop/loop.h"
#include "net/half_link.h"

enum pair_side {
	PAIR_DEPUTY,
	PAIR_GUEST,
	PAIR_SIDES
};

struct pair_ops {
	void (*hear)(enum pair_side side, const Cmx__Half *m);
	void (*gone)(enum pair_side side, int wait_status); /* may be NULL */
};

/* what START says of the move */
struct pair_move {
	pid_t pid;
	uint32_t lease_ms, slot;
	bool post_copy;
};

/** pair_name() - "deputy", "guest" */
const char *pair_name(enum pair_side side);

/**
 * pair_start() - Start both
 * @l:		Ends with 0 when both have ended
 * @stream:	The ends of each; closed
 * @key:	HALF_KEY_LEN bytes
 */
void pair_start(struct loop *l, const struct pair_ops *ops, const struct pair_move *move,
		const int stream[PAIR_SIDES], const uint8_t *key);

/** pair_pid() - 0: it has ended */
pid_t pair_pid(enum pair_side side);

/** pair_say() - Say something to one, who may have ended: -errno, or 0; @fd goes along, -1: none */
int pair_say(enum pair_side side, const Cmx__Half *m, int fd, struct err *e) MUST_CHECK;

/** pair_home() - The process is to come home; as pair_say() */
int pair_home(struct err *e) MUST_CHECK;

/** pair_kill() - End both */
void pair_kill(void);

#endif
