/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_by_pid.c - a process reads and writes its own memory by process_vm_readv() and by
 * /proc/self/mem
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define SIZE 10000

int main(void)
{
	static unsigned char a[SIZE], b[SIZE];
	uint64_t seed = 24;
	int mem = open("/proc/self/mem", O_RDWR);

	NEED(mem >= 0);
	victim_ready();
	while (victim_round()) {
		struct iovec from = { a, SIZE }, to = { b, SIZE }, nowhere = { (void *)64, 8 };

		victim_fill(a, SIZE, victim_random(&seed));
		CHECK_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), SIZE);
		CHECK(victim_is(b, SIZE, seed));
		victim_fill(b, SIZE, victim_random(&seed));
		CHECK_EQ(process_vm_writev(getpid(), &to, 1, &from, 1, 0), SIZE);
		CHECK(victim_is(a, SIZE, seed));
		CHECK_ERR(process_vm_readv(getpid(), &to, 1, &nowhere, 1, 0), EFAULT);
		victim_fill(a, SIZE, victim_random(&seed));
		CHECK_EQ(pread(mem, b, SIZE, (off_t)(uintptr_t)a), SIZE);
		CHECK(victim_is(b, SIZE, seed));
		CHECK_EQ(pwrite(mem, "new", 4, (off_t)(uintptr_t)a), 4);
		CHECK_STR((char *)a, "new");
	}
	return victim_end();
}
