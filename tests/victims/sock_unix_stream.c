/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock_unix_stream.c - a stream between Unix sockets, over a name in the file system, with half
 * closes
 */
#include "victim.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SIZE 3000

int main(void)
{
	static unsigned char bytes[SIZE], got[SIZE];
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" }, peer;
	int listener, a, b;
	uint64_t seed = 37;

	victim_scratch();
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	NEED(listener >= 0 && bind(listener, (void *)&name, sizeof(name)) == 0 &&
	     listen(listener, 5) == 0);
	victim_ready();
	while (victim_round()) {
		socklen_t len = sizeof(peer);

		a = socket(AF_UNIX, SOCK_STREAM, 0);
		CHECK_EQ(connect(a, (void *)&name, sizeof(name)), 0);
		b = accept(listener, NULL, NULL);
		NEED(a >= 0 && b >= 0);
		CHECK_EQ(getpeername(a, (void *)&peer, &len), 0);
		CHECK_STR(peer.sun_path, "socket");
		victim_fill(bytes, SIZE, ++seed);
		CHECK_EQ(send(a, bytes, SIZE, 0), SIZE);
		CHECK_EQ(recv(b, got, SIZE, MSG_PEEK | MSG_WAITALL), SIZE);
		memset(got, 0, SIZE);
		CHECK_EQ(recv(b, got, SIZE, MSG_WAITALL), SIZE);
		CHECK_MEM(got, bytes, SIZE);
		CHECK_EQ(shutdown(a, SHUT_WR), 0);
		CHECK_EQ(recv(b, got, SIZE, 0), 0);
		CHECK_ERR(send(a, bytes, 1, MSG_NOSIGNAL), EPIPE);
		CHECK_EQ(send(b, "back", 4, 0), 4);
		CHECK_EQ(recv(a, got, SIZE, 0), 4);
		CHECK_ERR(recv(a, got, SIZE, MSG_DONTWAIT), EAGAIN);
		CHECK_EQ(close(a) | close(b), 0);
	}
	return victim_end();
}
