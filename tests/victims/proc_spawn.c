/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_spawn.c - posix_spawn starts a program with redirected output, changed signals and an
 * environment
 */
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	static char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"echo $WORD; exit 3",
				      NULL };
	static char *const env[] = { (char *)"WORD=spawned", NULL };
	char out[32];
	int status, pipe_[2];

	victim_ready();
	while (victim_round()) {
		posix_spawn_file_actions_t actions;
		posix_spawnattr_t attr;
		sigset_t none;
		pid_t child;

		NEED(pipe2(pipe_, O_CLOEXEC) == 0 && sigemptyset(&none) == 0);
		NEED(posix_spawn_file_actions_init(&actions) == 0 &&
		     posix_spawnattr_init(&attr) == 0);
		CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, pipe_[1], 1), 0);
		CHECK_EQ(posix_spawnattr_setsigmask(&attr, &none), 0);
		CHECK_EQ(posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK), 0);
		CHECK_EQ(posix_spawn(&child, "/bin/sh", &actions, &attr, argv, env), 0);
		(void)close(pipe_[1]);
		(void)memset(out, 0, sizeof(out));
		CHECK_EQ(read(pipe_[0], out, sizeof(out) - 1), 8);
		CHECK_STR(out, "spawned\n");
		CHECK_EQ(read(pipe_[0], out, 1), 0);
		(void)close(pipe_[0]);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 3);
		CHECK(posix_spawn(&child, "/no/such/program", NULL, NULL, argv, env) != 0);
		(void)posix_spawn_file_actions_destroy(&actions);
		(void)posix_spawnattr_destroy(&attr);
	}
	return victim_end();
}
