/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_stub.c - a deputy that dies at any step between seizing a process and giving it back
 *
 * Theory of operation. An agent takes a process over and releases it again, as a move does that is
 * undone, and kills itself after the Nth thing it does to the process; N grows until it gets
 * through. Each time the process must run on as if nobody had been there. The functions that do
 * something to it are wrapped by the linker (--wrap). After it what is left in the process is taken
 * away, as comosixd has it done. Left out are the two single calls that map
 * and unmap our region: docs/MIGRATION.md section 4 says why.
 */
#include "migrate/stub.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/child.h"
#include "migrate/stub_door.h"
#include "migrate/tidy.h"
#include "test.h"
#include "tracee/maps.h"
#include "tracee/tracee.h"

static unsigned int steps, last_step;
static bool in_single_call;

static int step(int r)
{
	if (!in_single_call && ++steps == last_step)
		(void)kill(getpid(), SIGKILL);
	return r;
}

/* the wrapped ones */
int __real_tracee_cont(pid_t tid, int signo);
int __wrap_tracee_cont(pid_t tid, int signo);
int __real_tracee_detach(pid_t tid, int signo);
int __wrap_tracee_detach(pid_t tid, int signo);
int __real_tracee_set_regs(pid_t tid, const struct user_regs_struct *regs);
int __wrap_tracee_set_regs(pid_t tid, const struct user_regs_struct *regs);
int __real_tracee_set_sigmask(pid_t tid, uint64_t mask);
int __wrap_tracee_set_sigmask(pid_t tid, uint64_t mask);
int __real_tracee_write(pid_t pid, uint64_t at, const void *p, size_t n);
int __wrap_tracee_write(pid_t pid, uint64_t at, const void *p, size_t n);
int __real_tracee_inject(pid_t tid, uint64_t insn, long nr, const uint64_t args[6], int64_t *ret);
int __wrap_tracee_inject(pid_t tid, uint64_t insn, long nr, const uint64_t args[6], int64_t *ret);

int __wrap_tracee_cont(pid_t tid, int signo)
{
	return step(__real_tracee_cont(tid, signo));
}

int __wrap_tracee_detach(pid_t tid, int signo)
{
	return step(__real_tracee_detach(tid, signo));
}

int __wrap_tracee_set_regs(pid_t tid, const struct user_regs_struct *regs)
{
	return step(__real_tracee_set_regs(tid, regs));
}

int __wrap_tracee_set_sigmask(pid_t tid, uint64_t mask)
{
	return step(__real_tracee_set_sigmask(tid, mask));
}

int __wrap_tracee_write(pid_t pid, uint64_t at, const void *p, size_t n)
{
	return step(__real_tracee_write(pid, at, p, n));
}

int __wrap_tracee_inject(pid_t tid, uint64_t insn, long nr, const uint64_t args[6], int64_t *ret)
{
	int r;

	in_single_call = true;
	r = __real_tracee_inject(tid, insn, nr, args, ret);
	in_single_call = false;
	return step(r);
}

/* ---- the process: one thread counts, two wait in calls which must not notice anything ---- */

static int gate[2];

static void *reads(void *arg)
{
	struct child *c = arg;
	char byte;

	if (read(gate[0], &byte, 1) != 1)
		atomic_store(&c->page->wrong, 1);
	return NULL;
}

static void *sleeps(void *arg)
{
	struct child *c = arg;
	const struct timespec t = { .tv_sec = 3600 };

	if (nanosleep(&t, NULL) < 0)
		atomic_store(&c->page->wrong, 2);
	return NULL;
}

static int three_threads(struct child *c)
{
	pthread_t t[2];
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&t[0], NULL, reads, c) || pthread_create(&t[1], NULL, sleeps, c))
		return 1;
	child_say(c);
	(void)child_count(c);
	(void)pthread_join(t[0], NULL);
	return (int)atomic_load(&c->page->wrong);
}

static const struct stub_ops no_ops;

/* mappings that can be written and executed: ours alone */
static unsigned int regions(pid_t pid)
{
	unsigned int n = 0;
	struct maps maps;

	assert_int_equal(maps_read(pid, false, &maps, NULL), 0);
	for (size_t i = 0; i < maps.n; i++)
		n += maps.entries[i].prot == (PROT_READ | PROT_WRITE | PROT_EXEC);
	maps_done(&maps);
	return n;
}

static unsigned int high_fds(pid_t pid)
{
	unsigned int n = 0;
	char path[32];
	struct dirent *d;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] == '9' && strlen(d->d_name) == 3;
	(void)closedir(dir);
	return n;
}

/* the file of the slots, which is open there for two batches */
static unsigned int door_files(pid_t pid)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 100; fd++) {
		char path[32], to[64] = "";

		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		n += readlink(path, to, sizeof(to) - 1) > 0 && strstr(to, STUB_DOOR_NAME) != NULL;
	}
	return n;
}

/* in a process of its own, like every agent: the caller is no tracer after it */
static void tidy_up(pid_t pid)
{
	struct loop *loop;
	struct err e = { 0 };
	int status;
	pid_t agent = fork();

	assert_true(agent >= 0);
	if (agent == 0) {
		steps = 0;
		last_step = 0;
		if (loop_new(&loop, &e) < 0 || tidy(loop, pid, &e) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(agent, &status, 0), agent);
	assert_int_equal(status, 0);
	assert_int_equal(regions(pid), 0);
	assert_int_equal(high_fds(pid), 0);
	assert_int_equal(door_files(pid), 0);
}

static int take_and_give_back(pid_t pid)
{
	struct loop *loop;
	struct stub s;
	struct err e;
	int r = loop_new(&loop, &e);

	if (r < 0)
		return r;
	stub_init(&s, loop, &no_ops, NULL);
	r = stub_seize(&s, pid, &e);
	if (!r)
		r = stub_prepare(&s, 0, NULL, &e);
	stub_release(&s);
	return r;
}

static void whatever_the_step(void **state)
{
	struct proc_stat st;
	unsigned int found = 0, files = 0;
	struct child c;
	int status;

	assert_int_equal(pipe(gate), 0);
	child_start(&c, three_threads);
	child_await(&c);
	do {
		pid_t agent;

		last_step++;
		agent = fork();
		assert_true(agent >= 0);
		if (agent == 0)
			_exit(take_and_give_back(c.pid) ? 1 : 0);
		assert_int_equal(waitpid(agent, &status, 0), agent);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		child_runs_on(&c);
		found += regions(c.pid);
		files += door_files(c.pid);
		tidy_up(c.pid);
		child_runs_on(&c);
		assert_int_equal(proc_stat_read(c.pid, &st, NULL), 0);
		assert_int_equal(st.tracer, 0);
		assert_int_equal(st.blocked, 1ULL << (SIGUSR2 - 1));
		assert_int_equal(st.pending | st.shared_pending, 0);
		assert_int_equal(atomic_load(&c.page->wrong), 0);
	} while (WIFSIGNALED(status));
	assert_true(last_step > 50);
	assert_true(found > 20 && files > 0); /* there was something to tidy up */
	atomic_store(&c.page->flag, 1);
	assert_int_equal(write(gate[1], "", 1), 1);
	assert_int_equal(child_exit_status(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_the_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
