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

void cache_drop(const char *dir, const struct cache_key *k)
{
	char path[PATH_MAX];

	if (!path_of(dir, k, "", path))
		(void)unlink(path); /* if it stays, it is found damaged again */
}

int cache_begin(const char *dir, const struct cache_key *k, struct cache_part **ret, struct err *e)
{
	char lock[PATH_MAX], part[PATH_MAX], path[PATH_MAX];
	struct cache_part *p;
	int r = path_of(dir, k, ".lock", lock), there;

	if (r < 0 || path_of(dir, k, ".part", part) < 0)
		return err_set(e, -ENAMETOOLONG, "the path of the cache '%s' is too long", dir);
	AUTO_CLOSE int lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (lock_fd < 0)
		return err_set(e, -errno, "cache: open '%s': %s", lock, strerror(errno));
	if (flock(lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EAGAIN :
			err_set(e, -errno, "cache: lock '%s': %s", lock, strerror(errno));
	if (!cache_find(dir, k, path, &there)) {
		(void)close(there);
		return -EEXIST;
	}
	AUTO_CLOSE int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return err_set(e, -errno, "cache: open '%s': %s", part, strerror(errno));
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

static void part_free(struct cache_part *p, bool keep_part)
{
	char name[PATH_MAX];
	int n;

	if (!keep_part) {
		n = snprintf(name, sizeof(name), "%s.part", p->path);
		if (n > 0 && (size_t)n < sizeof(name))
			(void)unlink(name); /* the next one truncates it */
	}
	n = snprintf(name, sizeof(name), "%s.lock", p->path);
	if (n > 0 && (size_t)n < sizeof(name))
		(void)unlink(name); /* who still waits for it finds the file, or fetches it once more */
	digest_free(p->digest);
	fd_close(&p->fd);
	fd_close(&p->lock);
	free(p);
}

int cache_commit(struct cache_part *p, char ret_path[PATH_MAX], struct err *e)
{
	uint8_t got[DIGEST_LEN];
	char part[PATH_MAX];
	int n = snprintf(part, sizeof(part), "%s.part", p->path), r = 0;

	digest_end(p->digest, got);
	p->digest = NULL;
	if (n < 0 || (size_t)n >= sizeof(part))
		r = err_set(e, -ENAMETOOLONG, "the path of the cache is too long");
	else if (memcmp(got, p->key.sha256, DIGEST_LEN) != 0)
		r = err_set(e, -EBADMSG, "a file of the database changed on its way here, or at its source");
	else if (fchmod(p->fd, 0444) < 0 || rename(part, p->path) < 0)
		r = err_set(e, -errno, "cache: rename '%s': %s", part, strerror(errno));
	if (!r)
		memcpy(ret_path, p->path, PATH_MAX);
	part_free(p, !r);
	return r;
}

void cache_abort(struct cache_part *p)
{
	if (p)
		part_free(p, false);
}
