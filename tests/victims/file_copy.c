/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_copy.c - copy_file_range, sendfile and splice copy all bytes between files without reading
 * them
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define SIZE 100000

static unsigned char bytes[SIZE];

static void check_copy(int to, uint64_t seed)
{
	CHECK_EQ(pread(to, bytes, SIZE, 0), SIZE);
	CHECK(victim_is(bytes, SIZE, seed));
	CHECK_EQ(ftruncate(to, 0), 0);
	CHECK_EQ(lseek(to, 0, SEEK_SET), 0);
}

int main(void)
{
	uint64_t seed = 34;
	int from, to, pipe_[2];

	victim_scratch();
	from = open("from", O_RDWR | O_CREAT, 0600);
	to = open("to", O_RDWR | O_CREAT, 0600);
	NEED(from >= 0 && to >= 0 && pipe(pipe_) == 0);
	victim_ready();
	while (victim_round()) {
		off_t at = 0, in = 0, out = 0;
		ssize_t n = 0;

		victim_fill(bytes, SIZE, ++seed);
		CHECK_EQ(pwrite(from, bytes, SIZE, 0), SIZE);
		while (in < SIZE &&
		       (n = copy_file_range(from, &in, to, &out, SIZE - (size_t)in, 0)) > 0)
			;
		if (!(n < 0 && errno == EXDEV))
			check_copy(to, seed);
		while (at < SIZE && sendfile(to, from, &at, SIZE - (size_t)at) > 0)
			;
		CHECK_EQ(at, SIZE);
		check_copy(to, seed);
		at = 0;
		while (at < SIZE) {
			n = splice(from, &at, pipe_[1], NULL, SIZE - (size_t)at, 0);
			if (!CHECK(n > 0))
				break;
			while (n > 0) {
				ssize_t m = splice(pipe_[0], NULL, to, NULL, (size_t)n, 0);

				if (!CHECK(m > 0))
					break;
				n -= m;
			}
		}
		check_copy(to, seed);
	}
	return victim_end();
}
