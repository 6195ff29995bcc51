/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_threads.c - threads stop, are born and end
 *
 * Theory of operation. A new thread has the id that home's kernel gives it: so home makes its half
 * first (CLONE, CLONED), while the caller is stopped before its clone(2). That is then made into a
 * clone3(2) with set_tid. Its arguments lie in our region; the registers that carried them are put
 * back in both threads before either of them runs.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "migrate/guest.h"
#include "migrate/region.h"
#include "migrate/told.h"

#define SCRATCH_BYTES 256 /* of a thread, for its clone3 */
#define THREAD_NEEDS  (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
/* with one of these a thread is not one that we can make */
#define THREAD_NEVER                                                                               \
	(CLONE_PIDFD | CLONE_VFORK | CLONE_PARENT | CLONE_UNTRACED | CLONE_NEWNS | CLONE_NEWUTS |  \
	 CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_IO)

/* an interrupt is lost when the thread stops for something else first (tracee/stop.c): once more */
static void go_on(struct guest_thread *t)
{
	if (t->guest->state == GUEST_FREEZING)
		told_later(tracee_interrupt(t->tid));
	told_later(tracee_cont(t->tid, 0));
}

/* ------------------------------------------------------------------- clone */

/* what clone(2) or clone3(2) was asked for; false: not readable, or too new */
static bool read_args(const struct guest_thread *t, struct clone_args *ret)
{
	const struct user_regs_struct *r = &t->regs;

	*ret = (struct clone_args){ 0 };
	if (r->orig_rax == SYS_clone) {
		ret->flags = r->rdi & ~(uint64_t)CSIGNAL;
		/* clone has the end of the stack, clone3 its start and size */
		ret->stack = r->rsi ? r->rsi - 16 : 0;
		ret->stack_size = r->rsi ? 16 : 0;
		ret->parent_tid = r->rdx;
		ret->child_tid = r->r10;
		ret->tls = r->r8;
		return true;
	}
	if (r->rsi < CLONE_ARGS_SIZE_VER0 || r->rsi > sizeof(*ret))
		return false;
	return guest_read(t, r->rdi, ret, r->rsi) == 0;
}

static bool is_thread(const struct clone_args *a)
{
	return (a->flags & THREAD_NEEDS) == THREAD_NEEDS && !(a->flags & THREAD_NEVER) &&
	       !a->set_tid_size && a->stack;
}

/* stopped before a call that cannot be made here: it is made at home */
void guest_turn_back(struct guest_thread *t)
{
	struct user_regs_struct regs = t->regs;
	const uint32_t why[2] = { (uint32_t)t->regs.orig_rax, (uint32_t)t->tid };

	regs.rip -= 2;
	regs.rax = regs.orig_rax;
	regs.orig_rax = (uint64_t)-1; /* the call is skipped now, and made again after */
	if (tracee_set_regs(t->tid, &regs) < 0)
		return;
	t->state = THREAD_FROZEN;
	if (t->guest->state == GUEST_RUNNING)
		guest_send(t->guest, MOVE_HOMEWARD, why, sizeof(why), NULL, 0);
	else
		guest_frozen(t->guest);
}

static void on_clone_call(struct guest_thread *t)
{
	const uint32_t payload = (uint32_t)t->tid;
	struct clone_args args;

	if (t->guest->state != GUEST_RUNNING || !read_args(t, &args) || !is_thread(&args)) {
		guest_turn_back(t);
		return;
	}
	t->state = THREAD_CLONING;
	guest_behind_flush(t->guest);
	guest_send(t->guest, MOVE_CLONE, &payload, sizeof(payload), NULL, 0);
}

static uint64_t scratch(const struct guest_thread *t)
{
	for (size_t i = 0; i < t->guest->n; i++)
		if (t->guest->threads[i] == t)
			return t->guest->image.parasite + i * SCRATCH_BYTES;
	return t->guest->image.parasite;
}

static int make_clone3(struct guest_thread *t, pid_t tid)
{
	struct user_regs_struct regs = t->regs;
	uint64_t at = scratch(t);
	struct clone_args args;
	int r;

	if (!read_args(t, &args))
		return -EFAULT;
	args.exit_signal = 0;
	args.set_tid = at + sizeof(args);
	args.set_tid_size = 1;
	regs.orig_rax = SYS_clone3;
	regs.rdi = at;
	regs.rsi = sizeof(args);
	r = tracee_write(t->guest->build.pid, at, &args, sizeof(args));
	if (!r)
		r = tracee_write(t->guest->build.pid, args.set_tid, &tid, sizeof(tid));
	return r < 0 ? r : tracee_set_regs(t->tid, &regs);
}

/* the call is skipped and fails with what home said */
static void refuse_clone(struct guest_thread *t, int64_t why)
{
	struct user_regs_struct regs = t->regs;

	regs.orig_rax = (uint64_t)-1;
	regs.rax = (uint64_t)why;
	t->state = THREAD_RUNNING;
	if (tracee_set_regs(t->tid, &regs) < 0)
		return;
	go_on(t);
}

int guest_take_cloned(struct guest *g, const struct move_frame *f, struct err *e)
{
	struct {
		uint32_t caller, tid;
		int32_t error;
	} p;
	struct guest_thread *t;

	memcpy(&p, f->payload, sizeof(p)); /* wire/move.h: it is that long */
	t = guest_thread(g, (pid_t)p.caller);
	if (!t)
		return 0;
	if (t->state != THREAD_CLONING || p.error > 0 || p.error < -4095)
		return err_set(e, -EPROTO, "a thread that nobody asked for");
	if (p.error) {
		refuse_clone(t, p.error);
		return 0;
	}
	if (make_clone3(t, (pid_t)p.tid) < 0) {
		guest_fail(g, -EFAULT, "the arguments of clone went away");
		return 0;
	}
	t->state = THREAD_BEARING;
	t->born = (pid_t)p.tid;
	told_later(tracee_syscall_cont(t->tid, 0));
	return 0;
}

/* who bears the thread with this id? */
static struct guest_thread *parent_of(struct guest *g, pid_t tid)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->threads[i]->state == THREAD_BEARING && g->threads[i]->born == tid)
			return g->threads[i];
	return NULL;
}

/* told by the parent's stop or by the thread's own, whichever comes first */
static void announce(struct guest *g, pid_t tid)
{
	struct guest_thread *parent = parent_of(g, tid), *t;

	t = parent ? guest_add_thread(g, tid) : NULL;
	if (!t) {
		guest_fail(g, -ENOMEM, "a thread was born that cannot be kept");
		return;
	}
	t->state = THREAD_BORN;
	t->regs.rdi = parent->regs.rdi;
	t->regs.rsi = parent->regs.rsi;
}

/* the new thread's first stop: it must not see the registers of our clone3 */
static void on_birth(struct guest_thread *t)
{
	struct user_regs_struct regs;

	if (tracee_get_regs(t->tid, &regs) < 0)
		return;
	regs.rdi = t->regs.rdi;
	regs.rsi = t->regs.rsi;
	if (tracee_set_regs(t->tid, &regs) < 0)
		return;
	t->state = THREAD_RUNNING;
	go_on(t);
}

/* the end of clone3 in the parent */
static void on_borne(struct guest_thread *t)
{
	struct user_regs_struct regs;

	if (tracee_get_regs(t->tid, &regs) < 0)
		return;
	regs.rdi = t->regs.rdi;
	regs.rsi = t->regs.rsi;
	if (tracee_set_regs(t->tid, &regs) < 0)
		return;
	t->state = THREAD_RUNNING;
	if ((int64_t)regs.rax < 0) { /* no thread here: then none at home */
		const uint32_t payload = (uint32_t)t->born;

		guest_send(t->guest, MOVE_GONE, &payload, sizeof(payload), NULL, 0);
	}
	t->born = 0;
	go_on(t);
}

/* ------------------------------------------------------------------- stops */

static void on_gone(struct guest *g, pid_t tid, uint32_t status)
{
	struct guest_thread *t = guest_thread(g, tid), *parent = parent_of(g, tid);
	const uint32_t payload = (uint32_t)tid;

	if (parent)
		parent->born = 0; /* it lived so briefly that its birth is still to be told */
	guest_behind_flush(g);
	if (tid == g->build.pid) {
		g->build.pid = 0;
		guest_send(g, MOVE_EXIT, &status, sizeof(status), NULL, 0);
		g->state = GUEST_LEFT;
		return;
	}
	if (!t)
		return;
	guest_remove_thread(t);
	guest_send(g, MOVE_GONE, &payload, sizeof(payload), NULL, 0);
	if (g->state == GUEST_FREEZING)
		guest_frozen(g);
}

static void on_wait(struct guest_thread *t)
{
	if (guest_read(t, t->regs.rdi, &t->awaited, sizeof(t->awaited)) < 0)
		t->awaited = 0; /* the call will say so */
	told_later(tracee_syscall_cont(t->tid, 0));
}

/* sigtimedwait(2) has taken a signal itself: what belongs to it is put into its place here */
static void on_waited(struct guest_thread *t)
{
	struct user_regs_struct regs;
	siginfo_t info;

	t->nr = 0;
	t->awaited = 0;
	if (tracee_get_regs(t->tid, &regs) < 0)
		return;
	if ((int64_t)regs.rax > 0 && regs.rsi &&
	    guest_read(t, regs.rsi, &info, sizeof(info)) == 0) {
		(void)guest_restore_info(t->guest, t->tid, &info); /* else it was sent here */
		told_later(guest_write(t, regs.rsi, &info, sizeof(info)));
	}
	go_on(t);
}

static void go_on_seccomp(struct guest_thread *t)
{
	if (t->nr == SYS_clone || t->nr == SYS_clone3)
		on_clone_call(t);
	else if (t->nr == SYS_mmap && t->guest->state == GUEST_RUNNING)
		guest_map_file(t);
	else if (t->nr == SYS_rt_sigtimedwait && t->guest->state == GUEST_RUNNING)
		on_wait(t);
	else
		guest_turn_back(t);
}

/* what the agent is about to read of the program's memory */
static size_t needs(const struct guest_thread *t)
{
	if (t->nr == SYS_clone3)
		return t->regs.rsi < sizeof(struct clone_args) ? t->regs.rsi
							       : sizeof(struct clone_args);
	return t->nr == SYS_rt_sigtimedwait ? sizeof(t->awaited) : 0;
}

static void on_seccomp(struct guest_thread *t)
{
	if (tracee_get_regs(t->tid, &t->regs) < 0)
		return;
	t->nr = (uint32_t)t->regs.orig_rax;
	if (guest_reach(t->guest, t->regs.rdi, needs(t)))
		go_on_seccomp(t);
	else
		guest_wait_late(t, t->regs.rdi, needs(t), go_on_seccomp);
}

static void on_group_stop(struct guest_thread *t, int signo)
{
	struct guest *g = t->guest;
	const uint32_t payload = (uint32_t)signo;

	if (!g->stopped)
		guest_send(g, MOVE_STOPPED, &payload, sizeof(payload), NULL, 0);
	g->stopped = true;
	if (!guest_hold(t, HOLD_GROUP))
		told_later(tracee_listen(t->tid));
}

static void on_interrupt(struct guest_thread *t)
{
	t->guest->stopped = false;
	if (t->guest->state == GUEST_FREEZING) {
		t->state = THREAD_FROZEN;
		guest_frozen(t->guest);
		return;
	}
	if (!guest_hold(t, HOLD_INTERRUPT))
		go_on(t);
}

static void on_stop(struct guest *g, const struct tracee_stop *stop)
{
	struct guest_thread *t = guest_thread(g, stop->tid);

	if (stop->kind == TRACEE_GONE) {
		on_gone(g, stop->tid, (uint32_t)stop->value);
		return;
	}
	if (!t) {
		announce(g, stop->tid);
		t = guest_thread(g, stop->tid);
		if (!t)
			return;
	}
	if (t->state == THREAD_BORN) {
		on_birth(t);
		return;
	}
	switch (stop->kind) {
	case TRACEE_SIGNAL:
		guest_on_signal_stop(t, stop);
		return;
	case TRACEE_SECCOMP:
		on_seccomp(t);
		return;
	case TRACEE_GROUP:
		on_group_stop(t, stop->signo);
		return;
	case TRACEE_INTERRUPT:
		on_interrupt(t);
		return;
	case TRACEE_TRAP: /* a breakpoint of the program's own: it has asked for this signal */
		if (g->state == GUEST_FREEZING)
			told_later(tracee_interrupt(t->tid));
		told_later(tracee_cont(t->tid, SIGTRAP));
		return;
	case TRACEE_SYSCALL:
		if (t->state == THREAD_BEARING)
			on_borne(t);
		else if (t->state == THREAD_MAPPING)
			guest_map_stopped(t);
		else if (t->nr == SYS_rt_sigtimedwait)
			on_waited(t);
		else
			go_on(t);
		return;
	case TRACEE_CLONE: /* on to the end of the call */
		if (t->born == (pid_t)stop->value && !guest_thread(g, t->born))
			announce(g, (pid_t)stop->value);
		told_later(tracee_syscall_cont(t->tid, 0));
		return;
	default:
		go_on(t);
	}
}

void guest_on_child(void *owner, int signo)
{
	struct guest *g = owner;
	struct tracee_stop stop;

	(void)signo;
	while (g->state >= GUEST_RUNNING && g->state <= GUEST_FREEZING &&
	       tracee_wait(-1, false, &stop) == 1)
		on_stop(g, &stop);
	guest_hold_running(g);
}
