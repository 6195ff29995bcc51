/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_guest_box.c - the box of a guest: what cannot be done in it, and what an agent has to do
 *
 * Each case is a function that runs as the agent, in a box of its own. What it finds wrong it says
 * on a pipe, and the test fails with these words. Needs root; skipped without.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migrate/box.h"
#include "os/fd.h"
#include "test.h"

#define HOME_ID	     1234
#define SLOT	     (GUEST_BOX_SLOTS_MAX - 1)
#define GUEST_PID    4711
#define GUEST_THREAD 70001
#define MAP_VDSO_64  0x2003 /* ARCH_MAP_VDSO_64, asm/prctl.h */

#define WORDS_MAX 512

static int words; /* where a case says what is wrong; the write end, in the box */

/* in the box: this must hold */
#define HOLDS(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)dprintf(words, "line %d: %s: %s", __LINE__, #cond, strerror(errno)); \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static struct guest_box spec(void)
{
	return (struct guest_box){ .agent_uid = guest_box_agent_uid(SLOT),
				   .home_uid = HOME_ID,
				   .home_gid = HOME_ID + 1,
				   .processes = 64 };
}

/* the child of the test: outside, then inside runs the case */
static void NORETURN outside(struct guest_box *s, void (*run)(void), int to)
{
	struct err e = { 0 };
	int life, init = -1;

	words = to;
	if (to >= 0)
		s->fds[s->n_fds++] = to;
	if (guest_box_enter(s, &init, &life, &e) < 0) {
		(void)dprintf(words, "enter: %s", e.text);
		_exit(1);
	}
	if (init)
		_exit(guest_box_wait(init, life, 0));
	run();
	_exit(7);
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void in_box_of(struct guest_box *s, void (*run)(void))
{
	char text[WORDS_MAX] = "";
	size_t len = 0;
	int p[2], status;
	ssize_t n;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		(void)close(p[0]);
		outside(s, run, p[1]);
	}
	(void)close(p[1]);
	while (len < sizeof(text) - 1 && (n = read(p[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	(void)close(p[0]);
	status = wait_for(pid);
	if (text[0])
		fail_msg("%s", text);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7); /* the case's own, passed on */
}

static void in_box(void (*run)(void))
{
	struct guest_box s = spec();

	in_box_of(&s, run);
}

/* ---- walls ---- */

static unsigned int entries(const char *path, const char *but)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	unsigned int n = 0;

	HOLDS(dir);
	while ((d = readdir(dir)))
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
		     strcmp(d->d_name, but) != 0;
	(void)closedir(dir);
	return n;
}

static void see_no_files(void)
{
	HOLDS(entries("/", "proc") == 0);
	HOLDS(access("/etc/passwd", F_OK) < 0 && errno == ENOENT);
	HOLDS(access("/proc/sys", F_OK) < 0 && errno == ENOENT);
	HOLDS(open("/file", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
	HOLDS(mkdir("/proc/x", 0700) < 0);
	HOLDS(chdir("/..") == 0 && entries(".", "proc") == 0);
	/* the host's disks cannot be had */
	HOLDS(mknod("/proc/disk", S_IFBLK | 0600, 0xfe00) < 0);
	HOLDS(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) < 0 ||
	      mknod("/disk", S_IFBLK | 0600, 0xfe00) < 0);
}

static void it_sees_no_files(void **state)
{
	in_box(see_no_files);
}

static void see_nobody(void)
{
	unsigned int n = 0;

	for (pid_t pid = 1; pid < 100000; pid++)
		n += kill(pid, 0) == 0;
	HOLDS(n == 1 && getpid() == 1);
	HOLDS(kill(-1, 0) < 0 && errno == ESRCH);
}

static void it_sees_no_processes(void **state)
{
	in_box(see_nobody);
}

static void see_no_network(void)
{
	struct if_nameindex *list = if_nameindex();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq q = { .ifr_name = "lo" };

	HOLDS(list && list[0].if_index && !list[1].if_index);
	HOLDS(fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &q) == 0 && !(q.ifr_flags & IFF_UP));
}

static void it_sees_no_network(void **state)
{
	in_box(see_no_network);
}

static void have_few_rights(void)
{
	struct rlimit l;

	/* the clock of the machine, its name, a log, a raised limit */
	HOLDS(syscall(SYS_clock_settime, CLOCK_REALTIME, &(struct timespec){ 1, 0 }) < 0);
	HOLDS(syscall(SYS_syslog, 3, NULL, 0) < 0);
	HOLDS(syscall(SYS_init_module, NULL, 0, "") < 0);
	HOLDS(getrlimit(RLIMIT_NPROC, &l) == 0 && l.rlim_max == 64);
	l.rlim_max++;
	HOLDS(setrlimit(RLIMIT_NPROC, &l) < 0 && errno == EPERM);
	HOLDS(getrlimit(RLIMIT_CORE, &l) == 0 && l.rlim_max == 0);
	HOLDS(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	/* another user of the host */
	HOLDS(setresuid(1000, 1000, 1000) < 0 && errno == EINVAL);
}

static void it_has_few_rights(void **state)
{
	in_box(have_few_rights);
}

static void keep_few_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 3; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	HOLDS(n == 2); /* words and the report's, which ends with the box */
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;

		HOLDS(fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
	}
}

static void only_the_descriptors_of_the_list_are_kept(void **state)
{
	AUTO_CLOSE int fd = open("/", O_RDONLY); /* not CLOEXEC, and not on the list */

	assert_true(fd >= 0);
	in_box(keep_few_descriptors);
}

/* ---- what an agent does ---- */

/* a guest that waits to be killed; the agent's child */
static pid_t make_guest(void)
{
	struct guest_box s = spec();
	pid_t tid = GUEST_PID, pid;
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)&tid,
		.set_tid_size = 1,
	};
	int ready[2];
	char byte;

	HOLDS(pipe2(ready, O_CLOEXEC) == 0);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	HOLDS(pid >= 0);
	if (!pid) {
		struct err e = { 0 };

		if (guest_box_become_guest(&s, &e) < 0)
			(void)dprintf(words, "%s", e.text);
		(void)close(ready[0]);
		HOLDS(write(ready[1], "", 1) == 1);
		(void)close(ready[1]);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	HOLDS(read(ready[0], &byte, 1) == 1);
	(void)close(ready[0]);
	return pid;
}

static void choose_ids(void)
{
	pid_t pid = make_guest();
	struct stat st;

	HOLDS(pid == GUEST_PID);
	HOLDS(stat("/proc/4711", &st) == 0 && st.st_uid == HOME_ID && st.st_gid == HOME_ID + 1);
	HOLDS(kill(pid, SIGKILL) == 0);
}

static void process_ids_can_be_chosen(void **state)
{
	in_box(choose_ids);
}

static void set_clocks(void)
{
	struct timespec now, then;
	int status, fd;
	pid_t pid;

	HOLDS(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	HOLDS(unshare(CLONE_NEWTIME) == 0);
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	HOLDS(fd >= 0);
	HOLDS(dprintf(fd, "monotonic 5000 7\nboottime 6000 0\n") > 0);
	pid = fork();
	HOLDS(pid >= 0);
	if (!pid) {
		HOLDS(clock_gettime(CLOCK_MONOTONIC, &then) == 0);
		_exit(then.tv_sec - now.tv_sec >= 5000 ? 3 : 4);
	}
	HOLDS(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

static void clocks_can_be_set(void **state)
{
	in_box(set_clocks);
}

static volatile uint64_t target = 1; /* at the same address in agent and guest */
static const volatile uint64_t locked_target = 1;

/* in the guest by ptrace: one call, at the agent's own syscall instruction */
static int64_t inject(pid_t pid, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct user_regs_struct saved, regs;
	uint64_t insn = (uint64_t)syscall;
	int status;

	for (const uint8_t *p = (const uint8_t *)insn; p[0] != 0x0f || p[1] != 0x05; p++)
		insn = (uint64_t)(p + 1);
	HOLDS(ptrace(PTRACE_GETREGS, pid, NULL, &saved) == 0);
	regs = saved;
	regs.rip = insn;
	regs.orig_rax = (uint64_t)-1;
	regs.rax = (uint64_t)nr;
	regs.rdi = a;
	regs.rsi = b;
	regs.rdx = c;
	regs.r10 = d;
	regs.r8 = 0;
	HOLDS(ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0);
	HOLDS(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
	HOLDS(waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status));
	HOLDS(ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0);
	HOLDS(ptrace(PTRACE_SETREGS, pid, NULL, &saved) == 0);
	return (int64_t)regs.rax;
}

static void seize(pid_t pid)
{
	int status;

	HOLDS(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_EXITKILL) == 0);
	HOLDS(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0);
	HOLDS(waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status));
}

static void rule_the_guest(void)
{
	uint64_t value = 77;
	struct iovec from = { &value, sizeof(value) }, to = { (void *)&target, sizeof(target) };
	pid_t pid = make_guest();
	int mem, pidfd, fd;

	/* out of pause(2) first: a call is injected into a thread that is in none */
	seize(pid);
	HOLDS(process_vm_writev(pid, &from, 1, &to, 1, 0) == sizeof(value));
	HOLDS(ptrace(PTRACE_PEEKDATA, pid, &target, NULL) == 77 && target == 1);
	mem = open("/proc/4711/mem", O_RDWR | O_CLOEXEC);
	HOLDS(mem >= 0);
	HOLDS(pwrite(mem, &value, sizeof(value), (off_t)&locked_target) == sizeof(value));
	HOLDS(ptrace(PTRACE_PEEKDATA, pid, &locked_target, NULL) == 77);
	HOLDS(open("/proc/4711/pagemap", O_RDONLY | O_CLOEXEC) >= 0);
	HOLDS(access("/proc/4711/smaps", R_OK) == 0);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	HOLDS(pidfd >= 0);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, words, 0);
	HOLDS(fd >= 0);
	HOLDS(kill(pid, SIGKILL) == 0);
}

static void the_guest_is_ruled_by_the_agent(void **state)
{
	in_box(rule_the_guest);
}

static void make_map(struct prctl_mm_map *map)
{
	uint64_t at = (uint64_t)&target & ~4095ULL;

	*map = (struct prctl_mm_map){ .start_code = at,
				      .end_code = at + 1,
				      .start_data = at,
				      .end_data = at,
				      .start_brk = at + 8192,
				      .brk = at + 8192,
				      .start_stack = at,
				      .arg_start = at,
				      .arg_end = at + 1,
				      .env_start = at,
				      .env_end = at + 1,
				      .exe_fd = (uint32_t)-1 };
}

/* from [vvar] to the end of [vdso] */
static void find_vdso(uint64_t *ret_start, uint64_t *ret_end)
{
	FILE *maps = fopen("/proc/4711/maps", "r");
	char line[512];

	HOLDS(maps);
	*ret_start = *ret_end = 0;
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar") || strstr(line, "[vdso]")) {
			unsigned long from, to;

			HOLDS(sscanf(line, "%lx-%lx", &from, &to) == 2);
			*ret_start = *ret_start ? *ret_start : from;
			*ret_end = to;
		}
	(void)fclose(maps);
}

static void lay_out_the_guest(void)
{
	static struct prctl_mm_map map;
	static pid_t tid = GUEST_THREAD;
	static struct clone_args thread = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			 CLONE_SYSVSEM | CLONE_PTRACE,
		.set_tid_size = 1,
	};
	static char stack[4096];
	uint64_t start, end, start_now, end_now;
	pid_t pid;

	make_map(&map);
	thread.set_tid = (uint64_t)&tid;
	thread.stack = (uint64_t)stack; /* never used: it is killed at its first stop */
	thread.stack_size = sizeof(stack);
	pid = make_guest();
	find_vdso(&start, &end);
	seize(pid);
	/* the rest of pause(2), which would be done once more */
	(void)inject(pid, SYS_getpid, 0, 0, 0, 0);
	HOLDS(inject(pid, SYS_getpid, 0, 0, 0, 0) == GUEST_PID);
	HOLDS(inject(pid, SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, (uint64_t)&map, sizeof(map)) == 0);
	HOLDS(start && inject(pid, SYS_munmap, start, end - start, 0, 0) == 0);
	HOLDS(inject(pid, SYS_arch_prctl, MAP_VDSO_64, start, 0, 0) > 0);
	find_vdso(&start_now, &end_now);
	HOLDS(start_now == start && end_now == end);
	/* and with the one capability it has left, a thread with the id of home */
	HOLDS(inject(pid, SYS_clone3, (uint64_t)&thread, sizeof(thread), 0, 0) == GUEST_THREAD);
	HOLDS(kill(pid, SIGKILL) == 0);
}

static void the_guest_can_be_laid_out(void **state)
{
	in_box(lay_out_the_guest);
}

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &(char){ 0 }, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	HOLDS(sendmsg(socket, &m, 0) == 1);
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &(char){ 0 }, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd = -1;

	HOLDS(recvmsg(socket, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

/* the guest: getppid() is asked of the agent, all else is the kernel's */
static void NORETURN notifying_guest(int socket)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog f = { ARRAY_LEN(code), code };
	struct guest_box s = spec();
	int listener;

	HOLDS(guest_box_become_guest(&s, NULL) == 0);
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				SECCOMP_FILTER_FLAG_NEW_LISTENER | 1UL << 5, &f);
	HOLDS(listener >= 0);
	send_fd(socket, listener);
	_exit(getppid() == 4242 ? 0 : 1);
}

static void answer_calls(void)
{
	struct seccomp_notif_resp answer = { .val = 4242 };
	struct seccomp_notif call = { 0 };
	int pair[2], listener, status;
	pid_t pid;

	HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	pid = fork();
	HOLDS(pid >= 0);
	if (!pid)
		notifying_guest(pair[1]);
	listener = receive_fd(pair[0]);
	HOLDS(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0);
	HOLDS(call.pid == (uint32_t)pid && call.data.nr == SYS_getppid);
	answer.id = call.id;
	HOLDS(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0);
	HOLDS(waitpid(pid, &status, 0) == pid && status == 0);
}

static void calls_of_the_guest_are_answered_by_the_agent(void **state)
{
	in_box(answer_calls);
}

/* the other way round: the guest rules nobody */
static void NORETURN attack(void)
{
	struct guest_box s = spec();
	char byte = 0;
	struct iovec local = { &byte, 1 }, remote = { (void *)&target, 1 };

	HOLDS(guest_box_become_guest(&s, NULL) == 0);
	HOLDS(getuid() == HOME_ID && getgid() == HOME_ID + 1);
	HOLDS(ptrace(PTRACE_SEIZE, 1, NULL, NULL) < 0 && errno == EPERM);
	HOLDS(process_vm_readv(1, &local, 1, &remote, 1, 0) < 0 && errno == EPERM);
	HOLDS(open("/proc/1/mem", O_RDONLY) < 0 && errno == EACCES);
	HOLDS(kill(1, SIGKILL) < 0 && errno == EPERM);
	HOLDS(setresuid(0, 0, 0) < 0 && errno == EPERM);
	HOLDS(unshare(CLONE_NEWNS) < 0 && errno == EPERM);
	HOLDS(mount("x", "/", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	_exit(0);
}

static void be_attacked(void)
{
	int status;
	pid_t pid = fork();

	HOLDS(pid >= 0);
	if (!pid)
		attack();
	HOLDS(waitpid(pid, &status, 0) == pid && status == 0);
}

static void the_guest_rules_nobody(void **state)
{
	in_box(be_attacked);
}

/* as many as the spec says, the guest included; and they all end with the box */
static void NORETURN fill_the_box(void)
{
	struct guest_box s = spec();
	unsigned int n = 1;
	pid_t pid;

	HOLDS(guest_box_become_guest(&s, NULL) == 0);
	while ((pid = fork()) > 0)
		n++;
	if (!pid)
		for (;;)
			(void)pause();
	HOLDS(errno == EAGAIN && n == s.processes);
	_exit(0);
}

static void be_filled(void)
{
	int status;
	pid_t pid = fork();

	HOLDS(pid >= 0);
	if (!pid)
		fill_the_box();
	HOLDS(waitpid(pid, &status, 0) == pid && status == 0);
}

static void processes_are_limited(void **state)
{
	in_box(be_filled);
}

/* ---- seen from the host ---- */

static void wait_for_the_end(void)
{
	HOLDS(write(words, "r", 1) == 1);
	for (;;)
		(void)pause();
}

/* pid of the only child of a process */
static pid_t child_of(pid_t pid)
{
	char path[64], text[64] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	return (pid_t)strtol(text, NULL, 10);
}

static void read_text(pid_t pid, const char *name, char *to, size_t len)
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	n = read(fd, to, len - 1);
	assert_true(n >= 0);
	to[n] = '\0';
}

static void outside_it_is_nobody_and_ends_together(void **state)
{
	char text[4096], want[64], byte;
	struct guest_box s = spec();
	int p[2], init_fd;
	pid_t pid, init;

	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		(void)close(p[0]);
		outside(&s, wait_for_the_end, p[1]);
	}
	(void)close(p[1]);
	assert_int_equal(read(p[0], &byte, 1), 1);
	init = child_of(pid);
	read_text(init, "status", text, sizeof(text));
	(void)snprintf(want, sizeof(want), "\nUid:\t%u\t%u\t%u\t%u\n", s.agent_uid, s.agent_uid,
		       s.agent_uid, s.agent_uid);
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, "\nGroups:\t \n"));
	read_text(init, "oom_score_adj", text, sizeof(text));
	assert_string_equal(text, "1000\n");
	/* the one that waits has no right any more either */
	read_text(pid, "status", text, sizeof(text));
	assert_non_null(strstr(text, want));
	/* its end is the end of the box */
	init_fd = (int)syscall(SYS_pidfd_open, init, 0);
	assert_true(init_fd >= 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(poll(&(struct pollfd){ init_fd, POLLIN, 0 }, 1, -1), 1);
	assert_int_equal(wait_for(pid), SIGKILL);
	(void)close(init_fd);
	(void)close(p[0]);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		struct guest_box s;
		int code;
		const char *part;
	} rows[] = {
		{ { .agent_uid = 0, .home_uid = 1000, .home_gid = 1000 }, -EINVAL, "root" },
		{ { .agent_uid = 70000, .home_uid = 0, .home_gid = 1000 }, -EINVAL, "root" },
		{ { .agent_uid = 70000, .home_uid = 1000, .home_gid = 0 }, -EINVAL, "root" },
		{ { .agent_uid = 70000, .home_uid = 1000, .home_gid = 1000, .n_fds = 9 },
		  -EINVAL,
		  "9 descriptors" },
		{ { .agent_uid = 70000,
		    .home_uid = 1000,
		    .home_gid = 1000,
		    .groups = { "/nowhere" } },
		  -ENOENT,
		  "'/nowhere'" },
	};

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		pid_t init = -1;
		int life;

		assert_int_equal(guest_box_enter(&rows[i].s, &init, &life, &e), rows[i].code);
		if (!strstr(e.text, rows[i].part))
			fail_msg("'%s' does not say '%s'", e.text, rows[i].part);
	}
}

/* a cgroup of version 1 or 2 that may be made here; "" when there is none */
static void make_group(char *to, size_t len)
{
	static const char *const roots[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup" };
	char path[128];

	to[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		(void)snprintf(path, sizeof(path), "%s/cgroup.procs", roots[i]);
		if (access(path, W_OK) < 0)
			continue;
		(void)snprintf(to, len, "%s/test_guest_box.%d", roots[i], getpid());
		if (!mkdir(to, 0755))
			return;
		to[0] = '\0';
	}
}

static void see_no_cgroup(void)
{
	char text[4096] = "";
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

	HOLDS(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	HOLDS(!strstr(text, "test_guest_box"));
}

static void it_is_in_its_cgroup(void **state)
{
	struct guest_box s = spec();
	char dir[128], byte, text[256];
	pid_t pid;
	int p[2];

	if (geteuid() != 0)
		skip();
	make_group(dir, sizeof(dir));
	if (!dir[0])
		skip();
	s.groups[0] = dir;
	in_box_of(&s, see_no_cgroup); /* in a namespace of its own it is the root */
	s.n_fds = 0;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		(void)close(p[0]);
		outside(&s, wait_for_the_end, p[1]);
	}
	(void)close(p[1]);
	assert_int_equal(read(p[0], &byte, 1), 1);
	(void)snprintf(text, sizeof(text), "%s/cgroup.procs", dir);
	FILE *f = fopen(text, "r");
	unsigned int seen = 0;

	assert_non_null(f);
	while (fgets(text, sizeof(text), f)) {
		pid_t in = (pid_t)strtol(text, NULL, 10);

		seen += in == pid || in == child_of(pid);
	}
	(void)fclose(f);
	assert_int_equal(seen, 2);
	assert_int_equal(kill(pid, SIGKILL), 0);
	/* the agent holds the pipe until it has ended too */
	assert_int_equal(read(p[0], &byte, 1), 0);
	assert_int_equal(wait_for(pid), SIGKILL);
	(void)close(p[0]);
	while (rmdir(dir) < 0)
		assert_int_equal(errno, EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_sees_no_files),
		cmocka_unit_test(it_sees_no_processes),
		cmocka_unit_test(it_sees_no_network),
		cmocka_unit_test(it_has_few_rights),
		cmocka_unit_test(only_the_descriptors_of_the_list_are_kept),
		cmocka_unit_test(process_ids_can_be_chosen),
		cmocka_unit_test(clocks_can_be_set),
		cmocka_unit_test(the_guest_is_ruled_by_the_agent),
		cmocka_unit_test(the_guest_can_be_laid_out),
		cmocka_unit_test(calls_of_the_guest_are_answered_by_the_agent),
		cmocka_unit_test(the_guest_rules_nobody),
		cmocka_unit_test(processes_are_limited),
		cmocka_unit_test(outside_it_is_nobody_and_ends_together),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(it_is_in_its_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
