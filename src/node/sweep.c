/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sweep.c - keep the cache of volumes within its size */
#include "node/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"

#define FILES_MAX 65536 /* more are not looked at this time */

struct file {
	char *name; /* in the cache directory */
	uint64_t bytes;
	int64_t used_s;
};

struct files {
	struct file *rows;
	size_t n, cap;
	uint64_t bytes;
};

static void files_done(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->rows[i].name);
	free(f->rows);
}

static int add(struct files *f, const char *name, const struct stat *st)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 64;
		struct file *p = realloc(f->rows, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		f->rows = p;
		f->cap = cap;
	}
	struct file *row = &f->rows[f->n];

	row->name = strdup(name);
	if (!row->name)
		return -ENOMEM;
	row->bytes = (uint64_t)st->st_blocks * 512;
	row->used_s = st->st_atime > st->st_mtime ? st->st_atime : st->st_mtime;
	f->bytes += row->bytes;
	f->n++;
	return 0;
}

static int list(const char *dir, struct files *f, struct err *e)
{
	char *const roots[] = { (char *)dir, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	FTSENT *ent;
	int r = 0;

	if (!fts)
		return err_set(e, -errno, "open '%s': %s", dir, strerror(errno));
	while (!r && f->n < FILES_MAX && (ent = fts_read(fts))) {
		/* flat, and by name in the open directory: a box may write here, and would put a
		 * link to elsewhere in the place of a directory between the look and the unlink */
		if (ent->fts_info == FTS_D && ent->fts_level > 0)
			(void)fts_set(fts, ent, FTS_SKIP); /* fails for a bad flag only */
		else if (ent->fts_info == FTS_F && ent->fts_level == 1)
			r = add(f, ent->fts_name, ent->fts_statp);
	}
	(void)fts_close(fts); /* was only read */
	return r < 0 ? err_set(e, r, "out of memory") : 0;
}

static int older_first(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

int sweep_cache(const char *dir, uint64_t max_bytes, struct err *e)
{
	struct files f = { 0 };
	AUTO_CLOSE int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0; /* no task has run yet */
	if (fd < 0)
		return err_set(e, -errno, "open '%s': %s", dir, strerror(errno));
	r = list(dir, &f, e);
	if (!r && f.bytes > max_bytes) {
		qsort(f.rows, f.n, sizeof(*f.rows), older_first);
		for (size_t i = 0; i < f.n && f.bytes > max_bytes; i++) {
			if (unlinkat(fd, f.rows[i].name, 0) < 0 && errno != ENOENT) {
				r = err_set(e, -errno, "remove '%s': %s", f.rows[i].name,
					    strerror(errno));
				break;
			}
			f.bytes -= f.rows[i].bytes;
		}
	}
	files_done(&f);
	return r;
}
