/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idle.c - calls that do nothing but wait */
#include "forward/table/idle.h"

#include <asm/unistd_64.h>

bool table_is_idle(uint32_t nr)
{
	switch (nr) {
	case __NR_restart_syscall: /* of a sleep */
	case __NR_poll:
	case __NR_ppoll:
	case __NR_select:
	case __NR_pselect6:
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
	case __NR_epoll_pwait2:
		return true;
	default:
		return false;
	}
}
