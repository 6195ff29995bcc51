/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * subject.c - the program that bench/migrate.py moves, and what it sees of it
 *
 * Theory of operation. Orders come on stdin, one a line; the answer to each is one line. It has one
 * thread and knows nothing of moves. What it measures it measures with clock_gettime(2), which
 * makes no call, and keeps until the order is done: so nothing of the measuring is forwarded. The
 * clock is that of the day: CLOCK_MONOTONIC of a process that moved may step forward by what two
 * machines cannot know of each other (docs/MIGRATION.md section 7), and stood still no longer for it.
 *
 *	fill MIB		have so much memory, every page with other bytes in it
 *	null N			median ns of a call that is executed at home when it is away
 *	local N			median ns of a call that is executed where it is
 *	compute MS		ns that a piece of work takes, median of pieces for MS
 *	watch MB-PER-S		look at the clock, and write that much in random pages of the
 *				memory, until SIGUSR1: the longest gap in us, and MB written.
 *				"watching" is said first
 *	read BYTES MIB		so much of its file (its argument), so many bytes at a time: MB/s
 *	write BYTES MIB		the same into a new file beside it, NAME.out
 *	burst BYTES N		median ns of a read of so many bytes, of N in a row, a moment after some others
 *	touch MIB		look at random pages of the first MIB until SIGUSR1: how many in each
 *				second. "touching" is said first
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096
#define BATCHES 15
#define PIECES	4096
#define WORK	2000000 /* steps of a piece: some ms */
#define BEFORE	4	/* reads until one is known to go from front to back, and one more */

static uint8_t *memory;
static uint64_t n_pages, state = 88172645463325252ULL;
static volatile sig_atomic_t stop;
static double figures[PIECES];
static const char *file;
static uint8_t bytes[1 << 20];

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t); /* exists everywhere */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* xorshift64: quick, and no page looks like another */
static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(size_t n)
{
	qsort(figures, n, sizeof(*figures), by_value);
	return n ? figures[n / 2] : 0;
}

static void fill(uint64_t mib, uint64_t unused)
{
	(void)unused;
	n_pages = mib << 8;
	memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	for (uint64_t i = 0; i < mib << 17; i++)
		((uint64_t *)memory)[i] = any();
	(void)printf("%llu\n", (unsigned long long)mib);
}

static void calls(long nr, uint64_t n)
{
	for (int b = 0; b < BATCHES; b++) {
		uint64_t begin = now_ns();

		for (uint64_t i = 0; i < n; i++)
			(void)syscall(nr);
		figures[b] = (double)(now_ns() - begin) / (double)n;
	}
	(void)printf("%.1f\n", median(BATCHES));
}

static void null(uint64_t n, uint64_t unused)
{
	(void)unused;
	calls(SYS_getppid, n);
}

static void local(uint64_t n, uint64_t unused)
{
	(void)unused;
	calls(SYS_gettid, n);
}

static void compute(uint64_t ms, uint64_t unused)
{
	uint64_t end = now_ns() + ms * 1000000, begin;
	size_t n = 0;

	(void)unused;
	while (n < PIECES && (begin = now_ns()) < end) {
		for (int i = 0; i < WORK; i++)
			(void)any();
		figures[n++] = (double)(now_ns() - begin);
	}
	(void)printf("%.0f %llu\n", median(n), (unsigned long long)state);
}

static void on_stop(int signo)
{
	(void)signo;
	stop = 1;
}

static void watch(uint64_t rate, uint64_t unused)
{
	uint64_t begin, last, now, gap = 0, written = 0;

	(void)unused;
	(void)printf("watching\n");
	stop = 0;
	begin = last = now_ns();
	while (now = now_ns(), !stop) { /* what the signal itself costs is not counted */
		gap = now - last > gap ? now - last : gap;
		last = now;
		if (written * PAGE * 1000 < rate * (now - begin)) {
			uint64_t *page = (uint64_t *)(memory + any() % n_pages * PAGE);

			page[any() % (PAGE / sizeof(*page))] = any();
			written++;
		}
	}
	(void)printf("%.1f %.1f\n", (double)gap / 1000, (double)written * PAGE / 1e6);
}

static void touch(uint64_t mib, uint64_t unused)
{
	uint64_t begin = now_ns(), now, sum = 0;
	size_t second = 0;

	(void)unused;
	(void)printf("touching\n");
	memset(figures, 0, sizeof(figures));
	stop = 0;
	while (now = now_ns(), !stop) {
		second = (now - begin) / 1000000000;
		if (second >= PIECES)
			break;
		for (int i = 0; i < 64; i++)
			sum += memory[any() % (mib << 8) * PAGE];
		figures[second] += 64;
	}
	state += sum;			    /* so that it had to be read */
	for (size_t i = 0; i < second; i++) /* not the last one, which was not a whole second */
		(void)printf("%.0f%s", figures[i], i + 1 < second ? " " : "");
	(void)printf("\n");
}

/* from open to close, as a program that uses a file would */
static void transfer(int flags, const char *tail, uint64_t size, uint64_t mib)
{
	uint64_t done = 0, begin = now_ns();
	char path[512];
	ssize_t n = 1;
	int fd;

	(void)snprintf(path, sizeof(path), "%s%s", file, tail);
	fd = open(path, flags, 0600);
	while (fd >= 0 && n > 0 && done < mib << 20) {
		n = flags == O_RDONLY ? read(fd, bytes, size) : write(fd, bytes, size);
		done += n > 0 ? (uint64_t)n : 0;
	}
	if (fd < 0 || done < mib << 20 || close(fd) < 0) {
		perror(path);
		exit(1);
	}
	(void)printf("%.1f\n", (double)done * 1000 / (double)(now_ns() - begin));
}

static void read_file(uint64_t size, uint64_t mib)
{
	transfer(O_RDONLY, "", size, mib);
}

static void write_file(uint64_t size, uint64_t mib)
{
	transfer(O_WRONLY | O_CREAT | O_TRUNC, ".out", size, mib);
}

/* in the pause all comes here that is read ahead */
static void burst(uint64_t size, uint64_t n)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000000 };
	int fd = open(file, O_RDONLY);
	uint64_t begin;
	bool all = fd >= 0;

	for (int b = 0; all && b < BATCHES; b++) {
		for (int i = 0; i < BEFORE; i++)
			all &= read(fd, bytes, size) == (ssize_t)size;
		(void)nanosleep(&pause, NULL); /* nobody has signals for it here */
		begin = now_ns();
		for (uint64_t i = 0; i < n; i++)
			all &= read(fd, bytes, size) == (ssize_t)size;
		figures[b] = (double)(now_ns() - begin) / (double)n;
	}
	if (!all || close(fd) < 0) {
		perror(file);
		exit(1);
	}
	(void)printf("%.1f\n", median(BATCHES));
}

static const struct {
	const char *word;
	void (*obey)(uint64_t a, uint64_t b);
} orders[] = {
	{ "fill", fill },	{ "null", null },	 { "local", local },
	{ "compute", compute }, { "watch", watch },	 { "touch", touch },
	{ "read", read_file },	{ "write", write_file }, { "burst", burst },
};

int main(int argc, char **argv)
{
	char line[128], word[16];
	unsigned long long a, b;

	file = argc > 1 ? argv[1] : NULL;
	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* cannot fail before the first use */
	if (signal(SIGUSR1, on_stop) == SIG_ERR)
		return 1;
	(void)printf("%d\n", getpid());
	while (fgets(line, sizeof(line), stdin)) {
		a = b = 0;
		if (sscanf(line, "%15s %llu %llu", word, &a, &b) < 1)
			return 2;
		for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
			if (!strcmp(word, orders[i].word))
				orders[i].obey(a, b);
	}
	return 0;
}
