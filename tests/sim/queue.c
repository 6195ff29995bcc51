/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue.c - a binary heap of events */
#include "queue.h"

#include <assert.h>
#include <stdlib.h>

static bool before(const struct event *a, const struct event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void queue_put(struct queue *q, struct event e)
{
	size_t i = q->n;

	if (q->n == q->cap) {
		q->cap = q->cap ? q->cap * 2 : 1024;
		q->v = realloc(q->v, q->cap * sizeof(*q->v));
		assert(q->v);
	}
	q->n++;
	e.order = q->order++;
	for (; i > 0 && before(&e, &q->v[(i - 1) / 2]); i = (i - 1) / 2)
		q->v[i] = q->v[(i - 1) / 2];
	q->v[i] = e;
}

bool queue_take(struct queue *q, struct event *ret)
{
	struct event last;
	size_t i = 0;

	if (q->n == 0)
		return false;
	*ret = q->v[0];
	last = q->v[--q->n];
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < q->n && before(&q->v[child + 1], &q->v[child]))
			child++;
		if (child >= q->n || !before(&q->v[child], &last))
			break;
		q->v[i] = q->v[child];
		i = child;
	}
	q->v[i] = last;
	return true;
}

void queue_done(struct queue *q)
{
	free(q->v);
	*q = (struct queue){ 0 };
}
