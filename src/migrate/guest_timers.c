/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_timers.c - timers of CPU time (timer_create(2)) of a process that computes here
 *
 * Theory of operation. Home has the timer and its number, and it stands still there (cpu_timers.h). How far
 * it is, is kept here: at which time of its clock, as the kernel here counts it, it goes off. While one
 * is armed the clocks are looked at, as often as one could go off, but not more often than a kernel with its
 * ticks would; while the process does not compute, less and less often. What it says goes the way of
 * all signals (guest_queue_signal()), with the number that it has at home.
 *
 * timer_create and timer_delete are made at home, all else is answered here. A time to go off at
 * (TIMER_ABSTIME) is one of the clock as the program sees it: home is asked for its part.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "forward/call.h"
#include "migrate/guest.h"

#define SECOND_NS    1000000000ULL
#define MS_NS	     1000000ULL
#define LOOK_MS	     2	/* the shortest wait between two looks */
#define IDLE_MS	     32 /* the longest while nothing is computed */
#define MOST_MS	     1000
#define CPU_CLOCK    2 /* guest_times.c has these bits */
#define THREAD_CLOCK 4

static struct image_timer *find(struct guest *g, uint64_t id)
{
	struct guest_cpu_timers *c = &g->cpu_timers;

	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].id == (uint32_t)id)
			return &c->list[i];
	return NULL;
}

/* ----------------------------------------------------------------- watching */

static void on_look(void *owner);

static void look_in(struct guest *g, uint64_t ms)
{
	struct guest_cpu_timers *c = &g->cpu_timers;

	loop_remove(g->loop, &c->ref);
	if (loop_add_timer(g->loop, loop_now(g->loop) + ms, on_look, g, &c->ref) < 0)
		guest_fail(g, -ENOMEM, "no memory for a timer");
}

/* until the first of them may go off, if all threads compute; 0: none is armed */
static uint64_t until_next_ms(const struct guest *g)
{
	const struct guest_cpu_timers *c = &g->cpu_timers;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < c->n; i++) {
		uint64_t now, left;

		if (!c->list[i].left_ns || c->list[i].notify == SIGEV_NONE)
			continue;
		now = guest_cpu_ns(g, (pid_t)c->list[i].tid);
		left = c->list[i].left_ns > now ? c->list[i].left_ns - now : 0;
		if (!c->list[i].tid && g->n)
			left /= g->n;
		least = left < least ? left : least;
	}
	if (least == UINT64_MAX)
		return 0;
	least /= MS_NS;
	return least < LOOK_MS ? LOOK_MS : least > MOST_MS ? MOST_MS : least;
}

static void plan(struct guest *g)
{
	struct guest_cpu_timers *c = &g->cpu_timers;
	uint64_t ms = until_next_ms(g), used = guest_cpu_ns(g, 0);

	if (used - c->seen_ns > (uint64_t)c->wait_ms * MS_NS / 2 || !c->wait_ms)
		c->wait_ms = LOOK_MS;
	else if (c->wait_ms < IDLE_MS)
		c->wait_ms *= 2;
	c->seen_ns = used;
	if (ms)
		look_in(g, ms > c->wait_ms ? ms : c->wait_ms);
}

/* Return: how often it would have gone off besides */
static uint64_t move_on(struct image_timer *t, uint64_t now)
{
	uint64_t missed;

	if (!t->interval_ns) {
		t->left_ns = 0;
		return 0;
	}
	missed = (now - t->left_ns) / t->interval_ns;
	t->left_ns += (missed + 1) * t->interval_ns;
	return missed;
}

static void go_off(struct guest *g, struct image_timer *t, uint64_t now)
{
	siginfo_t info = { 0 };

	info.si_signo = (int)t->signo;
	info.si_code = SI_TIMER;
	info.si_timerid = (int)t->id;
	info.si_overrun = (int)move_on(t, now);
	info.si_value.sival_ptr = (void *)t->value;
	if (guest_queue_signal(g, (pid_t)t->signal_tid, &info) < 0)
		guest_fail(g, -ENOMEM, "no memory for a signal");
}

static void look(struct guest *g)
{
	struct guest_cpu_timers *c = &g->cpu_timers;

	for (size_t i = 0; i < c->n; i++) {
		struct image_timer *t = &c->list[i];
		uint64_t now = t->left_ns ? guest_cpu_ns(g, (pid_t)t->tid) : 0;

		if (!t->left_ns || now < t->left_ns)
			continue;
		if (t->notify == SIGEV_NONE)
			(void)move_on(t, now); /* it tells nobody */
		else
			go_off(g, t, now);
	}
}

static void on_look(void *owner)
{
	struct guest *g = owner;

	g->cpu_timers.ref = (struct ev_ref){ 0 };
	if (g->state != GUEST_RUNNING)
		return; /* again when it runs on: guest_timers_start() */
	look(g);
	plan(g);
}

void guest_timers_start(struct guest *g)
{
	struct guest_cpu_timers *c = &g->cpu_timers;

	c->n = g->image.n_timers;
	memcpy(c->list, g->image.timers, sizeof(c->list));
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].left_ns)
			c->list[i].left_ns += guest_cpu_ns(g, (pid_t)c->list[i].tid);
	c->wait_ms = 0;
	plan(g);
}

void guest_timers_leave(struct guest *g)
{
	struct guest_cpu_timers *c = &g->cpu_timers;

	g->image.n_timers = c->n;
	memcpy(g->image.timers, c->list, sizeof(c->list));
	for (size_t i = 0; i < c->n; i++) {
		struct image_timer *t = &g->image.timers[i];
		uint64_t now = t->left_ns ? guest_cpu_ns(g, (pid_t)t->tid) : 0;

		if (t->left_ns)
			t->left_ns = t->left_ns > now ? t->left_ns - now : 1;
	}
}

void guest_timers_done(struct guest *g)
{
	loop_remove(g->loop, &g->cpu_timers.ref);
}

/* -------------------------------------------------------------------- calls */

static uint64_t ns_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * SECOND_NS + (uint64_t)t->tv_nsec;
}

static struct timespec time_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / SECOND_NS), (long)(ns % SECOND_NS) };
}

static bool is_time(const struct timespec *t)
{
	return t->tv_sec >= 0 && t->tv_sec <= INT64_MAX / (int64_t)SECOND_NS - 1 &&
	       t->tv_nsec >= 0 && t->tv_nsec < (long)SECOND_NS;
}

static struct itimerspec state_of(const struct guest *g, const struct image_timer *t)
{
	uint64_t now = t->left_ns ? guest_cpu_ns(g, (pid_t)t->tid) : 0;
	/* due, and not looked at yet: it has a moment left */
	uint64_t left = !t->left_ns ? 0 : t->left_ns > now ? t->left_ns - now : 1;

	return (struct itimerspec){ time_of(t->interval_ns), time_of(left) };
}

/* @home_ns: what home's part of its clock is; 0 when the time is relative */
static void arm(struct guest_thread *t, const struct itimerspec *to, uint64_t home_ns, bool at)
{
	struct image_timer *timer = find(t->guest, t->args[0]);
	uint64_t now = guest_cpu_ns(t->guest, (pid_t)timer->tid), value = ns_of(&to->it_value);
	struct itimerspec was = state_of(t->guest, timer);

	timer->interval_ns = ns_of(&to->it_interval);
	timer->left_ns = !value ? 0 : !at ? now + value : value > home_ns ? value - home_ns : 1;
	if (t->args[3] && guest_write(t, t->args[3], &was, sizeof(was)) < 0)
		guest_reply(t, -EFAULT);
	else
		guest_reply(t, 0);
	t->guest->cpu_timers.wait_ms = 0;
	look(t->guest);
	plan(t->guest);
}

static void on_home_clock(struct guest_thread *t, const uint8_t *p, size_t n)
{
	struct timespec home = { 0 };
	struct itimerspec to;

	if (n == sizeof(struct call_answer) + sizeof(home))
		memcpy(&home, p + sizeof(struct call_answer), sizeof(home));
	if (!find(t->guest, t->args[0]))
		guest_reply(t, -EINVAL); /* another thread has deleted it */
	else if (guest_read(t, t->args[2], &to, sizeof(to)) < 0)
		guest_reply(t, -EFAULT);
	else
		arm(t, &to, ns_of(&home), true);
}

static void ask_home_clock(struct guest_thread *t, const struct image_timer *timer)
{
	static const struct call_fixup fix = { .at = CALL_FIX_ARG | 1, .place = 0 };
	clockid_t clock = timer->tid ? (clockid_t)(~timer->tid << 3 | THREAD_CLOCK | CPU_CLOCK)
				     : CLOCK_PROCESS_CPUTIME_ID;
	const struct call_request q = { .nr = SYS_clock_gettime,
					.n_fixups = 1,
					.args = { (uint64_t)(int64_t)clock },
					.out_len = sizeof(struct timespec),
					.out_fixed = sizeof(struct timespec) };

	guest_ask(t, &q, &fix, NULL, on_home_clock);
}

static void set_time(struct guest_thread *t, struct image_timer *timer)
{
	struct itimerspec to;

	if (t->args[2] && guest_read(t, t->args[2], &to, sizeof(to)) < 0)
		guest_reply(t, -EFAULT);
	else if (!t->args[2] || !is_time(&to.it_value) || !is_time(&to.it_interval))
		guest_reply(t, -EINVAL);
	else if (t->args[1] & TIMER_ABSTIME && ns_of(&to.it_value))
		ask_home_clock(t, timer);
	else
		arm(t, &to, 0, false);
}

static void get_time(struct guest_thread *t, const struct image_timer *timer)
{
	struct itimerspec now;

	look(t->guest); /* one that tells nobody moves on now */
	now = state_of(t->guest, timer);
	guest_reply(t, guest_write(t, t->args[1], &now, sizeof(now)) < 0 ? -EFAULT : 0);
}

/* ----------------------------------------------------------------- creation */

/* the thread whose time it counts; 0: the process. Return: false: the clock is nobody's here */
static bool whose(const struct guest_thread *t, uint32_t *ret)
{
	clockid_t clock = (clockid_t)t->args[0];
	pid_t pid = ~(clock >> 3);

	*ret = clock == CLOCK_THREAD_CPUTIME_ID || (clock < 0 && clock & THREAD_CLOCK)
		       ? (uint32_t)t->tid
		       : 0;
	if (clock >= 0)
		return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
	if ((clock & 3) > CPU_CLOCK)
		return false;
	if (pid && clock & THREAD_CLOCK)
		*ret = (uint32_t)pid;
	return !pid || guest_thread(t->guest, pid);
}

static int read_event(const struct guest_thread *t, struct sigevent *ret)
{
	*ret = (struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	return t->args[1] ? guest_read(t, t->args[1], ret, sizeof(*ret)) : 0;
}

static void on_created(struct guest_thread *t, const uint8_t *p, size_t n)
{
	struct guest_cpu_timers *c = &t->guest->cpu_timers;
	struct sigevent event;
	struct call_answer a;
	int32_t id;

	memcpy(&a, p, sizeof(a)); /* an answer has one */
	if (a.result < 0 || n != sizeof(a) + sizeof(id) || read_event(t, &event) < 0 ||
	    c->n == IMAGE_TIMERS_MAX) {
		guest_reply(t, a.result < 0 ? a.result : -EFAULT);
		return;
	}
	memcpy(&id, p + sizeof(a), sizeof(id));
	if (guest_write(t, t->args[2], &id, sizeof(id)) < 0) {
		guest_reply(t, -EFAULT);
		return;
	}
	c->list[c->n] = (struct image_timer){
		.id = (uint32_t)id,
		.notify = (uint32_t)event.sigev_notify,
		.signo = (uint32_t)event.sigev_signo,
		.value = t->args[1] ? (uint64_t)event.sigev_value.sival_ptr : (uint64_t)id,
	};
	if (event.sigev_notify & SIGEV_THREAD_ID)
		c->list[c->n].signal_tid = (uint32_t)event._sigev_un._tid;
	(void)whose(t, &c->list[c->n].tid); /* it was looked at before */
	c->n++;
	guest_reply(t, 0);
}

static void create(struct guest_thread *t)
{
	struct call_fixup fix[2] = { { CALL_FIX_ARG | 2, 0 }, { CALL_FIX_ARG | 1, 0 } };
	struct call_request q = { .nr = SYS_timer_create,
				  .n_fixups = 1,
				  .args = { t->args[0] },
				  .out_len = sizeof(int32_t),
				  .out_fixed = sizeof(int32_t) };
	struct sigevent event;
	uint32_t tid;

	if (!whose(t, &tid)) {
		guest_forward(t); /* another process's, which is at home */
		return;
	}
	if (t->guest->cpu_timers.n == IMAGE_TIMERS_MAX) {
		guest_homeward(t);
		return;
	}
	if (read_event(t, &event) < 0) {
		guest_reply(t, -EFAULT);
		return;
	}
	if (t->args[1]) {
		q.n_fixups = 2;
		q.in_len = q.out_at = fix[0].place = sizeof(event);
	}
	guest_ask(t, &q, fix, &event, on_created);
}

static void delete (struct guest_thread *t, struct image_timer *timer)
{
	struct guest_cpu_timers *c = &t->guest->cpu_timers;

	*timer = c->list[--c->n];
	guest_forward(t);
}

void guest_timer_call(struct guest_thread *t)
{
	struct image_timer *timer = find(t->guest, t->args[0]);

	if (t->nr == SYS_timer_create)
		create(t);
	else if (!timer)
		guest_forward(t); /* of another clock: it is at home */
	else if (t->nr == SYS_timer_settime)
		set_time(t, timer);
	else if (t->nr == SYS_timer_gettime)
		get_time(t, timer);
	else
		delete (t, timer);
}
