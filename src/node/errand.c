/* SPDX-License-Identifier: GPL-2.0-or-later */
/* errand.c - one question of a home node to a host, about a process that is or may become its guest */
#include "node/errand.h"

#include <errno.h>

#include "node/approach.h"
#include "node/move.h"
#include "node/transport.h"
#include "wire/message.h"

struct errand {
	struct list link;
	struct approach *approach;
	void (*done)(void *owner, int status, const struct err *why);
	void *owner;
};

void errand_free(struct errand *a)
{
	if (!a)
		return;
	list_del(&a->link);
	approach_free(a->approach);
	free(a);
}

void errands_free(struct moves *all)
{
	list_for_each_safe (l, &all->errands)
		errand_free(list_entry(l, struct errand, link));
}

static void finish(struct errand *a, int status, const struct err *why)
{
	void (*done)(void *owner, int status, const struct err *why) = a->done;
	void *owner = a->owner;
	struct err copy = *why;

	a->approach = NULL; /* is going by itself */
	errand_free(a);
	if (done)
		done(owner, status, &copy);
}

static void on_ready(void *owner, struct transport *t)
{
	const struct err none = { 0 };

	transport_done(t); /* nothing is to be carried */
	finish(owner, 0, &none);
}

static void on_failed(void *owner, int status, const struct err *why)
{
	finish(owner, status, why);
}

static const struct approach_ops ops = { .ready = on_ready, .failed = on_failed };

int errand_new(struct moves *all, const struct move *m, enum errand_kind kind, uint32_t to,
	       const char *name, void (*done)(void *owner, int status, const struct err *why),
	       void *owner, struct errand **ret, struct err *e)
{
	Cmx__MoveRequest rq = CMX__MOVE_REQUEST__INIT;
	struct errand *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_set(e, -ENOMEM, "out of memory");
	rq.ask = kind == ERRAND_ASK;
	rq.drop = kind == ERRAND_DROP;
	a->done = done;
	a->owner = owner;
	list_add(&all->errands, &a->link);
	r = depart_approach(m, &rq, to, name, &ops, a, &a->approach, e);
	if (r < 0)
		errand_free(a);
	else if (ret)
		*ret = a;
	return r;
}
