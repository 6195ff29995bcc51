/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache.c - files kept by the SHA-256 of their content, shared by the workers of a node */
#include "blast/run/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/parse.h"
#include "os/fd.h"

struct cache_part {
	struct cache_key key;
	struct digest *digest;
	int lock, fd;
	uint64_t have;
	char path[PATH_MAX];
};

static int path_of(const char *dir, const struct cache_key *k, const char *suffix,
		   char to[PATH_MAX])
{
	char hex[2 * DIGEST_LEN + 1];
	int n;

	hex_format(k->sha256, DIGEST_LEN, hex);
	n = snprintf(to, PATH_MAX, "%s/%s%s", dir, hex, suffix);
	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int cache_find(const char *dir, const struct cache_key *k, char ret_path[PATH_MAX], int *ret_fd)
{
	struct stat st;
	int r = path_of(dir, k, "", ret_path);

	if (r < 0)
		return r;
	AUTO_CLOSE int fd = open(ret_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != k->size)
		return -ENOENT;
	*ret_fd = fd_take(&fd);
	return 0;
}

int cache_drop(const char *dir, const struct cache_key *k, struct err *e)
{
	char path[PATH_MAX];
	int r = path_of(dir, k, "", path);

	if (r < 0 || (unlink(path) < 0 && errno != ENOENT))
		return err_set(e, r < 0 ? r : -errno,
			       "the file '%s' of the cache is damaged and cannot be "
			       "removed: %s; remove it on that node",
			       path, strerror(r < 0 ? -r : errno));
	return 0;
}

/* for all users of the group, whatever the umask is */
static int open_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);

	if (fd >= 0)
		(void)fchmod(fd, 0660); /* fails for another user's, who has done it */
	return fd;
}

int cache_begin(const char *dir, const struct cache_key *k, struct cache_part **ret, struct err *e)
{
	char lock[PATH_MAX], path[PATH_MAX];
	struct cache_part *p;
	int there;

	if (path_of(dir, k, ".lock", lock) < 0)
		return err_set(e, -ENAMETOOLONG, "the path of the cache '%s' is too long", dir);
	AUTO_CLOSE int lock_fd = open_lock(lock);

	if (lock_fd < 0)
		return err_set(e, -errno, "cache: open '%s': %s", lock, strerror(errno));
	if (flock(lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? -EAGAIN
			       : err_set(e, -errno, "cache: lock '%s': %s", lock, strerror(errno));
	if (!cache_find(dir, k, path, &there)) {
		(void)close(there);
		return -EEXIST;
	}
	AUTO_CLOSE int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0444);

	if (fd < 0)
		return err_set(e, -errno, "cache: create a file in '%s': %s", dir, strerror(errno));
	p = calloc(1, sizeof(*p));
	if (!p || digest_new(&p->digest) < 0) {
		free(p);
		return err_set(e, -ENOMEM, "out of memory");
	}
	p->key = *k;
	(void)snprintf(p->path, sizeof(p->path), "%s", path); /* path_of() fitted it */
	p->lock = fd_take(&lock_fd);
	p->fd = fd_take(&fd);
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
	return digest_add(p->digest, data, len);
}

bool cache_is_whole(const struct cache_part *p)
{
	return p->have == p->key.size;
}

static void part_free(struct cache_part *p)
{
	char lock[PATH_MAX];
	int n = snprintf(lock, sizeof(lock), "%s.lock", p->path);

	if (n > 0 && (size_t)n < sizeof(lock))
		(void)unlink(
			lock); /* who still waits for it finds the file, or fetches it once more */
	digest_free(p->digest);
	fd_close(&p->fd);
	fd_close(&p->lock);
	free(p);
}

int cache_commit(struct cache_part *p, char ret_path[PATH_MAX], struct err *e)
{
	uint8_t got[DIGEST_LEN];
	char self[64];
	int r = 0;

	digest_end(p->digest, got);
	p->digest = NULL;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", p->fd);
	if (memcmp(got, p->key.sha256, DIGEST_LEN) != 0)
		r = err_set(e, -EBADMSG,
			    "a file of the database changed on its way here, or at its source");
	else if (fchmod(p->fd, 0444) < 0 ||
		 (linkat(AT_FDCWD, self, AT_FDCWD, p->path, AT_SYMLINK_FOLLOW) < 0 &&
		  errno != EEXIST))
		r = err_set(e, -errno, "cache: create '%s': %s", p->path, strerror(errno));
	if (!r)
		memcpy(ret_path, p->path, PATH_MAX);
	part_free(p);
	return r;
}

void cache_abort(struct cache_part *p)
{
	if (p)
		part_free(p);
}
