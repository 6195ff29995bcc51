/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec.c - follow the words of a row: one word, one argument (syscalls.def has the language) */
#include <errno.h>

#include "forward/away/state.h"

#define LIMIT	     65536U /* of a %: longer ones are asked for in part, as the kernel may */
#define SOCKADDR_MAX 128U   /* struct sockaddr_storage */
#define OPTION_MAX   32768U

/* a size: "144", "a2", "a2*12", "a2+8", each with "^1536" */
struct size {
	int arg; /* -1: none */
	uint32_t number, times, plus, limit;
};

static uint32_t take_number(const char **p)
{
	uint32_t n = 0;

	while (**p >= '0' && **p <= '9')
		n = n * 10 + (uint32_t)(*(*p)++ - '0');
	return n;
}

static struct size take_size(const char **p)
{
	struct size s = { .arg = -1, .times = 1, .limit = LIMIT };

	if (**p != 'a') {
		s.number = take_number(p);
		return s;
	}
	(*p)++;
	s.arg = (int)take_number(p);
	for (;;) {
		switch (**p) {
		case '*':
			(*p)++;
			s.times = take_number(p);
			break;
		case '+':
			(*p)++;
			s.plus = take_number(p);
			break;
		case '^':
			(*p)++;
			s.limit = take_number(p);
			break;
		default:
			return s;
		}
	}
}

static uint64_t bytes_of(const struct marshal *m, const struct size *s)
{
	if (s->arg < 0)
		return s->number;
	if (m->args[s->arg] > INT32_MAX)
		return UINT64_MAX; /* too large for any of us, or a negative int */
	return m->args[s->arg] * s->times + s->plus;
}

/* as many as the result says: to ask for less than the program did is allowed */
static int arg_by_result(struct marshal *m, unsigned int arg, const struct size *s)
{
	uint64_t at = m->args[arg], len = bytes_of(m, s);
	int i;

	if (len ==
	    UINT64_MAX) { /* the kernel refuses it, or would fill more than we have room for */
		m->call.args[arg] = at ? BAD_ADDRESS : 0;
		return 0;
	}
	if (len > s->limit) {
		if (s->plus)
			return -ENOBUFS; /* a message is not asked for in part */
		len = s->limit;
		m->call.args[s->arg] = len / s->times;
	}
	if (!at)
		return 0;
	if (memory_reach(m, at, len) < len && len) {
		m->call.args[arg] = BAD_ADDRESS;
		return 0;
	}
	i = piece_add(m, PIECE_BY_RESULT, (uint32_t)len);
	if (i < 0)
		return i;
	m->pieces[i].guest = at;
	m->plus = s->plus;
	m->call.flags |= (uint16_t)(s->times << 8);
	piece_to_arg(m, i, arg);
	return 0;
}

static int word_mask(struct marshal *m, unsigned int arg, unsigned int size_arg, int64_t *ret)
{
	int r = arg_mask(m, m->args[arg], m->args[size_arg]);

	m->call.args[arg] = 0;
	if (r == 0)
		return 0;
	*ret = r;
	return MARSHAL_RESULT;
}

static uint32_t lowest_allowed(const struct marshal *m, uint64_t fd)
{
	return fd_reserved(m, fd) ? m->last_reserved + 1 : (uint32_t)fd;
}

/* returns 0, MARSHAL_RESULT with *ret set, or -errno */
static int word(struct marshal *m, const char **p, unsigned int arg, int64_t *ret)
{
	char what = *(*p)++;
	struct size s;
	bool always;

	switch (what) {
	case 'i':
	case 'L': /* was done with its A or V */
		return 0;
	case 'f':
		*ret = -EBADF;
		return fd_reserved(m, m->args[arg]) ? MARSHAL_RESULT : 0;
	case 'd':
		m->call.args[arg] = lowest_allowed(m, m->args[arg]);
		return 0;
	case 's':
		return arg_string(m, arg);
	case '<':
		s = take_size(p);
		return arg_in(m, arg, bytes_of(m, &s));
	case '>':
		s = take_size(p);
		return arg_out(m, arg, bytes_of(m, &s));
	case '=':
		s = take_size(p);
		always = **p == '!';
		*p += always;
		return bytes_of(m, &s) > LIMIT
			       ? -ENOBUFS
			       : arg_both(m, arg, (uint32_t)bytes_of(m, &s), always);
	case '%':
		s = take_size(p);
		return arg_by_result(m, arg, &s);
	case 'T':
		return arg_time(m, arg, 1, false);
	case 'M':
		arg_milliseconds(m, arg);
		return 0;
	case 'K':
		return word_mask(m, arg, take_number(p), ret);
	case 'A':
		return arg_room(m, arg, take_number(p), false, SOCKADDR_MAX);
	case 'V':
		return arg_room(m, arg, take_number(p), true, OPTION_MAX);
	}
	return -EINVAL; /* no such word: the test of the table finds it */
}

static const struct {
	const char *name;
	start_fn *start;
} functions[] = {
	{ "read", start_read },
	{ "write", start_write },
	{ "pread", start_pread },
	{ "pwrite", start_pwrite },
	{ "readv", start_readv },
	{ "writev", start_writev },
	{ "recvfrom", start_recvfrom },
	{ "sendto", start_sendto },
	{ "recvmsg", start_recvmsg },
	{ "sendmsg", start_sendmsg },
	{ "poll", start_poll },
	{ "ppoll", start_ppoll },
	{ "select", start_select },
	{ "pselect6", start_pselect6 },
	{ "preadv", start_preadv },
	{ "pwritev", start_pwritev },
	{ "preadv2", start_preadv2 },
	{ "pwritev2", start_pwritev2 },
	{ "recvmmsg", start_recvmmsg },
	{ "sendmmsg", start_sendmmsg },
	{ "nanosleep", start_nanosleep },
	{ "clock_nanosleep", start_clock_nanosleep },
	{ "close_range", start_close_range },
};

start_fn *spec_function(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (strcmp(functions[i].name, name) == 0)
			return functions[i].start;
	return NULL;
}

int spec_start(struct marshal *m, const char *spec, int64_t *ret)
{
	start_fn *start;
	int r;

	if (spec[0] == '!') {
		start = spec_function(spec + 1);
		return start ? start(m, ret) : -EINVAL;
	}
	request_start(m, m->nr, m->args);
	if (m->before && count_arg(m->nr) >= 0)
		m->call.args[count_arg(m->nr)] -= m->before;
	for (unsigned int arg = 0; *spec && arg < 6; arg++) {
		r = word(m, &spec, arg, ret);
		if (r != 0)
			return r;
		while (*spec == ' ')
			spec++;
	}
	return *spec ? -EINVAL : MARSHAL_SEND;
}
