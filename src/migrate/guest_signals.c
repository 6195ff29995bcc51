/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_signals.c - signals that were told by home come to the program as if they had been sent here
 *
 * Theory of operation. A signal is sent to the guest by the agent, so the kernel here decides by
 * mask and action when it is delivered and to which thread. But whoever sends a signal cannot
 * choose all of its siginfo (rt_sigqueueinfo(2)): so what belongs to it waits here, and is put into its
 * place when the thread stops to have it delivered. Signals are told apart by the agent's own id
 * in si_pid; what the kernel here sends by itself (a fault) is left as it is.
 *
 * A trapped call does not hear signals (it waits for its answer, killable only). So a thread that
 * is to hear one has its call cancelled at home.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "migrate/ends.h"
#include "migrate/guest.h"
#include "migrate/told.h"
#include "tracee/maps.h"

struct signal_payload {
	uint32_t tid, signo;
	uint8_t info[128];
};

_Static_assert(sizeof(siginfo_t) == 128, "as the kernel has it");

static uint64_t bit(int signo)
{
	return 1ULL << (signo - 1);
}

/* ignored by default, signal(7) */
static bool is_quiet(int signo)
{
	return signo == SIGCHLD || signo == SIGURG || signo == SIGWINCH || signo == SIGCONT;
}

/* would it be noticed: is there a handler, or a default action that does something? */
static bool is_effective(const struct proc_stat *st, int signo)
{
	if (st->caught & bit(signo))
		return true;
	return !(st->ignored & bit(signo)) && !is_quiet(signo);
}

/*
 * Would the kernel at home not even have queued it? A tracer is told of such a signal all the
 * same, and to send it here would end a wait that it must not end. A blocked one is never ignored.
 */
static bool is_dropped(const struct guest *g, pid_t tid, int signo)
{
	const struct guest_thread *t = guest_thread(g, tid ? tid : g->build.pid);
	struct proc_stat st;

	if (!t || signo == SIGCONT || proc_stat_read(t->tid, &st, NULL) < 0)
		return false;
	return !is_effective(&st, signo) && !((st.blocked | t->awaited) & bit(signo));
}

static uint64_t wait_mask(const struct guest_thread *t, const struct proc_stat *st)
{
	uint64_t mask;

	return marshal_wait_mask(t->marshal, &mask) ? mask : st->blocked;
}

bool guest_is_deliverable(const struct guest_thread *t)
{
	struct proc_stat st;
	uint64_t pending;

	if (proc_stat_read(t->tid, &st, NULL) < 0)
		return true; /* it is gone: any answer will do */
	pending = (st.pending | st.shared_pending) & ~wait_mask(t, &st);
	for (int signo = 1; signo <= IMAGE_SIGNALS; signo++)
		if ((pending & bit(signo)) && is_effective(&st, signo))
			return true;
	return false;
}

/* threads whose call would end for this signal */
static void cancel_calls(struct guest *g, pid_t tid, int signo)
{
	for (size_t i = 0; i < g->n; i++) {
		struct guest_thread *t = g->threads[i];
		struct proc_stat st;

		if ((tid && t->tid != tid) || t->state != THREAD_CALLING || t->late_go_on ||
		    proc_stat_read(t->tid, &st, NULL) < 0)
			continue;
		if ((wait_mask(t, &st) & bit(signo)) || !is_effective(&st, signo))
			continue;
		guest_cancel(t);
	}
}

/* a call that is being trapped at this moment would not hear it either: guest_calls.c */
static void look_before_calls(struct guest *g, pid_t tid)
{
	for (size_t i = 0; i < g->n; i++)
		if (!tid || g->threads[i]->tid == tid)
			g->threads[i]->signalled = true;
}

static int remember(struct guest *g, pid_t tid, const siginfo_t *info)
{
	struct guest_signal *s = malloc(sizeof(*s)), **end = &g->signals;

	if (!s)
		return -ENOMEM;
	*s = (struct guest_signal){ .tid = tid, .info = *info };
	while (*end)
		end = &(*end)->next;
	*end = s;
	return 0;
}

int guest_keep_info(struct guest *g, pid_t tid, const siginfo_t *info)
{
	return remember(g, tid, info);
}

/* does the kernel here have it still, or has it been delivered, or thrown away? */
static bool is_pending(const struct guest *g, const struct guest_signal *s)
{
	struct proc_stat st;

	if (proc_stat_read(s->tid ? s->tid : g->build.pid, &st, NULL) < 0)
		return false;
	return (s->tid ? st.pending : st.shared_pending) & bit(s->info.si_signo);
}

/* a timer has one signal pending at most; what it says until then is counted, timer_getoverrun(2) */
static bool overruns(struct guest *g, pid_t tid, const siginfo_t *info)
{
	for (struct guest_signal *s = g->signals; info->si_code == SI_TIMER && s; s = s->next)
		if (s->info.si_code == SI_TIMER && s->info.si_timerid == info->si_timerid &&
		    s->tid == tid && s->info.si_signo == info->si_signo && is_pending(g, s)) {
			s->info.si_overrun += 1 + info->si_overrun;
			return true;
		}
	return false;
}

int guest_queue_signal(struct guest *g, pid_t tid, const siginfo_t *info)
{
	long r;

	if (is_dropped(g, tid, info->si_signo) || overruns(g, tid, info))
		return 0;
	if (tid && !guest_thread(g, tid))
		return 0; /* the thread has ended */
	if (remember(g, tid, info) < 0)
		return -ENOMEM;
	r = tid ? syscall(SYS_tgkill, g->build.pid, tid, info->si_signo)
		: kill(g->build.pid, info->si_signo);
	if (r == 0) {
		look_before_calls(g, tid);
		cancel_calls(g, tid, info->si_signo);
	}
	return 0;
}

int guest_take_signal(struct guest *g, const struct move_frame *f, struct err *e)
{
	struct signal_payload p;
	siginfo_t info;

	memcpy(&p, f->payload, sizeof(p)); /* wire/move.h: it is that long */
	memcpy(&info, p.info, sizeof(info));
	if (!p.signo || p.signo > IMAGE_SIGNALS || info.si_signo != (int)p.signo)
		return err_set(e, -EPROTO, "signal %u cannot be", p.signo);
	if (g->state == GUEST_LEAVING && g->checkpoint)
		return guest_late_signal(g, f);
	if (g->state >= GUEST_LEAVING)
		return 0; /* home has kept it, and hears that it was not taken */
	g->signals_taken++;
	if (guest_queue_signal(g, (pid_t)p.tid, &info) < 0)
		return err_set(e, -ENOMEM, "no memory for a signal");
	return 0;
}

/* timer_getoverrun(2) is asked about it */
static void note_timer(struct guest *g, const siginfo_t *info)
{
	struct guest_timer *to = NULL;

	if (info->si_code != SI_TIMER)
		return;
	for (size_t i = 0; i < ARRAY_LEN(g->timers); i++)
		if (g->timers[i].seen ? g->timers[i].id == info->si_timerid : !to)
			to = &g->timers[i];
	if (to)
		*to = (struct guest_timer){ true, info->si_timerid, info->si_overrun };
}

/* the oldest one of this number, for this thread or for the process */
static bool recall_signal(struct guest *g, pid_t tid, int signo, siginfo_t *ret)
{
	for (struct guest_signal **at = &g->signals; *at; at = &(*at)->next) {
		struct guest_signal *s = *at;

		if (s->info.si_signo != signo || (s->tid && s->tid != tid))
			continue;
		*ret = s->info;
		note_timer(g, ret);
		*at = s->next;
		free(s);
		return true;
	}
	return false;
}

static bool is_ours(const siginfo_t *info)
{
	return info->si_pid == getpid() && (info->si_code == SI_USER || info->si_code == SI_TKILL);
}

bool guest_restore_info(struct guest *g, pid_t tid, siginfo_t *info)
{
	return is_ours(info) && recall_signal(g, tid, info->si_signo, info); /* else as it is */
}

/*
 * It is stopped before a call of which a part was done before it came here. A signal ends the call:
 * with that part, as it had at home
 */
static int end_call(struct guest_thread *t)
{
	struct user_regs_struct regs;
	int r = tracee_get_regs(t->tid, &regs);

	if (r < 0)
		return r;
	if ((int64_t)regs.orig_rax < 0)
		regs.rip += TRACEE_SYSCALL_BYTES; /* not begun; else it was turned away */
	regs.orig_rax = (uint64_t)-1;
	regs.rax = t->done;
	t->done = 0;
	return tracee_set_regs(t->tid, &regs);
}

/* it has touched what is behind the end of a file of home, whose signal is made there if it still is */
static bool goes_home(struct guest_thread *t, const struct tracee_stop *stop)
{
	const uint32_t why[2] = { MOVE_NO_CALL, (uint32_t)t->tid };

	if (stop->signo != SIGBUS || stop->info.si_code != BUS_ADRERR ||
	    !ends_is_beyond(&t->guest->image, (uint64_t)(uintptr_t)stop->info.si_addr))
		return false;
	t->state = THREAD_FROZEN;
	if (t->guest->state == GUEST_RUNNING)
		guest_send(t->guest, MOVE_HOMEWARD, why, sizeof(why), NULL, 0);
	else
		guest_frozen(t->guest);
	return true;
}

void guest_on_signal_stop(struct guest_thread *t, const struct tracee_stop *stop)
{
	siginfo_t info = stop->info;

	t->again = false; /* whatever comes next is another call */
	if (goes_home(t, stop))
		return;
	if (t->done && end_call(t) < 0)
		return; /* killed: told by its end */

	if (is_ours(&info) && recall_signal(t->guest, t->tid, stop->signo, &info) &&
	    tracee_set_siginfo(t->tid, &info) < 0)
		return; /* killed: told by its end */
	/* on the way home it stops again at once, with the handler about to run */
	if (t->guest->state == GUEST_FREEZING && tracee_interrupt(t->tid) < 0)
		return;
	told_later(tracee_cont(t->tid, stop->signo));
}

void guest_forget_signals(struct guest *g)
{
	while (g->signals) {
		struct guest_signal *s = g->signals;

		g->signals = s->next;
		free(s);
	}
}
