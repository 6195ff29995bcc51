/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * operators.h - which operators' credentials are not taken any more, at hand for each request
 *
 * The signer keeps the list; the web process holds a copy of the serial numbers, fetched at its
 * start and after each revocation, which only itself can ask for. Locks itself.
 */
#ifndef HEAD_OPERATORS_H
#define HEAD_OPERATORS_H

#include <pthread.h>
#include <stdbool.h>

#include "head/credentials.h"
#include "head/sign.h"

struct operators {
	pthread_mutex_t lock;
	size_t n;
	char revoked[CREDENTIALS_MAX][CA_SERIAL_TEXT];
};

void operators_init(struct operators *o);

/** operators_fetch() - Ask the signer; on failure the copy stays as it was */
int operators_fetch(struct operators *o, struct sign *s, struct err *e) MUST_CHECK;
bool operators_revoked(struct operators *o, const char *serial);

#endif
