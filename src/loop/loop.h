/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - one thread, one epoll_wait: fds, timers, signals and children
 *
 * Theory of operation. What is watched sits in a slot table; epoll carries {slot, generation},
 * never a pointer, so that an event for something closed earlier in the same turn is dropped
 * instead of reaching freed memory. Timers are a heap of absolute CLOCK_BOOTTIME deadlines. Now is
 * read once per turn (loop_now()). Handlers never block, sleep or wait: they change state and
 * return. Any handler may add or remove anything, itself included.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "base/err.h"

struct loop;

/* names a watched thing; {0, 0} names nothing, and removing nothing is no error */
struct ev_ref {
	uint32_t slot, gen;
};

typedef void loop_fd_fn(void *owner, uint32_t events);
typedef void loop_timer_fn(void *owner);
typedef void loop_signal_fn(void *owner, int signo);
typedef void loop_child_fn(void *owner, pid_t pid, int wait_status);

int loop_new(struct loop **ret, struct err *e) MUST_CHECK;
void loop_free(struct loop *l);

/** loop_run() - Serve until loop_stop(); Return: what loop_stop() was given, or -errno */
int loop_run(struct loop *l) MUST_CHECK;
void loop_stop(struct loop *l, int result);

/** loop_turn() - Wait once and serve what came; Return: 0 or -errno */
int loop_turn(struct loop *l) MUST_CHECK;

/** loop_now() - CLOCK_BOOTTIME in ms at the start of this turn */
uint64_t loop_now(const struct loop *l);

/**
 * loop_add_fd() - Watch an fd
 * @l:		The loop
 * @fd:		Stays the caller's; remove it here before closing it
 * @events:	EPOLLIN, EPOLLOUT (level triggered)
 * @fn, @owner:	Called with what epoll saw; EPOLLERR and EPOLLHUP may come unasked
 * @ret:	Set on success
 *
 * Return: 0 or -errno
 */
int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *owner,
		struct ev_ref *ret) MUST_CHECK;

/** loop_set_fd() - Change the events watched; a stale ref is ignored */
void loop_set_fd(struct loop *l, struct ev_ref ref, uint32_t events);

/** loop_add_timer() - Call fn once at or after at_ms; the ref is dead when fn is called */
int loop_add_timer(struct loop *l, uint64_t at_ms, loop_timer_fn *fn, void *owner,
		   struct ev_ref *ret) MUST_CHECK;

/** loop_add_signal() - Block signo for the process and call fn for each one that comes */
int loop_add_signal(struct loop *l, int signo, loop_signal_fn *fn, void *owner, struct ev_ref *ret)
	MUST_CHECK;

/** loop_add_child() - Call fn once when a child of ours has ended; it has been reaped then */
int loop_add_child(struct loop *l, pid_t pid, loop_child_fn *fn, void *owner, struct ev_ref *ret)
	MUST_CHECK;

/** loop_remove() - Forget what ref names and zero it; stale or zero refs are ignored */
void loop_remove(struct loop *l, struct ev_ref *ref);

#endif
