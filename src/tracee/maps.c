/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maps.c - read and parse /proc/PID/maps and smaps
 *
 * Names in it are chosen by the process: only a newline is escaped by the kernel (as \012). So a
 * line is a line, and a name is the rest of one; nothing is looked for behind the start of a name.
 */
#include "tracee/maps.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/grow.h"
#include "os/file.h"

#define PAGE	      4096
#define TEXT_MAX      (128U << 20) /* smaps of 65530 mappings has some 50 MB */
#define ENTRIES_MAX   (1U << 20)
#define PROC_PATH_MAX 32
#define READ_TRIES    50

/* VmFlags of proc(5) */
static const struct flag_row {
	char name[3];
	enum maps_flags flag;
} flag_rows[] = {
	{ "gd", MAPS_GROWSDOWN },  { "dc", MAPS_DONTFORK }, { "dd", MAPS_DONTDUMP },
	{ "wf", MAPS_WIPEONFORK }, { "hg", MAPS_HUGEPAGE }, { "nh", MAPS_NOHUGEPAGE },
	{ "nr", MAPS_NORESERVE },  { "lo", MAPS_LOCKED },   { "io", MAPS_IO },
	{ "ht", MAPS_HUGETLB },	   { "um", MAPS_UFFD },	    { "uw", MAPS_UFFD },
	{ "ui", MAPS_UFFD },
};

/* the four letters of the protection */
static const struct {
	char yes, no;
	uint32_t bit;
} prot_letters[] = {
	{ 'r', '-', PROT_READ },
	{ 'w', '-', PROT_WRITE },
	{ 'x', '-', PROT_EXEC },
};

/* Take a number that is followed by a certain byte, which is taken too */
static bool number(const char **p, int base, char then, uint64_t *ret)
{
	uint64_t v = 0;
	const char *s = *p;

	for (;; s++) {
		unsigned int digit;

		if (*s >= '0' && *s <= '9')
			digit = (unsigned int)(*s - '0');
		else if (base == 16 && *s >= 'a' && *s <= 'f')
			digit = (unsigned int)(*s - 'a') + 10;
		else
			break;
		if (v > (UINT64_MAX - digit) / (unsigned int)base)
			return false;
		v = v * (unsigned int)base + digit;
	}
	if (s == *p || *s != then)
		return false;
	*p = s + 1;
	*ret = v;
	return true;
}

static bool protection(const char **p, struct maps_entry *m)
{
	const char *s = *p;

	for (size_t i = 0; i < ARRAY_LEN(prot_letters); i++, s++) {
		if (*s == prot_letters[i].yes)
			m->prot |= prot_letters[i].bit;
		else if (*s != prot_letters[i].no)
			return false;
	}
	if (*s != 'p' && *s != 's')
		return false;
	if (*s++ == 's')
		m->flags |= MAPS_SHARED;
	if (*s++ != ' ')
		return false;
	*p = s;
	return true;
}

/* "START-END PROT OFFSET MAJOR:MINOR INODE   NAME"; the name may be missing, its blank is not */
static bool parse_entry(const char *line, struct maps_entry *ret)
{
	struct maps_entry m = { 0 };
	const char *p = line;
	uint64_t major, minor;

	if (!number(&p, 16, '-', &m.start) || !number(&p, 16, ' ', &m.end) || !protection(&p, &m) ||
	    !number(&p, 16, ' ', &m.offset) || !number(&p, 16, ':', &major) ||
	    !number(&p, 16, ' ', &minor))
		return false;
	if (!number(&p, 10, ' ', &m.inode) && !number(&p, 10, '\0', &m.inode))
		return false;
	if (m.start >= m.end || m.start % PAGE || m.end % PAGE || major > UINT32_MAX ||
	    minor > UINT32_MAX)
		return false;

	m.major = (uint32_t)major;
	m.minor = (uint32_t)minor;
	if (p[-1]) /* the NUL of a line without a name was taken */
		while (*p == ' ')
			p++;
	m.name = p[-1] ? p : "";
	*ret = m;
	return true;
}

static void parse_flags(const char *p, struct maps_entry *m)
{
	if (m->flags & MAPS_SHARED)
		m->flags |= MAPS_READONLY; /* until it says "mw" */
	while (*p) {
		while (*p == ' ')
			p++;
		if (!p[0] || !p[1])
			return;
		if (!memcmp(p, "mw", 2))
			m->flags &= ~(uint32_t)MAPS_READONLY;
		for (size_t i = 0; i < ARRAY_LEN(flag_rows); i++)
			if (!memcmp(p, flag_rows[i].name, 2))
				m->flags |= flag_rows[i].flag;
		while (*p && *p != ' ')
			p++;
	}
}

/* "Key:" of smaps: a letter that no address begins with */
static bool is_key(const char *line)
{
	return *line >= 'A' && *line <= 'Z' && strchr(line, ':');
}

static int add_entry(struct maps *m, size_t *cap, const struct maps_entry *x)
{
	if (m->n == ENTRIES_MAX)
		return -E2BIG;

	struct maps_entry *p = grow(m->entries, m->n, cap, 64, sizeof(*p));

	if (!p)
		return -ENOMEM;
	m->entries = p;
	m->entries[m->n++] = *x;
	return 0;
}

static int parse_line(struct maps *m, size_t *cap, const char *line)
{
	static const char vm_flags[] = "VmFlags:";
	struct maps_entry x;

	if (is_key(line)) {
		if (!m->n)
			return -EPROTO;
		if (!strncmp(line, vm_flags, sizeof(vm_flags) - 1))
			parse_flags(line + sizeof(vm_flags) - 1, &m->entries[m->n - 1]);
		return 0;
	}
	if (!parse_entry(line, &x) || (m->n && x.start < m->entries[m->n - 1].end))
		return -EPROTO;
	return add_entry(m, cap, &x);
}

int maps_parse(char *text, struct maps *ret, struct err *e)
{
	struct maps m = { .text = text };
	size_t cap = 0, number_of_line = 0;
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		int r;

		number_of_line++;
		if (!*line && !rest)
			break; /* behind the last newline */
		r = parse_line(&m, &cap, line);
		if (r < 0) {
			maps_done(&m);
			return err_set(e, r, "line %zu of a list of mappings: %s", number_of_line,
				       r == -EPROTO ? "not understood" : strerror(-r));
		}
	}
	*ret = m;
	return 0;
}

static int read_once(pid_t pid, bool with_flags, struct maps *ret, struct err *e)
{
	char path[PROC_PATH_MAX];
	struct buf b;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, with_flags ? "smaps" : "maps");
	buf_init(&b, TEXT_MAX);
	r = file_read(path, &b, e);
	if (r < 0 || !b.len) {
		buf_done(&b);
		if (r == -ENOENT || r >= 0)
			r = err_set(e, -ESRCH, "process %d has ended", pid);
		return r;
	}
	if (!buf_text(&b)) {
		buf_done(&b);
		return err_set(e, -ENOMEM, "read '%s': %s", path, strerror(ENOMEM));
	}

	/* nothing was taken from its front: the memory is the text's */
	r = maps_parse((char *)b.data, ret, e);
	if (r < 0)
		(void)err_prefix(e, "process %d", pid);
	return r;
}

int maps_read(pid_t pid, bool with_flags, struct maps *ret, struct err *e)
{
	int r = -EPROTO;

	/* of a process that maps and unmaps meanwhile, lines may overlap (Linux 6.17) */
	for (int tries = 0; r == -EPROTO && tries < READ_TRIES; tries++)
		r = read_once(pid, with_flags, ret, e);
	return r;
}

void maps_done(struct maps *m)
{
	if (!m)
		return;
	free(m->entries);
	free(m->text);
	*m = (struct maps){ 0 };
}
