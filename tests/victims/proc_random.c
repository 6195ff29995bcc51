/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_random.c - random numbers come in the length asked for and never twice the same */
#include "victim.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define LEN 32

int main(void)
{
	unsigned char now[LEN], last[LEN] = { 0 }, by_file[LEN];
	int fd = open("/dev/urandom", O_RDONLY);

	NEED(fd >= 0);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(getrandom(now, LEN, 0), LEN);
		CHECK(memcmp(now, last, LEN) != 0);
		memcpy(last, now, LEN);
		CHECK_EQ(getrandom(now, 0, 0), 0);
		CHECK_EQ(getentropy(now, LEN), 0);
		CHECK(memcmp(now, last, LEN) != 0);
		CHECK_EQ(read(fd, by_file, LEN), LEN);
		CHECK(memcmp(by_file, now, LEN) != 0);
	}
	return victim_end();
}
