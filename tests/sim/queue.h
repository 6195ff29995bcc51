/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue.h - events in the order of their time; those of the same time in the order they came */
#ifndef TESTS_SIM_QUEUE_H
#define TESTS_SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packet;

enum event_kind {
	EVENT_TICK,   /* the node's own timer; stale when its number is not the node's */
	EVENT_PACKET, /* arrives */
	EVENT_SCRIPT, /* the scenario's next move */
};

struct event {
	uint64_t at_us;
	uint64_t order;
	enum event_kind kind;
	uint32_t node;
	uint32_t number;
	struct packet *packet;
};

struct queue {
	struct event *v; /* owned heap, the earliest on top */
	size_t n, cap;
	uint64_t order;
};

/** queue_put() - Memory that is out ends the program: this is a test's tool */
void queue_put(struct queue *q, struct event e);

/** queue_take() - Return: false when it is empty */
bool queue_take(struct queue *q, struct event *ret);

void queue_done(struct queue *q);

#endif
