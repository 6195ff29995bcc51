/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_uname.c - host name, domain and kernel version stay those of home, by call and in /proc */
#include "victim.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(void)
{
	char first_version[512], now_version[512], name[256], in_proc[256];
	struct utsname first, now;

	NEED(uname(&first) == 0);
	NEED(victim_slurp("/proc/version", first_version, sizeof(first_version)) > 0);
	victim_ready();
	while (victim_round()) {
		memset(&now, 0, sizeof(now));
		CHECK_EQ(uname(&now), 0);
		CHECK_STR(now.sysname, first.sysname);
		CHECK_STR(now.nodename, first.nodename);
		CHECK_STR(now.release, first.release);
		CHECK_STR(now.version, first.version);
		CHECK_STR(now.machine, first.machine);
		CHECK_STR(now.domainname, first.domainname);
		CHECK_EQ(gethostname(name, sizeof(name)), 0);
		CHECK_STR(name, first.nodename);
		CHECK(victim_slurp("/proc/sys/kernel/hostname", in_proc, sizeof(in_proc)) > 0);
		in_proc[strcspn(in_proc, "\n")] = '\0';
		CHECK_STR(in_proc, first.nodename);
		CHECK(victim_slurp("/proc/version", now_version, sizeof(now_version)) > 0);
		CHECK_STR(now_version, first_version);
	}
	return victim_end();
}
