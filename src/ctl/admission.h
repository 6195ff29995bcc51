/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admission.h - the head's answer to a machine that is let in, as files of a node */
#ifndef CTL_ADMISSION_H
#define CTL_ADMISSION_H

#include <jansson.h>

#include "net/node_dir.h"

#define ADMISSION_PEERS_MAX 10000

struct admission {
	struct node_dir dir;	     /* its texts point into the answer */
	struct node_dir_peer *peers; /* owned */
	void *revoked;		     /* owned */
};

/**
 * admission_read() - Check an answer and make it the content of a node's directory
 * @answer:	Of POST /join, GET /join/{id} or POST /renew; must live as long as @ret
 * @ret:	Ended with admission_done()
 * @e:		Reason
 *
 * Return: 0, -EPROTO when something is missing or wrong in it, -ENOMEM
 */
int admission_read(const json_t *answer, struct admission *ret, struct err *e) MUST_CHECK;
void admission_done(struct admission *a);

#endif
