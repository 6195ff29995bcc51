/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.c - sendmsg, recvmsg, sendmmsg, recvmmsg
 *
 * Theory of operation. A message becomes one msghdr with one part in the request, whatever the
 * program's iovec looks like. The many-message forms are a sequence of single ones: each answer is
 * written into its mmsghdr before the next request is made, and an error after the first gives
 * their number, as the kernel does it.
 */
#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/socket.h>

#include "forward/away/state.h"

#define CONTROL_MOST 8192U
#define NAME_MOST    128U
#define MMSG_BYTES   64U /* struct mmsghdr */
#define MMSG_LEN     56U
#define MMSG_MOST    1024U

struct header { /* struct user_msghdr of the kernel */
	uint64_t name;
	int32_t namelen;
	uint32_t pad0;
	uint64_t iov, iovlen;
	uint64_t control, controllen;
	uint32_t flags;
	uint32_t pad1;
};

static int result(int64_t *ret, int64_t value)
{
	*ret = value;
	return MARSHAL_RESULT;
}

/* descriptors to be passed: those of the parasite do not exist */
static bool passes_reserved(const struct marshal *m, const uint8_t *control, size_t n)
{
	struct cmsghdr c;
	size_t at = 0, end;
	int fd;

	while (n - at >= sizeof(c)) {
		memcpy(&c, control + at, sizeof(c));
		if (c.cmsg_len < sizeof(c) || c.cmsg_len > n - at)
			return false; /* the kernel refuses it */
		end = at + c.cmsg_len;
		if (c.cmsg_level == SOL_SOCKET && c.cmsg_type == SCM_RIGHTS)
			for (size_t f = at + sizeof(c); end - f >= sizeof(fd); f += sizeof(fd)) {
				memcpy(&fd, control + f, sizeof(fd));
				if (fd >= 0 && fd_reserved(m, (uint32_t)fd))
					return true;
			}
		at += CMSG_ALIGN(c.cmsg_len);
		if (at > n)
			break;
	}
	return false;
}

/* the msghdr and its parts; 0, MARSHAL_RESULT with *ret, or -errno */
static int load(struct marshal *m, uint64_t at, struct header *h, int64_t *ret)
{
	int r;

	if (!memory_read(m, at, h, sizeof(*h)))
		return result(ret, -EFAULT);
	if (!h->name)
		h->namelen = 0;
	if (h->namelen < 0)
		return result(ret, -EINVAL);
	r = parts_load(m, h->iov, h->iovlen);
	if (r == -ENOMEM)
		return r;
	return r < 0 ? result(ret, r) : 0;
}

static int add_header(struct marshal *m, const struct header *h, enum piece_way way)
{
	struct header clean = *h;
	int i = piece_add(m, way, sizeof(*h));

	if (i < 0)
		return i;
	clean.name = 0;
	clean.iov = 0;
	clean.iovlen = 1;
	clean.control = 0;
	clean.flags = 0;
	memcpy(piece_bytes(m, i), &clean, sizeof(clean));
	piece_to_arg(m, i, 1);
	return i;
}

static void set_word(struct marshal *m, int piece, uint32_t at, uint64_t value)
{
	memcpy(piece_bytes(m, piece) + at, &value, sizeof(value));
}

/* the one part; data < 0: there is nothing at its address */
static int add_part(struct marshal *m, int header, int data, uint64_t len)
{
	int i = piece_add(m, PIECE_IN, 16);

	if (i < 0)
		return i;
	if (data >= 0)
		piece_to_word(m, data, i, 0);
	else
		set_word(m, i, 0, BAD_ADDRESS);
	set_word(m, i, 8, len);
	piece_to_word(m, i, header, offsetof(struct header, iov));
	return 0;
}

/* bytes that a word of the header points to */
static int add_bytes(struct marshal *m, int header, uint32_t word, uint64_t at, uint32_t len)
{
	int i;

	if (!at || !len) {
		set_word(m, header, word, at ? BAD_ADDRESS : 0);
		return -1;
	}
	i = piece_add(m, PIECE_IN, len);
	if (i < 0)
		return i;
	if (!memory_read(m, at, piece_bytes(m, i), len))
		set_word(m, header, word, BAD_ADDRESS);
	else
		piece_to_word(m, i, header, word);
	return i;
}

static bool fatal(int r)
{
	return r == -ENOMEM || r == -ENOBUFS;
}

/* the rest of a message whose first part was stopped: its name and control went with that */
static int go_on(struct marshal *m, int64_t *ret)
{
	m->transfer.done = m->before;
	if (m->transfer.done < m->transfer.total)
		return transfer_next(m, ret);
	return result(ret, (int64_t)m->before);
}

/* ------------------------------------------------------------------ sending */

static int send_one(struct marshal *m, uint64_t at, int64_t *ret)
{
	struct transfer *t = &m->transfer;
	struct header h;
	uint32_t name;
	size_t there;
	int r, header, data, control;

	r = load(m, at, &h, ret);
	if (r)
		return r;
	*t = (struct transfer){ .form = TRANSFER_FIRST_MSG,
				.write = true,
				.flags = m->message.flags,
				.total = parts_total(m) };
	if (m->before && !m->message.many)
		return go_on(m, ret);
	t->piece = t->total < CALL_CHUNK ? (uint32_t)t->total : CALL_CHUNK;
	if (h.controllen > CONTROL_MOST || (m->message.many && t->total > t->piece))
		return -ENOBUFS;
	header = add_header(m, &h, PIECE_IN);
	if (header < 0)
		return header;
	name = (uint32_t)h.namelen < NAME_MOST ? (uint32_t)h.namelen : NAME_MOST;
	r = add_bytes(m, header, offsetof(struct header, name), h.name, name);
	if (fatal(r))
		return r;
	control = add_bytes(m, header, offsetof(struct header, control), h.control,
			    (uint32_t)h.controllen);
	if (fatal(control))
		return control;
	if (control >= 0 && passes_reserved(m, piece_bytes(m, control), h.controllen))
		return result(ret, -EBADF);
	data = piece_add(m, PIECE_IN, t->piece);
	if (data < 0)
		return data;
	there = parts_gather(m, 0, piece_bytes(m, data), t->piece);
	return add_part(m, header, there < t->piece ? -1 : data, t->piece) ?: MARSHAL_SEND;
}

static int begin(struct marshal *m, bool write, int64_t *ret)
{
	m->message = (struct message){ .write = write, .left_ns = -1 };
	m->message.flags = (uint32_t)m->args[2];
	if (!fd_reserved(m, m->args[0]))
		return 0;
	return result(ret, -EBADF);
}

int start_sendmsg(struct marshal *m, int64_t *ret)
{
	int r = begin(m, true, ret);

	if (r)
		return r;
	request_start(m, __NR_sendmsg, m->args);
	m->answered = transfer_answered; /* more than a chunk: the rest by sendto */
	return send_one(m, m->args[1], ret);
}

/* ---------------------------------------------------------------- receiving */

/* made by receive_one() in this order */
enum received {
	RECEIVED_HEADER,
	RECEIVED_NAME,
	RECEIVED_CONTROL,
	RECEIVED_DATA
};

/* what is written need not be all of it (between control messages are gaps): goes both ways */
static int add_out(struct marshal *m, int header, uint32_t word, uint64_t at, uint32_t len)
{
	int i = piece_add(m, PIECE_BOTH, at ? len : 0);

	if (i < 0)
		return i;
	if (at && !memory_read(m, at, piece_bytes(m, i), len))
		set_word(m, header, word, BAD_ADDRESS);
	else if (at)
		piece_to_word(m, i, header, word);
	return 0;
}

static int receive_one(struct marshal *m, uint64_t at, int64_t *ret)
{
	struct transfer *t = &m->transfer;
	struct header h;
	uint32_t name;
	size_t there;
	int r, data;

	r = load(m, at, &h, ret);
	if (r)
		return r;
	*t = (struct transfer){ .form = TRANSFER_FIRST_MSG,
				.flags = m->message.flags,
				.total = parts_total(m) };
	if (m->before && !m->message.many)
		return go_on(m, ret);
	t->piece = t->total < CALL_CHUNK ? (uint32_t)t->total : CALL_CHUNK;
	if (t->flags & MSG_WAITALL && t->total > t->piece)
		return -ENOBUFS;
	if (h.controllen > CONTROL_MOST)
		h.controllen = CONTROL_MOST; /* no message has as much */
	m->message.at = at;
	m->message.name = h.name;
	m->message.control = h.control;
	name = (uint32_t)h.namelen < NAME_MOST ? (uint32_t)h.namelen : NAME_MOST;
	r = add_header(m, &h, PIECE_BOTH);
	if (r >= 0)
		r = add_out(m, RECEIVED_HEADER, offsetof(struct header, name), h.name, name);
	if (r >= 0)
		r = add_out(m, RECEIVED_HEADER, offsetof(struct header, control), h.control,
			    (uint32_t)h.controllen);
	if (r < 0)
		return r;
	there = parts_reach(m, 0, t->piece);
	if (there)
		t->piece = (uint32_t)there;
	data = piece_add(m, PIECE_BY_RESULT, (uint32_t)there);
	if (data < 0)
		return data;
	return add_part(m, RECEIVED_HEADER, t->piece && !there ? -1 : data, t->piece)
		       ?: MARSHAL_SEND;
}

static bool put_back(struct marshal *m, enum received piece, uint64_t at, uint64_t len,
		     const uint8_t *out, uint32_t n)
{
	const uint8_t *bytes = piece_out(m, (int)piece, out, n);

	if (!at || !bytes)
		return true;
	if (len > m->pieces[piece].len)
		len = m->pieces[piece].len;
	return memory_write(m, at, bytes, len);
}

/* everything of one message that came; 0 or -EFAULT */
static int receive_back(struct marshal *m, const uint8_t *out, uint32_t n)
{
	const struct message *s = &m->message;
	const uint8_t *bytes = piece_out(m, RECEIVED_HEADER, out, n);
	const uint8_t *data = piece_out(m, RECEIVED_DATA, out, n);
	struct header h;
	uint32_t len;
	bool ok;

	if (!bytes || !data)
		return -EFAULT;
	memcpy(&h, bytes, sizeof(h));
	len = n - (uint32_t)(data - out);
	if (len > m->pieces[RECEIVED_DATA].len)
		len = m->pieces[RECEIVED_DATA].len;
	ok = parts_scatter(m, 0, data, len) == len;
	ok &= put_back(m, RECEIVED_NAME, s->name, h.namelen < 0 ? 0 : (uint64_t)h.namelen, out, n);
	ok &= put_back(m, RECEIVED_CONTROL, s->control, h.controllen, out, n);
	if (s->name)
		ok &= memory_write(m, s->at + offsetof(struct header, namelen), &h.namelen, 4);
	ok &= memory_write(m, s->at + offsetof(struct header, controllen), &h.controllen, 8);
	ok &= memory_write(m, s->at + offsetof(struct header, flags), &h.flags, 4);
	return ok ? 0 : -EFAULT;
}

static int receive_answered(struct marshal *m, const uint8_t *out, uint32_t n, int64_t value,
			    int64_t *ret)
{
	const struct transfer *t = &m->transfer;

	if (value >= 0 && receive_back(m, out, n) < 0)
		value = -EFAULT;
	(void)result(ret, value);
	if (value <= 0 || !m->cut || (uint64_t)value >= t->total || !(t->flags & MSG_WAITALL) ||
	    (t->flags & MSG_PEEK))
		return MARSHAL_RESULT;
	m->progress = (uint64_t)value;
	return MARSHAL_CUT;
}

int start_recvmsg(struct marshal *m, int64_t *ret)
{
	int r = begin(m, false, ret);

	if (r)
		return r;
	request_start(m, __NR_recvmsg, m->args);
	m->answered = receive_answered;
	return receive_one(m, m->args[1], ret);
}

/* -------------------------------------------------------------- many of them */

static int many_answered(struct marshal *m, const uint8_t *out, uint32_t n, int64_t value,
			 int64_t *ret);

static int many_end(const struct marshal *m, int64_t error, int64_t *ret)
{
	(void)result(ret, m->message.done ? m->message.done : error);
	return m->message.done && marshal_interrupted(error) ? MARSHAL_CUT : MARSHAL_RESULT;
}

static int many_next(struct marshal *m, int64_t *ret)
{
	struct message *s = &m->message;
	uint64_t at = s->vector + (uint64_t)s->done * MMSG_BYTES;
	uint64_t args[6] = { m->args[0], 0, s->flags & ~(uint32_t)MSG_WAITFORONE };
	int r;

	request_start(m, s->write ? __NR_sendmsg : __NR_recvmsg, args);
	m->answered = many_answered;
	r = s->write ? send_one(m, at, ret) : receive_one(m, at, ret);
	if (r == MARSHAL_RESULT)
		return many_end(m, *ret, ret);
	return r == -ENOBUFS && s->done ? many_end(m, 0, ret) : r;
}

/* the timeout of recvmmsg is looked at after each message only; what is left is written back */
static bool time_is_up(struct marshal *m)
{
	int64_t left = m->message.left_ns - (int64_t)(m->now_ns - m->began_ns), t[2];

	if (m->message.left_ns < 0)
		return false;
	if (left < 0)
		left = 0;
	t[0] = left / 1000000000;
	t[1] = left % 1000000000;
	(void)memory_write(m, m->args[4], t, sizeof(t)); /* was there when it was read */
	return left == 0;
}

/* flags for what comes behind the first one */
static uint32_t for_others(uint32_t flags)
{
	return flags & MSG_WAITFORONE ? (flags & ~(uint32_t)MSG_WAITFORONE) | MSG_DONTWAIT : flags;
}

static int many_answered(struct marshal *m, const uint8_t *out, uint32_t n, int64_t value,
			 int64_t *ret)
{
	struct message *s = &m->message;
	uint32_t len = (uint32_t)value;

	if (value < 0)
		return many_end(m, value, ret);
	if (!s->write && receive_back(m, out, n) < 0)
		return many_end(m, -EFAULT, ret);
	if (!memory_write(m, s->vector + (uint64_t)s->done * MMSG_BYTES + MMSG_LEN, &len,
			  sizeof(len)))
		return many_end(m, -EFAULT, ret);
	s->done++;
	m->progress = s->done;
	if (!s->write)
		s->flags = for_others(s->flags);
	if (s->done == s->n || time_is_up(m))
		return many_end(m, 0, ret);
	return many_next(m, ret);
}

static int start_many(struct marshal *m, bool write, int64_t *ret)
{
	struct message *s = &m->message;
	int r = begin(m, write, ret);

	if (r)
		return r;
	s->many = true;
	s->vector = m->args[1];
	s->n = (uint32_t)m->args[2];
	if (write && s->n > MMSG_MOST)
		s->n = MMSG_MOST;
	s->flags = (uint32_t)m->args[3];
	s->done = (uint32_t)m->before;
	if (!write && s->done)
		s->flags = for_others(s->flags);
	if (s->done && s->done >= s->n)
		return result(ret, s->done);
	return 0;
}

int start_sendmmsg(struct marshal *m, int64_t *ret)
{
	int r = start_many(m, true, ret);

	if (r)
		return r;
	return m->message.n ? many_next(m, ret) : result(ret, 0);
}

int start_recvmmsg(struct marshal *m, int64_t *ret)
{
	int64_t t[2];
	int r = start_many(m, false, ret);

	if (r)
		return r;
	if (m->args[4]) {
		if (!memory_read(m, m->args[4], t, sizeof(t)))
			return result(ret, -EFAULT);
		if (t[0] < 0 || t[1] < 0 || t[1] >= 1000000000)
			return result(ret, -EINVAL);
		m->message.left_ns = t[0] < 4000000000 ? t[0] * 1000000000 + t[1] : INT64_MAX;
	}
	return m->message.n ? many_next(m, ret) : result(ret, 0);
}
