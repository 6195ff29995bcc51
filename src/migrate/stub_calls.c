/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stub_calls.c - a stub at work: requests in, answers, signals and stops out */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forward/call.h"
#include "migrate/cpu_timers.h"
#include "migrate/region.h"
#include "migrate/stub.h"
#include "migrate/stub_door.h"
#include "migrate/stub_thread.h"
#include "migrate/told.h"

#define RETRY_MS   1 /* until a call that is to be cancelled has begun */
#define ANSWER_MAX (sizeof(uint32_t) + CALL_BYTES_MAX)

/* ----------------------------------------------------------------- answers */

/* the new thread's id is known: its row had none */
static void name_thread(struct stub *s, pid_t tid)
{
	if (stub_thread_find(s, tid))
		return;
	for (size_t i = 0; i < s->n; i++)
		if (s->threads[i]->tid == 0) {
			s->threads[i]->tid = tid;
			return;
		}
}

static void mark_cut(struct stub_thread *t, struct call_answer *a)
{
	a->flags |= CALL_CUT;
	memcpy(t->in.data + t->in.off + sizeof(uint32_t), a, sizeof(*a));
}

static void take_answers(struct stub_thread *t)
{
	struct stub *s = t->stub;

	for (;;) {
		struct call_answer answer;
		uint32_t len;

		if (t->in.len < sizeof(len))
			return;
		memcpy(&len, buf_bytes(&t->in), sizeof(len));
		if (len > CALL_BYTES_MAX || len < sizeof(answer)) {
			(void)kill(s->pid,
				   SIGKILL); /* its own memory is broken: nothing it says counts */
			return;
		}
		if (t->in.len < sizeof(len) + len)
			return;
		memcpy(&answer, buf_bytes(&t->in) + sizeof(len), sizeof(answer));
		if (t->cut)
			mark_cut(t, &answer);
		t->calling = t->cancel = t->cut = false;
		if (t->cloning) {
			t->cloning = false;
			if (answer.result > 0) /* the stop that tells it may come later */
				name_thread(s, (pid_t)answer.result);
			buf_eat(&t->in, sizeof(len) + len);
			s->ops->cloned(s->owner, t->tid, answer.result);
		} else {
			s->ops->answer(s->owner, t->tid, buf_bytes(&t->in) + sizeof(len), len);
			buf_eat(&t->in, sizeof(len) + len);
		}
	}
}

static void receive(struct stub_thread *t)
{
	struct stub *s = t->stub;
	uint8_t *room;
	ssize_t n;

	if (s->ops->room && !s->ops->room(s->owner)) {
		t->held = true;
		loop_remove(s->loop, &t->ref); /* or its end would be told again and again */
		return;
	}
	if (buf_room(&t->in, ANSWER_MAX - t->in.len, &room) < 0)
		return; /* no memory now: it stays readable */
	n = recv(t->sock, room, ANSWER_MAX - t->in.len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_remove(t->stub->loop, &t->ref); /* the thread is gone: told by its stop */
		return;
	}
	buf_grow(&t->in, (size_t)n);
	take_answers(t);
}

/* what the socket did not take at once */
static int send_rest(struct stub_thread *t)
{
	ssize_t n = 0;

	if (t->out.len)
		n = send(t->sock, buf_bytes(&t->out), t->out.len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return errno == EPIPE ? -ESRCH : -errno;
	if (n > 0)
		buf_eat(&t->out, (size_t)n);
	if (t->out.len || t->want_write)
		loop_set_fd(t->stub->loop, t->ref, EPOLLIN | (t->out.len ? EPOLLOUT : 0));
	t->want_write = t->out.len > 0;
	return 0;
}

static void on_socket(void *owner, uint32_t events)
{
	struct stub_thread *t = owner;

	if (events & EPOLLOUT)
		told_later(send_rest(t));
	if (events & ~(uint32_t)EPOLLOUT)
		receive(t);
}

void stub_room(struct stub *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct stub_thread *t = s->threads[i];
		uint32_t events = EPOLLIN | (t->out.len ? EPOLLOUT : 0);

		if (!t->held)
			continue;
		t->held = false;
		t->want_write = t->out.len > 0;
		if (loop_add_fd(s->loop, t->sock, events, on_socket, t, &t->ref) < 0)
			(void)kill(s->pid, SIGKILL); /* it would wait for ever: told by its end */
	}
}

static int send_request(struct stub_thread *t, const void *request, uint32_t len)
{
	int r = buf_put(&t->out, &len, sizeof(len));

	if (!r)
		r = buf_put(&t->out, request, len);
	return r < 0 ? r : send_rest(t);
}

static int hand_over(struct stub *s, pid_t tid, const void *request, size_t n, bool await)
{
	struct stub_thread *t = stub_thread_find(s, tid);
	int r = 0;

	if (!t || t->sock < 0)
		return -ESRCH;
	if (t->calling || n > CALL_BYTES_MAX || n < sizeof(struct call_request))
		return t->calling ? -EBUSY : -EPROTO;
	if (!t->ref.gen)
		r = loop_add_fd(s->loop, t->sock, EPOLLIN, on_socket, t, &t->ref);
	if (!r && s->view)
		stub_door_call(t, request, (uint32_t)n, await);
	else if (!r)
		r = send_request(t, request, (uint32_t)n);
	t->calling = !r;
	return r;
}

int stub_call(struct stub *s, pid_t tid, const void *request, size_t n)
{
	return hand_over(s, tid, request, n, false);
}

/* nobody else's answer may come first, and this one can be told */
static bool may_await(const struct stub *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->threads[i]->calling)
			return false;
	return s->view && (!s->ops->room || s->ops->room(s->owner));
}

int stub_call_now(struct stub *s, pid_t tid, const void *request, size_t n)
{
	bool await = may_await(s);
	int r = hand_over(s, tid, request, n, await);
	struct stub_thread *t = stub_thread_find(s, tid);

	if (r < 0 || !await)
		return r;
	r = stub_door_await(t);
	if (r > 0)
		take_answers(t);
	else if (r < 0)
		(void)kill(s->pid, SIGKILL); /* it would wait for ever: told by its end */
	return 0;
}

void stub_cancel(struct stub *s, pid_t tid)
{
	struct stub_thread *t = stub_thread_find(s, tid);

	if (!t || !t->calling || t->cancel)
		return;
	t->cancel = true;
	told_later(tracee_interrupt(tid));
}

/* a thread that was told to end has its end under way, which stub_halt() waits for */
bool stub_is_idle(const struct stub *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct stub_thread *t = s->threads[i];

		/* one that was told to end has that for its call */
		if (!t->ending && (t->calling || t->cloning || !t->tid))
			return false;
	}
	return true;
}

/* ----------------------------------------------------------------- threads */

static void clone_failed(struct stub *s, pid_t caller, struct stub_thread *t, int r)
{
	if (t)
		stub_thread_remove(t);
	s->ops->cloned(s->owner, caller, r);
}

/* the new thread's row has tid 0 until the kernel says its id */
static int prepare_clone(struct stub *s, struct stub_thread *caller, struct stub_thread *t)
{
	struct user_regs_struct regs, before;
	struct tracee_stop stop;
	int r = tracee_stop_thread(caller->tid, &stop);

	if (r < 0)
		return r;
	r = tracee_get_regs(caller->tid, &before);
	regs = before;
	(void)tracee_rewind(&regs); /* out of its read, which is made again */
	if (r >= 0)
		r = tracee_set_regs(caller->tid, &regs);
	if (r >= 0)
		r = stub_close_stale(s, caller->tid);
	if (r >= 0)
		r = stub_thread_connect(t, caller->tid, NULL);
	if (r >= 0)
		r = stub_thread_context(t);
	if (tracee_cont(caller->tid, 0) < 0)
		return -ESRCH;
	return r;
}

int stub_clone(struct stub *s, pid_t caller)
{
	struct stub_thread *by = stub_thread_find(s, caller), *t;
	struct call_request request = { .nr = PARASITE_CLONE };
	int r;

	if (!by || by->calling)
		return by ? -EBUSY : -ESRCH;
	t = stub_thread_new(s, 0);
	if (!t) {
		clone_failed(s, caller, NULL, -EAGAIN);
		return 0;
	}
	r = prepare_clone(s, by, t);
	request.args[0] = region_slot(s->region, t->slot);
	if (!r)
		r = stub_call(s, caller, &request, sizeof(request));
	if (r < 0)
		clone_failed(s, caller, t, r);
	else
		by->cloning = true;
	return 0;
}

void stub_gone(struct stub *s, pid_t tid)
{
	const struct call_request request = { .nr = PARASITE_EXIT };
	struct stub_thread *t = stub_thread_find(s, tid);

	if (!t || tid == s->pid)
		return; /* the leader stays until the process ends */
	t->ending = stub_call(s, tid, &request, sizeof(request)) == 0;
}

/* ------------------------------------------------------------------- stops */

/* who is it for? The kernel says so by the code; a broken pipe, a file too large are the writer's own */
static bool for_thread(const struct tracee_stop *stop, pid_t leader)
{
	if (stop->info.si_code == SI_TKILL || stop->signo == SIGPIPE || stop->signo == SIGXFSZ)
		return true;
	return stop->info.si_code == SI_TIMER && stop->tid != leader;
}

static void go_on(struct stub_thread *t, int signo)
{
	told_later(tracee_cont(t->tid, signo));
}

static void on_retry(void *owner)
{
	struct stub *s = owner;

	s->retry_ref = (struct ev_ref){ 0 };
	for (size_t i = 0; i < s->n; i++)
		if (s->threads[i]->cancel)
			told_later(tracee_interrupt(s->threads[i]->tid));
}

/*
 * Let the loop hear that its call was interrupted. It may not have come to it yet; then again in a
 * moment, for an interrupt that waits when a thread goes on stops it before its next instruction.
 */
static void interrupted(struct stub_thread *t)
{
	struct stub *s = t->stub;
	enum stub_call_state state;

	if (stub_thread_interrupted(t, &state) < 0)
		return;
	t->cut |= state == STUB_CALL_ENDED;
	if (!t->cancel)
		return;
	t->cancel = state == STUB_CALL_BEFORE;
	if (t->cancel && !s->retry_ref.gen)
		told_later(loop_add_timer(s->loop, loop_now(s->loop) + RETRY_MS, on_retry, s,
					  &s->retry_ref));
}

/* the parasite makes no such mistakes: somebody has written over it */
static bool is_broken(const struct tracee_stop *stop)
{
	switch (stop->signo) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
	case SIGSYS:
		return stop->info.si_code > 0; /* the kernel says so, not a sender */
	default:
		return false;
	}
}

static bool same_info(const siginfo_t *a, const siginfo_t *b)
{
	siginfo_t still = *a;

	/* how often a timer went off meanwhile is put in when its signal leaves the queue */
	if (a->si_code == SI_TIMER && b->si_code == SI_TIMER) {
		still.si_overrun = b->si_overrun;
		a = &still;
	}
	/* both are copies of the kernel's 128 bytes: bytes are what there is to compare */
	return !memcmp((const uint8_t *)a, (const uint8_t *)b, sizeof(*a));
}

/* it waited already when the process left: stub_tell_pending() */
static bool was_told(struct stub *s, pid_t tid, const siginfo_t *info)
{
	for (size_t i = 0; i < s->n_told; i++) {
		struct pending *p = &s->told[i];

		if ((p->tid && p->tid != tid) || !same_info(&p->info, info))
			continue;
		memmove(p, p + 1, (--s->n_told - i) * sizeof(*p));
		return true;
	}
	return false;
}

static void on_signal(struct stub *s, struct stub_thread *t, const struct tracee_stop *stop)
{
	bool told;

	if (s->letting == stop->signo) {
		s->letting = 0;
		go_on(t, stop->signo);
		return;
	}
	/* a fault that the program itself made just before it left is told like any other signal */
	told = was_told(s, t->tid, &stop->info);
	if (!told && is_broken(stop)) {
		(void)kill(s->pid, SIGKILL); /* told by its end */
		return;
	}
	interrupted(t);
	if (!told && !cpu_timers_is_late(&s->before, &stop->info))
		s->ops->signal(s->owner, for_thread(stop, s->pid) ? t->tid : 0, &stop->info);
	go_on(t, 0);
}

static void on_gone(struct stub *s, pid_t tid, int status)
{
	struct stub_thread *t = stub_thread_find(s, tid);

	if (tid == s->pid) {
		s->ops->died(s->owner, status);
		return;
	}
	if (t)
		stub_thread_remove(t);
}

static void on_stop(struct stub *s, const struct tracee_stop *stop)
{
	struct stub_thread *t = stub_thread_find(s, stop->tid);

	if (stop->kind == TRACEE_GONE) {
		on_gone(s, stop->tid, (int)stop->value);
		return;
	}
	if (!t) { /* the first stop of a new thread may come before its creator's */
		name_thread(s, stop->tid);
		t = stub_thread_find(s, stop->tid);
		if (!t)
			return; /* nobody's: a thread whose creation was given up */
	}
	switch (stop->kind) {
	case TRACEE_SIGNAL:
		on_signal(s, t, stop);
		return;
	case TRACEE_GROUP:
		if (tracee_listen(t->tid) < 0)
			go_on(t, 0);
		return;
	case TRACEE_CLONE:
		name_thread(s, (pid_t)stop->value);
		go_on(t, 0);
		return;
	case TRACEE_INTERRUPT:
		interrupted(t);
		go_on(t, 0);
		return;
	default:
		go_on(t, 0);
	}
}

void stub_reap(struct stub *s)
{
	struct tracee_stop stop;

	while (s->pid && s->running && tracee_wait(-1, false, &stop) == 1)
		on_stop(s, &stop);
}

void stub_deliver(struct stub *s, int signo)
{
	s->letting = signo;
	if (kill(s->pid, signo) < 0)
		s->letting = 0; /* gone: told by its stop */
}

/* --------------------------------------------------------------------- end */

static int die_natively(struct stub *s, int signo)
{
	const struct image_action fatal = { 0 };
	const struct rlimit no_core = { 0, 0 };
	uint64_t at;
	int r;

	batch_clear(&s->batch);
	/* what would be dumped is not the program's memory */
	r = batch_data(&s->batch, &no_core, sizeof(no_core), &at);
	if (!r)
		r = batch_add(&s->batch, SYS_setrlimit, RLIMIT_CORE, at, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_data(&s->batch, &fatal, sizeof(fatal), &at);
	if (!r && signo != SIGKILL && signo != SIGSTOP)
		r = batch_add(&s->batch, SYS_rt_sigaction, (uint64_t)signo, at, 0, 8, 0, 0);
	if (r >= 0)
		r = batch_run(&s->batch, s->pid, NULL);
	batch_clear(&s->batch);
	if (r >= 0 && kill(s->pid, signo) < 0)
		r = -errno;
	return r < 0 ? r : 0;
}

/* only the leader runs on; the others never do, and end with it */
static void end_threads(struct stub *s)
{
	told_later(tracee_detach(s->pid, 0));
	for (size_t i = 0; i < s->n; i++) {
		struct tracee_stop stop;
		pid_t tid = s->threads[i]->tid;

		while (tid && tid != s->pid && tracee_wait(tid, true, &stop) == 1 &&
		       stop.kind != TRACEE_GONE)
			;
	}
}

void stub_exit(struct stub *s, int wait_status)
{
	struct user_regs_struct regs;
	int r = stub_halt(s, NULL);

	if (!r && WIFSIGNALED(wait_status)) {
		r = die_natively(s, WTERMSIG(wait_status));
	} else if (!r) {
		r = tracee_get_regs(s->pid, &regs);
		regs.rip = s->insn;
		regs.rax = SYS_exit_group;
		regs.rdi = (uint64_t)WEXITSTATUS(wait_status);
		regs.orig_rax = (uint64_t)-1;
		if (!r)
			r = tracee_set_regs(s->pid, &regs);
	}
	if (r < 0)
		(void)kill(s->pid, SIGKILL);
	end_threads(s);
	s->pid = 0;
	stub_done(s);
}
