/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc.c - read and parse /proc/PID/stat and status
 *
 * The name in stat is chosen by the process and stands there as it is, with blanks, newlines and
 * brackets: what follows it begins behind the last ')'. In status the kernel escapes it.
 */
#include <errno.h>

#include "os/file.h"
#include "tracee/maps.h"

#define STAT_MAX      4096
#define STATUS_MAX    65536
#define PROC_PATH_MAX 32
#define KTHREAD	      0x00200000 /* PF_KTHREAD */

/* numbers of the fields of stat, proc(5); the name is 2 */
enum {
	STAT_STATE = 3,
	STAT_FLAGS = 9,
	STAT_N = 51,
};

enum width {
	W_INT,
	W_U64,
};

#define AT(member) offsetof(struct proc_stat, member)

static const struct stat_row {
	int field;
	enum width width;
	size_t at;
} stat_rows[] = {
	{ 4, W_INT, AT(ppid) },		{ 5, W_INT, AT(pgrp) },	       { 6, W_INT, AT(session) },
	{ 14, W_U64, AT(utime) },	{ 15, W_U64, AT(stime) },      { 20, W_INT, AT(n_threads) },
	{ 22, W_U64, AT(start_time) },	{ 26, W_U64, AT(start_code) }, { 27, W_U64, AT(end_code) },
	{ 28, W_U64, AT(start_stack) }, { 45, W_U64, AT(start_data) }, { 46, W_U64, AT(end_data) },
	{ 47, W_U64, AT(start_brk) },	{ 48, W_U64, AT(arg_start) },  { 49, W_U64, AT(arg_end) },
	{ 50, W_U64, AT(env_start) },	{ 51, W_U64, AT(env_end) },
};

static const struct status_row {
	const char *key;
	int base;
	enum width width;
	unsigned int n; /* numbers in the line */
	size_t at;
} status_rows[] = {
	{ "TracerPid:", 10, W_INT, 1, AT(tracer) },
	{ "Uid:", 10, W_INT, 4, AT(uid) },
	{ "Gid:", 10, W_INT, 4, AT(gid) },
	{ "SigPnd:", 16, W_U64, 1, AT(pending) },
	{ "ShdPnd:", 16, W_U64, 1, AT(shared_pending) },
	{ "SigBlk:", 16, W_U64, 1, AT(blocked) },
	{ "SigIgn:", 16, W_U64, 1, AT(ignored) },
	{ "SigCgt:", 16, W_U64, 1, AT(caught) },
	{ "CapEff:", 16, W_U64, 1, AT(cap_effective) },
	{ "Seccomp:", 10, W_INT, 1, AT(seccomp) },
};

/* the next number of a line of them; @p moves behind it */
static bool next_number(const char **p, int base, bool *ret_minus, uint64_t *ret)
{
	char *end;

	while (**p == ' ' || **p == '\t')
		(*p)++;
	*ret_minus = **p == '-';
	if (*ret_minus)
		(*p)++;
	if (!**p || !strchr("0123456789abcdef", **p))
		return false;
	errno = 0;
	*ret = strtoull(*p, &end, base);
	if (errno || end == *p)
		return false;
	*p = end;
	return true;
}

static void put(struct proc_stat *s, size_t at, enum width w, bool minus, uint64_t v)
{
	char *to = (char *)s + at;
	uint32_t small = (uint32_t)(minus ? -v : v);

	switch (w) {
	case W_INT:
		memcpy(to, &small, sizeof(small));
		break;
	case W_U64:
		memcpy(to, &v, sizeof(v));
		break;
	}
}

/* Return: false when it is not of that form */
static bool parse_stat(const char *text, struct proc_stat *s)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')'), *p = text;
	uint64_t v;
	bool minus;
	size_t len;

	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return false;
	if (!next_number(&p, 10, &minus, &v) || minus || v > INT32_MAX)
		return false;
	s->pid = (pid_t)v;
	len = (size_t)(close - open - 1);
	if (len >= sizeof(s->name))
		len = sizeof(s->name) - 1;
	memcpy(s->name, open + 1, len);
	s->name[len] = '\0';
	s->state = close[2];

	p = close + 3;
	for (int field = STAT_STATE + 1; field <= STAT_N; field++) {
		if (!next_number(&p, 10, &minus, &v))
			return false;
		if (field == STAT_FLAGS)
			s->kernel_thread = v & KTHREAD;
		for (size_t i = 0; i < ARRAY_LEN(stat_rows); i++)
			if (stat_rows[i].field == field)
				put(s, stat_rows[i].at, stat_rows[i].width, minus, v);
	}
	return true;
}

static bool parse_row(const struct status_row *row, const char *p, struct proc_stat *s)
{
	for (unsigned int i = 0; i < row->n; i++) {
		uint64_t v;
		bool minus;

		if (!next_number(&p, row->base, &minus, &v))
			return false;
		put(s, row->at + i * sizeof(uint32_t), row->width, minus, v);
	}
	return true;
}

static bool parse_status(char *text, struct proc_stat *s)
{
	static const char ns_pids[] = "NSpid:", nnp[] = "NoNewPrivs:";
	unsigned int found = 0;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		const char *p;
		uint64_t v;
		bool minus;

		for (size_t i = 0; i < ARRAY_LEN(status_rows); i++) {
			size_t len = strlen(status_rows[i].key);

			if (strncmp(line, status_rows[i].key, len) != 0)
				continue;
			if (!parse_row(&status_rows[i], line + len, s))
				return false;
			found |= 1U << i;
		}
		if (!strncmp(line, ns_pids, sizeof(ns_pids) - 1))
			for (p = line + sizeof(ns_pids) - 1; next_number(&p, 10, &minus, &v);)
				s->n_ns_pids++;
		p = line + sizeof(nnp) - 1;
		if (!strncmp(line, nnp, sizeof(nnp) - 1) && next_number(&p, 10, &minus, &v))
			s->no_new_privs = v;
	}
	return found & 1; /* the first row: what every kernel has */
}

int proc_stat_parse(const char *stat, char *status, struct proc_stat *ret, struct err *e)
{
	struct proc_stat s = { 0 };

	if (!parse_stat(stat, &s))
		return err_set(e, -EPROTO, "a process's stat of the kernel is not understood");
	if (!parse_status(status, &s))
		return err_set(e, -EPROTO, "a process's status of the kernel is not understood");
	*ret = s;
	return 0;
}

static int read_text(pid_t pid, const char *name, struct buf *b, struct err *e)
{
	char path[PROC_PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	r = file_read(path, b, e);
	if (r == -ENOENT || r == -ESRCH)
		return err_set(e, -ESRCH, "process %d has ended", pid);
	if (r < 0)
		return r;
	return buf_text(b) ? 0 : err_set(e, -ENOMEM, "read '%s': %s", path, strerror(ENOMEM));
}

int proc_stat_read(pid_t pid, struct proc_stat *ret, struct err *e)
{
	struct buf stat, status;
	int r;

	buf_init(&stat, STAT_MAX);
	buf_init(&status, STATUS_MAX);
	r = read_text(pid, "stat", &stat, e);
	if (r == 0)
		r = read_text(pid, "status", &status, e);
	if (r == 0)
		r = proc_stat_parse(buf_text(&stat), (char *)status.data, ret, e);
	buf_done(&stat);
	buf_done(&status);
	return r;
}
