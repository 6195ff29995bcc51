/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crew.c - the workers of a search: hire them as nodes come, give them tasks, check their answers
 *
 * Theory of operation. A node has places; on each place a worker is hired while there is work. A
 * worker is lost when its stream ends, when it says nothing for CREW_SILENCE_MS, when its node
 *goes, or when it is caught lying: then its node is barred as well. What it was doing waits again
 *in the ledger. A node whose workers are lost is tried again after a while, a few times.
 *
 * Hits of a task are kept with the worker until Done, then checked (core/hits.h) and, if the ledger
 * takes the answer, added to the batch. So nothing of a lost, late or lying worker is ever used.
 *
 *	HIRED --Setup--> (Need, Chunk ...) --Ready--> IDLE <--Task/Done--> BUSY
 */
#include "blast/run/crew.h"

#include <errno.h>
#include <fcntl.h>

#include "blast/core/hits.h"
#include "blast/run/link.h"
#include "os/fd.h"

#define TICK_MS	     500
#define NODES_MAX    4096
#define WORKERS_MAX  4096
#define RETRY_MS     500 /* doubled for each strike */
#define STRIKES_MAX  5	 /* of one node; then it is left alone until it comes anew */
#define FAILURES_MAX 1	 /* of a worker; it may not be its fault */
#define HITS_MAX     (1u << 26)

enum worker_state {
	WORKER_HIRED,
	WORKER_IDLE,
	WORKER_BUSY
};

struct worker {
	struct crew *of;
	uint32_t id; /* from 1 on, never used again */
	uint32_t node;
	enum worker_state state;
	struct link *link;
	uint64_t heard_ms;
	uint32_t task, fragment; /* BUSY: index; the one it did last */
	uint32_t n_failed;	 /* tasks it could not do */
	struct hits hits;	 /* of its task */
	int file_fd;		 /* being sent; -1: none */
	uint32_t file;
	uint64_t offset;
};

struct crew {
	struct crew_setup s;
	struct source *source;
	struct ledger ledger;
	bool planned, settled, over;
	struct crew_node *nodes; /* owned */
	uint32_t n_nodes;
	struct worker **workers; /* owned */
	uint32_t n_workers, last_id;
	struct hits *batches; /* owned; per batch, until it is told */
	int8_t *searched;     /* owned; per batch: -1 not known, 0, 1 */
	uint32_t next_batch;  /* to be told */
	struct buf setup;     /* the setup message, as a frame */
	struct ev_ref tick;
	uint64_t alone_since_ms;
	uint64_t n_candidates;
};

static void give_work(struct crew *c);

static void say(const struct crew *c, const struct worker *w, const char *why)
{
	(void)fprintf(stderr, "mpiblast: worker on %s given up: %s\n", c->nodes[w->node].name, why);
}

static void broken(struct crew *c, const char *why)
{
	if (c->over)
		return;
	c->over = true;
	c->s.broken(c->s.owner, why);
}

static void worker_free(struct worker *w)
{
	link_free(w->link);
	hits_done(&w->hits);
	fd_close(&w->file_fd);
	free(w);
}

/* all workers of a node lost in one moment are one strike */
static void strike(struct crew *c, struct crew_node *n, const char *why)
{
	uint64_t now = loop_now(c->s.loop);

	(void)snprintf(n->last_error, sizeof(n->last_error), "%s", why);
	if (n->strikes && now - n->strike_ms < TICK_MS)
		return;
	n->strikes++;
	n->strike_ms = now;
	n->retry_ms = now +
		      ((uint64_t)RETRY_MS << (n->strikes < STRIKES_MAX ? n->strikes : STRIKES_MAX));
}

static bool usable(const struct crew_node *n)
{
	return !n->gone && !n->barred && n->strikes < STRIKES_MAX;
}

/* bar: do not use the node again */
static void lose(struct worker *w, const char *why, bool bar)
{
	struct crew *c = w->of;
	struct crew_node *n = &c->nodes[w->node];

	for (uint32_t i = 0; i < c->n_workers; i++)
		if (c->workers[i] == w)
			c->workers[i] = c->workers[--c->n_workers];
	if (!c->over && !n->gone)
		say(c, w, why);
	n->workers--;
	n->n_lost++;
	n->barred = n->barred || bar;
	strike(c, n, why);
	if (c->planned)
		ledger_lose(&c->ledger, w->id);
	worker_free(w);
	if (!c->over)
		give_work(c);
}

/* -- tasks -------------------------------------------------------------------------------- */

static void send_task(struct worker *w, uint32_t task)
{
	struct crew *c = w->of;
	const struct task *t = &c->ledger.tasks[task];
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
	Cmx__BlastTask b = CMX__BLAST_TASK__INIT;
	struct buf text;

	w->state = WORKER_BUSY;
	w->task = task;
	w->fragment = t->fragment;
	w->hits.n = 0;
	buf_init(&text, BLAST_QUERIES_MAX);
	if (fasta_write(c->s.fasta, c->s.queries, t->batch, &text) < 0) {
		buf_done(&text);
		broken(c, "a query batch is too long for a message");
		return;
	}
	b.task = task + 1;
	b.first = c->ledger.fragments[t->fragment].first;
	b.last = c->ledger.fragments[t->fragment].last;
	b.n_queries = c->s.fasta->batches[t->batch].n;
	b.queries.data = text.data + text.off;
	b.queries.len = text.len;
	m.body_case = CMX__BLAST_MESSAGE__BODY_TASK;
	m.task = &b;
	link_send(w->link, &m);
	buf_done(&text);
}

static void send_cancel(struct worker *w)
{
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
	Cmx__BlastCancel b = CMX__BLAST_CANCEL__INIT;

	b.task = w->task + 1;
	m.body_case = CMX__BLAST_MESSAGE__BODY_CANCEL;
	m.cancel = &b;
	w->state = WORKER_IDLE;
	w->hits.n = 0;
	link_send(w->link, &m);
}

static void give_work(struct crew *c)
{
	for (uint32_t i = 0; c->planned && !c->over && i < c->n_workers; i++) {
		struct worker *w = c->workers[i];
		int64_t t;

		if (w->state != WORKER_IDLE)
			continue;
		t = ledger_take(&c->ledger, w->id, w->fragment, loop_now(c->s.loop));
		if (t >= 0)
			send_task(w, (uint32_t)t);
	}
}

/* tell the batches that are complete, in order */
static void tell_batches(struct crew *c)
{
	while (!c->over && c->next_batch < c->ledger.n_batches && !c->ledger.open[c->next_batch]) {
		uint32_t b = c->next_batch++, *oids, n;

		if (hits_choose(&c->batches[b], &oids, &n) < 0) {
			broken(c, "out of memory");
			return;
		}
		hits_done(&c->batches[b]);
		c->n_candidates += n;
		c->s.batch(c->s.owner, b, c->searched[b] == 1, oids, n);
		free(oids);
	}
	if (!c->over && c->next_batch == c->ledger.n_batches) {
		c->over = true;
		c->s.over(c->s.owner);
	}
}

/* the loser of a race has nothing to do any more */
static void cancel_others(struct crew *c, uint32_t task)
{
	for (uint32_t i = 0; i < c->n_workers; i++)
		if (c->workers[i]->state == WORKER_BUSY && c->workers[i]->task == task)
			send_cancel(c->workers[i]);
}

/* most hits that a task can have, chunks of long queries included */
static uint64_t hits_limit(const struct crew *c, const struct task *t)
{
	const struct fasta_batch *b = &c->s.fasta->batches[t->batch];
	const struct fragment *f = &c->ledger.fragments[t->fragment];
	uint64_t n = 2 * (b->n + b->letters / (c->s.request->batch_letters / 2) + 2) *
		     (uint64_t)(f->last - f->first);

	return n < HITS_MAX ? n : HITS_MAX;
}

static void take_hits(struct worker *w, const Cmx__BlastHits *h)
{
	struct crew *c = w->of;

	if (w->state != WORKER_BUSY || h->task != w->task + 1)
		return; /* of a task that was cancelled */
	if (w->hits.n + h->n_query > hits_limit(c, &c->ledger.tasks[w->task])) {
		lose(w, "it sent more hits than there can be", true);
		return;
	}
	for (size_t i = 0; i < h->n_query; i++) {
		struct prelim_hit v = { h->query[i], h->oid[i], h->evalue[i], h->limit[i],
					h->chunk ? PRELIM_CHUNK : PRELIM_HIT };

		if (hits_add(&w->hits, &v) < 0) {
			broken(c, "out of memory");
			return;
		}
	}
}

static int check_done(struct worker *w, const Cmx__BlastDone *d, struct err *e)
{
	const struct task *t = &w->of->ledger.tasks[w->task];
	const struct fragment *f = &w->of->ledger.fragments[t->fragment];

	if (d->n_hits != w->hits.n)
		return err_set(e, -EPROTO, "it sent %zu hits and counted %u", w->hits.n, d->n_hits);
	if (!d->searches && d->n_hits)
		return err_set(e, -EPROTO, "it sent hits and says that it did not search");
	return hits_check(&w->hits, w->of->s.fasta->batches[t->batch].n, f->first, f->last, e);
}

static void take_done(struct worker *w, const Cmx__BlastDone *d)
{
	struct crew *c = w->of;
	struct crew_node *n = &c->nodes[w->node];
	uint32_t task = w->task;
	const struct task *t = &c->ledger.tasks[task];
	struct err e = { 0 };
	bool last;

	if (w->state != WORKER_BUSY || d->task != task + 1)
		return; /* of a task that was cancelled */
	if (check_done(w, d, &e) < 0) {
		n->n_refused++;
		lose(w, e.text, true);
		return;
	}
	if (c->searched[t->batch] >= 0 && c->searched[t->batch] != (int)d->searches) {
		/* it depends on the queries alone, so one of them lies; who is not to be known */
		broken(c, "nodes disagree about the queries");
		return;
	}

	w->state = WORKER_IDLE;
	if (ledger_answer(&c->ledger, task, loop_now(c->s.loop), &last)) {
		n->n_tasks++;
		n->strikes = 0;
		n->cpu_ms += d->cpu_ms;
		c->searched[t->batch] = (int8_t)d->searches;
		if (hits_append(&c->batches[t->batch], &w->hits) < 0) {
			broken(c, "out of memory");
			return;
		}
		cancel_others(c, task);
	}
	hits_done(&w->hits);
	tell_batches(c);
	give_work(c);
}

static void take_failed(struct worker *w, const Cmx__BlastFailed *f)
{
	struct crew *c = w->of;
	char why[BLAST_TEXT_MAX];
	uint32_t task = w->task;

	if (!f->task) {
		/* its own words; a refusal will not be another one in a second */
		(void)snprintf(why, sizeof(why), "%s", f->text);
		lose(w, why, true);
		return;
	}
	if (w->state != WORKER_BUSY || f->task != task + 1)
		return;
	w->state = WORKER_IDLE;
	w->hits.n = 0;
	(void)snprintf(why, sizeof(why), "BLAST+ failed there: %.200s", f->text);
	if (ledger_fail(&c->ledger, task, w->id) < 0)
		broken(c, why);
	else if (++w->n_failed > FAILURES_MAX)
		lose(w, why, true);
	else
		give_work(c);
}

/* -- files -------------------------------------------------------------------------------- */

static void send_file(struct worker *w)
{
	const struct database_file *f = &w->of->s.database->files[w->file];
	uint8_t *bytes = malloc(BLAST_CHUNK_MAX);

	while (bytes && w->file_fd >= 0 && link_queued(w->link) < LINK_QUEUE_LOW) {
		Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
		Cmx__BlastChunk b = CMX__BLAST_CHUNK__INIT;
		ssize_t n = pread(w->file_fd, bytes, BLAST_CHUNK_MAX, (off_t)w->offset);

		if (n <= 0 || w->offset + (uint64_t)n > f->size) {
			fd_close(&w->file_fd); /* all is sent, or the file changed: the digest tells
						*/
			break;
		}
		b.file = w->file;
		b.offset = w->offset;
		b.data.data = bytes;
		b.data.len = (size_t)n;
		m.body_case = CMX__BLAST_MESSAGE__BODY_CHUNK;
		m.chunk = &b;
		w->offset += (uint64_t)n;
		link_send(w->link, &m);
	}
	free(bytes);
}

static void take_need(struct worker *w, const Cmx__BlastNeed *n)
{
	const struct database *d = w->of->s.database;

	if (w->state != WORKER_HIRED || n->file >= d->n_files || w->file_fd >= 0) {
		lose(w, "it asked for a file that is none", true);
		return;
	}
	w->file = n->file;
	w->offset = 0;
	w->file_fd = open(d->files[n->file].path, O_RDONLY | O_CLOEXEC);
	if (w->file_fd < 0)
		broken(w->of, "a file of the database cannot be read any more");
	else
		send_file(w);
}

/* -- workers ------------------------------------------------------------------------------ */

static void on_message(void *owner, Cmx__BlastMessage *m)
{
	AUTO_MESSAGE Cmx__BlastMessage *mine = m;
	struct worker *w = owner;

	w->heard_ms = loop_now(w->of->s.loop);
	switch (mine->body_case) {
	case CMX__BLAST_MESSAGE__BODY_NEED:
		take_need(w, m->need);
		break;
	case CMX__BLAST_MESSAGE__BODY_READY:
		if (w->state != WORKER_HIRED)
			break;
		w->state = WORKER_IDLE;
		w->of->nodes[w->node].cached_bytes += m->ready->cached_bytes;
		w->of->nodes[w->node].fetched_bytes += m->ready->fetched_bytes;
		give_work(w->of);
		break;
	case CMX__BLAST_MESSAGE__BODY_HITS:
		take_hits(w, m->hits);
		break;
	case CMX__BLAST_MESSAGE__BODY_DONE:
		take_done(w, m->done);
		break;
	case CMX__BLAST_MESSAGE__BODY_FAILED:
		take_failed(w, m->failed);
		break;
	default: /* a beat; blast_msg_get() lets nothing else through from a worker */
		break;
	}
}

static void on_closed(void *owner, const char *why)
{
	char text[ERR_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%s", why); /* it may lie in what is freed now */
	lose(owner, text, false);
}

static void on_room(void *owner)
{
	struct worker *w = owner;

	if (w->file_fd >= 0)
		send_file(w);
}

static int hire(struct crew *c, uint32_t node, struct err *e)
{
	static const struct link_events events = { on_message, on_closed, on_room };
	struct source_stream stream = { .fd = -1 };
	struct worker *w = calloc(1, sizeof(*w));
	struct link_setup s = {
		.loop = c->s.loop, .peer = BLAST_FROM_WORKER, .events = &events, .owner = w
	};
	int r;

	if (!w)
		return err_set(e, -ENOMEM, "out of memory");
	r = c->source->ops->open(c->source, c->nodes[node].name, &stream, e);
	if (r < 0) {
		free(w);
		return r;
	}
	s.fd_in = s.fd_out = stream.fd;
	s.wait_ok = stream.wait_ok;
	r = link_new(&s, &w->link, e);
	if (r < 0) {
		fd_close(&stream.fd);
		free(w);
	} else {
		w->of = c;
		w->id = ++c->last_id;
		w->node = node;
		w->fragment = UINT32_MAX;
		w->file_fd = -1;
		w->heard_ms = loop_now(c->s.loop);
		c->workers[c->n_workers++] = w;
		c->nodes[node].workers++;
		if (stream.hello.len)
			link_send_raw(w->link, buf_bytes(&stream.hello), stream.hello.len);
		link_send_raw(w->link, buf_bytes(&c->setup), c->setup.len);
	}
	buf_done(&stream.hello);
	return r;
}

static void hire_all(struct crew *c)
{
	uint64_t now = loop_now(c->s.loop);
	struct err e = { 0 };

	if (!c->settled || c->over)
		return;
	for (uint32_t i = 0; i < c->n_nodes; i++) {
		struct crew_node *n = &c->nodes[i];

		while (usable(n) && n->workers < n->slots && now >= n->retry_ms &&
		       c->n_workers < WORKERS_MAX) {
			if (!hire(c, i, &e))
				continue;
			strike(c, n, e.text);
			break;
		}
	}
}

/* -- nodes -------------------------------------------------------------------------------- */

static bool hope(const struct crew *c)
{
	for (uint32_t i = 0; i < c->n_nodes; i++)
		if (usable(&c->nodes[i]))
			return true;
	return false;
}

static void check_alone(struct crew *c, uint64_t now)
{
	char why[ERR_TEXT_MAX] = "no worker is left";

	if (c->n_workers) {
		c->alone_since_ms = now;
		return;
	}
	for (uint32_t i = 0; i < c->n_nodes; i++)
		if (c->nodes[i].last_error[0])
			(void)snprintf(why, sizeof(why), "no worker is left; %s said: %.300s",
				       c->nodes[i].name, c->nodes[i].last_error);
	if (!c->n_nodes)
		broken(c, "no node can be reached");
	else if (!hope(c) || now - c->alone_since_ms >= CREW_ALONE_MS)
		broken(c, why);
}

static void on_tick(void *owner)
{
	struct crew *c = owner;
	uint64_t now = loop_now(c->s.loop);

	for (uint32_t i = 0; i < c->n_workers;)
		if (now - c->workers[i]->heard_ms >= CREW_SILENCE_MS)
			lose(c->workers[i], "no sign of life for 10 s", false);
		else
			i++;
	hire_all(c);
	if (c->settled && !c->over)
		check_alone(c, now);
	if (!c->over) {
		give_work(c);
		if (loop_add_timer(c->s.loop, now + TICK_MS, on_tick, c, &c->tick) < 0)
			broken(c, "no timer is to be had");
	}
}

static void on_node(void *owner, const char *name, uint32_t slots)
{
	struct crew *c = owner;
	struct crew_node *v;

	if (c->s.request->per_node && slots > c->s.request->per_node)
		slots = c->s.request->per_node;
	for (uint32_t i = 0; i < c->n_nodes; i++)
		if (!strcmp(c->nodes[i].name, name)) {
			c->nodes[i].slots = slots;
			if (c->nodes[i].gone)
				c->nodes[i].strikes = 0;
			c->nodes[i].gone = false;
			hire_all(c);
			return;
		}
	if (c->n_nodes == NODES_MAX)
		return;
	v = realloc(c->nodes, (c->n_nodes + 1) * sizeof(*v));
	if (!v)
		return; /* the others will do */
	c->nodes = v;
	v[c->n_nodes] = (struct crew_node){ .slots = slots };
	(void)snprintf(v[c->n_nodes++].name, SOURCE_NAME_MAX, "%s", name);
	hire_all(c);
}

static void on_lost(void *owner, const char *name, const char *why)
{
	struct crew *c = owner;

	for (uint32_t i = 0; i < c->n_nodes; i++) {
		if (strcmp(c->nodes[i].name, name) != 0 || c->nodes[i].gone)
			continue;
		for (uint32_t k = 0; k < c->n_workers;)
			if (c->workers[k]->node == i)
				lose(c->workers[k], why, false);
			else
				k++;
		c->nodes[i].gone = true;
	}
}

static void plan(struct crew *c)
{
	struct ledger_size size = { .n_batches = c->s.fasta->n_batches,
				    .n_seqs = c->s.database->n_seqs,
				    .db_letters = c->s.database->letters };

	for (uint32_t i = 0; i < c->s.fasta->n_batches; i++)
		size.query_letters += c->s.fasta->batches[i].letters;
	for (uint32_t i = 0; i < c->n_nodes; i++)
		size.slots += c->nodes[i].slots;
	if (ledger_init(&c->ledger, &size) < 0) {
		broken(c, "the search has too many parts");
		return;
	}
	c->planned = true;
}

static void on_settled(void *owner)
{
	struct crew *c = owner;

	c->settled = true;
	c->alone_since_ms = loop_now(c->s.loop);
	if (!c->n_nodes)
		broken(c, "no node can be reached");
	else
		plan(c);
	hire_all(c);
}

const struct source_events *crew_events(void)
{
	static const struct source_events events = { on_node, on_lost, on_settled };

	return &events;
}

/* -- beginning and end -------------------------------------------------------------------- */

static int make_setup(struct crew *c, struct err *e)
{
	const struct database *d = c->s.database;
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
	Cmx__BlastSetup b = CMX__BLAST_SETUP__INIT;
	AUTO_FREE Cmx__BlastFile *files = calloc(d->n_files, sizeof(*files));
	AUTO_FREE Cmx__BlastFile **list = calloc(d->n_files, sizeof(*list));
	const char *engine[PRELIM_PARTS];
	int r;

	if (!files || !list)
		return err_set(e, -ENOMEM, "out of memory");
	/* protobuf-c has no const; a message that is packed is only read */
	for (size_t i = 0; i < d->n_files; i++) {
		cmx__blast_file__init(&files[i]);
		files[i].name = (char *)(uintptr_t)database_file_name(&d->files[i]);
		files[i].size = d->files[i].size;
		files[i].sha256.data = (uint8_t *)(uintptr_t)d->files[i].sha256;
		files[i].sha256.len = DIGEST_LEN;
		list[i] = &files[i];
	}
	for (int i = 0; i < PRELIM_PARTS; i++)
		engine[i] = c->s.engine->ids[i];
	b.version = BLAST_VERSION;
	b.program = (char *)(uintptr_t)c->s.request->program;
	b.n_engine = PRELIM_PARTS;
	b.engine = (char **)(uintptr_t)engine;
	b.n_args = c->s.request->search.n;
	b.args = (char **)(uintptr_t)c->s.request->search.words;
	b.unlimited = c->s.request->unlimited;
	b.n_files = d->n_files;
	b.files = list;
	b.n_volumes = d->n_volumes;
	b.volumes = d->volumes;
	b.n_seqs = d->n_seqs;
	b.letters = d->letters;
	b.title = (char *)(uintptr_t)d->title;
	m.body_case = CMX__BLAST_MESSAGE__BODY_SETUP;
	m.setup = &b;
	r = blast_msg_put(&c->setup, &m);
	return r < 0 ? err_set(e, r, "the description of the database is too long") : 0;
}

int crew_new(const struct crew_setup *s, struct crew **ret, struct err *e)
{
	struct crew *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->s = *s;
	buf_init(&c->setup, FRAME_HEADER + FRAME_PAYLOAD_MAX);
	c->workers = calloc(WORKERS_MAX, sizeof(*c->workers));
	c->batches = calloc(s->fasta->n_batches, sizeof(*c->batches));
	c->searched = malloc(s->fasta->n_batches);
	r = c->workers && c->batches && c->searched ? 0 : err_set(e, -ENOMEM, "out of memory");
	if (!r) {
		memset(c->searched, -1, s->fasta->n_batches);
		r = make_setup(c, e);
	}
	if (!r)
		r = loop_add_timer(s->loop, loop_now(s->loop) + TICK_MS, on_tick, c, &c->tick);
	if (r < 0) {
		crew_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void crew_use(struct crew *c, struct source *source)
{
	c->source = source;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	c->over = true;
	loop_remove(c->s.loop, &c->tick);
	for (uint32_t i = 0; i < c->n_workers; i++)
		worker_free(c->workers[i]);
	for (uint32_t i = 0; c->batches && i < c->s.fasta->n_batches; i++)
		hits_done(&c->batches[i]);
	ledger_done(&c->ledger);
	buf_done(&c->setup);
	free(c->batches);
	free(c->searched);
	free(c->workers);
	free(c->nodes);
	free(c);
}

void crew_state(const struct crew *c, struct crew_state *ret)
{
	*ret = (struct crew_state){ .nodes = c->nodes,
				    .n_nodes = c->n_nodes,
				    .n_workers = c->n_workers,
				    .ledger = c->planned ? &c->ledger : NULL,
				    .n_candidates = c->n_candidates };
	for (uint32_t i = 0; i < c->n_nodes; i++)
		ret->n_used += c->nodes[i].n_tasks > 0;
	if (c->planned)
		ret->left_ms = ledger_left_ms(&c->ledger, c->n_workers);
}
