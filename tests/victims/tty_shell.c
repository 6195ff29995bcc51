/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tty_shell.c - an interactive shell on a terminal runs jobs that are stopped, continued and
 * interrupted by keys
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int master;

static void type(const char *keys)
{
	CHECK_EQ(write(master, keys, strlen(keys)), strlen(keys));
}

/* read the screen until a word stands on it; what comes behind the word is for the next one */
static void await(const char *word)
{
	static char screen[65536];
	static size_t n;
	char *found;

	while (!(found = memmem(screen, n, word, strlen(word)))) {
		ssize_t m = read(master, screen + n, sizeof(screen) - n);

		NEED(m > 0);
		n += (size_t)m;
	}
	found += strlen(word);
	n -= (size_t)(found - screen);
	memmove(screen, found, n);
}

int main(void)
{
	int status;
	pid_t shell;

	shell = forkpty(&master, NULL, NULL, NULL);
	NEED(shell >= 0);
	if (shell == 0) {
		(void)setenv("PS1", "ready> ", 1);
		(void)setenv("HISTFILE", "/dev/null", 1);
		(void)execl("/bin/bash", "bash", "--norc", "--noediting", "-i", NULL);
		_exit(127);
	}
	await("ready> ");
	victim_ready();
	while (victim_round()) {
		/* the word that is waited for is not on the line as typed */
		type("echo th''ere\r");
		await("there\r\n");
		await("ready> ");
		/* what cat has written it has read: it runs */
		type("cat\rone\r");
		await("one\r\none\r\n");
		type("\x1a");
		await("Stopped");
		await("ready> ");
		type("fg\r");
		await("cat\r\n");
		type("two\r");
		await("two\r\ntwo\r\n");
		type("\x04");
		await("ready> ");
		type("cat\rthree\r");
		await("three\r\nthree\r\n");
		type("\x03");
		await("ready> ");
		type("echo status=$?.\r");
		await("status=130.");
		await("ready> ");
	}
	type("exit 5\r");
	CHECK_EQ(waitpid(shell, &status, 0), shell);
	CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 5);
	return victim_end();
}
