/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipe_splice.c - tee doubles what is in a pipe, splice moves it on, vmsplice puts memory into it
 */
#include "victim.h"

#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SIZE 8000

int main(void)
{
	static unsigned char bytes[SIZE], got[SIZE];
	int a[2], b[2];
	uint64_t seed = 36;

	NEED(pipe(a) == 0 && pipe(b) == 0);
	victim_ready();
	while (victim_round()) {
		struct iovec v = { bytes, SIZE };

		victim_fill(bytes, SIZE, ++seed);
		CHECK_EQ(write(a[1], bytes, SIZE), SIZE);
		CHECK_EQ(tee(a[0], b[1], SIZE, 0), SIZE);
		CHECK_EQ(read(a[0], got, SIZE), SIZE);
		CHECK_MEM(got, bytes, SIZE);
		memset(got, 0, SIZE);
		CHECK_EQ(splice(b[0], NULL, a[1], NULL, SIZE, 0), SIZE);
		CHECK_EQ(read(a[0], got, SIZE), SIZE);
		CHECK_MEM(got, bytes, SIZE);
		memset(got, 0, SIZE);
		CHECK_EQ(vmsplice(a[1], &v, 1, 0), SIZE);
		CHECK_EQ(read(a[0], got, SIZE), SIZE);
		CHECK_MEM(got, bytes, SIZE);
	}
	return victim_end();
}
