/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_file_overlaid.c - a file is mapped over its end, and something else over that part, as the dynamic
 * linker does: each reads as what it is
 */
#include "victim.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMES  4
#define BEYOND (64 << 10)
#define PAGE   4096UL

static int find_libc(struct dl_phdr_info *info, size_t size, void *path)
{
	if (!strstr(info->dlpi_name, "libc.so") && !strstr(info->dlpi_name, "libc.musl"))
		return 0;
	(void)strncpy(path, info->dlpi_name, 255);
	return 1;
}

static void once(int fd, size_t size, uint64_t seed)
{
	size_t inside = (size + PAGE - 1) & ~(PAGE - 1);
	char magic[SELFMAG], *map, *over;

	map = mmap(NULL, inside + BEYOND, PROT_READ, MAP_PRIVATE, fd, 0);
	NEED(map != MAP_FAILED);
	over = mmap(map + inside, BEYOND, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	NEED(over == map + inside);
	victim_fill(over, BEYOND, seed);
	(void)memcpy(magic, map, sizeof(magic));
	CHECK_MEM(magic, ELFMAG, sizeof(magic));
	CHECK(victim_is(over, BEYOND, seed));
	CHECK_EQ(munmap(map, inside + BEYOND), 0);
}

int main(void)
{
	char path[256] = "";
	uint64_t seed = 1;
	struct stat st;
	int fd;

	NEED(dl_iterate_phdr(find_libc, path) == 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	NEED(fd >= 0 && fstat(fd, &st) == 0);
	victim_ready();
	while (victim_round())
		for (int i = 0; i < TIMES; i++)
			once(fd, (size_t)st.st_size, seed++);
	return victim_end();
}
