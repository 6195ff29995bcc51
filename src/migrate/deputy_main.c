/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deputy_main.c - comosix-deputy: moves one process to another node, and stays with it */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/parse.h"
#include "config.h"
#include "log/log.h"
#include "migrate/box.h"
#include "migrate/deputy.h"
#include "migrate/guest_start.h"
#include "os/fd.h"
#include "os/rand.h"
#include "os/spawn.h"
#include "tracee/maps.h"

static const char usage[] =
	"Usage: comosix-deputy --local PID [--job [--path DIR]...]\n"
	"\n"
	"Moves a process away and executes its calls here. It is started by comosixd; people use\n"
	"migrate(1).\n"
	"\n"
	"  --local PID  move the process into a guest on this machine, until SIGINT or SIGTERM\n"
	"               brings it home: to try out whether a program can move\n"
	"  --job        confine it as a job that goes to a desktop, for good: it may use its open\n"
	"               files, its working directory and system files, and no dot file of its home\n"
	"  --path DIR   of a job: one more file or directory that it may use\n"
	"  --help       this text\n"
	"  --version    the version\n"
	"\n"
	"Examples:\n"
	"  comosix-deputy --local 4711\n"
	"  migrate 4711 n2\n";

struct program {
	struct loop *loop;
	struct deputy deputy;
	bool job;
	const char *paths[CONFINE_PATHS_MAX];
	size_t n_paths;
};

static void on_state(void *owner, enum deputy_state s, uint64_t freeze_us)
{
	(void)owner;
	if (s == DEPUTY_AWAY)
		(void)printf("away %llu us\n", (unsigned long long)freeze_us);
	else if (s == DEPUTY_OVER)
		(void)printf("home %llu us\n", (unsigned long long)freeze_us);
	(void)fflush(stdout);
}

static void on_over(void *owner, int status, const char *why)
{
	struct program *p = owner;

	if (status)
		(void)fprintf(stderr, "comosix-deputy: %s\n", why);
	else
		(void)printf("%s\n", why);
	loop_stop(p->loop, status);
}

static const struct deputy_ops ops = { .state = on_state, .over = on_over };

static void on_recall(void *owner, int signo)
{
	struct program *p = owner;

	(void)signo;
	deputy_recall(&p->deputy);
}

/* a guest of our own, as comosixd starts one; its slot is our pid's */
static int start_guest(const struct proc_stat *st, int stream, const uint8_t *key, struct err *e)
{
	struct guest_start start = { .uid = st->uid[0], .gid = st->gid[0] };
	char program[4096], slot[16];
	int ends[2];
	pid_t pid;

	memcpy(start.key, key, sizeof(start.key));
	(void)snprintf(slot, sizeof(slot), "%u", (unsigned int)getpid() % GUEST_BOX_SLOTS_MAX);
	if (spawn_find("comosix-guest", COMOSIX_LIBEXECDIR, program, sizeof(program), e) < 0)
		return e->code;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, -errno, "make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		/* both are above 4 */
		if (dup2(stream, GUEST_STREAM_FD) < 0 || dup2(ends[0], GUEST_START_FD) < 0)
			_exit(126);
		(void)execl(program, "comosix-guest", "--slot", slot, (char *)NULL);
		_exit(126);
	}
	if (pid > 0 && fd_write_all(ends[1], &start, sizeof(start)) < 0)
		pid = -1;
	(void)close(ends[0]);
	(void)close(ends[1]);
	return pid < 0 ? err_set(e, -EIO, "start '%s': %s", program, strerror(errno)) : 0;
}

static int confine(struct program *p, const struct proc_stat *st, struct err *e)
{
	struct confine_spec spec = { .paths = p->paths, .n_paths = p->n_paths };
	char home[CONFINE_PATH_MAX];
	int r = confine_home(st->uid[0], home, sizeof(home), e);

	spec.home = home[0] ? home : NULL;
	return r < 0 ? r : deputy_confine(&p->deputy, &spec, e);
}

static int move_here(struct program *p, pid_t pid, struct err *e)
{
	uint8_t key[CHANNEL_KEY];
	struct proc_stat st;
	int pair[2], high[2], r = proc_stat_read(pid, &st, e);

	rand_bytes(key, sizeof(key));
	if (!r && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		r = err_set(e, -errno, "make a socket pair: %s", strerror(errno));
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		high[i] = fcntl(pair[i], F_DUPFD_CLOEXEC, 10);
		(void)close(pair[i]);
	}
	r = start_guest(&st, high[1], key, e);
	(void)close(high[1]);
	if (!r)
		r = deputy_start(&p->deputy, p->loop, high[0], key, pid, &ops, p, e);
	explicit_bzero(key, sizeof(key));
	if (!r && p->job) {
		r = confine(p, &st, e);
		if (r < 0)
			deputy_done(&p->deputy);
	}
	return r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "local", required_argument, NULL, 'l' },
		{ "job", no_argument, NULL, 'j' },
		{ "path", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct program p = { 0 };
	struct err e = { 0 };
	struct ev_ref ref;
	uint64_t pid = 0;
	int c, r;

	log_open("comosix-deputy", LOG_INFO);
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'l':
			if (parse_u64(optarg, &pid) < 0 || !pid || pid > 4194304) {
				(void)fprintf(stderr, "comosix-deputy: '%s' is no process id\n",
					      optarg);
				return 2;
			}
			break;
		case 'j':
			p.job = true;
			break;
		case 'p':
			if (p.n_paths == CONFINE_PATHS_MAX) {
				(void)fprintf(stderr, "comosix-deputy: too many --path\n");
				return 2;
			}
			p.paths[p.n_paths++] = optarg;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		case 'V':
			(void)printf("comosix-deputy %s\n", COMOSIX_VERSION);
			return 0;
		default:
			(void)fprintf(stderr, "see comosix-deputy --help\n");
			return 2;
		}
	if (!pid || optind != argc) {
		(void)fprintf(stderr, "comosix-deputy: which process? See comosix-deputy --help\n");
		return 2;
	}
	if (loop_new(&p.loop, &e) < 0 ||
	    loop_add_signal(p.loop, SIGINT, on_recall, &p, &ref) < 0 ||
	    loop_add_signal(p.loop, SIGTERM, on_recall, &p, &ref) < 0)
		die("%s", e.text);
	if (move_here(&p, (pid_t)pid, &e) < 0)
		die("%s", e.text);
	r = loop_run(p.loop);
	deputy_done(&p.deputy);
	loop_free(p.loop);
	return r < 0 ? 1 : r;
}
