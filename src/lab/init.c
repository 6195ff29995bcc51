/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * init.c - the first process of a pod
 *
 * Theory of operation. It is a copy of the supervisor (no exec), so it must let go of all that the
 * supervisor had open. Services are started in the order of their table, each when the one before
 * is ready. One that ends is started again after a pause that doubles; one that runs once and does
 * not succeed in ONCE_TRIES is told to the supervisor with the last line it wrote. When the
 * supervisor's end of the channel closes, the supervisor is dead, and the kernel is about to kill
 * this process too.
 */
#include "lab/init.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lab/cgroup.h"
#include "lab/channel.h"
#include "lab/layout.h"
#include "lab/listening.h"
#include "lab/session.h"
#include "loop/loop.h"
#include "os/fd.h"
#include "os/netlink.h"

#define SERVICES_MAX	8
#define BOOT_TIMEOUT_MS 30000
#define READY_POLL_MS	40
#define PAUSE_MIN_MS	200
#define PAUSE_MAX_MS	5000
#define STEADY_MS	10000 /* after so long alive the next pause is the shortest again */
#define ONCE_TRIES	5
#define LOG_TAIL_MAX	2048
/* the pods share one kernel and its uids: boxed tasks of two must not count as one user's processes
 */
#define UIDS_FIRST    0x10000000U
#define UIDS_OF_A_POD 256U
#define PATH_SYSTEM   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct running {
	const struct service *def;
	pid_t pid; /* 0: does not run */
	uint64_t started_ms, pause_ms;
	int starts;
	bool ready;
	struct ev_ref timer; /* next start, or next look whether it is ready */
	struct machine *pod;
};

struct machine {
	const struct init *i;
	struct loop *loop;
	struct sessions *sessions;
	struct ev_ref child, channel;
	char token[256];
	const char *programs;
	struct running services[SERVICES_MAX];
	unsigned int n_services;
};

static void service_start(struct running *s);

static void report(const struct machine *p, enum lab_message type, int number, const char *text)
{
	/* a supervisor who does not listen is dying, and so are we */
	channel_tell(p->i->channel, type, number, text);
}

static void log_path(const struct service *d, char *to, size_t max)
{
	(void)snprintf(to, max, LAB_POD_LOG "/%s.log", d->name);
}

/* the last line that a service wrote, for a person */
static void last_words(const struct service *d, char *to, size_t max)
{
	char path[PATH_MAX], tail[LOG_TAIL_MAX + 1], *line;
	struct stat st;
	ssize_t n = -1;

	log_path(d, path, sizeof(path));
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, &st) == 0)
		n = pread(fd, tail, LOG_TAIL_MAX,
			  st.st_size > LOG_TAIL_MAX ? st.st_size - LOG_TAIL_MAX : 0);
	while (n > 0 && tail[n - 1] == '\n')
		n--;
	tail[n > 0 ? n : 0] = '\0';
	line = strrchr(tail, '\n');
	(void)snprintf(to, max, "%s", line ? line + 1 : tail);
}

/* the new process of a service */
static NORETURN void service_exec(const struct service_command *c, const struct service *d)
{
	char log[PATH_MAX];
	sigset_t none;
	int fd;

	(void)setsid(); /* just forked: leads no group, so it cannot fail */
	log_path(d, log, sizeof(log));
	fd = open(log, O_CREAT | O_APPEND | O_WRONLY, 0644);
	if (fd >= 0 && (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0))
		_exit(126);
	(void)close_range(3, ~0U, 0); /* all of ours are close-on-exec anyway */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail with this set */
	/* by PATH: installed, a daemon is in another directory than the commands */
	(void)execvp(c->argv[0], c->argv);
	dprintf(STDERR_FILENO, "%s: %s\n", c->argv[0], strerror(errno));
	_exit(127);
}

static bool is_ready(const struct running *s)
{
	switch (s->def->ready) {
	case READY_AT_EXIT:
		return false; /* its end says so */
	case READY_UNIX:
		return listening_unix(s->def->ready_path);
	case READY_TCP:
		return listening_tcp(s->def->ready_port);
	}
	return false;
}

/* start the services behind the ones that are ready; say so when none is left */
static void go_on(struct machine *p)
{
	for (unsigned int i = 0; i < p->n_services; i++) {
		struct running *s = &p->services[i];

		if (s->ready)
			continue;
		if (s->def->unless && access(s->def->unless, F_OK) == 0) {
			s->ready = true;
			continue;
		}
		if (!s->starts)
			service_start(s);
		return;
	}
	report(p, SAY_POD_READY, 0, NULL);
}

static void on_timer(void *owner)
{
	struct running *s = owner;

	if (!s->pid) {
		service_start(s);
	} else if (is_ready(s)) {
		s->ready = true;
		go_on(s->pod);
	} else if (loop_add_timer(s->pod->loop, loop_now(s->pod->loop) + READY_POLL_MS, on_timer, s,
				  &s->timer) < 0) {
		report(s->pod, SAY_POD_FAILED, 0, "out of memory");
	}
}

static void later(struct running *s, uint64_t ms)
{
	loop_remove(s->pod->loop, &s->timer);
	if (loop_add_timer(s->pod->loop, loop_now(s->pod->loop) + ms, on_timer, s, &s->timer) < 0)
		report(s->pod, SAY_POD_FAILED, 0, "out of memory");
}

static void service_start(struct running *s)
{
	char address[LAB_ADDRESS_TEXT], head[LAB_ADDRESS_TEXT], uids[16];
	const struct init *i = s->pod->i;
	struct service_words words = { .lab = i->lab,
				       .name = i->root.pod,
				       .address = address,
				       .head = head,
				       .token = s->pod->token,
				       .uids = uids,
				       .relayed = i->gateway != 0 };
	struct service_command c;
	struct err e;
	pid_t pid;

	lab_address_format(i->address, address);
	lab_address_format(i->head_address, head);
	(void)snprintf(uids, sizeof(uids), "%u",
		       UIDS_FIRST + (i->address & 0xffff) * UIDS_OF_A_POD);
	if (service_expand(s->def, &words, &c, &e) < 0) {
		report(s->pod, SAY_POD_FAILED, 0, e.text);
		return;
	}
	s->starts++;
	s->started_ms = loop_now(s->pod->loop);
	pid = fork();
	if (!pid)
		service_exec(&c, s->def);
	if (pid < 0) {
		later(s, PAUSE_MAX_MS);
		return;
	}
	s->pid = pid;
	if (s->def->ready != READY_AT_EXIT && !s->ready)
		later(s, READY_POLL_MS);
}

static void service_ended(struct running *s, int status)
{
	uint64_t now = loop_now(s->pod->loop);
	char words[LOG_TAIL_MAX], text[CHANNEL_TEXT_MAX];
	bool once = s->def->ready == READY_AT_EXIT;

	s->pid = 0;
	loop_remove(s->pod->loop, &s->timer);
	if (once && WIFEXITED(status) && !WEXITSTATUS(status)) {
		s->ready = true;
		go_on(s->pod);
		return;
	}
	last_words(s->def, words, sizeof(words));
	if (!s->ready && s->starts == ONCE_TRIES) {
		(void)snprintf(text, sizeof(text), "%s does not %s: %s", s->def->name,
			       once ? "succeed" : "start", words);
		report(s->pod, SAY_POD_FAILED, 0, text);
	}
	report(s->pod, SAY_POD_SERVICE, s->starts, s->def->name);
	if (now - s->started_ms > STEADY_MS || !s->pause_ms)
		s->pause_ms = PAUSE_MIN_MS;
	else if (s->pause_ms < PAUSE_MAX_MS)
		s->pause_ms *= 2;
	later(s, s->pause_ms);
}

static void on_child(void *owner, int signo)
{
	struct machine *p = owner;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (sessions_child(p->sessions, pid, status))
			continue;
		for (unsigned int i = 0; i < p->n_services; i++)
			if (p->services[i].pid == pid)
				service_ended(&p->services[i], status);
	}
}

static void on_supervisor(void *owner, uint32_t events)
{
	struct machine *p = owner;
	struct channel_msg m;
	int r;

	while ((r = channel_recv(p->i->channel, &m)) == 1) {
		if (m.type == SAY_POD_EXEC)
			sessions_exec(p->sessions, &m);
		channel_msg_done(&m);
	}
	if (r != -EAGAIN)
		_exit(0);
}

static int set_network(const struct init *i, struct err *e)
{
	struct netlink n;
	int r = netlink_open(&n, e);

	if (r < 0)
		return r;
	r = netlink_set_up(&n, "lo", true, e);
	if (!r)
		r = netlink_address(&n, "eth0", i->address, LAB_PREFIX, e);
	if (!r)
		r = netlink_set_up(&n, "eth0", true, e);
	if (!r && i->gateway)
		r = netlink_route(&n, LAB_NET, LAB_PREFIX, i->gateway, e);
	netlink_close(&n);
	return r;
}

static void let_go(const struct init *i)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct rlimit files;
	sigset_t none;

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		(void)dup2(null, fd); /* if not, the supervisor's log is written */
	(void)close_range(3, (unsigned int)i->channel - 1, 0);
	(void)close_range((unsigned int)i->channel + 1, ~0U, 0);
	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL); /* KILL and STOP say no */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail with this set */
	if (i->files && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = i->files;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* lower than it is: cannot fail */
	}
	(void)prctl(PR_SET_NAME, i->root.pod); /* for ps */
}

static int set_environment(const struct machine *p)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s:%s", p->programs, PATH_SYSTEM) < 0)
		return -ENOMEM;
	(void)clearenv(); /* fails never without memory of its own */
	return setenv("PATH", path, 1) < 0 || setenv("HOME", "/root", 1) < 0 ||
			       setenv("LANG", "C.UTF-8", 1) < 0
		       ? -ENOMEM
		       : 0;
}

/* everything up to the first service */
static int set_up(struct machine *p, struct err *e)
{
	const struct init *i = p->i;
	struct channel_msg m;
	int r = cgroup_enter(i->root.cgroup, i->root.pod, e);

	if (!r && sethostname(i->root.pod, strlen(i->root.pod)) < 0)
		r = err_set(e, -errno, "sethostname: %s", strerror(errno));
	(void)umask(0);
	if (!r)
		r = i->role == LAB_HEAD ? rootfs_head(&i->root, e) : rootfs_node(&i->root, e);
	(void)umask(022);
	if (r < 0)
		return r;
	r = channel_wait(i->channel, BOOT_TIMEOUT_MS, &m);
	if (r != 1 || m.type != SAY_BOOT)
		_exit(1); /* the supervisor gave up */
	(void)snprintf(p->token, sizeof(p->token), "%s", m.text);
	channel_msg_done(&m);
	r = set_network(i, e);
	if (!r)
		r = set_environment(p);
	return r;
}

static int watch(struct machine *p, struct err *e)
{
	struct session_place at = { .programs = p->programs, .is_head = p->i->role == LAB_HEAD };
	int r = loop_new(&p->loop, e);

	if (!r)
		r = sessions_new(p->loop, &at, &p->sessions, e);
	if (!r)
		r = loop_add_signal(p->loop, SIGCHLD, on_child, p, &p->child);
	if (!r)
		r = loop_add_fd(p->loop, p->i->channel, EPOLLIN, on_supervisor, p, &p->channel);
	return r;
}

void init_run(const struct init *i)
{
	struct machine p = { .i = i };
	struct err e = { .text = "out of memory" };
	int r;

	let_go(i);
	p.programs = rootfs_programs(i->root.programs, i->role == LAB_HEAD);
	for (const struct service *s = services; s->name && !i->bare; s++) {
		if (!(s->roles & 1U << i->role))
			continue;
		assert(p.n_services < SERVICES_MAX);
		p.services[p.n_services++] = (struct running){ .def = s, .pod = &p };
	}
	r = set_up(&p, &e);
	if (!r)
		r = watch(&p, &e);
	if (r < 0) {
		report(&p, SAY_POD_FAILED, 0, e.text);
		_exit(1);
	}
	go_on(&p);
	_exit(loop_run(p.loop) < 0);
}
