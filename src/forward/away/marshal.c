/* SPDX-License-Identifier: GPL-2.0-or-later */
/* marshal.c - calls of a process that is away, made into requests, and answers into its memory */
#include "forward/away/marshal.h"

#include <asm/unistd_64.h>
#include <errno.h>

#include "base/restarts.h"
#include "forward/away/state.h"
#include "forward/table/table.h"

struct marshal *marshal_new(const struct marshal_memory *memory, uint32_t first_reserved_fd,
			    uint32_t last_reserved_fd)
{
	struct marshal *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->memory = *memory;
	m->first_reserved = first_reserved_fd;
	m->last_reserved = last_reserved_fd;
	buf_init(&m->stage, CALL_BYTES_MAX);
	return m;
}

void marshal_free(struct marshal *m)
{
	if (!m)
		return;
	buf_done(&m->stage);
	free(m->parts);
	free(m);
}

/* the words of the call, and the parts of its iovec; the stage is made anew by each request */
struct marshal_saved {
	struct marshal m;
	struct part parts[];
};

struct marshal_saved *marshal_save(const struct marshal *m)
{
	size_t n = m->parts ? m->n_parts : 0;
	struct marshal_saved *s = malloc(sizeof(*s) + n * sizeof(*s->parts));

	if (!s)
		return NULL;
	s->m = *m;
	if (n)
		memcpy(s->parts, m->parts, n * sizeof(*s->parts));
	return s;
}

void marshal_restore(struct marshal *m, const struct marshal_saved *saved)
{
	struct buf stage = m->stage;
	struct part *parts = m->parts; /* has been allocated since, or is the same */

	*m = saved->m;
	m->stage = stage;
	m->parts = parts;
	if (saved->m.parts && m->n_parts)
		memcpy(m->parts, saved->parts, m->n_parts * sizeof(*m->parts));
}

void marshal_forget(struct marshal_saved *saved)
{
	free(saved);
}

static bool sleeps(uint32_t nr)
{
	return nr == __NR_nanosleep || nr == __NR_clock_nanosleep;
}

/* a step of the calls' functions becomes one of ours */
static int finish_step(struct marshal *m, int step, struct buf *request)
{
	if (step == MARSHAL_SEND)
		step = request_finish(m, request) ?: MARSHAL_SEND;
	if (step == -ENOBUFS)
		return MARSHAL_RETURN; /* too large to be forwarded: no invented error */
	return step;
}

static int start(struct marshal *m, struct buf *request, int64_t *result)
{
	struct table_verdict v = table_judge(m->nr, m->args);

	m->has_mask = false;
	m->wait = (struct wait){ 0 };
	m->progress = m->before;
	if (!v.spec || (v.class != TABLE_HOME && v.class != TABLE_VIRTUAL))
		return MARSHAL_RETURN;
	return finish_step(m, spec_start(m, v.spec, result), request);
}

int marshal_resume(struct marshal *m, uint32_t nr, const uint64_t args[6], uint64_t done,
		   uint64_t now_ns, struct buf *request, int64_t *result)
{
	m->nr = nr;
	memcpy(m->args, args, sizeof(m->args));
	m->began_ns = now_ns;
	m->now_ns = now_ns;
	m->before = done;
	m->transfer.asking = false;
	return start(m, request, result);
}

int marshal_begin(struct marshal *m, uint32_t nr, const uint64_t args[6], uint64_t now_ns,
		  struct buf *request, int64_t *result)
{
	return marshal_resume(m, nr, args, 0, now_ns, request, result);
}

int marshal_again(struct marshal *m, uint64_t now_ns, struct buf *request, int64_t *result)
{
	if (now_ns > m->now_ns)
		m->now_ns = now_ns;
	m->before = m->progress;
	if (m->transfer.asking)
		return finish_step(m, transfer_ask_kind(m), request);
	return start(m, request, result);
}

/* has the end of the call put what was left where its time is read again? */
static bool has_written_rest(const struct marshal *m)
{
	if (!m->wait.back)
		return false;
	return !sleeps(m->nr) || m->wait.back == m->args[m->nr == __NR_nanosleep ? 0 : 2];
}

int marshal_repeat(struct marshal *m, uint32_t nr, const uint64_t args[6], uint64_t now_ns,
		   struct buf *request, int64_t *result)
{
	if (nr != m->nr || memcmp(args, m->args, sizeof(m->args)) != 0)
		return -EINVAL;
	if (has_written_rest(m))
		m->began_ns = m->now_ns;
	return marshal_again(m, now_ns, request, result);
}

/* a signal ends the call: write what is left to wait, if home has not, and say what the guest's
 * kernel is to see */
static int64_t interrupted(struct marshal *m, int64_t code, bool written)
{
	int64_t rest, t[2];

	if (m->wait.is && m->wait.back && !written) {
		rest = wait_rest(m, m->now_ns);
		t[0] = rest / 1000000000;
		t[1] = rest % 1000000000 / m->wait.back_unit_ns;
		if (!memory_write(m, m->wait.back, t, sizeof(t)) && sleeps(m->nr))
			return -EFAULT;
	}
	if (code != -ERESTART_RESTARTBLOCK)
		return code;
	/* its rest is known to home's kernel only: end as if a handler runs */
	return sleeps(m->nr) ? -EINTR : -ERESTARTNOHAND;
}

int count_arg(uint32_t nr)
{
	return nr == __NR_sendfile ? 3 : nr == __NR_copy_file_range ? 4 : -1;
}

/* a call that moves data without our seeing it, perhaps not for the first time */
static int counted(struct marshal *m, int64_t value, int64_t *ret)
{
	int arg = count_arg(m->nr);
	uint64_t all;

	*ret = value;
	if (arg < 0)
		return MARSHAL_RESULT;
	all = m->args[arg] < MOVE_MOST ? m->args[arg] : MOVE_MOST;
	if (value > 0)
		m->progress += (uint64_t)value;
	if (m->progress)
		*ret = (int64_t)m->progress;
	/* a count that is less than all is a part, unless it was an error that ended it */
	return m->progress && m->cut && m->progress < all ? MARSHAL_CUT : MARSHAL_RESULT;
}

int marshal_answer(struct marshal *m, const void *answer, size_t n, uint64_t now_ns,
		   struct buf *request, int64_t *result)
{
	struct call_answer a;
	const uint8_t *out = (const uint8_t *)answer + sizeof(a);
	int r = MARSHAL_RESULT;

	if (n < sizeof(a) || n > CALL_BYTES_MAX)
		return -EPROTO;
	memcpy(&a, answer, sizeof(a));
	if ((a.flags & ~CALL_ANSWER_FLAGS_ALL) || a.out_len != n - sizeof(a))
		return -EPROTO;
	/* a call that was stopped before it was made has no output */
	if (a.out_len != request_expect(m, a.result) && !(a.result < 0 && a.out_len == 0))
		return -EPROTO;
	if (now_ns > m->now_ns)
		m->now_ns = now_ns;
	m->cut = (a.flags & CALL_CUT) || marshal_interrupted(a.result);
	if (m->answered)
		r = finish_step(m, m->answered(m, out, a.out_len, a.result, result), request);
	else if (piece_write_back(m, out, a.out_len, a.result) < 0 && a.result >= 0)
		*result = -EFAULT;
	else
		r = counted(m, a.result, result);
	if (r == MARSHAL_RESULT && marshal_interrupted(*result))
		*result = interrupted(m, *result, a.out_len != 0);
	return r;
}

bool marshal_rest(const struct marshal *m, uint64_t now_ns, int *ret_arg, uint64_t *ret_value)
{
	if (!m->wait.is || m->wait.arg < 0)
		return false;
	*ret_arg = m->wait.arg;
	*ret_value = ((uint64_t)wait_rest(m, now_ns) + 999999) / 1000000;
	return true;
}

bool marshal_sleep_rest(const struct marshal *m, uint64_t now_ns, uint64_t *ret_ns)
{
	if (!m->wait.is || !(sleeps(m->nr) || m->nr == __NR_poll))
		return false;
	*ret_ns = (uint64_t)wait_rest(m, now_ns);
	return true;
}

bool marshal_interrupted(int64_t result)
{
	return result == -EINTR || result == -ERESTARTSYS || result == -ERESTARTNOINTR ||
	       result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK;
}

bool marshal_stopped(const struct marshal *m, const struct call_answer *a)
{
	if (a->result != -EINTR)
		return marshal_interrupted(a->result);
	/* the kernel never says it but for a stop; some file systems do, and the file is closed */
	return (a->flags & CALL_CUT) && m->nr != __NR_close;
}

bool marshal_wait_mask(const struct marshal *m, uint64_t *ret)
{
	if (m->has_mask)
		*ret = m->mask;
	return m->has_mask;
}

uint32_t marshal_call(const struct marshal *m, uint64_t args[6])
{
	memcpy(args, m->args, sizeof(m->args));
	return m->nr;
}
