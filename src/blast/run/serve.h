/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.h - send a file of the database to a worker that lacks it, as fast as the link takes it */
#ifndef BLAST_RUN_SERVE_H
#define BLAST_RUN_SERVE_H

#include "blast/run/database.h"
#include "blast/run/link.h"

struct serve {
	const struct database *of;
	int fd; /* of the file being sent; -1: none */
	uint32_t file;
	uint64_t offset;
};

void serve_init(struct serve *s, const struct database *of);
void serve_done(struct serve *s);

/**
 * serve_start() - Begin to send a file
 *
 * Return: 0, -EPROTO there is no such file or one is being sent, other -errno: it cannot be read
 */
int serve_start(struct serve *s, struct link *to, uint32_t file) MUST_CHECK;

/** serve_room() - Send on, now that the link has room */
void serve_room(struct serve *s, struct link *to);

#endif
