/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thread_stacks.c - threads with stacks of 16 KiB to 64 MiB, own memory among them, use them to
 * their depth
 */
#include "victim.h"

#include <pthread.h>
#include <sys/mman.h>

#define N_SIZES 4
#define FRAME	1000

static const size_t sizes[N_SIZES] = { 16 << 10, 1 << 20, 8 << 20, 64 << 20 };

static int descend(int depth)
{
	volatile unsigned char frame[FRAME];
	int below;

	victim_fill((void *)frame, sizeof(frame), depth);
	below = depth == 0 ? 0 : descend(depth - 1);
	return below + victim_is((void *)frame, sizeof(frame), depth);
}

static void *use(void *arg)
{
	size_t size = *(const size_t *)arg;
	int depth = (int)(size > 2 << 20 ? (1 << 20) / FRAME : size / FRAME / 4);

	CHECK_EQ(descend(depth), depth + 1);
	victim_pause(500 * 1000);
	return NULL;
}

int main(void)
{
	void *own = mmap(NULL, sizes[1], PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	NEED(own != MAP_FAILED);
	victim_ready();
	while (victim_round()) {
		pthread_t threads[N_SIZES];

		for (int i = 0; i < N_SIZES; i++) {
			pthread_attr_t a;

			NEED(pthread_attr_init(&a) == 0);
			if (i == 1)
				CHECK_EQ(pthread_attr_setstack(&a, own, sizes[i]), 0);
			else
				CHECK_EQ(pthread_attr_setstacksize(&a, sizes[i]), 0);
			NEED(pthread_create(&threads[i], &a, use, (void *)&sizes[i]) == 0);
			(void)pthread_attr_destroy(&a);
		}
		for (int i = 0; i < N_SIZES; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
	}
	return victim_end();
}
