/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sig_segv.c - faults of the program itself come with cause and address, and a handler may put them
 * right
 */
#include "victim.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PAGE 4096

static unsigned char *page;
static volatile sig_atomic_t repaired, fpe_code, ill, trap;
static void *volatile at;

static void on_segv(int signal, siginfo_t *info, void *context)
{
	at = info->si_addr;
	repaired += info->si_code == SEGV_ACCERR &&
		    mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0;
}

static void skip_instruction(void *context, int bytes)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += bytes;
}

static void on_fpe(int signal, siginfo_t *info, void *context)
{
	fpe_code = info->si_code;
	skip_instruction(context, 2); /* idiv %ecx */
}

static void on_ill(int signal, siginfo_t *info, void *context)
{
	ill++;
	skip_instruction(context, 2); /* ud2 */
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	trap++;
}

static void catch (int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	NEED(sigaction(signal, &sa, NULL) == 0);
}

int main(void)
{
	int n = 0;

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(page != MAP_FAILED);
	catch (SIGSEGV, on_segv);
	catch (SIGFPE, on_fpe);
	catch (SIGILL, on_ill);
	catch (SIGTRAP, on_trap);
	victim_ready();
	while (victim_round()) {
		n++;
		CHECK_EQ(mprotect(page, PAGE, PROT_READ), 0);
		*(volatile unsigned char *)(page + 123) = (unsigned char)n;
		CHECK_EQ(repaired, n);
		CHECK(at == page + 123);
		CHECK_EQ(page[123], (unsigned char)n);

		fpe_code = 0;
		__asm__ volatile("xor %%ecx, %%ecx\n\t"
				 "xor %%edx, %%edx\n\t"
				 "mov $1, %%eax\n\t"
				 "idiv %%ecx"
				 :
				 :
				 : "eax", "ecx", "edx", "cc");
		CHECK_EQ(fpe_code, FPE_INTDIV);
		__asm__ volatile("ud2");
		CHECK_EQ(ill, n);
		__asm__ volatile("int3");
		CHECK_EQ(trap, n);
	}
	return victim_end();
}
