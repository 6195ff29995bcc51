/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mosrun.c - run a program as a job, which may move to other nodes
 *
 * Theory of operation. comosixd puts this process into the cgroup of a job, and this process then
 * becomes the program (exec): same pid, same parent, same files. When a node was named, a helper
 * that is no child of the program's (it was forked twice) waits until exec has closed its end of a
 * pipe, and then asks for the move as migrate(1) would. The helper is made first, so that it is no
 * part of the job.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/parse.h"
#include "classic/ask.h"
#include "classic/line.h"
#include "os/rand.h"

/* of env(1): ours failed, cannot be executed, not found */
enum {
	SELF_FAILED = 125,
	CANNOT_RUN = 126,
	NOT_FOUND = 127
};

#define NODES_MAX 256
#define PATHS_MAX 64

struct options {
	bool here, lock, best, anyway, cpu_bound, io_bound, no_decay;
	const char *node, *nodes, *cpu, *paths, *checkpoint, *checkpoint_dir, *checkpoint_max;
};

#define AT(field) offsetof(struct options, field)

static const struct opt_spec specs[] = {
	{ "home", 'h', OPT_FLAG, AT(here), NULL, "at home, and it stays here" },
	{ "lock", 'l', OPT_FLAG, AT(lock), NULL,
	  "it may not be moved from where it is started: the same as -h" },
	{ "best", 'b', OPT_FLAG, AT(best), NULL, "on the node with the most room" },
	{ "node", 'r', OPT_STRING, AT(node), "NODE", "on this node" },
	{ "nodes", 'j', OPT_STRING, AT(nodes), "NODE,...", "on one of these nodes, by chance" },
	{ "anyway", 'F', OPT_FLAG, AT(anyway), NULL,
	  "at home when the node that was named is not there" },
	{ "cpu", 0, OPT_STRING, AT(cpu), "BASELINE",
	  "use only what all nodes' CPUs have: x86-64-v1, -v2, -v3 or -v4" },
	{ "path", 0, OPT_STRING, AT(paths), "PATH:...",
	  "what it may use besides, when it has been on a desktop: files, directories" },
	{ "cpu-bound", 'c', OPT_FLAG, AT(cpu_bound), NULL, "it computes much (means nothing yet)" },
	{ "io-bound", 'i', OPT_FLAG, AT(io_bound), NULL,
	  "it reads and writes much (means nothing yet)" },
	{ "no-decay", 'n', OPT_FLAG, AT(no_decay), NULL,
	  "do not forget its past (means nothing yet)" },
	{ "checkpoint", 0, OPT_STRING, AT(checkpoint), "TIME",
	  "while it is away keep an image of it this often (30s, 10m), to go on from if its node "
	  "is "
	  "lost" },
	{ "checkpoint-dir", 0, OPT_STRING, AT(checkpoint_dir), "DIR",
	  "where; default: .comosix in your home directory" },
	{ "checkpoint-max", 0, OPT_STRING, AT(checkpoint_max), "SIZE",
	  "how large an image may become; default: 8G" },
};

static const struct opt_command self = {
	.name = "mosrun",
	.args = "[--] COMMAND [ARGUMENTS]",
	.summary = "run a program as a job, which may move to other nodes, desktops too",
	.examples = "  mosrun ./simulate 100\n"
		    "  mosrun -b ./simulate 100         on the node with the most room\n"
		    "  mosrun -j n1,n2,n3 -F ./simulate one of these, else at home\n"
		    "  mosrun --cpu x86-64-v2 ./simulate\n"
		    "  mosrun -h ./talks-to-a-device    stays here\n"
		    "  mosrun --checkpoint 10m ./simulate >log\n"
		    "\n"
		    "Exit status: the command's own; 125 mosrun failed, 126 the command cannot be "
		    "run, 127 not found.\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
	.stop_at_word = true,
};

/* ---- --cpu ---- */

/*
 * What the C library may not choose its functions by, beyond a baseline of the x86-64 psABI; the
 * names are those of the tunable glibc.cpu.hwcaps. Not XSAVE and XSAVEC: the dynamic linker has
 * laid out its save area by them before it reads the tunable.
 */
static const struct baseline {
	const char *name, *beyond; /* ... and what all rows above this one have beyond it */
} baselines[] = {
	{ "x86-64-v4", "" },
	{ "x86-64-v3", "-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD,-AVX512ER,-AVX512PF" },
	{ "x86-64-v2", "-AVX,-AVX2,-FMA,-FMA4,-BMI1,-BMI2,-MOVBE,-LZCNT,-F16C,-RTM" },
	{ "x86-64-v1", "-SSSE3,-SSE4_1,-SSE4_2,-POPCNT" },
};

static int set_baseline(const char *name, struct err *e)
{
	const char *before = getenv("GLIBC_TUNABLES");
	size_t at = 0;
	struct buf b;
	int r;

	while (at < ARRAY_LEN(baselines) && strcmp(baselines[at].name, name) != 0)
		at++;
	if (at == ARRAY_LEN(baselines))
		return err_set(e, -EINVAL,
			       "--cpu wants x86-64-v1, x86-64-v2, x86-64-v3 or x86-64-v4");
	if (!at)
		return 0;
	buf_init(&b, 65536);
	r = buf_printf(&b, "%s%sglibc.cpu.hwcaps=", before && *before ? before : "",
		       before && *before ? ":" : "");
	for (size_t i = 1; !r && i <= at; i++)
		r = buf_printf(&b, "%s%s", i > 1 ? "," : "", baselines[i].beyond);
	if (!r && setenv("GLIBC_TUNABLES", buf_text(&b), 1) < 0)
		r = -errno;
	buf_done(&b);
	return r < 0 ? err_set(e, r, "set GLIBC_TUNABLES: %s", strerror(-r)) : 0;
}

/* ---- where ---- */

/* one of "n1,n2,n3" by chance, copied to ret */
static int choose(const char *nodes, char *ret, size_t len, struct err *e)
{
	const char *starts[NODES_MAX], *s;
	size_t n = 0, size;

	for (s = nodes; *s && n < NODES_MAX; s += *s == ',')
		if (*s != ',') {
			starts[n++] = s;
			s += strcspn(s, ",");
		}
	if (!n)
		return err_set(e, -EINVAL, "-j wants names of nodes: n1,n2");
	s = starts[rand_u64() % n];
	size = strcspn(s, ",");
	if (size >= len)
		return err_set(e, -EINVAL, "no node has such a long name");
	memcpy(ret, s, size);
	ret[size] = '\0';
	return 0;
}

/* "" when it is to begin here; -ENOENT and the like when it must not begin at all */
static int target(const struct options *o, char *ret, size_t len, struct err *e)
{
	int status, r = 0;

	ret[0] = '\0';
	if (o->best)
		(void)snprintf(ret, len, "best");
	else if (o->node)
		r = choose(o->node, ret, len, e);
	else if (o->nodes)
		r = choose(o->nodes, ret, len, e);
	if (r < 0 || !ret[0] || o->best)
		return r;
	r = ask_node_up(ret, &status, e);
	if (r < 0 && o->anyway) {
		(void)line_complain(&self, 0, "%s; it runs at home", e->text);
		ret[0] = '\0';
		r = 0;
	}
	return r;
}

/* ---- --path ---- */

/* "a:b" as absolute paths; owned by the caller, also after a failure */
static int split_paths(const char *text, char **to, size_t *ret_n, struct err *e)
{
	AUTO_FREE char *copy = strdup(text);
	char *rest = copy, *word;

	if (!copy)
		return err_set(e, -ENOMEM, "out of memory");
	while ((word = strsep(&rest, ":"))) {
		if (!*word)
			continue;
		if (*ret_n == PATHS_MAX)
			return err_set(e, -E2BIG, "--path takes %d paths at most", PATHS_MAX);
		to[*ret_n] = realpath(word, NULL);
		if (!to[*ret_n])
			return err_set(e, -errno, "--path '%s': %s", word, strerror(errno));
		++*ret_n;
	}
	return 0;
}

/* ---- --checkpoint ---- */

#define CHECKPOINT_DIR ".comosix" /* no confined job can reach into it: its name has a dot */
#define CHECKPOINT_MAX (8ULL << 30)

/* as an absolute path, that we can make files in; owned by the caller */
static char *checkpoint_dir(const struct options *o, struct err *e)
{
	const char *home = getenv("HOME");
	char own[PATH_MAX];
	char *dir;

	if (!o->checkpoint_dir && (!home || home[0] != '/')) {
		(void)err_set(e, -EINVAL, "HOME is not set: say --checkpoint-dir");
		return NULL;
	}
	(void)snprintf(own, sizeof(own), "%s/" CHECKPOINT_DIR, home ? home : "");
	if (!o->checkpoint_dir)
		(void)mkdir(own, 0700); /* there already, or the next call says why */
	dir = realpath(o->checkpoint_dir ? o->checkpoint_dir : own, NULL);
	if (dir && access(dir, W_OK | X_OK) == 0)
		return dir;
	(void)err_set(e, -errno, "'%s': %s; say --checkpoint-dir",
		      o->checkpoint_dir ? o->checkpoint_dir : own, strerror(errno));
	free(dir);
	return NULL;
}

/* rq->checkpoint_dir is the caller's */
static int read_checkpoint(const struct options *o, Cmx__JobRequest *rq, struct err *e)
{
	uint64_t ms = 0, max = CHECKPOINT_MAX;

	if (!o->checkpoint)
		return 0;
	if (parse_duration(o->checkpoint, &ms) < 0 || !ms || ms > INT32_MAX)
		return err_set(e, -EINVAL, "--checkpoint wants a time: 30s, 10m");
	if (o->checkpoint_max && (parse_size(o->checkpoint_max, &max) < 0 || !max))
		return err_set(e, -EINVAL, "--checkpoint-max wants a size: 512M, 8G");
	rq->checkpoint_dir = checkpoint_dir(o, e);
	rq->checkpoint_ms = (uint32_t)ms;
	rq->checkpoint_max = max;
	return rq->checkpoint_dir ? 0 : e->code;
}

/* ---- the helper ---- */

/* waits for exec of pid, then asks for the move */
static void NORETURN helper(pid_t pid, const char *to, int from)
{
	struct err e = { 0 };
	char text[256], byte;
	ssize_t n;
	int status, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* who reads the program's output waits for its end, not for ours */
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(1);
	do
		n = read(from, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n) /* it says that there was no exec */
		_exit(0);
	if (ask_migrate(pid, to, false, NULL, text, sizeof(text), &status, &e) < 0 &&
	    status != EXIT_NOT_FOUND)
		(void)line_complain(&self, 0, "it runs at home: %s", e.text);
	_exit(0);
}

/* Return: the end of a pipe that exec closes; a byte in it says that there was none */
static int make_helper(const char *to, struct err *e)
{
	pid_t pid, own = getpid();
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		(void)close(p[1]);
		if (setsid() < 0 || fork() > 0)
			_exit(0);
		helper(own, to, p[0]);
	}
	(void)close(p[0]);
	if (pid < 0) {
		(void)close(p[1]);
		return err_set(e, -errno, "fork: %s", strerror(errno));
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return p[1];
}

/* ---- */

static const char *contradiction(const struct options *o)
{
	const bool stays = o->here || o->lock;
	const struct {
		bool wrong;
		const char *text;
	} rows[] = {
		{ !o->checkpoint && (o->checkpoint_dir || o->checkpoint_max),
		  "--checkpoint-dir and --checkpoint-max go with --checkpoint" },
		{ stays && o->checkpoint, "--checkpoint is for what may move, not with -h or -l" },
		{ (stays && (o->best || o->node || o->nodes)) ||
			  (o->best + !!o->node + !!o->nodes) > 1,
		  "only one of -h or -l, -b, -r and -j" },
		{ o->cpu_bound && o->io_bound, "either -c or -i" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].wrong)
			return rows[i].text;
	return NULL;
}

static int run(const struct options *o, char **command)
{
	struct err e = { 0 };
	char to[ASK_NODE_MAX];
	int status, end = -1, r = 0;
	Cmx__JobRequest rq = CMX__JOB_REQUEST__INIT; /* its strings: until exec or the end */
	char *paths[PATHS_MAX];

	rq.local = o->here || o->lock;
	rq.paths = paths;
	if (o->paths && split_paths(o->paths, paths, &rq.n_paths, &e) < 0)
		return line_complain(&self, SELF_FAILED, "%s", e.text);
	if (read_checkpoint(o, &rq, &e) < 0)
		return line_complain(&self, EXIT_USAGE, "%s", e.text);
	if (o->cpu && set_baseline(o->cpu, &e) < 0)
		return line_complain(&self, EXIT_USAGE, "%s", e.text);
	r = target(o, to, sizeof(to), &e);
	if (!r && to[0])
		r = end = make_helper(to, &e);
	if (r >= 0)
		r = ask_job(&rq, &status, &e);
	if (r < 0) {
		if (end >= 0)
			(void)!write(end, "", 1); /* the helper is not wanted any more */
		return line_complain(&self, SELF_FAILED, "%s", e.text);
	}
	(void)execvp(command[0], command);
	r = errno;
	if (end >= 0)
		(void)!write(end, "", 1); /* the same */
	return line_complain(&self, r == ENOENT ? NOT_FOUND : CANNOT_RUN, "%s: %s", command[0],
			     strerror(r));
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	int first, r = line_options(&self, argc, argv, &o, 1, -1, &first);
	const char *no;

	if (r >= 0)
		return r;
	no = contradiction(&o);
	if (no)
		return line_complain(&self, EXIT_USAGE, "%s", no);
	return run(&o, argv + first);
}
