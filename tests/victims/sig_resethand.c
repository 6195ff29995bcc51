/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_resethand.c - SA_RESETHAND, SA_NODEFER and ignored signals do what they promise, round after
 * round
 */
#include "victim.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t depth, deepest, count;

static void once(int signal)
{
	count++;
}

static void nest(int signal)
{
	if (++depth > deepest)
		deepest = depth;
	if (depth < 3)
		(void)raise(SIGUSR2);
	depth--;
}

static void die_of_default(void *unused)
{
	(void)raise(SIGUSR1);
}

int main(void)
{
	struct sigaction reset = { .sa_handler = once, .sa_flags = (int)SA_RESETHAND };
	struct sigaction nodefer = { .sa_handler = nest, .sa_flags = SA_NODEFER };
	struct sigaction now;
	int status, n = 0;

	(void)signal(SIGTERM, SIG_IGN);
	NEED(sigaction(SIGUSR2, &nodefer, NULL) == 0);
	victim_ready();
	while (victim_round()) {
		pid_t child;

		CHECK_EQ(sigaction(SIGUSR1, &reset, NULL), 0);
		CHECK_EQ(raise(SIGUSR1), 0);
		CHECK_EQ(count, ++n);
		CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
		CHECK(now.sa_handler == SIG_DFL);
		child = victim_child(die_of_default, NULL);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : -1, SIGUSR1);

		deepest = 0;
		CHECK_EQ(raise(SIGUSR2), 0);
		CHECK_EQ(deepest, 3);
		CHECK_EQ(depth, 0);
		CHECK_EQ(raise(SIGTERM), 0);
	}
	return victim_end();
}
