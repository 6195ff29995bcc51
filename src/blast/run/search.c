/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * search.c - one task on a worker: run BLAST+ on a fragment, send the preliminary hits
 *
 * Theory of operation. The task's queries and an alias file for its fragment are written to the
 * scratch directory; BLAST+ runs on them with the preloaded library, whose dump comes back on a
 * pipe that is its standard output. Hits go out as they come. Done is sent when three things
 * have happened: the pipe is at its end, the dump is whole, and BLAST+ has ended with status 0.
 * Anything else is Failed, with BLAST+'s own words.
 */
#include "blast/run/search.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "blast/core/alias.h"
#include "blast/core/fasta.h"
#include "blast/core/hits.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"

#define READ_STEP 65536
#define WORDS_MAX (BLAST_ARGS_MAX + 16)

struct search {
	struct search_setup s;
	uint32_t task;
	pid_t pid; /* 0: ended */
	int status;
	int dump_fd, talk_fd; /* pipe from BLAST+; its standard error, a file */
	struct ev_ref dump_ref, child_ref;
	struct buf in;
	struct dump dump;
	bool bad; /* the dump is none */
	uint64_t cpu_before_ms;
	/* hits not yet sent, all of one kind */
	uint32_t n, kind;
	uint32_t query[BLAST_HITS_MAX], oid[BLAST_HITS_MAX], limit[BLAST_HITS_MAX];
	double evalue[BLAST_HITS_MAX];
};

static uint64_t children_cpu_ms(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_CHILDREN, &u) < 0)
		return 0;
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static void send_hits(struct search *s)
{
	Cmx__BlastHits h = CMX__BLAST_HITS__INIT;
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;

	if (!s->n)
		return;
	h.task = s->task;
	h.n_query = h.n_oid = h.n_evalue = h.n_limit = s->n;
	h.query = s->query;
	h.oid = s->oid;
	h.limit = s->limit;
	h.evalue = s->evalue;
	h.chunk = s->kind == PRELIM_CHUNK;
	m.body_case = CMX__BLAST_MESSAGE__BODY_HITS;
	m.hits = &h;
	s->n = 0;
	link_send(s->s.link, &m);
}

static void keep_hit(struct search *s, const struct prelim_hit *h)
{
	if (s->n == BLAST_HITS_MAX || (s->n && h->flag != s->kind))
		send_hits(s);
	s->kind = h->flag;
	s->query[s->n] = h->flag == PRELIM_CHUNK ? 0 : h->query;
	s->oid[s->n] = h->oid;
	s->limit[s->n] = h->limit;
	s->evalue[s->n++] = h->evalue;
}

static void release(struct search *s)
{
	loop_remove(s->s.loop, &s->dump_ref);
	loop_remove(s->s.loop, &s->child_ref);
	fd_close(&s->dump_fd);
	fd_close(&s->talk_fd);
	buf_done(&s->in);
	free(s);
}

/* the first line that BLAST+ said, for the master's user */
static void last_words(struct search *s, char *to, size_t size)
{
	ssize_t n = pread(s->talk_fd, to, size - 1, 0);
	size_t len = n > 0 ? (size_t)n : 0;

	to[len] = '\0';
	to[strcspn(to, "\n")] = '\0';
	for (char *c = to; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	if (!*to)
		(void)snprintf(to, size, "BLAST+ ended with status %d and said nothing", s->status);
}

static void answer(struct search *s)
{
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
	Cmx__BlastDone done = CMX__BLAST_DONE__INIT;
	Cmx__BlastFailed failed = CMX__BLAST_FAILED__INIT;
	char text[BLAST_TEXT_MAX / 2];
	bool ended = WIFEXITED(s->status) && !WEXITSTATUS(s->status);

	if (ended && s->dump.has_end && !s->bad && !s->in.len) {
		send_hits(s);
		done.task = s->task;
		done.n_hits = s->dump.n_hits;
		done.searches = s->dump.searches;
		done.cpu_ms = children_cpu_ms() - s->cpu_before_ms;
		m.body_case = CMX__BLAST_MESSAGE__BODY_DONE;
		m.done = &done;
	} else {
		last_words(s, text, sizeof(text));
		failed.task = s->task;
		failed.status = WIFEXITED(s->status) ? (uint32_t)WEXITSTATUS(s->status)
						     : 128u + (uint32_t)WTERMSIG(s->status);
		failed.text = text;
		m.body_case = CMX__BLAST_MESSAGE__BODY_FAILED;
		m.failed = &failed;
	}
	link_send(s->s.link, &m);
}

static void maybe_over(struct search *s)
{
	void (*over)(void *) = s->s.over;
	void *owner = s->s.owner;

	if (s->pid || s->dump_fd >= 0)
		return;
	answer(s);
	release(s);
	over(owner);
}

static void on_child(void *owner, pid_t pid, int wait_status)
{
	struct search *s = owner;

	(void)pid;
	s->pid = 0;
	s->status = wait_status;
	maybe_over(s);
}

static void on_dump(void *owner, uint32_t events);

/* not watched at all while the link is full: a hang-up would wake us again and again */
static int watch_dump(struct search *s)
{
	if (link_queued(s->s.link) >= LINK_QUEUE_LOW) {
		loop_remove(s->s.loop, &s->dump_ref);
		return 0;
	}
	if (s->dump_ref.gen)
		return 0;
	return loop_add_fd(s->s.loop, s->dump_fd, EPOLLIN, on_dump, s, &s->dump_ref);
}

static void on_dump(void *owner, uint32_t events)
{
	struct search *s = owner;
	struct prelim_hit h;
	uint8_t *to;
	ssize_t n;
	int r = buf_room(&s->in, READ_STEP, &to);

	(void)events; /* read() tells it all */
	n = r < 0 ? 0 : read(s->dump_fd, to, READ_STEP);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_remove(s->s.loop, &s->dump_ref);
		fd_close(&s->dump_fd);
		maybe_over(s);
		return;
	}
	buf_grow(&s->in, (size_t)n);
	while (!s->bad && (r = dump_take(&s->dump, &s->in, &h)) == 1)
		keep_hit(s, &h);
	if (r < 0) {
		s->bad = true;
		buf_reset(&s->in);
	}
	if (watch_dump(s) < 0)
		s->bad = true;
}

void search_room(struct search *s)
{
	if (s->dump_fd >= 0 && watch_dump(s) < 0)
		s->bad = true;
}

void search_cancel(struct search *s)
{
	if (!s)
		return;
	loop_remove(s->s.loop, &s->child_ref);
	if (s->pid) {
		(void)kill(s->pid, SIGKILL); /* ours and not reaped, so it is there */
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	release(s);
}

uint32_t search_task(const struct search *s)
{
	return s ? s->task : 0;
}

/* queries and alias of the fragment, in the scratch directory */
static int write_files(const struct search_setup *s, const Cmx__BlastTask *t, const char *queries,
		       const char *alias, struct err *e)
{
	AUTO_FREE char *names = calloc(s->run->n_volumes, PATH_MAX);
	AUTO_FREE const char **volumes = calloc(s->run->n_volumes, sizeof(*volumes));
	struct alias_fragment f = { s->run->title,  volumes, (uint32_t)s->run->n_volumes,
				    t->first,	    t->last, s->run->n_seqs,
				    s->run->letters };
	struct buf text;
	int r;

	if (!names || !volumes)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < s->run->n_volumes; i++) {
		volumes[i] = names + i * PATH_MAX;
		(void)snprintf(names + i * PATH_MAX, PATH_MAX, "%s/db/%s", s->scratch,
			       s->run->volumes[i]); /* names are bounded by blast_msg.h */
	}
	buf_init(&text, 1u << 24);
	r = alias_write(&f, &text);
	if (!r)
		r = file_write_atomic(alias, buf_bytes(&text), text.len, 0600, e);
	buf_done(&text);
	return r < 0 ? r : file_write_atomic(queries, t->queries.data, t->queries.len, 0600, e);
}

static int start(struct search *s, const char *queries, struct err *e)
{
	const char *words[WORDS_MAX + 1], *env[8] = { NULL };
	char db[PATH_MAX], home[PATH_MAX], tmp[PATH_MAX];
	struct engine_run run = { s->s.engine,	 s->s.engine->program, words,
				  "dump",	 s->s.run->unlimited,  env,
				  { -1, -1, -1 } };
	size_t n = 0;
	int p[2], r;

	(void)snprintf(db, sizeof(db), "%s/fragment", s->s.scratch);
	(void)snprintf(home, sizeof(home), "HOME=%s", s->s.scratch);
	(void)snprintf(tmp, sizeof(tmp), "TMPDIR=%s", s->s.scratch);
	env[0] = home;
	env[1] = tmp;
	env[2] = "PATH=/usr/bin:/bin";
	for (size_t i = 0; i < s->s.run->n_args; i++)
		words[n++] = s->s.run->args[i];
	words[n++] = "-db";
	words[n++] = db;
	words[n++] = "-query";
	words[n++] = queries;
	words[n++] = "-out";
	words[n++] = "/dev/null";
	words[n++] = "-num_threads";
	words[n++] = "1";
	words[n] = NULL;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	AUTO_CLOSE int to = p[1];

	s->dump_fd = p[0];
	run.fds[1] = to;
	run.fds[2] = s->talk_fd;
	r = fd_nonblock(s->dump_fd, 1);
	if (!r)
		r = watch_dump(s);
	if (r < 0)
		return err_set(e, r, "watch BLAST+: %s", strerror(-r));
	r = engine_start(&run, &s->pid, e);
	if (!r)
		r = loop_add_child(s->s.loop, s->pid, on_child, s, &s->child_ref);
	return r;
}

int search_start(const struct search_setup *setup, const Cmx__BlastTask *t, struct search **ret,
		 struct err *e)
{
	char queries[PATH_MAX], alias[PATH_MAX], talk[PATH_MAX];
	uint32_t n_queries;
	struct search *s;
	int r = 0;

	if (fasta_check(t->queries.data, t->queries.len, &n_queries) < 0 ||
	    n_queries != t->n_queries || t->last > setup->run->n_seqs)
		return err_set(e, -EPROTO, "the master sent a task that is none");
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->s = *setup;
	s->task = t->task;
	s->dump_fd = s->talk_fd = -1;
	s->cpu_before_ms = children_cpu_ms();
	buf_init(&s->in, 2 * READ_STEP);
	(void)snprintf(queries, sizeof(queries), "%s/queries", setup->scratch);
	(void)snprintf(alias, sizeof(alias), "%s/fragment.pal", setup->scratch);
	(void)snprintf(talk, sizeof(talk), "%s/talk", setup->scratch);
	r = write_files(setup, t, queries, alias, e);
	if (!r) {
		s->talk_fd = open(talk, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (s->talk_fd < 0)
			r = err_set(e, -errno, "open '%s': %s", talk, strerror(errno));
	}
	if (!r)
		r = start(s, queries, e);
	if (r < 0) {
		search_cancel(s);
		return r;
	}
	*ret = s;
	return 0;
}
