/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_calls.c - trapped calls go home, answers come back */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "base/restarts.h"
#include "forward/call.h"
#include "forward/table/idle.h"
#include "forward/table/quick.h"
#include "forward/table/table.h"
#include "migrate/guest.h"
#include "migrate/told.h"

#define STEP_LATE (MARSHAL_CUT + 1) /* a step that has to wait for late pages */

struct call_header {
	uint32_t tid, flags;
};

/*
 * The kernel makes a call again (ERESTARTSYS and the like) only on its way past a signal or a stop;
 * else the program would see that number. The signal that it is for may be another thread's by
 * now, so there is a stop in any case.
 */
void guest_reply(struct guest_thread *t, int64_t result)
{
	struct seccomp_notif_resp resp = { .id = t->id };

	if (result == -ERESTARTNOINTR && table_is_idle(t->nr))
		result = -ERESTARTNOHAND;
	resp.val = result < 0 && result >= -4095 ? 0 : result;
	resp.error = result < 0 && result >= -4095 ? (int32_t)result : 0;
	if (marshal_interrupted(result))
		told_later(tracee_interrupt(t->tid));
	t->in_notify = false;
	t->state = THREAD_RUNNING;
	if (!marshal_interrupted(result) || result == -EINTR) {
		t->done = 0;
		t->begun = false; /* it is over: the next one of the same kind is not its rest */
	}
	/* ENOENT: it was killed meanwhile, which is told by its end */
	(void)ioctl(t->guest->notify, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static void send_now(struct guest_thread *t)
{
	const struct call_header h = { .tid = (uint32_t)t->tid };

	guest_send(t->guest, MOVE_CALL, &h, sizeof(h), buf_bytes(&t->request), t->request.len);
	buf_reset(&t->request);
}

/* with room left for what cannot wait */
static bool may_send(const struct guest_thread *t)
{
	return channel_room(t->guest->channel, MOVE_PAYLOAD_MAX) && !guest_behind_blocks(t);
}

static void send_request(struct guest_thread *t)
{
	if (t->state == THREAD_RUNNING)
		t->state = THREAD_CALLING;
	t->cancelled = false;
	if (may_send(t))
		send_now(t);
	/* else it waits in t->request: guest_send_waiting() */
}

static void send_cancel(const struct guest_thread *t)
{
	const uint32_t payload = (uint32_t)t->tid;

	guest_send(t->guest, MOVE_CANCEL, &payload, sizeof(payload), NULL, 0);
}

void guest_send_waiting(struct guest *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct guest_thread *t = g->threads[i];

		if (!t->request.len || !may_send(t))
			continue;
		send_now(t);
		if (t->cancelled)
			send_cancel(t);
	}
}

void guest_cancel(struct guest_thread *t)
{
	if (t->cancelled)
		return;
	t->cancelled = true;
	if (!t->request.len)
		send_cancel(t); /* else behind its call: guest_send_waiting() */
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
		guest_reply(t, -ERESTARTNOINTR); /* on the way already */
}

static void follow(struct guest_thread *t, int step, int64_t result);
static void make_again(struct guest_thread *t);

/*
 * A part of it is done, and a stop of the stub has ended it. A signal of the program's own ends it so
 * at home as well; on the way home the rest is made there; else the stop was for nothing.
 */
static void cut(struct guest_thread *t, int64_t part)
{
	if (guest_is_deliverable(t)) {
		guest_reply(t, part);
	} else if (t->guest->state == GUEST_RUNNING) {
		make_again(t);
	} else {
		t->done = (uint64_t)part;
		guest_reply(t, -ERESTARTSYS);
	}
}

static void follow(struct guest_thread *t, int step, int64_t result)
{
	if (step == MARSHAL_RESULT && guest_behind_again(t, result)) {
		guest_forward(t);
		return;
	}
	if (step == MARSHAL_RESULT)
		result = guest_behind_result(t, result);
	switch (step) {
	case STEP_LATE:
		return;
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

/* --------------------------------------------------------------- late pages */

static void begin(struct guest_thread *t);
static void take_again(struct guest_thread *t);

/* some memory that the step wanted is late: what came of it is nothing; fn takes it again */
static int later(struct guest_thread *t, int step, void (*fn)(struct guest_thread *t))
{
	if (!t->late_end)
		return step;
	buf_reset(&t->request);
	t->state = THREAD_CALLING;
	guest_wait_late(t, t->late_at, t->late_end - t->late_at, fn);
	return STEP_LATE;
}

static void begin_again(struct guest_thread *t)
{
	if (t->guest->state != GUEST_RUNNING) {
		guest_reply(t, -ERESTARTNOINTR); /* it was interrupted, and has done nothing */
		return;
	}
	if (t->signalled && guest_is_deliverable(t)) {
		t->signalled = false;
		guest_reply(t, -ERESTARTNOINTR);
		return;
	}
	begin(t);
}

static void make_again(struct guest_thread *t)
{
	int64_t result = 0;
	int step;

	t->late_end = 0;
	step = marshal_again(t->marshal, guest_now_ns(), &t->request, &result);
	follow(t, later(t, step, make_again), result);
}

/* marshal_answer(), which may have to be done again */
static int take_step(struct guest_thread *t, const uint8_t *p, size_t n, int64_t *result)
{
	struct marshal_saved *saved = NULL;
	struct buf answer;
	int step;

	t->late_end = 0;
	if (!t->guest->lacks.on)
		return marshal_answer(t->marshal, p, n, guest_now_ns(), &t->request, result);
	saved = marshal_save(t->marshal);
	if (!saved)
		return -ENOMEM;
	step = marshal_answer(t->marshal, p, n, guest_now_ns(), &t->request, result);
	if (t->late_end) {
		marshal_restore(t->marshal, saved);
		buf_init(&answer, MOVE_PAYLOAD_MAX);
		if (buf_put(&answer, p, n) < 0) {
			step = -ENOMEM;
			t->late_end = 0;
		}
		buf_done(&t->late_answer); /* p may be in it */
		t->late_answer = answer;
	}
	marshal_forget(saved);
	return later(t, step, take_again);
}

/* --------------------------------------------------------------- trapped */

void guest_forward(struct guest_thread *t)
{
	int64_t result = 0;
	int step;

	t->late_end = 0;
	t->begun = true;
	t->beyond = false;
	step = -EINVAL;
	if (t->again)
		step = marshal_repeat(t->marshal, t->nr, t->args, guest_now_ns(), &t->request,
				      &result);
	if (step == -EINVAL)
		step = marshal_resume(t->marshal, t->nr, t->args, t->done, guest_now_ns(),
				      &t->request, &result);
	step = later(t, step, begin_again);
	if (t->beyond && step != STEP_LATE && !t->done && !t->again) {
		buf_reset(&t->request);
		step = MARSHAL_RETURN; /* at home it is seen whether the file has grown */
	}
	t->again &= step == STEP_LATE;
	if (step == MARSHAL_SEND && guest_views_open(t))
		return;
	follow(t, step, result);
}

static void begin(struct guest_thread *t)
{
	struct table_verdict v = table_judge(t->nr, t->args);

	t->answer = NULL;
	t->late_end = 0;
	/* while memory is late nothing is read ahead or written behind: both touch it at once */
	if ((!t->guest->lacks.on || t->guest->lacks.done) &&
	    (guest_stream_call(t) || guest_behind_call(t)))
		return;
	if (v.class == TABLE_VIRTUAL && guest_virtual(t))
		return;
	if (v.class != TABLE_HOME && v.class != TABLE_VIRTUAL) {
		guest_homeward(t);
		return;
	}
	guest_forward(t);
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
		/* it was interrupted already: it stops, and has done nothing */
		guest_reply(t, -ERESTARTNOINTR);
		return;
	}
	if (t->signalled) {
		t->signalled = false;
		if (guest_is_deliverable(t)) { /* as if it had come just before the call */
			guest_reply(t, -ERESTARTNOINTR);
			return;
		}
	}
	if (n->data.arch != AUDIT_ARCH_X86_64)
		guest_homeward(t);
	else
		begin(t);
}

/*
 * Its only thread waits for home, so there is nothing else to do, as long as no pages are on their way;
 * what is not from home (its end, a timer) waits for a moment.
 */
static void await_answer(struct guest *g, pid_t tid)
{
	const struct guest_thread *t = g->n == 1 ? guest_thread(g, tid) : NULL;

	if (t && t->state == THREAD_CALLING && !t->request.len && !g->lacks.on && !g->copying &&
	    table_is_quick(t->nr))
		channel_await(g->channel);
}

void guest_on_notify(void *owner, uint32_t events)
{
	struct guest *g = owner;

	struct seccomp_notif n = { 0 };

	(void)events;
	/* one: RECV waits when there is none, and the loop is as quick to ask as we are */
	if (ioctl(g->notify, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
		return; /* ENOENT: it was killed since */
	on_call(g, &n);
	await_answer(g, (pid_t)n.pid);
}

/* ---------------------------------------------------------------- answers */

/* on the way home: as the same call says it natively, so that a signal still ends it or does not */
static int64_t made_again(const uint8_t *p)
{
	struct call_answer a;

	memcpy(&a, p, sizeof(a)); /* guest_take_answer(): it has one */
	return a.result == -ERESTARTSYS || a.result == -ERESTARTNOINTR ? a.result : -ERESTARTNOHAND;
}

/*
 * The call was interrupted at home. If there is a signal for this thread the kernel here decides
 * what becomes of the call; on the way home it is made again there; else it was for nothing.
 */
static void interrupted(struct guest_thread *t, const uint8_t *p, size_t n)
{
	int64_t result = 0;
	int step;

	if (t->guest->state == GUEST_RUNNING && !guest_is_deliverable(t)) {
		make_again(t);
		return;
	}
	step = take_step(t, p, n, &result);
	if (step == MARSHAL_RESULT && t->guest->state != GUEST_RUNNING &&
	    marshal_interrupted(result))
		result = made_again(p); /* guest_leave.c has the rest of its time */
	follow(t, step, result);
}

/* not made, for it shows that the process is away; what earlier parts of it did stays done */
static void come_home(struct guest_thread *t)
{
	const struct call_answer none = { .result = -ERESTARTSYS };
	int64_t result = 0;
	int step = marshal_answer(t->marshal, &none, sizeof(none), guest_now_ns(), &t->request,
				  &result);

	if (step == MARSHAL_RESULT && marshal_interrupted(result))
		guest_homeward(t);
	else
		follow(t, step, result);
}

void guest_answer(struct guest_thread *t, const uint8_t *p, size_t n)
{
	struct call_answer a;
	int64_t result = 0;
	int step;

	memcpy(&a, p, sizeof(a)); /* guest_take_answer(): it has one */
	if (a.result == CALL_COME_HOME) {
		come_home(t);
	} else if (marshal_stopped(t->marshal, &a)) {
		interrupted(t, p, n);
	} else {
		step = take_step(t, p, n, &result);
		follow(t, step, result);
	}
}

static void take_again(struct guest_thread *t)
{
	guest_answer(t, buf_bytes(&t->late_answer), t->late_answer.len);
}

int guest_take_answer(struct guest *g, const struct move_frame *f, struct err *e)
{
	uint8_t amended[GUEST_TIMES_MAX];
	struct call_header h;
	struct guest_thread *t;
	const uint8_t *p = f->payload + sizeof(h);
	size_t n = f->len - sizeof(h);

	memcpy(&h, f->payload, sizeof(h)); /* wire/move.h: the fixed part is there */
	if (n < sizeof(struct call_answer))
		return err_set(e, -EPROTO, "an answer without a result");
	if (h.flags)
		return guest_behind_answer(g, p, n, e);
	if (g->state > GUEST_FREEZING)
		return err_set(e, -EPROTO, "an answer to a guest that asks nothing any more");
	t = guest_thread(g, (pid_t)h.tid);
	if (!t)
		return 0; /* it has ended meanwhile */
	if (t->request.len || t->late_go_on ||
	    (t->state != THREAD_CALLING && t->state != THREAD_MAPPING))
		return err_set(e, -EPROTO, "an answer to a thread that asked nothing");
	if (t->answer) {
		guest_answer_fn *fn = t->answer;

		t->answer = NULL;
		fn(t, p, n);
		return 0;
	}
	if (!guest_views_hide(t, p, n))
		guest_answer(t, guest_times_add(t, p, n, amended), n);
	return 0;
}
