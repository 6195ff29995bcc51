/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - comosix-headd: the control point, in three processes
 *
 * Theory of operation.
 *
 *	          TCP 4661
 *	             |
 *	   +---------v---------+  requests   +------------------+
 *	   | web               |------------>| signer           |
 *	   | own uid, root     |             | own uid, no      |
 *	   | directory = store/|             | network, root    |
 *	   | no new sockets    |             | directory =      |
 *	   +---------+---------+             | signer/          |
 *	             | 3 verbs               +--------^---------+
 *	   +---------v---------+  sign-operator       |
 *	   | helper: root, the |----------------------+
 *	   | parent of both    |
 *	   +-------------------+
 *
 * Who comes in over the network sits in the web process: no root, no file but the database, no way
 * to connect or start anything, no key. What it may ask of the others is in their tables. When one
 * process ends, the other two end too and the service manager starts all three again: half a
 * control point is never left standing.
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/opt.h"
#include "config.h"
#include "head/channel.h"
#include "head/help.h"
#include "head/operator.h"
#include "head/sandbox.h"
#include "head/setup.h"
#include "head/signer.h"
#include "head/web.h"
#include "log/log.h"
#include "loop/loop.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/sock.h"

#define STATE_DIR	  "/var/lib/comosix"
#define ETC_DIR		  "/etc/comosix"
#define RUN_DIR		  "/run/comosix"
#define WEB_USER	  "comosix"
#define SIGNER_USER	  "comosix-signer"
#define WEB_UID		  "64190" /* when there is no such user */
#define SIGNER_UID	  "64191"
#define PEM_MAX		  65536
#define STOP_MS		  5000
#define ORPHAN_MS	  2000
#define RENEW_EVERY_MS	  (24ULL * 3600 * 1000)
#define HELP_CHANNELS	  2
#define HELP_CHILDREN_MAX 8

struct options {
	const char *state, *etc, *run, *listen, *web_user, *signer_user;
	bool verbose, version;
	/* init only */
	const char *name, *address, *dns;
	uint32_t port;
};

static const struct opt_spec serve_specs[] = {
	{ "state", 0, OPT_STRING, offsetof(struct options, state), "DIR",
	  "where the head keeps its state (" STATE_DIR ")" },
	{ "etc", 0, OPT_STRING, offsetof(struct options, etc), "DIR",
	  "where the operator's credential is (" ETC_DIR ")" },
	{ "run", 0, OPT_STRING, offsetof(struct options, run), "DIR",
	  "where comosixd has its socket (" RUN_DIR ")" },
	{ "listen", 0, OPT_STRING, offsetof(struct options, listen), "ADDR:PORT",
	  "serve here only (all addresses, the port of the cluster)" },
	{ "web-user", 0, OPT_STRING, offsetof(struct options, web_user), "USER",
	  "user of the web process (" WEB_USER ", else uid " WEB_UID ")" },
	{ "signer-user", 0, OPT_STRING, offsetof(struct options, signer_user), "USER",
	  "user of the signer (" SIGNER_USER ", else uid " SIGNER_UID ")" },
	{ "verbose", 'v', OPT_FLAG, offsetof(struct options, verbose), NULL, "log details" },
	{ "version", 0, OPT_FLAG, offsetof(struct options, version), NULL,
	  "print the version and exit" },
};

static const struct opt_command serve_command = {
	.name = "comosix-headd",
	.summary = "the control point of a CoMosix cluster",
	.examples = "  comosix-headd\n  comosix-headd --listen 10.0.0.1:4661 --verbose\n"
		    "  comosix-headd init --name lab --address 10.0.0.1   (as 'comosix init')\n"
		    "  comosix-headd operator   (a new operator's credential)\n",
	.specs = serve_specs,
	.n_specs = ARRAY_LEN(serve_specs),
};

static const struct opt_spec init_specs[] = {
	{ "name", 0, OPT_STRING, offsetof(struct options, name), "CLUSTER", "name of the cluster" },
	{ "address", 0, OPT_STRING, offsetof(struct options, address), "ADDR",
	  "the address that nodes reach this machine at" },
	{ "port", 0, OPT_U32, offsetof(struct options, port), "PORT", "of the API (4661)" },
	{ "dns", 0, OPT_STRING, offsetof(struct options, dns), "NAME,...",
	  "DNS names of this machine, for the HTTPS certificate" },
	{ "state", 0, OPT_STRING, offsetof(struct options, state), "DIR",
	  "where the head keeps its state (" STATE_DIR ")" },
	{ "etc", 0, OPT_STRING, offsetof(struct options, etc), "DIR",
	  "where the operator's credential goes (" ETC_DIR ")" },
	{ "run", 0, OPT_STRING, offsetof(struct options, run), "DIR",
	  "where comosixd has its socket (" RUN_DIR ")" },
};

static const struct opt_command init_command = {
	.name = "comosix init",
	.summary = "make a cluster with this machine as its head",
	.examples = "  comosix init --name institute --address 10.0.0.1\n"
		    "  comosix init --name lab --address 10.0.0.1 --dns head.example.org\n",
	.specs = init_specs,
	.n_specs = ARRAY_LEN(init_specs),
};

static const struct opt_spec operator_specs[] = {
	{ "state", 0, OPT_STRING, offsetof(struct options, state), "DIR",
	  "where the head keeps its state (" STATE_DIR ")" },
	{ "etc", 0, OPT_STRING, offsetof(struct options, etc), "DIR",
	  "where the operator's credential goes (" ETC_DIR ")" },
	{ "name", 0, OPT_STRING, offsetof(struct options, name), "NAME",
	  "whose it is, for lists and logs (" OPERATOR_NAME ")" },
};

static const struct opt_command operator_command = {
	.name = "comosix-headd operator",
	.summary = "make a new operator's credential, for one that was lost, revoked or has ended",
	.examples = "  comosix-headd operator\n"
		    "  comosix-headd operator --name kim --etc /root/for-kim\n",
	.specs = operator_specs,
	.n_specs = ARRAY_LEN(operator_specs),
};

/* the helper process while it serves */
struct headd {
	struct loop *loop;
	struct helper helper;
	int help_fds[HELP_CHANNELS];
	struct ev_ref help_refs[HELP_CHANNELS];
	pid_t web, signer; /* 0 once ended */
	int signer_fd;
	struct sign sign;
	char operator_path[PATH_MAX];
	const char *url, *ca_pem;
	int children; /* of helper_answer(), under way */
	bool stopping;
};

/* --- comosix init --- */

static void print_help(const struct opt_command *c)
{
	struct buf b;

	buf_init(&b, 16384);
	if (!opt_help(c, &b))
		(void)fputs(buf_text(&b), stdout);
	buf_done(&b);
}

static int split_dns(const char *list, struct cluster *c)
{
	while (list && *list) {
		size_t n = strcspn(list, ",");

		if (c->n_dns == CLUSTER_NAMES_MAX || n >= sizeof(c->dns[0]))
			return -EINVAL;
		(void)snprintf(c->dns[c->n_dns++], sizeof(c->dns[0]), "%.*s", (int)n, list);
		list += n + (list[n] == ',');
	}
	return 0;
}

static int run_init(int argc, char **argv, struct options *o)
{
	struct setup s = { 0 };
	struct err e = { 0 };
	int first, r;

	o->port = HEAD_PORT;
	r = opt_parse(&init_command, argc, argv, o, &first, &e);
	if (r == -ECANCELED) {
		print_help(&init_command);
		return 0;
	}
	if (r < 0 || first < argc) {
		(void)fprintf(stderr, "comosix init: %s\n",
			      r < 0 ? e.text : "unexpected words; see 'comosix init --help'");
		return 2;
	}
	if (!o->name || !o->address || strlen(o->name) > CLUSTER_NAME_MAX ||
	    strlen(o->address) > CLUSTER_ADDRESS_MAX || !o->port || o->port > 65535 ||
	    split_dns(o->dns, &s.cluster) < 0) {
		(void)fprintf(stderr, "comosix init: give --name CLUSTER and --address ADDR; "
				      "see 'comosix init --help'\n");
		return 2;
	}
	if (geteuid() != 0) {
		(void)fprintf(stderr, "comosix init: only root can make a cluster; "
				      "try 'sudo comosix init ...'\n");
		return 1;
	}
	log_open("comosix init", LOG_WARN); /* what the signer signs here is no news */
	s.state = o->state;
	s.etc = o->etc;
	s.cluster.port = o->port;
	(void)snprintf(s.cluster.name, sizeof(s.cluster.name), "%s", o->name);
	(void)snprintf(s.cluster.address, sizeof(s.cluster.address), "%s", o->address);
	if (setup_cluster(&s, &e) < 0) {
		(void)fprintf(stderr, "comosix init: %s\n", e.text);
		return 1;
	}
	(void)fprintf(stderr,
		      "The cluster '%s' is made. Its head is this machine, at %s.\n"
		      "Now start comosixd and comosix-headd, then let machines join:\n"
		      "  comosix token create --count 10 --expires 1h\n",
		      s.cluster.name, s.cluster.address);
	return 0;
}

/* --- comosix-headd operator --- */

static int run_operator(int argc, char **argv, struct options *o)
{
	struct err e = { 0 };
	int first, r = opt_parse(&operator_command, argc, argv, o, &first, &e);

	if (r == -ECANCELED) {
		print_help(&operator_command);
		return 0;
	}
	if (r < 0 || first < argc) {
		(void)fprintf(stderr, "%s: %s\n", operator_command.name,
			      r < 0 ? e.text : "unexpected words; see its --help");
		return 2;
	}
	log_open(operator_command.name, LOG_WARN);
	r = setup_operator(o->state, o->etc, o->name ? o->name : OPERATOR_NAME, &e);
	if (r < 0) {
		(void)fprintf(stderr, "%s: %s%s\n", operator_command.name, e.text,
			      geteuid() ? "; only root can do this" : "");
		return 1;
	}
	(void)fprintf(stderr, "made a new credential: %s/operator.pem\n", o->etc);
	return 0;
}

/* --- start --- */

static void read_pem(const char *state, const char *name, char **ret)
{
	char path[PATH_MAX];
	struct err e = { 0 };
	struct buf b;

	(void)snprintf(path, sizeof(path), "%s/head/%s", state, name);
	buf_init(&b, PEM_MAX);
	if (file_read(path, &b, &e) < 0)
		die("%s", e.text);
	*ret = strdup(buf_text(&b));
	buf_done(&b);
	if (!*ret)
		die("out of memory");
}

static int listen_at(const struct options *o, const struct cluster *c)
{
	struct sock_addr a;
	struct err e = { 0 };
	char text[32];
	int fd;

	if (o->listen) {
		if (sock_addr_parse(o->listen, &a) < 0)
			die("--listen: '%s' is not ADDRESS:PORT", o->listen);
		if (sock_tcp_listen(&a, &fd, &e) < 0)
			die("%s", e.text);
		return fd;
	}
	(void)snprintf(text, sizeof(text), "[::]:%u", c->port);
	if (!sock_addr_parse(text, &a) && !sock_tcp_listen(&a, &fd, &e))
		return fd;
	if (e.code == -EADDRINUSE)
		die("%s; is comosix-headd running already?", e.text);
	(void)snprintf(text, sizeof(text), "0.0.0.0:%u", c->port); /* a machine without IPv6 */
	if (sock_addr_parse(text, &a) < 0 || sock_tcp_listen(&a, &fd, &e) < 0)
		die("%s", e.text);
	return fd;
}

/*
 * A directory and the files in it to a user. Only when the directory is not his yet: what he made
 * in it himself, links included, is never touched by root.
 */
static void give_dir(const char *dir, const char *const *files, size_t n, uid_t uid, gid_t gid)
{
	struct stat st;

	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &st) < 0)
		die("open '%s': %s", dir, strerror(errno));
	if (st.st_uid == uid)
		return;
	for (size_t i = 0; i < n; i++)
		if (fchownat(fd, files[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			die("give '%s/%s' to user %u: %s", dir, files[i], uid, strerror(errno));
	if (fchown(fd, uid, gid) < 0)
		die("give '%s' to user %u: %s", dir, uid, strerror(errno));
}

static void find_user(const char *given, const char *name, const char *number, uid_t *uid,
		      gid_t *gid)
{
	if (given ? !sandbox_user(given, uid, gid)
		  : !sandbox_user(name, uid, gid) || !sandbox_user(number, uid, gid))
		return;
	die("there is no user '%s'", given ? given : number);
}

/* the dead end of a child: it never comes back from here */
static NORETURN void child_end(const char *what, int r, const struct err *e)
{
	if (r < 0)
		log_err("%s: %s", what, e->text);
	_exit(r < 0 ? 1 : 0);
}

static NORETURN void signer_main(const struct sandbox *box, const struct cluster *c, int web_fd,
				 int helper_fd)
{
	struct signer *s = NULL;
	struct err e = { 0 };
	int r;

	/* it ends when its channels do: the others may still need it when all are told to stop */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)prctl(PR_SET_NAME, "headd-signer", 0, 0, 0);
	log_open("comosix-headd signer", LOG_INFO);
	r = sandbox_enter(box, &e);
	if (!r)
		r = signer_open("/", c, &s, &e);
	if (!r)
		r = signer_serve(s, web_fd, helper_fd, &e);
	signer_close(s);
	child_end("the signer cannot go on", r, &e);
}

static NORETURN void web_main(const struct sandbox *box, const struct web_setup *setup,
			      bool verbose)
{
	struct err e = { 0 };
	sigset_t set;
	int r;

	(void)sigemptyset(&set); /* cannot fail */
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL); /* before any thread: web_run() waits for them */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_NAME, "headd-web", 0, 0, 0);
	log_open("comosix-headd web", verbose ? LOG_DEBUG : LOG_INFO);
	r = sandbox_enter(box, &e);
	if (!r)
		r = web_run(setup, &e);
	child_end("the web process cannot go on", r, &e);
}

/* --- the helper --- */

static void listen_to_channels(struct headd *h, uint32_t events)
{
	for (size_t i = 0; i < HELP_CHANNELS; i++)
		loop_set_fd(h->loop, h->help_refs[i], events);
}

/* a child of helper_answer() has ended; it told its asker how it went */
static void on_helped(void *owner, pid_t pid, int status)
{
	struct headd *h = owner;

	(void)pid;
	(void)status;
	if (h->children-- == HELP_CHILDREN_MAX)
		listen_to_channels(h, EPOLLIN);
}

/* who asks for more than that has to wait: a flood of questions is no flood of processes */
static void watch_helped(struct headd *h, pid_t child)
{
	struct ev_ref ref;

	if (loop_add_child(h->loop, child, on_helped, h, &ref) < 0)
		log_err("a child cannot be watched");
	else if (++h->children == HELP_CHILDREN_MAX)
		listen_to_channels(h, 0);
}

static void on_help(void *owner, uint32_t events)
{
	struct headd *h = owner;
	struct err e = { 0 };

	(void)events;
	for (size_t i = 0; i < HELP_CHANNELS; i++) {
		char byte;
		ssize_t n = recv(h->help_fds[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT);
		pid_t child = 0;
		int r;

		if (n < 0)
			continue;
		r = helper_answer(&h->helper, h->help_fds[i], &child, &e);
		if (r < 0)
			log_err("%s", e.text);
		if (r <= 0) /* its process ends: see on_child() */
			loop_remove(h->loop, &h->help_refs[i]);
		if (child)
			watch_helped(h, child);
	}
}

static void on_deadline(void *owner)
{
	struct headd *h = owner;

	log_err("the web process does not end; killing it");
	if (h->web)
		(void)kill(h->web, SIGKILL); /* it may just have ended */
	if (h->signer)
		(void)kill(h->signer, SIGKILL);
}

static void stop(struct headd *h)
{
	struct ev_ref ref;

	if (h->stopping)
		return;
	h->stopping = true;
	if (h->web)
		(void)kill(h->web, SIGTERM); /* it may just have ended */
	if (loop_add_timer(h->loop, loop_now(h->loop) + STOP_MS, on_deadline, h, &ref) < 0)
		on_deadline(h);
}

static void on_signal(void *owner, int signo)
{
	log_info("%s: ending", strsignal(signo));
	stop(owner);
}

static void describe(char *to, size_t size, int status)
{
	if (WIFSIGNALED(status))
		(void)snprintf(to, size, "was killed by signal %d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	else
		(void)snprintf(to, size, "ended with status %d", WEXITSTATUS(status));
}

/* a signer that saw its channel close and ended well, and still no word of the web process */
static void on_orphan(void *owner)
{
	struct headd *h = owner;

	if (h->stopping)
		return;
	log_err("the signer process ended; ending, so that all three are started anew");
	stop(h);
	loop_stop(h->loop, 1);
}

static void on_child(void *owner, pid_t pid, int status)
{
	struct headd *h = owner;
	bool web = pid == h->web;
	struct ev_ref ref;
	char text[96];

	*(web ? &h->web : &h->signer) = 0;
	/* it is the web process, about to be reaped, that can tell why: wait for it */
	if (!web && !status && h->web && !h->stopping &&
	    !loop_add_timer(h->loop, loop_now(h->loop) + ORPHAN_MS, on_orphan, h, &ref))
		return;
	if (!h->stopping) {
		describe(text, sizeof(text), status);
		log_err("the %s process %s; ending, so that all three are started anew",
			web ? "web" : "signer", text);
		stop(h);
		loop_stop(h->loop, 1);
		return;
	}
	/* the signer sees the web process's channel close, and ends */
	if (!h->web && !h->signer)
		loop_stop(h->loop, 0);
	else if (web)
		fd_close(&h->signer_fd);
}

static void on_renew(void *owner)
{
	struct headd *h = owner;
	struct ev_ref ref;
	struct err e = { 0 };
	int r = operator_renew(h->operator_path, h->url, h->ca_pem, &h->sign, clock_wall_s(), &e);

	if (r < 0)
		log_err("the operator's credential is not renewed: %s", e.text);
	else if (r)
		log_info("renewed the operator's credential '%s'", h->operator_path);
	if (loop_add_timer(h->loop, loop_now(h->loop) + RENEW_EVERY_MS, on_renew, h, &ref) < 0)
		log_err("no timer: the operator's credential will not be renewed");
}

static int serve_helper(struct headd *h)
{
	static const int signals[] = { SIGTERM, SIGINT };
	struct ev_ref ref;
	struct err e = { 0 };
	int r = loop_new(&h->loop, &e);

	if (r < 0)
		die("%s", e.text);
	for (size_t i = 0; !r && i < ARRAY_LEN(signals); i++)
		r = loop_add_signal(h->loop, signals[i], on_signal, h, &ref);
	for (size_t i = 0; !r && i < HELP_CHANNELS; i++)
		r = loop_add_fd(h->loop, h->help_fds[i], EPOLLIN, on_help, h, &h->help_refs[i]);
	if (!r)
		r = loop_add_child(h->loop, h->web, on_child, h, &ref);
	if (!r)
		r = loop_add_child(h->loop, h->signer, on_child, h, &ref);
	if (!r)
		r = loop_add_timer(h->loop, loop_now(h->loop), on_renew, h, &ref);
	if (r < 0)
		die("%s", strerror(-r));
	r = loop_run(h->loop);
	loop_free(h->loop);
	if (h->web)
		(void)kill(h->web, SIGKILL); /* one of them ended by itself: the other shall too */
	if (h->signer)
		(void)kill(h->signer, SIGKILL);
	return r;
}

static void make_dirs_theirs(const struct sandbox *web, const struct sandbox *signer)
{
	static const char *const web_files[] = { "head.db", "head.db-wal", "head.db-shm" };
	static const char *const signer_files[] = { "ca.key",	     "ca.pem",	"statement.key",
						    "statement.pub", "revoked", "operators" };

	give_dir(web->root, web_files, ARRAY_LEN(web_files), web->uid, web->gid);
	give_dir(signer->root, signer_files, ARRAY_LEN(signer_files), signer->uid, signer->gid);
}

/* the three processes; the helper goes on here, the children never return */
static void split(struct headd *h, const struct sandbox *web, const struct sandbox *signer,
		  struct web_setup *setup, bool verbose)
{
	int to_signer[2], helper_signer[2], help[HELP_CHANNELS][2];
	struct err e = { 0 };

	if (channel_pair(to_signer, &e) < 0 || channel_pair(helper_signer, &e) < 0 ||
	    channel_pair(help[0], &e) < 0 || channel_pair(help[1], &e) < 0)
		die("%s", e.text);
	h->signer = fork();
	if (h->signer < 0)
		die("fork: %s", strerror(errno));
	if (!h->signer) {
		fd_close(&setup->listen_fd);
		fd_close(&to_signer[0]);
		fd_close(&helper_signer[0]);
		for (size_t i = 0; i < HELP_CHANNELS; i++) {
			fd_close(&help[i][0]);
			fd_close(&help[i][1]);
		}
		signer_main(signer, setup->cluster, to_signer[1], helper_signer[1]);
	}
	setup->signer_fd = to_signer[0];
	setup->helper_fd = help[0][1];
	setup->helper_live_fd = help[1][1];
	h->web = fork();
	if (h->web < 0)
		die("fork: %s", strerror(errno)); /* the signer ends with its channels */
	if (!h->web) {
		fd_close(&to_signer[1]);
		fd_close(&helper_signer[0]);
		fd_close(&helper_signer[1]);
		fd_close(&help[0][0]);
		fd_close(&help[1][0]);
		web_main(web, setup, verbose);
	}
	fd_close(&setup->listen_fd);
	fd_close(&to_signer[0]);
	fd_close(&to_signer[1]);
	fd_close(&helper_signer[1]);
	h->signer_fd = helper_signer[0];
	sign_init(&h->sign, h->signer_fd);
	for (size_t i = 0; i < HELP_CHANNELS; i++) {
		fd_close(&help[i][1]);
		h->help_fds[i] = help[i][0];
	}
}

static int run_serve(const struct options *o)
{
	char path[PATH_MAX], web_root[PATH_MAX], signer_root[PATH_MAX];
	struct sandbox web = { .root = web_root, .threads = true, .parent = getpid() };
	struct sandbox signer = { .root = signer_root, .parent = getpid() };
	char *ca_pem, *statement_pub;
	struct headd h = { 0 };
	struct cluster c;
	struct err e = { 0 };
	struct buf url;
	int r;

	if (geteuid() != 0)
		die("start it as root; it gives up what it does not need");
	(void)snprintf(path, sizeof(path), "%s/head/cluster.json", o->state);
	r = cluster_load(path, &c, &e);
	if (r == -ENOENT)
		die("there is no cluster in '%s'; make one with 'comosix init'", o->state);
	if (r < 0)
		die("%s", e.text);
	read_pem(o->state, "ca.pem", &ca_pem);
	read_pem(o->state, "statement.pub", &statement_pub);
	find_user(o->web_user, WEB_USER, WEB_UID, &web.uid, &web.gid);
	find_user(o->signer_user, SIGNER_USER, SIGNER_UID, &signer.uid, &signer.gid);
	if (web.uid == signer.uid || !web.uid || !signer.uid)
		die("the web process and the signer want a user each, and neither is root");
	(void)snprintf(web_root, sizeof(web_root), "%s/head/store", o->state);
	(void)snprintf(signer_root, sizeof(signer_root), "%s/head/signer", o->state);
	make_dirs_theirs(&web, &signer);

	struct web_setup setup = { .cluster = &c,
				   .ca_pem = ca_pem,
				   .statement_pub = statement_pub,
				   .database = "/head.db",
				   .listen_fd = listen_at(o, &c) };

	buf_init(&url, 256);
	if (cluster_url(&c, &url) < 0)
		die("out of memory");
	h.url = buf_text(&url);
	h.ca_pem = ca_pem;
	(void)snprintf(h.operator_path, sizeof(h.operator_path), "%s/operator.pem", o->etc);
	(void)snprintf(h.helper.socket, sizeof(h.helper.socket), "%s/comosixd.sock", o->run);
	(void)snprintf(h.helper.operator_pem, sizeof(h.helper.operator_pem), "%s", h.operator_path);
	h.helper.self = "head"; /* the only node of that name and role */
	(void)snprintf(h.helper.audit_log, sizeof(h.helper.audit_log), "%s/head/audit.log",
		       o->state);
	split(&h, &web, &signer, &setup, o->verbose);
	r = serve_helper(&h);
	buf_done(&url);
	free(ca_pem);
	free(statement_pub);
	return r ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = { .state = STATE_DIR, .etc = ETC_DIR, .run = RUN_DIR };
	struct err e = { 0 };
	int first, r;

	log_open("comosix-headd", LOG_INFO);
	if (argc > 1 && !strcmp(argv[1], "init"))
		return run_init(argc - 1, argv + 1, &o);
	if (argc > 1 && !strcmp(argv[1], "operator"))
		return run_operator(argc - 1, argv + 1, &o);
	r = opt_parse(&serve_command, argc, argv, &o, &first, &e);
	if (r == -ECANCELED) {
		print_help(&serve_command);
		return 0;
	}
	if (r < 0 || first < argc) {
		(void)fprintf(stderr, "comosix-headd: %s\n",
			      r < 0 ? e.text : "unexpected words; see 'comosix-headd --help'");
		return 2;
	}
	if (o.version) {
		(void)printf("comosix-headd %s\n", COMOSIX_VERSION);
		return 0;
	}
	if (o.verbose)
		log_open("comosix-headd", LOG_DEBUG);
	return run_serve(&o);
}
