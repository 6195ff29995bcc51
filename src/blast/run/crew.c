/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crew.c - the workers of a search: hire them as nodes come, give them tasks, check their answers
 *
 * Theory of operation. A node has places; on each place a worker is hired while there is work. A
 * worker is lost when its stream ends, when it says nothing for CREW_SILENCE_MS, when its node
 * goes, or when it is caught lying: then its node is barred as well. What it was doing waits again
 * in the ledger. A node whose workers are lost is tried again after a while, a few times.
 *
 * Hits of a task are kept with the worker until Done, then checked (core/hits.h) and given to the
 * answers (core/answers.h), which have some of the desktops' computed again. So nothing of a lost,
 * late or caught worker is ever used: if hits of a liar are in the report already, the search and
 * the report begin again without it.
 *
 * Workers come from two hands. CREW_WORK are those that search. CREW_CHECKS are processes of this
 * machine, started only when checks are due that no idle server takes; so there is always somebody
 * who can be trusted, also in a cluster of desktops alone.
 *
 *	HIRED --Setup--> (Need, Chunk ...) --Ready--> IDLE <--Task/Done--> BUSY
 */
#include "blast/run/crew.h"

#include <errno.h>

#include "blast/run/link.h"
#include "blast/run/serve.h"
#include "blast/run/setup.h"
#include "os/fd.h"
#include "os/machine_log.h"
#include "os/rand.h"

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
	uint32_t ticket;	 /* BUSY: what the two call that task; never used again */
	uint32_t n_failed;	 /* tasks it could not do */
	struct hits hits;	 /* of its task */
	struct serve serve;	 /* of files that it lacks */
};

struct hand {
	struct crew *of;
	struct source *source; /* the caller's; NULL: there is none */
};

struct crew {
	struct crew_setup s;
	struct hand hands[CREW_HANDS];
	struct ledger ledger;
	struct answers answers;
	bool planned, settled, over;
	struct crew_node *nodes; /* owned */
	uint32_t n_nodes;
	struct worker **workers; /* owned */
	uint32_t n_workers, last_id, last_ticket;
	struct buf setup; /* the setup message, as a frame */
	struct ev_ref tick;
	uint64_t alone_since_ms[CREW_HANDS];
	uint64_t n_candidates;
	struct crew_checks before; /* of what was begun again */
};

static void give_work(struct crew *c);
static void hire_all(struct crew *c);

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
	serve_done(&w->serve);
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
	if (!c->over && !n->gone && !n->lied)
		say(c, w, why);
	n->workers--;
	n->n_lost++;
	n->barred = n->barred || bar;
	strike(c, n, why);
	if (c->planned)
		answers_lose(&c->answers, w->id);
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
	b.task = w->ticket = ++c->last_ticket;
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

	b.task = w->ticket;
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
		t = answers_take(&c->answers, w->id, w->node, w->fragment, loop_now(c->s.loop));
		if (t >= 0)
			send_task(w, (uint32_t)t);
	}
}

/* tell the batches that are complete and believed, in order */
static void tell_batches(struct crew *c)
{
	uint32_t *oids, n, batch = c->answers.n_told;
	bool searched;
	int r = 0;

	while (!c->over && (r = answers_tell(&c->answers, &searched, &oids, &n)) == 1) {
		c->n_candidates += n;
		c->s.batch(c->s.owner, batch++, searched, oids, n);
		free(oids);
	}
	if (r < 0) {
		broken(c, "out of memory");
	} else if (!c->over && batch == c->ledger.n_batches) {
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

/* for the user and, as the operator should know, for the system's log */
static void tell_liar(const struct crew *c, uint32_t node)
{
	const struct answers_node *k = &c->answers.nodes[node];
	const struct task *t = &c->ledger.tasks[k->caught_task];
	const struct fragment *f = &c->ledger.fragments[t->fragment];
	const struct fasta_batch *b = &c->s.fasta->batches[t->batch];
	const char *name = c->nodes[node].name;
	bool accused = k->caught_by == ANSWERS_NOBODY;
	char text[ERR_TEXT_MAX];

	(void)snprintf(text, sizeof(text),
		       "%s gave a false answer for queries %u to %u and sequences %u to %u%s%s; it "
		       "is barred from this search, and %u of its answers are computed again",
		       name, b->first + 1, b->first + b->n, f->first + 1, f->last,
		       accused ? "" : ": not what was computed on ",
		       accused ? "" : c->nodes[k->caught_by].name, k->n_dropped);
	(void)fprintf(stderr,
		      "mpiblast: %s. Its memory may be bad, or somebody may have changed it: the "
		      "operator can expel it by 'comosix node revoke %s'\n",
		      text, name);
	machine_log_warn("mpiblast", text);
}

static void plan(struct crew *c);

/* hits of a liar are in the report: all of it is to be done again, without the liar */
static void begin_again(struct crew *c)
{
	struct crew_checks *n = &c->before;

	(void)fprintf(stderr, "mpiblast: answers of that node may be in the report already: the "
			      "search begins again without it\n");
	n->n_checked += c->answers.n_checked;
	n->n_false += c->answers.n_false;
	n->n_dropped += c->answers.n_dropped;
	n->n_again++;
	for (uint32_t i = 0; i < c->n_workers; i++)
		if (c->workers[i]->state == WORKER_BUSY)
			send_cancel(c->workers[i]);
	c->planned = false;
	answers_done(&c->answers);
	ledger_done(&c->ledger);
	c->n_candidates = 0;
	c->s.again(c->s.owner);
	plan(c);
}

/* may free any worker */
static void bar_liars(struct crew *c)
{
	uint32_t node;

	while ((node = answers_liar(&c->answers)) != ANSWERS_NOBODY) {
		c->nodes[node].barred = c->nodes[node].lied = true;
		tell_liar(c, node);
		for (uint32_t i = 0; i < c->n_workers;)
			if (c->workers[i]->node == node)
				lose(c->workers[i], "it gave a false answer", true);
			else
				i++;
	}
	if (c->answers.tainted && !c->over)
		begin_again(c);
}

/* what it sent for its task cannot be an answer; it is gone afterwards */
static void accuse(struct worker *w, const char *why)
{
	struct crew *c = w->of;

	c->nodes[w->node].n_refused++;
	answers_accuse(&c->answers, w->node, w->task);
	lose(w, why, true);
	bar_liars(c);
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

	if (w->state != WORKER_BUSY || h->task != w->ticket)
		return; /* of a task that was cancelled */
	if (w->hits.n + h->n_query > hits_limit(c, &c->ledger.tasks[w->task])) {
		accuse(w, "it sent more hits than there can be");
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

static void take_done(struct worker *w, const Cmx__BlastDone *d)
{
	struct crew *c = w->of;
	struct crew_node *n = &c->nodes[w->node];
	struct answer v = { w->id,     w->node, w->task, &w->hits, d->searches, loop_now(c->s.loop),
			    rand_u64() };
	enum answer_use use;
	struct err e = { 0 };
	int r;

	if (w->state != WORKER_BUSY || d->task != w->ticket)
		return; /* of a task that was cancelled */
	if (check_done(w, d, &e) < 0) {
		accuse(w, e.text);
		return;
	}

	w->state = WORKER_IDLE;
	r = answers_put(&c->answers, &v, &use);
	if (r < 0) {
		broken(c, r == -EPROTO ? "nodes that are trusted disagree about the queries"
				       : "out of memory");
		return;
	}
	n->strikes = 0;
	n->n_tasks += use == ANSWER_KEPT;
	n->n_checks += use == ANSWER_CHECK;
	n->cpu_ms += use == ANSWER_LATE ? 0 : d->cpu_ms;
	if (use == ANSWER_KEPT)
		cancel_others(c, v.task);
	hits_done(&w->hits);
	bar_liars(c); /* w may be gone */
	if (c->over)
		return;
	tell_batches(c);
	give_work(c);
	hire_all(c);
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
	if (w->state != WORKER_BUSY || f->task != w->ticket)
		return;
	w->state = WORKER_IDLE;
	w->hits.n = 0;
	(void)snprintf(why, sizeof(why), "BLAST+ failed there: %.200s", f->text);
	if (answers_fail(&c->answers, task, w->id) < 0)
		broken(c, why);
	else if (++w->n_failed > FAILURES_MAX)
		lose(w, why, true);
	else
		give_work(c);
}

/* -- workers ------------------------------------------------------------------------------ */

static void take_need(struct worker *w, const Cmx__BlastNeed *n)
{
	int r = w->state == WORKER_HIRED ? serve_start(&w->serve, w->link, n->file) : -EPROTO;

	if (r == -EPROTO)
		lose(w, "it asked for a file that is none", true);
	else if (r < 0)
		broken(w->of, "a file of the database cannot be read any more");
}

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

	serve_room(&w->serve, w->link);
}

static int hire(struct crew *c, uint32_t node, struct err *e)
{
	static const struct link_events events = { on_message, on_closed, on_room };
	struct source_stream stream = { .fd = -1 };
	struct worker *w = calloc(1, sizeof(*w));
	struct source *source;
	struct link_setup s = {
		.loop = c->s.loop, .peer = BLAST_FROM_WORKER, .events = &events, .owner = w
	};
	int r;

	if (!w)
		return err_set(e, -ENOMEM, "out of memory");
	source = c->hands[c->nodes[node].hand].source;
	r = source->ops->open(source, c->nodes[node].name, &stream, e);
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
		serve_init(&w->serve, c->s.database);
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

/* workers that have nothing to do, or soon will have */
static uint32_t n_free(const struct crew *c, enum crew_hand hand)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_workers; i++)
		n += c->nodes[c->workers[i]->node].hand == hand &&
		     c->workers[i]->state != WORKER_BUSY;
	return n;
}

static bool wanted(const struct crew *c, const struct crew_node *n)
{
	return n->hand == CREW_WORK || (c->planned && n_free(c, n->hand) < c->answers.n_due);
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
		       c->n_workers < WORKERS_MAX && wanted(c, n)) {
			if (!hire(c, i, &e))
				continue;
			strike(c, n, e.text);
			break;
		}
	}
}

/* -- nodes -------------------------------------------------------------------------------- */

/* who could do what is to be done: search, or check */
static bool can(const struct crew_node *n, enum crew_hand what)
{
	return what == CREW_WORK ? n->hand == CREW_WORK : n->trust != TRUST_NONE;
}

static bool hope(const struct crew *c, enum crew_hand what)
{
	for (uint32_t i = 0; i < c->n_nodes; i++)
		if (can(&c->nodes[i], what) && usable(&c->nodes[i]))
			return true;
	return false;
}

static bool has_worker(const struct crew *c, enum crew_hand what)
{
	for (uint32_t i = 0; i < c->n_workers; i++)
		if (can(&c->nodes[c->workers[i]->node], what))
			return true;
	return false;
}

static void check_alone(struct crew *c, uint64_t now, enum crew_hand what)
{
	const char *nobody = what == CREW_WORK
				     ? "no worker is left"
				     : "no head or server can check what desktops answered";
	char why[ERR_TEXT_MAX];

	if (has_worker(c, what) || (what == CREW_CHECKS && !c->answers.n_due)) {
		c->alone_since_ms[what] = now;
		return;
	}
	(void)snprintf(why, sizeof(why), "%s", nobody);
	for (uint32_t i = 0; i < c->n_nodes; i++)
		if (can(&c->nodes[i], what) && c->nodes[i].last_error[0])
			(void)snprintf(why, sizeof(why), "%s; %s said: %.300s", nobody,
				       c->nodes[i].name, c->nodes[i].last_error);
	if (!hope(c, what) || now - c->alone_since_ms[what] >= CREW_ALONE_MS)
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
	for (int what = 0; what < CREW_HANDS && c->settled && !c->over; what++)
		check_alone(c, now, what);
	if (!c->over) {
		give_work(c);
		if (loop_add_timer(c->s.loop, now + TICK_MS, on_tick, c, &c->tick) < 0)
			broken(c, "no timer is to be had");
	}
}

static enum trust trust_in(const struct hand *h, bool trusted)
{
	if (!trusted)
		return TRUST_NONE;
	return h == &h->of->hands[CREW_CHECKS] ? TRUST_CHECKS : TRUST_FULL;
}

static void on_node(void *owner, const char *name, uint32_t slots, bool trusted)
{
	struct hand *h = owner;
	struct crew *c = h->of;
	enum trust trust = trust_in(h, trusted);
	enum crew_hand hand = (enum crew_hand)(h - c->hands);
	struct crew_node *v;

	if (c->s.request->per_node && slots > c->s.request->per_node)
		slots = c->s.request->per_node;
	for (uint32_t i = 0; i < c->n_nodes; i++)
		if (c->nodes[i].hand == hand && !strcmp(c->nodes[i].name, name)) {
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
	if (c->planned && answers_know(&c->answers, c->n_nodes, trust) < 0)
		return;
	v[c->n_nodes] = (struct crew_node){ .slots = slots, .trust = trust, .hand = hand };
	(void)snprintf(v[c->n_nodes++].name, SOURCE_NAME_MAX, "%s", name);
	hire_all(c);
}

static void on_lost(void *owner, const char *name, const char *why)
{
	struct hand *h = owner;
	struct crew *c = h->of;

	for (uint32_t i = 0; i < c->n_nodes; i++) {
		if (&c->hands[c->nodes[i].hand] != h || strcmp(c->nodes[i].name, name) != 0 ||
		    c->nodes[i].gone)
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
	int r;

	for (uint32_t i = 0; i < c->s.fasta->n_batches; i++)
		size.query_letters += c->s.fasta->batches[i].letters;
	for (uint32_t i = 0; i < c->n_nodes; i++)
		size.slots += usable(&c->nodes[i]) && c->nodes[i].hand == CREW_WORK
				      ? c->nodes[i].slots
				      : 0;
	if (ledger_init(&c->ledger, &size) < 0) {
		broken(c, "the search has too many parts");
		return;
	}
	r = answers_init(&c->answers, &c->ledger, c->s.request->recheck_percent);
	for (uint32_t i = 0; !r && i < c->n_nodes; i++)
		r = answers_know(&c->answers, i, c->nodes[i].trust);
	if (r < 0)
		broken(c, "out of memory");
	c->planned = !r;
}

static void on_settled(void *owner)
{
	struct hand *h = owner;
	struct crew *c = h->of;
	uint64_t now = loop_now(c->s.loop);

	if (h == &c->hands[CREW_CHECKS])
		return; /* nobody waits for these */
	c->settled = true;
	c->alone_since_ms[CREW_WORK] = c->alone_since_ms[CREW_CHECKS] = now;
	if (!hope(c, CREW_WORK))
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

int crew_new(const struct crew_setup *s, struct crew **ret, struct err *e)
{
	struct crew *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	c->s = *s;
	buf_init(&c->setup, FRAME_HEADER + FRAME_PAYLOAD_MAX);
	c->workers = calloc(WORKERS_MAX, sizeof(*c->workers));
	for (int i = 0; i < CREW_HANDS; i++)
		c->hands[i].of = c;
	r = c->workers ? setup_put(&c->setup, s->request, s->database, s->engine, e)
		       : err_set(e, -ENOMEM, "out of memory");
	if (!r)
		r = loop_add_timer(s->loop, loop_now(s->loop) + TICK_MS, on_tick, c, &c->tick);
	if (r < 0) {
		crew_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void *crew_owner(struct crew *c, enum crew_hand hand)
{
	return &c->hands[hand];
}

void crew_use(struct crew *c, enum crew_hand hand, struct source *source)
{
	c->hands[hand].source = source;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	c->over = true;
	loop_remove(c->s.loop, &c->tick);
	for (uint32_t i = 0; i < c->n_workers; i++)
		worker_free(c->workers[i]);
	answers_done(&c->answers);
	ledger_done(&c->ledger);
	buf_done(&c->setup);
	free(c->workers);
	free(c->nodes);
	free(c);
}

void crew_state(const struct crew *c, struct crew_state *ret)
{
	*ret = (struct crew_state){ .nodes = c->nodes,
				    .n_nodes = c->n_nodes,
				    .checks = c->before,
				    .ledger = c->planned ? &c->ledger : NULL,
				    .n_candidates = c->n_candidates };
	for (uint32_t i = 0; i < c->n_nodes; i++) {
		ret->n_used += c->nodes[i].n_tasks > 0;
		ret->n_checking += i < c->answers.n_nodes ? c->answers.nodes[i].n_open : 0;
		ret->n_workers += c->nodes[i].hand == CREW_WORK ? c->nodes[i].workers : 0;
	}
	ret->checks.n_checked += c->answers.n_checked;
	ret->checks.n_false += c->answers.n_false;
	ret->checks.n_dropped += c->answers.n_dropped;
	if (c->planned)
		ret->left_ms = ledger_left_ms(&c->ledger, ret->n_workers);
}
