/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch_loop.S - the loop that executes a list of calls; copied into the tracee, runs anywhere
 *
 * In:	rbx	first struct batch_call (64 bytes: number, six arguments, result)
 *	r12	behind the last one
 *
 *	r13	0: it ends at the breakpoint
 *		1: the agent stops it in its last call; if it does not, it has died, and the
 *		registers and the mask that lie at BATCH_SAVED are loaded: struct user_regs_struct,
 *		and the mask behind it
 *
 * Uses no stack. What is loaded last is rip, by a jump that needs no register; the stack is the
 * program's own again before the mask is, for then its signals come.
 */
#define SAVED(offset) batch_loop + 2048 + (offset)(%rip) /* BATCH_SAVED */

	.section .rodata
	.globl	batch_loop
	.globl	batch_loop_syscall
	.globl	batch_loop_trap
	.globl	batch_loop_end
	.hidden	batch_loop
	.hidden	batch_loop_trap
	.hidden	batch_loop_syscall
	.hidden	batch_loop_end
	.balign	16
batch_loop:
	cmp	%r12, %rbx
	jae	done
	mov	(%rbx), %rax
	mov	8(%rbx), %rdi
	mov	16(%rbx), %rsi
	mov	24(%rbx), %rdx
	mov	32(%rbx), %r10
	mov	40(%rbx), %r8
	mov	48(%rbx), %r9
batch_loop_syscall:
	syscall
	mov	%rax, 56(%rbx)
	add	$64, %rbx
	jmp	batch_loop
done:
	test	%r13, %r13
	jnz	heal
	int3
batch_loop_trap:
heal:
	lea	SAVED(1024), %rsp
	pushq	SAVED(144)		/* eflags; nothing below changes them */
	popfq
	mov	SAVED(152), %rsp
	mov	$14, %eax		/* rt_sigprocmask(SIG_SETMASK, saved, NULL, 8) */
	mov	$2, %edi
	lea	SAVED(216), %rsi
	mov	$0, %edx
	mov	$8, %r10d
	syscall
	mov	SAVED(0), %r15
	mov	SAVED(8), %r14
	mov	SAVED(16), %r13
	mov	SAVED(24), %r12
	mov	SAVED(32), %rbp
	mov	SAVED(40), %rbx
	mov	SAVED(48), %r11
	mov	SAVED(56), %r10
	mov	SAVED(64), %r9
	mov	SAVED(72), %r8
	mov	SAVED(80), %rax
	mov	SAVED(88), %rcx
	mov	SAVED(96), %rdx
	mov	SAVED(104), %rsi
	mov	SAVED(112), %rdi
	jmp	*SAVED(128)
batch_loop_end:

	.section .note.GNU-stack, "", @progbits
