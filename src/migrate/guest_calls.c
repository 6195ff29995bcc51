/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_calls.c - trapped calls go home, answers come back */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "forward/call.h"
#include "forward/table/table.h"
#include "migrate/guest.h"

#define NOTIFY_A_TURN  32     /* taken before answers get their turn */
#define RESTART	       (-512) /* ERESTARTSYS of the kernel */
#define RESTART_ALWAYS (-513) /* ERESTARTNOINTR */

struct call_header {
	uint32_t tid, zero;
};

void guest_reply(struct guest_thread *t, int64_t result)
{
	struct seccomp_notif_resp resp = {
		.id = t->id,
		.val = result < 0 && result >= -4095 ? 0 : result,
		.error = result < 0 && result >= -4095 ? (int32_t)result : 0,
	};

	t->in_notify = false;
	t->state = THREAD_RUNNING;
	if (result != RESTART && result != RESTART_ALWAYS)
		t->done = 0;
	/* ENOENT: it was killed meanwhile, which is told by its end */
	(void)ioctl(t->guest->notify, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static void send_now(struct guest_thread *t)
{
	const struct call_header h = { .tid = (uint32_t)t->tid };

	guest_send(t->guest, MOVE_CALL, &h, sizeof(h), buf_bytes(&t->request), t->request.len);
	buf_reset(&t->request);
}

static void send_request(struct guest_thread *t)
{
	if (t->state == THREAD_RUNNING)
		t->state = THREAD_CALLING;
	t->cancelled = false;
	if (channel_room(t->guest->channel, sizeof(struct call_header) + t->request.len))
		send_now(t);
	/* else it waits in t->request: guest_send_waiting() */
}

void guest_send_waiting(struct guest *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct guest_thread *t = g->threads[i];

		if (t->request.len &&
		    channel_room(g->channel, sizeof(struct call_header) + t->request.len))
			send_now(t);
	}
}

void guest_request(struct guest_thread *t, const struct buf *request, guest_answer_fn *fn)
{
	buf_reset(&t->request);
	if (buf_put(&t->request, buf_bytes(request), request->len) < 0) {
		guest_fail(t->guest, -ENOMEM, "no memory for a request");
		return;
	}
	t->answer = fn;
	send_request(t);
}

void guest_homeward(struct guest_thread *t)
{
	const uint32_t why[2] = { t->nr, (uint32_t)t->tid };

	t->state = THREAD_HOMEWARD;
	if (t->guest->state == GUEST_RUNNING)
		guest_send(t->guest, MOVE_HOMEWARD, why, sizeof(why), NULL, 0);
	else
		guest_reply(t, RESTART); /* on the way already */
}

static void follow(struct guest_thread *t, int step, int64_t result);

/*
 * A part of it is done, and a stop of the stub has ended it. A signal of the program's own ends it so
 * at home as well; on the way home the rest is made there; else the stop was for nothing.
 */
static void cut(struct guest_thread *t, int64_t part)
{
	int64_t result = 0;
	int step;

	if (guest_is_deliverable(t)) {
		guest_reply(t, part);
	} else if (t->guest->state == GUEST_RUNNING) {
		step = marshal_again(t->marshal, guest_now_ns(), &t->request, &result);
		follow(t, step, result);
	} else {
		t->done = (uint64_t)part;
		guest_reply(t, RESTART);
	}
}

static void follow(struct guest_thread *t, int step, int64_t result)
{
	switch (step) {
	case MARSHAL_CUT:
		cut(t, result);
		return;
	case MARSHAL_SEND:
		send_request(t);
		return;
	case MARSHAL_RESULT:
		guest_reply(t, result);
		return;
	case MARSHAL_RETURN:
		guest_homeward(t);
		return;
	default:
		guest_fail(t->guest, step, "home has given an answer that cannot be");
	}
}

/* --------------------------------------------------------------- trapped */

static void begin(struct guest_thread *t)
{
	struct table_verdict v = table_judge(t->nr, t->args);
	int64_t result = 0;
	int step;

	t->answer = NULL;
	if (v.class == TABLE_VIRTUAL && guest_virtual(t))
		return;
	if (v.class != TABLE_HOME && v.class != TABLE_VIRTUAL) {
		guest_homeward(t);
		return;
	}
	t->begun = true;
	step = marshal_resume(t->marshal, t->nr, t->args, t->done, guest_now_ns(), &t->request,
			      &result);
	follow(t, step, result);
}

static void on_call(struct guest *g, const struct seccomp_notif *n)
{
	struct guest_thread *t = guest_thread(g, (pid_t)n->pid);

	if (!t)
		return; /* it was killed before we were told of its birth */
	t->in_notify = true;
	t->begun = false;
	t->id = n->id;
	t->nr = (uint32_t)n->data.nr;
	for (size_t i = 0; i < ARRAY_LEN(t->args); i++)
		t->args[i] = n->data.args[i];
	if (g->state != GUEST_RUNNING) {
		guest_reply(
			t,
			RESTART); /* it was interrupted already: it stops, and has done nothing */
		return;
	}
	if (t->signalled) {
		t->signalled = false;
		if (guest_is_deliverable(t)) { /* first the signal, then the call */
			guest_reply(t, RESTART_ALWAYS);
			return;
		}
	}
	if (n->data.arch != AUDIT_ARCH_X86_64)
		guest_homeward(t);
	else
		begin(t);
}

void guest_on_notify(void *owner, uint32_t events)
{
	struct guest *g = owner;

	(void)events;
	for (int i = 0; i < NOTIFY_A_TURN; i++) {
		struct pollfd p = { .fd = g->notify, .events = POLLIN };
		struct seccomp_notif n = { 0 };

		/* RECV waits when there is none */
		if (i && poll(&p, 1, 0) != 1)
			return;
		if (ioctl(g->notify, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
			return; /* ENOENT: it was killed since */
		on_call(g, &n);
	}
}

/* ---------------------------------------------------------------- answers */

/*
 * The call was interrupted at home. If there is a signal for this thread the kernel here decides
 * what becomes of the call; on the way home it is made again there; else it was for nothing.
 */
static void interrupted(struct guest_thread *t, const uint8_t *p, size_t n)
{
	int64_t result = 0;
	int step;

	if (t->guest->state == GUEST_RUNNING && !guest_is_deliverable(t)) {
		step = marshal_again(t->marshal, guest_now_ns(), &t->request, &result);
		follow(t, step, result);
		return;
	}
	step = marshal_answer(t->marshal, p, n, guest_now_ns(), &t->request, &result);
	if (step == MARSHAL_RESULT && t->guest->state != GUEST_RUNNING &&
	    marshal_interrupted(result))
		result = RESTART; /* guest_leave.c has the rest of its time */
	follow(t, step, result);
}

int guest_take_answer(struct guest *g, const struct move_frame *f, struct err *e)
{
	struct call_header h;
	struct call_answer a;
	struct guest_thread *t;
	const uint8_t *p = f->payload + sizeof(h);
	size_t n = f->len - sizeof(h);
	int64_t result = 0;
	int step;

	memcpy(&h, f->payload, sizeof(h)); /* wire/move.h: the fixed part is there */
	if (n < sizeof(a))
		return err_set(e, -EPROTO, "an answer without a result");
	memcpy(&a, p, sizeof(a));
	t = guest_thread(g, (pid_t)h.tid);
	if (!t)
		return 0; /* it has ended meanwhile */
	if (t->request.len || (t->state != THREAD_CALLING && t->state != THREAD_MAPPING))
		return err_set(e, -EPROTO, "an answer to a thread that asked nothing");
	if (t->answer) {
		guest_answer_fn *fn = t->answer;

		t->answer = NULL;
		fn(t, p, n);
		return 0;
	}
	if (marshal_stopped(t->marshal, &a)) {
		interrupted(t, p, n);
		return 0;
	}
	step = marshal_answer(t->marshal, p, n, guest_now_ns(), &t->request, &result);
	follow(t, step, result);
	return 0;
}
