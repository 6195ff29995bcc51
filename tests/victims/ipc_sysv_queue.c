/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipc_sysv_queue.c - a System V message queue keeps messages by type and in order, between parent
 * and child
 */
#include "victim.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

struct note {
	long type;
	char text[32];
};

static int queue;

static void answer(void *unused)
{
	struct note n;

	CHECK_EQ(msgrcv(queue, &n, sizeof(n.text), 1, 0), 6);
	n.type = 2;
	CHECK_EQ(msgsnd(queue, &n, 6, 0), 0);
}

int main(void)
{
	queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	NEED(queue >= 0);
	victim_ready();
	while (victim_round()) {
		struct note n = { 3, "third" }, first = { 1, "first" };
		struct msqid_ds ds;
		pid_t child;

		CHECK_EQ(msgsnd(queue, &n, 6, 0), 0);
		CHECK_EQ(msgsnd(queue, &first, 6, 0), 0);
		child = victim_child(answer, NULL);
		CHECK_EQ(msgrcv(queue, &n, sizeof(n.text), 2, 0), 6);
		CHECK_STR(n.text, "first");
		victim_reap(child);
		CHECK_EQ(msgctl(queue, IPC_STAT, &ds), 0);
		CHECK_EQ(ds.msg_qnum, 1);
		CHECK_EQ(msgrcv(queue, &n, sizeof(n.text), 0, 0), 6);
		CHECK_STR(n.text, "third");
		CHECK_ERR(msgrcv(queue, &n, sizeof(n.text), 0, IPC_NOWAIT), ENOMSG);
	}
	CHECK_EQ(msgctl(queue, IPC_RMID, NULL), 0);
	return victim_end();
}
