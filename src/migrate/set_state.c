/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/set_state.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "base/restarts.h"
#include "migrate/registers.h"
#include "migrate/told.h"

#define SIGSET_BYTES 8 /* of the kernel's sigset_t */

int set_state_run(struct batch *b, pid_t tid, const char *what, struct err *e)
{
	int r = batch_run(b, tid, e), bad;

	if (!r) {
		bad = batch_first_failure(b);
		if (bad >= 0) {
			r = (int)batch_result(b, bad);
			(void)err_set(e, r, "call %d of its batch: %s", bad, strerror(-r));
		}
	}
	batch_clear(b);
	return r < 0 ? err_prefix(e, "%s", what) : 0;
}

static int add_actions(struct batch *b, const struct image *m, bool used)
{
	uint64_t at;
	int r = 0;

	for (uint64_t i = 0; r >= 0 && i < IMAGE_SIGNALS; i++) {
		const struct image_action *a = &m->actions[i];

		if ((!a->handler && !used) || i + 1 == SIGKILL || i + 1 == SIGSTOP)
			continue;
		r = batch_data(b, a, sizeof(*a), &at);
		if (!r)
			r = batch_add(b, SYS_rt_sigaction, i + 1, at, 0, SIGSET_BYTES, 0, 0);
	}
	return r < 0 ? r : 0;
}

static int add_timer(struct batch *b, int which, const uint64_t v[2])
{
	const struct itimerval t = {
		.it_value = { (time_t)(v[0] / 1000000), (suseconds_t)(v[0] % 1000000) },
		.it_interval = { (time_t)(v[1] / 1000000), (suseconds_t)(v[1] % 1000000) },
	};
	uint64_t at;
	int r;

	if (!v[0])
		return 0;
	r = batch_data(b, &t, sizeof(t), &at);
	if (!r)
		r = batch_add(b, SYS_setitimer, (uint64_t)which, at, 0, 0, 0, 0);
	return r < 0 ? r : 0;
}

int set_state_process(struct batch *b, const struct image *m, bool used)
{
	const struct prctl_mm_map mm = {
		.start_code = m->mm.start_code,
		.end_code = m->mm.end_code,
		.start_data = m->mm.start_data,
		.end_data = m->mm.end_data,
		.start_brk = m->mm.start_brk,
		.brk = m->mm.brk,
		.start_stack = m->mm.start_stack,
		.arg_start = m->mm.arg_start,
		.arg_end = m->mm.arg_end,
		.env_start = m->mm.env_start,
		.env_end = m->mm.env_end,
		.exe_fd = (uint32_t)-1,
	};
	uint64_t at;
	int r = batch_data(b, &mm, sizeof(mm), &at);

	if (!r)
		r = batch_add(b, SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, at, sizeof(mm), 0, 0);
	if (r >= 0)
		r = batch_add(b, SYS_personality, m->personality, 0, 0, 0, 0, 0);
	if (r >= 0 && m->thp_disable)
		r = batch_add(b, SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0, 0);
	if (r >= 0)
		r = add_actions(b, m, used);
	if (r >= 0)
		r = add_timer(b, ITIMER_VIRTUAL, m->virtual_timer);
	if (r >= 0)
		r = add_timer(b, ITIMER_PROF, m->prof_timer);
	return r < 0 ? r : 0;
}

int set_state_name(struct batch *b, const struct image_thread *t)
{
	uint64_t at;
	int r = batch_data(b, t->name, sizeof(t->name), &at);

	if (!r)
		r = batch_add(b, SYS_prctl, PR_SET_NAME, at, 0, 0, 0, 0);
	return r < 0 ? r : 0;
}

int set_state_thread(struct batch *b, const struct image_thread *t, bool with_rseq)
{
	/* SS_ONSTACK cannot be set, and is nothing but what rsp says */
	const stack_t alt = {
		.ss_sp = (void *)t->altstack_address,
		.ss_flags = (int)(t->altstack_flags & ~(uint32_t)SS_ONSTACK),
		.ss_size = t->altstack_size,
	};
	uint64_t at;
	int r = batch_data(b, &alt, sizeof(alt), &at);

	if (!r && with_rseq && t->rseq_address)
		r = batch_add(b, SYS_rseq, t->rseq_address, t->rseq_size, 0, t->rseq_signature, 0,
			      0);
	if (r >= 0 && t->robust_list)
		r = batch_add(b, SYS_set_robust_list, t->robust_list, t->robust_size, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_add(b, SYS_prctl, PR_SET_TIMERSLACK, t->timer_slack_ns, 0, 0, 0, 0);
	if (r >= 0 && !(t->altstack_flags & SS_DISABLE))
		r = batch_add(b, SYS_sigaltstack, at, 0, 0, 0, 0, 0);
	/* gives the thread id: no failure */
	if (r >= 0)
		r = batch_add(b, SYS_set_tid_address, t->clear_tid, 0, 0, 0, 0, 0);
	return r < 0 ? r : 0;
}

int set_state_registers(const struct image_thread *t)
{
	struct user_regs_struct regs;
	pid_t tid = (pid_t)t->tid;
	int r = tracee_set_xstate(tid, t->xstate, t->xstate_len);

	registers_from_image(&t->regs, &regs);
	if (!r)
		r = tracee_set_sigmask(tid, t->sigmask);
	return r < 0 ? r : tracee_set_regs(tid, &regs);
}

/* is it still about to make that call? Or its sleep was begun here since: sleep_on.h */
static bool is_at_call(const struct image_thread *t, struct user_regs_struct *regs)
{
	return tracee_get_regs((pid_t)t->tid, regs) == 0 && (int64_t)regs->orig_rax < 0 &&
	       regs->rip == t->regs.rip &&
	       (regs->rax == t->regs.rax || (t->wait_until_ns && regs->rax == SYS_restart_syscall));
}

/*
 * Does it wait with another signal mask? That mask is in force in the call only, and not before it is
 * made again: a signal that the thread blocks otherwise waits until then by itself, and ends it
 */
static bool has_mask(pid_t tid, const struct user_regs_struct *regs)
{
	uint64_t mask;

	switch (regs->rax) {
	case SYS_rt_sigsuspend:
		return true;
	case SYS_ppoll:
		return regs->r10;
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return regs->r8;
	case SYS_pselect6: /* a pointer to a pointer, which is on no two pages */
		return regs->r9 && (regs->r9 % sizeof(mask) ||
				    tracee_read(tid, regs->r9, &mask, sizeof(mask)) < 0 || mask);
	default:
		return false;
	}
}

/* the call whose rest the kernel here has, or 0 */
static uint64_t rest_of(const struct image_thread *t, uint64_t nr)
{
	if (nr != SYS_restart_syscall)
		return 0;
	return t->regs.rax != SYS_restart_syscall ? t->regs.rax : t->restart_call;
}

void set_state_in_call(const struct image_thread *t, bool home)
{
	struct user_regs_struct regs;
	uint64_t rest;

	if (t->on_signal == IMAGE_SIGNAL_FIRST || t->done || !is_at_call(t, &regs))
		return;
	if (has_mask((pid_t)t->tid, &regs)) {
		/* still that of the call, if nothing was injected since */
		told_later(tracee_set_sigmask((pid_t)t->tid, t->sigmask));
		return;
	}
	/* first: without it a thread that we leave alone by dying would see -512 as its result */
	if (tracee_interrupt((pid_t)t->tid) < 0)
		return; /* it was killed */
	rest = home ? rest_of(t, regs.rax) : 0;
	regs.orig_rax = rest ? rest : regs.rax;
	if (rest)
		regs.rax = (uint64_t)-ERESTART_RESTARTBLOCK;
	else
		regs.rax = (uint64_t)(t->on_signal == IMAGE_SIGNAL_ENDS ? -ERESTARTNOHAND
									: -ERESTARTSYS);
	regs.rip += TRACEE_SYSCALL_BYTES;
	told_later(tracee_set_regs((pid_t)t->tid, &regs));
}
