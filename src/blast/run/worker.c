/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.c - comosix-blast-worker: search fragments for mpiblast, told over stdin and stdout
 *
 * Theory of operation. Started by a node's comosixd in a box, or by mpiblast itself on its own
 * machine. Its whole world is the stream on fds 0 and 1, a scratch directory ($COMOSIX_SCRATCH) and
 * a cache ($COMOSIX_CACHE). It trusts the master no more than it must: options are held against the
 * table of core/options.c, files against their digests, and nothing the master says becomes a path.
 * With $COMOSIX_DATABASE, which only the mpiblast of the same machine sets, the files are there
 * already and were hashed by it. When the stream ends it kills what it runs and goes. A beat each
 * second, from the first moment to the last, tells the master that it lives.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/opt.h"
#include "blast/core/options.h"
#include "blast/run/engine.h"
#include "blast/run/fetch.h"
#include "blast/run/link.h"
#include "blast/run/search.h"
#include "config.h"
#include "log/log.h"
#include "os/fd.h"
#include "os/file.h"

#define BEAT_MS 1000

struct worker {
	struct loop *loop;
	struct link *link;
	struct ev_ref beat;
	struct engine engine;
	Cmx__BlastMessage *run; /* owned; its setup; NULL before it came */
	struct fetch *fetch;
	struct search *search;
	bool ready, ending;
	char scratch[PATH_MAX], cache[PATH_MAX], directory[PATH_MAX];
	bool own_scratch; /* made by us, removed at the end */
	bool has_files;	  /* the directory is $COMOSIX_DATABASE */
};

static void send_body(struct worker *w, Cmx__BlastMessage__BodyCase which, void *body)
{
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;

	m.body_case = which;
	m.beat = body; /* the members of the union are all pointers */
	link_send(w->link, &m);
}

/* say it and go, when it has been sent */
static void fail(struct worker *w, const char *text)
{
	Cmx__BlastFailed failed = CMX__BLAST_FAILED__INIT;
	char line[ERR_TEXT_MAX];

	if (w->ending)
		return;
	(void)snprintf(line, sizeof(line), "%s", text);
	failed.text = line;
	w->ending = true;
	send_body(w, CMX__BLAST_MESSAGE__BODY_FAILED, &failed);
	if (!link_queued(w->link))
		loop_stop(w->loop, 1);
}

static void on_beat(void *owner)
{
	struct worker *w = owner;
	Cmx__BlastBeat beat = CMX__BLAST_BEAT__INIT;

	if (w->ending) {
		loop_stop(w->loop, 1); /* the master had a second to hear why */
		return;
	}
	beat.task = search_task(w->search);
	send_body(w, CMX__BLAST_MESSAGE__BODY_BEAT, &beat);
	if (loop_add_timer(w->loop, loop_now(w->loop) + BEAT_MS, on_beat, w, &w->beat) < 0)
		loop_stop(w->loop, 1);
}

static void on_fetched(void *owner, const struct err *e)
{
	struct worker *w = owner;
	Cmx__BlastReady ready = CMX__BLAST_READY__INIT;

	if (w->fetch)
		fetch_bytes(w->fetch, &ready.cached_bytes, &ready.fetched_bytes);
	if (e) {
		fail(w, e->text);
		return;
	}
	w->ready = true;
	send_body(w, CMX__BLAST_MESSAGE__BODY_READY, &ready);
}

static int check_engine(struct worker *w, const Cmx__BlastSetup *s, struct err *e)
{
	int r = engine_probe(s->program, &w->engine, e);

	if (r < 0)
		return r;
	if (s->n_engine != PRELIM_PARTS)
		return err_set(e, -EPROTO, "the master names no build of BLAST+");
	for (int i = 0; i < PRELIM_PARTS; i++)
		if (strcmp(s->engine[i], w->engine.ids[i]) != 0)
			return err_set(
				e, -EPERM,
				"BLAST+ differs: here %s, at the master %.80s; install the same "
				"version of ncbi-blast+ on both",
				w->engine.ids[i], s->engine[i]);
	return 0;
}

static int take_setup(struct worker *w, const Cmx__BlastSetup *s, struct err *e)
{
	struct fetch_setup f = { w->loop, w->link, s, w->cache, w->directory, on_fetched, w, 0 };
	int r = options_allowed(s->program, s->args, s->n_args, e);

	if (!r)
		r = check_engine(w, s, e);
	if (!r && w->has_files)
		on_fetched(w, NULL);
	else if (!r)
		r = fetch_start(&f, &w->fetch, e);
	return r;
}

static void on_search_over(void *owner)
{
	struct worker *w = owner;

	w->search = NULL;
}

static int take_task(struct worker *w, const Cmx__BlastTask *t, struct err *e)
{
	struct search_setup s = { w->loop,    w->link,	      &w->engine, w->run->setup,
				  w->scratch, on_search_over, w };

	if (!w->ready || w->search)
		return err_set(e, -EPROTO, "the master sent a task that was not due");
	return search_start(&s, t, &w->search, e);
}

static void on_message(void *owner, Cmx__BlastMessage *m)
{
	AUTO_MESSAGE Cmx__BlastMessage *mine = m;
	struct worker *w = owner;
	struct err e = { 0 };
	int r = 0;

	if (w->ending)
		return;
	switch (m->body_case) {
	case CMX__BLAST_MESSAGE__BODY_SETUP:
		if (w->run) {
			r = err_set(&e, -EPROTO, "the master sent a second setup");
			break;
		}
		w->run = ptr_take(&mine);
		r = take_setup(w, m->setup, &e);
		break;
	case CMX__BLAST_MESSAGE__BODY_CHUNK:
		if (w->fetch)
			fetch_chunk(w->fetch, m->chunk);
		break;
	case CMX__BLAST_MESSAGE__BODY_TASK:
		r = take_task(w, m->task, &e);
		break;
	case CMX__BLAST_MESSAGE__BODY_CANCEL:
		if (w->search && search_task(w->search) == m->cancel->task) {
			search_cancel(w->search);
			w->search = NULL;
		}
		break;
	default: /* blast_msg_get() lets nothing else through from a master */
		break;
	}
	if (r < 0)
		fail(w, e.text);
}

static void on_closed(void *owner, const char *why)
{
	struct worker *w = owner;

	(void)why; /* the master is gone; nobody is left to tell */
	loop_stop(w->loop, w->ending);
}

static void on_room(void *owner)
{
	struct worker *w = owner;

	if (w->search)
		search_room(w->search);
}

/* scratch and cache, as given or under the temporary directory */
static int make_places(struct worker *w, struct err *e)
{
	const char *scratch = getenv("COMOSIX_SCRATCH"), *cache = getenv("COMOSIX_CACHE");
	const char *tmp = getenv("TMPDIR"), *database = getenv("COMOSIX_DATABASE");
	int n, m;

	if (!scratch) {
		n = snprintf(w->scratch, sizeof(w->scratch), "%s/blast-worker.XXXXXX",
			     tmp ? tmp : "/tmp");
		if (n < 0 || (size_t)n >= sizeof(w->scratch) || !mkdtemp(w->scratch))
			return err_set(e, -errno, "make a scratch directory: %s", strerror(errno));
		w->own_scratch = true;
	} else {
		(void)snprintf(w->scratch, sizeof(w->scratch), "%s", scratch);
	}
	if (strpbrk(w->scratch, " \t\"'") || strlen(w->scratch) > PATH_MAX / 2)
		return err_set(e, -EINVAL,
			       "the scratch directory '%s' must have a short name without spaces",
			       w->scratch);
	n = snprintf(w->directory, sizeof(w->directory), "%s/db", w->scratch);
	m = cache ? snprintf(w->cache, sizeof(w->cache), "%s", cache)
		  : snprintf(w->cache, sizeof(w->cache), "%s/cache", w->scratch);
	if (n < 0 || m < 0 || (size_t)n >= sizeof(w->directory) || (size_t)m >= sizeof(w->cache))
		return err_set(e, -ENAMETOOLONG, "the name of a directory is too long");
	n = dir_remove(w->directory, e);
	w->has_files = database;
	if (!n && database && symlink(database, w->directory) < 0)
		n = err_set(e, -errno, "link '%s': %s", w->directory, strerror(errno));
	else if (!n && !database)
		n = dir_make(w->directory, 0700, e);
	return n < 0 ? n : dir_make(w->cache, 0755, e);
}

/* each file of the database is held open; a system that allows few then says so at the fetch */
static void raise_file_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

struct options {
	bool version;
};

static const struct opt_spec specs[] = {
	{ "version", 0, OPT_FLAG, offsetof(struct options, version), NULL, "print the version" },
};

static const struct opt_command self = {
	.name = "comosix-blast-worker",
	.args = NULL,
	.summary = "search for mpiblast, told over standard input; started by comosixd or mpiblast",
	.examples = "  mpiblast --local-workers 2 -p blastp -d mydb -i queries.fasta\n"
		    "                            starts two of them on this machine\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
};

/* 0: work; else main() ends with *ret_status */
static int read_options(int argc, char **argv, int *ret_status)
{
	struct options o = { 0 };
	struct err e = { 0 };
	struct buf help;
	int first, r = opt_parse(&self, argc, argv, &o, &first, &e);

	*ret_status = 0;
	if (r == -ECANCELED) {
		buf_init(&help, 16384);
		if (!opt_help(&self, &help))
			(void)fputs(buf_text(&help), stdout);
		buf_done(&help);
		return 1;
	}
	if (!r && first < argc)
		r = err_set(&e, -EINVAL, "'%s' is one word too many", argv[first]);
	if (r < 0) {
		(void)fprintf(stderr, "comosix-blast-worker: %s\n", e.text);
		*ret_status = 2;
		return 1;
	}
	if (o.version)
		(void)printf("comosix-blast-worker %s\n", COMOSIX_VERSION);
	return o.version;
}

int main(int argc, char **argv)
{
	static const struct link_events events = { on_message, on_closed, on_room };
	struct worker w = { .link = NULL };
	struct link_setup s = {
		.fd_in = 0, .fd_out = 1, .peer = BLAST_FROM_MASTER, .events = &events, .owner = &w
	};
	struct err e = { 0 };
	int status, r;

	if (read_options(argc, argv, &status))
		return status;
	log_open("comosix-blast-worker", LOG_WARN);
	(void)signal(SIGPIPE, SIG_IGN); /* write() tells */
	raise_file_limit();
	r = make_places(&w, &e);
	if (!r)
		r = loop_new(&w.loop, &e);
	s.loop = w.loop;
	if (!r)
		r = link_new(&s, &w.link, &e);
	if (r < 0)
		die("%s", e.text);
	on_beat(&w);
	r = loop_run(w.loop);

	search_cancel(w.search);
	fetch_free(w.fetch);
	link_free(w.link);
	message_free(&w.run);
	loop_free(w.loop);
	if (w.own_scratch && dir_remove(w.scratch, &e) < 0)
		log_warn("%s", e.text);
	return r ? 1 : 0;
}
