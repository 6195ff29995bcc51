/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc_limit_memory.c - limits of address space and of data count what the program has, to the page
 */
#include "victim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE  4096UL
#define ROOM  (256 * PAGE)
#define OTHER (8UL << 20)

/* a line of /proc/self/status in bytes */
static rlim_t in_status(const char *key)
{
	static char text[8192];
	unsigned long kib = 0;
	char *line;

	if (!CHECK(victim_slurp("/proc/self/status", text, sizeof(text)) > 0))
		return 0;
	line = strstr(text, key);
	CHECK(line && sscanf(line + strlen(key), "%lu", &kib) == 1);
	return kib * 1024;
}

static void *map(size_t n)
{
	return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* just as much as it has, and ROOM more */
static void limit_is_exact(int which, const char *key)
{
	struct rlimit was, tight, got;
	char *at;

	CHECK_EQ(getrlimit(which, &was), 0);
	tight = was;
	tight.rlim_cur = in_status(key) + ROOM;
	CHECK_EQ(setrlimit(which, &tight), 0);
	CHECK_EQ(getrlimit(which, &got), 0);
	CHECK_EQ(got.rlim_cur, tight.rlim_cur);
	CHECK_EQ(got.rlim_max, was.rlim_max);
	CHECK(map(OTHER) == MAP_FAILED);
	at = map(ROOM);
	CHECK(at != MAP_FAILED);
	CHECK(map(PAGE) == MAP_FAILED);
	CHECK_EQ(errno, ENOMEM);
	if (at != MAP_FAILED) {
		memset(at, 1, ROOM);
		CHECK_EQ(munmap(at, ROOM), 0);
	}
	tight.rlim_cur = tight.rlim_max;
	CHECK_EQ(setrlimit(which, &tight), 0);
	at = map(OTHER);
	CHECK(at != MAP_FAILED && munmap(at, OTHER) == 0);
}

int main(void)
{
	struct rlimit l = { 1UL << 40, 1UL << 40 }, more = { 1UL << 40, 1UL << 41 };

	/* hard ones, which nobody without rights may raise */
	NEED(setrlimit(RLIMIT_AS, &l) == 0 && setrlimit(RLIMIT_DATA, &l) == 0);
	victim_ready();
	while (victim_round()) {
		limit_is_exact(RLIMIT_AS, "VmSize:");
		limit_is_exact(RLIMIT_DATA, "VmData:");
		CHECK_ERR(setrlimit(RLIMIT_AS, &more), EPERM);
		l.rlim_cur = l.rlim_max + 1;
		CHECK_ERR(setrlimit(RLIMIT_DATA, &l), EINVAL);
		l.rlim_max -= PAGE;
		l.rlim_cur = l.rlim_max;
		CHECK_EQ(prlimit(getpid(), RLIMIT_DATA, &l, &more), 0);
		CHECK_EQ(more.rlim_max, l.rlim_max + PAGE);
		more.rlim_max = 1UL << 41;
	}
	return victim_end();
}
