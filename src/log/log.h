/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - the daemon's words
 *
 * Levels: err (someone must act), warn (ignored, and says so), info (life events), debug. Lines go
 * to stderr; under systemd (JOURNAL_STREAM set) with its <N> prefix and without a time. Foreign
 * strings are quoted by log_quote(). Libraries below node/, head/ and ctl/ log at debug only.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdint.h>

#include "base/err.h"

enum log_level {
	LOG_ERR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

/** log_open() - Name of the program and the least important level to print; call once in main() */
void log_open(const char *program, enum log_level most);

void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

/**
 * log_quote() - Make foreign text safe for a line: '...' with control bytes as \xNN, cut if long
 * @s:		The text
 * @to, @len:	Where to
 *
 * Return: @to
 */
const char *log_quote(const char *s, char *to, size_t len);

/* one line in so many seconds for a message that a peer can provoke */
struct log_limit {
	uint64_t next_ms;
	uint32_t dropped;
};

/** log_allow() - May this line be printed now? *ret_dropped: how many were not since the last */
int log_allow(struct log_limit *l, uint64_t now_ms, uint64_t every_ms, uint32_t *ret_dropped);

#define log_err(...)   log_write(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/** die() - Print and exit(1); only in main() files, before the loop starts */
void die(const char *fmt, ...) PRINTF(1, 2) NORETURN;

#endif
