/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bus.h - wakes threads that wait for something new
 *
 * Two counters that only rise: events committed, and changes of what is known of the members. A
 * waiter names the values it has seen.
 */
#ifndef HEAD_BUS_H
#define HEAD_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct bus {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t events, live;
	bool stopping;
};

void bus_init(struct bus *b);
void bus_done(struct bus *b);

/** bus_events() - Events were committed */
void bus_events(struct bus *b);
/** bus_live() - A member's state or load has changed */
void bus_live(struct bus *b);
/** bus_stop() - Let all waiters go, now and later */
void bus_stop(struct bus *b);

/**
 * bus_wait() - Wait until a counter differs from what was seen
 * @b:		The bus
 * @events, @live: Seen; updated. live may be NULL: not waited for
 * @timeout_ms:	At most so long
 *
 * Return: false when the bus was stopped
 */
bool bus_wait(struct bus *b, uint64_t *events, uint64_t *live, uint64_t timeout_ms);

/** bus_pause() - Let time pass; false when the bus was stopped */
bool bus_pause(struct bus *b, uint64_t timeout_ms);

#endif
