/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.c - run a command in this pod as the user who asked for it */
#include "lab/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>

#include "base/list.h"
#include "base/parse.h"
#include "lab/request.h"
#include "os/fd.h"
#include "os/sock.h"

#define GROUPS_MAX	65536
#define EXIT_NO_SESSION 125 /* env(1): it could not be tried, not be run, not be found */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_THERE	127
#define STAT_LINE_MAX	512
#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define PATH_SYSTEM	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define KILL_LOOKS_MAX	8

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/* order of the fds of a POD_EXEC */
enum exec_fd {
	EXEC_CONNECTION,
	EXEC_REQUEST,
	EXEC_STDIN,
	EXEC_STDOUT,
	EXEC_STDERR,
	EXEC_FDS
};

/* what a node keeps of the caller's environment */
static const char *const kept[] = { "TERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ" };

struct session {
	struct list link;
	struct sessions *all;
	pid_t pid; /* leader of the session and of its first process group */
	int fd;	   /* the caller */
	struct ev_ref ref;
};

struct sessions {
	struct loop *loop;
	struct session_place at;
	struct list list;
	unsigned int n;
};

/* all that a new process must know; the fds are the message's */
struct job {
	const struct session_place *at;
	struct lab_request request;
	struct sock_peer who;
	gid_t *groups; /* owned */
	int n_groups;
	const int *fds;
	int master, slave; /* -1 without a pty */
};

int sessions_new(struct loop *l, const struct session_place *at, struct sessions **ret,
		 struct err *e)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->loop = l;
	s->at = *at;
	list_init(&s->list);
	*ret = s;
	return 0;
}

static void session_free(struct session *s)
{
	loop_remove(s->all->loop, &s->ref);
	fd_close(&s->fd);
	list_del(&s->link);
	s->all->n--;
	free(s);
}

/* session id of a process, 0 when it is gone (proc(5): the 4th word behind the name) */
static pid_t session_id(const char *pid)
{
	char path[64], line[STAT_LINE_MAX], *p;
	uint32_t sid;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return 0;
	line[n] = '\0';
	p = strrchr(line, ')');
	if (!p)
		return 0;
	p++;
	for (int i = 0; i < 4; i++) /* the space, then state, ppid, pgrp */
		if (!strsep(&p, " ") || !p)
			return 0;
	p[strcspn(p, " ")] = '\0';
	return parse_u32(p, &sid) < 0 ? 0 : (pid_t)sid;
}

/* its process groups may be many, so each process is asked for its session */
static unsigned int kill_members(pid_t sid)
{
	DIR *d = opendir("/proc");
	unsigned int found = 0;
	struct dirent *p;
	uint32_t pid;

	while (d && (p = readdir(d))) {
		if (parse_u32(p->d_name, &pid) < 0 || session_id(p->d_name) != sid)
			continue;
		(void)kill((pid_t)pid, SIGKILL); /* may be gone */
		found++;
	}
	if (d)
		(void)closedir(d); /* read only */
	return found;
}

/* a process may fork while the list is read: look again until a look finds nobody new */
static void kill_session(pid_t sid)
{
	unsigned int before = ~0U, found;

	(void)kill(-sid, SIGKILL); /* may be gone */
	for (int i = 0; i < KILL_LOOKS_MAX && (found = kill_members(sid)) && found < before; i++)
		before = found;
}

static void on_caller(void *owner, uint32_t events)
{
	struct session *s = owner;
	struct channel_msg m;
	int r;

	while ((r = channel_recv(s->fd, &m)) == 1) {
		/* the caller may signal what he started, and nothing else */
		if (m.type == SAY_SIGNAL && m.number > 0 && m.number < NSIG)
			(void)kill(-s->pid, m.number); /* may be gone */
		channel_msg_done(&m);
	}
	if (r == -EAGAIN)
		return;
	kill_session(s->pid);
	session_free(s); /* its end is reaped as a stranger's */
}

bool sessions_child(struct sessions *all, pid_t pid, int wait_status)
{
	list_for_each_safe (l, &all->list) {
		struct session *s = list_entry(l, struct session, link);

		if (s->pid != pid)
			continue;
		/* a caller who left or does not read sees the end of the connection */
		channel_tell(s->fd, SAY_EXIT, wait_status, NULL);
		session_free(s);
		return true;
	}
	return false;
}

static int read_request(int fd, struct lab_request *ret, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p;
	int r;

	/* only memory that can neither block a reader nor change under him */
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size <= 0 ||
	    st.st_size > REQUEST_BYTES_MAX)
		return err_set(e, -EPROTO, "the request is no sealed memfd");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_set(e, -errno, "map the request: %s", strerror(errno));
	r = request_parse(p, (size_t)st.st_size, ret, e);
	(void)munmap(p, (size_t)st.st_size); /* just mapped */
	return r;
}

static int caller(int fd, struct job *j, struct err *e)
{
	socklen_t len = GROUPS_MAX * sizeof(gid_t);
	int r = sock_peer(fd, &j->who, e);

	if (r < 0)
		return r;
	j->groups = malloc(len);
	if (!j->groups)
		return err_set(e, -ENOMEM, "out of memory");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, j->groups, &len) < 0)
		return err_set(e, -errno, "SO_PEERGROUPS: %s", strerror(errno));
	j->n_groups = (int)(len / sizeof(gid_t));
	return 0;
}

/* a pty with the caller's terminal's size and settings */
static int make_pty(struct job *j, struct err *e)
{
	struct termios t;
	struct winsize w;
	int unlock = 0;

	j->master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (j->master < 0 || ioctl(j->master, TIOCSPTLCK, &unlock) < 0)
		return err_set(e, -errno, "make a pty: %s", strerror(errno));
	j->slave = ioctl(j->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (j->slave < 0 || fchown(j->slave, j->who.uid, (gid_t)-1) < 0)
		return err_set(e, -errno, "open the pty: %s", strerror(errno));
	/* a caller's stdin that is no terminal leaves the defaults */
	if (ioctl(j->fds[EXEC_STDIN], TIOCGWINSZ, &w) == 0)
		(void)ioctl(j->master, TIOCSWINSZ, &w);
	if (tcgetattr(j->fds[EXEC_STDIN], &t) == 0)
		(void)tcsetattr(j->slave, TCSANOW, &t);
	return 0;
}

static const char *value_of(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static void set(const char *name, const char *value)
{
	if (setenv(name, value, 1) < 0)
		_exit(EXIT_NO_SESSION);
}

/* in the new process: the environment of the command; Return: directory to start in */
static const char *set_environment(const struct job *j)
{
	static const char *home = "/";
	const struct passwd *pw = NULL;
	const char *path;
	AUTO_FREE char *text = NULL;

	if (j->at->is_head) {
		environ = j->request.env;
		path = value_of(environ, "PATH");
	} else {
		(void)clearenv(); /* fails never without memory of its own */
		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			if ((path = value_of(j->request.env, kept[i])))
				set(kept[i], path);
		pw = getpwuid(j->who.uid);
		home = pw ? pw->pw_dir : "/";
		set("HOME", home);
		set("SHELL", pw && pw->pw_shell[0] ? pw->pw_shell : "/bin/sh");
		if (pw) {
			set("USER", pw->pw_name);
			set("LOGNAME", pw->pw_name);
		}
		path = NULL;
	}
	if (asprintf(&text, "%s:%s", j->at->programs, path ? path : PATH_SYSTEM) < 0)
		_exit(EXIT_NO_SESSION);
	set("PATH", text);
	return j->at->is_head ? j->request.cwd : home;
}

static NORETURN void fail(int status, const char *what)
{
	dprintf(STDERR_FILENO, "comosix lab exec: %s: %s\n", what, strerror(errno));
	_exit(status);
}

static void set_stdio(const struct job *j)
{
	for (int i = 0; i < 3; i++) {
		int from = j->fds[EXEC_STDIN + i];

		if (j->slave >= 0 && (i < 2 || isatty(from)))
			from = j->slave;
		if (dup2(from, i) < 0)
			_exit(EXIT_NO_SESSION);
	}
}

/* the new process; the order matters: what needs root first, then give it up, then the user's own
 */
static NORETURN void run(const struct job *j)
{
	const char *dir;
	sigset_t none;

	(void)setsid(); /* just forked: leads no group, so it cannot fail */
	set_stdio(j);
	if (j->slave >= 0 && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
		fail(EXIT_NO_SESSION, "take the pty");
	if (close_range(3, ~0U, 0) < 0)
		fail(EXIT_NO_SESSION, "close_range");
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL); /* KILL and STOP say no */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail with this set */
	(void)umask(j->request.umask);
	dir = set_environment(j);
	if (setgroups((size_t)j->n_groups, j->groups) < 0 ||
	    setresgid(j->who.gid, j->who.gid, j->who.gid) < 0 ||
	    setresuid(j->who.uid, j->who.uid, j->who.uid) < 0)
		fail(EXIT_NO_SESSION, "become the caller");
	/* a command that starts in another directory than the caller thinks may do harm */
	if (chdir(dir) < 0 && (j->at->is_head || chdir("/") < 0))
		fail(EXIT_NO_SESSION, dir);
	(void)execvp(j->request.argv[0], j->request.argv);
	fail(errno == ENOENT ? EXIT_NOT_THERE : EXIT_CANNOT_RUN, j->request.argv[0]);
}

/* fork, tell the caller, and watch him */
static int start(struct sessions *all, struct job *j, int *conn, struct err *e)
{
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->pid = fork();
	if (s->pid < 0) {
		r = -errno;
		free(s);
		return err_set(e, r, "fork: %s", strerror(-r));
	}
	if (!s->pid)
		run(j);
	s->all = all;
	s->fd = fd_take(conn);
	list_add(&all->list, &s->link);
	all->n++;
	r = channel_send_fds(s->fd, SAY_STARTED, 0, NULL, &j->master, j->master >= 0);
	if (!r)
		r = loop_add_fd(all->loop, s->fd, EPOLLIN, on_caller, s, &s->ref);
	if (r < 0) {
		kill_session(s->pid);
		session_free(s);
	}
	return 0; /* from here on the connection says it all */
}

void sessions_exec(struct sessions *all, struct channel_msg *m)
{
	struct job j = { .at = &all->at, .fds = m->fds, .master = -1, .slave = -1 };
	struct err e = { 0 };
	int r = 0;

	if (m->n_fds != EXEC_FDS) {
		channel_msg_done(m);
		return;
	}
	if (all->n >= SESSIONS_MAX)
		r = err_set(&e, -EAGAIN, "%d commands run in this pod already", SESSIONS_MAX);
	if (!r)
		r = read_request(m->fds[EXEC_REQUEST], &j.request, &e);
	if (!r)
		r = caller(m->fds[EXEC_CONNECTION], &j, &e);
	if (!r && m->number)
		r = make_pty(&j, &e);
	if (!r)
		r = start(all, &j, &m->fds[EXEC_CONNECTION], &e);
	if (r < 0) /* a caller who left needs no answer */
		channel_tell(m->fds[EXEC_CONNECTION], SAY_FAILED, EXIT_NO_SESSION, e.text);
	request_done(&j.request);
	free(j.groups);
	fd_close(&j.master);
	fd_close(&j.slave);
	channel_msg_done(m);
}
