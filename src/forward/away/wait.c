/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wait.c - poll, ppoll, select, pselect6, nanosleep, clock_nanosleep: wait, at home
 *
 * A descriptor of the parasite in a pollfd is asked for as one that nobody has, so that it answers
 * POLLNVAL; of what comes back only revents goes into memory. ppoll, pselect6 and select write
 * the time that was left, also when they were interrupted. The sleeps are asked for without a place
 * for the rest: it is written here when the sleep ends for a signal, and not when it is repeated.
 */
#include <asm/unistd_64.h>
#include <errno.h>
#include <poll.h>

#include "forward/away/state.h"

#define POLL_MOST   8192U
#define SELECT_MOST 65536U
#define NO_FD	    INT32_MAX
#define ABSTIME	    1U /* TIMER_ABSTIME */

static int result(int64_t *ret, int64_t value)
{
	*ret = value;
	return MARSHAL_RESULT;
}

static int poll_answered(struct marshal *m, const uint8_t *out, uint32_t n, int64_t value,
			 int64_t *ret)
{
	struct pollfd theirs, ours;
	const uint8_t *fds = m->n_poll ? piece_out(m, 0, out, n) : NULL;
	uint64_t at = m->poll_at;

	(void)piece_write_back(m, out, n, value); /* the time left: the kernel ignores it, too */
	for (uint32_t i = 0; value >= 0 && i < m->n_poll; i++, at += sizeof(ours)) {
		memcpy(&ours, fds + i * sizeof(ours), sizeof(ours));
		if (!memory_read(m, at, &theirs, sizeof(theirs)))
			return result(ret, -EFAULT);
		if (theirs.revents == ours.revents)
			continue;
		if (!memory_write(m, at + offsetof(struct pollfd, revents), &ours.revents,
				  sizeof(ours.revents)))
			return result(ret, -EFAULT);
	}
	return result(ret, value);
}

/* the array of pollfds as piece 0 */
static int add_pollfds(struct marshal *m, int64_t *ret)
{
	struct pollfd fd;
	uint8_t *bytes;
	int i;

	m->poll_at = m->args[0];
	m->n_poll = (uint32_t)m->args[1];
	if (m->n_poll > POLL_MOST)
		return -ENOBUFS;
	i = piece_add(m, PIECE_BOTH, m->n_poll * (uint32_t)sizeof(fd));
	if (i < 0)
		return i;
	bytes = piece_bytes(m, i);
	if (!memory_read(m, m->poll_at, bytes, m->n_poll * sizeof(fd)))
		return result(ret, -EFAULT);
	for (uint32_t k = 0; k < m->n_poll; k++) {
		memcpy(&fd, bytes + k * sizeof(fd), sizeof(fd));
		if (fd.fd >= 0 && fd_reserved(m, (uint32_t)fd.fd))
			fd.fd = NO_FD;
		memcpy(bytes + k * sizeof(fd), &fd, sizeof(fd));
	}
	piece_to_arg(m, i, 0);
	return 0;
}

int start_poll(struct marshal *m, int64_t *ret)
{
	int r;

	request_start(m, __NR_poll, m->args);
	m->answered = poll_answered;
	arg_milliseconds(m, 2);
	r = add_pollfds(m, ret);
	return r ? r : MARSHAL_SEND;
}

int start_ppoll(struct marshal *m, int64_t *ret)
{
	int r;

	request_start(m, __NR_ppoll, m->args);
	m->answered = poll_answered;
	r = arg_mask(m, m->args[3], m->args[4]);
	if (r < 0)
		return result(ret, r);
	m->call.args[3] = 0;
	r = add_pollfds(m, ret);
	if (r)
		return r;
	r = arg_time(m, 2, 1, true);
	return r < 0 ? r : MARSHAL_SEND;
}

/* one fd_set; a descriptor of the parasite in it is a closed one */
static int add_set(struct marshal *m, unsigned int arg, uint32_t n_fds, int64_t *ret)
{
	uint32_t len = (n_fds + 63) / 64 * 8;
	const uint8_t *bits;
	int r = arg_both(m, arg, len, false);

	if (r < 0 || !m->args[arg] || m->call.args[arg] == BAD_ADDRESS)
		return r;
	bits = piece_bytes(m, m->n_pieces - 1);
	for (uint32_t fd = m->first_reserved; fd <= m->last_reserved && fd < n_fds; fd++)
		if (bits[fd / 8] >> fd % 8 & 1)
			return result(ret, -EBADF);
	return 0;
}

static int start_sets(struct marshal *m, uint32_t unit_ns, int64_t *ret)
{
	int32_t n_fds = (int32_t)m->args[0];
	int r = 0;

	if (n_fds < 0)
		return result(ret, -EINVAL);
	if (n_fds > (int32_t)SELECT_MOST)
		return -ENOBUFS;
	for (unsigned int arg = 1; arg <= 3 && r == 0; arg++)
		r = add_set(m, arg, (uint32_t)n_fds, ret);
	if (r == 0)
		r = arg_time(m, 4, unit_ns, true);
	return r ? r : MARSHAL_SEND;
}

int start_select(struct marshal *m, int64_t *ret)
{
	request_start(m, __NR_select, m->args);
	return start_sets(m, 1000, ret);
}

int start_pselect6(struct marshal *m, int64_t *ret)
{
	uint64_t mask[2] = { 0 }; /* address and size */
	int r;

	request_start(m, __NR_pselect6, m->args);
	if (m->args[5] && !memory_read(m, m->args[5], mask, sizeof(mask)))
		return result(ret, -EFAULT);
	r = arg_mask(m, mask[0], mask[1]);
	if (r < 0)
		return result(ret, r);
	m->call.args[5] = 0;
	return start_sets(m, 1, ret);
}

static int start_sleep(struct marshal *m, uint32_t nr, unsigned int time_arg, bool relative)
{
	int r;

	request_start(m, nr, m->args);
	m->call.args[time_arg + 1] = 0; /* the rest */
	if (!relative) {
		r = arg_in(m, time_arg, sizeof(struct timespec));
		return r < 0 ? r : MARSHAL_SEND;
	}
	r = arg_time(m, time_arg, 1, false);
	if (r < 0)
		return r;
	m->wait.back = m->args[time_arg + 1];
	m->wait.back_unit_ns = 1;
	return MARSHAL_SEND;
}

int start_nanosleep(struct marshal *m, int64_t *ret)
{
	return start_sleep(m, __NR_nanosleep, 0, true);
}

int start_clock_nanosleep(struct marshal *m, int64_t *ret)
{
	return start_sleep(m, __NR_clock_nanosleep, 2, !(m->args[1] & ABSTIME));
}
