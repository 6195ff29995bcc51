/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_rlimits.c - limits of a process are read, lifted for a while, and come home no higher than they were */
#include "migrate/rlimits.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "tracee/tracee.h"

#define AREA_BYTES (1U << 20)
#define MIB	   (1ULL << 20)

static const struct {
	int which;
	struct rlimit l;
} set[] = {
	{ RLIMIT_AS, { 1ULL << 40, 1ULL << 41 } },
	{ RLIMIT_DATA, { 1ULL << 39, RLIM_INFINITY } },
	{ RLIMIT_CPU, { 1000, 2000 } },
	{ RLIMIT_NOFILE, { 100, 200 } },
};

struct process {
	pid_t pid;
	uint64_t insn, area;
};

static void NORETURN wait_for_ever(void)
{
	for (size_t i = 0; i < ARRAY_LEN(set); i++)
		if (setrlimit(set[i].which, &set[i].l) < 0)
			_exit(1);
	(void)raise(SIGSTOP);
	for (;;)
		(void)pause();
}

static void begin(struct process *p)
{
	void *area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct user_regs_struct regs;
	struct tracee_stop stop;
	struct err e = { 0 };
	int status;

	assert_ptr_not_equal(area, MAP_FAILED);
	p->area = (uint64_t)area;
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (!p->pid)
		wait_for_ever();
	assert_int_equal(waitpid(p->pid, &status, WUNTRACED), p->pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill(p->pid, SIGCONT), 0);
	assert_int_equal(tracee_seize(p->pid, 0, &e), 0);
	assert_int_equal(tracee_stop_thread(p->pid, &stop), 0);
	assert_int_equal(tracee_get_regs(p->pid, &regs), 0);
	(void)tracee_rewind(&regs);
	assert_int_equal(tracee_set_regs(p->pid, &regs), 0);
	assert_int_equal(tracee_find_syscall(p->pid, 0, 0, &p->insn), 0);
}

static void end(struct process *p)
{
	assert_int_equal(kill(p->pid, SIGKILL), 0);
	assert_int_equal(waitpid(p->pid, NULL, __WALL), p->pid);
	assert_int_equal(munmap((void *)p->area, AREA_BYTES), 0);
}

static void are(pid_t pid, const struct image *want)
{
	struct image m = { 0 };
	struct err e = { 0 };

	assert_int_equal(rlimits_read(pid, &m, &e), 0);
	assert_memory_equal(m.limits, want->limits, sizeof(m.limits));
}

static void they_are_lifted_and_dropped(void **state)
{
	struct image m = { .last_fd = 1200 }, now = { 0 };
	struct err e = { 0 };
	struct process p;

	begin(&p);
	assert_int_equal(rlimits_read(p.pid, &m, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(set); i++) {
		assert_int_equal(m.limits[set[i].which].soft, set[i].l.rlim_cur);
		assert_int_equal(m.limits[set[i].which].hard, set[i].l.rlim_max);
	}
	assert_true(rlimits_known(&m));
	assert_int_equal(rlimits_lift(p.pid, p.insn, &m, &e), 0);
	assert_int_equal(rlimits_read(p.pid, &now, &e), 0);
	assert_int_equal(now.limits[RLIMIT_DATA].soft, RLIM_INFINITY);
	for (int which = RLIMIT_CPU; which <= RLIMIT_AS; which += RLIMIT_AS - RLIMIT_CPU) {
		bool bound = m.limits_bound >> which & 1;

		assert_int_equal(bound, !rlimits_may_raise());
		assert_int_equal(now.limits[which].soft,
				 bound ? m.limits[which].hard : RLIM_INFINITY);
	}
	if (rlimits_may_raise())
		assert_int_equal(now.limits[RLIMIT_NOFILE].hard, 1201);
	assert_int_equal(now.limits[RLIMIT_NOFILE].soft, 100);
	rlimits_drop(p.pid, p.insn, &m);
	are(p.pid, &m);
	end(&p);
}

static void none_comes_home_higher(void **state)
{
	struct image before = { .last_fd = 100 }, back, want;
	struct err e = { 0 };
	struct process p;
	struct batch b;

	begin(&p);
	batch_init(&b, p.pid, p.area, AREA_BYTES);
	assert_int_equal(rlimits_read(p.pid, &before, &e), 0);
	want = back = before;
	back.limits[RLIMIT_DATA].hard = want.limits[RLIMIT_DATA].hard = 512 * MIB;
	back.limits[RLIMIT_DATA].soft = want.limits[RLIMIT_DATA].soft = 256 * MIB;
	back.limits[RLIMIT_CPU].soft = want.limits[RLIMIT_CPU].soft = 1500;
	/* a host that lies */
	back.limits[RLIMIT_AS] = (struct image_limit){ 1, RLIM_INFINITY };
	back.limits[RLIMIT_NOFILE] = (struct image_limit){ 201, 200 };
	back.limits[RLIMIT_NPROC] = (struct image_limit){ 1, 1 };
	assert_int_equal(rlimits_put_back(&b, p.pid, &back, &before, &e), 0);
	are(p.pid, &want);
	/* and one that says nothing */
	memset(back.limits, 0, sizeof(back.limits));
	assert_false(rlimits_known(&back));
	before.limits[RLIMIT_DATA] = (struct image_limit){ MIB, 2 * MIB };
	assert_int_equal(rlimits_put_back(&b, p.pid, &back, &before, &e), 0);
	are(p.pid, &before);
	batch_done(&b);
	end(&p);
}

static void each_has_its_place(void **state)
{
	struct image m = { .last_fd = 1279 };

	assert_int_equal(rlimits_owner(RLIMIT_STACK), RLIMITS_OF_GUEST);
	assert_int_equal(rlimits_owner(RLIMIT_NOFILE), RLIMITS_OF_BOTH);
	assert_int_equal(rlimits_owner(RLIMIT_FSIZE), RLIMITS_OF_HOME);
	assert_int_equal(rlimits_owner(1ULL << 40), RLIMITS_OF_HOME);
	m.limits[RLIMIT_NOFILE].hard = 1024;
	assert_int_equal(rlimits_home_files(&m), 1280);
	m.limits[RLIMIT_NOFILE].hard = 4096;
	assert_int_equal(rlimits_home_files(&m), 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_lifted_and_dropped),
		cmocka_unit_test(none_comes_home_higher),
		cmocka_unit_test(each_has_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
