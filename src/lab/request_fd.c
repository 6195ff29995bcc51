/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request_fd.c - a request of 'lab exec' in a sealed memfd, ready to be sent */
#include "lab/request_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lab/request.h"
#include "os/fd.h"

int request_fd(const char *cwd, char *const *argv, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = memfd_create("comosix-lab-exec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	mode_t mask = umask(0);
	struct buf b;
	int r;

	(void)umask(mask); /* it can only be read by setting it */
	if (fd < 0)
		return err_set(e, -errno, "memfd_create: %s", strerror(errno));
	buf_init(&b, REQUEST_BYTES_MAX);
	r = request_put(&b, mask, cwd, argv, environ);
	if (!r)
		r = fd_write_all(fd, buf_bytes(&b), b.len);
	buf_done(&b);
	if (!r && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		r = -errno;
	if (r == -ENOBUFS)
		return err_set(e, -E2BIG, "arguments and environment are longer than %u bytes",
			       REQUEST_BYTES_MAX);
	if (r < 0)
		return err_set(e, r, "write the request: %s", strerror(-r));
	*ret_fd = fd_take(&fd);
	return 0;
}
