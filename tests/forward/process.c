/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.c - scenarios: who and what the process is, its children, objects of System V and POSIX
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/forward/scenarios.h"
#include "tests/fuzz/fuzz.h" /* MUST() */

void scenario_process(struct twin *t)
{
	uint64_t out = P(AT(4096)), cap;
	int64_t fd;

	CALL_(getppid);
	CALL_(getpgrp);
	CALL_(getpgid, 0);
	CALL_(getsid, 0);
	CALL_(getsid, 0x7fffffff);
	CALL_(setpgid, 0x7fffffff, 0);
	CALL_(getgroups, 0, 0);
	CALL_(getgroups, 100, out);
	CALL_(getgroups, (uint64_t)-1, out);
	CALL_(getresuid, out, out + 4, out + 8);
	CALL_(getresgid, out, out + 4, out + 8);
	CALL_(getresgid, out, P(t->hole), out + 8);
	CALL_(uname, out);
	CALL_(uname, P(t->hole));
	(void)QUIET(sysinfo, out);
	twin_forget(t, 4096, 112);
	cap = twin_bytes(t, 64, (uint32_t[]){ 0x20080522, 0 }, 8);
	CALL_(capget, cap, out);
	cap = twin_bytes(t, 64, (uint32_t[]){ 1, 0 }, 8);
	CALL_(capget, cap, out);
	CALL_(getrlimit, RLIMIT_NOFILE, out);
	CALL_(prlimit64, 0, RLIMIT_CORE, 0, out);
	CALL_(prlimit64, 0, 99, 0, out);
	(void)QUIET(getrusage, RUSAGE_SELF, out);
	(void)QUIET(times, out);
	twin_forget(t, 4096, 256);
	CALL_(getrusage, 99, out);
	CALL_(setpriority, PRIO_PROCESS, 0, 0);
	CALL_(getpriority, PRIO_PROCESS, 0);
	CALL_(sched_getscheduler, 0);
	CALL_(sched_getparam, 0, out);
	CALL_(sched_setparam, 0, twin_bytes(t, 80, (int[]){ 0 }, 4));
	CALL_(sched_setscheduler, 0, SCHED_OTHER, P(AT(80)));
	CALL_(sched_rr_get_interval, 0x7ffffff, out);
	CALL_(sched_getaffinity, 0, 128, out);
	CALL_(sched_getaffinity, 0, 3, out);
	CALL_(sched_setaffinity, 0, 128, out);
	(void)QUIET(sched_getattr, 0, out, 48, 0);
	twin_forget(t, 4096, 64);
	CALL_(ioprio_get, 1, 0);
	CALL_(ioprio_set, 1, 0, 0);
	CALL_(prctl, PR_GET_DUMPABLE);
	CALL_(prctl, PR_SET_DUMPABLE, 1);
	CALL_(prctl, PR_SET_PDEATHSIG, 0);
	CALL_(prctl, PR_GET_PDEATHSIG, out);
	CALL_(prctl, PR_GET_CHILD_SUBREAPER, out);
	CALL_(prctl, PR_CAPBSET_READ, 3);
	CALL_(prctl, PR_GET_SECUREBITS);
	CALL_(prctl, PR_GET_KEEPCAPS);
	CALL_(prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	CALL_(prctl, PR_SET_NAME, twin_text(t, 100, "twin-test"));
	CALL_(prctl, PR_SET_NAME, P(t->hole));
	CALL_(clock_gettime, 999, out);
	(void)QUIET(adjtimex, twin_bytes(t, 256, (uint8_t[208]){ 0 }, 208));
	(void)QUIET(clock_adjtime, CLOCK_REALTIME, P(AT(256)));
	twin_forget(t, 256, 208);
	fd = CALL_(memfd_create, twin_text(t, 100, "some memory"), MFD_ALLOW_SEALING);
	CALL_(fcntl, (uint64_t)fd, 1034);
	CALL_(fcntl, (uint64_t)fd, 1033, 2);
	CALL_(syncfs, (uint64_t)fd);
	CALL_(close, (uint64_t)fd);
	CALL_(ustat, 0, out);
	CALL_(file_getattr, (uint64_t)AT_FDCWD, twin_text(t, 100, "/no/such"), out, 24, 0);
}

/* numbers of children differ: a scenario sees them only as "its child" */
void scenario_children(struct twin *t)
{
	uint64_t status = twin_bytes(t, 64, (int[]){ 77 }, 4), info = P(AT(512)),
		 usage = P(AT(1024));
	siginfo_t si;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid == 0)
		_exit(3);
	MUST(QUIET(waitid, P_PID, (uint64_t)pid, info, WEXITED | WNOWAIT, usage) == 0);
	memcpy(&si, AT(512), sizeof(si));
	MUST(si.si_pid == pid && si.si_status == 3 && si.si_code == CLD_EXITED);
	si.si_pid = 0;
	si.si_utime = si.si_stime = 0;
	memcpy(AT(512), &si, sizeof(si));
	twin_forget(t, 1024, 144);
	MUST(QUIET(wait4, (uint64_t)pid, status, 0, usage) == pid);
	twin_forget(t, 1024, 144);
	CALL_(wait4, (uint64_t)-1, status, WNOHANG, usage);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	status = twin_bytes(t, 64, (int[]){ 77 }, 4);
	CALL_(wait4, (uint64_t)-1, status, WNOHANG, usage);
	CALL_(waitid, P_ALL, 0, info, WEXITED | WNOHANG, 0);
	(void)QUIET(kill, (uint64_t)pid, SIGKILL);
	MUST(QUIET(wait4, (uint64_t)pid, status, 0, 0) == pid);
	CALL_(getppid);
}

void scenario_objects(struct twin *t)
{
	static const struct {
		long type;
		char text[104];
	} message = { 5, "some text" };
	struct sembuf up = { 0, 2, 0 }, down = { 0, -1, IPC_NOWAIT };
	uint64_t out = P(AT(4096)), attr = twin_bytes(t, 1024, (int64_t[8]){ 0, 4, 100 }, 64), id;
	int64_t fd;

	/* numbers of objects differ from run to run */
	id = (uint64_t)QUIET(semget, IPC_PRIVATE, 2, 0600);
	MUST((int64_t)id >= 0 && QUIET(semop, id, twin_bytes(t, 64, &up, sizeof(up)), 1) == 0);
	MUST(QUIET(semctl, id, 0, 12) == 2);
	MUST(QUIET(semop, id, twin_bytes(t, 64, &down, sizeof(down)), 1) == 0);
	MUST(QUIET(semtimedop, id, P(AT(64)), 1, twin_bytes(t, 128, (int64_t[]){ 0, 1000 }, 16)) ==
	     0);
	MUST(QUIET(semtimedop, id, P(AT(64)), 1, P(AT(128))) == -EAGAIN);
	MUST(QUIET(semctl, id, 0, 16, 7) == 0 && QUIET(semctl, id, 0, 12) == 7);
	MUST(QUIET(semop, id, P(t->hole), 1) == -EFAULT);
	MUST(QUIET(semctl, id, 0, IPC_RMID) == 0);
	id = (uint64_t)QUIET(msgget, IPC_PRIVATE, 0600);
	MUST(QUIET(msgsnd, id, twin_bytes(t, 256, &message, sizeof(message)), 100, 0) == 0);
	MUST(QUIET(msgrcv, id, out, 100, 0, 0) == 100);
	MUST(QUIET(msgrcv, id, out + 256, 100, 0, IPC_NOWAIT) == -ENOMSG);
	MUST(QUIET(msgctl, id, IPC_STAT, P(AT(8192))) == 0);
	twin_forget(t, 8192, 120);
	MUST(QUIET(msgctl, id, IPC_RMID, 0) == 0);
	id = (uint64_t)QUIET(shmget, IPC_PRIVATE, 4096, 0600);
	MUST((int64_t)id >= 0 && QUIET(shmctl, id, IPC_RMID, 0) == 0);
	CALL_(semget, 0x7777, 0, 0);
	CALL_(msgsnd, 0x7fffffff, P(AT(256)), 100, 0);
	fd = CALL_(mq_open, twin_text(t, 512, "comosix-twin"), O_CREAT | O_RDWR | O_NONBLOCK, 0600,
		   attr);
	CALL_(mq_timedsend, (uint64_t)fd, twin_text(t, 600, "to the queue"), 12, 3, 0);
	CALL_(mq_timedreceive, (uint64_t)fd, out, 50, P(AT(700)), 0);
	CALL_(mq_timedreceive, (uint64_t)fd, out, 100, P(AT(700)), 0);
	CALL_(mq_timedreceive, (uint64_t)fd, out, 100, P(AT(700)), 0);
	CALL_(mq_getsetattr, (uint64_t)fd, 0, out);
	CALL_(mq_unlink, P(AT(512)));
	CALL_(close, (uint64_t)fd);
	(void)QUIET(add_key, twin_text(t, 800, "user"), twin_text(t, 820, "comosix-twin"),
		    P(AT(600)), 5, (uint64_t)-1);
	CALL_(request_key, twin_text(t, 800, "user"), twin_text(t, 820, "comosix-none"), 0, 0);
}
