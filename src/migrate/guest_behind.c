/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_behind.c - writes to files whose answers the program does not wait for
 *
 * Theory of operation. The third write in a row to a descriptor asks home what it is: a regular file
 * of a local file system, not synchronous, no limit of its size, with SPACE_LEAST bytes free; the
 * last is asked again after each LOOK_BYTES. Then a write is sent to home and the program goes on with
 * all of its bytes written. At most BEHIND_BYTES are on the way: a write that finds that much is an
 * ordinary call. While one is on the way, small ones are put together, and sent when it is answered, so
 * that a program that writes a line at a time has a call for many. So a file system that is nearly full is written as at home, and the write that does
 * not fit says ENOSPC.
 *
 * Nobody may see what the program does next without what it wrote before:
 *
 *	the same thread		its calls are made in order, at home (deputy_behind.c)
 *	other threads		their calls wait here until all is answered; and only one thread, to one
 *				descriptor, has writes on the way
 *	its end, a new thread	wait at home
 *	the way home		waits here: guest_frozen()
 *
 * A write that failed nevertheless (a quota, a broken disk) is told as NFS does: by the next write,
 * fsync, fdatasync or close of that descriptor. What was sent behind it was not written.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "forward/call.h"
#include "log/log.h"
#include "migrate/guest.h"

#define XFS_MAGIC      0x58465342
#define RESTART	       (-512)	    /* ERESTARTSYS of the kernel */
#define RESTART_ALWAYS (-513)	    /* ERESTARTNOINTR */
#define BEHIND_MOST    (128U << 10) /* bytes of one write */
#define BEHIND_BYTES   (1U << 20)
#define SPACE_LEAST    (64ULL << 20)
#define LOOK_BYTES     (4U << 20)

/* -------------------------------------------------------------------- questions */

static void ask(struct guest_thread *t);
static void send_behind(struct guest_thread *t);

static bool is_good_kind(const void *p, struct guest_behind_fd *row)
{
	const struct stat *st = p;

	(void)row;
	return S_ISREG(st->st_mode);
}

static bool is_good_space(const void *p, struct guest_behind_fd *row)
{
	static const uint32_t local[] = { EXT4_SUPER_MAGIC, XFS_MAGIC, BTRFS_SUPER_MAGIC,
					  TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC };
	const struct statfs *v = p;
	bool good = false;

	for (size_t i = 0; i < ARRAY_LEN(local); i++)
		good |= (uint32_t)v->f_type == local[i];
	row->left = LOOK_BYTES;
	return good && v->f_bsize > 0 && v->f_bavail >= SPACE_LEAST / (uint64_t)v->f_bsize;
}

static bool is_good_limit(const void *p, struct guest_behind_fd *row)
{
	const struct rlimit *l = p;

	(void)row;
	return l->rlim_cur == RLIM_INFINITY;
}

/* in this order; F_GETFL has no output: its result is looked at */
static const struct {
	uint32_t nr;
	uint64_t arg; /* the first one; the descriptor when 0 */
	uint32_t len;
	bool (*is_good)(const void *p, struct guest_behind_fd *row);
} questions[] = {
	{ SYS_fstat, 0, sizeof(struct stat), is_good_kind },
	{ SYS_fcntl, 0, 0, NULL },
	{ SYS_getrlimit, RLIMIT_FSIZE, sizeof(struct rlimit), is_good_limit },
	{ SYS_fstatfs, 0, sizeof(struct statfs), is_good_space },
};

#define ASK_SPACE (ARRAY_LEN(questions) - 1) /* and then again and again */

static struct guest_behind_fd *row_of(struct guest *g, uint32_t fd)
{
	return &g->behind.fds[fd % GUEST_BEHIND_FDS];
}

static bool is_good(const struct call_answer *a, const uint8_t *out, size_t n,
		    struct guest_behind_fd *row)
{
	union {
		struct stat st;
		struct statfs v;
		struct rlimit l;
	} u;

	if (a->result < 0 || n != questions[row->asked].len)
		return false;
	if (!questions[row->asked].is_good)
		return !(a->result & (O_SYNC | O_DSYNC | O_DIRECT | O_PATH));
	memcpy(&u, out, n);
	return questions[row->asked].is_good(&u, row);
}

static void on_answer(struct guest_thread *t, const uint8_t *p, size_t n)
{
	struct guest_behind_fd *row = row_of(t->guest, (uint32_t)t->args[0]);
	struct call_answer a;

	memcpy(&a, p, sizeof(a)); /* guest_take_answer(): it is that long */
	/* it is to stop, or to hear a signal: its write is made after that */
	if (t->guest->state != GUEST_RUNNING || (t->cancelled && guest_is_deliverable(t))) {
		guest_reply(t, t->guest->state != GUEST_RUNNING ? RESTART : RESTART_ALWAYS);
		return;
	}
	if (row->fd == (uint32_t)t->args[0]) {
		row->never = !is_good(&a, p + sizeof(a), n - sizeof(a), row);
		if (!row->never && row->asked++ < ASK_SPACE) {
			ask(t);
			return;
		}
		if (!row->never) {
			send_behind(t);
			return;
		}
	}
	guest_forward(t);
}

static void ask(struct guest_thread *t)
{
	const struct guest_behind_fd *row = row_of(t->guest, (uint32_t)t->args[0]);
	uint32_t nr = questions[row->asked].nr, len = questions[row->asked].len;
	const struct call_fixup fix = { .at = CALL_FIX_ARG | 1, .place = 0 };
	const struct call_request q = {
		.nr = nr,
		.n_fixups = len ? 1 : 0,
		.args = { questions[row->asked].arg ? questions[row->asked].arg : t->args[0],
			  len ? 0 : F_GETFL },
		.out_len = len,
	};
	struct buf b;

	t->state = THREAD_CALLING;
	buf_init(&b, CALL_BYTES_MAX);
	if (buf_put(&b, &q, sizeof(q)) < 0 || (len && buf_put(&b, &fix, sizeof(fix)) < 0))
		guest_fail(t->guest, -ENOMEM, "no memory for a request");
	else
		guest_request(t, &b, on_answer);
	buf_done(&b);
}

/* --------------------------------------------------------------------- writing */

void guest_behind_flush(struct guest *g)
{
	struct guest_behind *b = &g->behind;
	const uint32_t n = (uint32_t)b->pending.len;
	const struct {
		uint32_t tid, flags;
		struct call_request q;
		struct call_fixup fix;
	} head = {
		.tid = (uint32_t)b->tid,
		.flags = GUEST_CALL_BEHIND,
		.q = { .nr = SYS_write,
		       .n_fixups = 1,
		       .args = { b->fd, 0, n },
		       .in_len = n,
		       .out_at = n },
		.fix = { .at = CALL_FIX_ARG | 1, .place = 0 },
	};

	if (!n)
		return;
	guest_send(g, MOVE_CALL, &head, sizeof(head), buf_bytes(&b->pending), n);
	buf_reset(&b->pending);
	b->lens[(b->first + b->n++) % GUEST_BEHIND_MOST] = n;
}

/* Return: false: not now, or not all of its bytes are there and home's kernel says what that means */
static bool take_bytes(struct guest_thread *t, uint32_t n)
{
	struct guest *g = t->guest;
	struct guest_behind *b = &g->behind;
	uint8_t *to;

	if ((b->n && (b->tid != t->tid || b->fd != (uint32_t)t->args[0])) ||
	    b->n >= GUEST_BEHIND_MOST - 1 || b->bytes + n > BEHIND_BYTES ||
	    channel_backlog(g->channel) > MOVE_KEPT_MAX / 2)
		return false;
	if (b->pending.len + n > BEHIND_MOST)
		guest_behind_flush(g);
	if (buf_room(&b->pending, n, &to) < 0 || guest_read(t, t->args[1], to, n) < 0)
		return false;
	buf_grow(&b->pending, n);
	return true;
}

static void send_behind(struct guest_thread *t)
{
	struct guest *g = t->guest;
	struct guest_behind_fd *row = row_of(g, (uint32_t)t->args[0]);
	uint32_t n = (uint32_t)t->args[2];

	if (!take_bytes(t, n)) {
		guest_forward(t);
		return;
	}
	g->behind.tid = t->tid;
	g->behind.fd = row->fd;
	g->behind.bytes += n;
	if (!g->behind.n)
		guest_behind_flush(g);
	row->left = row->left > n ? row->left - n : 0;
	guest_reply(t, n);
}

static void forget(struct guest *g, uint32_t fd)
{
	struct guest_behind_fd *row = row_of(g, fd);

	ahead_forget(&g->behind.often, fd);
	if (row->fd == fd)
		*row = (struct guest_behind_fd){ .fd = UINT32_MAX };
}

/* does this call leave it the open file that it is? */
static bool is_kept(const struct guest_thread *t, uint32_t fd)
{
	return t->nr == SYS_write || t->nr == SYS_lseek || t->nr == SYS_read ||
	       t->nr == SYS_fsync || t->nr == SYS_fdatasync || t->nr == SYS_ftruncate ||
	       ahead_is_harmless(t->nr, t->args, fd);
}

static bool write_call(struct guest_thread *t)
{
	struct guest *g = t->guest;
	uint32_t fd = (uint32_t)t->args[0];
	struct guest_behind_fd *row = row_of(g, fd);

	if (g->behind.error && g->behind.error_fd == fd) {
		int error = g->behind.error;

		g->behind.error = 0;
		guest_reply(t, error);
		return true;
	}
	if (!ahead_read(&g->behind.often, fd) || !t->args[2] || t->args[2] > BEHIND_MOST)
		return false;
	if (row->fd != fd)
		*row = (struct guest_behind_fd){ .fd = fd };
	if (row->never)
		return false;
	if (row->asked <= ASK_SPACE || row->left < t->args[2]) {
		row->asked = row->asked <= ASK_SPACE ? row->asked : ASK_SPACE;
		ask(t);
	} else {
		send_behind(t);
	}
	return true;
}

bool guest_behind_call(struct guest_thread *t)
{
	struct guest *g = t->guest;

	for (size_t i = 0; i < AHEAD_FDS; i++)
		if (!is_kept(t, g->behind.often.fds[i].fd))
			forget(g, g->behind.often.fds[i].fd);
	for (size_t i = 0; i < GUEST_BEHIND_FDS; i++)
		if (!is_kept(t, g->behind.fds[i].fd))
			forget(g, g->behind.fds[i].fd);
	return t->nr == SYS_write && t->args[0] <= INT32_MAX && !t->done && write_call(t);
}

bool guest_behind_blocks(const struct guest_thread *t)
{
	if (t->guest->behind.n && t->guest->behind.tid != t->tid)
		return true;
	guest_behind_flush(t->guest);
	return false;
}

int64_t guest_behind_result(struct guest_thread *t, int64_t result)
{
	struct guest *g = t->guest;
	bool tells = t->nr == SYS_close || t->nr == SYS_fsync || t->nr == SYS_fdatasync;

	if (t->nr == SYS_write && result == -ECANCELED)
		tells = true;
	else if (result < 0)
		return result;
	if (!g->behind.error || !tells || (uint32_t)t->args[0] != g->behind.error_fd)
		return result;
	result = g->behind.error;
	g->behind.error = 0;
	return result;
}

static void note_failure(struct guest *g, int64_t result)
{
	if (result == -ECANCELED || g->behind.error)
		return; /* it was behind one that failed */
	/* a part of it was written: then the next one would have been told why */
	g->behind.error = result < 0 && result >= -4095 ? (int)result : -ENOSPC;
	g->behind.error_fd = g->behind.fd;
	forget(g, g->behind.fd);
	log_warn("a write that the program took for done has failed: %s",
		 strerror(-g->behind.error));
}

int guest_behind_answer(struct guest *g, const uint8_t *p, size_t n, struct err *e)
{
	struct guest_behind *b = &g->behind;
	struct call_answer a;

	if (!b->n || n != sizeof(a))
		return err_set(e, -EPROTO, "an answer to a write that was not sent");
	memcpy(&a, p, sizeof(a));
	if (a.result != b->lens[b->first])
		note_failure(g, a.result);
	b->bytes -= b->lens[b->first];
	b->first = (b->first + 1) % GUEST_BEHIND_MOST;
	b->n--;
	guest_behind_flush(g);
	if (b->n)
		return 0;
	guest_send_waiting(g);
	guest_frozen(g);
	return 0;
}

void guest_behind_init(struct guest *g)
{
	buf_init(&g->behind.pending, BEHIND_MOST);
}

void guest_behind_done(struct guest *g)
{
	buf_done(&g->behind.pending);
}
