/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_stream.c - reads that are answered here, of what home has sent ahead
 *
 * Theory of operation. A descriptor that is read from front to back (forward/away/ahead.h) gets a
 * stream, if home grants one (deputy_stream.c has the conditions):
 *
 *	          third read            STREAMED: granted
 *	FREE  ----------------> ASKED ------------------> OPEN ---------+
 *	  ^       STREAM          | refused                 | DATA, MORE |
 *	  +-----------------------+<------------------------+<-----------+
 *	                                  RELEASE
 *
 * ASKED: the reader waits. Only it may be set to work on; no byte was read yet.
 * OPEN:  home's offset stands still at where the stream began, ours is s->offset; bytes of
 *	  [s->offset, s->offset + bytes.len) are here. Reads are answered from them; one that wants
 *	  more waits, and what comes goes straight to it. A read of a regular file gives all that is
 *	  wanted, so does this.
 *
 * A stream of reads that name their place (pread, preadv) is the same, but for the offset: home's is
 * no matter. A read that does not begin where the one before ended is a call, and ends it.
 *
 * A descriptor has one stream at most. When all are in use the one that was read longest ago ends.
 *
 * Any call that is not known to leave descriptor, offset and content alone ends all streams first:
 * RELEASE tells home the offset and goes before the call, in one stream of frames. So does a lease
 * that is broken, a second reader, memory that cannot be written, and the way home. The rest of a read
 * that was half answered is then an ordinary call, and so its error, if there is one.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "migrate/guest.h"

#define FEW	 4	      /* streams that have the largest window each */
#define MANY_MAX (512U << 10) /* the window when there are more */

struct stream_header {
	uint32_t id, word;
	uint64_t offset;
};

static void say(struct guest *g, enum move_type type, const struct guest_stream *s, uint64_t offset)
{
	const struct stream_header h = { s->id, 0, offset };

	guest_send(g, type, &h, sizeof(h), NULL, 0);
}

static struct guest_stream *of_fd(struct guest *g, uint32_t fd)
{
	for (size_t i = 0; i < GUEST_STREAMS; i++)
		if (g->streams.s[i].state != STREAM_FREE && g->streams.s[i].fd == fd)
			return &g->streams.s[i];
	return NULL;
}

static struct guest_stream *of_id(struct guest *g, uint32_t id)
{
	for (size_t i = 0; i < GUEST_STREAMS; i++)
		if (g->streams.s[i].state != STREAM_FREE && g->streams.s[i].id == id)
			return &g->streams.s[i];
	return NULL;
}

static void free_stream(struct guest_stream *s)
{
	buf_done(&s->bytes);
	*s = (struct guest_stream){ 0 };
}

/* the rest of its read is a call as any other */
static void go_plain(struct guest_thread *t)
{
	t->done = t->parts.done;
	t->state = THREAD_RUNNING;
	guest_forward(t);
}

static void end_stream(struct guest *g, struct guest_stream *s)
{
	struct guest_thread *t = s->reader;

	if (s->state == STREAM_OPEN)
		say(g, MOVE_RELEASE, s, s->offset);
	s->reader = NULL;
	if (s->state == STREAM_ASKED) {
		s->state = STREAM_UNWANTED; /* until home has answered */
	} else if (s->state == STREAM_OPEN) {
		free_stream(s);
	}
	if (t)
		go_plain(t);
}

/* --------------------------------------------------------------------- reading */

static bool is_read(uint32_t nr)
{
	return nr == SYS_read || nr == SYS_readv || nr == SYS_pread64 || nr == SYS_preadv;
}

static bool is_placed(uint32_t nr)
{
	return nr == SYS_pread64 || nr == SYS_preadv;
}

static void more(struct guest *g, struct guest_stream *s)
{
	size_t open = 0;

	for (size_t i = 0; i < GUEST_STREAMS; i++)
		open += g->streams.s[i].state == STREAM_OPEN;
	if (!s->eof &&
	    ahead_window_more(&s->window, s->offset, open > FEW ? MANY_MAX : AHEAD_WINDOW_MAX))
		say(g, MOVE_MORE, s, s->window.upto);
}

/* to the reader what it wants of these; Return: how many bytes, -EFAULT: the stream has ended */
static ssize_t give(struct guest *g, struct guest_stream *s, const uint8_t *p, size_t n)
{
	struct guest_thread *t = s->reader;
	uint64_t left = t ? t->parts.total - t->parts.done : 0;

	n = n < left ? n : (size_t)left;
	if (n && guest_parts_put(t, p, n) < 0) {
		end_stream(g, s); /* the native read tells how far it comes */
		return -EFAULT;
	}
	s->offset += n;
	return (ssize_t)n;
}

/* its reader has what there is */
static void given(struct guest *g, struct guest_stream *s)
{
	struct guest_thread *t = s->reader;

	if (!t)
		return;
	if (t->parts.done == t->parts.total || s->eof) {
		s->reader = NULL;
		guest_reply(t, (int64_t)t->parts.done);
	}
	more(g, s);
}

static void serve(struct guest *g, struct guest_stream *s)
{
	ssize_t n = give(g, s, buf_bytes(&s->bytes), s->bytes.len);

	if (n < 0)
		return;
	buf_eat(&s->bytes, (size_t)n);
	given(g, s);
}

/* is nothing under way at home that may touch the descriptor? */
static bool is_quiet(const struct guest *g, const struct guest_thread *but, uint32_t fd)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct guest_thread *t = g->threads[i];

		if (t != but && (t->state == THREAD_CALLING || t->state == THREAD_HOMEWARD) &&
		    !ahead_is_harmless(t->nr, t->args, fd))
			return false;
	}
	return true;
}

/* a row for one more; NULL: nothing of the sixteen can end */
static struct guest_stream *find_room(struct guest *g)
{
	struct guest_stream *oldest = NULL;

	for (size_t i = 0; i < GUEST_STREAMS; i++) {
		struct guest_stream *s = &g->streams.s[i];

		if (s->state == STREAM_FREE)
			return s;
		if (s->state == STREAM_OPEN && !s->reader && (!oldest || s->used < oldest->used))
			oldest = s;
	}
	if (oldest)
		end_stream(g, oldest);
	return oldest;
}

static bool ask(struct guest_thread *t, uint32_t fd)
{
	struct guest *g = t->guest;
	bool placed = is_placed(t->nr);
	struct guest_stream *s = is_quiet(g, t, fd) ? find_room(g) : NULL;

	if (!s)
		return false;

	const uint32_t payload[2] = { ++g->streams.last_id, fd };

	*s = (struct guest_stream){ .state = STREAM_ASKED,
				    .id = payload[0],
				    .fd = fd,
				    .placed = placed,
				    .used = ++g->streams.clock,
				    .offset = placed ? t->args[3] : 0,
				    .reader = t };
	buf_init(&s->bytes, AHEAD_WINDOW_MAX);
	t->state = THREAD_READING;
	guest_send(g, MOVE_STREAM, payload, sizeof(payload), &t->args[3],
		   placed ? sizeof(t->args[3]) : 0);
	return true;
}

/* may it be answered of this stream? */
static bool goes_on(const struct guest_thread *t, const struct guest_stream *s)
{
	return s->state == STREAM_OPEN && !s->reader && s->placed == is_placed(t->nr) &&
	       (!s->placed || t->args[3] == s->offset);
}

static bool read_call(struct guest_thread *t)
{
	struct guest *g = t->guest;
	uint32_t fd = (uint32_t)t->args[0];
	struct guest_stream *s = of_fd(g, fd);
	bool often;

	if (s && !s->placed && is_placed(t->nr))
		return false; /* what it does is nothing to the offset */
	often = is_placed(t->nr) ? ahead_read_at(&g->streams.ahead, fd, t->args[3], t->parts.total)
				 : ahead_read(&g->streams.ahead, fd);
	if (s && !goes_on(t, s)) {
		end_stream(g, s);
		return false;
	}
	if (!s)
		return often && g->state == GUEST_RUNNING && !g->copying && ask(t, fd);
	t->state = THREAD_READING;
	s->used = ++g->streams.clock;
	s->reader = t;
	serve(g, s);
	return true;
}

bool guest_stream_call(struct guest_thread *t)
{
	struct guest *g = t->guest;

	if (is_read(t->nr) && !t->done && guest_parts_load(t))
		return read_call(t);
	for (size_t i = 0; i < AHEAD_FDS; i++)
		if (!ahead_is_harmless(t->nr, t->args, g->streams.ahead.fds[i].fd))
			ahead_forget(&g->streams.ahead, g->streams.ahead.fds[i].fd);
	for (size_t i = 0; i < GUEST_STREAMS; i++) {
		struct guest_stream *s = &g->streams.s[i];

		if (s->state != STREAM_FREE && !ahead_is_harmless(t->nr, t->args, s->fd))
			end_stream(g, s);
	}
	return false;
}

/* --------------------------------------------------------------------- frames */

int guest_take_streamed(struct guest *g, const struct move_frame *f, struct err *e)
{
	struct guest_stream *s;
	struct stream_header h;

	memcpy(&h, f->payload, sizeof(h)); /* wire/move.h: it is that long */
	s = of_id(g, h.id);
	if (!s || h.word > 1 || h.offset > INT64_MAX)
		/* broken while we let go of it: home has our word */
		return h.id <= g->streams.last_id && h.word == 0
			       ? 0
			       : err_set(e, -EPROTO, "stream %u is not awaited", h.id);
	if (s->state == STREAM_OPEN) {
		if (h.word)
			return err_set(e, -EPROTO, "stream %u is granted twice", h.id);
		end_stream(g, s);
		return 0;
	}
	if (h.word && s->placed && h.offset != s->offset)
		return err_set(e, -EPROTO, "stream %u is granted at another place", h.id);
	s->offset = h.offset;
	if (h.word && s->state == STREAM_ASKED) {
		s->state = STREAM_OPEN;
		ahead_window_init(&s->window, s->offset);
		serve(g, s);
		return 0;
	}
	if (h.word && g->state < GUEST_LEAVING) /* else the way home ends it */
		say(g, MOVE_RELEASE, s, s->offset);
	else if (!h.word)
		ahead_never(&g->streams.ahead, s->fd);

	struct guest_thread *t = s->reader;

	free_stream(s);
	if (t)
		go_plain(t);
	return 0;
}

int guest_take_data(struct guest *g, const struct move_frame *f, struct err *e)
{
	struct guest_stream *s;
	struct stream_header h;
	const uint8_t *p = f->payload + sizeof(h);
	size_t n = f->len - sizeof(h);
	ssize_t to_reader;

	memcpy(&h, f->payload, sizeof(h)); /* wire/move.h: the fixed part is there */
	s = of_id(g, h.id);
	if (!s && h.id <= g->streams.last_id)
		return 0; /* it was on its way when we let go */
	if (s && s->eof && !n)
		return 0; /* more was asked for before the end was known */
	if (!s || s->state != STREAM_OPEN || s->eof || h.offset != s->offset + s->bytes.len ||
	    h.offset + n > s->window.upto)
		return err_set(e, -EPROTO, "data of stream %u that was not asked for", h.id);
	s->eof = !n;
	/* who waits has had all that was here before */
	to_reader = s->reader ? give(g, s, p, n) : 0;
	if (to_reader < 0)
		return 0;
	n -= (size_t)to_reader;
	if (n && buf_put(&s->bytes, p + to_reader, n) < 0)
		return err_set(e, -ENOMEM, "no memory for what was sent ahead");
	given(g, s);
	return 0;
}

/* ------------------------------------------------------------------------ ends */

void guest_stream_end_all(struct guest *g)
{
	for (size_t i = 0; i < GUEST_STREAMS; i++)
		if (g->streams.s[i].state != STREAM_FREE)
			end_stream(g, &g->streams.s[i]);
}

void guest_stream_forget(struct guest_thread *t)
{
	for (size_t i = 0; i < GUEST_STREAMS; i++)
		if (t->guest->streams.s[i].reader == t)
			t->guest->streams.s[i].reader = NULL;
}

void guest_stream_done(struct guest *g)
{
	for (size_t i = 0; i < GUEST_STREAMS; i++)
		free_stream(&g->streams.s[i]);
}
