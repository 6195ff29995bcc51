/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_stream.c - a file that is read from front to back in small pieces, by read, readv, pread and preadv,
 * while by other descriptors it is written, cut, grown; and the descriptor itself is moved, copied and
 * read in other ways; and many of them at a time
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define SIZE  (512 * 1024)
#define PIECE 3000
#define PAGE  4096
#define MANY  20

static uint8_t want[SIZE + PAGE], got[SIZE + PAGE];
static int fd;
static off_t at; /* where fd stands */

/* as another writer would: by a descriptor that is made for it */
static void put(const void *p, size_t n, off_t where)
{
	int other = open("file", O_WRONLY | O_CLOEXEC);

	NEED(other >= 0);
	CHECK_EQ(pwrite(other, p, n, where), n);
	NEED(close(other) == 0);
	memcpy(want + where, p, n);
}

static void go_to(off_t where)
{
	CHECK_EQ(lseek(fd, where, SEEK_SET), where);
	at = where;
}

static void read_on(int by, size_t n)
{
	size_t left = at < SIZE ? (size_t)(SIZE - at) : 0;
	size_t full = n < left ? n : left;

	CHECK_EQ(read(by, got, n), full);
	CHECK_MEM(got, want + at, full);
	at += (off_t)full;
}

static void read_many(int times)
{
	for (int i = 0; i < times; i++)
		read_on(fd, PIECE);
}

static void others_write(void)
{
	go_to(0);
	read_many(6);
	for (int i = 0; i < 4; i++) { /* what is next, and what is far ahead */
		uint8_t byte = (uint8_t)(want[at] + 1);

		put(&byte, 1, at);
		put(&byte, 1, at + 100 * PIECE);
		read_many(5);
	}
	go_to(at + 90 * PIECE);
	read_many(15);
}

static void offset_is_right(void)
{
	int copy;

	go_to(7);
	read_many(5);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), at);
	read_many(5);
	copy = dup(fd);
	NEED(copy >= 0);
	read_on(copy, 100); /* one offset */
	read_many(4);
	read_on(copy, 100);
	CHECK_EQ(lseek(copy, 0, SEEK_CUR), at);
	NEED(close(copy) == 0);
	read_many(4);
	CHECK_EQ(pread(fd, got, 10, 1), 10);
	CHECK_MEM(got, want + 1, 10);
	read_many(4);
}

static void end_is_right(void)
{
	uint8_t more[10];

	go_to(SIZE - 10 * PIECE - 5);
	read_many(11);
	read_on(fd, PIECE);
	read_on(fd, PIECE);
	CHECK_EQ(at, SIZE);
	/* it grows, and is cut again */
	memset(more, 'm', sizeof(more));
	put(more, sizeof(more), SIZE);
	CHECK_EQ(read(fd, got, PIECE), sizeof(more));
	CHECK_MEM(got, more, sizeof(more));
	CHECK_EQ(truncate("file", SIZE), 0);
	CHECK_EQ(read(fd, got, PIECE), 0);
	go_to(SIZE - 20 * PIECE);
	read_many(5);
	CHECK_EQ(truncate("file", SIZE - 10 * PIECE - 1), 0);
	read_many(4);
	CHECK_EQ(read(fd, got, PIECE), PIECE - 1);
	CHECK_EQ(read(fd, got, PIECE), 0);
	put(want + SIZE - 10 * PIECE - 1, 10 * PIECE + 1, SIZE - 10 * PIECE - 1);
	at += PIECE - 1;
	read_many(2);
}

/* the same bytes, into three places */
static void check_parts(bool named, off_t where, size_t a, size_t b, size_t c)
{
	struct iovec parts[] = { { got + 1, a }, { got + 2 * PAGE, b }, { got + 4 * PAGE, c } };
	size_t left = where < SIZE ? (size_t)(SIZE - where) : 0,
	       n = a + b + c < left ? a + b + c : left;

	CHECK_EQ(named ? preadv(fd, parts, 3, where) : readv(fd, parts, 3), n);
	for (int i = 0; i < 3; i++) {
		size_t some = parts[i].iov_len < n ? parts[i].iov_len : n;

		CHECK_MEM(parts[i].iov_base, want + where, some);
		where += (off_t)some;
		n -= some;
	}
}

static void by_parts(void)
{
	go_to(0);
	for (int i = 0; i < 40; i++, at += 1000 + 0 + 2345)
		check_parts(false, at, 1000, 0, 2345);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), at);
	go_to(SIZE - 3 * 3345 - 7);
	for (int i = 0; i < 3; i++, at += 3345)
		check_parts(false, at, 1000, 2300, 45);
	check_parts(false, at, 1, 2, 1000);
	check_parts(false, SIZE, 1, 2, 1000);
}

/* their offset is their own: that of the descriptor stands still */
static void by_place(uint8_t *pages)
{
	off_t where = 5;

	go_to(3);
	for (int i = 0; i < 60; i++, where += PIECE) {
		uint8_t byte = (uint8_t)(want[where + PIECE] + 1);

		CHECK_EQ(pread(fd, got, PIECE, where), PIECE);
		CHECK_MEM(got, want + where, PIECE);
		if (i % 20 == 10)
			put(&byte, 1, where + PIECE); /* just what comes next */
		if (i % 20 == 15)
			read_many(1);
	}
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), at);
	for (int i = 0; i < 8; i++, where -= PIECE) { /* backwards */
		CHECK_EQ(pread(fd, got, PIECE, where), PIECE);
		CHECK_MEM(got, want + where, PIECE);
	}
	for (int i = 0; i < 30; i++, where += 2000)
		check_parts(true, where, 100, 1400, 500);
	CHECK_EQ(pread(fd, pages + PAGE - 100, 200, where), 100);
	CHECK_ERR(pread(fd, pages + PAGE, 200, where), EFAULT);
	for (where = SIZE - 4 * PIECE - 1; where < SIZE + PIECE; where += PIECE) {
		ssize_t n = SIZE - where < PIECE ? SIZE - where : PIECE;

		CHECK_EQ(pread(fd, got, PIECE, where), n < 0 ? 0 : n);
		CHECK_MEM(got, want + where, n < 0 ? 0 : (size_t)n);
	}
	CHECK_EQ(pread(fd, got, PIECE, SIZE + PAGE), 0);
}

/* more than can be read ahead, in turns */
static void many_at_a_time(void)
{
	int fds[MANY];

	for (int i = 0; i < MANY; i++) {
		fds[i] = open("file", O_RDONLY | O_CLOEXEC);
		NEED(fds[i] >= 0);
		CHECK_EQ(lseek(fds[i], 11L * i, SEEK_SET), 11 * i);
	}
	for (int times = 0; times < 12; times++)
		for (int i = 0; i < MANY; i++) {
			off_t where = 11L * i + 700L * times;

			CHECK_EQ(i % 2 ? pread(fds[i], got, 700, where) : read(fds[i], got, 700),
				 700);
			CHECK_MEM(got, want + where, 700);
		}
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(lseek(fds[i], 0, SEEK_CUR), 11 * i + (i % 2 ? 0 : 12 * 700));
		NEED(close(fds[i]) == 0);
	}
}

/* as far as there is memory, then not at all */
static void bad_memory(uint8_t *pages)
{
	go_to(0);
	read_many(5);
	CHECK_EQ(read(fd, pages + PAGE - 100, 200), 100);
	CHECK_MEM(pages + PAGE - 100, want + at, 100);
	at += 100;
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), at);
	read_many(4);
	CHECK_ERR(read(fd, pages + PAGE, 200), EFAULT);
	read_many(4);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), at);
}

static void another_file_in_its_place(void)
{
	int pipe_ends[2], keep = dup(fd);
	uint8_t byte;

	NEED(keep >= 0 && pipe(pipe_ends) == 0);
	go_to(0);
	read_many(5);
	NEED(dup2(pipe_ends[0], fd) == fd);
	CHECK_EQ(write(pipe_ends[1], "x", 1), 1);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 'x');
	NEED(dup2(keep, fd) == fd);
	NEED(close(keep) == 0 && close(pipe_ends[0]) == 0 && close(pipe_ends[1]) == 0);
	read_many(5);
}

int main(void)
{
	uint8_t *pages;

	victim_scratch();
	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)(i * 7 + i / 251);
	fd = open("file", O_WRONLY | O_CREAT, 0600);
	NEED(fd >= 0 && write(fd, want, SIZE) == SIZE && close(fd) == 0);
	fd = open("file", O_RDONLY);
	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(fd >= 0 && pages != MAP_FAILED && munmap(pages + PAGE, PAGE) == 0);
	victim_ready();
	while (victim_round()) {
		others_write();
		offset_is_right();
		end_is_right();
		bad_memory(pages);
		another_file_in_its_place();
		by_parts();
		by_place(pages);
		many_at_a_time();
	}
	return victim_end();
}
