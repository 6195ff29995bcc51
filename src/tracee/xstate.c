/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xstate.c - the extended state of a thread: x87, SSE, AVX and what came after
 *
 * Theory of operation. It travels in the standard form of XSAVE (SDM volume 1, 13.4): the legacy
 * area, a header that says which components are not as at first, and these, each in its place. The
 * kernel takes back only an area of just the size that its own CPU has, so what comes from another
 * CPU is made longer by components that are as at first, or shorter by those that this CPU does
 * not know: if one of them is in use the kernel refuses it by the header. A CPU without XSAVE has
 * the legacy area alone, under another name (NT_PRFPREG).
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "base/le.h"
#include "tracee/tracee.h"

#define AREA_MAX     16384
#define LEGACY_BYTES 512
#define LEAST_BYTES  576 /* with the header */
#define IN_USE_AT    512 /* XSTATE_BV */
#define X87_AND_SSE  3ULL

static int area(int request, pid_t tid, long note, void *p, size_t *len)
{
	struct iovec v = { p, *len };

	if (ptrace(request, tid, (void *)note, &v) < 0)
		return -errno;
	*len = v.iov_len;
	return 0;
}

int tracee_get_xstate(pid_t tid, void *p, size_t *len)
{
	size_t legacy = LEGACY_BYTES;
	int r = area(PTRACE_GETREGSET, tid, NT_X86_XSTATE, p, len);

	if (r != -ENODEV)
		return r;
	if (*len < LEAST_BYTES)
		return -ENOSPC;
	memset(p, 0, LEAST_BYTES);
	le64_put((uint8_t *)p + IN_USE_AT, X87_AND_SSE);
	*len = LEAST_BYTES;
	return area(PTRACE_GETREGSET, tid, NT_PRFPREG, p, &legacy);
}

static int set_legacy(pid_t tid, const uint8_t *p)
{
	uint8_t bytes[LEGACY_BYTES];
	size_t len = sizeof(bytes);

	if (le64_get(p + IN_USE_AT) & ~X87_AND_SSE)
		return -EOPNOTSUPP;
	memcpy(bytes, p, sizeof(bytes));
	return area(PTRACE_SETREGSET, tid, NT_PRFPREG, bytes, &len);
}

int tracee_set_xstate(pid_t tid, const void *p, size_t len)
{
	uint8_t bytes[AREA_MAX];
	size_t own = sizeof(bytes);
	int r = area(PTRACE_GETREGSET, tid, NT_X86_XSTATE, bytes, &own);

	if (len < LEAST_BYTES)
		return -EINVAL;
	if (r == -ENODEV)
		return set_legacy(tid, p);
	if (r < 0)
		return r;
	memset(bytes, 0, own);
	memcpy(bytes, p, len < own ? len : own);
	return area(PTRACE_SETREGSET, tid, NT_X86_XSTATE, bytes, &own);
}
