/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_limit_lock.c - as much memory can be locked as the limit says, and no more */
#include "victim.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB 1024UL

int main(void)
{
	struct rlimit l;
	char *at;

	NEED(getrlimit(RLIMIT_MEMLOCK, &l) == 0);
	if (geteuid() == 0)
		victim_skip("root may lock all memory");
	if (l.rlim_max < 256 * KIB)
		victim_skip("too little memory may be locked here (ulimit -Hl)");
	l.rlim_cur = 256 * KIB;
	NEED(setrlimit(RLIMIT_MEMLOCK, &l) == 0);
	at = mmap(NULL, 512 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(at != MAP_FAILED);
	victim_ready();
	for (int round = 0; victim_round(); round++) {
		unsigned long n = round % 8 == 7 ? 256 * KIB : 32 * KIB;

		CHECK_EQ(mlock(at, n), 0);
		CHECK_ERR(mlock(at, 512 * KIB), ENOMEM);
		CHECK_EQ(munlock(at, 512 * KIB), 0);
	}
	return victim_end();
}
