/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_setuid.c - root's children become another user for good, and the permissions are that user's
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

static void become(void *unused)
{
	gid_t group = NOBODY;

	CHECK_EQ(setgroups(1, &group), 0);
	CHECK_EQ(setresgid(NOBODY, NOBODY, NOBODY), 0);
	CHECK_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
	CHECK_EQ(getuid(), NOBODY);
	CHECK_EQ(geteuid(), NOBODY);
	CHECK_EQ(getegid(), NOBODY);
	CHECK_ERR(open("private", O_RDONLY), EACCES);
	CHECK_ERR(setuid(0), EPERM);
}

int main(void)
{
	int fd;

	if (geteuid() != 0)
		victim_skip("only root becomes others");
	victim_scratch();
	NEED(chmod(".", 0755) == 0);
	fd = open("private", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0);
	victim_ready();
	while (victim_round()) {
		int again = open("private", O_RDONLY);

		CHECK(again >= 0);
		(void)close(again);
		victim_reap(victim_child(become, NULL));
		CHECK_EQ(seteuid(NOBODY), 0);
		CHECK_ERR(open("private", O_RDONLY), EACCES);
		CHECK_EQ(seteuid(0), 0);
	}
	return victim_end();
}
