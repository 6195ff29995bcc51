/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source.h - where workers come from: the nodes of a cluster, or processes of this machine
 *
 * A source tells which places there are (a place runs one worker), as they come and go, and opens
 * the stream to a worker at one. It knows nothing of what is said on the stream.
 */
#ifndef BLAST_RUN_SOURCE_H
#define BLAST_RUN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"

#define SOURCE_NAME_MAX 64

struct source;

struct source_events {
	/*
	 * a node with room for so many workers; again with another number when that changes.
	 * trusted: its owner cannot make it lie
	 */
	void (*node)(void *owner, const char *name, uint32_t slots, bool trusted);
	/* the node cannot be used any more */
	void (*lost)(void *owner, const char *name, const char *why);
	/* all nodes that are there now have been told */
	void (*settled)(void *owner);
};

struct source_stream {
	int fd;		  /* the caller's; non-blocking */
	struct buf hello; /* to be sent first; the caller's */
	bool wait_ok;	  /* the other side answers OPEN_OK before the worker speaks */
};

struct source_ops {
	int (*open)(struct source *s, const char *node, struct source_stream *ret, struct err *e);
	void (*free)(struct source *s);
};

struct source {
	const struct source_ops *ops;
	const char *name; /* "cluster", "local" */
};

struct source_setup {
	struct loop *loop;
	const struct source_events *events; /* called from the loop */
	void *owner;
};

struct source_places {
	uint32_t n;	       /* how many workers there can be */
	const char *name;      /* of the places: "local" makes "local1" and so on */
	const char *program;   /* NULL: ours; another one is not trusted */
	const char *directory; /* for their scratch directories and their cache */
	const char *database;  /* directory with the files of the database; NULL: they fetch them */
};

/** source_local() - Workers on this machine */
int source_local(const struct source_setup *s, const struct source_places *places,
		 struct source **ret, struct err *e) MUST_CHECK;

/**
 * source_cluster() - Workers on the nodes that this node's comosixd knows
 *
 * Return: 0, -ENOENT or -ECONNREFUSED when no comosixd runs here, other -errno
 */
int source_cluster(const struct source_setup *s, struct source **ret, struct err *e) MUST_CHECK;

#endif
