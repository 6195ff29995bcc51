/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine.c - the wall around a job at home
 *
 * Theory of operation. Landlock has no way yet to confine all threads at once (before Linux 6.19),
 * and no way from outside. So the ruleset goes to the process through the socket of its first
 * thread, each thread enters it by an injected batch, and the filter comes last, for all of them
 * (TSYNC): until it is there nothing is forbidden that the injected calls need.
 *
 * What each thread enters is a domain of its own with the same rules. Threads of one process may
 * signal each other all the same; a child, though, belongs to the domain of the thread that made it
 * (docs/KNOWN-GAPS.md).
 */
#include "migrate/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "migrate/confine_calls.h"
#include "migrate/confine_rules.h"
#include "migrate/set_state.h"
#include "migrate/stub.h"
#include "migrate/told.h"
#include "os/fd.h"
#include "tracee/maps.h"

void confine_init(struct confine *c)
{
	*c = (struct confine){ .ruleset = -1, .root = -1, .home = -1 };
}

void confine_done(struct confine *c)
{
	fd_close(&c->ruleset);
	fd_close(&c->root);
	fd_close(&c->home);
}

bool confine_is_wanted(const struct confine *c)
{
	return c->ruleset >= 0;
}

/* ------------------------------------------------------------------- ruleset */

/* paths are opened with the user's rights: root may not even be let in on a file server */
static void be_user(const struct confine *c)
{
	(void)setfsgid(c->gid); /* what they were is known: 0 */
	(void)setfsuid(c->uid);
}

static void be_self(void)
{
	(void)setfsuid(geteuid());
	(void)setfsgid(getegid());
}

static int open_proc(pid_t pid, const char *name)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int allow_declared(const struct confine *c, const struct confine_spec *spec, struct err *e)
{
	for (size_t i = 0; i < spec->n_paths; i++) {
		AUTO_CLOSE int fd = -1;
		char what[ERR_TEXT_MAX];
		int r;

		(void)snprintf(what, sizeof(what), "the declared path '%.400s'", spec->paths[i]);
		if (spec->paths[i][0] != '/')
			return err_set(e, -EINVAL, "%s must begin with a slash", what);
		fd = confine_rules_open(c, spec->paths[i]);
		r = fd < 0 ? err_set(e, fd, "%s: %s", what, strerror(-fd))
			   : confine_rules_tree(c, fd, what, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int allow_program(const struct confine *c, struct err *e)
{
	AUTO_CLOSE int fd = open_proc(c->pid, "exe");

	return fd < 0 ? 0 : confine_rules_program(c, fd, e);
}

static int make_rules(struct confine *c, const struct confine_spec *spec, struct err *e)
{
	int r;

	if (spec->home) {
		c->home = confine_rules_open(c, spec->home);
		if (c->home < 0 && c->home != -ENOENT)
			return err_set(e, c->home, "look at the home directory '%s': %s",
				       spec->home, strerror(-c->home));
	}
	r = confine_rules_system(c, e);
	if (!r)
		r = allow_declared(c, spec, e);
	return r;
}

int confine_prepare(struct confine *c, pid_t pid, const struct confine_spec *spec, struct err *e)
{
	struct proc_stat st;
	int r = proc_stat_read(pid, &st, e);

	if (!r && spec->n_paths > CONFINE_PATHS_MAX)
		r = err_set(e, -EINVAL, "more than %d declared paths", CONFINE_PATHS_MAX);
	if (r < 0)
		return r;
	c->pid = pid;
	c->uid = st.uid[3];
	c->gid = st.gid[3];
	c->root = open_proc(pid, "root");
	if (c->root < 0)
		return err_set(e, c->root, "open its root directory: %s", strerror(-c->root));
	c->ruleset = confine_rules_new(e);
	if (c->ruleset < 0)
		return c->ruleset;
	be_user(c);
	r = make_rules(c, spec, e);
	be_self();
	if (!r)
		r = allow_program(c, e);
	if (r < 0)
		confine_done(c);
	return r;
}

static int allow_cwd(const struct confine *c, struct err *e)
{
	AUTO_CLOSE int fd = open_proc(c->pid, "cwd");
	int r;

	if (fd < 0)
		return err_set(e, fd, "open its working directory: %s", strerror(-fd));
	be_user(c);
	r = confine_rules_tree(c, fd, "its working directory", e);
	be_self();
	return r;
}

/* ------------------------------------------------------------------ injected */

int confine_is_ours(struct stub *s, struct err *e)
{
	int r;

	batch_clear(&s->batch);
	r = batch_add(&s->batch, CONFINE_MARK, 0, 0, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_run(&s->batch, s->pid, e);
	if (!r)
		r = batch_result(&s->batch, 0) == -CONFINE_MARK_ERRNO;
	batch_clear(&s->batch);
	return r;
}

static int send_fd(int sock, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	const struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* the message as the process has to write it down for its kernel */
static int put_message(struct batch *b, uint64_t *ret_msg, uint64_t *ret_control)
{
	struct iovec iov = { .iov_len = 1 };
	struct msghdr msg = { .msg_iovlen = 1, .msg_controllen = CMSG_SPACE(sizeof(int)) };
	uint64_t at;
	int r = batch_data(b, NULL, 8, &at);

	iov.iov_base = (void *)at;
	if (!r)
		r = batch_data(b, &iov, sizeof(iov), &at);
	msg.msg_iov = (void *)at;
	if (!r)
		r = batch_data(b, NULL, msg.msg_controllen, ret_control);
	msg.msg_control = (void *)*ret_control;
	return r ? r : batch_data(b, &msg, sizeof(msg), ret_msg);
}

/* Return: the number that the ruleset has in the process, -errno */
static int hand_over(const struct confine *c, struct stub *s, struct err *e)
{
	uint64_t at_msg = 0, at_control = 0;
	int fd = -1, r = send_fd(s->threads[0]->sock, c->ruleset);

	batch_clear(&s->batch);
	if (!r)
		r = put_message(&s->batch, &at_msg, &at_control);
	if (!r)
		r = batch_add(&s->batch, SYS_recvmsg, (uint64_t)s->threads[0]->there, at_msg,
			      MSG_CMSG_CLOEXEC | MSG_DONTWAIT, 0, 0, 0);
	if (r >= 0)
		r = batch_run(&s->batch, s->pid, e);
	if (!r && batch_result(&s->batch, 0) != 1)
		r = batch_result(&s->batch, 0) < 0 ? (int)batch_result(&s->batch, 0) : -EIO;
	if (!r)
		r = batch_read(&s->batch, at_control + CMSG_LEN(0), &fd, sizeof(fd));
	batch_clear(&s->batch);
	if (!r && fd < 0)
		r = -EMFILE;
	return r < 0 ? err_set(e, r, "hand its ruleset over: %s", strerror(-r)) : fd;
}

static int confine_thread(struct stub *s, pid_t tid, int ruleset, struct err *e)
{
	int r = batch_add(&s->batch, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);

	if (r >= 0)
		r = batch_add(&s->batch, SYS_landlock_restrict_self, (uint64_t)ruleset, 0, 0, 0, 0,
			      0);
	return r < 0 ? err_set(e, r, "make a batch: %s", strerror(-r))
		     : set_state_run(&s->batch, tid, "confine a thread", e);
}

/* for all threads, and the ruleset is closed before it: nothing of ours stays */
static int set_filter(const struct confine *c, struct stub *s, int ruleset, struct err *e)
{
	struct sock_filter code[CONFINE_INSNS_MAX];
	struct sock_fprog prog = { 0 };
	uint64_t at_code = 0, at = 0;
	size_t n = 0;
	int r = confine_calls_build(c->pid, code, &n);

	prog.len = (unsigned short)n;
	if (!r)
		r = batch_data(&s->batch, code, n * sizeof(*code), &at_code);
	prog.filter = (struct sock_filter *)at_code;
	if (!r)
		r = batch_data(&s->batch, &prog, sizeof(prog), &at);
	if (!r)
		r = batch_add(&s->batch, SYS_close, (uint64_t)ruleset, 0, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_add(&s->batch, SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, at, 0, 0,
			      0);
	return r < 0 ? err_set(e, r, "make a batch: %s", strerror(-r))
		     : set_state_run(&s->batch, s->pid, "set its filter", e);
}

static void close_there(struct stub *s, int fd)
{
	batch_clear(&s->batch);
	if (batch_add(&s->batch, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0) >= 0)
		told_later(batch_run(&s->batch, s->pid, NULL));
	batch_clear(&s->batch);
}

int confine_enter(struct confine *c, struct stub *s, struct err *e)
{
	int r = confine_is_ours(s, e), fd;

	if (r)
		return r < 0 ? r : 0;
	r = allow_cwd(c, e);
	if (r < 0)
		return r;
	fd = hand_over(c, s, e);
	if (fd < 0)
		return fd;
	for (size_t i = 0; !r && i < s->n; i++)
		r = confine_thread(s, s->threads[i]->tid, fd, e);
	if (!r)
		r = set_filter(c, s, fd, e);
	if (r < 0)
		close_there(s, fd); /* by the filter's batch already, when that was run */
	return r;
}
