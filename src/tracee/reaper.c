/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reaper.c - let an exec(2) in the tracee go on while we wait in the kernel */
#include "tracee/reaper.h"

#include <assert.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

/* what the handler needs; a signal handler has no argument for it */
static struct {
	const pid_t *tids;
	const volatile size_t *n;
	pid_t but;
	volatile sig_atomic_t came; /* SIGCHLDs */
} now;

void reaper_reap(pid_t tid)
{
	siginfo_t info = { 0 };

	/* a tracer is given stops whatever it asks for, and must not eat them: look first */
	if (waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
	    (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
	     info.si_code == CLD_DUMPED))
		(void)waitid(P_PID, (id_t)tid, NULL, WEXITED | WNOHANG | __WALL);
}

/* calls async-signal-safe functions only */
static void reap_dead(int signo)
{
	int saved = errno;

	now.came++;
	for (size_t i = 0; i < *now.n; i++)
		if (now.tids[i] != now.but)
			reaper_reap(now.tids[i]);
	errno = saved;
}

int reaper_set(struct reaper *r, const pid_t *tids, const volatile size_t *n, pid_t but)
{
	const struct sigaction action = { .sa_handler = reap_dead }; /* interrupts */
	sigset_t child;

	assert(!now.tids);
	now.tids = tids;
	now.n = n;
	now.but = but;
	now.came = 0;
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	if (sigaction(SIGCHLD, &action, &r->action) < 0 ||
	    sigprocmask(SIG_UNBLOCK, &child, &r->mask) < 0) {
		now.tids = NULL;
		return -errno;
	}
	return 0;
}

int reaper_count(void)
{
	return now.came;
}

void reaper_unset(struct reaper *r)
{
	sigset_t child;

	/* blocked first: between the two calls nobody's handler may run with ours gone */
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL);
	(void)sigaction(SIGCHLD, &r->action, NULL);
	if (now.came)
		(void)kill(getpid(), SIGCHLD);
	now.tids = NULL;
	(void)sigprocmask(SIG_SETMASK, &r->mask, NULL);
}
