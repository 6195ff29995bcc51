/* SPDX-License-Identifier: GPL-2.0-or-later */
/* regs.c - registers, signal mask, siginfo and what the C library has registered for a thread */
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/restarts.h"
#include "tracee/tracee.h"

static int no_errno(long r)
{
	return r < 0 ? -errno : 0;
}

int tracee_get_regs(pid_t tid, struct user_regs_struct *ret)
{
	return no_errno(ptrace(PTRACE_GETREGS, tid, NULL, ret));
}

int tracee_set_regs(pid_t tid, const struct user_regs_struct *regs)
{
	return no_errno(ptrace(PTRACE_SETREGS, tid, NULL, regs));
}

int tracee_get_call(pid_t tid, uint64_t *ret_nr)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) < 0)
		return -errno;
	switch (info.op) {
	case PTRACE_SYSCALL_INFO_ENTRY:
		*ret_nr = info.entry.nr;
		return TRACEE_CALL_BEGINS;
	case PTRACE_SYSCALL_INFO_EXIT:
		switch (info.exit.rval) {
		case -ERESTARTSYS:
		case -ERESTARTNOINTR:
		case -ERESTARTNOHAND:
		case -ERESTART_RESTARTBLOCK:
			return TRACEE_CALL_AGAIN;
		default:
			return TRACEE_CALL_ENDS;
		}
	default:
		return -EINVAL;
	}
}

int tracee_get_sigmask(pid_t tid, uint64_t *ret)
{
	return no_errno(ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(*ret), ret));
}

int tracee_set_sigmask(pid_t tid, uint64_t mask)
{
	return no_errno(ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof(mask), &mask));
}

int tracee_get_siginfo(pid_t tid, siginfo_t *ret)
{
	return no_errno(ptrace(PTRACE_GETSIGINFO, tid, NULL, ret));
}

int tracee_set_siginfo(pid_t tid, const siginfo_t *info)
{
	return no_errno(ptrace(PTRACE_SETSIGINFO, tid, NULL, info));
}

int tracee_get_rseq(pid_t tid, struct tracee_rseq *ret)
{
	struct __ptrace_rseq_configuration c = { 0 };

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, (void *)sizeof(c), &c) < 0)
		return -errno;
	*ret = (struct tracee_rseq){
		.address = c.rseq_abi_pointer,
		.size = c.rseq_abi_pointer ? c.rseq_abi_size : 0,
		.signature = c.rseq_abi_pointer ? c.signature : 0,
	};
	return 0;
}

int tracee_leave_rseq(pid_t tid, struct user_regs_struct *regs)
{
	struct tracee_rseq q;
	struct tracee_rseq_cs cs;
	uint64_t at;
	uint32_t signature;
	int r = tracee_get_rseq(tid, &q);

	if (r < 0)
		return r;
	/* memory that cannot be read holds no section that the kernel could honour */
	if (!q.address || tracee_read(tid, q.address + TRACEE_RSEQ_CS_AT, &at, sizeof(at)) < 0 ||
	    !at || tracee_read(tid, at, &cs, sizeof(cs)) < 0)
		return 0;
	if (regs->rip - cs.start >= cs.len)
		return 0;
	/* without the mark the kernel kills: leave that to it */
	if (tracee_read(tid, cs.abort - sizeof(signature), &signature, sizeof(signature)) < 0 ||
	    signature != q.signature)
		return 0;
	regs->rip = cs.abort;
	regs->orig_rax = (unsigned long long)-1;
	return 1;
}

int tracee_get_robust_list(pid_t tid, uint64_t *address, uint64_t *size)
{
	return no_errno(syscall(SYS_get_robust_list, tid, address, size));
}

enum tracee_restart tracee_rewind(struct user_regs_struct *regs)
{
	long long nr = (long long)regs->orig_rax;

	if (nr < 0)
		return TRACEE_NO_RESTART;

	switch (-(long long)regs->rax) {
	case ERESTART_RESTARTBLOCK:
		return TRACEE_RESTART_BLOCK;
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		regs->rax = regs->orig_rax;
		regs->rip -= TRACEE_SYSCALL_BYTES;
		regs->orig_rax = (unsigned long long)-1;
		return TRACEE_RESTART;
	default:
		regs->orig_rax = (unsigned long long)-1;
		return TRACEE_NO_RESTART;
	}
}

void tracee_rewind_block(struct user_regs_struct *regs)
{
	regs->rax = SYS_restart_syscall;
	regs->rip -= TRACEE_SYSCALL_BYTES;
	regs->orig_rax = (unsigned long long)-1;
}
