/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_message.c - waits in msgrcv() and in semop() until another process sends and gives */
#include "victim.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

struct note {
	long type;
	char text[8];
};

static int queue, sem;

static void wake(void *unused)
{
	struct note n = { 4, "waking" };
	struct sembuf give = { 0, 1, 0 };

	CHECK_EQ(msgsnd(queue, &n, sizeof(n.text), 0), 0);
	victim_pause(2 * 1000 * 1000);
	CHECK_EQ(semop(sem, &give, 1), 0);
}

int main(void)
{
	struct sembuf take = { 0, -1, 0 };
	struct waker waker;
	struct note n;

	queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	sem = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	NEED(queue >= 0 && sem >= 0);
	waker = victim_waker(wake, NULL);
	while (victim_round()) {
		victim_wait(&waker);
		CHECK_EQ(msgrcv(queue, &n, sizeof(n.text), 4, 0), sizeof(n.text));
		CHECK_STR(n.text, "waking");
		CHECK_EQ(semop(sem, &take, 1), 0);
	}
	victim_waker_end(&waker);
	CHECK_EQ(msgctl(queue, IPC_RMID, NULL), 0);
	CHECK_EQ(semctl(sem, 0, IPC_RMID), 0);
	return victim_end();
}
