/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfs.c - a file read or written from front to back by an NFS client in user space
 *
 * bench-nfs URL read|write BYTES MIB IN-FLIGHT
 *
 * Theory of operation. URL is nfs://SERVER/EXPORT, the file is "file" in it for reading and
 * "file.out", which exists, for writing. Requests of BYTES are made (or of as much as the server takes in one), and so
 * many are under way at a time: 1 is a program that waits for each of its calls, more is what a kernel's
 * client does for one that goes from front to back. What is read is thrown away when it has come.
 * From open to close, as bench/migrate/subject.c does it. libnfs makes no COMMIT at
 * close, so nothing of a write has to be on a disk at its end. Prints MB/s.
 */
#include <errno.h>
#include <fcntl.h>
#include <nfsc/libnfs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"
#include "log/log.h"

#define MOUNT_TRIES 200 /* the server may just have been started */
#define TRY_MS	    50

static struct nfs_context *nfs;
static struct nfsfh *file;
static bool writes;
static uint64_t size, total, asked, done, under_way;
static char *bytes;

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* exists everywhere */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void on_done(int result, struct nfs_context *unused, void *data, void *private)
{
	(void)unused;
	(void)data;
	(void)private;
	if (result <= 0)
		die("the server says: %s", result ? nfs_get_error(nfs) : "end of file");
	done += (uint64_t)result;
	under_way--;
}

static void ask(void)
{
	uint64_t n = size < total - asked ? size : total - asked;
	int r = writes ? nfs_pwrite_async(nfs, file, asked, n, bytes, on_done, NULL)
		       : nfs_pread_async(nfs, file, asked, n, on_done, NULL);

	if (r < 0)
		die("ask for more: %s", nfs_get_error(nfs));
	asked += n;
	under_way++;
}

static void transfer(uint64_t in_flight)
{
	while (asked < total || under_way) {
		struct pollfd p = { .fd = nfs_get_fd(nfs) };

		while (asked < total && under_way < in_flight)
			ask();
		p.events = (short)nfs_which_events(nfs);
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (nfs_service(nfs, p.revents) < 0)
			die("the server went away: %s", nfs_get_error(nfs));
	}
	if (done < total)
		die("a part was not transferred");
}

static void mount_it(const char *url)
{
	const struct timespec pause = { .tv_nsec = TRY_MS * 1000000 };

	for (int i = 0; i < MOUNT_TRIES; i++) {
		struct nfs_url *u;
		int r = -1;

		nfs = nfs_init_context();
		u = nfs ? nfs_parse_url_dir(nfs, url) : NULL;
		if (u)
			r = nfs_mount(nfs, u->server, u->path);
		if (u)
			nfs_destroy_url(u);
		if (!r)
			return;
		if (i + 1 == MOUNT_TRIES)
			die("mount '%s': %s", url, nfs ? nfs_get_error(nfs) : "no memory");
		if (nfs)
			nfs_destroy_context(nfs);
		(void)nanosleep(&pause, NULL); /* a server that is not there yet says nothing */
	}
}

int main(int argc, char **argv)
{
	uint64_t mib, in_flight, begin, most;
	int r;

	if (argc != 6 || parse_u64(argv[3], &size) < 0 || parse_u64(argv[4], &mib) < 0 ||
	    parse_u64(argv[5], &in_flight) < 0 || !size || !in_flight)
		return 2;
	writes = !strcmp(argv[2], "write");
	total = mib << 20;
	mount_it(argv[1]);
	most = writes ? nfs_get_writemax(nfs) : nfs_get_readmax(nfs);
	size = size < most ? size : most;
	bytes = calloc(1, size);
	if (!bytes)
		die("no memory");
	begin = now_ns();
	r = nfs_open(nfs, writes ? "/file.out" : "/file", writes ? O_WRONLY : O_RDONLY, &file);
	if (r < 0)
		die("open: %s", nfs_get_error(nfs));
	transfer(in_flight);
	if (nfs_close(nfs, file) < 0)
		die("close: %s", nfs_get_error(nfs));
	(void)printf("%.1f\n", (double)total * 1000 / (double)(now_ns() - begin));
	return 0;
}
