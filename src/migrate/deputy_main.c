/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy_main.c - comosix-deputy: moves one process to another node, and stays with it
 *
 * Started by comosixd with the descriptors of net/half_link.h, or by a person with --local, who is
 * then both daemons: the guest is started here, on a socket pair.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/parse.h"
#include "config.h"
#include "log/log.h"
#include "migrate/box.h"
#include "migrate/control.h"
#include "migrate/deputy.h"
#include "migrate/lease.h"
#include "migrate/preflight.h"
#include "migrate/rights.h"
#include "migrate/sharing.h"
#include "migrate/tidy.h"
#include "migrate/trips.h"
#include "os/fd.h"
#include "os/rand.h"
#include "os/spawn.h"
#include "tracee/maps.h"
#include "wire/message.h"

#define PROGRESS_MS 200
#define REASONS_MAX 4096 /* bytes of the sentences that say why not */

static const char usage[] =
	"Usage: comosix-deputy --local PID [--again] [--job [--path DIR]...]\n"
	"\n"
	"Moves a process away and executes its calls here. It is started by comosixd; people use\n"
	"migrate(1).\n"
	"\n"
	"  --local PID  move the process into a guest on this machine, until SIGINT or SIGTERM\n"
	"               brings it home: to try out whether a program can move\n"
	"  --again      when it has come home for a call that is made there (fork, exec), it goes "
	"out\n"
	"               again, until somebody brings it home\n"
	"  --job        confine it as a job that goes to a desktop, for good: it may use its open\n"
	"               files, its working directory and system files, and no dot file of its "
	"home\n"
	"  --post-copy  it moves at once, and its memory follows\n"
	"  --path DIR   of a job: one more file or directory that it may use\n"
	"  --tidy PID   take away what a deputy that was killed has left in a process\n"
	"  --checkpoint TIME  keep an image of it each TIME (30s), to go on from if the guest is "
	"lost\n"
	"  --checkpoint-dir DIR, --checkpoint-max SIZE  where (/var/tmp), and how large (8G)\n"
	"  --help       this text\n"
	"  --version    the version\n"
	"\n"
	"Examples:\n"
	"  comosix-deputy --local 4711\n"
	"  migrate 4711 n2\n";

struct program {
	struct loop *loop;
	struct deputy deputy;
	bool job, late, tidy, again;
	pid_t pid; /* by hand */
	uid_t uid; /* of the process */
	const char *paths[CONFINE_PATHS_MAX];
	size_t n_paths;
	struct checkpoint_spec checkpoint; /* interval_ms 0: none */
	bool running;			   /* the deputy was started */
	struct control *control;	   /* NULL: --local */
	Cmx__HalfStart *start;
	struct ev_ref progress;
	uint64_t bytes_all; /* resident when it was looked at */
	enum deputy_state last;
	bool came_home;
};

/* it is a job and goes to a desktop */
static int confine(struct program *p, uid_t uid, const char *const *paths, size_t n, struct err *e)
{
	struct confine_spec spec = { .paths = paths, .n_paths = n };
	char home[CONFINE_PATH_MAX];
	int r = confine_home(uid, home, sizeof(home), e);

	spec.home = home[0] ? home : NULL;
	return r < 0 ? r : deputy_confine(&p->deputy, &spec, e);
}

/* ---- what cannot move is told before it is stopped ---- */

/* Return: 0 it may move; else the exit status that fits */
static int look(pid_t pid, uid_t uid, bool job, struct buf *why)
{
	struct sharing sharing;
	struct proc_stat st;
	uint64_t reasons = 0;
	struct err e = { 0 };
	int r = proc_stat_read(pid, &st, &e);

	if (!r && st.uid[0] != uid)
		r = err_set(&e, -ESRCH, "the process has ended, another one has its number");
	sharing_init(&sharing);
	if (!r)
		r = preflight(pid, &sharing, &reasons, &e);
	sharing_done(&sharing);
	if (r < 0) {
		(void)!buf_printf(why, "%s", e.text); /* without memory it is short of words */
		return r == -ESRCH ? 4 : 1;
	}
	if (reasons & PREFLIGHT_BIT(VFORK) && !preflight_vfork(pid))
		reasons &= ~PREFLIGHT_BIT(VFORK);
	if (job && preflight_may_be_wall(pid))
		reasons &= ~PREFLIGHT_BIT(SECCOMP);
	if (reasons)
		(void)!preflight_sentences(reasons, why); /* the same */
	return reasons ? 5 : 0;
}

static int on_look(void *owner, char *ret_why, size_t len)
{
	const struct program *p = owner;
	struct buf why;
	int status;

	buf_init(&why, REASONS_MAX);
	status = look(p->deputy.pid, p->uid, p->job, &why);
	(void)snprintf(ret_why, len, "it has begun another program (exec), and that one stays: %s",
		       buf_text(&why));
	buf_done(&why);
	return status;
}

/* ---- for comosixd ---- */

static const Cmx__HalfStage stages[] = {
	[DEPUTY_CONNECTING] = CMX__HALF_STAGE__STAGE_CONNECT,
	[DEPUTY_COPYING] = CMX__HALF_STAGE__STAGE_COPY,
	[DEPUTY_SENDING] = CMX__HALF_STAGE__STAGE_CAPTURE,
	[DEPUTY_BUILDING] = CMX__HALF_STAGE__STAGE_BUILD,
	[DEPUTY_AWAY] = CMX__HALF_STAGE__STAGE_AWAY,
	[DEPUTY_RECALLING] = CMX__HALF_STAGE__STAGE_RECALL,
	[DEPUTY_RETURNING] = CMX__HALF_STAGE__STAGE_REBUILD,
	[DEPUTY_RESUMING] = CMX__HALF_STAGE__STAGE_REBUILD,
	[DEPUTY_HOME] = CMX__HALF_STAGE__STAGE_REBUILD,
	[DEPUTY_OVER] = CMX__HALF_STAGE__STAGE_REBUILD,
};

static uint64_t bytes_done(const struct program *p)
{
	uint64_t n = p->deputy.bytes_out;

	return n < p->bytes_all ? n : p->bytes_all;
}

static void on_progress(void *owner)
{
	struct program *p = owner;

	if (p->last != DEPUTY_COPYING && p->last != DEPUTY_SENDING)
		return;
	control_state(p->control, stages[p->last], bytes_done(p), p->bytes_all, 0);
	(void)!loop_add_timer(p->loop, loop_now(p->loop) + PROGRESS_MS, on_progress, p,
			      &p->progress);
}

static bool is_home(enum deputy_state s)
{
	return s == DEPUTY_HOME || s == DEPUTY_OVER;
}

/* where the time went, for who wonders why it was long */
static void log_laps(const struct program *p, enum deputy_state s, uint64_t freeze_us)
{
	const struct deputy *d = &p->deputy;
	char laps[LAPS_TEXT_MAX];

	if (s == DEPUTY_AWAY)
		log_info("process %d is away; it stood still for %u.%02u ms (%s), for %llu pages "
			 "after %u rounds of %llu",
			 d->pid, (unsigned int)freeze_us / 1000,
			 (unsigned int)freeze_us % 1000 / 10, laps_text(&d->laps, laps),
			 (unsigned long long)(d->reader.pages - d->round_began), d->rounds,
			 (unsigned long long)d->round_began);
	if (is_home(s))
		log_info("process %d is at home; it stood still for %u.%02u ms (%s)", d->pid,
			 (unsigned int)freeze_us / 1000, (unsigned int)freeze_us % 1000 / 10,
			 laps_text(&d->laps, laps));
}

static void on_state(void *owner, enum deputy_state s, uint64_t freeze_us)
{
	struct program *p = owner;

	log_laps(p, s, freeze_us);
	p->last = s;
	p->came_home |= is_home(s);
	if (s == DEPUTY_HOME)
		control_again(p->control);
	control_state(p->control, stages[s], bytes_done(p), p->bytes_all, (uint32_t)freeze_us);
	loop_remove(p->loop, &p->progress);
	if (s == DEPUTY_COPYING || s == DEPUTY_SENDING)
		(void)!loop_add_timer(p->loop, loop_now(p->loop) + PROGRESS_MS, on_progress, p,
				      &p->progress);
}

static Cmx__HalfFate fate_of(const struct program *p, int status)
{
	if (p->came_home)
		return CMX__HALF_FATE__FATE_HOME;
	if (p->last < DEPUTY_AWAY)
		return CMX__HALF_FATE__FATE_STAYED;
	return status ? CMX__HALF_FATE__FATE_LOST : CMX__HALF_FATE__FATE_EXITED;
}

/* or nobody has come */
static void on_told(void *owner)
{
	struct program *p = owner;

	loop_stop(p->loop, 0);
}

static void on_over(void *owner, int status, const char *why)
{
	struct program *p = owner;

	control_end(p->control, status, fate_of(p, status), p->deputy.again.yes, why);
	/* a comosixd that is just exchanged: the next one sends it out again */
	if (p->deputy.again.yes && control_waits(p->control) &&
	    loop_add_timer(p->loop, loop_now(p->loop) + p->start->lease_ms, on_told, p,
			   &p->progress) == 0)
		return;
	loop_stop(p->loop, 0);
}

static bool on_cut(void *owner, const struct err *why)
{
	struct program *p = owner;

	if (!control_open(p->control))
		return false;
	log_warn("the stream to the host was cut: %s; the lease runs", why->text);
	control_want_transport(p->control);
	return true;
}

static void on_note(void *owner, const char *text)
{
	struct program *p = owner;

	control_note(p->control, text);
}

static void on_filled(void *owner, uint64_t us)
{
	(void)owner;
	log_info("all of its memory is at the host, %llu ms after it",
		 (unsigned long long)us / 1000);
}

static const struct deputy_ops daemon_ops = {
	.state = on_state,
	.over = on_over,
	.cut = on_cut,
	.look = on_look,
	.note = on_note,
	.filled = on_filled,
};

static void on_home(void *owner)
{
	struct program *p = owner;

	deputy_recall(&p->deputy);
}

/* the stream is void: what its end does is right, before RUN and after */
static void on_drop(void *owner, const char *text)
{
	struct program *p = owner;
	char quoted[256];

	(void)log_quote(text, quoted, sizeof(quoted));
	log_warn("comosixd: %s", quoted);
	if (p->running)
		deputy_drop(&p->deputy, quoted);
}

static void on_transport(void *owner, const uint8_t *key, int fd)
{
	struct program *p = owner;
	struct err e = { 0 };

	if (p->running && deputy_transport(&p->deputy, fd, key, &e) == 0)
		return;
	(void)close(fd);
	log_warn("%s", e.code ? e.text : "a stream for a move that has not begun");
}

static const struct control_ops control_ops = {
	.home = on_home,
	.transport = on_transport,
	.drop = on_drop,
	.told = on_told,
};

static uint64_t resident_bytes(pid_t pid)
{
	unsigned long long size = 0, resident = 0;
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	if (f)
		(void)fclose(f); /* was only read */
	return resident * 4096;
}

/* mosrun --checkpoint; the file for it is made with the rights of its user */
static int keep_images(struct program *p, struct err *e)
{
	const struct checkpoint_spec spec = {
		.interval_ms = p->start->checkpoint_ms,
		.max_bytes = p->start->checkpoint_max,
		.dir = p->start->checkpoint_dir,
	};

	return spec.interval_ms ? deputy_checkpoint(&p->deputy, &spec, e) : 0;
}

static int begin(struct program *p, const uint8_t *key)
{
	struct err e = { 0 };
	struct buf why;
	int status;

	control_state(p->control, CMX__HALF_STAGE__STAGE_PREFLIGHT, 0, 0, 0);
	buf_init(&why, REASONS_MAX);
	p->uid = p->start->uid;
	p->job = p->start->job;
	status = look((pid_t)p->start->pid, p->uid, p->job, &why);
	if (status) {
		control_end(p->control, status, CMX__HALF_FATE__FATE_STAYED, false, buf_text(&why));
		buf_done(&why);
		return status;
	}
	buf_done(&why);
	p->bytes_all = resident_bytes((pid_t)p->start->pid);
	control_state(p->control, CMX__HALF_STAGE__STAGE_CONNECT, 0, p->bytes_all, 0);
	if (deputy_start(&p->deputy, p->loop, HALF_FD_STREAM, key, (pid_t)p->start->pid,
			 p->start->lease_ms, &daemon_ops, p, &e) < 0) {
		control_end(p->control, 1, CMX__HALF_FATE__FATE_STAYED, false, e.text);
		return 1;
	}
	p->running = true;
	deputy_again_allow(&p->deputy);
	if (p->start->post_copy)
		deputy_late(&p->deputy);
	if (p->start->job && !strcmp(p->start->peer_role, "desktop") &&
	    confine(p, p->start->uid, (const char *const *)p->start->paths, p->start->n_paths, &e) <
		    0) {
		control_end(p->control, 5, CMX__HALF_FATE__FATE_STAYED, false, e.text);
		return 1;
	}
	if (rights_shed(p->start->uid, p->start->gid, &e) < 0 || keep_images(p, &e) < 0) {
		control_end(p->control, 1, CMX__HALF_FATE__FATE_STAYED, false, e.text);
		return 1;
	}
	return 0;
}

static int serve(struct program *p)
{
	uint8_t key[HALF_KEY_LEN];
	struct err e = { 0 };
	int r = control_start(&p->start, &e);

	if (r == -EPIPE)
		return 0; /* it was not told to do anything */
	if (r < 0)
		die("%s", e.text);
	memcpy(key, p->start->key.data, sizeof(key));
	if (control_new(p->loop, p->start, &control_ops, p, &p->control, &e) < 0)
		die("%s", e.text);
	r = begin(p, key);
	explicit_bzero(key, sizeof(key));
	return r ? 0 : loop_run(p->loop); /* the reason was told */
}

/* ---- --local ---- */

static void on_local_state(void *owner, enum deputy_state s, uint64_t freeze_us)
{
	struct program *p = owner;

	p->last = is_home(s) ? p->last : s;
	if (s == DEPUTY_AWAY)
		(void)printf("away %llu us\n", (unsigned long long)freeze_us);
	else if (is_home(s))
		(void)printf("home %llu us\n", (unsigned long long)freeze_us);
	(void)fflush(stdout);
}

static void on_local_over(void *owner, int status, const char *why)
{
	struct program *p = owner;

	if (status)
		(void)fprintf(stderr, "comosix-deputy: %s\n", why);
	else
		(void)printf("%s\n", why);
	(void)fflush(stdout); /* a trip does not come to the end of the program */
	loop_stop(p->loop, p->deputy.again.yes ? TRIPS_AGAIN : status);
}

static void on_local_filled(void *owner, uint64_t us)
{
	(void)owner;
	(void)printf("filled %llu us\n", (unsigned long long)us);
	(void)fflush(stdout);
}

static void on_local_note(void *owner, const char *text)
{
	(void)owner;
	(void)fprintf(stderr, "comosix-deputy: %s\n", text);
}

static void on_local_checkpoint(void *owner, unsigned int n)
{
	(void)owner;
	(void)printf("kept %u\n", n);
	(void)fflush(stdout);
}

static const struct deputy_ops local_ops = {
	.state = on_local_state,
	.over = on_local_over,
	.filled = on_local_filled,
	.look = on_look,
	.note = on_local_note,
	.checkpoint = on_local_checkpoint,
};

/* what comosixd says to a guest; nothing of it is read but this */
static int tell_guest(int control, const struct proc_stat *st, pid_t pid, const uint8_t *key,
		      struct err *e)
{
	static uint8_t id[HALF_ID_LEN];
	Cmx__HalfStart s = CMX__HALF_START__INIT;
	Cmx__Half m = CMX__HALF__INIT;
	struct half_link l;
	int r = half_link_init(&l, control);

	/* it is only read; protobuf-c has no word for that */
	s.key = (ProtobufCBinaryData){ .data = (uint8_t *)key, .len = HALF_KEY_LEN };
	s.move_id = (ProtobufCBinaryData){ .data = id, .len = sizeof(id) };
	s.pid = (uint32_t)pid;
	s.uid = st->uid[0];
	s.gid = st->gid[0];
	s.lease_ms = LEASE_MS;
	s.slot = (uint32_t)getpid() % GUEST_BOX_SLOTS_MAX;
	m.body_case = CMX__HALF__BODY_START;
	m.start = &s;
	if (!r)
		r = half_link_send(&l, &m, -1, e);
	/* it goes on without a daemon */
	half_link_done(&l);
	return r;
}

static int start_guest(int stream, int *ret_control, struct err *e)
{
	static const char *const argv[] = { "comosix-guest", NULL };
	char program[4096];
	int pair[2], r;
	pid_t pid; /* reaped with all children, by SIGCHLD */

	r = spawn_find("comosix-guest", COMOSIX_LIBEXECDIR, program, sizeof(program), e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, -errno, "make a socket pair: %s", strerror(errno));

	const int more[] = { stream, pair[1] };
	const struct spawn s = {
		.path = program,
		.argv = argv,
		.fds = { -1, -1, STDERR_FILENO },
		.more_fds = more,
		.n_more_fds = ARRAY_LEN(more),
		.own_session = true, /* Ctrl-C is for the deputy, which recalls the process */
	};

	r = spawn_program(&s, &pid, e);
	(void)close(pair[1]);
	if (r < 0)
		(void)close(pair[0]);
	else
		*ret_control = pair[0];
	return r;
}

static int move_here(struct program *p, pid_t pid, struct err *e)
{
	uint8_t key[CHANNEL_KEY];
	struct proc_stat st;
	int pair[2], control = -1, r = proc_stat_read(pid, &st, e);

	rand_bytes(key, sizeof(key));
	if (!r && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		r = err_set(e, -errno, "make a socket pair: %s", strerror(errno));
	if (r < 0)
		return r;
	r = start_guest(pair[1], &control, e);
	(void)close(pair[1]);
	if (!r)
		r = tell_guest(control, &st, pid, key, e);
	if (!r)
		r = deputy_start(&p->deputy, p->loop, pair[0], key, pid, LEASE_MS, &local_ops, p,
				 e);
	else
		(void)close(pair[0]);
	p->running = !r;
	if (!r && p->again)
		deputy_again_allow(&p->deputy);
	if (!r && p->late)
		deputy_late(&p->deputy);
	explicit_bzero(key, sizeof(key));
	if (!r && p->job)
		r = confine(p, st.uid[0], p->paths, p->n_paths, e);
	if (!r)
		r = rights_shed(st.uid[0], st.gid[0], e);
	if (!r)
		trips_bind();
	if (!r && p->checkpoint.interval_ms)
		r = deputy_checkpoint(&p->deputy, &p->checkpoint, e);
	return r;
}

/* as comosixd has it done: what cannot move is told before it is stopped. Return: exit status */
static int look_here(struct program *p, pid_t pid)
{
	struct proc_stat st;
	struct err e = { 0 };
	struct buf why;
	int status;

	if (proc_stat_read(pid, &st, &e) < 0) {
		(void)fprintf(stderr, "comosix-deputy: %s\n", e.text);
		return 4;
	}
	buf_init(&why, REASONS_MAX);
	p->uid = st.uid[0];
	status = look(pid, p->uid, p->job, &why);
	if (status)
		(void)fprintf(stderr, "comosix-deputy: process %d cannot move: %s\n", (int)pid,
			      buf_text(&why));
	buf_done(&why);
	return status;
}

static int tidy_up(struct program *p, pid_t pid)
{
	struct err e = { 0 };
	int r = tidy(p->loop, pid, &e);

	if (r < 0 && r != -ESRCH)
		(void)fprintf(stderr, "comosix-deputy: process %d: %s\n", (int)pid, e.text);
	else if (r > 0)
		(void)printf("process %d is as it was\n", (int)pid);
	return r < 0 && r != -ESRCH ? 1 : 0;
}

static void on_recall(void *owner, int signo)
{
	struct program *p = owner;

	(void)signo;
	if (p->running)
		deputy_recall(&p->deputy);
}

/* ---- */

static bool by_comosixd(void)
{
	struct stat st;

	return !fstat(HALF_FD_CONTROL, &st) && S_ISSOCK(st.st_mode) &&
	       !fstat(HALF_FD_STREAM, &st) && S_ISSOCK(st.st_mode);
}

#define CHECKPOINT_OPTIONS                                                                         \
	{ "checkpoint", required_argument, NULL, 'c' },                                            \
		{ "checkpoint-dir", required_argument, NULL, 'd' },                                \
	{                                                                                          \
		"checkpoint-max", required_argument, NULL, 'm'                                     \
	}

static int read_checkpoint(struct program *p, int option, const char *text)
{
	uint64_t v = 0;
	int r = 0;

	if (option == 'd')
		p->checkpoint.dir = text;
	else if (option == 'm')
		r = parse_size(text, &p->checkpoint.max_bytes);
	else
		r = parse_duration(text, &v);
	if (option == 'c')
		p->checkpoint.interval_ms = (uint32_t)v;
	if (r < 0 || v > UINT32_MAX || (option == 'c' && !v))
		r = -EINVAL;
	if (r < 0)
		(void)fprintf(stderr, "comosix-deputy: '%s' is no %s\n", text,
			      option == 'm' ? "size (8G)" : "time (30s)");
	return r;
}

/* Return: -1 go on, with *ret_pid 0 for comosixd; else the exit status */
static int read_options(int argc, char **argv, struct program *p, uint64_t *ret_pid)
{
	static const struct option options[] = {
		{ "local", required_argument, NULL, 'l' },
		{ "again", no_argument, NULL, 'g' },
		{ "job", no_argument, NULL, 'j' },
		{ "path", required_argument, NULL, 'p' },
		{ "post-copy", no_argument, NULL, 'a' },
		{ "tidy", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		CHECKPOINT_OPTIONS,
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 't':
		case 'l':
			p->tidy = c == 't';
			if (parse_u64(optarg, ret_pid) < 0 || !*ret_pid || *ret_pid > 4194304) {
				(void)fprintf(stderr, "comosix-deputy: '%s' is no process id\n",
					      optarg);
				return 2;
			}
			break;
		case 'a':
			p->late = true;
			break;
		case 'g':
			p->again = true;
			break;
		case 'j':
			p->job = true;
			break;
		case 'p':
			if (p->n_paths == CONFINE_PATHS_MAX) {
				(void)fprintf(stderr, "comosix-deputy: too many --path\n");
				return 2;
			}
			p->paths[p->n_paths++] = optarg;
			break;
		case 'c':
		case 'd':
		case 'm':
			if (read_checkpoint(p, c, optarg) < 0)
				return 2;
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
	if (optind != argc || (!*ret_pid && !by_comosixd())) {
		(void)fprintf(stderr, "comosix-deputy: which process? See comosix-deputy --help\n");
		return 2;
	}
	return -1;
}

static void open_loop(struct program *p)
{
	struct ev_ref ref;
	struct err e = { 0 };

	if (loop_new(&p->loop, &e) < 0 ||
	    loop_add_signal(p->loop, SIGINT, on_recall, p, &ref) < 0 ||
	    loop_add_signal(p->loop, SIGTERM, on_recall, p, &ref) < 0)
		die("%s", e.text);
}

static int close_loop(struct program *p, int status)
{
	if (p->running)
		deputy_done(&p->deputy);
	control_free(p->control);
	message_free(&p->start);
	loop_free(p->loop);
	return status < 0 ? 1 : status;
}

/* Return: exit status */
static int make_trip(void *owner, unsigned int n)
{
	struct program *p = owner;
	struct err e = { 0 };
	int r;

	open_loop(p);
	r = look_here(p, p->pid);
	if (!r) {
		r = move_here(p, p->pid, &e);
		if (r < 0)
			(void)fprintf(stderr, "comosix-deputy: %s\n", e.text);
		else
			r = loop_run(p->loop);
	}
	/* it stays where it is, or has ended: no fault of the trips before */
	if (r && r != TRIPS_AGAIN && n > 1 && p->last < DEPUTY_AWAY)
		r = 0;
	return close_loop(p, r);
}

int main(int argc, char **argv)
{
	struct program p = { .checkpoint = { .dir = "/var/tmp", .max_bytes = 8ULL << 30 } };
	uint64_t pid = 0;
	int r = read_options(argc, argv, &p, &pid);

	if (r >= 0)
		return r;
	log_open("comosix-deputy", LOG_INFO);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		die("SIGPIPE: %s", strerror(errno));
	p.pid = (pid_t)pid;
	if (pid && !p.tidy)
		return p.again ? trips_run(make_trip, &p) : make_trip(&p, 1);
	open_loop(&p);
	r = pid ? tidy_up(&p, p.pid) : serve(&p);
	return close_loop(&p, r);
}
