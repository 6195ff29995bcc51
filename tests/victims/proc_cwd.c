/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_cwd.c - the working directory is kept, changed by name and by descriptor, and named in /proc
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[PATH_MAX - 16];

static void check_at(const char *below)
{
	char want[PATH_MAX], got[PATH_MAX];
	ssize_t n;

	(void)snprintf(want, sizeof(want), "%s%s", top, below);
	CHECK_STR(getcwd(got, sizeof(got)), want);
	n = readlink("/proc/self/cwd", got, sizeof(got) - 1);
	if (CHECK(n > 0)) {
		got[n] = '\0';
		CHECK_STR(got, want);
	}
}

int main(void)
{
	char gone[PATH_MAX];
	int a;

	victim_scratch();
	NEED(getcwd(top, sizeof(top)) != NULL && mkdir("a", 0700) == 0 && mkdir("a/b", 0700) == 0);
	a = open("a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	NEED(a >= 0);
	victim_ready();
	while (victim_round()) {
		check_at("");
		CHECK_EQ(chdir("a/b"), 0);
		check_at("/a/b");
		CHECK_EQ(fchdir(a), 0);
		check_at("/a");
		CHECK_EQ(access("b", F_OK), 0);
		CHECK_ERR(chdir("nowhere"), ENOENT);
		CHECK_EQ(mkdir("gone", 0700), 0);
		CHECK_EQ(chdir("gone"), 0);
		CHECK_EQ(rmdir("../gone"), 0);
		CHECK(getcwd(gone, sizeof(gone)) == NULL && errno == ENOENT);
		CHECK_ERR(access("x", F_OK), ENOENT);
		CHECK_EQ(chdir(".."), 0);
		check_at("/a");
		CHECK_EQ(chdir(top), 0);
	}
	return victim_end();
}
