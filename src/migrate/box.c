/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * box.c - the box around a guest: what comosix-guest puts between itself and the host
 *
 * Theory of operation.
 *
 *	outside (root)                  mapper (root)          agent (pid 1)
 *	enter cgroups, be polite
 *	fork                      ----> wait
 *	unshare all namespaces
 *	                          ----> uid_map, gid_map
 *	be uid 0 of the new one   <---- exit
 *	fork                      ------------------------->   its own root, /proc, limits, rights
 *	                          <-------------------------   "built", or why not
 *	                          ------------------------->   go
 *	wait, as nobody           <------------------------    the caller's code, and a byte of life
 *
 * The user namespace is made before, and owns, the pid namespace: only so the agent may choose
 * process ids, mount /proc and set clock offsets. The maps are written from the parent namespace by
 * a process that is still root there, for outside itself stops to be root when it unshares. The
 * cgroup is entered while the host's files are seen; the limit on processes is set after the user
 * namespace was made, else the kernel would hold all of root's processes on this machine against it
 * (ucounts, user_namespaces(7)). PR_SET_PDEATHSIG is cleared by each change of ids, so it is set
 * last, and "go" comes after it: an outside that died in between is seen as the end of the stream.
 *
 * An agent that stands still (SIGSTOP) holds nothing, and its guest computes on. So the stream stays open:
 * the agent says a byte now and then, and an outside that hears none for too long ends, which kills
 * the agent, as pid 1 with all of the box.
 *
 * The agent is dumpable: its /proc files have to be its own, timens_offsets among them. That opens
 * nothing, for nobody else inside is uid 0 or has CAP_SYS_PTRACE.
 */
#include "migrate/box.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"

#define STAGE	    "/proc" /* where every machine has a directory; nobody else sees the mount */
#define ROOT_BYTES  "size=64k,nr_inodes=16,mode=0755"
#define KEYCTL_JOIN 1 /* KEYCTL_JOIN_SESSION_KEYRING, keyctl(2) */

#define NAMESPACES                                                                                 \
	(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)

#define CAP(name) (1ULL << CAP_##name)

/* what the agent needs, in its own user namespace; all else goes */
#define AGENT_CAPS                                                                                 \
	(CAP(SYS_PTRACE) |			    /* its guest */                                \
	 CAP(CHECKPOINT_RESTORE) |		    /* process ids */                              \
	 CAP(SYS_ADMIN) |			    /* unshare(CLONE_NEWTIME) */                   \
	 CAP(SYS_TIME) |			    /* timens_offsets */                           \
	 CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) | /* the guest's identity */                     \
	 CAP(KILL) | CAP(DAC_OVERRIDE) |	    /* its signals, its /proc files */             \
	 CAP(SYS_NICE) | CAP(SYS_RESOURCE))	    /* its CPUs and limits: to lower ones only */

#define GUEST_CAPS CAP(CHECKPOINT_RESTORE)

struct report {
	int r; /* 0 or -errno */
	char text[ERR_TEXT_MAX];
};

/* ---- on the host, as root ---- */

static int write_file(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, text, strlen(text));
}

static int check_spec(const struct guest_box *s, struct err *e)
{
	if (geteuid() != 0)
		return err_set(e, -EPERM, "only root can build the box of a guest");
	if (s->agent_uid < 1000 || s->agent_uid >= UINT32_MAX - 1 || !s->home_uid ||
	    s->home_uid == UINT32_MAX || !s->home_gid || s->home_gid == UINT32_MAX)
		return err_set(e, -EINVAL,
			       "no box for uid %u, gid %u as uid %u: root is never a guest",
			       s->home_uid, s->home_gid, s->agent_uid);
	if (s->n_fds > GUEST_BOX_FDS_MAX || s->nice < 0 || s->nice > 19)
		return err_set(e, -EINVAL, "no box with %u descriptors at nice %d", s->n_fds,
			       s->nice);
	return 0;
}

static int enter_groups(const struct guest_box *s, struct err *e)
{
	for (size_t i = 0; i < GUEST_BOX_GROUPS_MAX; i++) {
		char path[PATH_MAX];
		int r;

		if (!s->groups[i])
			continue;
		(void)snprintf(path, sizeof(path), "%s/cgroup.procs", s->groups[i]);
		r = write_file(path, "0");
		if (r < 0)
			return err_set(e, r, "enter '%s': %s", s->groups[i], strerror(-r));
	}
	return 0;
}

/* the owner's programs come first; a kernel without one of these gives a box that works */
static void be_polite(const struct guest_box *s)
{
	const struct sched_param none = { 0 };

	(void)write_file("/proc/self/oom_score_adj", "1000");
	(void)setpriority(PRIO_PROCESS, 0, s->nice);
	if (s->idle)
		(void)sched_setscheduler(0, SCHED_IDLE, &none);
	/* the daemon's session keyring stays outside */
	(void)syscall(SYS_keyctl, KEYCTL_JOIN, NULL);
}

static int write_map(pid_t pid, const char *name, uint32_t home, uint32_t agent)
{
	char path[64], text[128];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	(void)snprintf(text, sizeof(text), "0 %u 1\n%u %u 1\n", agent, home, agent + 1);
	return write_file(path, text);
}

/* the mapper: ends with 0 or errno */
static void NORETURN map_ids(const struct guest_box *s, pid_t outside, int go)
{
	char path[64], byte;
	int r;

	if (read(go, &byte, 1) != 1)
		_exit(ECANCELED); /* outside has failed, and said so */
	(void)snprintf(path, sizeof(path), "/proc/%d/setgroups", outside);
	r = write_file(path, "deny");
	if (!r)
		r = write_map(outside, "uid_map", s->home_uid, s->agent_uid);
	if (!r)
		r = write_map(outside, "gid_map", s->home_gid, s->agent_uid);
	_exit(-r);
}

static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int part_from_host(const struct guest_box *s, struct err *e)
{
	pid_t outside = getpid(), mapper;
	int go[2], r;

	if (setgroups(0, NULL) < 0)
		return err_set(e, -errno, "give up all groups: %s", strerror(errno));
	if (pipe2(go, O_CLOEXEC) < 0)
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	AUTO_CLOSE int from = go[0];
	AUTO_CLOSE int to = go[1];

	mapper = fork();
	if (mapper < 0)
		return err_set(e, -errno, "fork: %s", strerror(errno));
	if (!mapper) {
		fd_close(&to);
		map_ids(s, outside, from);
	}
	if (unshare(NAMESPACES) < 0) {
		r = err_set(e, -errno, "make the namespaces of the guest: %s%s", strerror(errno),
			    errno == ENOSPC ? "; raise the sysctls user.max_*_namespaces" : "");
		fd_close(&to);
		(void)reap(mapper); /* it ends by the end of the pipe */
		return r;
	}
	r = write(to, "", 1) == 1 ? 0 : -errno;
	fd_close(&to);
	if (!r)
		r = -reap(mapper);
	if (!r && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		r = -errno;
	return r < 0 ? err_set(e, r, "become uid %u: %s", s->agent_uid, strerror(-r)) : 0;
}

/* ---- inside ---- */

/* the old root below the new one, pivot_root(2), and then let go */
static int make_root(struct err *e)
{
	const unsigned long walls = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(e, -errno, "part from the host's mounts: %s", strerror(errno));
	if (mount("guest", STAGE, "tmpfs", walls, ROOT_BYTES) < 0 || chdir(STAGE) < 0 ||
	    mkdir("proc", 0555) < 0)
		return err_set(e, -errno, "make the root of the box: %s", strerror(errno));
	if (mount("proc", "proc", "proc", walls, "subset=pid") < 0)
		return err_set(e, -errno, "mount /proc in the box: %s", strerror(errno));
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(e, -errno, "enter the root of the box: %s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | walls, NULL) < 0)
		return err_set(e, -errno, "make the root of the box read-only: %s",
			       strerror(errno));
	return 0;
}

/* limits are only lowered: what the daemon may not have, its guests may not either */
static int lower_limit(int what, rlim_t value)
{
	struct rlimit l;

	if (getrlimit(what, &l) < 0)
		return -errno;
	if (l.rlim_max > value)
		l.rlim_max = value;
	if (l.rlim_cur > l.rlim_max)
		l.rlim_cur = l.rlim_max;
	return setrlimit(what, &l) < 0 ? -errno : 0;
}

static int set_limits(const struct guest_box *s, struct err *e)
{
	const struct {
		int what;
		rlim_t value;
	} rows[] = {
		{ RLIMIT_NPROC, s->processes ? s->processes : RLIM_INFINITY },
		{ RLIMIT_NOFILE, 4096 },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_MEMLOCK, 65536 },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_RTPRIO, 0 },
		{ RLIMIT_NICE, 0 },
	};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(rows); i++)
		r = lower_limit(rows[i].what, rows[i].value);
	return r < 0 ? err_set(e, r, "set the limits of the box: %s", strerror(-r)) : 0;
}

static int drop_bounding_set(uint64_t keep)
{
	for (int cap = 0; cap <= 63; cap++) {
		if (prctl(PR_CAPBSET_READ, cap) < 0)
			return 0; /* the last one was the one before */
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0)
			return -errno;
	}
	return 0;
}

static int set_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = data[i].permitted = (uint32_t)(keep >> (32 * i));
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int limit_rights(struct err *e)
{
	int r = drop_bounding_set(AGENT_CAPS);

	if (!r)
		r = set_capabilities(AGENT_CAPS);
	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (!r && prctl(PR_SET_DUMPABLE, 1) < 0)
		r = -errno;
	if (!r && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "limit the rights of the agent: %s", strerror(-r)) : 0;
}

static bool is_kept(const struct guest_box *s, int fd)
{
	for (unsigned int i = 0; i < s->n_fds; i++)
		if (s->fds[i] == fd)
			return true;
	return false;
}

/* the next kept one (or the report's) at or above `from`; INT_MAX: none */
static int next_kept(const struct guest_box *s, int report, int from)
{
	int next = report >= from ? report : INT_MAX;

	for (unsigned int i = 0; i < s->n_fds; i++)
		if (s->fds[i] >= from && s->fds[i] < next)
			next = s->fds[i];
	return next;
}

static int close_others(const struct guest_box *s, int null, int report, struct err *e)
{
	int fd = 3;

	for (int i = 0; i < 3; i++)
		if (!is_kept(s, i) && dup2(null, i) < 0)
			return err_set(e, -errno, "/dev/null for descriptor %d: %s", i,
				       strerror(errno));
	while (fd < INT_MAX) {
		int next = next_kept(s, report, fd);

		if (next > fd && close_range((unsigned int)fd, (unsigned int)next - 1, 0) < 0)
			return err_set(e, -errno, "close the other descriptors: %s",
				       strerror(errno));
		fd = next < INT_MAX ? next + 1 : INT_MAX;
	}
	return 0;
}

/* out of the way of 0 to 2, whatever the daemon has left open there */
static int above_2(int fd)
{
	int high = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return high < 0 ? -errno : high;
}

static int build_inside(const struct guest_box *s, int report, struct err *e)
{
	/* before the host's files go; closed with the other descriptors */
	int null = above_2(open("/dev/null", O_RDWR | O_CLOEXEC)), r;

	if (null < 0)
		return err_set(e, null, "open '/dev/null': %s", strerror(-null));
	r = close_others(s, null, report, e);
	if (!r && setsid() < 0)
		r = err_set(e, -errno, "setsid: %s", strerror(errno));
	if (!r && sethostname("guest", 5) < 0)
		r = err_set(e, -errno, "name the box: %s", strerror(errno));
	if (!r)
		r = make_root(e);
	if (!r)
		r = set_limits(s, e);
	return r ? r : limit_rights(e);
}

/* the agent: returns, with its end of the stream, only when the box stands and outside knows it */
static int enter_inside(const struct guest_box *s, int report)
{
	struct report answer = { 0 };
	struct err e = { 0 };
	char byte;

	report = above_2(report);
	if (report < 0)
		_exit(125); /* outside sees the end of the stream */
	answer.r = build_inside(s, report, &e);
	memcpy(answer.text, e.text, sizeof(answer.text));
	if (send(report, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer) || answer.r < 0 ||
	    read(report, &byte, 1) != 1)
		_exit(125); /* nobody waits for it */
	return report;
}

/* ---- both ---- */

static int fork_inside(const struct guest_box *s, const int report[2], pid_t *ret_init,
		       int *ret_life, struct err *e)
{
	AUTO_CLOSE int ours = report[0];
	AUTO_CLOSE int theirs = report[1];
	struct report answer = { 0 };
	pid_t pid = fork();

	if (pid < 0)
		return err_set(e, -errno, "start pid 1 of the box: %s", strerror(errno));
	if (!pid) {
		fd_close(&ours);
		*ret_life = enter_inside(s, theirs);
		*ret_init = 0;
		return 0;
	}
	fd_close(&theirs);
	if (recv(ours, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
		answer = (struct report){ -EPIPE, "pid 1 of the box ended too early" };
	if (!answer.r && send(ours, "", 1, MSG_NOSIGNAL) != 1)
		answer = (struct report){ -EPIPE, "pid 1 of the box ended too early" };
	if (answer.r < 0) {
		(void)kill(pid, SIGKILL);
		(void)reap(pid); /* what it said before is the reason */
		answer.text[ERR_TEXT_MAX - 1] = '\0';
		return err_set(e, answer.r, "%s", answer.text);
	}
	*ret_init = pid;
	*ret_life = fd_take(&ours);
	return 0;
}

int guest_box_enter(const struct guest_box *spec, pid_t *ret_init, int *ret_life, struct err *e)
{
	int report[2];
	int r = check_spec(spec, e);

	if (!r)
		r = enter_groups(spec, e);
	if (r < 0)
		return r;
	be_polite(spec);
	r = part_from_host(spec, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, report) < 0)
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	return fork_inside(spec, report, ret_init, ret_life, e);
}

void guest_box_live(int life)
{
	/* full: nobody has looked for long, and there is enough to be seen; closed: it ends anyhow */
	(void)!send(life, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* until the agent has ended, or stands still */
static void watch_life(int life, int silence_ms)
{
	struct pollfd p = { .fd = life, .events = POLLIN };
	char bytes[64];
	ssize_t n = 1;

	while (n > 0) {
		int r = poll(&p, 1, silence_ms);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			_exit(GUEST_BOX_SILENT); /* this kills it: PR_SET_PDEATHSIG */
		n = read(life, bytes, sizeof(bytes));
	}
}

int guest_box_wait(pid_t init, int life, uint32_t silence_ms)
{
	int r;

	/* what stays open is only held longer */
	if (dup2(life, 3) == 3)
		(void)close_range(4, ~0U, 0);
	if (silence_ms)
		watch_life(3, (int)silence_ms);
	r = reap(init);
	return r < 0 ? 125 : r;
}

int guest_box_become_guest(const struct guest_box *spec, struct err *e)
{
	int r = drop_bounding_set(GUEST_CAPS);

	if (!r && prctl(PR_SET_KEEPCAPS, 1) < 0)
		r = -errno;
	if (!r && (setresgid(spec->home_gid, spec->home_gid, spec->home_gid) < 0 ||
		   setresuid(spec->home_uid, spec->home_uid, spec->home_uid) < 0))
		r = -errno;
	if (!r)
		r = set_capabilities(GUEST_CAPS);
	if (!r && prctl(PR_SET_KEEPCAPS, 0) < 0)
		r = -errno;
	/* the change of ids has closed its /proc files to the agent */
	if (!r && prctl(PR_SET_DUMPABLE, 1) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "become the guest, uid %u: %s", spec->home_uid, strerror(-r))
		     : 0;
}
