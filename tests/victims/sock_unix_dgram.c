/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock_unix_dgram.c - datagrams and sequenced packets keep their boundaries, names and order, and
 * are cut if asked
 */
#include "victim.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX }, from;
	int to, pair[2], n = 0, sender;
	char got[64];
	socklen_t len;

	/* an abstract name: it is in the network namespace, not in a directory */
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			  snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "victim-%d",
				   getpid()));
	to = socket(AF_UNIX, SOCK_DGRAM, 0);
	sender = socket(AF_UNIX, SOCK_DGRAM, 0);
	NEED(to >= 0 && sender >= 0 && bind(to, (void *)&name, len) == 0);
	NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	NEED(bind(sender, (void *)&(struct sockaddr_un){ .sun_family = AF_UNIX },
		  sizeof(sa_family_t)) == 0);
	victim_ready();
	while (victim_round()) {
		char a[32], b[32];
		socklen_t from_len = sizeof(from);

		(void)snprintf(a, sizeof(a), "first %d", n);
		(void)snprintf(b, sizeof(b), "the second %d", n++);
		CHECK_EQ(sendto(sender, a, strlen(a), 0, (void *)&name, len), strlen(a));
		CHECK_EQ(sendto(sender, b, strlen(b), 0, (void *)&name, len), strlen(b));
		CHECK_EQ(recvfrom(to, got, sizeof(got), 0, (void *)&from, &from_len), strlen(a));
		CHECK_MEM(got, a, strlen(a));
		CHECK(from_len > sizeof(sa_family_t) && from.sun_path[0] == '\0');
		CHECK_EQ(recv(to, got, 3, MSG_TRUNC), strlen(b));

		CHECK_EQ(send(pair[0], a, strlen(a), 0), strlen(a));
		CHECK_EQ(send(pair[0], b, strlen(b), MSG_EOR), strlen(b));
		CHECK_EQ(recv(pair[1], got, sizeof(got), 0), strlen(a));
		CHECK_EQ(recv(pair[1], got, sizeof(got), 0), strlen(b));
		CHECK_MEM(got, b, strlen(b));
		CHECK_EQ(recv(pair[1], got, sizeof(got), MSG_DONTWAIT), -1);
	}
	return victim_end();
}
