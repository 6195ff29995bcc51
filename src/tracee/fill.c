/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fill.c - pages of a process that are put in when it wants them */
#include "tracee/fill.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAGE   4096ULL
#define A_READ 32

static bool understand(const struct uffd_msg *m, struct fill_event *ret)
{
	switch (m->event) {
	case UFFD_EVENT_PAGEFAULT:
		*ret = (struct fill_event){ .kind = FILL_FAULT,
					    .at = m->arg.pagefault.address & ~(PAGE - 1) };
		return true;
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		*ret = (struct fill_event){ .kind = FILL_REMOVED,
					    .at = m->arg.remove.start,
					    .end = m->arg.remove.end };
		return true;
	case UFFD_EVENT_REMAP:
		*ret = (struct fill_event){ .kind = FILL_MOVED,
					    .at = m->arg.remap.from,
					    .end = m->arg.remap.from + m->arg.remap.len,
					    .to = m->arg.remap.to };
		return true;
	default:
		return false; /* of features that we did not ask for */
	}
}

ssize_t fill_read(int uffd, struct fill_event *events, size_t max)
{
	struct uffd_msg m[A_READ];
	size_t n = 0;
	ssize_t got = read(uffd, m, (max < A_READ ? max : A_READ) * sizeof(*m));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (size_t i = 0; i < (size_t)got / sizeof(*m); i++)
		n += understand(&m[i], &events[n]);
	return (ssize_t)n;
}

/*
 * One ioctl fills up to the first page that is there, and says how far it came: that page is done
 * as well then. Return: 0 all of it, 1 go on, -errno
 */
static int judge(int r, int64_t told, uint64_t all, uint64_t *done)
{
	if (r == 0) {
		*done += all;
		return 0;
	}
	if (told > 0) {
		*done += (uint64_t)told / PAGE;
		return 1;
	}
	if (told == -EEXIST || errno == EEXIST) {
		(*done)++;
		return 1;
	}
	return told < 0 ? (int)told : -errno;
}

int fill_copy(int uffd, uint64_t at, const void *bytes, uint64_t n, bool protect,
	      uint64_t *ret_done)
{
	int r = 1;

	*ret_done = 0;
	while (r > 0 && *ret_done < n) {
		struct uffdio_copy c = {
			.dst = at + *ret_done * PAGE,
			.src = (uint64_t)(uintptr_t)bytes + *ret_done * PAGE,
			.len = (n - *ret_done) * PAGE,
			.mode = protect ? UFFDIO_COPY_MODE_WP : 0,
		};

		r = judge(ioctl(uffd, UFFDIO_COPY, &c), c.copy, n - *ret_done, ret_done);
	}
	return r < 0 ? r : 0;
}

int fill_zero(int uffd, uint64_t at, uint64_t n, uint64_t *ret_done)
{
	int r = 1;

	*ret_done = 0;
	while (r > 0 && *ret_done < n) {
		struct uffdio_zeropage z = {
			.range = { .start = at + *ret_done * PAGE, .len = (n - *ret_done) * PAGE },
		};

		r = judge(ioctl(uffd, UFFDIO_ZEROPAGE, &z), z.zeropage, n - *ret_done, ret_done);
	}
	return r < 0 ? r : 0;
}

void fill_wake(int uffd, uint64_t at, uint64_t n)
{
	struct uffdio_range range = { .start = at, .len = n * PAGE };

	(void)ioctl(uffd, UFFDIO_WAKE, &range); /* nobody waits in a place that is no more */
}
