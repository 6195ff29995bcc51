/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptor.c - close_range around the descriptors of the parasite */
#include <asm/unistd_64.h>
#include <errno.h>

#include "forward/away/state.h"

#define UNSHARE 2U /* CLOSE_RANGE_UNSHARE: the threads at home share one table, and must */

static void ask(struct marshal *m, uint32_t from, uint32_t to)
{
	uint64_t args[6] = { from, to, m->args[2] };

	request_start(m, __NR_close_range, args);
}

static int first_answered(struct marshal *m, const uint8_t *out, uint32_t n, int64_t result,
			  int64_t *ret)
{
	if (result < 0) {
		*ret = result;
		return MARSHAL_RESULT;
	}
	ask(m, m->range_from, m->range_to);
	return MARSHAL_SEND;
}

int start_close_range(struct marshal *m, int64_t *ret)
{
	uint32_t from = (uint32_t)m->args[0], to = (uint32_t)m->args[1];
	bool below = from<m->first_reserved, above = to> m->last_reserved;

	if (m->args[2] & UNSHARE)
		return -ENOBUFS; /* comes home for it */
	if (from > to || to < m->first_reserved || from > m->last_reserved) {
		ask(m, from, to);
		return MARSHAL_SEND;
	}
	*ret = 0;
	if (!below && !above)
		return MARSHAL_RESULT;
	if (below)
		ask(m, from, m->first_reserved - 1);
	else
		ask(m, m->last_reserved + 1, to);
	if (below && above) {
		m->range_from = m->last_reserved + 1;
		m->range_to = to;
		m->answered = first_answered;
	}
	return MARSHAL_SEND;
}
