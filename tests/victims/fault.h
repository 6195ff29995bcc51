/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.h - touch memory that may not be touched, and see which signal comes of it */
#ifndef TESTS_VICTIMS_FAULT_H
#define TESTS_VICTIMS_FAULT_H

enum touch {
	TOUCH_READ,
	TOUCH_WRITE,
	TOUCH_RUN
};

/* what came of it */
struct fault {
	int signal; /* 0: nothing, the memory was there */
	int code;   /* si_code */
	void *at;   /* si_addr */
};

/**
 * fault_of() - Read a byte, write the byte that is there, or call what is there as a void function
 *
 * Catches SIGSEGV and SIGBUS for the time of the call. One thread at a time.
 */
struct fault fault_of(void *at, enum touch how);

#endif
