/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_stat.c - stat, statx, chmod, utimensat and fstatfs tell and set size, rights, times and kind
 * of a file
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

int main(void)
{
	struct statfs fs, fs_now;
	struct stat st, first;
	struct statx stx;
	mode_t mode = 0600;
	int fd;

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0 && write(fd, "12345", 5) == 5 && fstat(fd, &first) == 0 &&
	     fstatfs(fd, &fs) == 0);
	victim_ready();
	while (victim_round()) {
		struct timespec times[2] = { { 1000000, 123456789 }, { 2000000, 5 } };

		mode = mode == 0600 ? 0644 : 0600;
		CHECK_EQ(fchmod(fd, mode), 0);
		CHECK_EQ(futimens(fd, times), 0);
		CHECK_EQ(stat("file", &st), 0);
		CHECK_EQ(st.st_mode, S_IFREG | mode);
		CHECK_EQ(st.st_size, 5);
		CHECK_EQ(st.st_ino, first.st_ino);
		CHECK_EQ(st.st_dev, first.st_dev);
		CHECK_EQ(st.st_uid, geteuid());
		CHECK_EQ(st.st_atim.tv_sec, 1000000);
		CHECK_EQ(st.st_atim.tv_nsec, 123456789);
		CHECK_EQ(st.st_mtim.tv_sec, 2000000);
		CHECK(st.st_ctim.tv_sec >= first.st_ctim.tv_sec);
		CHECK_EQ(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &stx), 0);
		CHECK_EQ(stx.stx_ino, first.st_ino);
		CHECK_EQ(stx.stx_mode, S_IFREG | mode);
		CHECK_EQ(stx.stx_dev_minor, minor(first.st_dev));
		CHECK_EQ(utimensat(AT_FDCWD, "file", NULL, 0), 0);
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK(st.st_mtim.tv_sec >= first.st_mtim.tv_sec);
		CHECK_EQ(fstatfs(fd, &fs_now), 0);
		CHECK_EQ(fs_now.f_type, fs.f_type);
		CHECK_EQ(stat("/dev/null", &st), 0);
		CHECK(S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 && minor(st.st_rdev) == 3);
		CHECK_ERR(stat("file/below", &st), ENOTDIR);
		CHECK_EQ(faccessat(AT_FDCWD, "file", R_OK | W_OK, 0), 0);
	}
	return victim_end();
}
