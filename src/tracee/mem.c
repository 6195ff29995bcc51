/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem.c - memory of another process */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tracee/tracee.h"

#define PAGE	     4096
#define MEM_PATH_MAX 32

typedef ssize_t transfer_fn(pid_t pid, const struct iovec *local, unsigned long n_local,
			    const struct iovec *remote, unsigned long n_remote,
			    unsigned long flags);

/* the kernel passes at most MAX_RW_COUNT (2 GiB less a page) at once, and stops early at a hole */
static int all_of_it(transfer_fn *transfer, pid_t pid, uint64_t at, void *p, size_t n)
{
	while (n) {
		struct iovec local = { p, n }, remote = { (void *)at, n };
		ssize_t k = transfer(pid, &local, 1, &remote, 1, 0);

		if (k < 0)
			return -errno;
		if (k == 0)
			return -EFAULT;
		at += (uint64_t)k;
		p = (char *)p + k;
		n -= (size_t)k;
	}
	return 0;
}

int tracee_read(pid_t pid, uint64_t at, void *p, size_t n)
{
	return all_of_it(process_vm_readv, pid, at, p, n);
}

int tracee_write(pid_t pid, uint64_t at, const void *p, size_t n)
{
	return all_of_it(process_vm_writev, pid, at, (void *)p, n);
}

ssize_t tracee_read_some(pid_t pid, uint64_t at, void *p, size_t n)
{
	struct iovec local = { p, n }, remote = { (void *)at, n };
	ssize_t k;

	if (!n)
		return -EINVAL;
	k = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	if (k < 0)
		return -errno;
	return k ? k : -EFAULT;
}

ssize_t tracee_read_string(pid_t pid, uint64_t at, char *p, size_t n)
{
	size_t have = 0;

	/* page by page: the next one may not be there, and need not be */
	while (have < n) {
		size_t want = PAGE - (at + have) % PAGE;
		ssize_t k;
		const char *end;

		if (want > n - have)
			want = n - have;
		k = tracee_read_some(pid, at + have, p + have, want);
		if (k < 0)
			return k;
		end = memchr(p + have, 0, (size_t)k);
		if (end)
			return end - p;
		have += (size_t)k;
	}
	return -ENAMETOOLONG;
}

int tracee_mem_open(pid_t pid)
{
	char path[MEM_PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
