/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_virtual.c - calls that need both ends, or neither */
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <time.h>

#include "base/restarts.h"
#include "forward/call.h"
#include "migrate/guest.h"

/* ------------------------------------------------------------ making requests */

static int put_request(struct buf *b, const struct call_request *q, const struct call_fixup *fix,
		       const void *in)
{
	int r = buf_put(b, q, sizeof(*q));

	if (!r && q->n_fixups)
		r = buf_put(b, fix, q->n_fixups * sizeof(*fix));
	if (!r && q->in_len)
		r = buf_put(b, in, q->in_len);
	return r;
}

static void ask(struct guest_thread *t, const struct call_request *q, const struct call_fixup *fix,
		const void *in, guest_answer_fn *fn)
{
	struct buf b;

	buf_init(&b, CALL_BYTES_MAX);
	if (put_request(&b, q, fix, in) < 0)
		guest_fail(t->guest, -ENOMEM, "no memory for a request");
	else
		guest_request(t, &b, fn);
	buf_done(&b);
}

static int64_t result_of(const uint8_t *p)
{
	struct call_answer a;

	memcpy(&a, p, sizeof(a)); /* guest_take_answer(): it has one */
	return a.result;
}

/* a stop of the stub came before the request, which does not wait: it has done nothing */
static void on_asked(struct guest_thread *t, const uint8_t *p, size_t n)
{
	if (marshal_interrupted(result_of(p)))
		guest_reply(t, -ERESTARTNOINTR);
	else
		t->asked(t, p, n);
}

void guest_ask(struct guest_thread *t, const struct call_request *q, const struct call_fixup *fix,
	       const void *in, guest_answer_fn *fn)
{
	t->asked = fn;
	ask(t, q, fix, in, on_asked);
}

/* the output of an answer; NULL when it is not n bytes */
static const uint8_t *output(const uint8_t *p, size_t n, size_t want)
{
	return n == sizeof(struct call_answer) + want ? p + sizeof(struct call_answer) : NULL;
}

void guest_let_through(struct guest_thread *t)
{
	struct seccomp_notif_resp resp = { .id = t->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	t->in_notify = false;
	t->state = THREAD_RUNNING;
	(void)ioctl(t->guest->notify, SECCOMP_IOCTL_NOTIF_SEND, &resp); /* ENOENT: killed */
}

/* ------------------------------------------------------------------ actions */

/* it was done at home; now the kernel here does it */
static void on_set_at_home(struct guest_thread *t, const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	guest_let_through(t);
}

/*
 * The action is set here. Home must know of one thing: what becomes of children that end (SIG_IGN,
 * SA_NOCLDWAIT, SA_NOCLDSTOP). Its handler is never run there.
 */
static void set_action(struct guest_thread *t)
{
	static const struct call_fixup fix = { .at = CALL_FIX_ARG | 1, .place = 0 };
	struct image_action a;
	struct call_request q = {
		.nr = SYS_rt_sigaction,
		.n_fixups = 1,
		.args = { SIGCHLD, 0, 0, 8 },
		.in_len = sizeof(a),
	};

	if (t->args[0] != SIGCHLD || !t->args[1] || guest_read(t, t->args[1], &a, sizeof(a)) < 0) {
		guest_let_through(t);
		return;
	}
	if (a.handler != (uint64_t)SIG_IGN)
		a.handler = (uint64_t)SIG_DFL;
	a.restorer = 0;
	a.flags &= SA_NOCLDSTOP | SA_NOCLDWAIT;
	guest_ask(t, &q, &fix, &a, on_set_at_home);
}

/* ------------------------------------------------------------ interrupted sleeps */

static void on_rest_read(struct guest_thread *t, const uint8_t *p, size_t n);
static void go_on_sleeping(struct guest_thread *t);

/* where the call that sleeps at home will leave its output, and how much */
static size_t rest_output(const struct guest_thread *t, uint64_t *ret_at)
{
	switch (t->restart_call) {
	case SYS_poll:
		*ret_at = t->args[0];
		return (size_t)t->args[1] * sizeof(struct pollfd);
	case SYS_nanosleep:
		*ret_at = t->args[1];
		return t->args[1] ? sizeof(struct timespec) : 0;
	case SYS_clock_nanosleep:
		*ret_at = t->args[3];
		return t->args[3] ? sizeof(struct timespec) : 0;
	default:
		return 0;
	}
}

/* a poll says what it found; a sleep, what is left when it was interrupted */
static bool has_output(const struct guest_thread *t, bool interrupted)
{
	return t->rest_len && (t->restart_call == SYS_poll) == !interrupted;
}

static void end_rest(struct guest_thread *t, int64_t result)
{
	t->rest_len = 0;
	guest_reply(t, result);
}

int guest_held_back(void *owner, uint64_t start, uint64_t *end)
{
	struct guest *g = owner;

	for (size_t i = 0; i < g->n; i++) {
		const struct guest_thread *t = g->threads[i];
		uint64_t from = t->rest_at & ~(uint64_t)(MOVE_PAGE - 1), to;

		if (!t->rest_len)
			continue;
		to = (t->rest_at + t->rest_len + MOVE_PAGE - 1) & ~(uint64_t)(MOVE_PAGE - 1);
		if (from <= start && start < to) {
			*end = to < *end ? to : *end;
			return pageset_add(&g->held_back, start, (*end - start) / MOVE_PAGE) < 0
				       ? -ENOMEM
				       : 1;
		}
		if (start < from && from < *end)
			*end = from;
	}
	return 0;
}

/* the stub reads its own memory: process_vm_readv(2) of itself */
static void read_rest(struct guest_thread *t)
{
	const size_t len = t->rest_len;
	const struct iovec in[2] = { { NULL, len }, { (void *)t->rest_at, len } };
	const struct call_fixup fix[] = {
		{ .at = 0, .place = sizeof(in) }, /* iov_base of the first: the output */
		{ .at = CALL_FIX_ARG | 1, .place = 0 },
		{ .at = CALL_FIX_ARG | 3, .place = sizeof(in[0]) },
	};
	const struct call_request q = {
		.nr = SYS_process_vm_readv,
		.n_fixups = ARRAY_LEN(fix),
		.args = { (uint64_t)t->guest->build.pid, 0, 1, 0, 1, 0 },
		.in_len = sizeof(in),
		.out_at = sizeof(in),
		.out_len = (uint32_t)len,
		.out_fixed = (uint32_t)len,
	};

	ask(t, &q, fix, in, on_rest_read);
}

static void on_slept(struct guest_thread *t, const uint8_t *p, size_t n)
{
	int64_t result = result_of(p);
	bool interrupted = marshal_interrupted(result), output;

	(void)n;
	if (interrupted && t->guest->state == GUEST_RUNNING && !guest_is_deliverable(t)) {
		go_on_sleeping(t);
		return;
	}
	if (interrupted && t->guest->state != GUEST_RUNNING) {
		/* home's kernel has the rest still: guest_leave.c leaves it there */
		end_rest(t, -ERESTARTNOHAND);
		return;
	}
	t->rest_result = interrupted ? -EINTR : result;
	output = has_output(t, interrupted);
	t->restart_call = 0;
	if (output)
		read_rest(t);
	else
		end_rest(t, t->rest_result);
}

static void on_rest_read(struct guest_thread *t, const uint8_t *p, size_t n)
{
	const uint8_t *bytes = p + sizeof(struct call_answer);

	n -= sizeof(struct call_answer);
	/* a stop that was meant for the sleep; and that has given its result, which it does only once */
	if (marshal_interrupted(result_of(p))) {
		read_rest(t);
		return;
	}
	if (result_of(p) > 0 && n && guest_write(t, t->rest_at, bytes, n) < 0)
		t->rest_result = -EFAULT;
	end_rest(t, t->rest_result);
}

static void go_on_sleeping(struct guest_thread *t)
{
	const struct call_request q = { .nr = SYS_restart_syscall };

	t->rest_len = rest_output(t, &t->rest_at);
	ask(t, &q, NULL, NULL, on_slept);
}

static void restart(struct guest_thread *t)
{
	if (!t->restart_call) {
		guest_reply(t, -EINTR); /* there is nothing to restart: as the kernel */
		return;
	}
	go_on_sleeping(t);
}

/* --------------------------------------------------------------- CPU time used */

/* ns; children are at home */
static uint64_t used_here(const struct guest_thread *t)
{
	switch ((int)t->args[0]) {
	case RUSAGE_SELF:
		return guest_cpu_ns(t->guest, 0);
	case RUSAGE_THREAD:
		return guest_cpu_ns(t->guest, t->tid);
	default:
		return 0;
	}
}

/* the part at home is told by home; ours counts as time of the program itself */
static void on_usage(struct guest_thread *t, const uint8_t *p, size_t n)
{
	const uint8_t *bytes = output(p, n, sizeof(struct rusage));
	int64_t result = result_of(p);
	struct rusage u;
	uint64_t us;

	if (result < 0 || !bytes) {
		guest_reply(t, result < 0 ? result : -EFAULT);
		return;
	}
	memcpy(&u, bytes, sizeof(u));
	us = (uint64_t)u.ru_utime.tv_usec + used_here(t) / 1000;
	u.ru_utime.tv_sec += (time_t)(us / 1000000);
	u.ru_utime.tv_usec = (suseconds_t)(us % 1000000);
	if (guest_write(t, t->args[1], &u, sizeof(u)) < 0)
		result = -EFAULT;
	guest_reply(t, result);
}

static void usage(struct guest_thread *t)
{
	static const struct call_fixup fix = { .at = CALL_FIX_ARG | 1, .place = 0 };
	const struct call_request q = {
		.nr = SYS_getrusage,
		.n_fixups = 1,
		.args = { t->args[0], 0 },
		.out_len = sizeof(struct rusage),
		.out_fixed = sizeof(struct rusage),
	};

	guest_ask(t, &q, &fix, NULL, on_usage);
}

/* --------------------------------------------------------------------- name */

/* at both ends: ps(1) at home shows it, and here it is what PR_GET_NAME reads */
static void set_name(struct guest_thread *t)
{
	static const struct call_fixup fix = { .at = CALL_FIX_ARG | 1, .place = 0 };
	char name[IMAGE_NAME_MAX] = { 0 };
	const struct call_request q = {
		.nr = SYS_prctl,
		.n_fixups = 1,
		.args = { PR_SET_NAME, 0 },
		.in_len = sizeof(name),
	};

	/* reached by guest_virtual() */
	if (tracee_read_string(t->guest->build.pid, t->args[1], name, sizeof(name)) == -EFAULT) {
		guest_reply(t, -EFAULT);
		return;
	}
	name[sizeof(name) - 1] = '\0';
	guest_ask(t, &q, &fix, name, on_set_at_home);
}

/* ------------------------------------------------------------------- timers */

static void on_overrun(struct guest_thread *t, const uint8_t *p, size_t n)
{
	(void)n;
	guest_reply(t, result_of(p));
}

/* home's kernel says it of the last signal that left there, and there may be more on the way */
static void overrun(struct guest_thread *t)
{
	const struct call_request q = { .nr = SYS_timer_getoverrun, .args = { t->args[0] } };
	const struct guest *g = t->guest;

	for (size_t i = 0; i < ARRAY_LEN(g->timers); i++)
		if (g->timers[i].seen && g->timers[i].id == (int32_t)t->args[0]) {
			guest_reply(t, g->timers[i].overrun);
			return;
		}
	guest_ask(t, &q, NULL, NULL, on_overrun);
}

/* ----------------------------------------------------------------- dispatch */

static const struct virtual_row {
	uint32_t nr;
	void (*fn)(struct guest_thread *t);
	size_t needs;  /* bytes of the program's memory ... */
	uint8_t at[2]; /* ... behind these arguments; 0: none */
} handlers[] = {
	{ SYS_rt_sigaction, set_action, sizeof(struct image_action), { 1 } },
	{ SYS_restart_syscall, restart, 0, { 0 } },
	{ SYS_timer_getoverrun, overrun, 0, { 0 } },
	{ SYS_getrusage, usage, sizeof(struct rusage), { 1 } },
	{ SYS_prctl, set_name, IMAGE_NAME_MAX, { 1 } },
	{ SYS_getrlimit, guest_limit, sizeof(struct rlimit), { 1 } },
	{ SYS_setrlimit, guest_limit, sizeof(struct rlimit), { 1 } },
	{ SYS_prlimit64, guest_limit, sizeof(struct rlimit), { 2, 3 } },
	{ SYS_mlock, guest_lock, 0, { 0 } },
	{ SYS_mlock2, guest_lock, 0, { 0 } },
	{ SYS_mlockall, guest_lock, 0, { 0 } },
	{ SYS_timer_create, guest_timer_call, sizeof(struct sigevent), { 1, 2 } },
	{ SYS_timer_settime, guest_timer_call, sizeof(struct itimerspec), { 2, 3 } },
	{ SYS_timer_gettime, guest_timer_call, sizeof(struct itimerspec), { 1 } },
	{ SYS_timer_delete, guest_timer_call, 0, { 0 } },
	{ SYS_sched_setaffinity, guest_bind, sizeof(cpu_set_t), { 2 } },
};

static const struct virtual_row *row(uint32_t nr)
{
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
		if (handlers[i].nr == nr)
			return &handlers[i];
	return NULL;
}

static void go_on(struct guest_thread *t);

/* false: all that it needs is here */
static bool waits(struct guest_thread *t, const struct virtual_row *v)
{
	for (size_t i = 0; i < ARRAY_LEN(v->at); i++) {
		uint64_t at = v->at[i] ? t->args[v->at[i]] : 0;

		if (at && !guest_reach(t->guest, at, v->needs)) {
			guest_wait_late(t, at, v->needs, go_on);
			return true;
		}
	}
	return false;
}

/* its memory has come */
static void go_on(struct guest_thread *t)
{
	const struct virtual_row *v = row(t->nr);

	if (t->guest->state != GUEST_RUNNING)
		guest_reply(t, -ERESTARTNOINTR); /* it is made at home */
	else if (!waits(t, v))
		v->fn(t);
}

bool guest_virtual(struct guest_thread *t)
{
	const struct virtual_row *v = row(t->nr);

	if (!v)
		return false; /* the marshaller forwards it, if its row says how */
	t->state = THREAD_CALLING;
	if (!waits(t, v))
		v->fn(t);
	return true;
}
