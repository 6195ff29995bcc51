/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move.c - frames between deputy and guest, numbered, kept until acknowledged
 *
 * Theory of operation. Every numbered frame is put twice: into kept (unless nobody wants that), and
 * into out.
 *
 *	kept    [ frame kept_first | ... | frame sent ]       leaves at ACK or RESUME of the peer
 *	out             [ ... frame sent | ACK | ... ]        leaves to the transport
 *
 * When the transport breaks, out is worth nothing: nobody knows what of it arrived. It is emptied
 * and begins with our RESUME; the peer's RESUME then says from where on kept is put into it again.
 * Until that comes, frames that are sent go into kept alone. In the same way what is in `in` and
 * not yet taken is dropped: the peer still has it in its kept.
 */
#include "wire/move.h"

#include <assert.h>
#include <errno.h>

#include "base/le.h"

#define TYPES 37 /* the last number and one */

static const struct row {
	const char *name;
	uint32_t fixed, max;
} rows[TYPES] = {
#define MOVE_ROW(name, number, fixed, max) [number] = { #name, fixed, max },
	MOVE_TYPES(MOVE_ROW)
#undef MOVE_ROW
};

#define COUNT(name, number, fixed, max) +1
static_assert(MOVE_TYPES(COUNT) == TYPES - 1, "a row for each number from 1 on");
#undef COUNT

static_assert(MOVE_OUT_MAX - MOVE_KEPT_MAX >=
		      MOVE_KEPT_MAX / MOVE_HEADER / MOVE_ACK_FRAMES * (MOVE_HEADER + 8),
	      "room for the ACKs of all that a peer may send without reading one");

const char *move_name(unsigned int type)
{
	return type < TYPES && rows[type].name ? rows[type].name : "?";
}

void move_init(struct move_link *l)
{
	*l = (struct move_link){ .kept_first = 1, .keep = true };
	buf_init(&l->in, MOVE_IN_MAX);
	buf_init(&l->out, MOVE_OUT_MAX);
	buf_init(&l->kept, MOVE_KEPT_MAX);
}

void move_done(struct move_link *l)
{
	if (!l)
		return;
	buf_done(&l->in);
	buf_done(&l->out);
	buf_done(&l->kept);
}

/* ---- sending ---- */

static void write_header(uint8_t *to, enum move_type type, uint64_t number, size_t len)
{
	le32_put(to, (uint32_t)len);
	to[4] = (uint8_t)type;
	to[5] = to[6] = to[7] = 0;
	le64_put(to + 8, number);
}

/* ACK or RESUME: the number that was taken last */
static int put_taken(struct move_link *l, enum move_type type)
{
	uint8_t *to;
	int r = buf_room(&l->out, MOVE_HEADER + 8, &to);

	if (r < 0)
		return r;
	write_header(to, type, 0, 8);
	le64_put(to + MOVE_HEADER, l->taken);
	buf_grow(&l->out, MOVE_HEADER + 8);
	l->acked = l->taken;
	l->taken_bytes = 0;
	return 0;
}

bool move_room(const struct move_link *l, size_t payload)
{
	size_t n = MOVE_HEADER + payload;

	/* out is emptied by the transport, kept by the peer: the fuller one decides */
	return payload <= MOVE_PAYLOAD_MAX && n <= MOVE_KEPT_MAX - l->kept.len &&
	       (l->resuming || n <= MOVE_OUT_MAX - l->out.len);
}

void move_keep(struct move_link *l, bool on)
{
	assert(!l->kept.len); /* what is kept has no gaps */
	l->keep = on;
	l->kept_first = l->sent + 1;
}

int move_reserve(struct move_link *l, size_t n, uint8_t **ret)
{
	uint8_t *out = NULL;
	int r;

	if (!move_room(l, n))
		return -ENOBUFS;
	r = l->resuming ? 0 : buf_room(&l->out, MOVE_HEADER + n, &out);
	if (!r && l->keep)
		r = buf_room(&l->kept, MOVE_HEADER + n, &out);
	if (!r && !out)
		r = -ENOBUFS; /* nowhere to put it: it is not kept, and nobody hears it now */
	if (!r)
		*ret = out + MOVE_HEADER;
	return r;
}

int move_commit(struct move_link *l, enum move_type type, size_t n)
{
	struct buf *at = l->keep ? &l->kept : &l->out;
	uint8_t *frame, *out;
	int r;

	assert(type > 0 && type < TYPES && type != MOVE_ACK && type != MOVE_RESUME);
	if (n < rows[type].fixed || n > rows[type].max)
		return -EMSGSIZE;
	r = buf_room(at, MOVE_HEADER + n, &frame); /* where it was: no more than was reserved */
	if (!r && l->keep && !l->resuming)
		r = buf_room(&l->out, MOVE_HEADER + n, &out);
	if (r < 0)
		return r;
	write_header(frame, type, ++l->sent, n);
	buf_grow(at, MOVE_HEADER + n);
	if (l->keep && !l->resuming) {
		memcpy(out, frame, MOVE_HEADER + n);
		buf_grow(&l->out, MOVE_HEADER + n);
	}
	if (!l->keep)
		l->kept_first = l->sent + 1;
	return 0;
}

int move_send(struct move_link *l, enum move_type type, const void *p, size_t n, const void *q,
	      size_t m)
{
	uint8_t *to;
	int r;

	if (n > MOVE_PAYLOAD_MAX || m > MOVE_PAYLOAD_MAX || n + m > rows[type].max ||
	    n + m < rows[type].fixed)
		return -EMSGSIZE;
	r = move_reserve(l, n + m, &to);
	if (r < 0)
		return r;
	if (n)
		memcpy(to, p, n);
	if (m)
		memcpy(to + n, q, m);
	return move_commit(l, type, n + m);
}

/* ---- what the peer says of our frames ---- */

/* the peer has taken all up to number, which the caller has checked */
static void forget(struct move_link *l, uint64_t number)
{
	while (l->kept_first <= number) {
		buf_eat(&l->kept, MOVE_HEADER + le32_get(buf_bytes(&l->kept)));
		l->kept_first++;
	}
}

static int take_ack(struct move_link *l, uint64_t number, struct err *e)
{
	if (number <= l->known || number > l->sent)
		return err_set(e, -EPROTO, "an ACK of frame %llu, when %llu to %llu are open",
			       (unsigned long long)number, (unsigned long long)l->known + 1,
			       (unsigned long long)l->sent);
	l->known = number;
	forget(l, number);
	return 0;
}

static int take_resume(struct move_link *l, uint64_t number, struct err *e)
{
	int r;

	if (!l->resuming)
		return err_set(e, -EPROTO, "a RESUME of a stream that was not broken");
	if (number + 1 < l->kept_first || number > l->sent)
		return err_set(e, -EPROTO, "a RESUME after frame %llu, when %llu to %llu are open",
			       (unsigned long long)number, (unsigned long long)l->kept_first,
			       (unsigned long long)l->sent);
	l->known = number;
	forget(l, number);
	r = buf_put(&l->out, buf_bytes(&l->kept), l->kept.len);
	if (r < 0)
		return err_set(e, r, "no memory to send %zu bytes again", l->kept.len);
	l->resuming = false;
	return 0;
}

int move_ack(struct move_link *l)
{
	if (l->resuming || l->taken == l->acked)
		return 0; /* told, or about to be told by RESUME */
	return put_taken(l, MOVE_ACK);
}

bool move_settled(const struct move_link *l)
{
	return !l->kept.len;
}

int move_resume(struct move_link *l)
{
	buf_reset(&l->in);
	buf_reset(&l->out);
	l->eat = 0;
	l->resuming = true;
	return put_taken(l, MOVE_RESUME);
}

/* ---- receiving ---- */

size_t move_space(const struct move_link *l)
{
	return MOVE_IN_MAX - l->in.len;
}

static bool is_control(unsigned int type)
{
	return type == MOVE_ACK || type == MOVE_RESUME;
}

static int check_header(const struct move_link *l, const uint8_t *p, struct err *e)
{
	uint32_t len = le32_get(p);
	uint64_t number = le64_get(p + 8), want;
	unsigned int type = p[4];

	if (!type || type >= TYPES)
		return err_set(e, -EPROTO, "a frame of unknown type %u", type);
	if (p[5] || p[6] || p[7])
		return err_set(e, -EPROTO, "not a frame: reserved bytes are set");
	if (len < rows[type].fixed || len > rows[type].max)
		return err_set(e, -EPROTO, "a %s frame of %u bytes", rows[type].name, len);
	if (l->resuming && type != MOVE_RESUME)
		return err_set(e, -EPROTO, "a %s frame where RESUME has to come first",
			       rows[type].name);
	want = is_control(type) ? 0 : l->taken + 1;
	if (number != want)
		return err_set(e, -EPROTO, "a %s frame with number %llu instead of %llu",
			       rows[type].name, (unsigned long long)number,
			       (unsigned long long)want);
	return 0;
}

static int take_control(struct move_link *l, const struct move_frame *f, struct err *e)
{
	uint64_t number = le64_get(f->payload);

	return f->type == MOVE_ACK ? take_ack(l, number, e) : take_resume(l, number, e);
}

/* 1: it is whole, 0: it is not yet, -EPROTO */
static int cut_frame(const struct move_link *l, struct move_frame *ret, struct err *e)
{
	const uint8_t *p = buf_bytes(&l->in);
	int r;

	if (l->in.len < MOVE_HEADER)
		return 0;
	r = check_header(l, p, e);
	if (r < 0)
		return r;
	*ret = (struct move_frame){ .type = (enum move_type)p[4],
				    .number = le64_get(p + 8),
				    .payload = p + MOVE_HEADER,
				    .len = le32_get(p) };
	return l->in.len - MOVE_HEADER >= ret->len;
}

/* the frame is the owner's now; the peer hears of it when it is time */
static int count(struct move_link *l, const struct move_frame *f, struct err *e)
{
	int r = 0;

	l->taken = f->number;
	l->taken_bytes += MOVE_HEADER + f->len;
	if (l->taken - l->acked >= MOVE_ACK_FRAMES || l->taken_bytes >= MOVE_ACK_BYTES)
		r = put_taken(l, MOVE_ACK);
	if (r == -ENOBUFS)
		return err_set(e, -EPROTO, "the peer sends and sends, and reads no answer");
	return r < 0 ? err_set(e, r, "no memory for an ACK") : 0;
}

int move_take(struct move_link *l, struct move_frame *ret, struct err *e)
{
	int r;

	for (;;) {
		buf_eat(&l->in, l->eat);
		l->eat = 0;
		r = cut_frame(l, ret, e);
		if (r <= 0)
			return r;
		l->eat = MOVE_HEADER + ret->len;
		if (!is_control(ret->type)) {
			r = count(l, ret, e);
			return r < 0 ? r : 1;
		}
		r = take_control(l, ret, e);
		if (r < 0)
			return r;
	}
}
