/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * words.h - what a boxed program says on its standard error, made fit for a log
 *
 * It is the word of a program that is not trusted, in a file that people read on terminals: whole
 * lines behind "box UID: ", nothing but printable ASCII, and no more than WORDS_MAX bytes in its
 * life.
 */
#ifndef NODE_BOX_WORDS_H
#define NODE_BOX_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_MAX      16384
#define WORDS_LINE_MAX 400

struct words {
	uint32_t uid;
	bool cut;    /* it said more than is shown, and that was told */
	size_t said; /* bytes shown so far */
	size_t len;  /* of the line that is not yet whole */
	char line[WORDS_LINE_MAX];
};

/** words_put() - Show some of them on @to (an fd); what cannot be written is dropped */
void words_put(struct words *w, int to, const char *bytes, size_t n);

/** words_end() - Show the last line, which had no newline */
void words_end(struct words *w, int to);

#endif
