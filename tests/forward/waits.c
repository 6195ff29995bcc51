/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waits.c - scenarios: waiting for files, terminals, timers */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/forward/scenarios.h"
#include "tests/fuzz/fuzz.h" /* MUST() */

void scenario_waiting(struct twin *t)
{
	struct pollfd f[3];
	uint64_t polls, zero, mask = twin_bytes(t, 600, (uint64_t[]){ 1ULL << (SIGUSR2 - 1) }, 8);
	fd_set set;
	int p[2];

	CALL_(pipe, P(AT(0)));
	memcpy(p, AT(0), sizeof(p));
	CALL_(write, (uint64_t)p[1], P(AT(0)), 1);
	f[0] = (struct pollfd){ .fd = p[0], .events = POLLIN };
	f[1] = (struct pollfd){ .fd = p[1], .events = POLLOUT | POLLIN };
	f[2] = (struct pollfd){ .fd = 777, .events = POLLOUT };
	polls = twin_bytes(t, 64, f, sizeof(f));
	zero = twin_bytes(t, 256, (int64_t[]){ 0, 0 }, 16);
	CALL_(poll, polls, 3, (uint64_t)-1);
	CALL_(poll, polls, 1, 0);
	CALL_(poll, polls, 0, 1);
	CALL_(poll, P(t->hole), 2, 0);
	CALL_(ppoll, polls, 3, zero, mask, 8);
	CALL_(ppoll, polls, 3, 0, 0, 8);
	CALL_(ppoll, polls, 3, zero, mask, 7);
	CALL_(ppoll, polls, 3, zero, P(t->hole), 8);
	CALL_(ppoll, polls, 0, twin_bytes(t, 256, (int64_t[]){ 0, -4 }, 16), 0, 8);
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	FD_SET(p[1], &set);
	(void)twin_bytes(t, 1024, &set, sizeof(set));
	(void)twin_bytes(t, 2048, &set, sizeof(set));
	zero = twin_bytes(t, 256, (int64_t[]){ 0, 0 }, 16);
	CALL_(select, (uint64_t)(p[1] + 1), P(AT(1024)), P(AT(2048)), 0, zero);
	CALL_(select, 0, 0, 0, 0, zero);
	CALL_(select, (uint64_t)-1, 0, 0, 0, zero);
	FD_SET(60, &set); /* closed, within the table; what is beyond is not looked at */
	CALL_(select, 61, twin_bytes(t, 1024, &set, sizeof(set)), 0, 0, zero);
	FD_CLR(60, &set);
	CALL_(pselect6, (uint64_t)(p[1] + 1), twin_bytes(t, 1024, &set, sizeof(set)), 0, 0, zero,
	      twin_bytes(t, 700, (uint64_t[]){ mask, 8 }, 16));
	CALL_(pselect6, 1, 0, 0, 0, zero, twin_bytes(t, 700, (uint64_t[]){ mask, 9 }, 16));
	CALL_(pselect6, 1, 0, 0, P(t->hole), zero, 0);
	CALL_(close, (uint64_t)p[0]);
	CALL_(close, (uint64_t)p[1]);
	CALL_(nanosleep, twin_bytes(t, 256, (int64_t[]){ 0, 1000 }, 16), P(AT(300)));
	CALL_(nanosleep, twin_bytes(t, 256, (int64_t[]){ 0, 2000000000 }, 16), P(AT(300)));
	CALL_(nanosleep, P(t->hole), P(AT(300)));
	CALL_(clock_nanosleep, 1, TIMER_ABSTIME, twin_bytes(t, 256, (int64_t[]){ 1, 0 }, 16), 0);
	CALL_(clock_nanosleep, 1, 0, twin_bytes(t, 256, (int64_t[]){ 0, 10 }, 16), 0);
}

void scenario_epoll(struct twin *t)
{
	struct epoll_event want = { .events = EPOLLIN, .data.u64 = 0x123456789abcdef0 };
	uint64_t mask = twin_bytes(t, 600, (uint64_t[]){ 0 }, 8), event, got = P(AT(4096));
	int64_t e, v;

	e = CALL_(epoll_create1, EPOLL_CLOEXEC);
	v = CALL_(eventfd2, 3, 0);
	event = twin_bytes(t, 64, &want, sizeof(want));
	CALL_(epoll_ctl, (uint64_t)e, EPOLL_CTL_ADD, (uint64_t)v, event);
	CALL_(epoll_ctl, (uint64_t)e, EPOLL_CTL_ADD, (uint64_t)v, event);
	CALL_(epoll_ctl, (uint64_t)e, EPOLL_CTL_MOD, (uint64_t)v, P(t->hole));
	CALL_(epoll_wait, (uint64_t)e, got, 10, (uint64_t)-1);
	CALL_(epoll_wait, (uint64_t)e, got, 100000, 0);
	CALL_(epoll_wait, (uint64_t)e, got, 0, 0);
	CALL_(epoll_wait, (uint64_t)e, P(t->hole), 1, 0);
	CALL_(epoll_pwait, (uint64_t)e, got, 10, 0, mask, 8);
	CALL_(epoll_pwait2, (uint64_t)e, got, 10, twin_bytes(t, 128, (int64_t[]){ 0, 0 }, 16), mask,
	      8);
	CALL_(read, (uint64_t)v, P(AT(200)), 8);
	CALL_(epoll_wait, (uint64_t)e, got, 10, 0);
	CALL_(write, (uint64_t)v, twin_bytes(t, 200, (uint64_t[]){ 4 }, 8), 8);
	CALL_(write, (uint64_t)v, P(AT(200)), 4);
	CALL_(epoll_ctl, (uint64_t)e, EPOLL_CTL_DEL, (uint64_t)v, 0);
	CALL_(close, (uint64_t)v);
	CALL_(close, (uint64_t)e);
	e = CALL_(epoll_create, 1);
	CALL_(close, (uint64_t)e);
	v = CALL_(eventfd, 0);
	CALL_(close, (uint64_t)v);
}

void scenario_terminal(struct twin *t)
{
	struct winsize size = { 24, 80, 0, 0 };
	uint64_t tio = P(AT(4096));
	char path[32];
	int64_t m, s;
	int number = 0;

	m = CALL_(open, twin_text(t, 0, "/dev/ptmx"), O_RDWR | O_NOCTTY, 0);
	(void)QUIET(ioctl, (uint64_t)m, TIOCGPTN, P(AT(64)));
	memcpy(&number, AT(64), sizeof(number));
	twin_forget(t, 64, 4);
	CALL_(ioctl, (uint64_t)m, TIOCSPTLCK, twin_bytes(t, 64, (int[]){ 0 }, 4));
	CALL_(ioctl, (uint64_t)m, TIOCGPTLCK, P(AT(64)));
	(void)snprintf(path, sizeof(path), "/dev/pts/%d", number);
	s = QUIET(open, twin_text(t, 128, path), O_RDWR | O_NOCTTY, 0);
	twin_forget(t, 128, sizeof(path));
	CALL_(ioctl, (uint64_t)s, TCGETS, tio);
	CALL_(ioctl, (uint64_t)s, TCSETS, tio);
	CALL_(ioctl, (uint64_t)s, TCSETSW, tio);
	CALL_(ioctl, (uint64_t)s, TCSETSF, P(t->hole));
	CALL_(ioctl, (uint64_t)s, 0x802c542a, tio + 128);
	CALL_(ioctl, (uint64_t)s, 0x402c542b, tio + 128);
	CALL_(ioctl, (uint64_t)s, TCGETA, tio + 256);
	CALL_(ioctl, (uint64_t)m, TIOCSWINSZ, twin_bytes(t, 256, &size, sizeof(size)));
	CALL_(ioctl, (uint64_t)s, TIOCGWINSZ, P(AT(300)));
	CALL_(ioctl, (uint64_t)s, TIOCGPGRP, P(AT(320)));
	CALL_(ioctl, (uint64_t)s, TIOCGSID, P(AT(320)));
	CALL_(ioctl, (uint64_t)s, TCXONC, TCOON);
	CALL_(ioctl, (uint64_t)s, TCFLSH, TCIOFLUSH);
	CALL_(ioctl, (uint64_t)s, TCSBRK, 1);
	CALL_(ioctl, (uint64_t)s, TIOCOUTQ, P(AT(340)));
	CALL_(ioctl, (uint64_t)s, TIOCEXCL, 0);
	CALL_(ioctl, (uint64_t)s, TIOCNXCL, 0);
	CALL_(ioctl, (uint64_t)s, TIOCGETD, P(AT(360)));
	CALL_(ioctl, (uint64_t)m, TIOCPKT, twin_bytes(t, 380, (int[]){ 1 }, 4));
	CALL_(ioctl, (uint64_t)m, TIOCGPKT, P(AT(384)));
	CALL_(ioctl, (uint64_t)m, TIOCPKT, twin_bytes(t, 380, (int[]){ 0 }, 4));
	CALL_(write, (uint64_t)m, twin_text(t, 400, "hello\n"), 6);
	CALL_(read, (uint64_t)s, P(AT(500)), 100);
	CALL_(close, (uint64_t)s);
	CALL_(close, (uint64_t)m);
}

void scenario_timers(struct twin *t)
{
	struct itimerspec hour = { .it_value = { 3600, 0 } }, never = { 0 };
	struct itimerval later = { .it_value = { 7200, 0 } };
	struct sigevent quiet = { .sigev_notify = SIGEV_NONE };
	uint64_t old = P(AT(4096)), id;
	int64_t fd;
	int timer;

	fd = CALL_(timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK);
	CALL_(timerfd_settime, (uint64_t)fd, 0, twin_bytes(t, 64, &hour, sizeof(hour)), old);
	(void)QUIET(timerfd_gettime, (uint64_t)fd, old);
	twin_forget(t, 4096, 32);
	CALL_(timerfd_settime, (uint64_t)fd, 0, twin_bytes(t, 64, &never, sizeof(never)), 0);
	CALL_(timerfd_gettime, (uint64_t)fd, old);
	CALL_(timerfd_settime, (uint64_t)fd, TFD_TIMER_ABSTIME,
	      twin_bytes(t, 64, &(struct itimerspec){ .it_value = { 1, 0 } }, 32), 0);
	CALL_(read, (uint64_t)fd, P(AT(200)), 8);
	CALL_(read, (uint64_t)fd, P(AT(200)), 8);
	CALL_(close, (uint64_t)fd);
	(void)QUIET(timer_create, CLOCK_MONOTONIC, twin_bytes(t, 256, &quiet, sizeof(quiet)),
		    P(AT(400)));
	memcpy(&timer, AT(400), sizeof(timer));
	twin_forget(t, 400, 4);
	id = (uint64_t)timer;
	(void)QUIET(timer_settime, id, 0, twin_bytes(t, 64, &hour, sizeof(hour)), old);
	(void)QUIET(timer_gettime, id, old + 64);
	twin_forget(t, 4096, 128);
	(void)QUIET(timer_getoverrun, id);
	(void)QUIET(timer_delete, id);
	CALL_(timer_delete, 0x7000);
	CALL_(timer_create, 777, 0, P(AT(400)));
	CALL_(setitimer, ITIMER_REAL, twin_bytes(t, 64, &later, sizeof(later)), old);
	(void)QUIET(getitimer, ITIMER_REAL, old);
	twin_forget(t, 4096, 32);
	CALL_(alarm, 0);
	CALL_(alarm, 1000);
	CALL_(alarm, 0);
	CALL_(setitimer, 17, P(AT(64)), old);
	CALL_(clock_getres, 1000, old);
}

/* SIGUSR2 is blocked by the test: what is sent stays until it is read */
void scenario_signalfd(struct twin *t)
{
	uint64_t set = twin_bytes(t, 64, (uint64_t[]){ 1ULL << (SIGUSR2 - 1) }, 8);
	siginfo_t info = { .si_signo = SIGUSR2, .si_code = SI_QUEUE };
	int64_t fd;

	fd = CALL_(signalfd4, (uint64_t)-1, set, 8, SFD_NONBLOCK);
	CALL_(signalfd, (uint64_t)fd, set, 8);
	CALL_(signalfd4, (uint64_t)-1, P(t->hole), 8, 0);
	CALL_(signalfd4, (uint64_t)-1, set, 9, 0);
	CALL_(kill, (uint64_t)getpid(), SIGUSR2);
	CALL_(read, (uint64_t)fd, P(AT(4096)), 4096);
	CALL_(read, (uint64_t)fd, P(AT(4096)), 4096);
	CALL_(rt_sigqueueinfo, (uint64_t)getpid(), SIGUSR2,
	      twin_bytes(t, 512, &info, sizeof(info)));
	CALL_(read, (uint64_t)fd, P(AT(4096)), 4096);
	CALL_(close, (uint64_t)fd);
}

void scenario_signals(struct twin *t)
{
	siginfo_t info = { .si_signo = SIGUSR2, .si_code = SI_QUEUE };
	int64_t fd;

	CALL_(kill, (uint64_t)getpid(), 0);
	CALL_(kill, (uint64_t)getpid(), 200);
	CALL_(tkill, (uint64_t)getpid(), 0);
	CALL_(tgkill, (uint64_t)getpid(), (uint64_t)getpid(), 0);
	CALL_(rt_tgsigqueueinfo, (uint64_t)getpid(), (uint64_t)getpid(), 0,
	      twin_bytes(t, 512, &info, sizeof(info)));
	fd = CALL_(pidfd_open, (uint64_t)getpid(), 0);
	CALL_(pidfd_send_signal, (uint64_t)fd, 0, 0, 0);
	CALL_(close, (uint64_t)fd);
}

void scenario_changes(struct twin *t)
{
	int64_t i, w;

	twin_enter_scratch();
	i = CALL_(inotify_init1, IN_NONBLOCK);
	w = CALL_(inotify_add_watch, (uint64_t)i, twin_text(t, 0, "."), IN_CREATE | IN_DELETE);
	CALL_(mkdir, twin_text(t, 0, "d"), 0700);
	CALL_(rmdir, P(AT(0)));
	CALL_(read, (uint64_t)i, P(AT(8192)), 4096);
	CALL_(inotify_rm_watch, (uint64_t)i, (uint64_t)w);
	CALL_(close, (uint64_t)i);
	i = CALL_(inotify_init);
	CALL_(close, (uint64_t)i);
}
