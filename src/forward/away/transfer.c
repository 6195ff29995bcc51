/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transfer.c - data between memory and a file or socket, in chunks
 *
 * Theory of operation. All forms of read and write are one thing here: a run of bytes over the
 *parts of an iovec (or one part), moved by read, pread64, preadv2 or recvfrom of one buffer. For
 *home's kernel the cutting into parts makes no difference.
 *
 *	next -> SEND -> answered: error or short? -> RESULT, what was done so far
 *	  ^                          full chunk, more wanted
 *	  +-----------------------------+
 *
 * What was done before this go (marshal_again()) is left out. A stop of the thread at home cuts a call
 * short that would have gone on: CUT instead of RESULT, and who asked decides.
 *
 * A write goes on until it is short. A read goes on only on a regular file or a disk, which is
 *asked for once (fstat): on a pipe or socket the next chunk could wait for ever where the native
 *call had come back with what there was; there a full chunk is the result. recv goes on with
 *MSG_WAITALL.
 */
#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "forward/away/state.h"

#define WAITALL 0x100 /* MSG_WAITALL */
#define PEEK	0x2   /* MSG_PEEK */

static const uint16_t numbers[][2] = {
	[TRANSFER_PLAIN] = { __NR_read, __NR_write },
	[TRANSFER_AT] = { __NR_pread64, __NR_pwrite64 },
	[TRANSFER_FLAGS] = { __NR_preadv2, __NR_pwritev2 },
	[TRANSFER_SOCKET] = { __NR_recvfrom, __NR_sendto },
	[TRANSFER_FIRST_MSG] = { __NR_recvfrom, __NR_sendto },
};

/* done so far, or the error when that is nothing */
static int transfer_end(struct marshal *m, int64_t error, int64_t *ret)
{
	*ret = m->transfer.done ? (int64_t)m->transfer.done : error;
	return MARSHAL_RESULT;
}

/* the kernel would have gone on with it by itself */
static bool goes_on(const struct transfer *t)
{
	return t->write || ((t->flags & WAITALL) && !(t->flags & PEEK) &&
			    (t->form == TRANSFER_SOCKET || t->form == TRANSFER_FIRST_MSG));
}

/* a stop may have ended it too early */
static int transfer_stop(struct marshal *m, int64_t error, int64_t *ret)
{
	const struct transfer *t = &m->transfer;
	bool part = t->done && t->done < t->total && !t->last;

	m->progress = t->done;
	(void)transfer_end(m, error, ret);
	return m->cut && part && (goes_on(t) || marshal_interrupted(error)) ? MARSHAL_CUT
									    : MARSHAL_RESULT;
}

/* the data of the next chunk as a piece; -EFAULT: nothing of it is there */
static int add_data(struct marshal *m)
{
	struct transfer *t = &m->transfer;
	uint64_t want = t->total - t->done;
	size_t there;
	int i;

	want = want < CALL_CHUNK ? want : CALL_CHUNK;
	if (t->write) {
		i = piece_add(m, PIECE_IN, (uint32_t)want);
		if (i < 0)
			return i;
		there = parts_gather(m, t->done, piece_bytes(m, i), want);
		m->pieces[i].len = (uint32_t)there; /* the rest of its bytes is not sent */
	} else {
		there = parts_reach(m, t->done, want);
		i = piece_add(m, PIECE_BY_RESULT, (uint32_t)there);
	}
	t->last = there < want;
	t->piece = (uint32_t)(there ? there : want);
	return want && !there ? -EFAULT : i;
}

/* preadv2: its one part */
static int add_vector(struct marshal *m, int data, uint64_t len)
{
	uint64_t part[2] = { data < 0 ? BAD_ADDRESS : 0, len };
	int i = piece_add(m, PIECE_IN, sizeof(part));

	if (i < 0)
		return i;
	memcpy(piece_bytes(m, i), part, sizeof(part));
	piece_to_arg(m, i, 1);
	if (data >= 0)
		piece_to_word(m, data, i, 0);
	return 0;
}

static int add_address(struct marshal *m)
{
	struct transfer *t = &m->transfer;

	if (t->form == TRANSFER_FIRST_MSG || t->done) {
		m->call.args[4] = 0;
		m->call.args[5] = 0;
		return 0;
	}
	if (!t->write)
		return arg_room(m, 4, 5, false, 128);
	if (m->args[5] > 128) {
		m->call.args[4] = m->args[4] ? BAD_ADDRESS : 0; /* the length is refused first */
		return 0;
	}
	return arg_in(m, 4, m->args[5]);
}

int transfer_next(struct marshal *m, int64_t *ret)
{
	struct transfer *t = &m->transfer;
	int data, r = 0;

	request_start(m, numbers[t->form][t->write], m->args);
	m->answered = transfer_answered;
	data = add_data(m);
	if (data == -EFAULT && t->done)
		return transfer_end(m, -EFAULT, ret);
	if (data < 0 && data != -EFAULT)
		return data;
	m->call.args[1] = BAD_ADDRESS;
	m->call.args[2] = t->piece;
	if (t->form == TRANSFER_FLAGS) {
		m->call.args[2] = 1;
		m->call.args[4] = 0;
		m->call.args[5] = t->flags;
		r = add_vector(m, data, t->piece);
	} else if (data >= 0) {
		piece_to_arg(m, data, 1);
	}
	if (t->form == TRANSFER_AT || t->form == TRANSFER_FLAGS)
		m->call.args[3] = t->offset == -1 ? UINT64_MAX : (uint64_t)t->offset + t->done;
	if (t->form == TRANSFER_SOCKET || t->form == TRANSFER_FIRST_MSG) {
		m->call.args[3] = t->flags;
		r = add_address(m);
	}
	return r < 0 ? r : MARSHAL_SEND;
}

/* /dev/zero, /dev/urandom: they give all that is wanted, but look for signals in between */
static bool is_memory(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1;
}

static int kind_answered(struct marshal *m, const uint8_t *out, uint32_t n, int64_t result,
			 int64_t *ret)
{
	struct stat st;

	m->transfer.asking = false;
	if (marshal_interrupted(result) && m->transfer.done) {
		(void)transfer_end(m, result, ret);
		return MARSHAL_CUT; /* home, or whoever goes on, asks for the kind itself */
	}
	if (result < 0 || n < sizeof(st))
		return transfer_end(m, result, ret);
	memcpy(&st, out, sizeof(st));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) && !is_memory(&st))
		return transfer_end(m, 0, ret);
	return transfer_next(m, ret);
}

int transfer_ask_kind(struct marshal *m)
{
	int i;

	request_start(m, __NR_fstat, m->args);
	i = piece_add(m, PIECE_OUT, sizeof(struct stat));
	if (i < 0)
		return i;
	piece_to_arg(m, i, 1);
	m->answered = kind_answered;
	m->transfer.asked_kind = true;
	m->transfer.asking = true;
	return MARSHAL_SEND;
}

static const uint8_t *data_out(const struct marshal *m, const uint8_t *out, uint32_t n,
			       uint32_t *ret_len)
{
	const uint8_t *bytes;

	for (int i = 0; i < m->n_pieces; i++)
		if (m->pieces[i].way == PIECE_BY_RESULT) {
			bytes = piece_out(m, i, out, n);
			*ret_len = bytes ? n - (uint32_t)(bytes - out) : 0;
			if (*ret_len > m->pieces[i].len)
				*ret_len = m->pieces[i].len;
			return bytes;
		}
	*ret_len = 0;
	return NULL;
}

int transfer_answered(struct marshal *m, const uint8_t *out, uint32_t n, int64_t result,
		      int64_t *ret)
{
	struct transfer *t = &m->transfer;
	bool socket = t->form == TRANSFER_SOCKET || t->form == TRANSFER_FIRST_MSG;
	const uint8_t *data;
	bool short_one;
	uint32_t len;

	if (result < 0)
		return transfer_stop(m, result, ret);
	if (result > t->piece && (t->write || !socket)) /* MSG_TRUNC may say more */
		return -EPROTO;
	if (!t->write) {
		data = data_out(m, out, n, &len);
		if (data && parts_scatter(m, t->done, data, len) < len)
			return transfer_end(m, -EFAULT, ret);
		if (piece_write_back(m, out, n, result) < 0)
			return transfer_end(m, -EFAULT, ret);
	}
	t->done += (uint64_t)result;
	m->progress = t->done;
	short_one = result < t->piece && !t->last && t->done < t->total;
	if (short_one && m->cut && result && !t->write && !socket && !t->asked_kind)
		return transfer_ask_kind(m);
	if (short_one && m->cut && t->asked_kind && result)
		return transfer_next(m, ret);
	if (result < t->piece || t->last || t->done >= t->total)
		return transfer_stop(m, 0, ret);
	if (!t->write && socket && (!(t->flags & WAITALL) || t->flags & PEEK))
		return transfer_end(m, 0, ret);
	if (!t->write && !socket && !t->asked_kind)
		return transfer_ask_kind(m);
	return transfer_next(m, ret);
}

/* ------------------------------------------------------------------ the calls */

static int start(struct marshal *m, const struct transfer *t, bool vector, int64_t *ret)
{
	int r = 0;

	if (fd_reserved(m, m->args[0])) {
		*ret = -EBADF;
		return MARSHAL_RESULT;
	}
	if (vector)
		r = parts_load(m, m->args[1], m->args[2]);
	else
		parts_single(m, m->args[1], m->args[2]);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		*ret = r == -EMSGSIZE ? -EINVAL : r;
		return MARSHAL_RESULT;
	}
	m->transfer = *t;
	m->transfer.total = parts_total(m);
	m->transfer.done = m->before;
	if (m->before >= m->transfer.total && m->before)
		return transfer_end(m, 0, ret);
	return transfer_next(m, ret);
}

int start_read(struct marshal *m, int64_t *ret)
{
	return start(m, &(struct transfer){ .form = TRANSFER_PLAIN }, false, ret);
}

int start_write(struct marshal *m, int64_t *ret)
{
	return start(m, &(struct transfer){ .form = TRANSFER_PLAIN, .write = true }, false, ret);
}

int start_readv(struct marshal *m, int64_t *ret)
{
	return start(m, &(struct transfer){ .form = TRANSFER_PLAIN }, true, ret);
}

int start_writev(struct marshal *m, int64_t *ret)
{
	return start(m, &(struct transfer){ .form = TRANSFER_PLAIN, .write = true }, true, ret);
}

/* a negative offset is refused: not the "where the file stands" of preadv2 */
static int start_at(struct marshal *m, bool write, bool vector, int64_t *ret)
{
	if ((int64_t)m->args[3] < 0) {
		*ret = -EINVAL;
		return MARSHAL_RESULT;
	}
	return start(m,
		     &(struct transfer){
			     .form = TRANSFER_AT, .write = write, .offset = (int64_t)m->args[3] },
		     vector, ret);
}

int start_pread(struct marshal *m, int64_t *ret)
{
	return start_at(m, false, false, ret);
}

int start_pwrite(struct marshal *m, int64_t *ret)
{
	return start_at(m, true, false, ret);
}

int start_preadv(struct marshal *m, int64_t *ret)
{
	return start_at(m, false, true, ret);
}

int start_pwritev(struct marshal *m, int64_t *ret)
{
	return start_at(m, true, true, ret);
}

static int start_flags(struct marshal *m, bool write, int64_t *ret)
{
	return start(m,
		     &(struct transfer){ .form = TRANSFER_FLAGS,
					 .write = write,
					 .offset = (int64_t)m->args[3],
					 .flags = (uint32_t)m->args[5] },
		     true, ret);
}

int start_preadv2(struct marshal *m, int64_t *ret)
{
	return start_flags(m, false, ret);
}

int start_pwritev2(struct marshal *m, int64_t *ret)
{
	return start_flags(m, true, ret);
}

static int start_socket(struct marshal *m, bool write, int64_t *ret)
{
	return start(m,
		     &(struct transfer){ .form = TRANSFER_SOCKET,
					 .write = write,
					 .flags = (uint32_t)m->args[3] },
		     false, ret);
}

int start_recvfrom(struct marshal *m, int64_t *ret)
{
	return start_socket(m, false, ret);
}

int start_sendto(struct marshal *m, int64_t *ret)
{
	return start_socket(m, true, ret);
}
