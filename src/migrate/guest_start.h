/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_start.h - what comosix-guest is told when it is started, by fd 4 */
#ifndef MIGRATE_GUEST_START_H
#define MIGRATE_GUEST_START_H

#include <stdint.h>

#include "base/err.h"
#include "migrate/channel.h"

#define GUEST_STREAM_FD	    3
#define GUEST_START_FD	    4
#define GUEST_LEASE_MS	    20000 /* less than home's: there is never a moment with two */
#define GUEST_LAST_WORDS_MS 1000

/* fixed size, native order: it never leaves the machine */
struct guest_start {
	uint8_t key[CHANNEL_KEY];
	uint32_t uid, gid; /* of the process, at home */
};

/** guest_start_read() - Read and close fd; -EPROTO when it is not all there */
int guest_start_read(int fd, struct guest_start *ret, struct err *e) MUST_CHECK;

#endif
