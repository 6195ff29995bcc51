/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words.c - what a boxed program says on its standard error, made fit for a log */
#include "node/box/words.h"

#include <ctype.h>
#include <unistd.h>

#include "base/err.h"

#define LABEL_LEN 16 /* of "box 64200: " and the newline, about */

/* one write for one line, so that those of two boxes do not mix */
static void show(int to, uint32_t uid, const char *text, size_t n)
{
	char line[WORDS_LINE_MAX + 32];
	int len = snprintf(line, sizeof(line), "box %u: %.*s\n", uid, (int)n, text);

	if (len > 0 && write(to, line, (size_t)len) < 0)
		return; /* a log that is full loses words, not the task */
}

void words_end(struct words *w, int to)
{
	static const char more[] = "(says more than is shown)";

	if (!w->len)
		return;
	if (w->said < WORDS_MAX)
		show(to, w->uid, w->line, w->len);
	w->said += w->len + LABEL_LEN;
	w->len = 0;
	if (w->said >= WORDS_MAX && !w->cut) {
		show(to, w->uid, more, sizeof(more) - 1);
		w->cut = true;
	}
}

void words_put(struct words *w, int to, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n' || w->len == sizeof(w->line))
			words_end(w, to);
		if (c != '\n')
			w->line[w->len++] = c == '\t'		     ? ' '
					    : isprint(c) && c < 0x80 ? (char)c
								     : '?';
	}
}
