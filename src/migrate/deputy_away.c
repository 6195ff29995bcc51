/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deputy_away.c - between the guest and its stub */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "forward/call.h"
#include "forward/table/quick.h"
#include "forward/table/table.h"
#include "migrate/deputy.h"
#include "migrate/deputy_checkpoint.h"

static uint32_t number(const struct move_frame *f)
{
	uint32_t v;

	memcpy(&v, f->payload, sizeof(v)); /* wire/move.h: it is that long */
	return v;
}

/* an answer of our own to a call that is not made */
static void answer_by(struct deputy *d, pid_t tid, int64_t result)
{
	const struct deputy_call_header h = { .tid = (uint32_t)tid };
	const struct call_answer a = { .result = result };

	deputy_send(d, MOVE_ANSWER, &h, sizeof(h), &a, sizeof(a));
}

static bool is_forwarded(enum table_class class)
{
	return class == TABLE_HOME || class == TABLE_VIRTUAL;
}

/*
 * Would a guest ever ask for this call? All others it comes home for (execve), or makes there
 * (mmap, exit); and the parasite's own requests are ours to make.
 */
static bool can_be_asked(uint32_t nr)
{
	struct table_row row;

	if (nr == SYS_process_vm_readv) /* of the stub itself, after an interrupted sleep */
		return true;
	if (!table_row(nr, &row))
		return false;
	for (size_t i = 0; i < row.n_cases; i++)
		if (is_forwarded(row.cases[i].class))
			return true;
	return is_forwarded(row.class);
}

int deputy_call(struct deputy *d, pid_t tid, const uint8_t *request, size_t n, bool now)
{
	if (d->checkpoint)
		checkpoint_call(d->checkpoint, tid, request, n);
	return (now ? stub_call_now : stub_call)(&d->stub, tid, request, n);
}

int deputy_take_call(struct deputy *d, const struct move_frame *f, struct err *e)
{
	struct deputy_call_header h;
	struct call_request q;
	int r;

	memcpy(&h, f->payload, sizeof(h)); /* wire/move.h: the fixed part is there */
	if (f->len < sizeof(h) + sizeof(struct call_request))
		return err_set(e, -EPROTO, "a call of thread %u that is too short", h.tid);
	memcpy(&q, f->payload + sizeof(h), sizeof(q));
	if (!can_be_asked(q.nr))
		return err_set(e, -EPROTO, "a call of thread %u that no guest asks for: %u", h.tid,
			       q.nr);
	/* a write that nobody waits for is of a file that is not mapped: the first ones were asked here */
	if (!h.flags && mapped_call(&d->mapped, d->pid, (pid_t)h.tid, q.nr, q.args)) {
		answer_by(d, (pid_t)h.tid, CALL_COME_HOME);
		return 0;
	}
	if (deputy_behind_takes(d, (pid_t)h.tid, h.flags))
		r = deputy_behind_call(d, (pid_t)h.tid, h.flags, f->payload + sizeof(h),
				       f->len - sizeof(h));
	else
		r = deputy_call(d, (pid_t)h.tid, f->payload + sizeof(h), f->len - sizeof(h),
				table_is_quick(q.nr));
	if (r == -ESRCH) {
		/* the thread is ending */
		answer_by(d, (pid_t)h.tid, -EINTR);
		return 0;
	}
	return r < 0 ? err_set(e, r, "a call of thread %u: %s", h.tid, strerror(-r)) : 0;
}

int deputy_take_cancel(struct deputy *d, const struct move_frame *f, struct err *e)
{
	(void)e;
	if (!deputy_behind_cancel(d, (pid_t)number(f)))
		stub_cancel(&d->stub, (pid_t)number(f));
	return 0;
}

int deputy_take_clone(struct deputy *d, const struct move_frame *f, struct err *e)
{
	int r = stub_clone(&d->stub, (pid_t)number(f));

	return r < 0 ? err_set(e, r, "a thread of thread %u: %s", number(f), strerror(-r)) : 0;
}

int deputy_take_gone(struct deputy *d, const struct move_frame *f, struct err *e)
{
	(void)e;
	if (!d->checkpoint || !checkpoint_gone(d->checkpoint, (pid_t)number(f)))
		stub_gone(&d->stub, (pid_t)number(f));
	return 0;
}

int deputy_take_stopped(struct deputy *d, const struct move_frame *f, struct err *e)
{
	uint32_t signo = number(f);

	if (signo != SIGSTOP && signo != SIGTSTP && signo != SIGTTIN && signo != SIGTTOU)
		return err_set(e, -EPROTO, "signal %u stops nobody", signo);
	stub_deliver(&d->stub, (int)signo);
	return 0;
}

/* the others stop a process, or do nothing, signal(7) */
static bool can_end(int signo)
{
	static const uint64_t never = 1ULL << SIGCHLD | 1ULL << SIGCONT | 1ULL << SIGSTOP |
				      1ULL << SIGTSTP | 1ULL << SIGTTIN | 1ULL << SIGTTOU |
				      1ULL << SIGURG | 1ULL << SIGWINCH;

	return signo >= 1 && signo <= IMAGE_SIGNALS && (signo > 63 || !(never >> signo & 1));
}

static bool is_end(int status)
{
	if (status >> 16)
		return false;
	return WIFEXITED(status) || (WIFSIGNALED(status) && can_end(WTERMSIG(status)));
}

int deputy_take_exit(struct deputy *d, const struct move_frame *f, struct err *e)
{
	int status = (int)number(f);

	if (!is_end(status))
		return err_set(e, -EPROTO, "wait status %#x is not one of an end",
			       (unsigned int)status);
	stub_exit(&d->stub, status);
	deputy_over(d, 0, "the process has ended");
	return 0;
}

/* -------------------------------------------------------------- stub's words */

static void on_answer(void *owner, pid_t tid, const uint8_t *p, size_t n)
{
	const struct deputy_call_header h = { .tid = (uint32_t)tid };
	struct deputy *d = owner;
	struct call_answer a;

	if (n >= sizeof(a)) {
		memcpy(&a, p, sizeof(a));
		mapped_answer(&d->mapped, d->pid, tid, a.result);
	}
	if (d->checkpoint)
		checkpoint_answer(d->checkpoint, tid, p, n);
	if (d->state == DEPUTY_RESUMING)
		deputy_resume_answer(d);
	else if (!deputy_behind_answer(d, tid, p, n))
		deputy_send(d, MOVE_ANSWER, &h, sizeof(h), p, n);
}

/* for the longest one, and some left for signals; nobody is told any more when it is resumed */
static bool has_room(void *owner)
{
	const struct deputy *d = owner;

	return d->state == DEPUTY_RESUMING || channel_room(d->channel, MOVE_PAYLOAD_MAX);
}

static int keep(struct deputy *d, pid_t tid, uint64_t number, const siginfo_t *info)
{
	struct pending *more = reallocarray(d->pending, d->n_pending + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	d->pending = more;
	d->pending[d->n_pending++] =
		(struct pending){ .tid = tid, .number = number, .info = *info };
	return 0;
}

static void on_signal(void *owner, pid_t tid, const siginfo_t *info)
{
	struct deputy *d = owner;
	const uint32_t to[2] = { (uint32_t)tid, (uint32_t)info->si_signo };

	uint64_t told = d->state >= DEPUTY_RETURNING ? 0 : ++d->signals_sent;
	int r = 0;

	/* the guest may have been read already: DONE says how many it has taken */
	if (d->checkpoint)
		r = checkpoint_signal(d->checkpoint, tid, told, info);
	else if (d->state != DEPUTY_AWAY)
		r = keep(d, tid, told, info);
	if (r < 0)
		deputy_lost(d, "no memory for a signal");
	if (!told)
		return;
	deputy_send(d, MOVE_SIGNAL, to, sizeof(to), info, sizeof(*info));
}

static void on_cloned(void *owner, pid_t caller, int64_t tid)
{
	const uint32_t payload[3] = {
		(uint32_t)caller,
		tid > 0 ? (uint32_t)tid : 0,
		tid < 0 ? (uint32_t)tid : 0,
	};

	struct deputy *d = owner;

	if (d->state == DEPUTY_RESUMING)
		deputy_resume_answer(d);
	else
		deputy_send(d, MOVE_CLONED, payload, sizeof(payload), NULL, 0);
}

static void on_died(void *owner, int wait_status)
{
	struct deputy *d = owner;

	(void)wait_status; /* its parent has it */
	d->stub.pid = 0;
	deputy_over(d, 0, "the process was killed"); /* the stream ends, and the guest with it */
}

const struct stub_ops deputy_stub_ops = {
	.room = has_room,
	.answer = on_answer,
	.signal = on_signal,
	.cloned = on_cloned,
	.died = on_died,
};
