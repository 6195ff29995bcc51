/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_interrupted.c - what a thread that was stopped in a call is about to do, by its registers */
#include "migrate/interrupted.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/restarts.h"
#include "child/child.h"
#include "test.h"
#include "tracee/tracee.h"

#define INSN 2

static int pipe_ends[2];

/* of which a part is written: the pipe is full then */
static int in_write(struct child *c)
{
	static char bytes[1 << 20];

	return write(pipe_ends[1], bytes, sizeof(bytes)) != sizeof(bytes);
}

static int in_read(struct child *c)
{
	char byte;

	return read(pipe_ends[0], &byte, 1) != 1;
}

static int in_poll(struct child *c)
{
	return (int)syscall(SYS_poll, NULL, 0, 1000000);
}

static const struct row {
	int (*fn)(struct child *);
	long nr;
	uint32_t on_signal;	  /* interrupted just now */
	uint32_t on_signal_again; /* and when the kernel has made it begin again */
	uint32_t restart_call;
	bool part;
} rows[] = {
	{ in_write, SYS_write, IMAGE_SIGNAL_FIRST, IMAGE_SIGNAL_FIRST, 0, true },
	{ in_read, SYS_read, IMAGE_SIGNAL_RESTARTS, IMAGE_SIGNAL_FIRST, 0, false },
	{ in_poll, SYS_poll, IMAGE_SIGNAL_ENDS, IMAGE_SIGNAL_ENDS, SYS_poll, false },
};

static void stop(pid_t pid, struct user_regs_struct *ret)
{
	size_t n;
	int stopped;
	pid_t tid;
	struct err e;

	if (tracee_seize_all(pid, 0, &tid, 1, &n, &stopped, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(tracee_get_regs(pid, ret), 0);
}

static void it_is_about_to_make_its_call(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct user_regs_struct regs, again;
		struct image_thread t = { 0 };
		struct child c;

		assert_int_equal(pipe(pipe_ends), 0);
		child_start(&c, row->fn);
		child_until_in_call(c.pid, row->nr);
		stop(c.pid, &regs);
		again = regs;

		assert_int_equal(interrupted_rewind(c.pid, CAPTURE_HOME, &regs, &t), 0);
		assert_int_equal(t.on_signal, row->on_signal);
		assert_int_equal(t.done != 0, row->part);
		assert_int_equal(t.restart_call, row->restart_call);
		assert_int_equal(t.regs.rip, again.rip - INSN);

		/* as the kernel leaves it when no handler runs: at the call, and orig_rax is the call still */
		again.rax = (int64_t)again.rax == -ERESTART_RESTARTBLOCK ? SYS_restart_syscall
									 : again.orig_rax;
		again.rip -= INSN;
		regs = again;
		t = (struct image_thread){ 0 };
		assert_int_equal(interrupted_rewind(c.pid, CAPTURE_HOME, &regs, &t), 0);
		assert_int_equal(t.regs.rip, again.rip);
		assert_int_equal(t.regs.rax, again.rax);
		assert_int_equal((int64_t)t.regs.orig_rax, -1);
		assert_int_equal((int64_t)regs.orig_rax, -1);
		assert_int_equal(t.on_signal, row->on_signal_again);
		assert_int_equal(t.done, 0);
		assert_int_equal(t.restart_call, row->restart_call);

		(void)child_end(&c);
		(void)close(pipe_ends[0]);
		(void)close(pipe_ends[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_about_to_make_its_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
