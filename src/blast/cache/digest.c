/* SPDX-License-Identifier: GPL-2.0-or-later */
/* digest.c - SHA-256 of files, whole or step by step */
#include "blast/cache/digest.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <unistd.h>

#define STEP 262144

struct digest {
	gnutls_hash_hd_t h;
	uint8_t bytes[STEP];
};

int digest_new(struct digest **ret)
{
	struct digest *d = malloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	if (gnutls_hash_init(&d->h, GNUTLS_DIG_SHA256) < 0) {
		free(d);
		return -ENOSYS;
	}
	*ret = d;
	return 0;
}

int digest_add(struct digest *d, const void *p, size_t n)
{
	return gnutls_hash(d->h, p, n) < 0 ? -EIO : 0;
}

void digest_end(struct digest *d, uint8_t ret[DIGEST_LEN])
{
	gnutls_hash_deinit(d->h, ret);
	free(d);
}

void digest_free(struct digest *d)
{
	if (!d)
		return;
	gnutls_hash_deinit(d->h, NULL);
	free(d);
}

int digest_step(struct digest *d, int fd, size_t most)
{
	for (size_t done = 0; done < most;) {
		ssize_t n = read(fd, d->bytes, sizeof(d->bytes));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : 0;
		r = digest_add(d, d->bytes, (size_t)n);
		if (r < 0)
			return r;
		done += (size_t)n;
	}
	return 1;
}

int digest_file(int fd, uint8_t ret[DIGEST_LEN])
{
	struct digest *d;
	int r = digest_new(&d);

	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	else
		do
			r = digest_step(d, fd, SIZE_MAX);
		while (r == 1);
	if (r < 0)
		digest_free(d);
	else
		digest_end(d, ret);
	return r;
}
