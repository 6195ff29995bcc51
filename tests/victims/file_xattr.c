/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_xattr.c - extended attributes are set, read, listed and removed, by name and by descriptor
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

int main(void)
{
	char value[64], names[256];
	int fd, n = 0;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0);
	if (fsetxattr(fd, "user.kept", "for ever", 8, 0) < 0)
		victim_skip("this file system has no user attributes");
	victim_ready();
	while (victim_round()) {
		ssize_t len;

		CHECK_EQ(getxattr("file", "user.kept", value, sizeof(value)), 8);
		CHECK_MEM(value, "for ever", 8);
		CHECK_EQ(fsetxattr(fd, "user.n", &n, sizeof(n), XATTR_CREATE), 0);
		CHECK_ERR(fsetxattr(fd, "user.n", &n, sizeof(n), XATTR_CREATE), EEXIST);
		n++;
		CHECK_EQ(setxattr("file", "user.n", &n, sizeof(n), XATTR_REPLACE), 0);
		CHECK_EQ(fgetxattr(fd, "user.n", value, sizeof(value)), sizeof(n));
		CHECK_MEM(value, &n, sizeof(n));
		CHECK_ERR(fgetxattr(fd, "user.n", value, 1), ERANGE);
		len = flistxattr(fd, names, sizeof(names));
		CHECK(len > 0 && memmem(names, (size_t)len, "user.n", 7) != NULL);
		CHECK_EQ(fremovexattr(fd, "user.n"), 0);
		CHECK_ERR(fgetxattr(fd, "user.n", value, sizeof(value)), ENODATA);
	}
	return victim_end();
}
