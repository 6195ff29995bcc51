/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock_sendfile.c - a file is sent into a socket by sendfile, and its offset follows */
#include "victim.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE 60000

int main(void)
{
	static unsigned char bytes[SIZE];
	int fd, pair[2];

	victim_scratch();
	fd = open("file", O_RDWR | O_CREAT, 0600);
	victim_fill(bytes, SIZE, 1);
	NEED(fd >= 0 && write(fd, bytes, SIZE) == SIZE &&
	     socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	victim_ready();
	while (victim_round()) {
		size_t done = 0;

		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		while (done < SIZE) {
			ssize_t n = sendfile(pair[0], fd, NULL, 9000);

			if (!CHECK(n > 0))
				break;
			CHECK_EQ(recv(pair[1], bytes + done, (size_t)n, MSG_WAITALL), n);
			done += (size_t)n;
			CHECK_EQ(lseek(fd, 0, SEEK_CUR), done);
		}
		CHECK(victim_is(bytes, SIZE, 1));
		CHECK_EQ(sendfile(pair[0], fd, NULL, 1), 0);
	}
	return victim_end();
}
