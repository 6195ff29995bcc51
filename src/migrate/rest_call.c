/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/rest_call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "tracee/tracee.h"

#define MEMORY_MAJOR 1	/* /dev/zero, /dev/urandom and the like */
#define MMSG_BYTES   64 /* struct mmsghdr */
#define NO_FLAGS     -1

enum form {
	FORM_BYTES,   /* address in argument 1, length in 2 */
	FORM_VECTOR,  /* iovec in argument 1, their number in 2 */
	FORM_MESSAGE, /* msghdr in argument 1 */
	FORM_MANY,    /* mmsghdr in argument 1, their number in 2 */
	FORM_FILE,    /* number of bytes in argument 3 */
};

static const struct row {
	uint64_t nr;
	enum form form;
	bool write;
	int flags; /* argument with MSG_ flags */
} rows[] = {
	{ SYS_write, FORM_BYTES, true, NO_FLAGS },   { SYS_read, FORM_BYTES, false, NO_FLAGS },
	{ SYS_writev, FORM_VECTOR, true, NO_FLAGS }, { SYS_readv, FORM_VECTOR, false, NO_FLAGS },
	{ SYS_sendto, FORM_BYTES, true, 3 },	     { SYS_recvfrom, FORM_BYTES, false, 3 },
	{ SYS_sendmsg, FORM_MESSAGE, true, 2 },	     { SYS_recvmsg, FORM_MESSAGE, false, 2 },
	{ SYS_sendmmsg, FORM_MANY, true, 3 },	     { SYS_recvmmsg, FORM_MANY, false, 3 },
	{ SYS_sendfile, FORM_FILE, true, NO_FLAGS },
};

static const struct row *find(uint64_t nr)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].nr == nr)
			return &rows[i];
	return NULL;
}

/*
 * Of files: does a call that has moved a part go on to all of it? A write of a regular file is never
 * stopped, but its part may have been written behind. One that is short for want of space has its
 * rest fail, and stays short
 */
static bool file_goes_on(pid_t pid, uint64_t fd, const struct row *row)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, (int)fd);
	if (stat(path, &st) < 0)
		return false;
	if (row->form == FORM_FILE)
		return S_ISSOCK(st.st_mode);
	if (row->write)
		return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode) ||
		       S_ISREG(st.st_mode);
	return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ||
	       (S_ISCHR(st.st_mode) && major(st.st_rdev) == MEMORY_MAJOR);
}

static bool goes_on(pid_t pid, const struct row *row, const uint64_t args[6])
{
	uint64_t flags = row->flags == NO_FLAGS ? 0 : args[row->flags];

	if (row->flags == NO_FLAGS)
		return file_goes_on(pid, args[0], row);
	if (flags & (MSG_DONTWAIT | MSG_PEEK))
		return false;
	if (row->write)
		return true;
	if (row->form == FORM_MANY)
		return !(flags & MSG_WAITFORONE) && !args[4];
	return flags & MSG_WAITALL;
}

/* ------------------------------------------------------------------ memory */

static int load_parts(pid_t pid, uint64_t at, uint64_t n, struct rest_call *ret)
{
	if (n > REST_PARTS_MAX)
		return -EINVAL;
	ret->n_parts = n;
	return n ? tracee_read(pid, at, ret->parts, n * sizeof(*ret->parts)) : 0;
}

/* Return: 0, -errno */
static int load(pid_t pid, const struct row *row, const uint64_t args[6], struct rest_call *ret)
{
	int r = 0;

	ret->n_parts = 0;
	ret->by_message = row->form == FORM_MESSAGE;
	if (row->form == FORM_VECTOR)
		return load_parts(pid, args[1], args[2], ret);
	if (row->form == FORM_MESSAGE) {
		r = tracee_read(pid, args[1], &ret->message, sizeof(ret->message));
		if (!r)
			r = load_parts(pid, (uint64_t)ret->message.msg_iov, ret->message.msg_iovlen,
				       ret);
	}
	return r;
}

static uint64_t total(const struct row *row, const uint64_t args[6], const struct rest_call *c)
{
	uint64_t n = 0;

	switch (row->form) {
	case FORM_BYTES:
		return args[2];
	case FORM_MANY:
		return (uint32_t)args[2];
	case FORM_FILE:
		return args[3];
	case FORM_VECTOR:
	case FORM_MESSAGE:
		for (size_t i = 0; i < c->n_parts; i++)
			n += c->parts[i].iov_len;
		break;
	}
	return n;
}

bool rest_is_part(pid_t pid, uint64_t nr, const uint64_t args[6], int64_t result)
{
	const struct row *row = find(nr);
	struct rest_call c;

	if (!row || result <= 0 || load(pid, row, args, &c) < 0)
		return false;
	/* the kernel leaves the -512 of the stop in the socket for the next call: it is like that */
	if (nr == SYS_recvmmsg)
		return false;
	return (uint64_t)result < total(row, args, &c) && goes_on(pid, row, args);
}

/* the parts without what is done; those that are done are left out, so that they begin at 0 */
static void skip(struct rest_call *c, uint64_t done)
{
	size_t first = 0;

	while (first < c->n_parts && done >= c->parts[first].iov_len)
		done -= c->parts[first++].iov_len;
	c->n_parts -= first;
	memmove(c->parts, c->parts + first, c->n_parts * sizeof(*c->parts));
	if (c->n_parts) {
		c->parts[0].iov_base = (uint8_t *)c->parts[0].iov_base + done;
		c->parts[0].iov_len -= done;
	}
}

int rest_call(pid_t pid, uint64_t nr, const uint64_t args[6], uint64_t done, struct rest_call *ret)
{
	const struct row *row = find(nr);
	int r;

	if (!row)
		return -ENOTSUP;
	r = load(pid, row, args, ret);
	if (r < 0)
		return r;
	if (done >= total(row, args, ret) || !goes_on(pid, row, args))
		return -ENOTSUP;
	ret->nr = nr;
	memcpy(ret->args, args, sizeof(ret->args));
	switch (row->form) {
	case FORM_BYTES:
		ret->args[1] += done;
		ret->args[2] -= done;
		if (row->flags != NO_FLAGS)
			ret->args[4] = ret->args[5] = 0; /* the address went with the part */
		break;
	case FORM_MANY:
		ret->args[1] += done * MMSG_BYTES;
		ret->args[2] -= done;
		break;
	case FORM_FILE:
		ret->args[3] -= done;
		break;
	case FORM_VECTOR:
		skip(ret, done);
		ret->args[2] = ret->n_parts;
		break;
	case FORM_MESSAGE:
		skip(ret, done);
		ret->message = (struct msghdr){ .msg_iovlen = ret->n_parts };
		break;
	}
	return 0;
}
