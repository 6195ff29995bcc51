/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checkpoint_victim.c - a process that depends on all that goes back with it to an image
 *
 * Usage: checkpoint_victim HOW OUTPUT INPUT STOP
 *
 * Each round it adds to a chain of digests: its number, the next byte of INPUT (whose descriptor stays
 * open, so its offset counts), a byte of memory that it writes all over, and what a thread has
 * computed that is made for the round and ends with it. A line with number and digest is appended to
 * OUTPUT. It ends with 42 once STOP exists. If anything went back without the rest, the chain breaks.
 *
 *	quiet	one descriptor of OUTPUT from beginning to end
 *	reopen	OUTPUT is opened and closed for each line, INPUT for each hundred
 *	loud	quiet, and says each number on standard output
 *	large	quiet, and writes to 32 MiB in each round
 *	self	quiet, and sends itself a signal in each round: its handler counts them
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SMALL (1U << 20)
#define LARGE (32U << 20)
#define PAGE  4096

static uint64_t from_thread;
static volatile sig_atomic_t signals;

static void on_signal(int signo)
{
	(void)signo;
	signals++;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	return ((h ^ v) * 0x100000001b3ULL) ^ (h >> 29);
}

static void *in_thread(void *arg)
{
	from_thread = mix(*(uint64_t *)arg, 7);
	return NULL;
}

static int must(int r, const char *what)
{
	if (r < 0) {
		perror(what);
		exit(1);
	}
	return r;
}

/* a ring */
static uint8_t next_byte(int fd)
{
	uint8_t byte;
	ssize_t n = read(fd, &byte, 1);

	if (n == 0) {
		must((int)lseek(fd, 0, SEEK_SET), "lseek");
		n = read(fd, &byte, 1);
	}
	must(n == 1 ? 0 : -1, "read");
	return byte;
}

int main(int argc, char **argv)
{
	const char *how = argv[1];
	const struct timespec pause = { .tv_nsec = 1000000 };
	bool reopen = argc == 5 && !strcmp(how, "reopen"),
	     large = argc == 5 && !strcmp(how, "large");
	size_t size = large ? LARGE : SMALL, step = large ? 16 * PAGE : 64 * PAGE;
	uint64_t h = 1, n = 0;
	uint8_t *memory = calloc(1, size);
	int out, in;

	if (argc != 5 || !memory)
		return 2;
	if (signal(SIGUSR1, on_signal) == SIG_ERR)
		return 2;
	out = must(open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600), argv[2]);
	in = must(open(argv[3], O_RDONLY), argv[3]);
	while (access(argv[4], F_OK) < 0) {
		char line[64];
		pthread_t t;
		int len;

		n++;
		for (size_t at = n % PAGE; at < size; at += step)
			memory[at] = (uint8_t)(memory[at] + n);
		must(-pthread_create(&t, NULL, in_thread, &n), "thread");
		must(-pthread_join(t, NULL), "join");
		if (!strcmp(how, "self"))
			must(raise(SIGUSR1), "raise");
		h = mix(h, n);
		h = mix(h, next_byte(in));
		h = mix(h, memory[n % PAGE]);
		h = mix(h, from_thread);
		h = mix(h, !strcmp(how, "self") ? (uint64_t)signals : n);
		len = snprintf(line, sizeof(line), "%llu %016llx\n", (unsigned long long)n,
			       (unsigned long long)h);
		must(write(out, line, (size_t)len) == len ? 0 : -1, "write");
		if (!strcmp(how, "loud"))
			must(dprintf(STDOUT_FILENO, "%llu\n", (unsigned long long)n), "stdout");
		if (reopen) {
			must(close(out), "close");
			out = must(open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600), argv[2]);
			if (n % 100 == 0) {
				off_t at = lseek(in, 0, SEEK_CUR);

				must(close(in), "close");
				in = must(open(argv[3], O_RDONLY), argv[3]);
				must((int)lseek(in, at, SEEK_SET), "lseek");
			}
		}
		(void)nanosleep(&pause, NULL);
	}
	return 42;
}
