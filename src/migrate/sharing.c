/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sharing.c - which memory do processes of this machine share? */
#include "migrate/sharing.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sys/mman.h>

#include "base/grow.h"
#include "base/parse.h"

struct sharing_row {
	uint64_t inode;
	uint32_t major, minor;
	pid_t pid;
	bool writable;
};

void sharing_init(struct sharing *s)
{
	*s = (struct sharing){ 0 };
}

void sharing_done(struct sharing *s)
{
	if (!s)
		return;
	free(s->rows);
	sharing_init(s);
}

static bool is_shared(const struct maps_entry *v)
{
	return v->flags & MAPS_SHARED && v->inode;
}

static int add_row(struct sharing *s, const struct sharing_row *row)
{
	if (s->n == SHARING_MAX)
		return -E2BIG;

	struct sharing_row *p = grow(s->rows, s->n, &s->room, 256, sizeof(*p));

	if (!p)
		return -ENOMEM;
	s->rows = p;
	s->rows[s->n++] = *row;
	return 0;
}

int sharing_add(struct sharing *s, pid_t pid, const struct maps *maps)
{
	int r = 0;

	for (size_t i = 0; !r && i < maps->n; i++) {
		const struct maps_entry *v = &maps->entries[i];
		const struct sharing_row row = { v->inode, v->major, v->minor, pid,
						 v->prot & PROT_WRITE };

		if (is_shared(v))
			r = add_row(s, &row);
	}
	return r;
}

static int add_process(struct sharing *s, pid_t pid, struct err *e)
{
	struct maps maps;
	int r = maps_read(pid, false, &maps, NULL);

	if (r == -ENOMEM)
		return err_set(e, r, "no memory to look at process %d", pid);
	if (r < 0)
		return 0; /* it has ended, or is a thread of the kernel */
	r = sharing_add(s, pid, &maps);
	maps_done(&maps);
	return r < 0 ? err_set(e, r, "look at the memory of process %d: %s", pid, strerror(-r)) : 0;
}

int sharing_fill(struct sharing *s, struct err *e)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	int r = 0;

	if (!proc)
		return err_set(e, -errno, "open '/proc': %s", strerror(errno));
	while (!r && (d = readdir(proc))) {
		uint32_t pid;

		if (isdigit((unsigned char)d->d_name[0]) && !parse_u32(d->d_name, &pid))
			r = add_process(s, (pid_t)pid, e);
	}
	(void)closedir(proc); /* it was only read */
	if (r < 0)
		sharing_done(s);
	else
		s->filled = true;
	return r;
}

bool sharing_with_others(const struct sharing *s, pid_t pid, const struct maps_entry *v)
{
	bool ours = v->prot & PROT_WRITE;

	if (!is_shared(v))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		const struct sharing_row *row = &s->rows[i];

		if (row->pid != pid && row->inode == v->inode && row->major == v->major &&
		    row->minor == v->minor && (ours || row->writable))
			return true;
	}
	return false;
}
