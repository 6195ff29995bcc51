/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trips.c - one child for each trip of a process that is moved by hand */
#include "migrate/trips.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/again.h"
#include "os/clock.h"

static pid_t forked_by;

void trips_bind(void)
{
	if (!forked_by)
		return;
	/* valid arguments: cannot fail. A change of credentials undoes it, so not before that */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != forked_by)
		_exit(1);
}

/* Return: exit status of the trip; *ret_called: it was called home */
static int await(pid_t child, const sigset_t *set, bool *ret_called)
{
	for (;;) {
		int signo = sigwaitinfo(set, NULL), status;
		pid_t r = waitpid(child, &status, WNOHANG);

		if (signo == SIGINT || signo == SIGTERM) {
			*ret_called = true;
			if (!r)
				(void)kill(child, signo); /* not reaped, so there */
		}
		if (r == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
}

int trips_run(int (*trip)(void *owner, unsigned int n), void *owner)
{
	struct again again = { 0 };
	bool called = false;
	sigset_t set, before;

	forked_by = getpid();
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	for (unsigned int n = 1;; n++) {
		pid_t child = fork();
		int status;

		if (child < 0) {
			(void)fprintf(stderr, "comosix-deputy: fork: %s\n", strerror(errno));
			return 1;
		}
		if (!child) {
			/* a call home waits until its loop hears it */
			(void)sigaddset(&before, SIGINT);
			(void)sigaddset(&before, SIGTERM);
			(void)sigprocmask(SIG_SETMASK, &before, NULL);
			_exit(trip(owner, n));
		}
		status = await(child, &set, &called);
		if (status != TRIPS_AGAIN || called)
			return status == TRIPS_AGAIN ? 0 : status;
		if (!again_may(&again, clock_boot_ms())) {
			(void)fprintf(stderr, "comosix-deputy: it came home " AGAIN_STAYS "\n");
			return 0;
		}
	}
}
