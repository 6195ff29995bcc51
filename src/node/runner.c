/* SPDX-License-Identifier: GPL-2.0-or-later */
/* runner.c - start comosix-runner on a stream */
#include "node/runner.h"

#include "os/spawn.h"

int runner_spawn(const char *path, int stream, pid_t *ret_pid, struct err *e)
{
	const char *const argv[] = { RUNNER_PROGRAM, NULL };
	/* it logs to where the daemon logs */
	const struct spawn s = {
		.path = path,
		.argv = argv,
		.fds = { stream, stream, 2 },
	};

	return spawn_program(&s, ret_pid, e);
}
