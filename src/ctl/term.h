/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * term.h - what commands print: tables, bars, colours on a terminal only
 *
 * Colours are off when stdout is no terminal, TERM is dumb or NO_COLOR is set. Foreign text loses
 * its control bytes, so that a name cannot move the cursor.
 */
#ifndef CTL_TERM_H
#define CTL_TERM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum term_style {
	TERM_PLAIN,
	TERM_BOLD,
	TERM_DIM,
	TERM_GOOD,
	TERM_WARN,
	TERM_BAD,
};

#define TERM_COLUMNS_MAX 12
#define TERM_CELL_MAX	 80

struct term_table {
	struct term_cell {
		char text[TERM_CELL_MAX];
		enum term_style style;
	} * cells; /* owned, n_rows * n_columns, the first row is the head */
	size_t n_columns, n_rows, room, next;
	bool right[TERM_COLUMNS_MAX]; /* aligned to the right */
};

/** term_colors() - May colours be used on stdout? */
bool term_colors(void);

/** term_width() - Columns of the terminal, 80 when there is none */
unsigned int term_width(void);

/** term_table_init() - heads: names split by '|', "-NAME" aligned to the right */
int term_table_init(struct term_table *t, const char *heads) MUST_CHECK;
void term_table_done(struct term_table *t);

/** term_cell() - Fill the next cell, row by row */
int term_cell(struct term_table *t, enum term_style style, const char *fmt, ...) PRINTF(3, 4);

/** term_table_put() - The table as text */
int term_table_put(const struct term_table *t, bool colors, struct buf *to) MUST_CHECK;

/** term_table_print() - The table on stdout; 0 or -errno */
int term_table_print(const struct term_table *t) MUST_CHECK;

/** term_bar() - "#####-----" of so many cells, with block characters in a UTF-8 terminal */
void term_bar(double part, unsigned int cells, char *to, size_t size);

/** term_style_on(), term_style_off() - The escape sequence, or "" */
const char *term_style_on(enum term_style s, bool colors);
const char *term_style_off(enum term_style s, bool colors);

/** term_clean() - Foreign text without its control bytes, in place */
char *term_clean(char *s);

/** term_size() - "1.5G" */
void term_size(uint64_t bytes, char *to, size_t size);

#endif
