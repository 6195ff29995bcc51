/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_operators.c - when an operator's credential was shown last */
#include "head/store_query.h"

#include <errno.h>

#define KEPT_S (366LL * 24 * 3600) /* longer than any credential lives */

int store_operator_use(struct store *s, const char *serial, int64_t *ret, struct err *e)
{
	int r = query_number(s, ret, e, "SELECT last_used FROM operator_uses WHERE serial = ?", "t",
			     serial);

	if (r == -ENOENT)
		*ret = 0;
	return r == -ENOENT ? 0 : r;
}

int store_operator_used(struct store *s, const char *serial, int64_t now, struct err *e)
{
	int r = query_run(s, NULL, e, "DELETE FROM operator_uses WHERE last_used < ?", "i",
			  now - KEPT_S);

	return r < 0 ? r
		     : query_run(s, NULL, e,
				 "INSERT INTO operator_uses VALUES (?, ?) ON CONFLICT (serial) "
				 "DO UPDATE SET last_used = excluded.last_used",
				 "ti", serial, now);
}
