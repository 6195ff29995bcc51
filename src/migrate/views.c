/* SPDX-License-Identifier: GPL-2.0-or-later */
/* views.c - what a process that is away sees of itself in /proc */
#include "migrate/views.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PAGE	    4096
#define KIB	    1024
#define HEAD_MAX    512 /* of a line of maps, up to its name */
#define NAME_COLUMN 73	/* where names stand in maps */
#define STAT_FIRST  3	/* field behind the name */
#define STAT_FIELDS 52
#define LIMIT_SOFT  26 /* columns of limits */
#define LIMIT_UNIT  68

/* of /proc/self; of /proc/self/task/TID there are most of them as well */
static const struct {
	const char *name;
	enum view_kind kind;
} files[] = {
	{ "status", VIEW_STATUS },	 { "stat", VIEW_STAT },
	{ "statm", VIEW_STATM },	 { "maps", VIEW_MAPS },
	{ "smaps", VIEW_MAPS },		 { "smaps_rollup", VIEW_GUEST },
	{ "cmdline", VIEW_GUEST },	 { "environ", VIEW_GUEST },
	{ "mem", VIEW_HOMEWARD },	 { "pagemap", VIEW_HOMEWARD },
	{ "clear_refs", VIEW_HOMEWARD }, { "numa_maps", VIEW_HOMEWARD },
	{ "limits", VIEW_LIMITS },
};

/* lines of status that are not home's */
static const struct status_row {
	const char *key;
	enum {
		OF_GUEST,
		LESS_REGION,
		LESS_DATA,
		FIXED
	} how;
	const char *text; /* FIXED */
} status_rows[] = {
	{ "State:", FIXED, "R (running)" }, { "TracerPid:", FIXED, "0" },
	{ "VmPeak:", LESS_REGION, NULL },   { "VmSize:", LESS_REGION, NULL },
	{ "VmData:", LESS_DATA, NULL },	    { "VmLck:", OF_GUEST, NULL },
	{ "VmPin:", OF_GUEST, NULL },	    { "VmHWM:", OF_GUEST, NULL },
	{ "VmRSS:", OF_GUEST, NULL },	    { "RssAnon:", OF_GUEST, NULL },
	{ "RssFile:", OF_GUEST, NULL },	    { "RssShmem:", OF_GUEST, NULL },
	{ "VmStk:", OF_GUEST, NULL },	    { "VmExe:", OF_GUEST, NULL },
	{ "VmLib:", OF_GUEST, NULL },	    { "VmPTE:", OF_GUEST, NULL },
	{ "VmSwap:", OF_GUEST, NULL },	    { "SigPnd:", OF_GUEST, NULL },
	{ "ShdPnd:", OF_GUEST, NULL },	    { "SigBlk:", OF_GUEST, NULL },
	{ "SigIgn:", OF_GUEST, NULL },	    { "SigCgt:", OF_GUEST, NULL },
};

enum stat_how {
	STAT_HOME,
	STAT_GUEST,
	STAT_SUM,
	STAT_SIZE, /* the guest's, less the region */
	STAT_ZERO,
};

/* fields of stat that are not home's, proc(5) */
static const uint8_t stat_how[STAT_FIELDS + 1] = {
	[10] = STAT_SUM,   [12] = STAT_SUM,   /* faults */
	[14] = STAT_SUM,   [15] = STAT_SUM,   /* time used */
	[23] = STAT_SIZE,  [24] = STAT_GUEST, /* memory */
	[26] = STAT_GUEST, [27] = STAT_GUEST, [28] = STAT_GUEST, [29] = STAT_GUEST,
	[30] = STAT_GUEST, [31] = STAT_GUEST, [32] = STAT_GUEST, [33] = STAT_GUEST,
	[34] = STAT_GUEST, [35] = STAT_ZERO,  [39] = STAT_GUEST, [45] = STAT_GUEST,
	[46] = STAT_GUEST, [47] = STAT_GUEST, [48] = STAT_GUEST, [49] = STAT_GUEST,
	[50] = STAT_GUEST, [51] = STAT_GUEST,
};

/* ------------------------------------------------------------------- names */

/* "NUMBER/..." or "NUMBER"; *p moves behind it and its slash */
static bool take_number(const char **p, uint32_t *ret)
{
	char *end;
	unsigned long v;

	if (**p < '1' || **p > '9')
		return false;
	v = strtoul(*p, &end, 10);
	if (v > INT32_MAX || (*end != '/' && *end))
		return false;
	*p = *end ? end + 1 : end;
	*ret = (uint32_t)v;
	return true;
}

static bool take_word(const char **p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}

void view_find(const char *path, uint32_t pid, uint32_t tid, struct view *ret)
{
	const char *p = path;
	uint32_t number = 0;

	*ret = (struct view){ .kind = VIEW_NONE };
	if (!take_word(&p, "/proc/"))
		return;
	if (take_word(&p, "thread-self/"))
		ret->tid = tid;
	else if (!take_word(&p, "self/") && !(take_number(&p, &number) && number == pid))
		return;
	if (take_word(&p, "task/") && !take_number(&p, &ret->tid))
		return;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!strcmp(p, files[i].name)) {
			ret->kind = files[i].kind;
			ret->name = files[i].name;
		}
}

bool view_wants_home(enum view_kind kind)
{
	return kind == VIEW_STATUS || kind == VIEW_STAT || kind == VIEW_MAPS || kind == VIEW_LIMITS;
}

/* ------------------------------------------------------------------- lines */

/* the next line without its newline; false: there is none */
static bool next_line(const char **p, const char **ret, size_t *ret_n)
{
	if (!**p)
		return false;
	*ret = *p;
	*ret_n = strcspn(*p, "\n");
	*p += *ret_n + ((*p)[*ret_n] == '\n');
	return true;
}

static int put_line(struct buf *to, const char *line, size_t n)
{
	int r = buf_put(to, line, n);

	return r < 0 ? r : buf_put(to, "\n", 1);
}

/* ------------------------------------------------------------------ status */

static bool find_key(const char *text, const char *key, const char **ret, size_t *ret_n)
{
	size_t n = strlen(key);

	while (next_line(&text, ret, ret_n))
		if (*ret_n >= n && !memcmp(*ret, key, n))
			return true;
	return false;
}

static int put_less(struct buf *to, const char *key, const char *line, uint64_t less)
{
	unsigned long long kib = strtoull(line + strlen(key), NULL, 10);

	kib = kib > less / KIB ? kib - less / KIB : 0;
	return buf_printf(to, "%s\t%8llu kB\n", key, kib);
}

static int put_status_row(const struct status_row *row, const char *line, size_t n,
			  const char *guest, const struct view_hidden *hidden, struct buf *to)
{
	const char *theirs;
	size_t n_theirs;

	if (row->how == FIXED)
		return buf_printf(to, "%s\t%s\n", row->key, row->text);
	if (!find_key(guest, row->key, &theirs, &n_theirs))
		return put_line(to, line, n);
	switch (row->how) {
	case LESS_REGION:
		return put_less(to, row->key, theirs, hidden->end - hidden->start);
	case LESS_DATA:
		return put_less(to, row->key, theirs, hidden->usable);
	case OF_GUEST:
	case FIXED:
		break;
	}
	return put_line(to, theirs, n_theirs);
}

static int make_status(const char *home, const char *guest, const struct view_hidden *hidden,
		       struct buf *to)
{
	const char *line;
	size_t n;
	int r = 0;

	while (!r && next_line(&home, &line, &n)) {
		const struct status_row *row = NULL;

		for (size_t i = 0; !row && i < ARRAY_LEN(status_rows); i++)
			if (n > strlen(status_rows[i].key) &&
			    !memcmp(line, status_rows[i].key, strlen(status_rows[i].key)))
				row = &status_rows[i];
		r = row ? put_status_row(row, line, n, guest, hidden, to) : put_line(to, line, n);
	}
	return r;
}

/* -------------------------------------------------------------------- stat */

/* the fields behind the name; the name may have blanks and brackets in it. Return: how many */
static int stat_fields(const char *text, const char *ret[STAT_FIELDS + 1])
{
	const char *p = strrchr(text, ')');
	int i = STAT_FIRST;

	for (; p && i <= STAT_FIELDS; i++) {
		p = strchr(p, ' ');
		if (!p)
			break;
		ret[i] = ++p;
	}
	return i;
}

static int put_number(struct buf *to, unsigned long long v)
{
	return buf_printf(to, " %llu", v);
}

static int put_field(struct buf *to, int i, const char *home, const char *guest, uint64_t less)
{
	unsigned long long ours = strtoull(guest, NULL, 10);

	switch ((enum stat_how)stat_how[i]) {
	case STAT_HOME:
		return buf_printf(to, " %.*s", (int)strcspn(home, " \n"), home);
	case STAT_GUEST:
		return buf_printf(to, " %.*s", (int)strcspn(guest, " \n"), guest);
	case STAT_SUM:
		return put_number(to, strtoull(home, NULL, 10) + ours);
	case STAT_SIZE:
		return put_number(to, ours > less ? ours - less : 0);
	case STAT_ZERO:
		return put_number(to, 0);
	}
	return -EPROTO;
}

static int make_stat(const char *home, const char *guest, const struct view_hidden *hidden,
		     struct buf *to)
{
	const char *ours[STAT_FIELDS + 1] = { NULL }, *theirs[STAT_FIELDS + 1] = { NULL };
	int n = stat_fields(home, ours), m = stat_fields(guest, theirs), r;

	if (n <= STAT_FIRST || n != m)
		return -EPROTO;
	/* up to the blank before the state */
	r = buf_put(to, home, (size_t)(ours[STAT_FIRST] - home));
	if (!r)
		r = buf_put(to, "R", 1);
	for (int i = STAT_FIRST + 1; !r && i < n; i++)
		r = put_field(to, i, ours[i], theirs[i], hidden->end - hidden->start);
	return r < 0 ? r : buf_put(to, "\n", 1);
}

/* ------------------------------------------------------------------- statm */

static int make_statm(const char *guest, const struct view_hidden *hidden, struct buf *to)
{
	unsigned long long size, resident, shared, text, data;
	uint64_t less = (hidden->end - hidden->start) / PAGE, less_data = hidden->usable / PAGE;

	if (sscanf(guest, "%llu %llu %llu %llu 0 %llu 0", &size, &resident, &shared, &text,
		   &data) != 5)
		return -EPROTO;
	size = size > less ? size - less : 0;
	data = data > less_data ? data - less_data : 0;
	return buf_printf(to, "%llu %llu %llu %llu 0 %llu 0\n", size, resident, shared, text, data);
}

/* -------------------------------------------------------------------- maps */

struct maps_line {
	unsigned long long start, end, offset, inode;
	char prot[5];
	unsigned int major, minor;
	const char *name; /* in its line, to the line's end */
	size_t n_name;
};

static bool parse_maps_line(const char *line, size_t n, struct maps_line *ret)
{
	char text[HEAD_MAX];
	size_t take = n < sizeof(text) - 1 ? n : sizeof(text) - 1;
	int at = 0;

	memcpy(text, line, take);
	text[take] = '\0';
	if (sscanf(text, "%llx-%llx %4s %llx %x:%x %llu %n", &ret->start, &ret->end, ret->prot,
		   &ret->offset, &ret->major, &ret->minor, &ret->inode, &at) != 7 ||
	    ret->start >= ret->end || strlen(ret->prot) != 4)
		return false;
	ret->name = line + at;
	ret->n_name = (size_t)at < n ? n - (size_t)at : 0;
	return true;
}

/* the line of home that has this address; home moves on, for addresses ascend */
static bool home_line(const char **home, unsigned long long at, struct maps_line *ret)
{
	const char *p = *home, *line;
	size_t n;

	while (next_line(&p, &line, &n)) {
		if (!parse_maps_line(line, n, ret) || ret->end <= at) {
			*home = p; /* details of smaps, or behind us */
			continue;
		}
		return ret->start <= at;
	}
	return false;
}

static int put_maps_line(struct buf *to, const struct maps_line *v)
{
	size_t before = to->len;
	int r = buf_printf(to, "%08llx-%08llx %s %08llx %02x:%02x %llu ", v->start, v->end, v->prot,
			   v->offset, v->major, v->minor, v->inode);

	while (!r && v->n_name && to->len - before < NAME_COLUMN)
		r = buf_put(to, " ", 1);
	return r < 0 ? r : put_line(to, v->name, v->n_name);
}

/* one mapping, or the parts of it that are not our region */
static int put_mapping(struct buf *to, struct maps_line v, const char **home,
		       const struct view_hidden *hidden)
{
	struct maps_line file, part;
	int r = 0;

	if (v.start < hidden->end && v.end > hidden->start) {
		part = v;
		part.end = hidden->start;
		if (part.start < part.end)
			r = put_maps_line(to, &part);
		part = v;
		part.start = hidden->end;
		return r || part.start >= part.end ? r : put_maps_line(to, &part);
	}
	/* what home has of a file there is memory without one here */
	if (home_line(home, v.start, &file) && file.inode) {
		v.offset = file.offset + (v.start - file.start);
		v.major = file.major;
		v.minor = file.minor;
		v.inode = file.inode;
		v.prot[3] = file.prot[3];
		v.name = file.name;
		v.n_name = file.n_name;
	}
	return put_maps_line(to, &v);
}

static int make_maps(const char *home, const char *guest, const struct view_hidden *hidden,
		     struct buf *to)
{
	bool skip = false;
	const char *line;
	size_t n;
	int r = 0;

	while (!r && next_line(&guest, &line, &n)) {
		struct maps_line v;

		if (!parse_maps_line(line, n, &v)) { /* smaps: of the mapping before */
			r = skip ? 0 : put_line(to, line, n);
			continue;
		}
		skip = v.start >= hidden->start && v.end <= hidden->end;
		r = put_mapping(to, v, &home, hidden);
	}
	return r;
}

/* ------------------------------------------------------------------ limits */

/* rows of limits whose numbers home's kernel does not know while it is away: rlimits.h */
static const struct {
	const char *name;
	unsigned int which;
} limit_rows[] = {
	{ "Max cpu time ", RLIMIT_CPU },	  { "Max data size ", RLIMIT_DATA },
	{ "Max stack size ", RLIMIT_STACK },	  { "Max open files ", RLIMIT_NOFILE },
	{ "Max locked memory ", RLIMIT_MEMLOCK }, { "Max address space ", RLIMIT_AS },
};

static int put_limit(struct buf *to, uint64_t limit)
{
	return limit == RLIM_INFINITY ? buf_printf(to, "%-20s ", "unlimited")
				      : buf_printf(to, "%-20llu ", (unsigned long long)limit);
}

static int put_limits_line(struct buf *to, const char *line, size_t n,
			   const struct image_limit *limits)
{
	int r;

	for (size_t i = 0; n > LIMIT_UNIT && i < ARRAY_LEN(limit_rows); i++) {
		if (strncmp(line, limit_rows[i].name, strlen(limit_rows[i].name)) != 0)
			continue;
		r = buf_put(to, line, LIMIT_SOFT);
		if (!r)
			r = put_limit(to, limits[limit_rows[i].which].soft);
		if (!r)
			r = put_limit(to, limits[limit_rows[i].which].hard);
		return r ? r : put_line(to, line + LIMIT_UNIT, n - LIMIT_UNIT);
	}
	return put_line(to, line, n);
}

static int make_limits(const char *home, const struct view_hidden *hidden, struct buf *to)
{
	const char *line;
	size_t n;
	int r = 0;

	while (!r && next_line(&home, &line, &n))
		r = hidden->limits ? put_limits_line(to, line, n, hidden->limits)
				   : put_line(to, line, n);
	return r;
}

int view_make(enum view_kind kind, const char *home, const char *guest,
	      const struct view_hidden *hidden, struct buf *to)
{
	switch (kind) {
	case VIEW_STATUS:
		return make_status(home, guest, hidden, to);
	case VIEW_STAT:
		return make_stat(home, guest, hidden, to);
	case VIEW_STATM:
		return make_statm(guest, hidden, to);
	case VIEW_MAPS:
		return make_maps(home, guest, hidden, to);
	case VIEW_LIMITS:
		return make_limits(home, hidden, to);
	case VIEW_GUEST: /* its bytes, NULs among them, are taken by who has read them */
	case VIEW_NONE:
	case VIEW_HOMEWARD:
		break;
	}
	return -EINVAL;
}
