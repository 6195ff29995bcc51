/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sweep.c - keep the cache of volumes within its size
 *
 * Theory of operation. In rounds: all files are counted, the oldest are remembered, and of these as
 * many are removed as the limits ask for. When memory was too short for all of them and the limits
 * are not kept yet there is another round, as long as the one before got something done.
 *
 * A directory that a box made is emptied; directories in it that are not empty are moved up into
 * the cache, and are met there in the next round. So nothing recurses, however deep a box digs.
 */
#include "node/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "os/fd.h"
#include "os/rand.h"

#define ROUNDS_MAX  1000
#define LOCK_SUFFIX ".lock" /* blast/cache/cache.h */

struct file {
	char *name; /* in the cache directory; owned */
	uint64_t bytes;
	int64_t used_s;
};

struct round {
	int dir;
	struct file *rows;
	size_t n, cap, max;
	uint64_t bytes; /* of all files, those not in rows too */
	bool cut;	/* not all are in rows: ... */
	int64_t cut_s;	/* ... only older ones than this */
	bool moved;	/* something was moved up, and may have been missed */
};

static void forget(struct round *r, size_t from)
{
	for (size_t i = from; i < r->n; i++)
		free(r->rows[i].name);
	r->n = from;
}

static int older_first(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

static int make_room(struct round *r)
{
	size_t cap = r->cap ? r->cap * 2 : 64;
	struct file *p;

	if (r->n < r->cap)
		return 0;
	if (r->n >= r->max) { /* the newer half is for the next round */
		qsort(r->rows, r->n, sizeof(*r->rows), older_first);
		r->cut_s = r->rows[r->n / 2].used_s;
		forget(r, r->n / 2);
		r->cut = true;
		return 0;
	}
	cap = cap < r->max ? cap : r->max;
	p = realloc(r->rows, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	r->rows = p;
	r->cap = cap;
	return 0;
}

static int add(struct round *r, const char *name, const struct stat *st)
{
	/* a box could link one file a thousand times to have all others thrown out */
	uint64_t bytes = (uint64_t)st->st_blocks * 512 / (st->st_nlink ? st->st_nlink : 1);
	int64_t used_s = st->st_atime > st->st_mtime ? st->st_atime : st->st_mtime;
	char *copy;
	int ret;

	r->bytes += bytes;
	ret = make_room(r);
	if (ret < 0)
		return ret;
	if (r->cut && used_s >= r->cut_s)
		return 0;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	r->rows[r->n++] = (struct file){ .name = copy, .bytes = bytes, .used_s = used_s };
	return 0;
}

/* ---- what nobody may make here ---- */

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static void move_up(struct round *r, int from, const char *name)
{
	char to[32];

	(void)snprintf(to, sizeof(to), "gone.%016llx", (unsigned long long)rand_u64());
	if (renameat2(from, name, r->dir, to, RENAME_NOREPLACE) == 0)
		r->moved = true;
}

/* what fails is met again by the next sweep */
static void remove_dir(struct round *r, const char *name)
{
	AUTO_CLOSE int fd = openat(r->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *d;
	DIR *all = fd >= 0 ? fdopendir(fd) : NULL;

	if (!all)
		return;
	while ((d = readdir(all)))
		if (!is_dot(d->d_name) && unlinkat(fd, d->d_name, 0) < 0 && errno == EISDIR &&
		    unlinkat(fd, d->d_name, AT_REMOVEDIR) < 0)
			move_up(r, fd, d->d_name);
	(void)fd_take(&fd); /* the stream's */
	(void)closedir(all);
	(void)unlinkat(r->dir, name, AT_REMOVEDIR);
}

/* ---- one file ---- */

/* 1 removed, 0 in use or gone, -errno */
static int remove_idle(struct round *r, const char *name)
{
	AUTO_CLOSE int fd = openat(r->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat is, named;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? 0 : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : -errno;
	/* who opens it from now on does not get its lock, or finds that the name is gone */
	if (fstat(fd, &is) < 0 || fstatat(r->dir, name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    is.st_ino != named.st_ino || is.st_dev != named.st_dev)
		return 0;
	if (unlinkat(r->dir, name, 0) < 0)
		return errno == ENOENT || errno == EISDIR ? 0 : -errno;
	return 1;
}

static bool is_lock(const char *name)
{
	size_t len = strlen(name), n = strlen(LOCK_SUFFIX);

	return len >= n && !strcmp(name + len - n, LOCK_SUFFIX);
}

static int meet(struct round *r, const char *name)
{
	struct stat st;

	if (is_dot(name) || fstatat(r->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISREG(st.st_mode) && is_lock(name)) {
		(void)remove_idle(r, name); /* else the next time */
		return 0;
	}
	if (S_ISREG(st.st_mode))
		return add(r, name, &st);
	if (st.st_uid == 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		remove_dir(r, name);
	else
		(void)unlinkat(r->dir, name, 0); /* else the next time */
	return 0;
}

static int list(struct round *r, const char *dir, struct err *e)
{
	int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *all = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	forget(r, 0);
	r->bytes = 0;
	r->cut = r->moved = false;
	if (!all) {
		ret = err_set(e, -errno, "open '%s': %s", dir, strerror(errno));
		fd_close(&fd);
		return ret;
	}
	while (!ret && (d = readdir(all)))
		ret = meet(r, d->d_name);
	(void)closedir(all); /* was only read */
	return ret < 0 ? err_set(e, ret, "look through '%s': %s", dir, strerror(-ret)) : 0;
}

/* bytes that the file system lacks of its reserve */
static uint64_t reserve_missing(const char *dir, const struct sweep_limits *limits)
{
	struct statvfs v;
	uint64_t has, wants;

	if (statvfs(dir, &v) < 0)
		return 0;
	has = (uint64_t)v.f_bavail * v.f_frsize;
	wants = (uint64_t)v.f_blocks * v.f_frsize / 100 * limits->reserve_percent;
	wants = wants < limits->reserve_bytes ? wants : limits->reserve_bytes;
	return wants > has ? wants - has : 0;
}

/* *need: bytes to be won; what is left of it in the end */
static int remove_oldest(struct round *r, uint64_t *need, bool *ret_any, struct err *e)
{
	if (r->n && *need)
		qsort(r->rows, r->n, sizeof(*r->rows), older_first);
	for (size_t i = 0; i < r->n && *need; i++) {
		const struct file *f = &r->rows[i];
		int ret = remove_idle(r, f->name);

		if (ret < 0)
			return err_set(e, ret, "remove '%s': %s", f->name, strerror(-ret));
		if (!ret)
			continue;
		*ret_any = true;
		*need -= f->bytes < *need ? f->bytes : *need;
	}
	return 0;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* *ret_again: another round would get further */
static int sweep_round(struct round *r, const char *dir, const struct sweep_limits *limits,
		       struct sweep_left *ret, bool *ret_again, struct err *e)
{
	uint64_t large, missing, all, need;
	bool any = false;
	int err = list(r, dir, e);

	if (err < 0)
		return err;
	large = less(r->bytes, limits->max_bytes);
	missing = reserve_missing(dir, limits);
	all = need = large > missing ? large : missing;
	err = remove_oldest(r, &need, &any, e);
	ret->too_large = less(large, all - need) > 0;
	ret->no_reserve = less(missing, all - need) > 0;
	*ret_again = r->moved || (r->cut && any && need);
	return err;
}

int sweep_cache(const char *dir, const struct sweep_limits *limits, struct sweep_left *ret,
		struct err *e)
{
	AUTO_CLOSE int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct round r = { .dir = fd, .max = limits->files_at_once + 1 /* a half is one */ };
	bool again = true;
	int err = 0;

	*ret = (struct sweep_left){ .too_large = false };
	if (fd < 0 && errno == ENOENT)
		return 0; /* no task has run yet */
	if (fd < 0)
		return err_set(e, -errno, "open '%s': %s", dir, strerror(errno));
	for (int i = 0; !err && again && i < ROUNDS_MAX; i++)
		err = sweep_round(&r, dir, limits, ret, &again, e);
	forget(&r, 0);
	free(r.rows);
	return err;
}
