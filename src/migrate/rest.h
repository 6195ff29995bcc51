/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rest.h - a thread goes on, at home, with the rest of a call that has done a part of its work
 *
 * Theory of operation. A call that was stopped by a move when it had moved a part (rest_call.h) must
 * return all of it. At the host the agent asks for the rest and adds. At home there is no agent: so
 * the thread is let go in the code of our region, which makes a call for the rest, adds the two
 * parts and goes on in the program (struct parasite_rest). Nobody traces it meanwhile: the call may
 * wait for days, be interrupted by the program's own signals, and end with its process.
 *
 *	rest_install()	the thread's registers and its slot are made so; the region stays, and its socket
 *	rest_watch()	a process of ours, asleep until the code says that it is done, stops the process
 *			for a moment and takes region and socket away (that is what rest_unwind() does)
 *	rest_unwind()	at each stop: a thread that is found there becomes one that has just returned
 *			from its own call with what is done so far. If that is a part still, whoever
 *			stopped it deals with it as with any other
 *
 * A process of ours that dies in the middle leaves calls with the part as their result, or nothing
 * at all. A handler that interrupts the code between its last but one instruction and the last, and
 * still runs when the region goes away, would return to nowhere: two instructions.
 */
#ifndef MIGRATE_REST_H
#define MIGRATE_REST_H

#include "migrate/stub.h"

/**
 * rest_unwind() - After a stop, before it is captured: take threads out of regions of before
 * @s:		All threads are stopped; s->old gets the regions
 */
int rest_unwind(struct stub *s) MUST_CHECK;

/** rest_forget() - After the capture: unmap the regions that nobody is in any more */
void rest_forget(struct stub *s);

/** rest_has_any() - Is there a thread that has a rest to do? */
bool rest_has_any(const struct image *m);

/**
 * rest_install() - Set a stopped thread to do the rest of its call
 * @s:		Has a region, and its thread a socket; they stay (stub_leave_nothing())
 * @m, @t:	It, as it is to go on, and its thread: t->done is not 0
 *
 * Return: 0; -ENOTSUP: it does not go on, and its registers say that the part was all; -errno
 */
int rest_install(struct stub *s, const struct image *m, const struct image_thread *t) MUST_CHECK;

/**
 * rest_watch() - After its threads were let go: see to it that the region goes away in the end
 *
 * By a child, for the caller has an end of its own. Nothing happens if no thread has a rest to do.
 */
void rest_watch(const struct stub *s, pid_t pid);

#endif
