/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_forward.c - the table of calls and the filter made from it */
#include "test.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forward/away/state.h"
#include "forward/table/filter.h"
#include "forward/table/quick.h"
#include "forward/table/table.h"

/* who may wait for somebody is never waited for in place */
static const uint16_t slow[] = {
	__NR_read,
	__NR_write,
	__NR_readv,
	__NR_writev,
	__NR_recvfrom,
	__NR_recvmsg,
	__NR_sendto,
	__NR_sendmsg,
	__NR_poll,
	__NR_ppoll,
	__NR_select,
	__NR_pselect6,
	__NR_epoll_wait,
	__NR_epoll_pwait,
	__NR_wait4,
	__NR_waitid,
	__NR_accept,
	__NR_accept4,
	__NR_connect,
	__NR_flock,
	__NR_nanosleep,
	__NR_clock_nanosleep,
	__NR_pause,
	__NR_fcntl,
	__NR_ioctl,
	__NR_semop,
	__NR_semtimedop,
	__NR_msgrcv,
	__NR_msgsnd,
	__NR_fsync,
	__NR_sync,
	__NR_restart_syscall,
	__NR_rt_sigtimedwait,
	__NR_rt_sigsuspend,
	__NR_futex,
};

static struct sock_filter program[FILTER_INSNS_MAX];
static size_t n_insns;

/* classic BPF as far as seccomp has it; counts the instructions that ran */
static uint32_t interpret(const struct seccomp_data *d, unsigned int *steps)
{
	uint32_t a = 0;
	size_t pc = 0;
	bool yes;

	for (*steps = 0; pc < n_insns; ++*steps) {
		const struct sock_filter *i = &program[pc++];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k % 4 == 0 && i->k + 4 <= sizeof(*d));
			memcpy(&a, (const uint8_t *)d + i->k, 4);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > i->k;
			break;
		default:
			fail_msg("instruction %zu has code %#x", pc - 1, i->code);
			return 0;
		}
		pc += yes ? i->jt : i->jf;
	}
	fail_msg("the program has no end");
	return 0;
}

static uint32_t judge(uint32_t nr, const uint64_t args[6])
{
	struct seccomp_data d = { .nr = (int)nr, .arch = AUDIT_ARCH_X86_64 };
	unsigned int steps;

	for (size_t i = 0; i < 6; i++)
		d.args[i] = args[i];
	return interpret(&d, &steps);
}

static uint32_t expected(uint32_t nr, const uint64_t args[6])
{
	switch (table_judge(nr, args).class) {
	case TABLE_LOCAL:
		return SECCOMP_RET_ALLOW;
	case TABLE_SPECIAL:
		return SECCOMP_RET_TRACE | nr;
	case TABLE_HOME:
	case TABLE_VIRTUAL:
	case TABLE_RETURN:
	case TABLE_REFUSED:
		break;
	}
	return SECCOMP_RET_USER_NOTIF;
}

static int build(void **state)
{
	return filter_build(0, 0, program, &n_insns);
}

/* filter and table agree: every number, every case of every argument, and values around them */
static void test_filter(void **state)
{
	struct table_row row;
	uint64_t args[6];

	for (uint32_t nr = 0; nr < table_end() + 100; nr++) {
		memset(args, 0, sizeof(args));
		assert_int_equal(judge(nr, args), expected(nr, args));
		if (!table_row(nr, &row) || row.key == TABLE_ARG_NONE ||
		    row.key_low != TABLE_ARG_NONE)
			continue;
		for (size_t i = 0; i < row.n_cases; i++)
			for (uint64_t add = 0; add < 4; add++) {
				args[row.key] = row.cases[i].value + add - 1;
				assert_int_equal(judge(nr, args), expected(nr, args));
				args[row.key] |= 0xabcd00000000ULL;
				assert_int_equal(judge(nr, args), expected(nr, args));
				args[row.key] ^= 0x10000;
				assert_int_equal(judge(nr, args), expected(nr, args));
			}
	}
}

static void test_filter_strangers(void **state)
{
	struct seccomp_data d = { .nr = __NR_getpid, .arch = AUDIT_ARCH_I386 };
	unsigned int steps;

	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_USER_NOTIF);
	d.arch = AUDIT_ARCH_X86_64;
	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_ALLOW);
	d.nr |= 0x40000000; /* x32 */
	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_USER_NOTIF);
	d.nr = -1;
	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_USER_NOTIF);
}

/* what a computing program does without end costs few instructions; nothing costs many */
static void test_filter_heat(void **state)
{
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };
	unsigned int steps;

	d.nr = __NR_futex;
	(void)interpret(&d, &steps);
	assert_in_range(steps, 1, 6);
	d.nr = __NR_mmap;
	d.args[3] = 0x22;
	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_ALLOW);
	assert_in_range(steps, 1, 14);
	for (d.nr = 0; d.nr < (int)table_end(); d.nr++) {
		(void)interpret(&d, &steps);
		assert_in_range(steps, 1, 60);
	}
}

static void test_filter_own_code(void **state)
{
	struct seccomp_data d = { .nr = __NR_openat, .arch = AUDIT_ARCH_X86_64 };
	unsigned int steps;
	uint64_t page = 0x7f1234560000;

	assert_int_equal(filter_build(page, page + 0x200000000, program, &n_insns), -EINVAL);
	assert_int_equal(filter_build(page, page + 4096, program, &n_insns), 0);
	d.instruction_pointer = page;
	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_USER_NOTIF);
	d.instruction_pointer = page + 2;
	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_ALLOW);
	d.instruction_pointer = page + 4096;
	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_ALLOW);
	d.instruction_pointer = page + 4098;
	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_USER_NOTIF);
	d.instruction_pointer = page + 2 + 0x100000000;
	assert_int_equal(interpret(&d, &steps), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(build(NULL), 0);
}

/* the kernel takes it: a child lives on LOCAL calls, and a HOME one finds no listener (ENOSYS) */
static void test_filter_for_real(void **state)
{
	struct sock_fprog p = { .len = (unsigned short)n_insns, .filter = program };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p))
			_exit(2);
		if (syscall(SYS_getpid) <= 0 || syscall(SYS_sched_yield))
			_exit(3);
		if (syscall(SYS_getppid) != -1 || errno != ENOSYS)
			_exit(4);
		if (syscall(SYS_mmap, 0, 4096, 3, 0x22, -1, 0) == -1)
			_exit(5);
		if (syscall(SYS_mmap, 0, 4096, 3, 0x21, -1, 0) != -1 || errno != ENOSYS)
			_exit(6);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* rows: no gap in what Linux numbers, and each says why */
static void test_rows(void **state)
{
	struct table_row row;

	for (uint32_t nr = 0; nr <= 469; nr++) {
		if (nr > 336 && nr < 424)
			continue; /* the kernel left them out */
		assert_true(table_row(nr, &row));
		assert_true(row.name && row.why && strlen(row.why) > 3);
	}
	assert_int_equal(table_end(), 470);
	assert_false(table_row(400, &row));
	assert_false(table_row(470, &row));
}

static bool overlap(const struct table_case *a, const struct table_case *b)
{
	return ((a->value ^ b->value) & a->mask & b->mask) == 0;
}

static void test_cases(void **state)
{
	struct table_row row;

	for (uint32_t nr = 0; nr < table_end(); nr++) {
		if (!table_row(nr, &row) || row.key == TABLE_ARG_NONE)
			continue;
		assert_true(row.key < 6 && row.n_cases > 0);
		for (size_t i = 0; i < row.n_cases; i++) {
			assert_true((row.cases[i].value & ~row.cases[i].mask) == 0);
			for (size_t k = 0; k < i; k++)
				if (overlap(&row.cases[i], &row.cases[k]))
					fail_msg("%s: %s and %s overlap", row.name,
						 row.cases[i].what, row.cases[k].what);
		}
	}
}

static ssize_t nothing_read(void *owner, uint64_t at, void *p, size_t n)
{
	return -EFAULT;
}

static int nothing_written(void *owner, uint64_t at, const void *p, size_t n)
{
	return -EFAULT;
}

/* the words of every row are words: no call has -EINVAL for an answer of the marshaller */
static void try_spec(struct marshal *m, uint32_t nr, uint64_t key, uint64_t key_low)
{
	struct buf request;
	struct table_row row;
	uint64_t args[6];
	int64_t result;
	int r;

	buf_init(&request, CALL_BYTES_MAX);
	for (int i = 0; i < 3; i++) {
		for (size_t k = 0; k < 6; k++)
			args[k] = i == 0 ? 0 : i == 1 ? 8 : UINT64_MAX;
		assert_true(table_row(nr, &row));
		if (row.key != TABLE_ARG_NONE)
			args[row.key] = key;
		if (row.key_low != TABLE_ARG_NONE)
			args[row.key_low] = key_low;
		r = marshal_begin(m, nr, args, 0, &request, &result);
		if (r < 0 || r > MARSHAL_RETURN)
			fail_msg("%s: the marshaller says %d", row.name, r);
	}
	buf_done(&request);
}

static void test_words(void **state)
{
	struct marshal_memory memory = { NULL, nothing_read, nothing_written };
	struct marshal *m = marshal_new(&memory, 900, 909);
	struct table_row row;
	const struct table_case *c;

	for (uint32_t nr = 0; nr < table_end(); nr++) {
		if (!table_row(nr, &row))
			continue;
		if (row.spec && row.spec[0] == '!')
			assert_non_null(spec_function(row.spec + 1));
		/* a forwarded call has words, one that cannot be has none */
		assert_true(row.class != TABLE_HOME || row.spec);
		assert_true(row.class != TABLE_RETURN || !row.spec);
		try_spec(m, nr, 0xfff7, 0xfff7);
		for (size_t i = 0; i < row.n_cases; i++) {
			c = &row.cases[i];
			assert_true(c->class != TABLE_HOME || c->spec);
			if (row.key_low == TABLE_ARG_NONE)
				try_spec(m, nr, c->value, 0);
			else
				try_spec(m, nr, c->value >> 16, c->value & 0xffff);
		}
	}
	marshal_free(m);
}

static bool is_forwarded(enum table_class class)
{
	return class == TABLE_HOME || class == TABLE_VIRTUAL;
}

static void test_quick(void **state)
{
	struct table_row row;

	for (uint32_t nr = 0; nr < table_end() + 100; nr++) {
		bool forwarded = false;

		if (!table_is_quick(nr))
			continue;
		assert_true(table_row(nr, &row));
		forwarded = is_forwarded(row.class);
		for (size_t i = 0; i < row.n_cases; i++)
			forwarded |= is_forwarded(row.cases[i].class);
		if (!forwarded)
			fail_msg("%s is never forwarded", row.name);
	}
	for (size_t i = 0; i < sizeof(slow) / sizeof(*slow); i++)
		assert_false(table_is_quick(slow[i]));
	assert_false(table_is_quick(UINT32_MAX));
	assert_true(table_is_quick(__NR_getppid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_quick),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_strangers),
		cmocka_unit_test(test_filter_heat),
		cmocka_unit_test(test_filter_own_code),
		cmocka_unit_test(test_filter_for_real),
	};

	return cmocka_run_group_tests(tests, build, NULL);
}
