/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - comosix-box: build a box around itself and run a program in it (node/box.h)
 *
 * Theory of operation. Started by box_spawn() as pid 1 of new namespaces. The order of the walls is
 * given: the cgroup while the host's files are seen; files and limits while there are rights; then
 * the rights; the filter last, for it denies what the others do. Everything that can fail is behind
 * us before the program is started. Then this process is init: it reaps, makes the program's words
 * fit for the log (words.h), ends with the program's status, and all that is left in the box ends
 * with it (pid_namespaces(7)).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/opt.h"
#include "config.h"
#include "node/box.h"
#include "node/box/wall.h"
#include "node/box/words.h"
#include "node/cgroup.h"
#include "os/fd.h"

#define STATUS_USAGE	    2
#define STATUS_BOX_FAILED   125
#define STATUS_NOT_EXECUTED 126
#define STATUS_NOT_FOUND    127

#define LAST_READS 64 /* of a full pipe */

#define ENV_OWN	 7
#define ENV_MAX	 128
#define PATH_BOX "PATH=/usr/local/bin:/usr/bin:/bin"

struct options {
	bool version, idle;
	uint32_t uid, gid, processes;
	uint64_t scratch, memory;
	const char *cache;
	const char *groups[CGROUP_DIRS_MAX];
};

#define AT(field) offsetof(struct options, field)

static const struct opt_spec specs[] = {
	{ "uid", 0, OPT_U32, AT(uid), "UID", "who the program is; not below 1000" },
	{ "gid", 0, OPT_U32, AT(gid), "GID", "its only group; may write the cache" },
	{ "processes", 0, OPT_U32, AT(processes), "N", "at most so many" },
	{ "scratch", 0, OPT_SIZE, AT(scratch), "SIZE", "of the scratch directory" },
	{ "memory", 0, OPT_SIZE, AT(memory), "SIZE", "of the data of each process" },
	{ "cache", 0, OPT_STRING, AT(cache), "DIR", "shown as " BOX_CACHE },
	{ "cgroup", 0, OPT_STRING, AT(groups[0]), "DIR", "entered first" },
	{ "cgroup2", 0, OPT_STRING, AT(groups[1]), "DIR", "entered, too" },
	{ "cgroup3", 0, OPT_STRING, AT(groups[2]), "DIR", "entered, too" },
	{ "idle", 0, OPT_FLAG, AT(idle), NULL, "run only when nobody else wants the processor" },
	{ "version", 0, OPT_FLAG, AT(version), NULL, "print the version" },
};

static const struct opt_command self = {
	.name = BOX_PROGRAM,
	.args = "-- PROGRAM ARGV0 [ARGUMENTS]",
	.summary = "run a program that is not trusted; started by comosixd, not by hand",
	.examples = "  unshare -fpmniu comosix-box --uid 64200 --gid 64200 -- /usr/bin/id id\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
	.stop_at_word = true,
};

static void NORETURN fail(int status, const char *text)
{
	(void)fprintf(stderr, "%s: %s\n", self.name, text);
	_exit(status);
}

static int print_help(void)
{
	struct buf help;

	buf_init(&help, 16384);
	if (opt_help(&self, &help) < 0)
		return 1;
	(void)fputs(buf_text(&help), stdout);
	buf_done(&help);
	return 0;
}

static int enter_groups(const struct options *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(o->groups); i++) {
		int r = o->groups[i] ? cgroup_enter(o->groups[i]) : 0;

		if (r < 0)
			return err_set(e, r, "enter '%s': %s", o->groups[i], strerror(-r));
	}
	(void)unshare(CLONE_NEWCGROUP); /* hides the name of the group; not a wall */
	return 0;
}

static int put_up_walls(const struct options *o, const char *program, struct err *e)
{
	const struct wall w = {
		.uid = o->uid,
		.gid = o->gid,
		.scratch_bytes = o->scratch,
		.memory_bytes = o->memory,
		.processes = o->processes,
		.cache = o->cache,
		.program = program,
		.idle = o->idle,
	};
	int r = enter_groups(o, e);

	if (!r)
		r = wall_limits(&w, e);
	if (!r)
		r = wall_files(&w, e);
	if (!r && sethostname("box", 3) < 0)
		r = err_set(e, -errno, "name the box: %s", strerror(errno));
	if (!r)
		r = wall_rights(&w, e);
	/* the change of uid has cleared it */
	if (!r && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = err_set(e, -errno, "tie the box to its daemon: %s", strerror(errno));
	if (!r)
		r = wall_calls(e);
	return r;
}

/* its own few, then what the daemon gave us as our environment; an earlier one wins */
static void fill_env(const struct options *o, const char **env)
{
	const char *const own[ENV_OWN] = {
		PATH_BOX,
		"HOME=" BOX_SCRATCH,
		"TMPDIR=" BOX_SCRATCH,
		"COMOSIX_SCRATCH=" BOX_SCRATCH,
		"USER=box",
		"LANG=C.UTF-8",
		o->cache ? "COMOSIX_CACHE=" BOX_CACHE : NULL,
	};
	size_t n = 0;

	for (size_t i = 0; i < ENV_OWN; i++)
		if (own[i])
			env[n++] = own[i];
	for (char **p = environ; *p && n < ENV_MAX; p++) {
		size_t len = strcspn(*p, "=") + 1, i = 0;

		while (i < n && strncmp(env[i], *p, len) != 0)
			i++;
		if (i == n)
			env[n++] = *p;
	}
	env[n] = NULL;
}

static void NORETURN start(const struct options *o, const char *program, char **argv, int words)
{
	const char *env[ENV_MAX + 1];
	sigset_t none;

	sigemptyset(&none);
	if (dup2(words, STDERR_FILENO) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		fail(STATUS_BOX_FAILED, strerror(errno));
	fill_env(o, env);
	(void)execve(program, argv, (char **)env);
	(void)fprintf(stderr, "%s: '%s': %s\n", self.name, program, strerror(errno));
	_exit(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTED);
}

/* the stream must end when the program lets go of it, so init may not hold it */
static void let_go_of_stream(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		fail(STATUS_BOX_FAILED, "no /dev/null in the box");
}

static void on_child(int signo)
{
	/* only there to wake ppoll() */
}

/* false: there is nothing to read now, or nothing will come any more */
static bool pass_words(struct words *w, int *from)
{
	char bytes[4096];
	ssize_t n = read(*from, bytes, sizeof(bytes));

	if (n > 0)
		words_put(w, STDERR_FILENO, bytes, (size_t)n);
	else if (n == 0)
		fd_close(from);
	return n > 0;
}

/* reap all that have ended; true when the program is one of them */
static bool reap(pid_t program, int *ret_status)
{
	bool over = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == program) {
			*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
							  : WEXITSTATUS(status);
			over = true;
		}
	return over;
}

/* SIGCHLD is let in by ppoll() alone, so none is missed between a look and the wait */
static int be_init(pid_t program, uint32_t uid, int from)
{
	struct words words = { .uid = uid };
	int status = STATUS_BOX_FAILED;
	sigset_t none;

	sigemptyset(&none);
	while (!reap(program, &status)) {
		struct pollfd p = { .fd = from, .events = POLLIN };

		if (ppoll(&p, 1, NULL, &none) > 0)
			(void)pass_words(&words, &from); /* the next turn looks again */
	}
	/* what is in the pipe; others in the box may still fill it, but they end with us */
	for (int i = 0; i < LAST_READS && pass_words(&words, &from); i++)
		;
	words_end(&words, STDERR_FILENO);
	return status;
}

static void prepare_init(int *ret_pipe)
{
	struct sigaction wake = { .sa_handler = on_child };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (pipe2(ret_pipe, O_CLOEXEC | O_NONBLOCK) < 0 || fd_nonblock(ret_pipe[1], 0) < 0 ||
	    sigaction(SIGCHLD, &wake, NULL) < 0 || sigprocmask(SIG_BLOCK, &child, NULL) < 0)
		fail(STATUS_BOX_FAILED, strerror(errno));
}

int main(int argc, char **argv)
{
	struct options o = { .scratch = 256ULL << 20, .processes = 64 };
	char program[PATH_MAX];
	struct err e = { 0 };
	int first = 0, r = opt_parse(&self, argc, argv, &o, &first, &e);
	int words[2];
	pid_t pid;

	if (r == -ECANCELED)
		return print_help();
	if (!r && o.version) {
		(void)printf("%s %s\n", self.name, COMOSIX_VERSION);
		return 0;
	}
	if (r < 0)
		fail(STATUS_USAGE, e.text);
	if (argc - first < 2 || o.uid < 1000 || o.gid < 1000 || !o.processes)
		fail(STATUS_USAGE, "--uid, --gid, PROGRAM and ARGV0 are wanted; see --help");
	if (getpid() != 1 || geteuid() != 0)
		fail(STATUS_USAGE,
		     "comosixd starts this program as root, in namespaces of its own");
	if (setsid() < 0 && errno != EPERM)
		fail(STATUS_BOX_FAILED, strerror(errno));
	/* under its true name: links are not shown in the box */
	if (!realpath(argv[first], program)) {
		(void)err_set(&e, -errno, "'%s': %s", argv[first], strerror(errno));
		fail(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTED, e.text);
	}
	if (put_up_walls(&o, program, &e) < 0)
		fail(STATUS_BOX_FAILED, e.text);
	prepare_init(words);
	pid = fork();
	if (pid < 0)
		fail(STATUS_BOX_FAILED, strerror(errno));
	if (!pid)
		start(&o, program, argv + first + 1, words[1]);
	fd_close(&words[1]);
	let_go_of_stream();
	_exit(be_init(pid, o.uid,
		      words[0])); /* nothing of the libraries is to run at the exit of an init */
}
