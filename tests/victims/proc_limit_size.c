/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc_limit_size.c - a write beyond the limit of file sizes fails, and its thread gets SIGXFSZ, once */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIMIT 5000

static volatile sig_atomic_t said;
static pthread_t writer;

static void on_signal(int signal)
{
	said += pthread_equal(pthread_self(), writer) ? 1 : 100;
}

static void *write_on(void *arg)
{
	int fd = *(int *)arg;

	writer = pthread_self();
	while (victim_round()) {
		int before = said;

		CHECK_EQ(ftruncate(fd, 0), 0);
		CHECK_EQ(pwrite(fd, "12345678", 8, LIMIT - 8), 8);
		CHECK_EQ(pwrite(fd, "12345678", 8, LIMIT - 3), 3);
		CHECK_EQ(said, before);
		CHECK_ERR(pwrite(fd, "1", 1, LIMIT), EFBIG);
		CHECK_EQ(said, before + 1);
		CHECK_ERR(ftruncate(fd, LIMIT + 1), EFBIG);
		CHECK_EQ(said, before + 2);
	}
	return NULL;
}

int main(void)
{
	struct rlimit l;
	pthread_t thread;
	int fd;

	victim_scratch();
	(void)signal(SIGXFSZ, on_signal);
	fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	NEED(fd >= 0 && getrlimit(RLIMIT_FSIZE, &l) == 0);
	l.rlim_cur = LIMIT;
	NEED(setrlimit(RLIMIT_FSIZE, &l) == 0);
	victim_ready();
	NEED(pthread_create(&thread, NULL, write_on, &fd) == 0);
	NEED(pthread_join(thread, NULL) == 0);
	return victim_end();
}
