/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_parts.c - the memory that a read or write of the program names, as one run of bytes
 *
 * Of calls that are dealt with here (guest_stream.c, guest_behind.c). What is too much for it, or not
 * there, is a call as any other: the marshaller and home's kernel say what comes of it.
 */
#include <assert.h>
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "migrate/guest.h"

static const struct {
	uint32_t nr;
	bool vector, placed;
} calls[] = {
	{ SYS_read, false, false }, { SYS_pread64, false, true }, { SYS_readv, true, false },
	{ SYS_preadv, true, true }, { SYS_write, false, false },  { SYS_writev, true, false },
};

bool guest_parts_load(struct guest_thread *t)
{
	struct guest_parts *r = &t->parts;
	size_t i = 0;

	static_assert(sizeof(r->parts[0]) == sizeof(struct iovec), "read from the program");
	while (i < ARRAY_LEN(calls) && calls[i].nr != t->nr)
		i++;
	if (i == ARRAY_LEN(calls) || t->args[0] > INT32_MAX ||
	    (calls[i].placed && t->args[3] > INT64_MAX - GUEST_READ_MAX))
		return false;
	r->n = calls[i].vector ? t->args[2] : 1;
	r->total = r->done = 0;
	r->parts[0].at = t->args[1];
	r->parts[0].len = t->args[2];
	if (!r->n || r->n > GUEST_PARTS ||
	    (calls[i].vector &&
	     guest_read(t, t->args[1], r->parts, r->n * sizeof(r->parts[0])) < 0))
		return false;
	for (i = 0; i < r->n; i++) {
		if (r->parts[i].len > GUEST_READ_MAX - r->total)
			return false;
		r->total += r->parts[i].len;
	}
	return r->total > 0;
}

/* of the next @n bytes: to them from @from, or from them to @to; none is NULL in turn */
static int move(struct guest_thread *t, const uint8_t *from, uint8_t *to, size_t n)
{
	struct guest_parts *r = &t->parts;
	uint64_t skip = r->done;
	size_t done = 0;

	for (size_t i = 0; done < n && i < r->n; i++) {
		uint64_t at = r->parts[i].at + skip, run = r->parts[i].len;
		int e;

		if (skip >= run) {
			skip -= run;
			continue;
		}
		run = run - skip < n - done ? run - skip : n - done;
		e = from ? guest_write(t, at, from + done, (size_t)run)
			 : guest_read(t, at, to + done, (size_t)run);
		if (e < 0)
			return -EFAULT;
		done += (size_t)run;
		skip = 0;
	}
	r->done += done;
	return 0;
}

int guest_parts_put(struct guest_thread *t, const uint8_t *p, size_t n)
{
	return move(t, p, NULL, n);
}

int guest_parts_get(struct guest_thread *t, uint8_t *p, size_t n)
{
	return move(t, NULL, p, n);
}
