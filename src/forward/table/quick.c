/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quick.c - calls whose answer is there at once */
#include "forward/table/quick.h"

#include <asm/unistd_64.h>

#include "base/attr.h"

/*
 * None that waits for another process, for a signal or for a time; read and write are not here, for
 * they may be of a pipe. An open may be of one as well, but hardly ever is.
 */
static const bool quick[] = {
	/* who and what the process is */
	[__NR_getppid] = true,
	[__NR_getpgid] = true,
	[__NR_getpgrp] = true,
	[__NR_getsid] = true,
	[__NR_getpriority] = true,
	[__NR_getrlimit] = true,
	[__NR_prlimit64] = true,
	[__NR_getrusage] = true,
	[__NR_times] = true,
	[__NR_clock_gettime] = true,
	[__NR_uname] = true,
	[__NR_sysinfo] = true,
	[__NR_umask] = true,
	[__NR_kill] = true,
	[__NR_tgkill] = true,
	/* names */
	[__NR_stat] = true,
	[__NR_lstat] = true,
	[__NR_newfstatat] = true,
	[__NR_statx] = true,
	[__NR_access] = true,
	[__NR_faccessat] = true,
	[__NR_faccessat2] = true,
	[__NR_readlink] = true,
	[__NR_readlinkat] = true,
	[__NR_getcwd] = true,
	[__NR_chdir] = true,
	[__NR_fchdir] = true,
	[__NR_open] = true,
	[__NR_openat] = true,
	[__NR_statfs] = true,
	/* descriptors */
	[__NR_fstat] = true,
	[__NR_fstatfs] = true,
	[__NR_lseek] = true,
	[__NR_pread64] = true,
	[__NR_pwrite64] = true,
	[__NR_getdents] = true,
	[__NR_getdents64] = true,
	[__NR_dup] = true,
	[__NR_dup2] = true,
	[__NR_dup3] = true,
	[__NR_pipe] = true,
	[__NR_pipe2] = true,
	[__NR_socket] = true,
	[__NR_getsockname] = true,
	[__NR_getpeername] = true,
	[__NR_getsockopt] = true,
	[__NR_setsockopt] = true,
	[__NR_epoll_ctl] = true,
	[__NR_eventfd2] = true,
	/* timers */
	[__NR_alarm] = true,
	[__NR_getitimer] = true,
	[__NR_setitimer] = true,
	[__NR_timer_gettime] = true,
	[__NR_timer_settime] = true,
	[__NR_timer_getoverrun] = true,
	[__NR_timerfd_gettime] = true,
	[__NR_timerfd_settime] = true,
};

bool table_is_quick(uint32_t nr)
{
	return nr < ARRAY_LEN(quick) && quick[nr];
}
