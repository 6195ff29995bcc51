/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_self_exe.c - /proc/self/exe names the program, and what it opens is that program's file */
#include "victim.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static size_t whole(int fd, char *to, size_t size)
{
	ssize_t n = pread(fd, to, size, 0);

	return n > 0 ? (size_t)n : 0;
}

int main(void)
{
	static char a[100000], b[100000];
	char first[PATH_MAX], now[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", first, sizeof(first) - 1);
	int by_name, by_proc;

	NEED(n > 0);
	first[n] = '\0';
	by_name = open(first, O_RDONLY);
	NEED(by_name >= 0);
	victim_ready();
	while (victim_round()) {
		n = readlink("/proc/self/exe", now, sizeof(now) - 1);
		if (CHECK(n > 0)) {
			now[n] = '\0';
			CHECK_STR(now, first);
		}
		CHECK(strstr(now, "/proc_self_exe") != NULL);
		by_proc = open("/proc/self/exe", O_RDONLY);
		CHECK(by_proc >= 0);
		CHECK_EQ(whole(by_proc, a, sizeof(a)), whole(by_name, b, sizeof(b)));
		CHECK_MEM(a, b, sizeof(a));
		CHECK_EQ(close(by_proc), 0);
		CHECK(getauxval(AT_EXECFN) != 0);
	}
	return victim_end();
}
