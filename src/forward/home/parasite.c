/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasite.c - the code that executes forwarded calls inside the stub
 *
 * Theory of operation. Everything up to "accessors" goes into the section `parasite` and is copied
 * to wherever the deputy likes: no relocation may be in it (tests/system/parasite.sh looks), so it
 * has no constants in memory, no C library, no stack protector, and calls only what is in the same
 * section by names that the assembler resolves. It is compiled with flags of its own
 * (src/forward/meson.build).
 *
 * It must not use a thread's TLS, nor floating point registers: the thread is the program's.
 */
#include "forward/home/parasite.h"

#include <asm/unistd_64.h>

#include "forward/home/perform.h"

#define IN_PARASITE __attribute__((section("parasite"), used))
#define NO_SIGNAL   0x4000 /* MSG_NOSIGNAL: no SIGPIPE for the program when the deputy is gone */
#define INTERRUPTED (-4)   /* -EINTR */
#define INVALID	    (-22)  /* -EINVAL */
#define KILL	    9	   /* SIGKILL */
#define FUTEX_WAIT  0
#define FUTEX_WAKE  1

/* CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM: a thread, without TLS and robust list */
#define CLONE_FLAGS (0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000)

/* parasite_call(args, nr) executes the forwarded call; parasite_clone(flags, stack, context)
 * returns in the parent only. The first instruction of the section need not be the entry. */
__asm__(".pushsection parasite,\"ax\",@progbits\n"
	"parasite_start:\n"
	"	xorl	%ebp, %ebp\n"
	"	andq	$-16, %rsp\n"
	"	call	parasite_loop\n"
	"	ud2\n"
	"parasite_call:\n"
	"	movq	%rdi, %r11\n"
	"	movq	%rsi, %rax\n"
	"	movq	0(%r11), %rdi\n"
	"	movq	8(%r11), %rsi\n"
	"	movq	16(%r11), %rdx\n"
	"	movq	24(%r11), %r10\n"
	"	movq	32(%r11), %r8\n"
	"	movq	40(%r11), %r9\n"
	"parasite_syscall:\n"
	"	syscall\n"
	"parasite_syscall_end:\n"
	"	ret\n"
	"parasite_clone:\n"
	"	movq	%rdx, %r8\n" /* the kernel keeps r8 for the child; TLS is not set */
	"	xorl	%edx, %edx\n"
	"	xorl	%r10d, %r10d\n"
	"	movl	$56, %eax\n" /* clone */
	"	syscall\n"
	"	testq	%rax, %rax\n"
	"	jz	1f\n"
	"	ret\n"
	"1:	movq	%r8, %rdi\n"
	"	jmp	parasite_start\n"
	/* the rest of a call: rcx and r11 are anybody's after a system call, the others are not */
	"parasite_rest_begin:\n"
	"	syscall\n"
	"parasite_rest_made:\n"
	"	testq	%rax, %rax\n"
	"	jns	2f\n"
	"	xorl	%eax, %eax\n" /* nothing more: the part that was done is the result */
	"2:	addq	%rax, 8(%r12)\n"
	"	movl	$44, %eax\n" /* sendto */
	"	movl	16(%r12), %edi\n"
	"	movq	%r12, %rsi\n"
	"	movl	$1, %edx\n"
	"	movl	$0x4040, %r10d\n" /* MSG_DONTWAIT | MSG_NOSIGNAL */
	"	xorl	%r8d, %r8d\n"
	"	xorl	%r9d, %r9d\n"
	"	syscall\n"
	"	movq	8(%r12), %rax\n"
	"	movq	24(%r12), %rdi\n"
	"	movq	32(%r12), %rsi\n"
	"	movq	40(%r12), %rdx\n"
	"	movq	48(%r12), %r10\n"
	"	movq	56(%r12), %r8\n"
	"	movq	64(%r12), %r9\n"
	"	movq	80(%r12), %rcx\n"
	"	movl	$1, 20(%r12)\n"
	"	movq	72(%r12), %r12\n"
	"	jmp	*%rcx\n" /* rcx is rip there, as after any system call */
	"parasite_rest_over:\n"
	".popsection\n");

#define AT(member, offset)                                                                         \
	_Static_assert(offsetof(struct parasite_rest, member) == (offset), "as the code has it")
AT(done, 8);
AT(fd, 16);
AT(gone, 20);
AT(rdi, 24);
AT(rsi, 32);
AT(rdx, 40);
AT(r10, 48);
AT(r8, 56);
AT(r9, 64);
AT(r12, 72);
AT(rip, 80);

extern int64_t parasite_call(const uint64_t args[6], uint64_t nr);
extern int64_t parasite_clone(uint64_t flags, uint64_t stack, struct parasite_context *child);

/* our own calls: not between parasite_call_begin() and end() */
PERFORM_INLINE int64_t own_call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = 0;
	register uint64_t r9 __asm__("r9") = 0;
	int64_t r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

/* one frame: length and content; returns the content's length, 0: there is no frame any more */
PERFORM_INLINE uint32_t take_frame(const struct parasite_context *c, uint8_t *at)
{
	uint64_t have = 0, want = sizeof(uint32_t);
	uint32_t length = 0;
	int64_t r;

	while (have < want) {
		r = own_call(__NR_read, (uint64_t)c->fd, (uint64_t)(uintptr_t)(at + have),
			     sizeof(length) + CALL_BYTES_MAX - have, 0);
		if (r == INTERRUPTED)
			continue;
		if (r <= 0)
			return 0;
		have += (uint64_t)r;
		if (want == sizeof(length) && have >= want) {
			length = *(const uint32_t *)(const void *)at;
			if (length > CALL_BYTES_MAX)
				return 0;
			want += length;
		}
	}
	return have == want ? length : 0; /* more: the peer does not wait for answers */
}

PERFORM_INLINE bool send_all(const struct parasite_context *c, const uint8_t *p, uint64_t n)
{
	int64_t r;

	while (n) {
		r = own_call(__NR_sendto, (uint64_t)c->fd, (uint64_t)(uintptr_t)p, n, NO_SIGNAL);
		if (r == INTERRUPTED)
			continue;
		if (r <= 0)
			return false;
		p += r;
		n -= (uint64_t)r;
	}
	return true;
}

PERFORM_INLINE uint32_t take_at_door(struct parasite_context *c, const uint8_t *at)
{
	uint32_t door, length;

	while ((door = __atomic_load_n(&c->door, __ATOMIC_ACQUIRE)) == PARASITE_DOOR_EMPTY)
		(void)own_call(__NR_futex, (uint64_t)(uintptr_t)&c->door, FUTEX_WAIT, door, 0);
	length = *(const volatile uint32_t *)(const void *)at;
	return door <= PARASITE_DOOR_AWAITED && length <= CALL_BYTES_MAX ? length : 0;
}

/* the door says who is to have the answer, up to the moment when it is closed */
PERFORM_INLINE bool answer_at_door(struct parasite_context *c, const uint8_t *p, uint64_t n)
{
	c->answer_at = (uint32_t)(p - (const uint8_t *)c);
	switch (__atomic_exchange_n(&c->door, PARASITE_DOOR_EMPTY, __ATOMIC_ACQ_REL)) {
	case PARASITE_DOOR_AWAITED:
		(void)own_call(__NR_futex, (uint64_t)(uintptr_t)&c->door, FUTEX_WAKE, 1, 0);
		return true;
	case PARASITE_DOOR_CALL:
		return send_all(c, p, n);
	default:
		return false;
	}
}

PERFORM_INLINE int64_t clone_into(const struct parasite_context *c, uint64_t address)
{
	struct parasite_context *child = (struct parasite_context *)(uintptr_t)address;
	uint64_t offset = address - c->first_slot;

	if (address < c->first_slot || offset % PARASITE_SLOT_BYTES ||
	    offset / PARASITE_SLOT_BYTES >= c->n_slots || child->phase != PARASITE_PREPARED)
		return INVALID;
	return parasite_clone(CLONE_FLAGS, address + PARASITE_SLOT_BYTES, child);
}

IN_PARASITE static void parasite_loop(struct parasite_context *c)
{
	/* the request, aligned; perform_answer() has room before it */
	uint8_t *frame = (uint8_t *)c + PARASITE_FRAME_AT + sizeof(uint32_t);
	struct perform_job job;
	uint8_t *answer;
	uint32_t n;
	int64_t r;

	for (;;) {
		c->phase = PARASITE_IDLE;
		n = c->has_door ? take_at_door(c, frame - sizeof(uint32_t))
				: take_frame(c, frame - sizeof(uint32_t));
		if (!n || !perform_prepare(frame, n, &job))
			break;
		c->nr = job.request->nr;
		c->phase = PARASITE_CALL;
		if (job.request->nr == PARASITE_EXIT) {
			c->phase = PARASITE_GONE;
			(void)own_call(__NR_exit, 0, 0, 0, 0);
		}
		if (job.request->nr == PARASITE_CLONE)
			r = clone_into(c, job.request->args[0]);
		else
			r = parasite_call(job.request->args, job.request->nr);
		c->result = r;
		c->phase = PARASITE_DONE;
		answer = perform_answer(&job, r, &n);
		if (!(c->has_door ? answer_at_door(c, answer, n) : send_all(c, answer, n)))
			break;
		c->calls++;
	}
	/* without its deputy the process must not run on, nor hang */
	c->phase = PARASITE_BROKEN;
	for (;;)
		(void)own_call(__NR_kill, (uint64_t)own_call(__NR_getpid, 0, 0, 0, 0), KILL, 0, 0);
}

/* ------------------------------------------------- accessors: ordinary code, of the deputy */

extern const uint8_t __start_parasite[], __stop_parasite[]; /* made by the linker */

extern const uint8_t parasite_start[], parasite_syscall[], parasite_syscall_end[];
extern const uint8_t parasite_rest_begin[], parasite_rest_made[], parasite_rest_over[];

const void *parasite_code(size_t *ret_len)
{
	*ret_len = (size_t)(__stop_parasite - __start_parasite);
	return __start_parasite;
}

uint32_t parasite_entry(void)
{
	return (uint32_t)(parasite_start - __start_parasite);
}

uint32_t parasite_call_begin(void)
{
	return (uint32_t)(parasite_syscall - __start_parasite);
}

uint32_t parasite_call_end(void)
{
	return (uint32_t)(parasite_syscall_end - __start_parasite);
}

uint32_t parasite_rest(void)
{
	return (uint32_t)(parasite_rest_begin - __start_parasite);
}

uint32_t parasite_rest_end(void)
{
	return (uint32_t)(parasite_rest_made - __start_parasite);
}

uint32_t parasite_rest_out(void)
{
	return (uint32_t)(parasite_rest_over - __start_parasite);
}
