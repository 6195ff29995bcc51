/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alias.c - BLAST database alias files (.pal, .nal): read the plain ones, write fragments */
#include "blast/core/alias.h"

#include <errno.h>

#include "base/parse.h"

#define VALUE_MAX 65536

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static uint32_t count_words(const char *s)
{
	uint32_t n = 0;

	for (bool in = false; *s; s++) {
		n += !is_space((uint8_t)*s) && !in;
		in = !is_space((uint8_t)*s);
	}
	return n;
}

static int take_pair(struct alias *a, const char *key, const char *value, struct err *e)
{
	if (!strcmp(key, "TITLE")) {
		free(a->title);
		a->title = strdup(value);
		return a->title ? 0 : err_set(e, -ENOMEM, "out of memory");
	}
	if (!strcmp(key, "DBLIST")) {
		if (strchr(value, '"'))
			return err_set(e, -ENOTSUP, "its alias file quotes names");
		a->n_members = count_words(value);
		return 0;
	}
	if (!strcmp(key, "NSEQ") && !parse_u64(value, &a->n_seqs))
		return 0;
	if (!strcmp(key, "LENGTH") && !parse_u64(value, &a->letters))
		return 0;
	return err_set(e, -ENOTSUP, "its alias file says '%.32s'", key);
}

int alias_parse(const uint8_t *text, size_t len, struct alias *ret, struct err *e)
{
	AUTO_FREE char *line = malloc(VALUE_MAX);
	struct alias a = { 0 };
	int r = line ? 0 : err_set(e, -ENOMEM, "out of memory");

	for (size_t at = 0; !r && at < len;) {
		const uint8_t *nl = memchr(text + at, '\n', len - at);
		size_t n = nl ? (size_t)(nl - text) - at : len - at;
		const uint8_t *p = text + at;
		char *key = line, *value;

		at += n + 1;
		while (n && is_space(p[n - 1]))
			n--;
		if (!n || p[0] == '#')
			continue;
		if (n >= VALUE_MAX || memchr(p, '\0', n)) {
			r = err_set(e, -ENOTSUP, "its alias file has an unusual line");
			break;
		}
		memcpy(line, p, n);
		line[n] = '\0';
		value = key + strcspn(key, " \t");
		if (*value)
			*value++ = '\0';
		value += strspn(value, " \t");
		r = take_pair(&a, key, value, e);
	}
	if (!r && !a.n_members)
		r = err_set(e, -ENOTSUP, "its alias file names no volume");
	if (r < 0) {
		alias_done(&a);
		return r;
	}
	*ret = a;
	return 0;
}

void alias_done(struct alias *a)
{
	free(a->title);
	*a = (struct alias){ 0 };
}

int alias_write(const struct alias_fragment *f, struct buf *to)
{
	int r = buf_printf(to, "TITLE %s\nDBLIST", f->title);

	for (uint32_t i = 0; !r && i < f->n_volumes; i++)
		r = buf_printf(to, " %s", f->volumes[i]);
	if (!r) /* BLAST+ counts from 1 here, and takes the last one too */
		r = buf_printf(to,
			       "\nFIRST_OID %u\nLAST_OID %u\nNSEQ %u\nLENGTH %llu\n"
			       "STATS_NSEQ %u\nSTATS_TOTLEN %llu\n",
			       f->first + 1, f->last, f->n_seqs, (unsigned long long)f->letters,
			       f->n_seqs, (unsigned long long)f->letters);
	return r;
}
