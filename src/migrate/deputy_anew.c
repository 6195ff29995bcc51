/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_anew.c - the process has begun another program (exec) while its memory went out
 *
 * Theory of operation. What the host has is then of a program that is no more. So the move begins
 * anew: it is looked at once more, as before any move, ANEW has the host forget what came, and when
 * it says ANEW as well the first round of the new program goes out. What the host said in between is
 * an answer to what is void, and is passed over.
 *
 * Nobody tells of an exec. But what reads or tracks memory holds on to that of the program it was
 * opened of, and finds it gone; that is asked at the end of each reading of mappings, when a round
 * fails, and when the process has been stopped for good.
 *
 * One that begins program after program is stopped before it is copied: a stopped process begins none.
 */
#include <errno.h>

#include "log/log.h"
#include "migrate/deputy.h"
#include "tracee/maps.h"

#define REFUSED		5 /* exit status: ctl/exit_status.h */
#define STOP_FIRST	3 /* programs */
#define PROGRAMS_MAX	8
#define SENTENCES_BYTES 512

static bool is_alive(pid_t pid)
{
	struct proc_stat st;

	return proc_stat_read(pid, &st, NULL) == 0 && st.state != 'Z' && st.state != 'X';
}

bool deputy_began_anew(const struct deputy *d, int r)
{
	if (d->state > DEPUTY_COPYING || !is_alive(d->pid))
		return false;
	return r == -ESRCH || dirty_is_void(&d->dirty) || pages_is_void(&d->reader);
}

bool deputy_stops_first(const struct deputy *d)
{
	return d->programs >= STOP_FIRST;
}

/* as deputy_start() has made it; what the user wants, and what the host can, stays */
static void forget(struct deputy *d)
{
	stub_release(&d->stub);
	stub_init(&d->stub, d->loop, &deputy_stub_ops, d);
	pages_reader_done(&d->reader);
	pages_reader_init(&d->reader);
	dirty_end(&d->dirty);
	dirty_init(&d->dirty);
	image_done(&d->flags);
	image_init(&d->flags);
	image_done(&d->early);
	image_init(&d->early);
	image_done(&d->was);
	image_init(&d->was);
	buf_reset(&d->image_bytes);
	d->tracking = false;
	d->image_is_sent = d->all_is_sent = false;
	d->rounds = d->stalls = 0;
	d->round_began = d->round_pages = 0;
	if (d->late)
		d->late = DEPUTY_LATE_WANTED;
}

void deputy_anew(struct deputy *d)
{
	char why[SENTENCES_BYTES] = "it executes one program after another; try again";
	int status = ++d->programs > PROGRAMS_MAX ? REFUSED : 0;

	forget(d);
	if (!status && d->ops->look)
		status = d->ops->look(d->owner, why, sizeof(why));
	if (status) {
		deputy_undo(d, status, why);
		return;
	}
	if (deputy_stops_first(d))
		d->late = DEPUTY_LATE_NO;
	log_info("process %d has begun another program: its move begins anew", d->pid);
	d->anew = true;
	deputy_enter(d, DEPUTY_COPYING, 0);
	if (channel_send(d->channel, MOVE_ANEW, NULL, 0, NULL, 0) < 0)
		deputy_undo(d, 1, "the host takes nothing any more");
}
