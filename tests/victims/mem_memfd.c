/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_memfd.c - a memfd keeps bytes, size and seals, seen through its mapping and through its
 * descriptor
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (64 << 10)

static unsigned char back[SIZE];

int main(void)
{
	int fd = memfd_create("victim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	unsigned char *at;
	uint64_t seed = 21;

	NEED(fd >= 0 && ftruncate(fd, SIZE) == 0);
	at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(at != MAP_FAILED);
	NEED(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	victim_fill(at, SIZE, seed);
	victim_ready();
	while (victim_round()) {
		CHECK(victim_is(at, SIZE, seed));
		CHECK_EQ(pread(fd, back, SIZE, 0), SIZE);
		CHECK(victim_is(back, SIZE, seed));
		victim_fill(back, SIZE, ++seed);
		CHECK_EQ(pwrite(fd, back, SIZE, 0), SIZE);
		CHECK(victim_is(at, SIZE, seed));
		CHECK_ERR(ftruncate(fd, SIZE / 2), EPERM);
		CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	}
	return victim_end();
}
