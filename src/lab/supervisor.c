/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * supervisor.c - the process that is a lab
 *
 * Theory of operation. The command 'lab up' clones it as the first process of a pid namespace, with
 * a network and a mount namespace of its own: whoever kills it, kills the lab. It keeps no state
 * outside itself; see record.h for the few things that are to be swept behind it.
 *
 * Commands connect to the control socket, ask one thing and get one answer. Who they are is asked
 * of the kernel: root may ask everything, others may run commands on the head. The connection of
 * an EXEC is handed to the pod and is not seen here again.
 *
 * The one who started the lab (the founder) hears of its progress. If he goes away before the lab
 * is up, or if it cannot come up, the lab takes itself down.
 */
#include "lab/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/list.h"
#include "lab/bringup.h"
#include "lab/record.h"
#include "lab/rootfs.h"
#include "log/log.h"
#include "os/fd.h"
#include "os/sock.h"

#define SUPERVISOR_NAMESPACES (CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS)
#define START_TIMEOUT_MS      30000
#define CLIENTS_MAX	      256
#define HOSTS_MAX	      131072
#define STATUS_ERROR	      1
#define STATUS_NOT_FOUND      4
#define STATUS_REFUSED	      5
#define STATUS_NO_EXEC	      125 /* as env(1): could not even try */

struct client {
	struct list link;
	struct lab *lab;
	int fd;
	struct sock_peer who;
	struct ev_ref ref;
	struct pod *waits_for; /* until it is off: a KILL that is under way */
};

struct lab {
	const struct lab_plan *plan;
	struct pod_lab common;
	struct bringup bringup;
	struct pod *pods[LAB_NODES_MAX + 1]; /* [0] the head, [i] node number i */
	uint32_t n_pods;
	int control;
	struct ev_ref control_ref, signals[2];
	struct list clients;
	unsigned int n_clients;
	struct client *founder; /* NULL once the lab is up */
	struct client *asker;	/* who waits for the bring-up under way; may be NULL */
};

static void client_free(struct client *c)
{
	struct lab *lab = c->lab;

	if (lab->asker == c)
		lab->asker = NULL;
	loop_remove(lab->common.loop, &c->ref);
	fd_close(&c->fd);
	list_del(&c->link);
	lab->n_clients--;
	free(c);
}

/* the one answer; a client that does not take it loses it */
static void answer(struct client *c, enum lab_message type, int status, const char *text)
{
	channel_tell(c->fd, type, status, text);
	client_free(c);
}

static int write_hosts(const struct lab *lab, struct err *e)
{
	char path[PATH_MAX], address[LAB_ADDRESS_TEXT];
	struct buf b;
	int r;

	buf_init(&b, HOSTS_MAX);
	r = buf_printf(&b, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n");
	for (uint32_t i = 0; i < lab->n_pods && !r; i++) {
		lab_address_format(pod_address(lab->pods[i]), address);
		r = buf_printf(&b, "%s\t%s\n", address, lab->pods[i]->name);
	}
	/* in place: the pods have this very file mounted */
	(void)snprintf(path, sizeof(path), "%s/shared/hosts", lab->plan->paths.stage);
	AUTO_CLOSE int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

	if (!r)
		r = fd < 0 ? -errno : fd_write_all(fd, buf_bytes(&b), b.len);
	buf_done(&b);
	return r < 0 ? err_set(e, r, "write '%s': %s", path, strerror(-r)) : 0;
}

static int add_pod(struct lab *lab, enum lab_role role, bool nat, struct err *e)
{
	struct pod *p;

	if (lab->n_pods > LAB_NODES_MAX)
		return err_set(e, -E2BIG, "a lab has at most %d nodes", LAB_NODES_MAX);
	p = malloc(sizeof(*p));
	if (!p)
		return err_set(e, -ENOMEM, "out of memory");
	pod_init(p, &lab->common, lab->n_pods, role, nat);
	lab->pods[lab->n_pods++] = p;
	return 0;
}

static struct pod *pod_by_name(const struct lab *lab, const char *name)
{
	for (uint32_t i = 0; i < lab->n_pods; i++)
		if (!strcmp(lab->pods[i]->name, name))
			return lab->pods[i];
	return NULL;
}

static void on_pod_changed(void *owner, struct pod *p)
{
	struct lab *lab = owner;

	bringup_pod_changed(&lab->bringup, p);
	list_for_each_safe (l, &lab->clients) {
		struct client *c = list_entry(l, struct client, link);

		if (c->waits_for == p && p->state == POD_OFF)
			answer(c, SAY_DONE, 0, NULL);
	}
}

static void on_progress(void *owner, const char *step, uint32_t number)
{
	struct lab *lab = owner;

	/* progress that nobody reads is lost, not kept */
	if (lab->asker)
		channel_tell(lab->asker->fd, SAY_PROGRESS, (int32_t)number, step);
}

static void on_brought_up(void *owner, const char *why)
{
	struct lab *lab = owner;
	struct client *c = lab->asker;

	if (why)
		log_err("%s", why);
	if (lab->founder) {
		if (why)
			loop_stop(lab->common.loop, 1);
		lab->founder = NULL;
	}
	if (c)
		answer(c, why ? SAY_FAILED : SAY_DONE, why ? STATUS_ERROR : (int)lab->bringup.first,
		       why);
}

/* EXEC: to the pod with it, connection and all */
static void ask_exec(struct client *c, struct pod *p, struct channel_msg *m)
{
	int fds[CHANNEL_FDS_MAX], r;

	if (c->who.uid && p->number) {
		answer(c, SAY_FAILED, STATUS_NO_EXEC,
		       "only root runs commands on a lab's nodes; "
		       "use 'comosix exec' on the head");
		return;
	}
	if (!p->pid || m->n_fds != 4) {
		answer(c, SAY_FAILED, STATUS_NO_EXEC,
		       p->pid ? "an EXEC without its files" : "the pod is off");
		return;
	}
	fds[0] = c->fd;
	memcpy(fds + 1, m->fds, 4 * sizeof(int));
	r = channel_send_fds(p->channel, SAY_POD_EXEC, m->number, NULL, fds, 5);
	if (r < 0)
		answer(c, SAY_FAILED, STATUS_NO_EXEC, "the pod does not answer");
	else
		client_free(c);
}

static void ask_kill(struct client *c, struct pod *p, struct channel_msg *m)
{
	if (!p->pid) {
		answer(c, SAY_DONE, 0, NULL);
		return;
	}
	c->waits_for = p;
	pod_kill(p);
}

/* why nobody can join through the head now, or NULL; to start it is not for us to decide */
static const char *head_unfit(const struct lab *lab)
{
	const struct pod *head = lab->pods[0];

	if (head->state == POD_OFF)
		return "the head is off, and new nodes join through it; "
		       "switch it on: comosix lab start head";
	if (head->state != POD_READY)
		return "the head is not ready, and new nodes join through it; "
		       "see why: comosix lab status";
	if (head->cut && !lab->plan->bare)
		return "the head's network is cut, and new nodes join through it; "
		       "join it again: comosix lab heal head";
	return NULL;
}

static void ask_start(struct client *c, struct pod *p, struct channel_msg *m)
{
	struct lab *lab = c->lab;

	if (p->pid) {
		answer(c, SAY_FAILED, STATUS_REFUSED, "it is on");
	} else if (lab->bringup.phase != BRINGUP_IDLE) {
		answer(c, SAY_FAILED, STATUS_REFUSED,
		       "other pods are being started; try again then");
	} else if (p->number && !p->joined && head_unfit(lab)) {
		answer(c, SAY_FAILED, STATUS_REFUSED, head_unfit(lab));
	} else {
		lab->asker = c;
		bringup_begin(&lab->bringup, p->number, p->number + 1);
	}
}

static void ask_cut(struct client *c, struct pod *p, struct channel_msg *m)
{
	struct err e;

	if (pod_cut(p, m->type == SAY_CUT, &e) < 0)
		answer(c, SAY_FAILED, STATUS_ERROR, e.text);
	else
		answer(c, SAY_DONE, 0, NULL);
}

static void ask_root(struct client *c, struct pod *p, struct channel_msg *m)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)p->pid);
	AUTO_CLOSE int fd = p->pid ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0) {
		answer(c, SAY_FAILED, STATUS_NOT_FOUND, "the pod is off");
		return;
	}
	channel_tell_fd(c->fd, SAY_DONE, fd); /* one answer, taken or lost */
	client_free(c);
}

static void ask_status(struct client *c, struct pod *unused, struct channel_msg *m)
{
	AUTO_CLOSE int fd = memfd_create("comosix-lab-status", MFD_CLOEXEC);
	struct lab *lab = c->lab;
	int r = fd < 0 ? -errno : 0;

	for (uint32_t i = 0; i < lab->n_pods && !r; i++) {
		struct pod_report report;

		pod_report(lab->pods[i], &report);
		r = fd_write_all(fd, &report, sizeof(report));
	}
	if (r < 0) {
		answer(c, SAY_FAILED, STATUS_ERROR, strerror(-r));
		return;
	}
	channel_tell_fd(c->fd, SAY_DONE, fd); /* one answer, taken or lost */
	client_free(c);
}

static void ask_add(struct client *c, struct pod *unused, struct channel_msg *m)
{
	struct lab *lab = c->lab;
	uint32_t first = lab->n_pods, flags = (uint32_t)m->text[0] - '0';
	struct err e;
	int r = 0;

	if (lab->bringup.phase != BRINGUP_IDLE) {
		answer(c, SAY_FAILED, STATUS_REFUSED,
		       "other pods are being started; try again then");
		return;
	}
	if (head_unfit(lab)) {
		answer(c, SAY_FAILED, STATUS_REFUSED, head_unfit(lab));
		return;
	}
	if (m->number < 1 || (uint32_t)m->number > LAB_NODES_MAX + 1 - lab->n_pods) {
		answer(c, SAY_FAILED, STATUS_REFUSED, "a lab has at most 1000 nodes");
		return;
	}
	for (int i = 0; i < m->number && !r; i++)
		r = add_pod(lab, flags & LAB_ADD_SERVER ? LAB_SERVER : LAB_DESKTOP,
			    flags & LAB_ADD_NAT, &e);
	if (!r)
		r = write_hosts(lab, &e);
	if (r < 0) {
		answer(c, SAY_FAILED, STATUS_ERROR, e.text);
		return;
	}
	lab->asker = c;
	bringup_begin(&lab->bringup, first, lab->n_pods);
}

/* what may be asked; all but EXEC is for root */
static const struct request {
	enum lab_message type;
	bool names_pod, for_all;
	void (*serve)(struct client *c, struct pod *p, struct channel_msg *m);
} requests[] = {
	{ SAY_EXEC, true, true, ask_exec },  { SAY_STATUS, false, false, ask_status },
	{ SAY_KILL, true, false, ask_kill }, { SAY_START, true, false, ask_start },
	{ SAY_CUT, true, false, ask_cut },   { SAY_HEAL, true, false, ask_cut },
	{ SAY_ADD, false, false, ask_add },  { SAY_ROOT, true, false, ask_root },
};

static void serve(struct client *c, struct channel_msg *m)
{
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		const struct request *q = &requests[i];
		struct pod *p;

		if (q->type != m->type)
			continue;
		p = q->names_pod ? pod_by_name(c->lab, m->text) : NULL;
		if (c->who.uid && !q->for_all)
			answer(c, SAY_FAILED, STATUS_REFUSED, "only root may do this");
		else if (q->names_pod && !p)
			answer(c, SAY_FAILED, q->for_all ? STATUS_NO_EXEC : STATUS_NOT_FOUND,
			       "no such node in this lab");
		else
			q->serve(c, p, m);
		return;
	}
	client_free(c);
}

static void on_client(void *owner, uint32_t events)
{
	struct client *c = owner;
	struct channel_msg m;
	int r = channel_recv(c->fd, &m);

	if (r == -EAGAIN)
		return;
	/* who waits for an answer has nothing more to say */
	if (r == 1 && c != c->lab->asker && !c->waits_for) {
		serve(c, &m);
		channel_msg_done(&m);
		return;
	}
	if (r == 1)
		channel_msg_done(&m);
	if (c == c->lab->founder) {
		log_warn("the command that started this lab has gone: taking it down");
		c->lab->founder = NULL;
		loop_stop(c->lab->common.loop, 1);
	}
	client_free(c);
}

static int add_client(struct lab *lab, int *fd, struct client **ret)
{
	struct client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->lab = lab;
	c->fd = *fd;
	r = sock_peer(c->fd, &c->who, NULL);
	if (!r)
		r = loop_add_fd(lab->common.loop, c->fd, EPOLLIN, on_client, c, &c->ref);
	if (r < 0) {
		free(c);
		return r;
	}
	(void)fd_take(fd); /* the client owns it now */
	list_add(&lab->clients, &c->link);
	lab->n_clients++;
	*ret = c;
	return 0;
}

static void on_control(void *owner, uint32_t events)
{
	struct lab *lab = owner;
	AUTO_CLOSE int fd = -1;
	struct client *c;

	/* the one that is too many sees its connection closed */
	if (sock_accept(lab->control, NULL, &fd) == 0 && lab->n_clients < CLIENTS_MAX &&
	    add_client(lab, &fd, &c) < 0)
		log_warn("a command was turned away: out of memory or files");
}

static void on_signal(void *owner, int signo)
{
	struct lab *lab = owner;

	log_info("signal %d: taking the lab down", signo);
	loop_stop(lab->common.loop, 0);
}

static int begin(struct lab *lab, int founder, struct err *e)
{
	static const int signals[] = { SIGTERM, SIGINT };
	int r = 0;

	for (uint32_t i = 0; i <= lab->plan->nodes && !r; i++) {
		enum lab_role role = !i			       ? LAB_HEAD
				     : i <= lab->plan->servers ? LAB_SERVER
							       : LAB_DESKTOP;
		bool nat = i && (lab->plan->nat_nodes ? lab->plan->nat_nodes[i - 1]
						      : lab->plan->nat && role == LAB_DESKTOP);

		r = add_pod(lab, role, nat, e);
		if (!r && nat)
			r = network_router(&lab->common.net, e);
	}
	if (!r)
		r = write_hosts(lab, e);
	for (size_t i = 0; i < ARRAY_LEN(signals) && !r; i++)
		r = loop_add_signal(lab->common.loop, signals[i], on_signal, lab, &lab->signals[i]);
	if (!r)
		r = loop_add_fd(lab->common.loop, lab->control, EPOLLIN, on_control, lab,
				&lab->control_ref);
	if (!r)
		r = add_client(lab, &founder, &lab->founder);
	if (r < 0)
		return r;
	lab->asker = lab->founder;
	bringup_begin(&lab->bringup, 1, lab->n_pods);
	return 0;
}

/* the lab's own end: nobody is left in its namespaces, nothing of it on the machine */
static void take_down(struct lab *lab)
{
	AUTO_CLOSE int lock = -1;
	struct err e;

	(void)kill(-1, SIGKILL); /* all of this pid namespace but the caller; nobody is no error */
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	(void)umount2(lab->plan->paths.stage, MNT_DETACH); /* else it ends with the namespace */
	if (record_lock(&lock, &e) < 0 || record_sweep(&lab->plan->paths, &e) < 0)
		log_err("%s", e.text);
}

/* descriptors of many pods; the pods' own processes get the limit as it was */
static rlim_t want_files(void)
{
	struct rlimit l = { 0 };
	rlim_t before;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	before = l.rlim_cur;
	l.rlim_cur = l.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &l) < 0 ? 0 : before;
}

/* stdin and stdout to nowhere, stderr to the lab's log, nothing else open but what is used */
static int let_go(const struct lab_plan *plan, int lock, int founder, struct err *e)
{
	int lo = lock < founder ? lock : founder, hi = lock < founder ? founder : lock;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO_CLOSE int log = open(plan->paths.log, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);

	if (null < 0 || log < 0)
		return err_set(e, -errno, "open '%s': %s", plan->paths.log, strerror(errno));
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(log, STDERR_FILENO) < 0)
		return err_set(e, -errno, "dup2: %s", strerror(errno));
	fd_close(&log);
	(void)close_range(3, (unsigned int)lo - 1, 0); /* the ranges may be empty */
	(void)close_range((unsigned int)lo + 1, (unsigned int)hi - 1, 0);
	(void)close_range((unsigned int)hi + 1, ~0U, 0);
	return chdir("/") < 0 ? err_set(e, -errno, "chdir: %s", strerror(errno)) : 0;
}

/* the new process; never returns */
static NORETURN void supervise(const struct lab_plan *plan, int lock, int founder)
{
	static struct lab lab; /* large, and lives as long as the process */
	struct err e = { .text = "out of memory" };
	int r;

	(void)setsid(); /* just cloned: leads no group, so it cannot fail */
	(void)prctl(PR_SET_NAME, "comosix-lab");
	(void)umask(022);
	lab.plan = plan;
	list_init(&lab.clients);
	lab.control = -1;
	r = let_go(plan, lock, founder, &e);
	log_open("comosix-lab", LOG_INFO);
	if (!r)
		r = sock_packet_listen(plan->paths.control, 0666, &lab.control, &e);
	/* from here on whoever has the lock finds us by the socket */
	if (!r)
		r = channel_send(founder, SAY_PROGRESS, 0, "listening");
	(void)close(lock);
	if (!r)
		r = rootfs_stage(plan->paths.stage, &e);
	if (!r)
		r = loop_new(&lab.common.loop, &e);
	if (!r)
		r = network_init(&lab.common.net, &e);
	lab.common.plan = plan;
	lab.common.files = want_files();
	lab.common.changed = on_pod_changed;
	lab.common.owner = &lab;
	if (!r) {
		bringup_init(&lab.bringup, &lab.common, lab.pods, on_brought_up, on_progress, &lab);
		r = begin(&lab, founder, &e);
	}
	if (r < 0) {
		log_err("%s", e.text);
		channel_tell(founder, SAY_FAILED, STATUS_ERROR, e.text);
	} else {
		r = loop_run(lab.common.loop);
	}
	take_down(&lab);
	_exit(r != 0);
}

int supervisor_start(const struct lab_plan *plan, int lock, int *ret_fd, struct err *e)
{
	struct clone_args a = { .flags = SUPERVISOR_NAMESPACES, .exit_signal = SIGCHLD };
	struct channel_msg m;
	int ends[2];
	pid_t pid;
	int r = channel_pair(ends, e);

	if (r < 0)
		return r;
	pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	if (!pid)
		supervise(plan, lock, ends[1]);
	r = pid < 0 ? -errno : 0;
	fd_close(&ends[1]);
	if (r < 0)
		err_set(e, r, "make the lab's namespaces: %s", strerror(-r));
	if (!r) {
		r = channel_wait(ends[0], START_TIMEOUT_MS, &m);
		if (r == 1 && m.type == SAY_FAILED)
			r = err_set(e, -EIO, "%s", m.text);
		else if (r == 1)
			r = 0;
		else
			r = err_set(e, -EIO, "the lab's supervisor ended at once; see %s",
				    plan->paths.log);
	}
	if (r < 0)
		fd_close(&ends[0]);
	else
		*ret_fd = ends[0];
	return r;
}
