/* SPDX-License-Identifier: GPL-2.0-or-later */
/* term.c - what commands print: tables, bars, colours on a terminal only */
#include "ctl/term.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PRINT_MAX (64 * 1024 * 1024)

static const char *const styles[] = {
	[TERM_PLAIN] = "",	  [TERM_BOLD] = "\033[1m",  [TERM_DIM] = "\033[2m",
	[TERM_GOOD] = "\033[32m", [TERM_WARN] = "\033[33m", [TERM_BAD] = "\033[31m",
};

bool term_colors(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0 && !(no && *no);
}

unsigned int term_width(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_col)
		return 80;
	return w.ws_col;
}

const char *term_style_on(enum term_style s, bool colors)
{
	return colors ? styles[s] : "";
}

const char *term_style_off(enum term_style s, bool colors)
{
	return colors && s != TERM_PLAIN ? "\033[0m" : "";
}

char *term_clean(char *s)
{
	for (char *p = s; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '?';
	return s;
}

int term_table_init(struct term_table *t, const char *heads)
{
	*t = (struct term_table){ .n_columns = 1 };
	for (const char *p = heads; *p; p++)
		t->n_columns += *p == '|';
	if (t->n_columns > TERM_COLUMNS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < t->n_columns; i++) {
		size_t n = strcspn(heads, "|");

		t->right[i] = *heads == '-';
		if (term_cell(t, TERM_BOLD, "%.*s", (int)n - t->right[i], heads + t->right[i]) < 0)
			return -ENOMEM;
		heads += n + (heads[n] == '|');
	}
	return 0;
}

void term_table_done(struct term_table *t)
{
	free(t->cells);
	*t = (struct term_table){ 0 };
}

int term_cell(struct term_table *t, enum term_style style, const char *fmt, ...)
{
	struct term_cell *c;
	va_list ap;

	if (t->next == t->room) {
		size_t room = t->room ? 2 * t->room : 8 * t->n_columns;

		c = reallocarray(t->cells, room, sizeof(*c));
		if (!c)
			return -ENOMEM;
		t->cells = c;
		t->room = room;
	}
	c = &t->cells[t->next++];
	c->style = style;
	va_start(ap, fmt);
	(void)vsnprintf(c->text, sizeof(c->text), fmt, ap); /* a cut cell is still a cell */
	va_end(ap);
	(void)term_clean(c->text);
	t->n_rows = (t->next + t->n_columns - 1) / t->n_columns;
	return 0;
}

/* columns on the screen: bytes that begin a character */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

int term_table_put(const struct term_table *t, bool colors, struct buf *to)
{
	size_t widths[TERM_COLUMNS_MAX] = { 0 };
	int r = 0;

	for (size_t i = 0; i < t->next; i++) {
		size_t w = width_of(t->cells[i].text);

		if (w > widths[i % t->n_columns])
			widths[i % t->n_columns] = w;
	}
	for (size_t i = 0; !r && i < t->next; i++) {
		const struct term_cell *c = &t->cells[i];
		size_t column = i % t->n_columns;
		bool last = column + 1 == t->n_columns;
		int pad = (int)(widths[column] - width_of(c->text));

		r = buf_printf(to, "%*s%s%s%s%*s%s", t->right[column] ? pad : 0, "",
			       term_style_on(c->style, colors), c->text,
			       term_style_off(c->style, colors), last || t->right[column] ? 0 : pad,
			       "", last ? "\n" : "  ");
	}
	return r;
}

int term_table_print(const struct term_table *t)
{
	struct buf b;
	int r;

	buf_init(&b, PRINT_MAX);
	r = term_table_put(t, term_colors(), &b);
	if (!r && (fputs(buf_text(&b), stdout) == EOF || fflush(stdout)))
		r = -EIO;
	buf_done(&b);
	return r;
}

void term_bar(double part, unsigned int cells, char *to, size_t size)
{
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	unsigned int full;
	size_t n = 0;

	part = part < 0 ? 0 : part > 1 ? 1 : part;
	full = (unsigned int)(part * cells + 0.5);
	to[0] = '\0';
	for (unsigned int i = 0; i < cells && n + 4 < size; i++)
		n += (size_t)snprintf(to + n, size - n, "%s",
				      i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : "-"));
}

void term_size(uint64_t bytes, char *to, size_t size)
{
	static const char units[] = "BKMGTP";
	double v = (double)bytes;
	size_t u = 0;

	for (; v >= 1000 && u + 2 < sizeof(units); u++)
		v /= 1024;
	(void)snprintf(to, size, v < 10 && u ? "%.1f%c" : "%.0f%c", v, units[u]);
}
