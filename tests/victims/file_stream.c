/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_stream.c - a file that is read from front to back in small pieces, while by other descriptors it
 * is written, cut, grown; and the descriptor itself is moved, copied and read in other ways
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE  (512 * 1024)
#define PIECE 3000
#define PAGE  4096

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
	}
	return victim_end();
}
