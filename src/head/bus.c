/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bus.c - wakes threads that wait for something new */
#include "head/bus.h"

#include <errno.h>
#include <time.h>

void bus_init(struct bus *b)
{
	pthread_condattr_t attr;

	*b = (struct bus){ .events = 1, .live = 1 };
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	/* a clock that nobody sets back; CLOCK_BOOTTIME is not allowed here */
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void bus_done(struct bus *b)
{
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
}

static void bump(struct bus *b, uint64_t *counter)
{
	pthread_mutex_lock(&b->lock);
	(*counter)++;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

void bus_events(struct bus *b)
{
	bump(b, &b->events);
}

void bus_live(struct bus *b)
{
	bump(b, &b->live);
}

void bus_stop(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

static struct timespec deadline(uint64_t timeout_ms)
{
	struct timespec end;

	(void)clock_gettime(CLOCK_MONOTONIC, &end); /* cannot fail */
	end.tv_sec += (time_t)(timeout_ms / 1000);
	end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	return end;
}

bool bus_wait(struct bus *b, uint64_t *events, uint64_t *live, uint64_t timeout_ms)
{
	struct timespec end = deadline(timeout_ms);
	bool going;
	int r = 0;

	pthread_mutex_lock(&b->lock);
	while (!b->stopping && r != ETIMEDOUT && *events == b->events &&
	       (!live || *live == b->live))
		r = pthread_cond_timedwait(&b->changed, &b->lock, &end);
	*events = b->events;
	if (live)
		*live = b->live;
	going = !b->stopping;
	pthread_mutex_unlock(&b->lock);
	return going;
}

bool bus_pause(struct bus *b, uint64_t timeout_ms)
{
	struct timespec end = deadline(timeout_ms);
	bool going;
	int r = 0;

	pthread_mutex_lock(&b->lock);
	while (!b->stopping && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&b->changed, &b->lock, &end);
	going = !b->stopping;
	pthread_mutex_unlock(&b->lock);
	return going;
}
