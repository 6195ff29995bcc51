/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_exec_self.c - a program that executes itself keeps pid, directory, files and mask, and loses
 * handlers
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_FD 20
#define LOST_FD 21

static void on_signal(int signal)
{
}

/* what an exec keeps and what it does not, seen by the new image */
static void check(const char *pid, const char *dir)
{
	struct sigaction action;
	char here[256], word[8];
	sigset_t mask;

	CHECK_EQ(strtol(pid, NULL, 10), getpid());
	CHECK_STR(getcwd(here, sizeof(here)), dir);
	CHECK_EQ(pread(KEPT_FD, word, 5, 0), 5);
	CHECK_MEM(word, "kept\n", 5);
	CHECK_ERR(fcntl(LOST_FD, F_GETFD), EBADF);
	CHECK_EQ(sigaction(SIGUSR1, NULL, &action), 0);
	CHECK(action.sa_handler == SIG_DFL);
	CHECK_EQ(sigaction(SIGUSR2, NULL, &action), 0);
	CHECK(action.sa_handler == SIG_IGN);
	CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	CHECK(sigismember(&mask, SIGHUP) && !sigismember(&mask, SIGTERM));
}

int main(int argc, char **argv)
{
	char pid[16], dir[256];
	sigset_t mask;

	if (argc == 3) {
		check(argv[1], argv[2]);
	} else {
		int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

		NEED(fd >= 0 && write(fd, "kept\n", 5) == 5 && dup2(fd, KEPT_FD) == KEPT_FD);
		NEED(close(fd) == 0 && chdir("/usr") == 0);
		victim_ready();
	}
	if (!victim_round())
		return victim_end();
	(void)signal(SIGUSR1, on_signal);
	(void)signal(SIGUSR2, SIG_IGN);
	NEED(sigemptyset(&mask) == 0 && sigaddset(&mask, SIGHUP) == 0);
	NEED(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
	NEED(dup3(KEPT_FD, LOST_FD, O_CLOEXEC) == LOST_FD);
	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	NEED(getcwd(dir, sizeof(dir)) != NULL);
	victim_keep();
	(void)execl("/proc/self/exe", argv[0], pid, dir, NULL);
	NEED(!"execl() came back");
	return 1;
}
