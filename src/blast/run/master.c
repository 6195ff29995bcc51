/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * master.c - mpiblast: search with all nodes, report as one machine
 *
 * Theory of operation. Three things run side by side. The crew gets preliminary hits from workers
 * (phase 1). The report is the genuine BLAST+ in the user's own directory with the user's own
 * options; it is given the candidates of each query batch as soon as they are known (phase 2). The
 * output is a file without a name until the report is complete.
 *
 *	queries --cut--> batches --crew--> candidates --report--> output --commit--> OUT
 *
 * Whenever something is not proven or cannot go on, the same search is run unsplit by the genuine
 * program and one line says why. So there are only two ends: the same bytes, or BLAST+'s own error.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "blast/prelim/prelim.h"
#include "blast/run/crew.h"
#include "blast/run/report.h"
#include "config.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"

#define QUERIES_MAX  ((size_t)1 << 31)
#define TICK_MS	     500
#define STATUS_USAGE 1 /* as BLAST+ */
#define READ_STEP    65536

struct master {
	struct blast_request request;
	struct loop *loop;
	struct engine engine;
	struct database database;
	struct fasta fasta;
	struct buf queries;
	struct source *source, *checks; /* workers; and those of this machine that check theirs */
	struct crew *crew;
	struct report *report;
	struct output *output;
	struct ev_ref tick, signals[3];
	char tmp[PATH_MAX];		/* directory of ours */
	char query_path[PATH_MAX + 16]; /* empty: standard input was not read */
	const char *words[OPTIONS_ARGS_MAX + 8];
	char unsplit_why[ERR_TEXT_MAX]; /* empty: it is split */
	bool split, has_loop, has_database, terminal, line_shown;
	uint64_t started_ms, hashed_ms, searched_ms, over_ms;
	int status; /* to exit with */
};

/* -- talk --------------------------------------------------------------------------------- */

static void clear_line(struct master *m)
{
	if (m->line_shown)
		(void)fputs("\r\033[K", stderr);
	m->line_shown = false;
}

static void say(struct master *m, const char *what, const char *why)
{
	clear_line(m);
	(void)fprintf(stderr, "mpiblast: %s%s\n", what, why);
}

static void show_progress(struct master *m)
{
	struct crew_state s;

	if (!m->terminal || !m->crew || !m->split)
		return;
	crew_state(m->crew, &s);
	if (!s.ledger)
		return;
	clear_line(m);
	(void)fprintf(stderr, "%u of %u tasks done, %u workers on %u nodes", s.ledger->n_done,
		      s.ledger->n_tasks, s.n_workers, s.n_nodes);
	if (s.ledger->n_done == s.ledger->n_tasks && s.n_checking)
		(void)fprintf(stderr, ", checking %u answers", s.n_checking);
	else if (s.ledger->n_done == s.ledger->n_tasks)
		(void)fputs(", writing the report", stderr);
	else if (s.left_ms)
		(void)fprintf(stderr, ", about %llu s left",
			      (unsigned long long)(s.left_ms + 999) / 1000);
	m->line_shown = true;
}

static json_t *nodes_json(const struct crew_state *s)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < s->n_nodes; i++) {
		const struct crew_node *n = &s->nodes[i];

		if (n->hand == CREW_CHECKS && !n->n_checks)
			continue; /* it was not needed */
		(void)json_array_append_new(
			list, json_pack("{s:s, s:i, s:i, s:i, s:i, s:b, s:I, s:I, s:I}", "node",
					n->name, "tasks", (int)n->n_tasks, "checks",
					(int)n->n_checks, "workers_lost", (int)n->n_lost,
					"answers_refused", (int)n->n_refused, "lied", n->lied,
					"cpu_ms", (json_int_t)n->cpu_ms, "fetched_bytes",
					(json_int_t)n->fetched_bytes, "cached_bytes",
					(json_int_t)n->cached_bytes));
	}
	return list;
}

static void print_summary(struct master *m)
{
	struct crew_state s = { 0 };
	json_t *o = json_object();
	uint64_t end = clock_boot_ms();
	FILE *to = m->request.out ? stdout : stderr;

	if (m->crew)
		crew_state(m->crew, &s);
	(void)json_object_set_new(o, "split", json_boolean(m->split));
	if (!m->split)
		(void)json_object_set_new(o, "why_unsplit", json_string(m->unsplit_why));
	(void)json_object_set_new(o, "status", json_integer(m->status));
	(void)json_object_set_new(o, "queries", json_integer(m->fasta.n_queries));
	(void)json_object_set_new(o, "batches", json_integer(m->fasta.n_batches));
	(void)json_object_set_new(o, "sequences", json_integer(m->database.n_seqs));
	(void)json_object_set_new(o, "candidates", json_integer((json_int_t)s.n_candidates));
	if (s.ledger)
		(void)json_object_set_new(
			o, "ledger",
			json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "tasks",
				  (int)s.ledger->n_tasks, "fragments", (int)s.ledger->n_fragments,
				  "done", (int)s.ledger->n_done, "lost", (int)s.ledger->n_lost,
				  "failed", (int)s.ledger->n_failed, "started_twice",
				  (int)s.ledger->n_twice, "late", (int)s.ledger->n_late));
	(void)json_object_set_new(o, "checks",
				  json_pack("{s:i, s:i, s:i, s:i}", "checked",
					    (int)s.checks.n_checked, "false", (int)s.checks.n_false,
					    "answers_dropped", (int)s.checks.n_dropped,
					    "begun_again", (int)s.checks.n_again));
	(void)json_object_set_new(o, "nodes", nodes_json(&s));
	(void)json_object_set_new(
		o, "ms",
		json_pack("{s:I, s:I, s:I}", "prepare", (json_int_t)(m->hashed_ms - m->started_ms),
			  "search",
			  (json_int_t)(m->searched_ms ? m->searched_ms - m->hashed_ms : 0), "all",
			  (json_int_t)(end - m->started_ms)));
	(void)json_dumpf(o, to, JSON_INDENT(2));
	(void)fputc('\n', to);
	json_decref(o);
}

/* -- unsplit ------------------------------------------------------------------------------ */

static void remove_tmp(struct master *m)
{
	struct err e = { 0 };

	if (*m->tmp && dir_remove(m->tmp, &e) < 0)
		say(m, "", e.text);
	m->tmp[0] = '\0';
}

/* become the genuine program; its errors are the best there are */
static int exec_plain(struct master *m)
{
	const char *words[OPTIONS_ARGS_MAX + 1];
	char path[PATH_MAX];
	struct err e = { 0 };
	sigset_t none;
	size_t n = 0;

	if (engine_find(m->request.program, path, sizeof(path), &e) < 0) {
		say(m, "", e.text);
		return 1;
	}
	words[n++] = m->request.program;
	for (size_t i = 0; i < m->request.plain.n; i++)
		words[n++] = m->request.plain.words[i];
	words[n] = NULL;
	if (*m->query_path) { /* standard input, read already */
		int fd = open(m->query_path, O_RDONLY);

		if (fd >= 0)
			(void)dup2(fd, STDIN_FILENO);
	}
	remove_tmp(m);
	(void)setenv("BLAST_USAGE_REPORT", "false", 1); /* nothing is sent outside */
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* the loop may have blocked some */
	(void)execv(path, (char *const *)(uintptr_t)words);
	(void)fprintf(stderr, "mpiblast: start '%s': %s\n", path, strerror(errno));
	return 1;
}

/* words of the report: as the user's, without -out, the query from where it is now */
static void make_words(struct master *m)
{
	const struct blast_request *r = &m->request;
	size_t n = 0;

	for (size_t i = 0; i < r->report.n; i++)
		m->words[n++] = r->report.words[i];
	if (*m->query_path || r->query) {
		m->words[n++] = "-query";
		m->words[n++] = *m->query_path ? m->query_path : r->query;
	}
	if (!m->split && r->threads) {
		m->words[n++] = "-num_threads";
		m->words[n++] = r->threads;
	}
	m->words[n] = NULL;
}

static void stop(struct master *m, int status)
{
	m->status = status;
	loop_stop(m->loop, 0);
}

static void on_report_over(void *owner, int wait_status, const struct err *e);

static int start_report(struct master *m, struct err *e)
{
	struct report_setup s = { m->loop,	     m->split ? &m->engine : NULL,
				  m->engine.program, m->words,
				  m->output,	     *m->query_path ? -1 : STDIN_FILENO,
				  on_report_over,    m };

	make_words(m);
	return report_start(&s, &m->report, e);
}

/* in the loop: what was written so far is dropped, the genuine program starts over */
static void restart_report(struct master *m)
{
	struct err e = { 0 };
	int r;

	report_free(m->report);
	m->report = NULL;
	r = output_restart(m->output, &e);
	if (!r)
		r = start_report(m, &e);
	if (r < 0) {
		say(m, "", e.text);
		stop(m, 1);
	}
}

static void go_unsplit(struct master *m, const char *why)
{
	(void)snprintf(m->unsplit_why, sizeof(m->unsplit_why), "%s", why);
	say(m, "running BLAST+ unsplit on this node: ", m->unsplit_why);
	m->split = false;
	restart_report(m);
}

/* -- events ------------------------------------------------------------------------------- */

static void on_batch(void *owner, uint32_t batch, bool searched, const uint32_t *oids, uint32_t n)
{
	struct master *m = owner;

	if (searched && report_batch(m->report, m->fasta.batches[batch].n, oids, n) < 0) {
		say(m, "", "out of memory");
		stop(m, 1);
	}
}

/* what the report has so far may be false */
static void on_again(void *owner)
{
	restart_report(owner);
}

static void on_crew_over(void *owner)
{
	struct master *m = owner;

	m->searched_ms = clock_boot_ms();
	report_last(m->report);
	show_progress(m);
}

static void on_crew_broken(void *owner, const char *why)
{
	go_unsplit(owner, why);
}

static void commit(struct master *m)
{
	struct output *o = ptr_take(&m->output);
	struct err e = { 0 };

	clear_line(m);
	report_talk(m->report);
	if (output_commit(o, &e) < 0) {
		say(m, "", e.text);
		stop(m, 1);
	} else {
		stop(m, 0);
	}
}

static void on_report_over(void *owner, int wait_status, const struct err *e)
{
	struct master *m = owner;
	int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status)
					    : 128 + WTERMSIG(wait_status);

	if (e) {
		say(m, "", e->text);
		stop(m, 1);
	} else if (m->split && status == PRELIM_EXIT_REFUSED) {
		go_unsplit(m, "BLAST+ does not go along with the plan");
	} else if (status) {
		clear_line(m);
		report_talk(m->report);
		stop(m, status);
	} else if (m->split && !database_same(&m->database)) {
		go_unsplit(m, "the database changed during the search");
	} else {
		commit(m);
	}
}

static void on_signal(void *owner, int signo)
{
	stop(owner, 128 + signo);
}

static void on_tick(void *owner)
{
	struct master *m = owner;

	show_progress(m);
	if (m->terminal &&
	    loop_add_timer(m->loop, loop_now(m->loop) + TICK_MS, on_tick, m, &m->tick) < 0)
		m->terminal = false;
}

/* -- preparation -------------------------------------------------------------------------- */

static int make_tmp(struct master *m, struct err *e)
{
	const char *dir = getenv("TMPDIR");

	if (!dir || strpbrk(dir, " \t\"'") || strlen(dir) > PATH_MAX / 2)
		dir = "/tmp";
	(void)snprintf(m->tmp, sizeof(m->tmp), "%s/mpiblast.XXXXXX", dir);
	if (mkdtemp(m->tmp))
		return 0;
	m->tmp[0] = '\0';
	return err_set(e, -errno, "make a directory in '%s': %s; set $TMPDIR", dir,
		       strerror(errno));
}

static int read_to_end(int fd, struct buf *to)
{
	for (;;) {
		uint8_t *p;
		ssize_t n;
		int r = buf_room(to, READ_STEP, &p);

		if (r < 0)
			return r;
		n = read(fd, p, READ_STEP);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return 0;
		if (n > 0)
			buf_grow(to, (size_t)n);
	}
}

/*
 * The queries are read once: a pipe has them only once. What is no regular file is kept in one, for
 * BLAST+ to read. -ENOENT: leave it to BLAST+ to complain.
 */
static int read_queries(struct master *m, struct err *e)
{
	const char *name = m->request.query;
	int r;

	AUTO_CLOSE int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return -ENOENT;
	r = read_to_end(fd, &m->queries);
	if (r < 0)
		return err_set(e, r, "read the queries: %s", strerror(-r));
	if (name && S_ISREG(st.st_mode)) {
		(void)snprintf(m->query_path, sizeof(m->query_path), "%s", name);
		return 0;
	}
	(void)snprintf(m->query_path, sizeof(m->query_path), "%s/queries", m->tmp);
	return file_write_atomic(m->query_path, buf_bytes(&m->queries), m->queries.len, 0600, e);
}

static bool env_proven(struct err *e)
{
	for (size_t i = 0; options_env(i); i++)
		if (getenv(options_env(i))) {
			(void)err_set(e, -ENOTSUP, "$%s is set", options_env(i));
			return false;
		}
	return true;
}

/* this machine is trusted whatever the cluster is; the files of the database are here */
static int open_checks(struct master *m, struct err *e)
{
	struct source_setup s = { m->loop, crew_events(), crew_owner(m->crew, CREW_CHECKS) };
	char links[PATH_MAX + 16];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct source_places here = { .n = cpus > 0 ? (uint32_t)cpus : 1,
				      .name = "here",
				      .directory = m->tmp,
				      .database = links };
	int r;

	(void)snprintf(links, sizeof(links), "%s/database", m->tmp);
	r = database_link(&m->database, links, e);
	if (!r)
		r = source_local(&s, &here, &m->checks, e);
	if (!r)
		crew_use(m->crew, CREW_CHECKS, m->checks);
	return r;
}

static int open_sources(struct master *m, struct err *e)
{
	struct source_setup s = { m->loop, crew_events(), crew_owner(m->crew, CREW_WORK) };
	struct source_places local = { .n = m->request.local_workers,
				       .name = "local",
				       .program = m->request.worker_program,
				       .directory = m->tmp };
	int r = local.n ? source_local(&s, &local, &m->source, e)
			: source_cluster(&s, &m->source, e);

	if (!r)
		crew_use(m->crew, CREW_WORK, m->source);
	if (!r && (!local.n || local.program))
		r = open_checks(m, e);
	return r;
}

/* everything that a split search needs; a failure means unsplit, with the reason in e */
static int prepare_split(struct master *m, struct err *e)
{
	const struct blast_request *r = &m->request;
	struct crew_setup s = { m->loop,  r,	    &m->engine,	  &m->database,	  &m->fasta, NULL,
				on_batch, on_again, on_crew_over, on_crew_broken, m };
	int a;

	if (r->unproven[0])
		return err_set(e, -ENOTSUP, "%s", r->unproven);
	if (r->asked_unsplit)
		return err_set(e, -ENOTSUP, "as asked");
	if (!env_proven(e))
		return -ENOTSUP;
	a = read_queries(m, e);
	if (a == -ENOENT)
		return err_set(e, a, "the queries cannot be read");
	if (!a)
		a = fasta_cut(buf_bytes(&m->queries), m->queries.len, r->batch_letters, &m->fasta,
			      e);
	if (a == -ENOTSUP)
		(void)err_prefix(e, "the queries are not plain FASTA");
	if (!a)
		a = engine_probe(r->program, &m->engine, e);
	if (!a)
		a = database_open(r->db, r->db_type, &m->database, e);
	if (a < 0)
		return a;
	m->hashed_ms = clock_boot_ms();
	s.queries = buf_bytes(&m->queries);
	a = crew_new(&s, &m->crew, e);
	if (!a)
		a = open_sources(m, e);
	return a;
}

static int watch_signals(struct master *m, struct err *e)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(signals); i++)
		r = loop_add_signal(m->loop, signals[i], on_signal, m, &m->signals[i]);
	return r < 0 ? err_set(e, r, "watch signals: %s", strerror(-r)) : 0;
}

/* errors of the user's that BLAST+ itself words best */
static bool leave_to_blast(int code)
{
	return code == -ENOENT || code == -EACCES || code == -ENOTDIR || code == -EISDIR ||
	       code == -EROFS;
}

static int run(struct master *m)
{
	struct err e = { 0 };
	int r;

	if (m->request.as_it_is) {
		if (m->request.unproven[0])
			say(m, "running BLAST+ unsplit on this node: ", m->request.unproven);
		return exec_plain(m);
	}
	r = make_tmp(m, &e);
	if (!r)
		r = loop_new(&m->loop, &e);
	if (!r)
		r = watch_signals(m, &e);
	if (r < 0) {
		say(m, "", e.text);
		return 1;
	}
	r = prepare_split(m, &e);
	m->split = !r;
	if (r == -ENOENT && !m->crew)
		return exec_plain(m); /* no queries, no database or no BLAST+ */
	if (r < 0) {
		(void)snprintf(m->unsplit_why, sizeof(m->unsplit_why), "%s", e.text);
		say(m, "running BLAST+ unsplit on this node: ", e.text);
		if (engine_find(m->request.program, m->engine.program, sizeof(m->engine.program),
				&e) < 0)
			return exec_plain(m);
	}
	r = output_open(m->request.out, m->tmp, &m->output, &e);
	if (leave_to_blast(r))
		return exec_plain(m);
	if (!r)
		r = start_report(m, &e);
	if (r < 0) {
		say(m, "", e.text);
		return 1;
	}
	on_tick(m);
	r = loop_run(m->loop);
	clear_line(m);
	return r < 0 ? 1 : m->status;
}

int main(int argc, char **argv)
{
	struct master m = { .started_ms = clock_boot_ms() };
	struct err e = { 0 };

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		(void)printf("mpiblast %s\n", COMOSIX_VERSION);
		return 0;
	}
	m.hashed_ms = m.started_ms;
	m.terminal = isatty(STDERR_FILENO);
	if (options_parse(argc, argv, &m.request, &e) < 0) {
		(void)fprintf(stderr, "mpiblast: %s\n", e.text);
		return STATUS_USAGE;
	}
	if (m.request.help) {
		(void)fputs(options_help(), stdout);
		return 0;
	}
	if (m.request.version) {
		(void)printf("mpiblast %s\n", COMOSIX_VERSION);
		return 0;
	}
	(void)signal(SIGPIPE, SIG_IGN); /* write() tells */
	buf_init(&m.queries, QUERIES_MAX);
	m.status = run(&m);

	report_free(m.report);
	if (m.request.json)
		print_summary(&m);
	crew_free(m.crew);
	if (m.source)
		m.source->ops->free(m.source);
	if (m.checks)
		m.checks->ops->free(m.checks);
	output_abort(m.output);
	remove_tmp(&m);
	loop_free(m.loop);
	database_done(&m.database);
	fasta_done(&m.fasta);
	buf_done(&m.queries);
	options_done(&m.request);
	return m.status;
}
