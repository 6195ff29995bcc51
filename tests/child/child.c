/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.c - a child process to be traced */
#include "child/child.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"
#include "tracee/maps.h"

static struct child_page *own_page; /* of the child, for its handlers */

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

void child_start(struct child *c, int (*fn)(struct child *))
{
	int said[2], ask[2];
	pid_t parent = getpid();

	c->page = mmap(NULL, sizeof(*c->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	must(c->page != MAP_FAILED && pipe(said) == 0 && pipe(ask) == 0, "child_start");
	c->pid = fork();
	must(c->pid >= 0, "fork");
	if (!c->pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(99);
		own_page = c->page;
		c->pid = getpid();
		c->said = said[1];
		c->ask = ask[0];
		(void)close(ask[1]);
		_exit(fn(c));
	}
	c->said = said[0];
	c->ask = ask[1];
	(void)close(said[1]);
	(void)close(ask[0]);
}

static int done(struct child *c)
{
	fd_close(&c->said);
	fd_close(&c->ask);
	return munmap(c->page, sizeof(*c->page));
}

int child_end(struct child *c)
{
	int status = 0;

	(void)kill(c->pid, SIGKILL);
	(void)waitpid(c->pid, &status, __WALL);
	(void)done(c);
	return status;
}

int child_exit_status(struct child *c)
{
	int status;

	if (waitpid(c->pid, &status, __WALL) != c->pid)
		return -1;
	(void)done(c);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void child_say(struct child *c)
{
	must(write(c->said, "x", 1) == 1, "child_say");
}

void child_hear(struct child *c)
{
	char x;
	ssize_t n;

	do {
		n = read(c->ask, &x, 1);
	} while (n < 0 && errno == EINTR);
	must(n == 1, "child_hear");
}

void child_await(struct child *c)
{
	char x;

	must(read(c->said, &x, 1) == 1, "child_await");
}

void child_tell(struct child *c)
{
	must(write(c->ask, "x", 1) == 1, "child_tell");
}

void child_record(int signo, siginfo_t *info, void *context)
{
	int at = atomic_fetch_add(&own_page->n_seen, 1);

	if (at < CHILD_SEEN_MAX)
		own_page->seen[at] = *info;
}

void child_catch(int signo, int flags)
{
	struct sigaction a = { .sa_sigaction = child_record, .sa_flags = SA_SIGINFO | flags };

	must(sigaction(signo, &a, NULL) == 0, "sigaction");
}

int child_count(struct child *c)
{
	while (!atomic_load(&c->page->flag))
		atomic_fetch_add(&c->page->counter, 1);
	return 0;
}

void child_until_in_call(pid_t tid, long nr)
{
	char path[64], text[64], want[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	(void)snprintf(want, sizeof(want), "%ld ", nr);
	for (;;) {
		FILE *f = fopen(path, "re");
		bool there;

		must(f, path);
		there = fgets(text, sizeof(text), f) && !strncmp(text, want, strlen(want));
		(void)fclose(f);
		if (there)
			return;
		(void)sched_yield();
	}
}

void child_until_seen(struct child *c, int n)
{
	while (atomic_load(&c->page->n_seen) < n)
		(void)sched_yield();
}

void child_until_state(pid_t tid, char state)
{
	struct proc_stat st;

	do {
		must(proc_stat_read(tid, &st, NULL) == 0, "child_until_state");
		(void)sched_yield();
	} while (st.state != state);
}

void child_runs_on(struct child *c)
{
	long was = atomic_load(&c->page->counter);

	while (atomic_load(&c->page->counter) == was)
		(void)sched_yield();
}
