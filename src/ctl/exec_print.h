/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec_print.h - what comes from the nodes, as the caller wants to see it
 *
 *	RAW	byte for byte (one node)
 *	LABEL	whole lines, each behind "n1: "; lines of different nodes never mix
 *	KEEP	kept for --json, at most EXEC_KEEP_MAX bytes of each stream of each node
 */
#ifndef CTL_EXEC_PRINT_H
#define CTL_EXEC_PRINT_H

#include "base/buf.h"
#include "ctl/exec_sink.h"

#define EXEC_LINE_MAX 16384 /* a longer line is broken, and labelled again */
#define EXEC_KEEP_MAX 1048576

enum exec_print_mode {
	EXEC_PRINT_RAW,
	EXEC_PRINT_LABEL,
	EXEC_PRINT_KEEP,
};

struct exec_printer {
	enum exec_print_mode mode;
	struct exec_sink out, err;
};

/* one stream of one node */
struct exec_stream {
	struct exec_sink *sink;
	struct buf text; /* LABEL: the line that is not yet whole. KEEP: all of it */
	bool cut;	 /* KEEP: there was more */
};

void exec_stream_init(struct exec_stream *s, const struct exec_printer *p, struct exec_sink *sink);
void exec_stream_done(struct exec_stream *s);

/**
 * exec_print() - Show some bytes of a stream
 * @p:		How
 * @s:		The stream
 * @label:	Name of the node
 * @data, @len:	What came
 *
 * Return: how many bytes were taken; less than @len when the sink is full: come again when it is
 * not
 */
size_t exec_print(struct exec_printer *p, struct exec_stream *s, const char *label,
		  const uint8_t *data, size_t len) MUST_CHECK;

/** exec_print_end() - Show the last line, which had no newline */
void exec_print_end(struct exec_printer *p, struct exec_stream *s, const char *label);

#endif
