/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipc_sysv_shm.c - a System V shared segment, attached by this process alone, holds its bytes */
#include "victim.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#define SIZE 100000

int main(void)
{
	int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
	unsigned char *at = id >= 0 ? shmat(id, NULL, 0) : NULL;
	uint64_t seed = 41;

	NEED(at != NULL && at != (void *)-1 && shmctl(id, IPC_RMID, NULL) == 0);
	victim_fill(at, SIZE, seed);
	victim_ready();
	while (victim_round()) {
		struct shmid_ds ds;

		CHECK(victim_is(at, SIZE, seed));
		victim_fill(at, SIZE, ++seed);
		CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
		CHECK_EQ(ds.shm_nattch, 1);
		CHECK_EQ(ds.shm_segsz, SIZE);
	}
	CHECK_EQ(shmdt(at), 0);
	return victim_end();
}
