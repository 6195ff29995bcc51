/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_timerfd.c - timerfds count their expirations, never too many, tell what is left and can be
 * polled
 */
#include "victim.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PERIOD_NS (2 * 1000 * 1000)

int main(void)
{
	struct itimerspec every = { { 0, PERIOD_NS }, { 0, PERIOD_NS } }, left, none = { 0 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	int far_ = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
	int64_t began, armed, after;
	uint64_t n, sum = 0;

	NEED(fd >= 0 && far_ >= 0);
	after = victim_now(CLOCK_BOOTTIME) + 3600 * NS_PER_S;
	NEED(timerfd_settime(
		     far_, TFD_TIMER_ABSTIME,
		     &(struct itimerspec){ { 0, 0 }, { after / NS_PER_S, after % NS_PER_S } },
		     NULL) == 0);
	began = victim_now(CLOCK_MONOTONIC);
	NEED(timerfd_settime(fd, 0, &every, NULL) == 0);
	armed = victim_now(CLOCK_MONOTONIC);
	victim_ready();
	while (victim_round()) {
		struct pollfd p = { fd, POLLIN, 0 };

		CHECK_EQ(poll(&p, 1, -1), 1);
		CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
		sum += n;
		CHECK(n > 0 && sum <= (victim_now(CLOCK_MONOTONIC) - began) / PERIOD_NS);
		CHECK_EQ(timerfd_gettime(fd, &left), 0);
		CHECK_EQ(left.it_interval.tv_nsec, PERIOD_NS);
		CHECK_ERR(read(far_, &n, sizeof(n)), EAGAIN);
		CHECK_EQ(timerfd_gettime(far_, &left), 0);
		CHECK(left.it_value.tv_sec <= 3600 && left.it_value.tv_sec > 1800);
	}
	/* all that are due by now were counted: not one expiration is missing either */
	after = victim_now(CLOCK_MONOTONIC);
	CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	CHECK((int64_t)(sum + n) >= (after - armed) / PERIOD_NS);
	CHECK_EQ(timerfd_settime(fd, 0, &none, &left), 0);
	return victim_end();
}
