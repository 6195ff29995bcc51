/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_sink.h - a bounded queue in front of our own standard output or error
 *
 * The fd is shared with whoever started us and stays blocking. It is written only when poll says
 * so, and then no more than a pipe takes for certain, so that a reader who stands still does not
 * make Ctrl-C wait. Regular files are written at once.
 */
#ifndef CTL_EXEC_SINK_H
#define CTL_EXEC_SINK_H

#include <stdbool.h>

#include "base/buf.h"
#include "loop/loop.h"

struct exec_sink {
	struct loop *loop;
	int fd; /* borrowed */
	struct buf queue;
	struct ev_ref ev;
	bool always_ready;	      /* a regular file */
	int failed;		      /* -errno of a write; what comes later is thrown away */
	void (*on_room)(void *owner); /* called when exec_sink_full() stops being true */
	void *owner;
};

void exec_sink_init(struct exec_sink *s, struct loop *l, int fd, void (*on_room)(void *),
		    void *owner);

/** exec_sink_full() - Should the caller put no more for now? */
bool exec_sink_full(const struct exec_sink *s);

/** exec_sink_put() - Queue bytes; output of commands only while it is not full, a line always */
void exec_sink_put(struct exec_sink *s, const void *p, size_t n);

/** exec_sink_done() - Write what is queued, waiting as long as it takes; 0 or the -errno of a write
 */
int exec_sink_done(struct exec_sink *s);

#endif
