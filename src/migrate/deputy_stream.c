/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_stream.c - files that the guest reads from front to back are sent before it asks
 *
 * Theory of operation. The guest asks for a stream of a descriptor. It is granted when nothing can
 * come between what is sent and what a read at home would have given:
 *
 *	the content	a read lease (fcntl(2), F_SETLEASE) on the file: nobody has it open for writing,
 *			and who opens or truncates it waits until we have let go. When it is broken the
 *			guest is told, drops what it has, and says RELEASE; then we let go.
 *	the offset	nobody shares the open file: no other descriptor of the process, and none of
 *			another process, kcmp(2). A process that is away cannot fork. Reads that name
 *			their place have none: then this is not asked.
 *
 * The lease is on an open file of our own, with the rights of the user: the process's own would show
 * it. Its offset stands still while a stream is open, and is set when that ends (RELEASE).
 *
 * The deputy must not wait for a disk: it reads what is in memory (RWF_NOWAIT), has the kernel fetch the
 * rest, and looks again in a moment. A file system that cannot say what is in memory is read if it is
 * one of memory; else there is no stream. What is sent is bounded by what the guest has asked
 * for, and leaves room in the channel for calls.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/parse.h"
#include "migrate/deputy.h"
#include "os/fd.h"

#define PIECE	     (128U << 10)
#define AHEAD_MOST   (4ULL << 20) /* a guest asks for less */
#define BACKLOG	     (3U << 19)	  /* of the channel: one acknowledgement, and room for answers */
#define RETRY_MS     1
#define ASK_PAUSE_MS 10 /* a look at all processes is not to be had more often */

struct stream_header {
	uint32_t id, word;
	uint64_t offset;
};

static struct deputy_stream *find(struct deputy *d, uint32_t id)
{
	for (size_t i = 0; i < DEPUTY_STREAMS; i++)
		if (d->streams.s[i].file >= 0 && d->streams.s[i].id == id)
			return &d->streams.s[i];
	return NULL;
}

static void close_stream(struct deputy_stream *s)
{
	fd_close(&s->own); /* and the lease with it */
	fd_close(&s->file);
	*s = (struct deputy_stream){ .file = -1, .own = -1 };
}

static void say(struct deputy *d, uint32_t id, bool granted, uint64_t offset)
{
	const struct stream_header h = { id, granted, offset };

	deputy_send(d, MOVE_STREAMED, &h, sizeof(h), NULL, 0);
}

/* ------------------------------------------------------------------ granting */

static bool is_same_file(pid_t pid, int fd, const struct stat *want)
{
	char path[64];
	struct statx st;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	/* without a question to a server that may not answer */
	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st) == 0 &&
	       st.stx_ino == want->st_ino &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == want->st_dev;
}

/* has this process the same open file, under another number than the one we know? */
static bool has_it(const struct deputy *d, int fd, const struct stat *st, pid_t pid)
{
	char path[64];
	struct dirent *e;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && !found && (e = readdir(dir))) {
		uint32_t other;

		if (parse_u32(e->d_name, &other) < 0 || (pid == d->pid && (int)other == fd) ||
		    !is_same_file(pid, (int)other, st))
			continue;
		/* an answer that is none counts as yes */
		found = syscall(SYS_kcmp, d->pid, pid, KCMP_FILE, fd, other) <= 0;
	}
	if (dir)
		(void)closedir(dir); /* was only read */
	return found;
}

static bool is_shared(const struct deputy *d, int fd, const struct stat *st)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	bool found = !proc;

	while (proc && !found && (e = readdir(proc))) {
		uint32_t pid;

		/* ourselves: nothing is open here yet */
		if (!parse_u32(e->d_name, &pid) && (pid_t)pid != getpid())
			found = has_it(d, fd, st, (pid_t)pid);
	}
	if (proc)
		(void)closedir(proc);
	return found;
}

static bool is_in_memory(int fd)
{
	struct statfs v;

	return fstatfs(fd, &v) == 0 && v.f_type == TMPFS_MAGIC;
}

/* can it be read without waiting? */
static bool is_prompt(struct deputy_stream *s)
{
	uint8_t byte;
	struct iovec part = { &byte, 1 };

	s->nowait = RWF_NOWAIT;
	if (preadv2(s->own, &part, 1, 0, RWF_NOWAIT) >= 0 || errno == EAGAIN)
		return true;
	s->nowait = 0;
	return is_in_memory(s->own);
}

/* @at: for reads that name their place, that of the first one; else its offset */
static bool find_place(struct deputy_stream *s, const uint64_t *at)
{
	off_t offset = at ? (off_t)*at : lseek(s->file, 0, SEEK_CUR);

	s->placed = at != NULL;
	s->at = s->upto = s->from = (uint64_t)offset;
	return offset >= 0;
}

/* Return: granted */
static bool open_stream(struct deputy *d, struct deputy_stream *s, int fd, const uint64_t *at)
{
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
	char path[64];
	struct stat st;
	int flags;

	if ((uint32_t)fd >= d->stub.first_fd && (uint32_t)fd <= d->stub.last_fd)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", d->pid, fd);
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || (!at && is_shared(d, fd, &st)))
		return false;
	s->file = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	flags = s->file < 0 ? -1 : fcntl(s->file, F_GETFL);
	if (flags < 0 || (flags & (O_ACCMODE | O_PATH | O_DIRECT)) != O_RDONLY)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s->file);
	s->own = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (s->own < 0 || fcntl(s->own, F_SETLEASE, F_RDLCK) < 0 || !is_prompt(s))
		return false;
	return find_place(s, at);
}

int deputy_take_stream(struct deputy *d, const struct move_frame *f, struct err *e)
{
	struct deputy_stream *s = NULL;
	bool is_placed = f->len > 2 * sizeof(uint32_t);
	uint32_t ask[2];
	uint64_t at = 0;

	memcpy(ask, f->payload, sizeof(ask)); /* wire/move.h: it is that long */
	if (is_placed && f->len == sizeof(ask) + sizeof(at))
		memcpy(&at, f->payload + sizeof(ask), sizeof(at));
	else if (is_placed)
		return err_set(e, -EPROTO, "half an offset for stream %u", ask[0]);
	if (at > INT64_MAX)
		return err_set(e, -EPROTO, "stream %u is wanted behind the end of all files",
			       ask[0]);
	if (ask[0] <= d->streams.last_id)
		return err_set(e, -EPROTO, "stream %u was there before", ask[0]);
	d->streams.last_id = ask[0];
	for (size_t i = 0; i < DEPUTY_STREAMS; i++)
		if (d->streams.s[i].file < 0)
			s = &d->streams.s[i];
	/* what is read of a stream is in no ledger */
	if (!s || d->checkpoint || ask[1] > INT32_MAX ||
	    (!is_placed && loop_now(d->loop) < d->streams.not_before_ms)) {
		say(d, ask[0], false, 0);
		return 0;
	}
	if (!is_placed)
		d->streams.not_before_ms = loop_now(d->loop) + ASK_PAUSE_MS;
	s->id = ask[0];
	if (open_stream(d, s, (int)ask[1], is_placed ? &at : NULL)) {
		say(d, s->id, true, s->at);
	} else {
		close_stream(s);
		say(d, ask[0], false, 0);
	}
	return 0;
}

/* ------------------------------------------------------------------- sending */

static void on_retry(void *owner)
{
	struct deputy *d = owner;

	d->streams.retry_ref = (struct ev_ref){ 0 };
	deputy_stream_on(d);
}

/* it comes from a disk: the kernel fetches it, we look again */
static void fetch(struct deputy *d, const struct deputy_stream *s)
{
	(void)posix_fadvise(s->own, (off_t)s->at, (off_t)(s->upto - s->at), POSIX_FADV_WILLNEED);
	if (!d->streams.retry_ref.gen && loop_add_timer(d->loop, loop_now(d->loop) + RETRY_MS,
							on_retry, d, &d->streams.retry_ref) < 0)
		deputy_lost(d, "no memory for a timer");
}

/* Return: more may follow */
static bool send_piece(struct deputy *d, struct deputy_stream *s)
{
	struct stream_header h = { .id = s->id, .offset = s->at };
	uint64_t want = s->upto - s->at;
	struct iovec part = { d->streams.buffer, want < PIECE ? want : PIECE };
	ssize_t n = preadv2(s->own, &part, 1, (off_t)s->at, s->nowait);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		fetch(d, s);
		return false;
	}
	if (n < 0) { /* its own read will tell the error */
		s->upto = s->at;
		say(d, s->id, false, 0);
		return false;
	}
	deputy_send(d, MOVE_DATA, &h, sizeof(h), d->streams.buffer, (size_t)n);
	s->at += (uint64_t)n;
	if (!n)
		s->upto = s->at; /* the end of the file; the lease keeps it there */
	return n > 0;
}

void deputy_stream_on(struct deputy *d)
{
	if (d->state != DEPUTY_AWAY && d->state != DEPUTY_RECALLING)
		return;
	for (size_t i = 0; i < DEPUTY_STREAMS; i++) {
		struct deputy_stream *s = &d->streams.s[i];

		while (s->file >= 0 && s->at < s->upto &&
		       channel_room(d->channel, sizeof(struct stream_header) + PIECE) &&
		       channel_backlog(d->channel) < BACKLOG && send_piece(d, s))
			;
	}
}

/* the stream that a frame is about; NULL: there is none, so the guest lies */
static struct deputy_stream *named(struct deputy *d, const struct move_frame *f,
				   struct stream_header *ret, struct err *e)
{
	struct deputy_stream *s;

	memcpy(ret, f->payload, sizeof(*ret)); /* wire/move.h: it is that long */
	s = find(d, ret->id);
	if (!s)
		(void)err_set(e, -EPROTO, "%s of stream %u, which is not there", move_name(f->type),
			      ret->id);
	return s;
}

int deputy_take_more(struct deputy *d, const struct move_frame *f, struct err *e)
{
	struct stream_header h;
	struct deputy_stream *s = named(d, f, &h, e);

	if (!s)
		return e->code;
	if (h.offset < s->at || h.offset - s->at > AHEAD_MOST || h.offset > INT64_MAX)
		return err_set(e, -EPROTO, "too much of stream %u is wanted", h.id);
	s->upto = h.offset;
	deputy_stream_on(d);
	return 0;
}

/* --------------------------------------------------------------------- ending */

int deputy_take_release(struct deputy *d, const struct move_frame *f, struct err *e)
{
	struct stream_header h;
	struct deputy_stream *s = named(d, f, &h, e);

	if (!s)
		return e->code;
	if (h.offset < s->from || h.offset > s->at)
		return err_set(e, -EPROTO, "stream %u was read where it was not sent", h.id);
	if (!s->placed && h.offset != s->from && lseek(s->file, (off_t)h.offset, SEEK_SET) < 0)
		return err_set(e, -errno, "set an offset: %s", strerror(errno));
	close_stream(s);
	return 0;
}

/* SIGIO: somebody wants to write; told by the lease itself, for signals are merged */
static void on_broken(void *owner, int signo)
{
	struct deputy *d = owner;

	(void)signo;
	for (size_t i = 0; i < DEPUTY_STREAMS; i++) {
		struct deputy_stream *s = &d->streams.s[i];

		if (s->file < 0 || s->broken || fcntl(s->own, F_GETLEASE) == F_RDLCK)
			continue;
		s->broken = true;
		s->upto = s->at; /* nothing more: RELEASE will come */
		say(d, s->id, false, 0);
	}
}

int deputy_stream_init(struct deputy *d)
{
	for (size_t i = 0; i < DEPUTY_STREAMS; i++)
		d->streams.s[i] = (struct deputy_stream){ .file = -1, .own = -1 };
	d->streams.buffer = malloc(PIECE);
	return d->streams.buffer ? loop_add_signal(d->loop, SIGIO, on_broken, d, &d->streams.io_ref)
				 : -ENOMEM;
}

void deputy_stream_end(struct deputy *d)
{
	for (size_t i = 0; i < DEPUTY_STREAMS && d->streams.buffer; i++)
		close_stream(&d->streams.s[i]);
}

void deputy_stream_done(struct deputy *d)
{
	deputy_stream_end(d);
	loop_remove(d->loop, &d->streams.retry_ref);
	loop_remove(d->loop, &d->streams.io_ref);
	free(d->streams.buffer);
	d->streams.buffer = NULL;
}
