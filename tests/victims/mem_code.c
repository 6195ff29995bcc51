/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_code.c - code that the program writes into a page runs when the page is executable and only
 * then
 */
#include "fault.h"
#include "victim.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096

int main(void)
{
	/* endbr64; mov $value, %eax; ret */
	unsigned char code[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0xb8, 0, 0, 0, 0, 0xc3 };
	unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	int value = 0;

	NEED(page != MAP_FAILED);
	memcpy(page, code, sizeof(code));
	NEED(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	victim_ready();
	while (victim_round()) {
		struct fault f;

		CHECK_EQ(((int (*)(void))(void *)page)(), value);
		value++;
		CHECK_EQ(mprotect(page, PAGE, PROT_READ | PROT_WRITE), 0);
		memcpy(code + 5, &value, sizeof(value));
		memcpy(page, code, sizeof(code));
		f = fault_of(page, TOUCH_RUN);
		CHECK_EQ(f.signal, SIGSEGV);
		CHECK(f.at == page);
		CHECK_EQ(mprotect(page, PAGE, PROT_READ | PROT_EXEC), 0);
		CHECK_EQ(((int (*)(void))(void *)page)(), value);
	}
	return victim_end();
}
