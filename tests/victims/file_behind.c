/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_behind.c - many writes in a row, small ones and large ones, and then somebody looks: the program by
 * another descriptor, another thread, another process that was told by a pipe; none misses a byte
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECE 700
#define PAGE  4096
#define MOST  (64 * PIECE)
#define LARGE (5 << 20)

static uint8_t want[MOST], got[MOST];
static int fd, other, to_child[2], to_parent[2];
static off_t at;

static void write_many(int times)
{
	for (int i = 0; i < times; i++) {
		for (int k = 0; k < PIECE; k++)
			want[at + k]++;
		CHECK_EQ(write(fd, want + at, PIECE), PIECE);
		at += PIECE;
	}
}

static void write_parts(int times)
{
	for (int i = 0; i < times; i++) {
		struct iovec parts[] = { { want + at, 300 },
					 { NULL, 0 },
					 { want + at + 300, PIECE - 300 } };

		for (int k = 0; k < PIECE; k++)
			want[at + k]++;
		CHECK_EQ(writev(fd, parts, 3), PIECE);
		at += PIECE;
	}
}

static void look(int by, off_t upto)
{
	CHECK_EQ(pread(by, got, (size_t)upto, 0), upto);
	CHECK_MEM(got, want, (size_t)upto);
}

static void begin(void)
{
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	at = 0;
}

static void *look_from_thread(void *unused)
{
	look(other, at);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), at);
	return unused;
}

/* it has a copy of what is to be there: of when it was born, so it is sent what to expect */
static void child(void *unused)
{
	off_t upto;

	while (read(to_child[0], &upto, sizeof(upto)) == sizeof(upto) && upto) {
		int sum = 0, told;

		NEED(read(to_child[0], &told, sizeof(told)) == sizeof(told));
		CHECK_EQ(pread(other, got, (size_t)upto, 0), upto);
		for (off_t i = 0; i < upto; i++)
			sum += got[i];
		CHECK_EQ(sum, told);
		NEED(write(to_parent[1], "", 1) == 1);
	}
}

static void ask_child(void)
{
	int sum = 0;
	char byte;

	for (off_t i = 0; i < at; i++)
		sum += want[i];
	NEED(write(to_child[1], &at, sizeof(at)) == sizeof(at));
	NEED(write(to_child[1], &sum, sizeof(sum)) == sizeof(sum));
	NEED(read(to_parent[0], &byte, 1) == 1);
}

static void others_look(void)
{
	pthread_t thread;
	struct stat st;

	begin();
	write_many(20);
	look(other, at);
	write_parts(10);
	NEED(pthread_create(&thread, NULL, look_from_thread, NULL) == 0);
	NEED(pthread_join(thread, NULL) == 0);
	write_many(10);
	CHECK_EQ(fstat(other, &st), 0);
	CHECK(st.st_size >= at);
	write_many(10);
	ask_child();
	write_many(10);
	CHECK_EQ(fsync(fd), 0);
	look(other, at);
}

/* its number becomes another file's, and the same again */
static void another_in_its_place(void)
{
	int ends[2], keep = dup(fd);
	char byte;

	NEED(keep >= 0 && pipe(ends) == 0);
	begin();
	write_many(8);
	NEED(dup2(ends[1], fd) == fd);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(write(fd, "x", 1), 1);
		CHECK_EQ(read(ends[0], &byte, 1), 1);
	}
	NEED(close(ends[0]) == 0);
	CHECK_ERR(write(fd, "x", 1), EPIPE);
	NEED(dup2(keep, fd) == fd && close(keep) == 0 && close(ends[1]) == 0);
	write_many(8);
	look(other, at);
}

static void bad_memory(uint8_t *pages)
{
	begin();
	write_many(6);
	memset(pages, 'p', PAGE);
	memset(want + at, 'p', 50);
	CHECK_EQ(write(fd, pages + PAGE - 50, 100), 50);
	at += 50;
	CHECK_ERR(write(fd, pages + PAGE, 100), EFAULT);
	write_many(6);
	look(other, at);
}

/* more in one than can be on its way, and one whose end is not there */
static void large_ones(uint8_t *large)
{
	uint8_t last = 0;

	begin();
	for (int i = 0; i < 4; i++) {
		memset(large, 'a' + i, LARGE - PAGE);
		CHECK_EQ(write(fd, large, LARGE - PAGE), LARGE - PAGE);
		CHECK_EQ(pread(other, &last, 1, (i + 1) * (LARGE - PAGE) - 1), 1);
		CHECK_EQ(last, 'a' + i);
	}
	CHECK_EQ(write(fd, large + PAGE, LARGE - PAGE), LARGE - 2 * PAGE);
	CHECK_EQ(write(fd, "end", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5 * (LARGE - PAGE) - PAGE + 3);
	CHECK_EQ(pread(other, got, 4, 5 * (LARGE - PAGE) - PAGE - 1), 4);
	CHECK_MEM(got, "dend", 4);
	CHECK_EQ(ftruncate(fd, MOST), 0);
	begin();
	CHECK_EQ(write(fd, want, MOST), MOST);
	begin();
}

static void end_is_right(void)
{
	int own = open("file", O_WRONLY | O_APPEND);
	struct stat st;

	NEED(own >= 0);
	begin();
	write_many(30);
	CHECK_EQ(ftruncate(fd, at), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(write(own, "append", 6), 6);
	CHECK_EQ(close(own), 0);
	CHECK_EQ(stat("file", &st), 0);
	CHECK_EQ(st.st_size, at + 60);
	write_many(30);
	look(other, at);
}

int main(void)
{
	const off_t over = 0;
	uint8_t *pages, *large;
	pid_t pid;

	victim_scratch();
	NEED(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	fd = open("file", O_WRONLY | O_CREAT, 0600);
	other = open("file", O_RDONLY);
	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(fd >= 0 && other >= 0 && pages != MAP_FAILED && munmap(pages + PAGE, PAGE) == 0);
	large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(large != MAP_FAILED && munmap(large + LARGE - PAGE, PAGE) == 0);
	NEED(pipe(to_child) == 0 && pipe(to_parent) == 0);
	pid = victim_child(child, NULL);
	victim_ready();
	while (victim_round()) {
		others_look();
		another_in_its_place();
		bad_memory(pages);
		large_ones(large);
		end_is_right();
	}
	NEED(write(to_child[1], &over, sizeof(over)) == sizeof(over));
	victim_reap(pid);
	return victim_end();
}
