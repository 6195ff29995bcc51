/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_behind.c - writes to files whose answers the program does not wait for
 *
 * Theory of operation. The third write in a row to a descriptor asks home what it is: a regular file
 * of a local file system, not synchronous, no limit of its size, with SPACE_LEAST bytes free. The
 * last is asked again before LOOK_BYTES are written, without waiting for the answer. So a file system
 * that is nearly full is written as at home, and the write that does not fit says ENOSPC.
 *
 *	write -> pending -> at most BEHIND_BYTES on the way -> answered
 *	            ^ a writer that finds no room waits until something is answered
 *
 * A write is taken, and the program goes on with all of its bytes written. Small ones are put together
 * while some are on the way, so that a program that writes a line at a time has a call for many: they
 * leave when there are SEND_BYTES of them, or when home has little left to do. One of up to BATCH
 * bytes is never cut, for it may be a line that is appended to a file that others append to.
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

#include "base/restarts.h"
#include "forward/call.h"
#include "log/log.h"
#include "migrate/guest.h"

#define XFS_MAGIC    0x58465342
#define BATCH	     CALL_CHUNK /* bytes that home writes in one call */
#define SEND_BYTES   (128U << 10)
#define BEHIND_BYTES (2U << 20)
#define FEW	     2 /* at home: one at work and one in line */
#define SPACE_LEAST  (64ULL << 20)
#define LOOK_BYTES   (4U << 20)

static bool is_write(uint32_t nr)
{
	return nr == SYS_write || nr == SYS_writev;
}

/* -------------------------------------------------------------------- questions */

static void ask(struct guest_thread *t);
static void go_on(struct guest_thread *t);

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
		guest_reply(t, -ERESTARTNOINTR);
		return;
	}
	if (row->fd == (uint32_t)t->args[0]) {
		row->never = !is_good(&a, p + sizeof(a), n - sizeof(a), row);
		if (!row->never && row->asked++ < ASK_SPACE) {
			ask(t);
			return;
		}
		if (!row->never) {
			go_on(t);
			return;
		}
	}
	guest_forward(t);
}

static const struct call_fixup to_output = { .at = CALL_FIX_ARG | 1, .place = 0 };

static struct call_request question(size_t i, uint32_t fd)
{
	return (struct call_request){
		.nr = questions[i].nr,
		.n_fixups = questions[i].len ? 1 : 0,
		.args = { questions[i].arg ? questions[i].arg : fd,
			  questions[i].len ? 0 : F_GETFL },
		.out_len = questions[i].len,
	};
}

static void ask(struct guest_thread *t)
{
	const struct guest_behind_fd *row = row_of(t->guest, (uint32_t)t->args[0]);
	const struct call_request q = question(row->asked, row->fd);
	struct buf b;

	t->state = THREAD_CALLING;
	buf_init(&b, CALL_BYTES_MAX);
	if (buf_put(&b, &q, sizeof(q)) < 0 ||
	    (q.n_fixups && buf_put(&b, &to_output, sizeof(to_output)) < 0))
		guest_fail(t->guest, -ENOMEM, "no memory for a request");
	else
		guest_request(t, &b, on_answer);
	buf_done(&b);
}

/* --------------------------------------------------------------------- writing */

/* of a CALL frame */
struct head {
	uint32_t tid, flags;
	struct call_request q;
	struct call_fixup fix;
};

/* it goes into the ring of what is on the way; @len: 0 for a question */
static void send_behind(struct guest *g, const struct head *head, const void *p, uint32_t len)
{
	struct guest_behind *b = &g->behind;

	guest_send(g, MOVE_CALL, head, sizeof(*head), p, len);
	b->lens[(b->first + b->n++) % GUEST_BEHIND_MOST] = len;
}

void guest_behind_flush(struct guest *g)
{
	struct guest_behind *b = &g->behind;
	const uint32_t n = (uint32_t)b->pending.len;
	const struct head head = {
		.tid = (uint32_t)b->tid,
		.flags = GUEST_CALL_BEHIND,
		.q = { .nr = SYS_write,
		       .n_fixups = 1,
		       .args = { b->fd, 0, n },
		       .in_len = n,
		       .out_at = n },
		.fix = to_output,
	};

	if (!n)
		return;
	send_behind(g, &head, buf_bytes(&b->pending), n);
	buf_reset(&b->pending);
}

/* so that the answer is here before it is needed */
static void ask_behind(struct guest *g, struct guest_behind_fd *row)
{
	struct guest_behind *b = &g->behind;
	const struct head head = {
		.tid = (uint32_t)b->tid,
		.flags = GUEST_CALL_BEHIND,
		.q = question(ASK_SPACE, row->fd),
		.fix = to_output,
	};

	guest_behind_flush(g);
	send_behind(g, &head, NULL, 0);
	row->asking = true;
	row->then = LOOK_BYTES;
}

static bool has_room(const struct guest *g, const struct guest_behind_fd *row, uint32_t n)
{
	const struct guest_behind *b = &g->behind;

	/* what is pending may have to leave first, and a question may follow */
	return b->n + 3 < GUEST_BEHIND_MOST && b->bytes + n <= BEHIND_BYTES && row->left >= n &&
	       channel_backlog(g->channel) + n <= MOVE_KEPT_MAX - 2 * MOVE_PAYLOAD_MAX;
}

/* Return: 0, -EFAULT: not all of them are there, home's kernel says what that means */
static int take_bytes(struct guest_thread *t, struct guest_behind_fd *row, uint32_t n)
{
	struct guest *g = t->guest;
	struct guest_behind *b = &g->behind;
	uint8_t *to;

	if (b->pending.len + n > BATCH)
		guest_behind_flush(g);
	if (buf_room(&b->pending, n, &to) < 0 || guest_parts_get(t, to, n) < 0)
		return -EFAULT;
	buf_grow(&b->pending, n);
	b->bytes += n;
	b->tid = t->tid;
	b->fd = row->fd;
	row->left -= n;
	row->then -= row->asking ? n : 0;
	if (!b->n || b->pending.len >= SEND_BYTES)
		guest_behind_flush(g);
	if (row->left < LOOK_BYTES / 2 && !row->asking)
		ask_behind(g, row);
	return 0;
}

/* the rest of it is a call as any other */
static void go_plain(struct guest_thread *t)
{
	t->done = t->parts.done;
	t->state = THREAD_RUNNING;
	guest_forward(t);
}

static void go_on(struct guest_thread *t)
{
	struct guest *g = t->guest;
	struct guest_behind *b = &g->behind;
	struct guest_behind_fd *row = row_of(g, (uint32_t)t->args[0]);

	while (t->parts.done < t->parts.total) {
		uint64_t left = t->parts.total - t->parts.done;
		uint32_t n = left < BATCH ? (uint32_t)left : BATCH;
		bool ours = !b->n || (b->tid == t->tid && b->fd == row->fd);

		if (ours && b->n && row->fd == t->args[0] && !has_room(g, row, n)) {
			t->state = THREAD_WRITING;
			b->waits = t;
			return;
		}
		if (!ours || row->fd != t->args[0] || row->never || !has_room(g, row, n) ||
		    take_bytes(t, row, n) < 0) {
			go_plain(t);
			return;
		}
	}
	guest_reply(t, (int64_t)t->parts.total);
}

/* something was answered, or the channel has room */
void guest_behind_on(struct guest *g)
{
	struct guest_thread *t = g->behind.waits;

	if (!t)
		return;
	g->behind.waits = NULL;
	if (g->state == GUEST_RUNNING) {
		go_on(t);
		return;
	}
	t->done = t->parts.done; /* the rest is made where it is then */
	guest_reply(t, -ERESTARTNOINTR);
}

void guest_behind_forget(struct guest_thread *t)
{
	if (t->guest->behind.waits == t)
		t->guest->behind.waits = NULL;
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
	return is_write(t->nr) || t->nr == SYS_lseek || t->nr == SYS_read || t->nr == SYS_fsync ||
	       t->nr == SYS_fdatasync || t->nr == SYS_ftruncate ||
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
	if (!ahead_read(&g->behind.often, fd) || !guest_parts_load(t))
		return false;
	if (row->fd != fd)
		*row = (struct guest_behind_fd){ .fd = fd };
	if (row->never)
		return false;
	if (row->asked <= ASK_SPACE)
		ask(t);
	else
		go_on(t);
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
	return is_write(t->nr) && t->args[0] <= INT32_MAX && !t->done && write_call(t);
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

	if (is_write(t->nr) && result == -ECANCELED)
		tells = true;
	else if (result < 0)
		return result;
	if (!g->behind.error || !tells || (uint32_t)t->args[0] != g->behind.error_fd)
		return result;
	result = g->behind.error;
	g->behind.error = 0;
	return result;
}

bool guest_behind_again(struct guest_thread *t, int64_t result)
{
	struct guest_behind *b = &t->guest->behind;

	if (!is_write(t->nr) || b->cancelled != t->tid)
		return false;
	b->cancelled = 0; /* one is all that home turns away */
	return result == -ECANCELED && !(b->error && b->error_fd == (uint32_t)t->args[0]);
}

static void note_failure(struct guest *g, int64_t result)
{
	g->behind.cancelled = g->behind.tid;
	if (result == -ECANCELED || g->behind.error)
		return; /* it was behind one that failed */
	/* a part of it was written: then the next one would have been told why */
	g->behind.error = result < 0 && result >= -4095 ? (int)result : -ENOSPC;
	g->behind.error_fd = g->behind.fd;
	forget(g, g->behind.fd);
	log_warn("a write that the program took for done has failed: %s",
		 strerror(-g->behind.error));
}

/* home's word on the space that there is */
static void take_space(struct guest *g, const struct call_answer *a, const uint8_t *out, size_t n)
{
	struct guest_behind_fd *row = row_of(g, g->behind.fd);

	if (row->fd != g->behind.fd || !row->asking)
		return; /* another file has its number by now */
	row->asking = false;
	row->asked = ASK_SPACE;
	row->never = !is_good(a, out, n, row);
	row->asked = ASK_SPACE + 1;
	row->left = row->never ? 0 : row->then;
}

int guest_behind_answer(struct guest *g, const uint8_t *p, size_t n, struct err *e)
{
	struct guest_behind *b = &g->behind;
	uint32_t len = b->lens[b->first];
	struct call_answer a;

	if (!b->n || n < sizeof(a) || (len && n != sizeof(a)))
		return err_set(e, -EPROTO, "an answer to a write that was not sent");
	memcpy(&a, p, sizeof(a));
	if (!len)
		take_space(g, &a, p + sizeof(a), n - sizeof(a));
	else if (a.result != len)
		note_failure(g, a.result);
	b->bytes -= len;
	b->first = (b->first + 1) % GUEST_BEHIND_MOST;
	b->n--;
	if (b->n < FEW)
		guest_behind_flush(g);
	guest_behind_on(g);
	if (b->n)
		return 0;
	guest_send_waiting(g);
	guest_frozen(g);
	return 0;
}

void guest_behind_init(struct guest *g)
{
	buf_init(&g->behind.pending, BATCH);
}

void guest_behind_done(struct guest *g)
{
	buf_done(&g->behind.pending);
}
