/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restarts.h - results of an interrupted call that a program never sees: the kernel makes the call
 * again, or a handler runs and the program sees EINTR (include/linux/errno.h of the kernel)
 */
#ifndef BASE_RESTARTS_H
#define BASE_RESTARTS_H

enum {
	ERESTARTSYS = 512,	     /* a handler without SA_RESTART ends it */
	ERESTARTNOINTR = 513,	     /* made again in any case, after the handler */
	ERESTARTNOHAND = 514,	     /* any handler ends it */
	ERESTART_RESTARTBLOCK = 516, /* likewise; else restart_syscall(2) goes on with the rest */
};

#endif
