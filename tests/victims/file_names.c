/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_names.c - files are renamed, exchanged, linked and unlinked, and the open ones go on under
 * any name or none
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void make(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	NEED(fd >= 0 && write(fd, name, 1) == 1 && close(fd) == 0);
}

static char first_of(const char *name)
{
	char c = '-';
	int fd = open(name, O_RDONLY);

	if (CHECK(fd >= 0)) {
		CHECK_EQ(read(fd, &c, 1), 1);
		(void)close(fd);
	}
	return c;
}

int main(void)
{
	struct stat a, b;
	char to[PATH_MAX];
	int fd;

	victim_scratch();
	victim_ready();
	while (victim_round()) {
		ssize_t n;

		make("a");
		make("b");
		CHECK_EQ(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), -1);
		CHECK_EQ(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE), 0);
		CHECK_EQ(first_of("a"), 'b');
		CHECK_EQ(first_of("b"), 'a');
		CHECK_EQ(link("a", "c"), 0);
		CHECK_EQ(stat("a", &a), 0);
		CHECK_EQ(stat("c", &b), 0);
		CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
		CHECK_EQ(symlink("c", "s"), 0);
		n = readlink("s", to, sizeof(to));
		CHECK_EQ(n, 1);
		CHECK_EQ(lstat("s", &b), 0);
		CHECK(S_ISLNK(b.st_mode));
		CHECK_EQ(first_of("s"), 'b');
		CHECK_EQ(rename("b", "a"), 0);
		CHECK_EQ(first_of("a"), 'a');
		CHECK_ERR(stat("b", &b), ENOENT);

		fd = open("c", O_RDWR);
		NEED(fd >= 0);
		CHECK_EQ(unlink("c"), 0);
		CHECK_EQ(fstat(fd, &a), 0);
		CHECK_EQ(a.st_nlink, 0);
		CHECK_EQ(pwrite(fd, "still", 5, 0), 5);
		CHECK_EQ(pread(fd, to, 5, 0), 5);
		CHECK_MEM(to, "still", 5);
		CHECK_EQ(close(fd), 0);
		CHECK_ERR(open("s", O_RDONLY), ENOENT);
		CHECK_EQ(unlink("s"), 0);
		CHECK_EQ(unlink("a"), 0);
		CHECK_ERR(unlink("a"), ENOENT);
	}
	return victim_end();
}
