/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostile_guest.c - a process that does whatever a test tells it to, at home and away
 *
 * Reads one line, does it, prints one line. A call that waits is ended by a timer that goes on until
 * it was heard.
 *
 *	call NR A0 ... A5	system call; "p" is the address of a buffer, "-" of nothing mapped
 *	int80 NR		by the gate of 32-bit programs
 *	vsyscall		time(2) by the page at the end of memory
 *	unmap AT LEN		munmap(2), result
 *	cover AT LEN		mmap(2) over what is there, result
 *	write AT LEN		fill memory
 *	jump AT NR		call NR by the syscall instruction at AT, which must be followed by one
 *				that traps or returns
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define NOTHING_THERE 0xdead0000UL
#define TICK_US	      50000

static char buffer[1 << 16];
static sigjmp_buf back;

static void on_tick(int signo)
{
	(void)signo;
}

static void on_fault(int signo)
{
	siglongjmp(back, signo);
}

static void tick(unsigned int us)
{
	const struct itimerval t = { { 0, us }, { 0, us } };

	if (setitimer(ITIMER_REAL, &t, NULL) < 0)
		abort();
}

static unsigned long number(char **at)
{
	char *word = strsep(at, " \n");

	if (!word || !*word)
		return 0;
	if (!strcmp(word, "p"))
		return (unsigned long)buffer;
	if (!strcmp(word, "-"))
		return NOTHING_THERE;
	return strtoul(word, NULL, 0);
}

static long by_int80(long nr)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(0), "c"(0), "d"(0) : "memory");
	return (int)r;
}

/* what stands behind the instruction traps: the fault handler gives the result back */
static long by_jump(unsigned long at, long nr)
{
	long r;

	__asm__ volatile("leaq -128(%%rsp), %%rsp\n" /* the red zone is the compiler's */
			 "leaq 1f(%%rip), %%rcx\n"
			 "pushq %%rcx\n"
			 "jmp *%2\n"
			 "1:	leaq 128(%%rsp), %%rsp\n"
			 : "=a"(r)
			 : "0"(nr), "r"(at), "D"(0), "S"(0), "d"(0)
			 : "rcx", "r11", "memory");
	return r;
}

static long obey(char *line)
{
	char *word = strsep(&line, " \n");
	unsigned long a[7] = { 0 };

	for (size_t i = 0; line && i < sizeof(a) / sizeof(*a); i++)
		a[i] = number(&line);
	errno = 0;
	if (!strcmp(word, "call")) {
		long r = syscall((long)a[0], a[1], a[2], a[3], a[4], a[5], a[6]);

		return r == -1 ? -errno : r;
	}
	if (!strcmp(word, "int80"))
		return by_int80((long)a[0]);
	if (!strcmp(word, "vsyscall"))
		return ((long (*)(long *))0xffffffffff600400)(NULL) > 1600000000;
	if (!strcmp(word, "unmap"))
		return munmap((void *)a[0], a[1]);
	if (!strcmp(word, "cover"))
		return mmap((void *)a[0], a[1], PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (void *)a[0];
	if (!strcmp(word, "write")) {
		memset((void *)a[0], 0xcc, a[1]);
		return 0;
	}
	if (!strcmp(word, "jump"))
		return by_jump(a[0], (long)a[1]);
	return -ENOTSUP;
}

int main(void)
{
	const struct sigaction ticks = { .sa_handler = on_tick };
	const struct sigaction faults = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	char line[256];

	if (sigaction(SIGALRM, &ticks, NULL) < 0 || sigaction(SIGSEGV, &faults, NULL) < 0 ||
	    sigaction(SIGTRAP, &faults, NULL) < 0 || sigaction(SIGILL, &faults, NULL) < 0 ||
	    sigaction(SIGBUS, &faults, NULL) < 0)
		return 1;
	(void)printf("ready\n");
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		int fault = sigsetjmp(back, 1);
		long r = 0;

		if (!fault) {
			tick(TICK_US);
			r = obey(line);
		}
		tick(0);
		if (fault)
			(void)printf("fault %d\n", fault);
		else
			(void)printf("%ld\n", r);
		(void)fflush(stdout);
	}
	return 0;
}
