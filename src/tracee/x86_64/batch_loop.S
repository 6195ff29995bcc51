/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch_loop.S - the loop that executes a list of calls; copied into the tracee, runs anywhere
 *
 * In:	rbx	first struct batch_call (64 bytes: number, six arguments, result)
 *	r12	behind the last one
 *
 * Ends at the breakpoint. Uses no stack.
 */
	.section .rodata
	.globl	batch_loop
	.globl	batch_loop_syscall
	.globl	batch_loop_end
	.hidden	batch_loop
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
	int3
batch_loop_end:

	.section .note.GNU-stack, "", @progbits
