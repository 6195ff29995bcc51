/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/guest_start.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int guest_start_read(int fd, struct guest_start *ret, struct err *e)
{
	uint8_t *at = (uint8_t *)ret;
	size_t have = 0;

	while (have < sizeof(*ret)) {
		ssize_t n = read(fd, at + have, sizeof(*ret) - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, n < 0 ? -errno : -EPROTO,
				       "descriptor %d does not say what to host", fd);
		have += (size_t)n;
	}
	(void)close(fd);
	return 0;
}
