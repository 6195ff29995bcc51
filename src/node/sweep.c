/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sweep.c - keep the cache of volumes within its size */
#include "node/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 65536 /* more are not looked at this time */
#define DEPTH_MAX 3

struct file {
	char *path;
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
		free(f->rows[i].path);
	free(f->rows);
}

static int add(struct files *f, const char *path, const struct stat *st)
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

	row->path = strdup(path);
	if (!row->path)
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
		if (ent->fts_info == FTS_D && ent->fts_level > DEPTH_MAX)
			(void)fts_set(fts, ent, FTS_SKIP); /* fails for a bad flag only */
		else if (ent->fts_info == FTS_F)
			r = add(f, ent->fts_path, ent->fts_statp);
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
	int r = list(dir, &f, e);

	if (!r && f.bytes > max_bytes) {
		qsort(f.rows, f.n, sizeof(*f.rows), older_first);
		for (size_t i = 0; i < f.n && f.bytes > max_bytes; i++) {
			if (unlink(f.rows[i].path) < 0 && errno != ENOENT) {
				r = err_set(e, -errno, "remove '%s': %s", f.rows[i].path,
					    strerror(errno));
				break;
			}
			f.bytes -= f.rows[i].bytes;
		}
	}
	files_done(&f);
	return r;
}
