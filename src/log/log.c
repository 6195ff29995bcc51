/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - the daemon's words */
#include "log/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>

#define LINE_MAX_BYTES 1024

static struct {
	const char *program;
	enum log_level most;
	bool journal;
} self = { "comosix", LOG_INFO, false };

void log_open(const char *program, enum log_level most)
{
	self.program = program;
	self.most = most;
	self.journal = getenv("JOURNAL_STREAM") != NULL;
}

static void PRINTF(2, 0) write_line(enum log_level level, const char *fmt, va_list ap)
{
	/* sd-daemon(3) prefixes: err 3, warning 4, info 6, debug 7 */
	static const struct {
		const char *journal, *name;
	} levels[] = {
		[LOG_ERR] = { "<3>", "error: " },
		[LOG_WARN] = { "<4>", "warning: " },
		[LOG_INFO] = { "<6>", "" },
		[LOG_DEBUG] = { "<7>", "debug: " },
	};
	char text[LINE_MAX_BYTES], when[32] = "";

	(void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut line is still a line */
	if (!self.journal) {
		time_t now = time(NULL);
		struct tm tm;

		gmtime_r(&now, &tm);
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	}
	(void)fprintf(stderr, "%s%s%s: %s%s\n", self.journal ? levels[level].journal : "", when,
		      self.program, self.journal ? "" : levels[level].name, text);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > self.most)
		return;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

const char *log_quote(const char *s, char *to, size_t len)
{
	size_t n = 0;

	if (len < 8)
		return "";
	to[n++] = '\'';
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (n + 8 >= len) {
			memcpy(to + n, "...", 3);
			n += 3;
			break;
		}
		if (isprint(c) && c != '\'' && c != '\\')
			to[n++] = (char)c;
		else
			n += (size_t)snprintf(to + n, len - n, "\\x%02x", c);
	}
	to[n++] = '\'';
	to[n] = '\0';
	return to;
}

int log_allow(struct log_limit *l, uint64_t now_ms, uint64_t every_ms, uint32_t *ret_dropped)
{
	if (now_ms < l->next_ms) {
		l->dropped++;
		return 0;
	}
	*ret_dropped = l->dropped;
	l->dropped = 0;
	l->next_ms = now_ms + every_ms;
	return 1;
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fprintf(stderr, "%s: ", self.program);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	exit(1);
}
