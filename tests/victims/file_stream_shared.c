/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_stream_shared.c - two processes read one open file by turns, several pieces each; each goes on
 * where the other one stopped
 */
#include "victim.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PIECE  1000
#define TURN   5
#define PIECES 200

static uint8_t want[PIECES * PIECE];
static int fd, to_child[2], to_parent[2];

/* TURN pieces from this one on */
static void read_turn(uint32_t piece)
{
	uint8_t got[PIECE];

	for (int i = 0; i < TURN; i++) {
		CHECK_EQ(read(fd, got, PIECE), PIECE);
		CHECK_MEM(got, want + (piece + (uint32_t)i) * PIECE, PIECE);
	}
}

static void child(void *unused)
{
	uint32_t piece;

	while (read(to_child[0], &piece, sizeof(piece)) == sizeof(piece) && piece < PIECES) {
		read_turn(piece);
		NEED(write(to_parent[1], "", 1) == 1);
	}
}

int main(void)
{
	const uint32_t over = PIECES;
	uint8_t byte;
	pid_t pid;

	victim_scratch();
	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)(i * 11 + i / 253);
	fd = open("file", O_WRONLY | O_CREAT, 0600);
	NEED(fd >= 0 && write(fd, want, sizeof(want)) == sizeof(want) && close(fd) == 0);
	fd = open("file", O_RDONLY);
	NEED(fd >= 0 && pipe(to_child) == 0 && pipe(to_parent) == 0);
	pid = victim_child(child, NULL);
	victim_ready();
	while (victim_round()) {
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		for (uint32_t piece = 0; piece < PIECES; piece += 2 * TURN) {
			uint32_t next = piece + TURN;

			read_turn(piece);
			NEED(write(to_child[1], &next, sizeof(next)) == sizeof(next));
			NEED(read(to_parent[0], &byte, 1) == 1);
		}
	}
	NEED(write(to_child[1], &over, sizeof(over)) == sizeof(over));
	victim_reap(pid);
	return victim_end();
}
