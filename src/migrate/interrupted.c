/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/interrupted.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/restarts.h"
#include "forward/table/idle.h"
#include "migrate/registers.h"
#include "migrate/rest_call.h"
#include "tracee/maps.h"

#define NUMBER_BYTES  5 /* mov $nr, %eax */
#define MOV_EAX	      0xb8
#define FUTEX_OP_MOST 0x1ff
#define CLOCKS_MOST   16
#define SECOND_NS     1000000000

/* ignored when there is no handler, signal(7): SIGCHLD, SIGCONT, SIGURG, SIGWINCH */
#define QUIET (1ULL << 16 | 1ULL << 17 | 1ULL << 22 | 1ULL << 27)

/* those with a rest in the kernel */
static const uint32_t naps[] = { SYS_nanosleep, SYS_clock_nanosleep, SYS_poll, SYS_futex };

/* is there a signal that will be delivered to this thread as soon as it runs? */
static int deliverable(pid_t tid, bool *ret)
{
	struct proc_stat st;
	int r = proc_stat_read(tid, &st, NULL);

	if (!r)
		*ret = ((st.pending | st.shared_pending) & ~st.blocked & ~st.ignored &
			(st.caught | ~QUIET)) != 0;
	return r;
}

/* EINTR of these says more than that they were interrupted */
static bool is_over(uint64_t nr)
{
	return nr == SYS_close || nr == SYS_restart_syscall;
}

static bool is_time(pid_t tid, uint64_t at)
{
	struct timespec t;

	return tracee_read(tid, at, &t, sizeof(t)) == 0 && t.tv_sec >= 0 && t.tv_nsec >= 0 &&
	       t.tv_nsec < SECOND_NS;
}

/* for code that has its number from elsewhere: by what the arguments can be */
static uint32_t nap_by_arguments(pid_t tid, const struct user_regs_struct *regs)
{
	uint64_t op = regs->rsi & FUTEX_CMD_MASK;

	if ((regs->rdi < CLOCKS_MOST || (int64_t)(int32_t)regs->rdi < 0) && is_time(tid, regs->rdx))
		return SYS_clock_nanosleep;
	if (regs->rsi <= FUTEX_OP_MOST && (op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET) &&
	    !(regs->rdi % 4) && is_time(tid, regs->r10))
		return SYS_futex;
	if ((!regs->rsi || regs->rsi > FUTEX_OP_MOST) && is_time(tid, regs->rdi))
		return SYS_nanosleep;
	return SYS_poll;
}

/* restart_syscall(2) is what it was stopped in: of which call is that the rest? */
static uint32_t nap_of(pid_t tid, const struct user_regs_struct *regs)
{
	uint8_t code[NUMBER_BYTES];
	uint32_t nr;

	if (tracee_read(tid, regs->rip - TRACEE_SYSCALL_BYTES - sizeof(code), code, sizeof(code)) ==
		    0 &&
	    code[0] == MOV_EAX) {
		memcpy(&nr, code + 1, sizeof(nr));
		for (size_t i = 0; i < ARRAY_LEN(naps); i++)
			if (naps[i] == nr)
				return nr;
	}
	return nap_by_arguments(tid, regs);
}

/* its random bytes are as good the second time, and it goes on only for want of a stop */
static bool is_random_part(const struct user_regs_struct *regs)
{
	return regs->orig_rax == SYS_getrandom && (int64_t)regs->rax > 0 && regs->rax < regs->rsi;
}

static bool is_part(pid_t tid, enum capture_side side, const struct user_regs_struct *regs)
{
	const uint64_t args[6] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };

	/* at the host such calls are trapped, and what they did is known there */
	return side == CAPTURE_HOME && rest_is_part(tid, regs->orig_rax, args, (int64_t)regs->rax);
}

/*
 * A futex wait belongs to memory, so it is made again where the memory is; its absolute deadlines
 * stay true, a relative one begins anew. Sleeps and polls are at home: their rest is in the kernel
 * there.
 */
static void rewind_nap(pid_t tid, enum capture_side side, struct user_regs_struct *regs,
		       struct image_thread *t)
{
	uint32_t call = (uint32_t)regs->orig_rax;

	if (call == SYS_restart_syscall)
		call = nap_of(tid, regs);
	regs->rip -= TRACEE_SYSCALL_BYTES;
	regs->orig_rax = (uint64_t)-1;
	if (call == SYS_futex || side == CAPTURE_HOST) {
		regs->rax = call;
		return;
	}
	regs->rax = SYS_restart_syscall;
	t->restart_call = call;
}

/* what the kernel does of a call with such a result when a handler runs */
static uint32_t on_signal(uint64_t result)
{
	switch ((int64_t)result) {
	case -ERESTARTSYS:
		return IMAGE_SIGNAL_RESTARTS;
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return IMAGE_SIGNAL_ENDS;
	default:
		return IMAGE_SIGNAL_FIRST;
	}
}

/*
 * The kernel has made its registers so that it makes its call again, as we do, and it was stopped once
 * more before it could. What tells is the place: before a syscall instruction, not behind one
 */
static bool is_made_again(pid_t tid, const struct user_regs_struct *regs)
{
	static const uint8_t insn[TRACEE_SYSCALL_BYTES] = { 0x0f, 0x05 };
	uint8_t code[2 * TRACEE_SYSCALL_BYTES];

	return (regs->rax == regs->orig_rax || regs->rax == SYS_restart_syscall) &&
	       tracee_read(tid, regs->rip - TRACEE_SYSCALL_BYTES, code, sizeof(code)) == 0 &&
	       memcmp(code, insn, sizeof(insn)) != 0 &&
	       !memcmp(code + TRACEE_SYSCALL_BYTES, insn, sizeof(insn));
}

static void go_on_again(enum capture_side side, struct user_regs_struct *regs,
			struct image_thread *t)
{
	uint32_t call = (uint32_t)regs->orig_rax;
	bool nap = regs->rax == SYS_restart_syscall;

	regs->orig_rax = (uint64_t)-1;
	t->on_signal = nap || table_is_idle(call) ? IMAGE_SIGNAL_ENDS : IMAGE_SIGNAL_FIRST;
	if (nap && (call == SYS_futex || side == CAPTURE_HOST))
		regs->rax = call;
	else if (nap && call != SYS_restart_syscall)
		t->restart_call = call;
	registers_to_image(regs, &t->regs);
}

int interrupted_rewind(pid_t tid, enum capture_side side, struct user_regs_struct *regs,
		       struct image_thread *t)
{
	uint64_t call = regs->orig_rax;
	bool eintr, part, random, signalled = false;
	int r = 0;

	t->done = 0;
	t->on_signal = IMAGE_SIGNAL_FIRST;
	if ((int64_t)call < 0) {
		registers_to_image(regs, &t->regs);
		return 0;
	}
	if (is_made_again(tid, regs)) {
		go_on_again(side, regs, t);
		return 0;
	}
	eintr = (int64_t)regs->rax == -EINTR && !is_over(call);
	random = is_random_part(regs);
	part = is_part(tid, side, regs);
	if (eintr || random || part)
		r = deliverable(tid, &signalled);
	if (r < 0)
		return r;
	if ((eintr || random) && !signalled)
		regs->rax = (uint64_t)-ERESTARTNOHAND;
	if (part && !signalled)
		t->done = regs->rax;
	t->on_signal = t->done ? IMAGE_SIGNAL_FIRST : on_signal(regs->rax);
	if (tracee_rewind(regs) == TRACEE_RESTART_BLOCK)
		rewind_nap(tid, side, regs, t);
	registers_to_image(regs, &t->regs);
	if (t->done) {
		t->regs.rip -= TRACEE_SYSCALL_BYTES;
		t->regs.rax = call;
	}
	return 0;
}
