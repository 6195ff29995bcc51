/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rand.c - random bytes from the kernel, fit for keys */
#include "os/rand.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

void rand_bytes(void *p, size_t n)
{
	char *c = p;

	while (n) {
		ssize_t r = getrandom(c, n, 0);

		assert(r > 0 || errno == EINTR);
		if (r > 0) {
			c += r;
			n -= (size_t)r;
		}
	}
}

uint64_t rand_u64(void)
{
	uint64_t v;

	rand_bytes(&v, sizeof(v));
	return v;
}
