/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source_local.c - workers on this machine
 *
 * Each is one node with one place, "local1" and so on. They are as good as mpiblast itself, unless
 * the user names another program for them. A worker that ended is started again a few
 * times, as another one may be luckier; the master decides what to make of its silence.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "blast/run/source.h"
#include "config.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/spawn.h"

#define ENV_MAX	   1024
#define STARTS_MAX 3 /* of one place */

struct place {
	struct source_local *of;
	char name[SOURCE_NAME_MAX];
	uint32_t starts;
	pid_t pid; /* 0: none */
	struct ev_ref child;
};

struct source_local {
	struct source source;
	struct source_setup s;
	char program[PATH_MAX], directory[PATH_MAX], database[PATH_MAX]; /* database: may be "" */
	bool trusted;
	struct place *places; /* owned */
	uint32_t n;
	struct ev_ref first;
};

extern char **environ;

static void on_child(void *owner, pid_t pid, int wait_status)
{
	struct place *p = owner;
	const struct source_events *ev = p->of->s.events;
	char why[64];

	(void)pid;
	p->pid = 0;
	if (WIFSIGNALED(wait_status))
		(void)snprintf(why, sizeof(why), "killed by signal %d", WTERMSIG(wait_status));
	else
		(void)snprintf(why, sizeof(why), "ended with status %d", WEXITSTATUS(wait_status));
	ev->lost(p->of->s.owner, p->name, why);
	if (p->starts < STARTS_MAX)
		ev->node(p->of->s.owner, p->name, 1, p->of->trusted);
}

static int start(struct place *p, int fd, struct err *e)
{
	const char *words[] = { p->of->program, NULL };
	const char *env[ENV_MAX + 4];
	char scratch[PATH_MAX + 96], cache[PATH_MAX + 32], database[PATH_MAX + 32];
	struct spawn s = { .path = p->of->program,
			   .argv = words,
			   .env = env,
			   .fds = { fd, fd, 2 },
			   .death_signal = SIGKILL };
	size_t n = 0;
	int r;

	(void)snprintf(scratch, sizeof(scratch), "COMOSIX_SCRATCH=%s/%s", p->of->directory,
		       p->name);
	(void)snprintf(cache, sizeof(cache), "COMOSIX_CACHE=%s/cache", p->of->directory);
	r = dir_make(scratch + strlen("COMOSIX_SCRATCH="), 0700, e);
	if (r < 0)
		return r;
	env[n++] = scratch;
	env[n++] = cache;
	if (*p->of->database) {
		(void)snprintf(database, sizeof(database), "COMOSIX_DATABASE=%s", p->of->database);
		env[n++] = database;
	}
	for (char **v = environ; *v && n < ENV_MAX; v++)
		if (strncmp(*v, "COMOSIX_SCRATCH=", 16) != 0 &&
		    strncmp(*v, "COMOSIX_CACHE=", 14) != 0 &&
		    strncmp(*v, "COMOSIX_DATABASE=", 17) != 0)
			env[n++] = *v;
	env[n] = NULL;
	return spawn_program(&s, &p->pid, e);
}

/* the owner has given it up, perhaps because it is stopped for good */
static void end(struct place *p)
{
	loop_remove(p->of->s.loop, &p->child);
	if (!p->pid)
		return;
	(void)kill(p->pid, SIGKILL); /* ours and not reaped, so it is there */
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

static int local_open(struct source *source, const char *node, struct source_stream *ret,
		      struct err *e)
{
	struct source_local *l = CONTAINER_OF(source, struct source_local, source);
	struct place *p = NULL;
	int pair[2], r;

	for (uint32_t i = 0; i < l->n; i++)
		if (!strcmp(l->places[i].name, node))
			p = &l->places[i];
	if (!p || p->starts == STARTS_MAX)
		return err_set(e, -EBUSY, "'%s' was started %d times", node, STARTS_MAX);
	end(p);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	AUTO_CLOSE int ours = pair[0];
	AUTO_CLOSE int theirs = pair[1];

	p->starts++;
	r = start(p, theirs, e);
	if (!r)
		r = loop_add_child(l->s.loop, p->pid, on_child, p, &p->child);
	if (r < 0)
		return r;
	ret->fd = fd_take(&ours);
	buf_init(&ret->hello, 1);
	ret->wait_ok = false;
	return 0;
}

/* in the loop, as the owner may not be ready for events before */
static void on_first(void *owner)
{
	struct source_local *l = owner;

	for (uint32_t i = 0; i < l->n; i++)
		l->s.events->node(l->s.owner, l->places[i].name, 1, l->trusted);
	l->s.events->settled(l->s.owner);
}

static void local_free(struct source *source)
{
	struct source_local *l = CONTAINER_OF(source, struct source_local, source);

	loop_remove(l->s.loop, &l->first);
	for (uint32_t i = 0; i < l->n; i++)
		end(&l->places[i]);
	free(l->places);
	free(l);
}

int source_local(const struct source_setup *s, const struct source_places *places,
		 struct source **ret, struct err *e)
{
	static const struct source_ops ops = { local_open, local_free };
	struct source_local *l = calloc(1, sizeof(*l));
	int r = 0;

	if (l)
		l->places = calloc(places->n, sizeof(*l->places));
	if (!l || !l->places) {
		free(l);
		return err_set(e, -ENOMEM, "out of memory");
	}
	l->source = (struct source){ &ops, "local" };
	l->s = *s;
	l->n = places->n;
	l->trusted = !places->program;
	(void)snprintf(l->directory, sizeof(l->directory), "%s", places->directory);
	if (places->database)
		(void)snprintf(l->database, sizeof(l->database), "%s", places->database);
	if (places->program)
		(void)snprintf(l->program, sizeof(l->program), "%s", places->program);
	else
		r = spawn_find("comosix-blast-worker", COMOSIX_LIBEXECDIR, l->program,
			       sizeof(l->program), e);
	for (uint32_t i = 0; i < l->n; i++) {
		l->places[i].of = l;
		(void)snprintf(l->places[i].name, SOURCE_NAME_MAX, "%s%u", places->name, i + 1);
	}
	if (!r)
		r = loop_add_timer(s->loop, loop_now(s->loop), on_first, l, &l->first);
	if (r < 0) {
		local_free(&l->source);
		return r;
	}
	*ret = &l->source;
	return 0;
}
