/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_eventfd.c - an eventfd adds what is written, gives it at once or one by one, and says when
 * it is full
 */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int main(void)
{
	int sum = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	    ones = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
	uint64_t kept = 0, seed = 35;

	NEED(sum >= 0 && ones >= 0);
	victim_ready();
	while (victim_round()) {
		struct pollfd p = { sum, POLLIN | POLLOUT, 0 };
		uint64_t v, full = UINT64_MAX - 1;

		/* what the last round left in it */
		if (kept) {
			CHECK_EQ(read(sum, &v, sizeof(v)), sizeof(v));
			CHECK_EQ(v, kept);
		}
		CHECK_ERR(read(sum, &v, sizeof(v)), EAGAIN);
		CHECK_EQ(poll(&p, 1, 0), 1);
		CHECK_EQ(p.revents, POLLOUT);
		CHECK_EQ(write(sum, &full, sizeof(full)), sizeof(full));
		CHECK_ERR(write(sum, &full, sizeof(full)), EAGAIN);
		CHECK_EQ(poll(&p, 1, 0), 1);
		CHECK_EQ(p.revents, POLLIN);
		CHECK_EQ(read(sum, &v, sizeof(v)), sizeof(v));
		CHECK_EQ(v, full);
		kept = 1 + victim_random(&seed) % 1000;
		CHECK_EQ(write(sum, &kept, sizeof(kept)), sizeof(kept));

		for (int i = 0; i < 3; i++) {
			CHECK_EQ(read(ones, &v, sizeof(v)), sizeof(v));
			CHECK_EQ(v, 1);
		}
		CHECK_ERR(read(ones, &v, sizeof(v)), EAGAIN);
		v = 3;
		CHECK_EQ(write(ones, &v, sizeof(v)), sizeof(v));
	}
	return victim_end();
}
