/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.c - the BLAST+ of this machine: where it is, which build, and how it is started with the
 * preloaded library
 */
#include "blast/run/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "blast/prelim/prelim.h"
#include "config.h"
#include "os/fd.h"
#include "os/spawn.h"

#define PRELIM_LIBRARY "comosix-prelim.so"
#define PATH_DEFAULT   "/usr/local/bin:/usr/bin:/bin"
#define ENV_EXTRA      6
#define WORDS_MAX      1024

static const struct {
	enum prelim_part part;
	const char *version, *file, *id;
} builds[] = {
#define BUILD_ROW(version, part, file, id) { PRELIM_##part, version, file, id },
	PRELIM_BUILDS(BUILD_ROW)
#undef BUILD_ROW
};

int engine_find(const char *name, char *ret, size_t len, struct err *e)
{
	const char *p = getenv("PATH");

	for (p = p && *p ? p : PATH_DEFAULT; *p;) {
		size_t n = strcspn(p, ":");
		int w = snprintf(ret, len, "%.*s/%s", (int)n, p, name);

		if (n && w > 0 && (size_t)w < len && !access(ret, X_OK))
			return 0;
		p += n + (p[n] == ':');
	}
	return err_set(e, -ENOENT, "the program %s is not in $PATH; install ncbi-blast+", name);
}

static int start(const struct engine_run *r, const char *mode, pid_t *ret_pid, struct err *e)
{
	const char *words[WORDS_MAX + 2] = { r->program };
	char preload[PATH_MAX + 16], set_mode[64], set_fd[64];
	size_t n_env = 0, n = 0;
	struct spawn s = { .path = r->program, .argv = words, .death_signal = SIGKILL };

	while (r->env[n_env])
		n_env++;
	AUTO_FREE const char **env = calloc(n_env + ENV_EXTRA, sizeof(*env));

	if (!env)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n_env; i++)
		if (strncmp(r->env[i], "LD_PRELOAD=", 11) != 0 || !mode)
			env[n++] = r->env[i];
	env[n++] = "BLAST_USAGE_REPORT=false"; /* nothing is sent outside */
	if (mode) {
		(void)snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", r->engine->library);
		(void)snprintf(set_mode, sizeof(set_mode), PRELIM_ENV_MODE "=%s", mode);
		(void)snprintf(set_fd, sizeof(set_fd), PRELIM_ENV_FD "=%d",
			       strcmp(mode, "select") ? 1 : 0);
		env[n++] = preload;
		env[n++] = set_mode;
		env[n++] = set_fd;
		env[n++] = r->unlimited ? PRELIM_ENV_UNLIMITED "=1" : NULL;
	}
	for (size_t i = 0; r->words[i]; i++) {
		if (i == WORDS_MAX)
			return err_set(e, -E2BIG, "more than %d words for %s", WORDS_MAX,
				       r->program);
		words[i + 1] = r->words[i];
	}
	s.env = env;
	memcpy(s.fds, r->fds, sizeof(s.fds));
	return spawn_program(&s, ret_pid, e);
}

int engine_start(const struct engine_run *r, pid_t *ret_pid, struct err *e)
{
	return start(r, r->mode, ret_pid, e);
}

static bool known(enum prelim_part part, const char *text)
{
	const char *id = strchr(text, ' ');

	for (size_t i = 0; id && i < ARRAY_LEN(builds); i++)
		if (builds[i].part == part && !strcmp(builds[i].id, id + 1))
			return true;
	return false;
}

/* up to size - 1 bytes until the end of file */
static void read_text(int fd, char *to, size_t size)
{
	size_t n = 0;

	while (n + 1 < size) {
		ssize_t r = read(fd, to + n, size - 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	to[n] = '\0';
}

int engine_probe(const char *name, struct engine *ret, struct err *e)
{
	static const char *const no_words[] = { NULL }, *const no_env[] = { NULL };
	struct engine g = { 0 };
	struct engine_run run = { &g, g.program, no_words, NULL, false, no_env, { -1, -1, -1 } };
	char text[1024], *line, *rest = text;
	pid_t pid;
	int p[2], r = engine_find(name, g.program, sizeof(g.program), e);

	if (!r)
		r = spawn_find(PRELIM_LIBRARY, COMOSIX_LIBEXECDIR, g.library, sizeof(g.library), e);
	if (r < 0)
		return r;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	AUTO_CLOSE int from = p[0];
	AUTO_CLOSE int to = p[1];

	run.fds[1] = to;
	r = start(&run, "probe", &pid, e);
	if (r < 0)
		return r;
	fd_close(&to);
	read_text(from, text, sizeof(text));
	(void)waitpid(pid, NULL, 0); /* what it printed says all */
	for (int i = 0; i < PRELIM_PARTS && (line = strsep(&rest, "\n")); i++)
		(void)snprintf(g.ids[i], sizeof(g.ids[i]), "%s", line);
	for (int i = 0; i < PRELIM_PARTS; i++)
		if (!known(i, g.ids[i]))
			return err_set(
				e, -ENOTSUP,
				"this build of BLAST+ (%s) is not one whose insides are known",
				g.ids[i][0] ? g.ids[i] : "static");
	*ret = g;
	return 0;
}
