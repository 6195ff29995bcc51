/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "forward/away/ahead.h"

#include <asm/unistd_64.h>

/* ----------------------------------------------------------------- detection */

static struct ahead_fd *find(struct ahead *a, uint32_t fd)
{
	for (unsigned int i = 0; i < AHEAD_FDS; i++)
		if (a->fds[i].reads && a->fds[i].fd == fd)
			return &a->fds[i];
	return 0;
}

static struct ahead_fd *make(struct ahead *a, uint32_t fd)
{
	struct ahead_fd *oldest = &a->fds[0];

	for (unsigned int i = 0; i < AHEAD_FDS; i++) {
		if (!a->fds[i].reads) {
			oldest = &a->fds[i];
			break;
		}
		if (a->fds[i].used < oldest->used)
			oldest = &a->fds[i];
	}
	*oldest = (struct ahead_fd){ .fd = fd };
	return oldest;
}

static bool once_more(struct ahead *a, uint32_t fd, bool at, uint64_t offset, uint64_t n)
{
	struct ahead_fd *v = find(a, fd);

	if (!v)
		v = make(a, fd);
	if (v->at != at || (at && v->next != offset))
		v->reads = 0;
	v->at = at;
	v->next = offset + n;
	v->used = ++a->clock;
	if (v->reads < AHEAD_READS)
		v->reads++;
	return v->reads == AHEAD_READS && !v->never;
}

bool ahead_read(struct ahead *a, uint32_t fd)
{
	return once_more(a, fd, false, 0, 0);
}

bool ahead_read_at(struct ahead *a, uint32_t fd, uint64_t offset, uint64_t n)
{
	return once_more(a, fd, true, offset, n);
}

void ahead_never(struct ahead *a, uint32_t fd)
{
	struct ahead_fd *v = find(a, fd);

	if (v)
		v->never = true;
}

void ahead_forget(struct ahead *a, uint32_t fd)
{
	struct ahead_fd *v = find(a, fd);

	if (v)
		v->reads = 0;
}

void ahead_forget_all(struct ahead *a)
{
	*a = (struct ahead){ 0 };
}

/* ------------------------------------------------------------ harmless calls */

enum kind {
	NO_OTHER = 0, /* not in the table: it may do anything to any descriptor */
	ANY,	      /* whatever it is given */
	ANOTHER,      /* when its first argument is another descriptor */
};

static const uint8_t kinds[] = {
	/* what they do is not to offset, content or number of a file that is open for reading */
	[__NR_pread64] = ANY,
	[__NR_preadv] = ANY,
	[__NR_fstat] = ANY,
	[__NR_newfstatat] = ANY,
	[__NR_stat] = ANY,
	[__NR_lstat] = ANY,
	[__NR_access] = ANY,
	[__NR_readlink] = ANY,
	[__NR_getcwd] = ANY,
	[__NR_open] = ANY,
	[__NR_openat] = ANY,
	[__NR_pipe] = ANY,
	[__NR_pipe2] = ANY,
	[__NR_socket] = ANY,
	[__NR_poll] = ANY,
	[__NR_ppoll] = ANY,
	[__NR_select] = ANY,
	[__NR_pselect6] = ANY,
	[__NR_nanosleep] = ANY,
	[__NR_clock_nanosleep] = ANY,
	[__NR_restart_syscall] = ANY,
	[__NR_pause] = ANY,
	[__NR_getuid] = ANY,
	[__NR_geteuid] = ANY,
	[__NR_getgid] = ANY,
	[__NR_getegid] = ANY,
	[__NR_getppid] = ANY,
	[__NR_getrusage] = ANY,
	[__NR_times] = ANY,
	[__NR_uname] = ANY,
	[__NR_sysinfo] = ANY,
	[__NR_rt_sigaction] = ANY,
	[__NR_rt_sigtimedwait] = ANY,
	[__NR_kill] = ANY,
	[__NR_tgkill] = ANY,
	[__NR_wait4] = ANY,
	[__NR_mkdir] = ANY,
	[__NR_unlink] = ANY,
	[__NR_rename] = ANY,
	[__NR_read] = ANOTHER,
	[__NR_readv] = ANOTHER,
	[__NR_write] = ANOTHER,
	[__NR_writev] = ANOTHER,
	[__NR_pwrite64] = ANOTHER,
	[__NR_close] = ANOTHER,
	[__NR_lseek] = ANOTHER,
	[__NR_getdents64] = ANOTHER,
	[__NR_ioctl] = ANOTHER,
	[__NR_fsync] = ANOTHER,
	[__NR_fdatasync] = ANOTHER,
	[__NR_epoll_wait] = ANOTHER,
	[__NR_recvfrom] = ANOTHER,
	[__NR_sendto] = ANOTHER,
};

bool ahead_is_harmless(uint32_t nr, const uint64_t args[6], uint32_t fd)
{
	enum kind kind = nr < ARRAY_LEN(kinds) ? (enum kind)kinds[nr] : NO_OTHER;

	return kind == ANY || (kind == ANOTHER && (uint32_t)args[0] != fd);
}

/* -------------------------------------------------------------------- window */

void ahead_window_init(struct ahead_window *w, uint64_t offset)
{
	*w = (struct ahead_window){ .size = AHEAD_WINDOW_MIN / 2, .upto = offset };
}

bool ahead_window_more(struct ahead_window *w, uint64_t offset, uint32_t most)
{
	if (w->size > most) /* it has become less: what was asked for stays asked for */
		w->size = most;
	if (offset + w->size / 2 < w->upto)
		return false;
	w->size = w->size < most / 2 ? w->size * 2 : most;
	w->upto = offset + w->size;
	return true;
}
