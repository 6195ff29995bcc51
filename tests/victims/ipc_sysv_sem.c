/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipc_sysv_sem.c - System V semaphores: sets changed as one, waited for, and undone when a process
 * ends
 */
#include "victim.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/sem.h>

static int set;

static void take_and_end(void *unused)
{
	struct sembuf both[2] = { { 0, -1, SEM_UNDO }, { 1, -2, SEM_UNDO } };

	CHECK_EQ(semop(set, both, 2), 0);
	CHECK_EQ(semctl(set, 1, GETVAL), 0);
}

int main(void)
{
	struct sembuf give[2] = { { 0, 1, 0 }, { 1, 2, 0 } },
		      take[2] = { { 0, -1, 0 }, { 1, -2, 0 } };
	struct sembuf too_much = { 0, -9, IPC_NOWAIT };
	const struct timespec brief = { 0, 2 * 1000 * 1000 };

	set = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
	NEED(set >= 0);
	victim_ready();
	while (victim_round()) {
		int64_t began;

		CHECK_EQ(semop(set, give, 2), 0);
		CHECK_EQ(semctl(set, 0, GETVAL), 1);
		victim_reap(victim_child(take_and_end, NULL));
		CHECK_EQ(semctl(set, 0, GETVAL), 1);
		CHECK_EQ(semctl(set, 1, GETVAL), 2);
		CHECK_EQ(semop(set, take, 2), 0);
		CHECK_ERR(semop(set, &too_much, 1), EAGAIN);
		began = victim_now(CLOCK_MONOTONIC);
		CHECK_ERR(semtimedop(set, take, 2, &brief), EAGAIN);
		CHECK(victim_now(CLOCK_MONOTONIC) - began >= brief.tv_nsec);
	}
	CHECK_EQ(semctl(set, 0, IPC_RMID), 0);
	return victim_end();
}
