/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_map.c - a private mapping of a file, made while away
 *
 * Theory of operation. The file is at home. The thread is stopped before mmap(2), the first part of
 * the file is asked for with pread(2): a descriptor that cannot be read is home's business, and
 * the process goes there. Then the call is made here as one of private memory, and before the
 * thread sees its result the rest of the file is fetched into it. A private mapping need not
 * show what is written to the file later (mmap(2)).
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "forward/call.h"
#include "migrate/guest.h"
#include "migrate/told.h"

static void on_first_part(struct guest_thread *t, const uint8_t *p, size_t n);
static void on_part(struct guest_thread *t, const uint8_t *p, size_t n);

static uint64_t length(const struct guest_thread *t)
{
	return t->regs.rsi;
}

static void ask_part(struct guest_thread *t, uint32_t len, guest_answer_fn *fn)
{
	const struct call_fixup fix = { .at = CALL_FIX_ARG | 1, .place = 0 };
	const struct call_request q = {
		.nr = SYS_pread64,
		.flags = CALL_OUT_BY_RESULT,
		.n_fixups = 1,
		.args = { t->regs.r8, 0, len, t->regs.r9 + t->map_done },
		.out_len = len,
	};
	struct buf b;

	buf_init(&b, CALL_BYTES_MAX);
	if (buf_put(&b, &q, sizeof(q)) < 0 || buf_put(&b, &fix, sizeof(fix)) < 0)
		guest_fail(t->guest, -ENOMEM, "no memory for a request");
	else
		guest_request(t, &b, fn);
	buf_done(&b);
}

static void resume(struct guest_thread *t)
{
	t->state = THREAD_RUNNING;
	if (t->guest->state == GUEST_FREEZING && tracee_interrupt(t->tid) < 0)
		return;
	told_later(tracee_cont(t->tid, 0));
}

static bool take_result(const uint8_t *p, size_t n, int64_t *ret, size_t *ret_n)
{
	struct call_answer a;

	memcpy(&a, p, sizeof(a));
	*ret = a.result;
	*ret_n = n - sizeof(a);
	return a.result >= 0 && (size_t)a.result == *ret_n;
}

void guest_map_file(struct guest_thread *t)
{
	t->state = THREAD_MAPPING;
	t->map_at = t->map_done = 0;
	ask_part(t, MOVE_PAGE, on_first_part);
}

static void on_first_part(struct guest_thread *t, const uint8_t *p, size_t n)
{
	struct user_regs_struct regs = t->regs;
	int64_t result;
	size_t len;

	if (!take_result(p, n, &result, &len)) {
		guest_turn_back(t);
		return;
	}
	regs.r10 = (regs.r10 | MAP_ANONYMOUS) & ~(uint64_t)MAP_POPULATE;
	regs.r8 = (uint64_t)-1;
	regs.r9 = 0;
	if (tracee_set_regs(t->tid, &regs) < 0 || tracee_syscall_cont(t->tid, 0) < 0)
		return; /* killed: told by its end */
}

/* at the end of mmap */
void guest_map_stopped(struct guest_thread *t)
{
	struct user_regs_struct regs;

	if (tracee_get_regs(t->tid, &regs) < 0)
		return;
	t->map_at = regs.rax;
	regs.r10 = t->regs.r10;
	regs.r8 = t->regs.r8;
	regs.r9 = t->regs.r9;
	if (tracee_set_regs(t->tid, &regs) < 0)
		return;
	if ((int64_t)regs.rax < 0)
		resume(t);
	else
		ask_part(t, CALL_CHUNK, on_part);
}

static void on_part(struct guest_thread *t, const uint8_t *p, size_t n)
{
	uint64_t left = length(t) - t->map_done;
	int64_t result;
	size_t len;
	bool ok = take_result(p, n, &result, &len);

	if (marshal_interrupted(result)) {
		ask_part(t, CALL_CHUNK, on_part);
		return;
	}
	/* a file that cannot be read any more: what is not there stays zero, as behind its end */
	if (!ok || !len) {
		resume(t);
		return;
	}
	len = len < left ? len : left;
	if (pwrite(t->guest->build.mem, p + sizeof(struct call_answer), len,
		   (off_t)(t->map_at + t->map_done)) != (ssize_t)len) {
		guest_fail(t->guest, -EIO, "a mapped file cannot be written into its memory");
		return;
	}
	t->map_done += len;
	if (t->map_done >= length(t))
		resume(t);
	else
		ask_part(t, CALL_CHUNK, on_part);
}
