/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keep.c - give the files that workers have fetched to root, so that all workers may use them */
#include "blast/cache/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/parse.h"
#include "blast/cache/digest.h"
#include "os/fd.h"

#define HEX_LEN (2 * (size_t)DIGEST_LEN)

struct pass {
	int dir;
	const struct keep_owners *from;
	uint64_t max_bytes;
	struct keep_count *count;
};

struct item {
	const char *name;
	char shared[HEX_LEN + 1]; /* HEX */
	int fd;
};

static bool parse_name(const char *name, struct item *ret)
{
	const char *rest = name + HEX_LEN;
	uint32_t uid;

	if (strnlen(name, HEX_LEN) < HEX_LEN)
		return false;
	memcpy(ret->shared, name, HEX_LEN);
	ret->shared[HEX_LEN] = '\0';
	if (strspn(ret->shared, "0123456789abcdef") < HEX_LEN)
		return false;
	ret->name = name;
	return !*rest || (*rest == '.' && parse_u32(rest + 1, &uid) == 0);
}

bool keep_names(const char *name)
{
	struct item it;

	return parse_name(name, &it);
}

/* it may be gone, or be a directory: then the sweep sees to it (node/sweep.h) */
static void drop(const struct pass *p, const char *name)
{
	if (unlinkat(p->dir, name, 0) == 0)
		p->count->removed++;
}

/* is the open file the one that the name stands for, and has it no other name? */
static bool is_only_name(const struct pass *p, const struct item *it, const struct stat *st)
{
	struct stat named;

	return st->st_nlink == 1 && fstatat(p->dir, it->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_ino == st->st_ino && named.st_dev == st->st_dev;
}

/* 1 nobody writes, 0 somebody may, -errno nobody can tell */
static int has_no_writer(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN ? 0 : errno == EINVAL ? -EOPNOTSUPP : -errno;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK); /* no new one can come: it is root's */
	return 1;
}

/* 1 as its name says, 0 not */
static int is_right(const struct item *it, int fd)
{
	uint8_t got[DIGEST_LEN];
	char hex[HEX_LEN + 1];
	int r = digest_file(fd, got);

	if (r < 0)
		return r;
	hex_format(got, DIGEST_LEN, hex);
	return !strcmp(hex, it->shared);
}

/* 1 keep it, 0 remove it */
static int judge(const struct pass *p, const struct item *it)
{
	struct stat st;
	int r;

	if (fchown(it->fd, 0, 0) < 0 || fchmod(it->fd, 0400) < 0 || fstat(it->fd, &st) < 0)
		return -errno;
	if (!is_only_name(p, it, &st) || (uint64_t)st.st_size > p->max_bytes)
		return 0;
	r = has_no_writer(it->fd);
	return r == 1 ? is_right(it, it->fd) : r;
}

static bool is_given(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_uid == 0 && (st->st_mode & 07777) == 0444;
}

/* HEX.UID is root's now: HEX is its name, when nobody uses it by the old one */
static void rename_to_shared(const struct pass *p, const struct item *it)
{
	AUTO_CLOSE int there = -1;
	struct stat st;

	if (!strcmp(it->name, it->shared) || flock(it->fd, LOCK_EX | LOCK_NB) < 0)
		return;
	there = openat(p->dir, it->shared, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	/* a worker that could not use the shared one has fetched it again: is that one damaged? */
	if (there >= 0 && fstat(there, &st) == 0 && is_given(&st) && is_right(it, there) == 1)
		drop(p, it->name);
	else
		(void)renameat(p->dir, it->name, p->dir, it->shared); /* a directory: see drop() */
}

static int give(const struct pass *p, struct item *it)
{
	int r = judge(p, it);

	if (r == 0)
		drop(p, it->name);
	if (r == -EOPNOTSUPP || r == -EPERM)
		return r;
	if (r != 1) /* a disk that fails: the worker will see it as well */
		return 0;
	if (fchmod(it->fd, 0444) < 0)
		return -errno;
	p->count->given++;
	rename_to_shared(p, it);
	return 0;
}

static int look_at(const struct pass *p, const char *name)
{
	struct item it = { .fd = -1 };
	struct stat st;
	int r = 0;

	if (!parse_name(name, &it))
		return 0;
	AUTO_CLOSE int fd = openat(p->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	it.fd = fd;
	if (is_given(&st))
		rename_to_shared(p, &it);
	else if (st.st_uid == 0 || st.st_uid - p->from->first < p->from->n)
		r = give(p, &it);
	return r;
}

int keep_files(const char *dir, const struct keep_owners *from, uint64_t max_bytes,
	       struct keep_count *ret, struct err *e)
{
	struct pass p = { .from = from, .max_bytes = max_bytes, .count = ret };
	struct dirent *d;
	int r = 0;
	DIR *all;

	*ret = (struct keep_count){ 0 };
	p.dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p.dir < 0)
		return errno == ENOENT ? 0
				       : err_set(e, -errno, "open '%s': %s", dir, strerror(errno));
	all = fdopendir(p.dir);
	if (!all) {
		r = -errno;
		(void)close(p.dir);
		return err_set(e, r, "open '%s': %s", dir, strerror(-r));
	}
	while (!r && (d = readdir(all)))
		r = look_at(&p, d->d_name);
	(void)closedir(all); /* was only read */
	return r < 0 ? err_set(e, r, "keep the files of '%s': %s", dir, strerror(-r)) : 0;
}
