/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_maps.c - /proc/self/maps shows the program's code, heap, stack and its own mappings with
 * their rights
 */
#include "victim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096

/* the rights of the mapping that holds an address, and what it is called; "" when there is none */
static void look_up(const void *address, char rights[8], char name[256])
{
	FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t from, to, at = (uintptr_t)address;
	char line[512];

	NEED(f != NULL);
	rights[0] = name[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		char r[8], n[256] = "";

		if (!CHECK(sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %*s %255s", &from,
				  &to, r, n) >= 3))
			continue;
		if (from <= at && at < to) {
			(void)snprintf(rights, 8, "%s", r);
			(void)snprintf(name, 256, "%s", n);
		}
	}
	(void)fclose(f);
}

int main(void)
{
	char rights[8], name[256], *heap = malloc(100), *mine;

	mine = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(heap != NULL && mine != MAP_FAILED && mprotect(mine + PAGE, PAGE, PROT_NONE) == 0);
	victim_ready();
	while (victim_round()) {
		look_up((void *)look_up, rights, name);
		CHECK_STR(rights, "r-xp");
		CHECK(strstr(name, "/mem_maps") != NULL);
		look_up(rights, rights, name);
		CHECK_STR(rights, "rw-p");
		CHECK_STR(name, "[stack]");
		look_up(heap, rights, name);
		CHECK_STR(name, "[heap]");
		look_up(mine, rights, name);
		CHECK_STR(rights, "rw-p");
		CHECK_STR(name, "");
		look_up(mine + PAGE, rights, name);
		CHECK_STR(rights, "---p");
		look_up(NULL, rights, name);
		CHECK_STR(rights, "");
	}
	return victim_end();
}
