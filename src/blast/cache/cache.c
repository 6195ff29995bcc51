/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache.c - files kept by the SHA-256 of their content, shared by the workers of a node */
#include "blast/cache/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/parse.h"
#include "os/fd.h"

#define RESERVE_MAX   (1ULL << 30) /* a fetch leaves so much of the disk, ... */
#define RESERVE_SHARE 64	   /* ... or that part of a small one */

struct cache_part {
	struct cache_key key;
	enum cache_how how;
	struct digest *digest;
	int lock, fd; /* lock: -1: none is held */
	uint64_t have;
	char dir[PATH_MAX], lock_path[PATH_MAX];
};

/* ---- names ---- */

static int path_of(const char *dir, const struct cache_key *k, const char *suffix,
		   char to[PATH_MAX])
{
	char hex[2 * DIGEST_LEN + 1];
	int n;

	hex_format(k->sha256, DIGEST_LEN, hex);
	n = snprintf(to, PATH_MAX, "%s/%s%s", dir, hex, suffix);
	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int own_path(const char *dir, const struct cache_key *k, char to[PATH_MAX])
{
	char suffix[24];

	(void)snprintf(suffix, sizeof(suffix), ".%u", (unsigned int)geteuid());
	return path_of(dir, k, suffix, to);
}

/* ---- what is there ---- */

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* -EBUSY: of another user; -ENOENT: nothing, or of ours and not fit for use */
static int open_usable(const char *path, uint64_t size, int *ret_fd)
{
	/* non-blocking: it may be a FIFO */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st, named;

	if (fd < 0 && errno != EACCES && errno != ELOOP && errno != ENXIO)
		return -errno;
	/* EACCES: root has it and is reading it (keep.h) */
	if (fd < 0)
		return lstat(path, &st) < 0		      ? -errno
		       : is_ours(&st) && !S_ISREG(st.st_mode) ? -ENOENT
							      : -EBUSY;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!is_ours(&st))
		return -EBUSY;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return -ENOENT;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno; /* it is about to be removed */
	if (lstat(path, &named) < 0 || named.st_ino != st.st_ino || named.st_dev != st.st_dev)
		return -ENOENT; /* removed between the open and the lock */
	*ret_fd = fd_take(&fd);
	return 0;
}

int cache_find(const char *dir, const struct cache_key *k, enum cache_how how,
	       char ret_path[PATH_MAX], int *ret_fd)
{
	int first = own_path(dir, k, ret_path), r;

	if (!first)
		first = open_usable(ret_path, k->size, ret_fd);
	if (how == CACHE_OWN || !first)
		return first;
	r = path_of(dir, k, "", ret_path);
	return r < 0 ? r : open_usable(ret_path, k->size, ret_fd);
}

int cache_drop(const char *path, struct err *e)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(e, -errno,
			       "the file '%s' of the cache is damaged and cannot be "
			       "removed: %s; remove it on that node",
			       path, strerror(errno));
	return 0;
}

static uint64_t stamp_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000U + (uint64_t)t->tv_nsec;
}

uint64_t cache_progress(const char *dir, const struct cache_key *k)
{
	char path[PATH_MAX];
	struct stat st;
	uint64_t sum = 0;

	if (!path_of(dir, k, ".lock", path) && !lstat(path, &st))
		sum += stamp_of(&st.st_mtim);
	if (!path_of(dir, k, "", path) && !lstat(path, &st))
		sum += stamp_of(&st.st_ctim);
	return sum;
}

/* ---- fetching ---- */

/*
 * For all users of the group, whatever the umask is. Not with O_CREAT on a file that is there: that
 * is refused for another user's in a sticky directory (fs.protected_regular, proc_sys_fs(5)).
 */
static int open_lock(const char *path)
{
	int fd = -1;

	for (int tries = 0; fd < 0 && tries < 8; tries++) {
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT)
			break;
		fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0660);
		if (fd >= 0)
			(void)fchmod(fd,
				     0660); /* others could not show progress, else all is well */
		else if (errno != EEXIST)
			break;
	}
	return fd;
}

/* a lock that cannot be had for its own sake is done without: it only saves a second fetch */
static int take_lock(struct cache_part *p, struct err *e)
{
	p->lock = open_lock(p->lock_path);
	if (p->lock < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOSPC))
		return err_set(e, -errno, "cache: open '%s': %s", p->lock_path, strerror(errno));
	if (p->lock >= 0 && flock(p->lock, LOCK_EX | LOCK_NB) < 0) {
		int r = errno == EWOULDBLOCK ? -EAGAIN : 0;

		fd_close(&p->lock);
		return r;
	}
	return 0;
}

static int check_room(const char *dir, uint64_t size, struct err *e)
{
	struct statvfs v;
	uint64_t have, keep;

	if (statvfs(dir, &v) < 0)
		return err_set(e, -errno, "the cache '%s': %s", dir, strerror(errno));
	have = (uint64_t)v.f_bavail * v.f_frsize;
	keep = (uint64_t)v.f_blocks * v.f_frsize / RESERVE_SHARE;
	keep = keep < RESERVE_MAX ? keep : RESERVE_MAX;
	if (have >= keep && have - keep >= size)
		return 0;
	return err_set(e, -ENOSPC,
		       "%llu MB of the database do not fit on the disk of the cache '%s', which "
		       "has %llu MB left; make room there",
		       (unsigned long long)(size >> 20), dir, (unsigned long long)(have >> 20));
}

static void part_free(struct cache_part *p)
{
	if (p->lock >= 0) /* who still waits for it finds the file, or fetches it once more */
		(void)unlink(p->lock_path);
	digest_free(p->digest);
	fd_close(&p->fd);
	fd_close(&p->lock);
	free(p);
}

static int part_new(const char *dir, const struct cache_key *k, enum cache_how how,
		    struct cache_part **ret, struct err *e)
{
	struct cache_part *p = calloc(1, sizeof(*p));

	if (!p || digest_new(&p->digest) < 0) {
		free(p);
		return err_set(e, -ENOMEM, "out of memory");
	}
	p->key = *k;
	p->how = how;
	p->lock = p->fd = -1;
	(void)snprintf(p->dir, sizeof(p->dir), "%s", dir);
	if (path_of(dir, k, ".lock", p->lock_path) < 0) {
		part_free(p);
		return err_set(e, -ENAMETOOLONG, "the path of the cache '%s' is too long", dir);
	}
	*ret = p;
	return 0;
}

int cache_begin(const char *dir, const struct cache_key *k, enum cache_how how,
		struct cache_part **ret, struct err *e)
{
	char path[PATH_MAX];
	struct cache_part *p = NULL;
	int there, r = part_new(dir, k, how, &p, e);

	if (!p)
		return r;
	if (how == CACHE_SHARED)
		r = take_lock(p, e);
	if (!r && !cache_find(dir, k, how, path, &there)) {
		(void)close(there); /* was only looked for */
		r = -EEXIST;
	}
	if (!r)
		r = check_room(dir, k->size, e);
	if (!r) {
		p->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0444);
		if (p->fd < 0)
			r = err_set(e, -errno, "cache: create a file in '%s': %s", dir,
				    strerror(errno));
	}
	if (r < 0) {
		part_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

int cache_add(struct cache_part *p, uint64_t offset, const void *data, size_t len, struct err *e)
{
	int r;

	if (offset != p->have || len > p->key.size - p->have)
		return err_set(e, -EPROTO, "the master sent a part of a file that was not due");
	r = fd_write_all(p->fd, data, len);
	if (r < 0)
		return err_set(e, r, "write %llu bytes to the cache: %s; make room there",
			       (unsigned long long)p->key.size, strerror(-r));
	p->have += len;
	if (p->lock >= 0)
		(void)futimens(p->lock, NULL); /* who waits may give up too early, no more */
	return digest_add(p->digest, data, len);
}

bool cache_is_whole(const struct cache_part *p)
{
	return p->have == p->key.size;
}

/* from here on nobody can write to it: the daemon finds no writer (keep.h) */
static int seal(struct cache_part *p)
{
	char self[64];
	int fd;

	if (fsync(p->fd) < 0 || fchmod(p->fd, 0444) < 0)
		return -errno;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", p->fd);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fd_close(&p->fd);
	p->fd = fd;
	/* before it has a name nobody else can hold it */
	return flock(fd, LOCK_SH | LOCK_NB) < 0 ? -errno : 0;
}

/* -EEXIST: something is there */
static int give_name(const struct cache_part *p, const char *path)
{
	char self[64];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", p->fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/*
 * Under the name for all; where that is taken, by what cannot be used and cannot be removed, under
 * our own. -EEXIST: somebody has put there what can be used.
 */
static int publish(const struct cache_part *p, char ret_path[PATH_MAX])
{
	enum cache_how how = p->how;
	int there, r = path_of(p->dir, &p->key, "", ret_path);

	if (!r && how != CACHE_OWN) {
		char found[PATH_MAX];

		r = give_name(p, ret_path);
		if (r != -EEXIST)
			return r;
		if (!cache_find(p->dir, &p->key, how, found, &there)) {
			(void)close(there);
			return -EEXIST;
		}
		if (!unlink(ret_path))
			return give_name(p, ret_path);
	}
	r = own_path(p->dir, &p->key, ret_path);
	if (!r && unlink(ret_path) < 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? r : give_name(p, ret_path);
}

int cache_commit(struct cache_part *p, char ret_path[PATH_MAX], int *ret_fd, struct err *e)
{
	uint8_t got[DIGEST_LEN];
	int r;

	digest_end(p->digest, got);
	p->digest = NULL;
	if (memcmp(got, p->key.sha256, DIGEST_LEN) != 0) {
		r = err_set(e, -EBADMSG,
			    "a file of the database changed on its way here, or at its source");
	} else {
		r = seal(p);
		if (!r)
			r = publish(p, ret_path);
		if (r < 0 && r != -EEXIST)
			(void)err_set(e, r, "cache: create a file in '%s': %s", p->dir,
				      strerror(-r));
	}
	if (!r)
		*ret_fd = fd_take(&p->fd);
	part_free(p);
	return r;
}

void cache_abort(struct cache_part *p)
{
	if (p)
		part_free(p);
}
