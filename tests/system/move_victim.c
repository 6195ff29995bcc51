/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move_victim.c - a program that shows whether it was lost, doubled or changed
 *
 * move_victim compute|exec|large|read FILE STOP [LINES DIGEST]
 *
 * Writes numbered lines, each with a digest that goes over all before it, to stdout and to the end
 * of FILE. "compute": one after a while of computing, which a second thread repeats and compares,
 * until the file STOP is there. "large": the same, with 64 MiB beside it, of which it looks at
 * some pages for each line and at all in the end. "exec": as "compute", and SIGUSR1 has it execute
 * itself, or the program that MOVE_VICTIM_EXEC names, which goes on behind the last line. "read": one for each
 * byte of stdin, until its end. Ends with 42, or 1 when its own memory was not as it should be.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS  65536
#define PASSES 40
#define RIGHT  42
#define PAGE   4096
#define LARGE  16384 /* pages */
#define A_LINE 100   /* pages looked at for each line: far apart */

static uint64_t words[WORDS];
static atomic_uint asked, done;
static _Atomic uint64_t sum;

static uint64_t mix(uint64_t h, uint64_t v)
{
	return ((h ^ v) * 0x100000001b3ULL) ^ (h >> 29);
}

static uint64_t digest(uint64_t h)
{
	for (int k = 0; k < PASSES; k++)
		for (int i = 0; i < WORDS; i++)
			h = mix(h, words[i]);
	return h;
}

static void *twin(void *arg)
{
	unsigned int n = atomic_load(&done);

	for (;;) {
		while (atomic_load(&asked) == n)
			;
		atomic_store(&sum, digest(n));
		atomic_store(&done, ++n);
	}
	return arg;
}

static uint8_t *pages; /* of "large"; NULL: none */

static uint64_t *page(uint64_t i)
{
	return (uint64_t *)(void *)(pages + i % LARGE * PAGE);
}

static bool look(uint64_t from, uint64_t n)
{
	for (uint64_t i = from; pages && i < from + n; i++)
		if (*page(i * 7919) != mix(i * 7919 % LARGE, 1))
			return false;
	return true;
}

static int put(int file, unsigned int n, uint64_t h)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%u %016llx\n", n, (unsigned long long)h);

	return write(STDOUT_FILENO, text, (size_t)len) == len &&
	       write(file, text, (size_t)len) == len;
}

static volatile sig_atomic_t told;

static void on_signal(int signo)
{
	told = signo;
}

/* argv as main() has it; comes back only when it fails */
static int execute(char **argv, unsigned int n, uint64_t h)
{
	const char *path = getenv("MOVE_VICTIM_EXEC");
	char lines[16], digest[32];
	sigset_t all;

	(void)snprintf(lines, sizeof(lines), "%u", n);
	(void)snprintf(digest, sizeof(digest), "%llx", (unsigned long long)h);
	(void)sigemptyset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)execl(path ? path : "/proc/self/exe", argv[0], argv[1], argv[2], argv[3], lines,
		    digest, NULL);
	return 1;
}

static int compute(int file, char **argv, unsigned int first, uint64_t h)
{
	pthread_t t;

	atomic_store(&asked, first);
	atomic_store(&done, first);
	if (pthread_create(&t, NULL, twin, NULL))
		return 1;
	for (unsigned int n = first; access(argv[3], F_OK) < 0; n++) {
		uint64_t ours;

		if (told)
			return execute(argv, n, h);
		atomic_store(&asked, n + 1);
		ours = digest(n);
		while (atomic_load(&done) != n + 1)
			;
		if (ours != atomic_load(&sum) || !look((uint64_t)n * A_LINE, A_LINE))
			return 1;
		words[n % WORDS] = ours;
		h = mix(h, n + 1);
		if (!put(file, n + 1, h))
			return 1;
	}
	return look(0, LARGE) ? RIGHT : 1;
}

static int echo(int file)
{
	uint64_t h = 1;
	char c;

	for (unsigned int n = 1; read(STDIN_FILENO, &c, 1) == 1; n++) {
		h = mix(h, n);
		if (!put(file, n, h))
			return 1;
	}
	return RIGHT;
}

int main(int argc, char **argv)
{
	int file = argc == 4 || argc == 6
			   ? open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)
			   : -1;
	unsigned int lines = argc == 6 ? (unsigned int)strtoul(argv[4], NULL, 10) : 0;
	uint64_t chain = argc == 6 ? strtoull(argv[5], NULL, 16) : 1;

	if (file < 0)
		return 2;
	if (!strcmp(argv[1], "exec") && signal(SIGUSR1, on_signal) == SIG_ERR)
		return 2;
	for (uint64_t i = 0; i < WORDS; i++)
		words[i] = i * 0x9e3779b97f4a7c15ULL;
	if (!strcmp(argv[1], "large") && !(pages = malloc((size_t)LARGE * PAGE)))
		return 2;
	for (uint64_t i = 0; pages && i < LARGE; i++)
		*page(i) = mix(i, 1);
	return strcmp(argv[1], "read") ? compute(file, argv, lines, chain) : echo(file);
}
