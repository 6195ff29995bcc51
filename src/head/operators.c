/* SPDX-License-Identifier: GPL-2.0-or-later */
/* operators.c - which operators' credentials are not taken any more */
#include "head/operators.h"

void operators_init(struct operators *o)
{
	*o = (struct operators){ 0 };
	pthread_mutex_init(&o->lock, NULL);
}

int operators_fetch(struct operators *o, struct sign *s, struct err *e)
{
	struct sign_result res;
	int r = sign_operators(s, &res, e);

	if (r < 0)
		return r;
	pthread_mutex_lock(&o->lock);
	o->n = 0;
	for (size_t i = 0; i < res.n_operators && o->n < CREDENTIALS_MAX; i++)
		if (res.operators[i].revoked)
			memcpy(o->revoked[o->n++], res.operators[i].serial, CA_SERIAL_TEXT);
	pthread_mutex_unlock(&o->lock);
	sign_result_done(&res);
	return 0;
}

bool operators_revoked(struct operators *o, const char *serial)
{
	bool found = false;

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n; i++)
		found |= !strcmp(o->revoked[i], serial);
	pthread_mutex_unlock(&o->lock);
	return found;
}
