/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lang_nolibc.c - a static program without any C library: its own start, bare calls, memory and a
 * pipe
 *
 * It keeps the life of a victim (victim.h) by itself, in the little that it needs.
 */
#include <stddef.h>
#include <stdint.h>

enum {
	READ,
	WRITE,
	ACCESS = 21,
	PIPE = 22,
	NANOSLEEP = 35,
	GETPID = 39,
	EXIT_GROUP = 231,
	MMAP = 9,
	MUNMAP = 11
};

#define PAGE 4096

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static void say(const char *word, long n)
{
	char line[64], digits[24];
	size_t len = 0, i = sizeof(digits);

	while (*word)
		line[len++] = *word++;
	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) && i > 0);
	while (i < sizeof(digits))
		line[len++] = digits[i++];
	line[len++] = '\n';
	(void)call(WRITE, 1, (long)line, (long)len, 0, 0, 0);
}

/* the value of a variable of the environment, or NULL */
static const char *look_up(char **env, const char *name)
{
	for (; *env; env++) {
		size_t n = 0;

		while (name[n] && (*env)[n] == name[n])
			n++;
		if (!name[n] && (*env)[n] == '=')
			return *env + n + 1;
	}
	return NULL;
}

/* map, fill, send through the pipe, compare, unmap; the number of faults */
static int check(const int *ends, uint64_t seed)
{
	uint64_t *page = (uint64_t *)call(MMAP, 0, PAGE, 3, 0x22, -1, 0), got;
	int wrong = 0;

	if ((unsigned long)page > -4096UL)
		return 1;
	for (int i = 0; i < PAGE / 8; i++) {
		wrong += page[i] != 0;
		page[i] = seed * (uint64_t)(i + 1);
	}
	for (int i = 0; i < PAGE / 8; i += 64) {
		wrong += call(WRITE, ends[1], (long)&page[i], 8, 0, 0, 0) != 8;
		wrong += call(READ, ends[0], (long)&got, 8, 0, 0, 0) != 8;
		wrong += got != seed * (uint64_t)(i + 1);
	}
	wrong += call(MUNMAP, (long)page, PAGE, 0, 0, 0, 0) != 0;
	wrong += call(WRITE, ends[1], (long)page, 8, 0, 0, 0) != -14; /* EFAULT: it is gone */
	return wrong;
}

__attribute__((used, noreturn)) static void run(long *stack)
{
	static const long pause[2] = { 0, 10 * 1000 * 1000 };
	char **env = (char **)(stack + stack[0] + 2);
	const char *stop = look_up(env, "VICTIM_STOP");
	int ends[2], wrong = call(PIPE, (long)ends, 0, 0, 0, 0, 0) != 0;
	long pid = call(GETPID, 0, 0, 0, 0, 0, 0);

	say("ready ", pid);
	for (long n = 1;; n++) {
		wrong += check(ends, (uint64_t)n);
		wrong += call(GETPID, 0, 0, 0, 0, 0, 0) != pid;
		(void)call(NANOSLEEP, (long)pause, 0, 0, 0, 0, 0);
		if (n % 10)
			continue;
		say("rounds ", n);
		if (!stop || call(ACCESS, (long)stop, 0, 0, 0, 0, 0) == 0)
			break;
	}
	for (;;)
		(void)call(EXIT_GROUP, wrong ? 1 : 0, 0, 0, 0, 0, 0);
}

void _start(void);
__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call run\n");
