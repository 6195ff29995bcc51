/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * renewal.h - the certificate is renewed before it runs out, and a new one is taken up
 *
 * When a third of its life is left `comosix node renew --state DIR` is run, and again with growing
 * pauses until it worked. A certificate file that has changed, and SIGHUP, load it: new sessions
 * use it, old ones go on.
 */
#ifndef NODE_RENEWAL_H
#define NODE_RENEWAL_H

#include "base/err.h"

struct node;
struct renewal;

int renewal_new(struct node *n, struct renewal **ret, struct err *e) MUST_CHECK;
void renewal_free(struct renewal *r);

/** renewal_reload() - Take up what is in the state directory, if it is good */
void renewal_reload(struct renewal *r);

#endif
