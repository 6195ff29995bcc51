/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/digests.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/le.h"
#include "os/fd.h"

#define RECORD	  72		   /* five numbers, the digest */
#define CACHE_MAX (RECORD * 16384) /* then it is begun anew */
#define STEP	  (256U << 10)
#define SETTLED_S 2 /* times of a file may be as coarse as that */

static const char *const roots[] = { "/usr/", "/lib/",	"/lib32/", "/lib64/",
				     "/bin/", "/sbin/", "/opt/" };

bool shared_root_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		if (!strncmp(name, roots[i], strlen(roots[i])))
			return true;
	return false;
}

bool shared_root_file(int fd)
{
	struct statvfs v;
	struct stat st;

	return fstat(fd, &st) == 0 && fstatvfs(fd, &v) == 0 && S_ISREG(st.st_mode) && st.st_size &&
	       st.st_nlink && st.st_mode & S_IROTH && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
	       !(v.f_flag & ST_NOEXEC);
}

/* ------------------------------------------------------------------- records */

static int64_t nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static void put_key(uint8_t *to, const struct stat *st)
{
	le64_put(to, st->st_dev);
	le64_put(to + 8, st->st_ino);
	le64_put(to + 16, (uint64_t)st->st_size);
	le64_put(to + 24, (uint64_t)nanoseconds(&st->st_mtim));
	le64_put(to + 32, (uint64_t)nanoseconds(&st->st_ctim));
}

bool digests_same(const struct stat *a, const struct stat *b)
{
	uint8_t x[RECORD] = { 0 }, y[RECORD] = { 0 };

	put_key(x, a);
	put_key(y, b);
	return !memcmp(x, y, sizeof(x));
}

static int open_cache(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_size < CACHE_MAX && st.st_size % RECORD == 0))
		return fd;
	/* full, or cut off by somebody: those who have it open go on with what they have */
	(void)close(fd);
	if (unlink(path) < 0)
		return -1;
	return open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

void digests_open(struct digests *d, const char *path)
{
	ssize_t n = 0;

	*d = (struct digests){ .fd = open_cache(path), .budget = DIGESTS_BUDGET };
	if (d->fd < 0)
		return;
	d->bytes = malloc(CACHE_MAX);
	if (d->bytes)
		n = pread(d->fd, d->bytes, CACHE_MAX, 0);
	d->n = n > 0 ? (size_t)n / RECORD : 0;
}

void digests_done(struct digests *d)
{
	fd_close(&d->fd);
	free(d->bytes);
	d->bytes = NULL;
	d->n = 0;
}

static bool find(const struct digests *d, const struct stat *st, uint8_t *ret)
{
	uint8_t key[RECORD];

	put_key(key, st);
	for (size_t i = d->n; i--;) {
		const uint8_t *at = d->bytes + i * RECORD;

		if (!memcmp(at, key, RECORD - FILES_DIGEST)) {
			memcpy(ret, at + RECORD - FILES_DIGEST, FILES_DIGEST);
			return true;
		}
	}
	return false;
}

static void keep(const struct digests *d, const struct stat *st, const uint8_t *digest)
{
	uint8_t record[RECORD];
	struct timespec now = { 0 };

	if (d->fd < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0 ||
	    now.tv_sec - st->st_ctim.tv_sec < SETTLED_S)
		return;
	put_key(record, st);
	memcpy(record + RECORD - FILES_DIGEST, digest, FILES_DIGEST);
	(void)!write(d->fd, record, sizeof(record)); /* not kept: computed again next time */
}

/* ------------------------------------------------------------------- hashing */

static int hash_all(int fd, uint64_t size, uint8_t *ret)
{
	AUTO_FREE uint8_t *bytes = malloc(STEP);
	gnutls_hash_hd_t hash;
	uint64_t at = 0;
	int r = 0;

	if (!bytes)
		return -ENOMEM;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
		return -EIO;
	while (!r && at < size) {
		ssize_t n = pread(fd, bytes, STEP, (off_t)at);

		if (n <= 0)
			r = n < 0 ? -errno : -ESTALE;
		else if (gnutls_hash(hash, bytes, (size_t)n) < 0)
			r = -EIO;
		at += n > 0 ? (uint64_t)n : 0;
	}
	gnutls_hash_deinit(hash, ret);
	return r;
}

int digests_of(struct digests *d, int fd, struct image_file *ret, struct stat *ret_st)
{
	struct stat after;
	uint64_t size;
	int r;

	if (fstat(fd, ret_st) < 0)
		return -errno;
	ret->size = size = (uint64_t)ret_st->st_size;
	if (find(d, ret_st, ret->digest))
		return 0;
	if (size > d->budget)
		return -EFBIG;
	d->budget -= size;
	r = hash_all(fd, size, ret->digest);
	if (!r && fstat(fd, &after) < 0)
		r = -errno;
	if (!r && !digests_same(ret_st, &after))
		r = -ESTALE;
	if (!r)
		keep(d, ret_st, ret->digest);
	return r;
}
