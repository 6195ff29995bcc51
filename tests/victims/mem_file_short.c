/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_file_short.c - a file mapped at greater length than it has, as databases do: what is behind its end
 * cannot be touched until it has grown
 */
#include "fault.h"
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE   4096
#define LENGTH 16 /* pages that are mapped */
#define FIRST  2  /* of the file at first, and it grows by one ... */
#define GROWS  8  /* ... after so many rounds */
#define LASTS  32 /* rounds, then comes another file */

static unsigned char *shared, *private;
static uint64_t seed;
static int pages;

static void make_other(void)
{
	unsigned char bytes[PAGE];
	int fd = open("other", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	victim_fill(bytes, sizeof(bytes), 77);
	NEED(fd >= 0 && write(fd, bytes, sizeof(bytes)) == PAGE && close(fd) == 0);
}

static void begin(void)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);

	NEED(fd >= 0 && ftruncate(fd, FIRST * PAGE) == 0);
	shared = mmap(NULL, LENGTH * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, LENGTH * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(shared != MAP_FAILED && private != MAP_FAILED && close(fd) == 0);
	pages = FIRST;
	victim_fill(shared, PAGE, ++seed);
	victim_fill(private + PAGE, PAGE, seed + 1);
}

/* a call that names the last page, of another file's bytes; Return: its result */
static long read_into(unsigned char *at)
{
	int fd = open("other", O_RDONLY);
	long n;

	CHECK(fd >= 0);
	n = pread(fd, at, PAGE, 0);
	n = n < 0 ? -errno : n;
	CHECK_EQ(close(fd), 0);
	return n;
}

static void check_end(unsigned char *at)
{
	unsigned char *behind = at + (size_t)pages * PAGE + 5;
	struct fault f = fault_of(behind, TOUCH_READ);

	CHECK_EQ(read_into(at + (size_t)pages * PAGE), -EFAULT);
	CHECK_EQ(f.signal, SIGBUS);
	CHECK_EQ(f.code, BUS_ADRERR);
	CHECK(f.at == behind);
	CHECK_EQ(fault_of(behind - PAGE, TOUCH_WRITE).signal, 0);
}

/* by a touch, or by a call */
static void grown(unsigned char *last, enum touch how)
{
	if (pages % 2) {
		CHECK_EQ(fault_of(last, how).signal, 0);
	} else {
		CHECK_EQ(read_into(last), PAGE);
		CHECK(victim_is(last, PAGE, 77));
	}
}

/* the file that is mapped, by its name; what a store into the mapping did is read from it */
static void check_file(void)
{
	unsigned char back[PAGE];
	int fd = open("file", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, back, PAGE, 0), PAGE);
	CHECK(victim_is(back, PAGE, seed));
	CHECK_EQ(lseek(fd, 0, SEEK_END), (long)pages * PAGE);
	CHECK_EQ(close(fd), 0);
}

int main(void)
{
	int round = 0;

	victim_scratch();
	make_other();
	begin();
	victim_ready();
	while (victim_round()) {
		CHECK(victim_is(shared, PAGE, seed));
		CHECK(victim_is(private + PAGE, PAGE, seed + 1));
		if (++round == LASTS) {
			CHECK_EQ(munmap(shared, LENGTH * PAGE), 0);
			CHECK_EQ(munmap(private, LENGTH * PAGE), 0);
			begin();
			round = 0;
		} else if (round % GROWS == 0) {
			check_end(shared);
			check_end(private);
			check_file();
			CHECK_EQ(truncate("file", (long)++pages * PAGE), 0);
			grown(shared + (size_t)(pages - 1) * PAGE, TOUCH_WRITE);
			grown(private + (size_t)(pages - 1) * PAGE, TOUCH_READ);
		}
	}
	return victim_end();
}
