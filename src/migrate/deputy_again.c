/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_again.c - the call that brought a process home is made there, and then it may go out again
 *
 * Theory of operation. A guest comes home by itself for a call that can be made at home only (fork,
 * exec ...); its user, who has moved it, did not ask for that. HOMEWARD names the call and the
 * thread. All others are let go at the return, as ever. That one goes on as well, but traced until
 * its call is over:
 *
 *	fork	it has returned in the parent. The child is not traced at any time, and stays
 *	vfork	likewise, which the kernel does when the child has executed a program or ended
 *	exec	it has returned in the new program, or failed; another thread that calls exec has the
 *		number of the process then
 *
 * Signals are passed on as if nobody was there. When job control stops it, it is let go at once, for
 * others see a traced process in another state ('t') than a stopped one. When the call is over this
 * thread is let go too, and the last word to comosixd says "again": it begins a new move to the same node, with all that is
 * looked at before one (preflight, the host's word, the CPU), by a deputy of its own. So nothing
 * of this move has to be kept, nothing is undone, and no state comes twice; what fails on the way
 * out leaves a process that runs at home, untraced.
 *
 * Before the call is over it would only come home once more, and it would do so for ever if the
 * seizing were always faster than its fork(2). No more hangs on it: the host, which may lie, names
 * thread and call, so a thread that makes another call and waits in it is let go after a while, and
 * the process stays. It stays as well when anybody has called it home, also now, and when we die.
 */
#include <errno.h>
#include <stdio.h>

#include "forward/table/table.h"
#include "log/log.h"
#include "migrate/deputy.h"
#include "migrate/stub_thread.h"
#include "migrate/told.h"
#include "tracee/tracee.h"

#define CALL_MS 10000 /* for a vfork(2) whose child is slow to execute its program */

void deputy_again_allow(struct deputy *d)
{
	d->again.allowed = true;
}

void deputy_again_note(struct deputy *d, uint32_t nr, pid_t tid)
{
	if (!d->again.allowed || d->recall || !stub_thread_find(&d->stub, tid))
		return; /* called home already, for whatever reason */
	d->again.nr = nr;
	d->again.tid = tid;
}

pid_t deputy_again_thread(const struct deputy *d)
{
	return d->again.tid;
}

static void over(struct deputy *d, bool yes)
{
	char text[96];

	loop_remove(d->loop, &d->again.turn_ref);
	loop_remove(d->loop, &d->again.deadline_ref);
	d->again.yes = yes;
	(void)snprintf(text, sizeof(text), "it came home for a call (%s)", table_name(d->again.nr));
	deputy_over(d, 0, yes ? text : "the process is at home");
}

/* the thread that is still traced is let go by the kernel when we exit, wherever it is */
void deputy_again_stop(struct deputy *d)
{
	if (d->state == DEPUTY_HOME)
		over(d, false);
}

/* not in the handler of a frame of it */
static void close_stream(void *owner)
{
	struct deputy *d = owner;

	d->again.turn_ref = (struct ev_ref){ 0 };
	channel_free(d->channel);
	d->channel = NULL;
}

static void on_deadline(void *owner)
{
	struct deputy *d = owner;

	d->again.deadline_ref = (struct ev_ref){ 0 };
	log_info("process %d: its call at home (%s) is not over; it stays", (int)d->pid,
		 table_name(d->again.nr));
	over(d, false);
}

void deputy_again_await(struct deputy *d)
{
	uint64_t now = loop_now(d->loop);

	loop_remove(d->loop, &d->lease_ref);
	if (loop_add_timer(d->loop, now, close_stream, d, &d->again.turn_ref) < 0 ||
	    loop_add_timer(d->loop, now + CALL_MS, on_deadline, d, &d->again.deadline_ref) < 0)
		over(d, false);
	else
		deputy_again_reap(d);
}

/* Return: is its call over? */
static bool at_call(struct deputy *d, pid_t tid)
{
	uint64_t nr;

	switch (tracee_get_call(tid, &nr)) {
	case TRACEE_CALL_BEGINS:
		d->again.in_call = nr == d->again.nr;
		return false;
	case TRACEE_CALL_ENDS:
		return d->again.in_call;
	default:
		d->again.in_call = false; /* begins anew; or it was killed, and its end is told */
		return false;
	}
}

/* Return: 1 its call is over, 0 it goes on, -ESRCH it has ended */
static int take_stop(struct deputy *d, const struct tracee_stop *stop)
{
	switch (stop->kind) {
	case TRACEE_GROUP: /* on the way to its call, or back from it */
		told_later(tracee_detach(stop->tid, 0));
		return 1;
	case TRACEE_SYSCALL:
		if (at_call(d, stop->tid)) {
			told_later(tracee_detach(stop->tid, 0));
			return 1;
		}
		break;
	case TRACEE_SIGNAL:
	case TRACEE_TRAP:
		told_later(tracee_syscall_cont(stop->tid, stop->signo));
		return 0;
	case TRACEE_GONE: /* the other children of ours are of rest_watch() */
		return stop->tid == d->again.tid || stop->tid == d->pid ? -ESRCH : 0;
	case TRACEE_INTERRUPT:
	case TRACEE_SECCOMP:
	case TRACEE_CLONE:
	case TRACEE_FORK:
	case TRACEE_EXEC:
	case TRACEE_EXITING:
		break; /* none but the first was asked for */
	}
	told_later(tracee_syscall_cont(stop->tid, 0));
	return 0;
}

void deputy_again_reap(struct deputy *d)
{
	struct tracee_stop stop;
	int r = 0;

	while (d->state == DEPUTY_HOME && !r) {
		r = tracee_wait(-1, false, &stop);
		if (!r)
			return; /* it is on its way */
		r = r < 0 ? r : take_stop(d, &stop);
	}
	if (d->state == DEPUTY_HOME)
		over(d, r > 0);
}
