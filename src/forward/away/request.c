/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - put a request together from pieces, and take an answer apart again */
#include <assert.h>
#include <errno.h>

#include "forward/away/state.h"

#define ALIGN	     8U
#define STRING_MAX   4096U /* PATH_MAX; of more the kernel says that it is too long */
#define STRING_STEP  256U
#define ROOM_MAX     32768U
#define LEN_MAX	     65536U
#define SECOND_NS    1000000000ULL
#define MS_NS	     1000000LL
#define SECONDS_MOST 4000000000LL /* more is for ever */

void request_start(struct marshal *m, uint32_t nr, const uint64_t args[6])
{
	m->call = (struct call_request){ .nr = nr };
	memcpy(m->call.args, args, sizeof(m->call.args));
	m->n_pieces = 0;
	m->plus = 0;
	m->answered = NULL;
	buf_reset(&m->stage);
}

int piece_add(struct marshal *m, enum piece_way way, uint32_t len)
{
	struct piece *p;
	uint8_t *room;
	int r;

	assert(m->n_pieces < PIECES_MAX); /* of our own making: the most is in message.c */
	p = &m->pieces[m->n_pieces];
	*p = (struct piece){ .way = way, .len = len, .back = len, .length = -1, .in_piece = -2 };
	if (way == PIECE_IN || way == PIECE_BOTH) {
		r = buf_room(&m->stage, len, &room);
		if (r < 0)
			return r;
		memset(room, 0, len);
		p->staged = (uint32_t)m->stage.len;
		buf_grow(&m->stage, len);
	}
	return m->n_pieces++;
}

uint8_t *piece_bytes(struct marshal *m, int piece)
{
	return m->stage.data + m->stage.off + m->pieces[piece].staged;
}

void piece_to_arg(struct marshal *m, int piece, unsigned int arg)
{
	m->pieces[piece].in_piece = -1;
	m->pieces[piece].at = arg;
}

void piece_to_word(struct marshal *m, int piece, int in_piece, uint32_t at)
{
	m->pieces[piece].in_piece = (int8_t)in_piece;
	m->pieces[piece].at = at;
}

static uint64_t place_all(struct marshal *m)
{
	struct call_request *c = &m->call;
	uint64_t at = 0;

	for (int way = PIECE_IN; way <= PIECE_BY_RESULT; way++) {
		if (way == PIECE_BOTH)
			c->out_at = (uint32_t)at;
		if (way == PIECE_OUT)
			c->in_len = (uint32_t)at;
		if (way == PIECE_BY_RESULT)
			c->out_fixed = (uint32_t)at - c->out_at;
		for (int i = 0; i < m->n_pieces; i++) {
			if ((int)m->pieces[i].way != way)
				continue;
			m->pieces[i].place = (uint32_t)at;
			at += (m->pieces[i].len + ALIGN - 1) & ~(ALIGN - 1);
			if (at > CALL_BYTES_MAX)
				return at;
			if (way == PIECE_BY_RESULT)
				c->flags |= CALL_OUT_BY_RESULT;
		}
	}
	c->out_fixed += m->plus;
	c->out_len = (uint32_t)at - c->out_at;
	return at;
}

static int put_fixups(struct marshal *m, struct buf *request)
{
	struct call_fixup fix;
	const struct piece *p;
	int r;

	for (int i = 0; i < m->n_pieces; i++) {
		p = &m->pieces[i];
		if (p->in_piece == -2)
			continue;
		fix.place = p->place;
		fix.at = p->in_piece < 0 ? CALL_FIX_ARG | p->at
					 : m->pieces[p->in_piece].place + p->at;
		r = buf_put(request, &fix, sizeof(fix));
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_bytes(struct marshal *m, struct buf *request, enum piece_way way)
{
	static const uint8_t pad[ALIGN];
	const struct piece *p;
	int r;

	for (int i = 0; i < m->n_pieces; i++) {
		p = &m->pieces[i];
		if (p->way != way)
			continue;
		if (p->len && (r = buf_put(request, piece_bytes(m, i), p->len)) < 0)
			return r;
		r = buf_put(request, pad, (ALIGN - p->len % ALIGN) % ALIGN);
		if (r < 0)
			return r;
	}
	return 0;
}

int request_finish(struct marshal *m, struct buf *request)
{
	uint64_t end;
	int r;

	for (int i = 0; i < m->n_pieces; i++)
		m->call.n_fixups += m->pieces[i].in_piece != -2;
	end = place_all(m);
	end += sizeof(m->call) + m->call.n_fixups * sizeof(struct call_fixup);
	if (end > CALL_BYTES_MAX)
		return -ENOBUFS;
	buf_reset(request);
	r = buf_put(request, &m->call, sizeof(m->call));
	if (r == 0)
		r = put_fixups(m, request);
	if (r == 0)
		r = put_bytes(m, request, PIECE_IN);
	if (r == 0)
		r = put_bytes(m, request, PIECE_BOTH);
	return r;
}

uint32_t request_expect(const struct marshal *m, int64_t result)
{
	const struct call_request *c = &m->call;
	uint64_t more;

	if (result < 0)
		return c->flags & CALL_OUT_ALWAYS ? c->out_fixed : 0;
	more = (uint64_t)result * CALL_SCALE(c->flags);
	if (result > UINT32_MAX || more > c->out_len - c->out_fixed)
		more = c->out_len - c->out_fixed;
	return c->out_fixed + (uint32_t)more;
}

const uint8_t *piece_out(const struct marshal *m, int piece, const uint8_t *out, uint32_t n)
{
	uint32_t at = m->pieces[piece].place - m->call.out_at;
	uint32_t len = m->pieces[piece].way == PIECE_BY_RESULT ? 0 : m->pieces[piece].len;

	return at <= n && len <= n - at ? out + at : NULL;
}

int piece_write_back(struct marshal *m, const uint8_t *out, uint32_t n, int64_t result)
{
	const struct piece *p;
	const uint8_t *bytes;
	uint32_t back, length;
	int r = 0;

	for (int i = 0; i < m->n_pieces; i++) {
		p = &m->pieces[i];
		if (p->way == PIECE_IN || !p->guest || (result < 0 && !p->always))
			continue;
		bytes = piece_out(m, i, out, n);
		if (!bytes)
			continue; /* a failed call sends nothing */
		back = p->back;
		if (p->way == PIECE_BY_RESULT)
			back = n - (uint32_t)(bytes - out);
		if (p->length >= 0) {
			memcpy(&length, piece_out(m, p->length, out, n), sizeof(length));
			back = length < back ? length : back;
		}
		if (back > p->len)
			back = p->len;
		if (!memory_write(m, p->guest, bytes, back))
			r = -EFAULT;
	}
	return r;
}

/* ------------------------------------------------------------------ arguments */

bool fd_reserved(const struct marshal *m, uint64_t fd)
{
	return (uint32_t)fd >= m->first_reserved && (uint32_t)fd <= m->last_reserved;
}

int arg_in(struct marshal *m, unsigned int arg, uint64_t len)
{
	uint64_t at = m->args[arg];
	int i;

	if (!at)
		return 0;
	if (len > CALL_CHUNK)
		return -ENOBUFS;
	i = piece_add(m, PIECE_IN, (uint32_t)len);
	if (i < 0)
		return i;
	if (memory_read(m, at, piece_bytes(m, i), len))
		piece_to_arg(m, i, arg);
	else
		m->call.args[arg] = BAD_ADDRESS;
	return 0;
}

int arg_both(struct marshal *m, unsigned int arg, uint32_t len, bool always)
{
	uint64_t at = m->args[arg];
	size_t n;
	int i;

	if (!at)
		return 0;
	i = piece_add(m, PIECE_BOTH, len);
	if (i < 0)
		return i;
	/* the kernel may look at less than all of it: what is there may end early */
	n = memory_read_up_to(m, at, piece_bytes(m, i), len);
	if (n == 0 && len) {
		m->call.args[arg] = BAD_ADDRESS;
		return 0;
	}
	m->pieces[i].guest = at;
	m->pieces[i].back = (uint32_t)n;
	m->pieces[i].always = always;
	if (always)
		m->call.flags |= CALL_OUT_ALWAYS;
	piece_to_arg(m, i, arg);
	return 0;
}

int arg_out(struct marshal *m, unsigned int arg, uint64_t len)
{
	uint64_t at = m->args[arg];
	int i;

	if (!at)
		return 0;
	if (len > LEN_MAX)
		return -ENOBUFS;
	/* not looked at before: when it is not there, the call was made for nothing, that is all */
	i = piece_add(m, PIECE_OUT, (uint32_t)len);
	if (i < 0)
		return i;
	m->pieces[i].guest = at;
	piece_to_arg(m, i, arg);
	return 0;
}

int arg_string(struct marshal *m, unsigned int arg)
{
	uint64_t at = m->args[arg];
	char text[STRING_MAX];
	size_t n = 0, want, got;
	const char *end = NULL;
	int i;

	if (!at)
		return 0;
	while (!end && n < STRING_MAX) {
		want = n ? STRING_MAX - n : STRING_STEP;
		got = memory_read_up_to(m, at + n, text + n, want);
		end = memchr(text + n, 0, got);
		n += got;
		if (got < want)
			break;
	}
	if (!end && n < STRING_MAX) {
		m->call.args[arg] = BAD_ADDRESS;
		return 0;
	}
	if (end)
		n = (size_t)(end - text) + 1;
	i = piece_add(m, PIECE_IN, (uint32_t)n);
	if (i < 0)
		return i;
	memcpy(piece_bytes(m, i), text, n);
	piece_to_arg(m, i, arg);
	return 0;
}

int arg_room(struct marshal *m, unsigned int arg, unsigned int length_arg, bool both, uint32_t most)
{
	int32_t length;
	uint32_t room;
	int value, number;

	if (!m->args[arg] && !m->args[length_arg])
		return 0;
	number = piece_add(m, PIECE_BOTH, sizeof(length));
	if (number < 0)
		return number;
	if (!m->args[length_arg] || !memory_read(m, m->args[length_arg], &length, sizeof(length))) {
		m->call.args[length_arg] = m->args[length_arg] ? BAD_ADDRESS : 0;
		m->call.args[arg] = m->args[arg] ? BAD_ADDRESS : 0;
		return 0;
	}
	if (length > (int32_t)ROOM_MAX)
		length = ROOM_MAX; /* no option or address is as long */
	memcpy(piece_bytes(m, number), &length, sizeof(length));
	m->pieces[number].guest = m->args[length_arg];
	piece_to_arg(m, number, length_arg);
	if (!m->args[arg])
		return 0;
	room = length < 0 ? 0 : (uint32_t)length;
	if (room > most)
		room = most;
	if (memory_reach(m, m->args[arg], room) < room) {
		m->call.args[arg] = BAD_ADDRESS;
		return 0;
	}
	value = piece_add(m, both ? PIECE_BOTH : PIECE_OUT, room);
	if (value < 0)
		return value;
	if (both)
		(void)memory_read_up_to(m, m->args[arg], piece_bytes(m, value),
					room); /* is there */
	m->pieces[value].guest = m->args[arg];
	m->pieces[value].length = (int8_t)number;
	piece_to_arg(m, value, arg);
	return 0;
}

int64_t wait_rest(const struct marshal *m, uint64_t now_ns)
{
	uint64_t passed = now_ns > m->wait.from_ns ? now_ns - m->wait.from_ns : 0;

	return (uint64_t)m->wait.ns > passed ? m->wait.ns - (int64_t)passed : 0;
}

/* a time to wait of the call becomes that of the request: less, when it is made again */
static int64_t note_wait(struct marshal *m, int arg, int64_t ns)
{
	uint64_t passed = m->now_ns - m->began_ns;

	m->wait = (struct wait){ .is = true, .arg = arg, .from_ns = m->now_ns };
	m->wait.ns = (uint64_t)ns > passed ? ns - (int64_t)passed : 0;
	return m->wait.ns;
}

int arg_time(struct marshal *m, unsigned int arg, uint32_t unit_ns, bool back)
{
	uint64_t at = m->args[arg], units = SECOND_NS / unit_ns;
	int64_t t[2], left;
	int i;

	if (!at)
		return 0;
	if (!memory_read(m, at, t, sizeof(t))) {
		m->call.args[arg] = BAD_ADDRESS;
		return 0;
	}
	if (t[0] >= 0 && t[0] < SECONDS_MOST && t[1] >= 0 && t[1] < (int64_t)units) {
		left = note_wait(m, -1, t[0] * (int64_t)SECOND_NS + t[1] * unit_ns);
		if (m->now_ns > m->began_ns) {
			t[0] = left / (int64_t)SECOND_NS;
			t[1] = left % (int64_t)SECOND_NS / unit_ns;
		}
		if (back) {
			m->wait.back = at;
			m->wait.back_unit_ns = unit_ns;
		}
	}
	i = piece_add(m, back ? PIECE_BOTH : PIECE_IN, sizeof(t));
	if (i < 0)
		return i;
	memcpy(piece_bytes(m, i), t, sizeof(t));
	if (back) {
		m->pieces[i].guest = at;
		m->pieces[i].always = true;
		m->call.flags |= CALL_OUT_ALWAYS;
	}
	piece_to_arg(m, i, arg);
	return 0;
}

void arg_milliseconds(struct marshal *m, unsigned int arg)
{
	int32_t ms = (int32_t)m->args[arg];

	if (ms > 0) /* rounded up: never earlier than asked for */
		m->call.args[arg] = (uint64_t)(note_wait(m, (int)arg, ms * MS_NS) + MS_NS - 1) /
				    MS_NS;
}

int arg_mask(struct marshal *m, uint64_t at, uint64_t size)
{
	if (!at)
		return 0;
	if (size != sizeof(m->mask))
		return -EINVAL;
	if (!memory_read(m, at, &m->mask, sizeof(m->mask)))
		return -EFAULT;
	m->has_mask = true;
	return 0;
}
