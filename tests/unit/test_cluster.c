/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_cluster.c - the rules of src/cluster, one at a time
 *
 * One real node among peers that the test speaks for. What it sends is kept; time is a number.
 * How many nodes behave together is tested by tests/sim.
 */
#include <errno.h>

#include "test.h"

#include "base/rng.h"
#include "cluster/cluster.h"
#include "cluster/member.h"

enum id {
	SELF = 1,
	SERVER = 2,
	SERVER_B = 3,
	DESKTOP = 4,
	DESKTOP_B = 5,
	STRANGER = 99,
};

#define SENT_MAX 4096

static struct node {
	struct cluster *c;
	uint64_t now_ms;
	struct sent {
		uint32_t to;
		struct gossip_msg m;
	} * sent; /* newest SENT_MAX */
	uint32_t n_sent;
	uint64_t bytes;
	struct cluster_change last;
	uint32_t n_changes, unlisted;
} n;

static void on_send(void *ctx, uint32_t to, const struct gossip_msg *m)
{
	struct buf b;

	buf_init(&b, GOSSIP_BYTES_MAX);
	assert_int_equal(gossip_encode(m, &b, NULL), 0);
	n.bytes += b.len + 68;
	buf_done(&b);
	n.sent[n.n_sent++ % SENT_MAX] = (struct sent){ to, *m };
}

static void on_changed(void *ctx, const struct cluster_change *ch)
{
	n.last = *ch;
	n.n_changes++;
}

static void on_unlisted(void *ctx, uint32_t id)
{
	n.unlisted = id;
}

static const struct cluster_ops ops = {
	.send = on_send,
	.changed = on_changed,
	.unlisted = on_unlisted,
};

static void start(enum cluster_role role)
{
	static const struct cluster_peer peers[] = {
		{ .id = SERVER, .name = "s2", .role = CLUSTER_SERVER },
		{ .id = SERVER_B, .name = "s3", .role = CLUSTER_SERVER },
		{ .id = DESKTOP, .name = "d4", .role = CLUSTER_DESKTOP },
		{ .id = DESKTOP_B, .name = "d5", .role = CLUSTER_DESKTOP },
	};
	struct cluster_config cfg = { .id = SELF, .name = "self", .role = role, .seed = 1 };
	struct load l = { .run_centi = 50, .free_16mib = 64, .flags = LOAD_ACCEPTS };

	n = (struct node){ .now_ms = 1000000, .sent = calloc(SENT_MAX, sizeof(struct sent)) };
	cluster_tune_default(&cfg.tune);
	cfg.tune.members_max = 40;
	assert_int_equal(cluster_new(&cfg, &ops, NULL, n.now_ms, &n.c, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		assert_int_equal(cluster_peer_added(n.c, n.now_ms, &peers[i], NULL), 0);
	cluster_set_load(n.c, n.now_ms, &l);
}

static void stop(void)
{
	cluster_free(n.c);
	free(n.sent);
}

/* lets time pass as a driver does */
static void pass(uint64_t ms)
{
	uint64_t until = n.now_ms + ms;

	while (cluster_deadline(n.c) < until) {
		if (cluster_deadline(n.c) > n.now_ms)
			n.now_ms = cluster_deadline(n.c);
		cluster_tick(n.c, n.now_ms);
	}
	n.now_ms = until;
	cluster_tick(n.c, n.now_ms);
}

static struct gossip_entry entry(uint32_t id, uint32_t incarnation, uint32_t seq,
				 enum gossip_state state)
{
	return (struct gossip_entry){
		.id = id,
		.incarnation = incarnation,
		.seq = seq,
		.state = (uint8_t)state,
		.load = { .run_centi = 100, .free_16mib = 64, .flags = LOAD_ACCEPTS },
		.has_profile = true,
		.profile = { .cpus = 4, .speed = 1000, .mem_16mib = 128 },
	};
}

static void hear(uint32_t from, struct gossip_entry e)
{
	struct gossip_msg m = { .kind = GOSSIP_WORD, .n_entries = 1, .entries = { e } };

	cluster_receive(n.c, n.now_ms, from, &m);
}

static void say(uint32_t from, enum gossip_kind kind, uint32_t number, uint32_t subject)
{
	struct gossip_msg m = { .kind = (uint8_t)kind, .number = number, .subject = subject };

	cluster_receive(n.c, n.now_ms, from, &m);
}

static struct cluster_view view(uint32_t id)
{
	struct cluster_view v;

	assert_int_equal(cluster_view_id(n.c, n.now_ms, id, &v), 0);
	return v;
}

static struct cluster_stats stats(void)
{
	struct cluster_stats st;

	cluster_stats(n.c, &st);
	return st;
}

/* the newest message to that id, of that kind, since the mark; NULL: none */
static const struct gossip_msg *sent_since(uint32_t mark, uint32_t to, enum gossip_kind kind)
{
	for (uint32_t i = n.n_sent; i > mark && n.n_sent - i < SENT_MAX; i--) {
		const struct sent *s = &n.sent[(i - 1) % SENT_MAX];

		if (s->to == to && s->m.kind == kind)
			return &s->m;
	}
	return NULL;
}

static const struct gossip_entry *entry_in(const struct gossip_msg *m, uint32_t id)
{
	for (uint32_t i = 0; m && i < m->n_entries; i++)
		if (m->entries[i].id == id)
			return &m->entries[i];
	return NULL;
}

/* ---- what wins ---- */

/* heard one after the other from SERVER, about DESKTOP */
static void order_of_words(void **state)
{
	static const struct {
		const char *what;
		struct {
			uint32_t incarnation, seq;
			enum gossip_state state;
		} first, second;
		enum cluster_state want;
		uint32_t want_incarnation, want_seq;
	} rows[] = {
		{ "newer sample", { 1, 5, 0 }, { 1, 6, 0 }, CLUSTER_ALIVE, 1, 6 },
		{ "older sample", { 1, 5, 0 }, { 1, 4, 0 }, CLUSTER_ALIVE, 1, 5 },
		{ "suspicion at the same", { 1, 5, 0 }, { 1, 5, 1 }, CLUSTER_SUSPECT, 1, 5 },
		{ "suspicion of an older", { 1, 5, 0 }, { 1, 4, 1 }, CLUSTER_ALIVE, 1, 5 },
		{ "newer refutes", { 1, 5, 1 }, { 1, 6, 0 }, CLUSTER_ALIVE, 1, 6 },
		{ "same does not refute", { 1, 5, 1 }, { 1, 5, 0 }, CLUSTER_SUSPECT, 1, 5 },
		{ "death", { 1, 5, 0 }, { 1, 5, 2 }, CLUSTER_DEAD, 1, 5 },
		{ "death of an older, fresh word", { 1, 5, 0 }, { 1, 4, 2 }, CLUSTER_ALIVE, 1, 5 },
		{ "the dead stay dead", { 1, 5, 2 }, { 1, 9, 0 }, CLUSTER_DEAD, 1, 5 },
		{ "a new life", { 1, 5, 2 }, { 2, 0, 0 }, CLUSTER_ALIVE, 2, 0 },
		{ "an old life", { 2, 5, 0 }, { 1, 9, 2 }, CLUSTER_ALIVE, 2, 5 },
		{ "leaving", { 1, 5, 0 }, { 1, 5, 3 }, CLUSTER_LEFT, 1, 5 },
		{ "left, not dead", { 1, 5, 2 }, { 1, 5, 3 }, CLUSTER_LEFT, 1, 5 },
		{ "left stays left", { 1, 5, 3 }, { 1, 9, 0 }, CLUSTER_LEFT, 1, 5 },
		{ "back after leaving", { 1, 5, 3 }, { 2, 1, 0 }, CLUSTER_ALIVE, 2, 1 },
		{ "suspect in a new life", { 1, 5, 3 }, { 2, 1, 1 }, CLUSTER_SUSPECT, 2, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cluster_view v;

		start(CLUSTER_HEAD);
		hear(SERVER, entry(DESKTOP, rows[i].first.incarnation, rows[i].first.seq,
				   rows[i].first.state));
		hear(SERVER, entry(DESKTOP, rows[i].second.incarnation, rows[i].second.seq,
				   rows[i].second.state));
		v = view(DESKTOP);
		if (v.state != rows[i].want)
			print_error("%s\n", rows[i].what);
		assert_int_equal(v.state, rows[i].want);
		assert_int_equal(v.incarnation, rows[i].want_incarnation);
		assert_int_equal(v.seq, rows[i].want_seq);
		stop();
	}
}

/* an old word does not save from a sentence */
static void silence_makes_a_sentence_credible(void **state)
{
	struct gossip_entry old = entry(DESKTOP, 1, 50, GOSSIP_ALIVE);

	start(CLUSTER_HEAD);
	hear(DESKTOP, entry(DESKTOP, 1, 10, GOSSIP_ALIVE));
	pass(6000);
	old.age_ms = 5500;
	hear(SERVER, old);
	hear(SERVER, entry(DESKTOP, 1, 40, GOSSIP_DEAD));
	assert_int_equal(view(DESKTOP).state, CLUSTER_DEAD);
	assert_int_equal(view(DESKTOP).seq, 50);
	stop();
}

static void age_of_a_relayed_word_counts(void **state)
{
	struct gossip_entry e = entry(DESKTOP, 1, 5, GOSSIP_ALIVE);

	start(CLUSTER_HEAD);
	e.age_ms = 700;
	hear(SERVER, e);
	assert_true(view(DESKTOP).load_age_ms == 700);
	pass(100);
	assert_true(view(DESKTOP).load_age_ms == 800);
	stop();
}

/* ---- who may say what ---- */

static void a_desktop_speaks_of_itself_only(void **state)
{
	static const enum gossip_state states[] = { GOSSIP_ALIVE, GOSSIP_SUSPECT, GOSSIP_DEAD,
						    GOSSIP_LEFT };

	start(CLUSTER_HEAD);
	hear(SERVER, entry(SERVER, 1, 5, GOSSIP_ALIVE));
	hear(DESKTOP_B, entry(DESKTOP_B, 1, 5, GOSSIP_ALIVE));
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		hear(DESKTOP, entry(SELF, 7, 9, states[i]));
		hear(DESKTOP, entry(SERVER, 7, 9, states[i]));
		hear(DESKTOP, entry(DESKTOP_B, 7, 9, states[i]));
		hear(DESKTOP, entry(STRANGER, 7, 9, states[i]));
	}
	assert_int_equal(stats().dropped_foreign, 16);
	assert_int_equal(view(SELF).incarnation, 1);
	assert_int_equal(view(SERVER).state, CLUSTER_ALIVE);
	assert_int_equal(view(SERVER).incarnation, 1);
	assert_int_equal(view(DESKTOP_B).state, CLUSTER_ALIVE);
	assert_int_equal(cluster_view_id(n.c, n.now_ms, STRANGER, &(struct cluster_view){ 0 }),
			 -ENOENT);
	/* not even that it is dead itself */
	hear(DESKTOP, entry(DESKTOP, 1, 9, GOSSIP_DEAD));
	hear(DESKTOP, entry(DESKTOP, 1, 9, GOSSIP_SUSPECT));
	assert_int_equal(view(DESKTOP).state, CLUSTER_UNHEARD);
	hear(DESKTOP, entry(DESKTOP, 1, 9, GOSSIP_ALIVE));
	hear(DESKTOP, entry(DESKTOP, 1, 9, GOSSIP_LEFT));
	assert_int_equal(view(DESKTOP).state, CLUSTER_LEFT);
	stop();
}

static void a_desktop_as_witness_is_not_counted(void **state)
{
	struct gossip_entry e = entry(DESKTOP_B, 1, 5, GOSSIP_SUSPECT);

	start(CLUSTER_HEAD);
	hear(DESKTOP_B, entry(DESKTOP_B, 1, 5, GOSSIP_ALIVE));
	e.witness = true;
	hear(DESKTOP, e);
	pass(100);
	assert_int_equal(view(DESKTOP_B).state, CLUSTER_ALIVE);
	assert_int_equal(stats().probes, 0);
	stop();
}

static void only_core_may_send_us_on_errands(void **state)
{
	uint32_t mark;

	start(CLUSTER_HEAD);
	pass(100);
	mark = n.n_sent;
	say(DESKTOP, GOSSIP_PING_REQ, 7, DESKTOP_B);
	assert_null(sent_since(mark, DESKTOP_B, GOSSIP_PING));
	say(SERVER, GOSSIP_PING_REQ, 7, DESKTOP_B);
	assert_non_null(sent_since(mark, DESKTOP_B, GOSSIP_PING));
	stop();
}

static void strangers_and_the_revoked_are_not_heard(void **state)
{
	start(CLUSTER_HEAD);
	hear(STRANGER, entry(STRANGER, 1, 1, GOSSIP_ALIVE));
	assert_int_equal(stats().dropped_unlisted, 1);
	hear(SERVER, entry(SERVER, 1, 1, GOSSIP_ALIVE));
	assert_int_equal(cluster_peer_revoked(n.c, n.now_ms, SERVER), 0);
	assert_int_equal(n.last.to, CLUSTER_REVOKED);
	hear(SERVER, entry(SERVER, 2, 1, GOSSIP_ALIVE));
	hear(SERVER_B, entry(SERVER, 3, 1, GOSSIP_ALIVE));
	assert_int_equal(view(SERVER).state, CLUSTER_REVOKED);
	assert_int_equal(stats().dropped_revoked, 1);
	/* known as revoked before it was ever listed */
	assert_int_equal(cluster_peer_revoked(n.c, n.now_ms, STRANGER), 0);
	assert_int_equal(cluster_peer_added(n.c, n.now_ms,
					    &(struct cluster_peer){ .id = STRANGER, .name = "x" },
					    NULL),
			 -EKEYREVOKED);
	cluster_peer_removed(n.c, STRANGER);
	assert_int_equal(view(STRANGER).state, CLUSTER_REVOKED);
	assert_int_equal(cluster_peer_revoked(n.c, n.now_ms, SELF), -EINVAL);
	stop();
}

static void the_unlisted_have_no_power(void **state)
{
	start(CLUSTER_HEAD);
	hear(SERVER, entry(STRANGER, 1, 1, GOSSIP_ALIVE));
	assert_int_equal(n.unlisted, STRANGER);
	assert_int_equal(view(STRANGER).state, CLUSTER_ALIVE);
	assert_false(view(STRANGER).listed);
	assert_false(view(STRANGER).direct);
	assert_int_equal(view(STRANGER).role, CLUSTER_DESKTOP);
	/* the table has a limit: 40 here */
	for (uint32_t id = 100; id < 300; id++)
		hear(SERVER, entry(id, 1, 1, GOSSIP_ALIVE));
	assert_int_equal(cluster_count(n.c), 40);
	pass(3000);
	assert_int_equal(cluster_count(n.c), 40);
	/* who is not spoken of any more makes room */
	pass(100000);
	assert_int_equal(cluster_count(n.c), 5);
	hear(SERVER, entry(400, 1, 1, GOSSIP_ALIVE));
	assert_int_equal(view(400).state, CLUSTER_ALIVE);
	stop();
}

static void a_flood_is_cut_off(void **state)
{
	start(CLUSTER_HEAD);
	pass(1000);
	for (uint32_t i = 0; i < 2000; i++) {
		say(DESKTOP, GOSSIP_PING, i, 0);
		if (i % 100 == 0)
			pass(10);
	}
	assert_true(stats().dropped_flood > 1800);
	/* others are heard as before */
	hear(DESKTOP_B, entry(DESKTOP_B, 1, 1, GOSSIP_ALIVE));
	assert_int_equal(view(DESKTOP_B).state, CLUSTER_ALIVE);
	stop();
}

static void a_flapping_desktop_is_slowed_down(void **state)
{
	start(CLUSTER_HEAD);
	for (uint32_t i = 1; i <= 50; i++)
		hear(DESKTOP, entry(DESKTOP, i, 1, GOSSIP_ALIVE));
	assert_true(view(DESKTOP).incarnation <= 5);
	assert_int_equal(stats().dropped_flap, 50 - view(DESKTOP).incarnation);
	pass(6000);
	hear(DESKTOP, entry(DESKTOP, 60, 1, GOSSIP_ALIVE));
	assert_int_equal(view(DESKTOP).incarnation, 60);
	stop();
}

static void bandwidth_is_kept(void **state)
{
	uint64_t before;

	start(CLUSTER_HEAD);
	for (uint32_t id = 100; id < 130; id++)
		hear(SERVER, entry(id, 1, 1, GOSSIP_ALIVE));
	pass(10000);
	before = n.bytes;
	/* pings from core members are answered as far as the limit allows */
	for (uint32_t i = 0; i < 1000; i++) {
		for (uint32_t j = 0; j < 10; j++)
			say(i % 2 ? SERVER : SERVER_B, GOSSIP_PING, i, 0);
		pass(10);
	}
	assert_true((n.bytes - before) * 8 / 10 <= 60000);
	assert_true(stats().held_back > 0);
	stop();
}

/* ---- about ourselves ---- */

static void we_refute(void **state)
{
	const struct gossip_entry *e;
	uint32_t mark, seq;

	start(CLUSTER_HEAD);
	pass(100);
	/* a suspicion: a newer word will do */
	seq = view(SELF).seq;
	mark = n.n_sent;
	hear(SERVER, entry(SELF, 1, seq, GOSSIP_SUSPECT));
	e = entry_in(sent_since(mark, SERVER, GOSSIP_WORD), SELF);
	assert_non_null(e);
	assert_int_equal(e->incarnation, 1);
	assert_int_equal(e->seq, seq + 1);
	/* a death: a new life */
	mark = n.n_sent;
	hear(SERVER, entry(SELF, 1, seq, GOSSIP_DEAD));
	e = entry_in(sent_since(mark, SERVER, GOSSIP_WORD), SELF);
	assert_non_null(e);
	assert_int_equal(e->incarnation, 2);
	assert_int_equal(e->state, GOSSIP_ALIVE);
	assert_int_equal(stats().refuted, 2);
	/* once: the same sentence again is history */
	hear(SERVER_B, entry(SELF, 1, seq, GOSSIP_DEAD));
	assert_int_equal(view(SELF).incarnation, 2);
	/* an earlier life of ours that we have forgotten */
	hear(SERVER, entry(SELF, 9, 500, GOSSIP_ALIVE));
	assert_int_equal(view(SELF).incarnation, 10);
	/* the end of all incarnations: nothing can be said */
	hear(SERVER, entry(SELF, GOSSIP_INCARNATION_MAX, 1, GOSSIP_DEAD));
	assert_int_equal(view(SELF).incarnation, 10);
	stop();
}

static void the_restarted_are_told(void **state)
{
	const struct gossip_entry *e;
	uint32_t mark;

	start(CLUSTER_HEAD);
	hear(DESKTOP, entry(DESKTOP, 4, 700, GOSSIP_ALIVE));
	mark = n.n_sent;
	hear(DESKTOP, entry(DESKTOP, 1, 2, GOSSIP_ALIVE));
	e = entry_in(sent_since(mark, DESKTOP, GOSSIP_WORD), DESKTOP);
	assert_non_null(e);
	assert_int_equal(e->incarnation, 4);
	assert_int_equal(e->seq, 700);
	stop();
}

static void leaving_is_said(void **state)
{
	const struct gossip_entry *e;
	uint32_t mark;

	start(CLUSTER_SERVER);
	pass(2000);
	mark = n.n_sent;
	cluster_leave(n.c, n.now_ms);
	e = entry_in(sent_since(mark, SERVER, GOSSIP_WORD), SELF);
	assert_non_null(e);
	assert_int_equal(e->state, GOSSIP_LEFT);
	/* and then we are silent */
	mark = n.n_sent;
	pass(5000);
	say(SERVER, GOSSIP_PING, 1, 0);
	hear(SERVER, entry(SELF, 1, 1, GOSSIP_DEAD));
	assert_int_equal(n.n_sent, mark);
	stop();
}

/* ---- silence ---- */

/* SERVER keeps talking; everybody else is as silent as the test wants */
static void pass_with_server(uint64_t ms, uint32_t *seq)
{
	for (uint64_t t = 0; t < ms; t += 200) {
		hear(SERVER, entry(SERVER, 1, ++*seq, GOSSIP_ALIVE));
		pass(200);
	}
}

static void the_silent_are_asked_suspected_and_confirmed_dead(void **state)
{
	struct gossip_entry accused = entry(DESKTOP, 1, 1, GOSSIP_SUSPECT);
	uint32_t mark, seq = 0;

	start(CLUSTER_HEAD);
	hear(SERVER_B, entry(SERVER_B, 1, 1, GOSSIP_LEFT));
	hear(DESKTOP, entry(DESKTOP, 1, 1, GOSSIP_ALIVE));
	mark = n.n_sent;
	pass_with_server(1000, &seq);
	assert_null(sent_since(mark, DESKTOP, GOSSIP_PING));
	pass_with_server(400, &seq);
	assert_non_null(sent_since(mark, DESKTOP, GOSSIP_PING));
	assert_non_null(sent_since(mark, SERVER, GOSSIP_PING_REQ));
	pass_with_server(600, &seq);
	assert_int_equal(view(DESKTOP).state, CLUSTER_SUSPECT);
	assert_true(n.last.mine);
	/* SERVER is told, with our own testimony, and the suspect is */
	assert_true(entry_in(sent_since(mark, SERVER, GOSSIP_WORD), DESKTOP)->witness);
	assert_int_equal(entry_in(sent_since(mark, DESKTOP, GOSSIP_WORD), DESKTOP)->state,
			 GOSSIP_SUSPECT);
	/* alone we are not believed by ourselves */
	pass_with_server(8000, &seq);
	assert_int_equal(view(DESKTOP).state, CLUSTER_SUSPECT);
	accused.witness = true;
	hear(SERVER, accused);
	pass_with_server(1200, &seq);
	assert_int_equal(view(DESKTOP).state, CLUSTER_DEAD);
	assert_int_equal(stats().declared, 1);
	stop();
}

static void an_answer_ends_the_doubt(void **state)
{
	const struct gossip_msg *ping;
	uint32_t mark, seq = 0;

	start(CLUSTER_HEAD);
	hear(DESKTOP, entry(DESKTOP, 1, 1, GOSSIP_ALIVE));
	mark = n.n_sent;
	pass_with_server(1200, &seq);
	ping = sent_since(mark, DESKTOP, GOSSIP_PING);
	assert_non_null(ping);
	say(DESKTOP, GOSSIP_ACK, ping->number, 0);
	pass_with_server(800, &seq);
	assert_int_equal(view(DESKTOP).state, CLUSTER_ALIVE);
	/* by way of another core member too */
	mark = n.n_sent;
	pass_with_server(600, &seq);
	ping = sent_since(mark, SERVER, GOSSIP_PING_REQ);
	assert_non_null(ping);
	say(SERVER, GOSSIP_ACK, ping->number, DESKTOP);
	pass_with_server(600, &seq);
	assert_int_equal(view(DESKTOP).state, CLUSTER_ALIVE);
	/* an answer that nobody asked for, from a desktop, is none */
	pass_with_server(200, &seq);
	say(DESKTOP_B, GOSSIP_ACK, ping->number, DESKTOP);
	pass_with_server(1600, &seq);
	assert_int_equal(view(DESKTOP).state, CLUSTER_SUSPECT);
	stop();
}

static void errands_are_answered(void **state)
{
	const struct gossip_msg *ping, *answer;
	uint32_t mark;

	start(CLUSTER_HEAD);
	mark = n.n_sent;
	say(SERVER, GOSSIP_PING_REQ, 77, DESKTOP);
	ping = sent_since(mark, DESKTOP, GOSSIP_PING);
	assert_non_null(ping);
	say(DESKTOP, GOSSIP_ACK, ping->number, 0);
	answer = sent_since(mark, SERVER, GOSSIP_ACK);
	assert_non_null(answer);
	assert_int_equal(answer->number, 77);
	assert_int_equal(answer->subject, DESKTOP);
	/* no answer: no */
	mark = n.n_sent;
	say(SERVER, GOSSIP_PING_REQ, 78, DESKTOP_B);
	pass(400);
	answer = sent_since(mark, SERVER, GOSSIP_NACK);
	assert_non_null(answer);
	assert_int_equal(answer->number, 78);
	/* no way there: no at once */
	mark = n.n_sent;
	cluster_peer_link(n.c, n.now_ms, DESKTOP_B, false);
	say(SERVER, GOSSIP_PING_REQ, 79, DESKTOP_B);
	assert_non_null(sent_since(mark, SERVER, GOSSIP_NACK));
	assert_null(sent_since(mark, DESKTOP_B, GOSSIP_PING));
	stop();
}

static void our_own_stall_is_not_held_against_others(void **state)
{
	start(CLUSTER_HEAD);
	for (uint32_t id = SERVER; id <= DESKTOP_B; id++)
		hear(id, entry(id, 1, 1, GOSSIP_ALIVE));
	pass(100);
	/* nobody called us for a minute */
	n.now_ms += 60000;
	cluster_tick(n.c, n.now_ms);
	pass(900);
	assert_int_equal(stats().stalls, 1);
	assert_int_equal(stats().probes, 0);
	assert_true(stats().health > 0);
	for (uint32_t id = SERVER; id <= DESKTOP_B; id++)
		assert_int_equal(view(id).state, CLUSTER_ALIVE);
	stop();
}

static void a_desktop_accuses_nobody(void **state)
{
	uint32_t mark;

	start(CLUSTER_DESKTOP);
	for (uint32_t id = SERVER; id <= SERVER_B; id++)
		hear(id, entry(id, 1, 1, GOSSIP_ALIVE));
	mark = n.n_sent;
	pass(120000);
	assert_int_equal(view(SERVER).state, CLUSTER_ALIVE);
	assert_int_equal(stats().suspected, 0);
	assert_int_equal(stats().declared, 0);
	/* it speaks of itself, to core members only */
	for (uint32_t i = mark; i < n.n_sent; i++) {
		const struct sent *s = &n.sent[i % SENT_MAX];

		assert_true(s->to == SERVER || s->to == SERVER_B);
		assert_true(s->m.n_entries == 1 && s->m.entries[0].id == SELF);
	}
	assert_true(n.n_sent - mark > 200);
	stop();
}

static void the_dead_are_tried_again(void **state)
{
	uint32_t mark;

	start(CLUSTER_HEAD);
	hear(SERVER, entry(SERVER, 1, 5, GOSSIP_ALIVE));
	hear(SERVER, entry(SERVER_B, 1, 5, GOSSIP_DEAD));
	hear(SERVER, entry(DESKTOP, 1, 5, GOSSIP_LEFT));
	mark = n.n_sent;
	pass(60000);
	assert_int_equal(entry_in(sent_since(mark, SERVER_B, GOSSIP_PING), SERVER_B)->state,
			 GOSSIP_DEAD);
	assert_non_null(sent_since(mark, DESKTOP, GOSSIP_PING));
	stop();
}

/* ---- views ---- */

static void the_best_come_first(void **state)
{
	static const struct {
		uint32_t id, from;
		struct load load;
		uint16_t cpus, speed;
	} rows[] = {
		/* cheapest last, so that the order is not that of arrival */
		{ 20, SERVER, { 300, 64, 0, 0, LOAD_ACCEPTS }, 4, 1000 },
		{ 21, SERVER, { 90, 64, 0, 0, LOAD_ACCEPTS }, 4, 1000 },
		{ 22, SERVER, { 0, 64, 0, 0, LOAD_ACCEPTS }, 4, 1000 },
		{ 23, SERVER, { 0, 64, 0, 0, LOAD_ACCEPTS }, 4, 1500 },
		{ 24, SERVER, { 0, 64, 0, 0, 0 }, 4, 1500 },
		{ 25, SERVER, { 0, 64, 0, 0, LOAD_ACCEPTS | LOAD_DRAINING }, 4, 1500 },
		{ 26, SERVER, { 0, 0, 0, 0, LOAD_ACCEPTS }, 4, 1500 },
	};
	static const uint32_t want[] = { 23, 22, 21, 20, 26 };
	uint32_t ids[CLUSTER_BEST_MAX];

	start(CLUSTER_HEAD);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct gossip_entry e = entry(rows[i].id, 1, 1, GOSSIP_ALIVE);

		e.load = rows[i].load;
		e.profile = (struct load_profile){ rows[i].cpus, rows[i].speed, 128 };
		hear(rows[i].from, e);
	}
	assert_int_equal(cluster_best(n.c, n.now_ms, ids, CLUSTER_BEST_MAX), ARRAY_LEN(want));
	assert_memory_equal(ids, want, sizeof(want));
	assert_int_equal(cluster_best(n.c, n.now_ms, ids, 2), 2);
	assert_int_equal(ids[1], 22);
	/* a suspect gets no work, at once */
	hear(SERVER, entry(23, 1, 1, GOSSIP_SUSPECT));
	assert_int_equal(cluster_best(n.c, n.now_ms, ids, 1), 1);
	assert_int_equal(ids[0], 22);
	/* what is not heard of any more neither */
	pass(60000);
	assert_int_equal(cluster_best(n.c, n.now_ms, ids, CLUSTER_BEST_MAX), 0);
	stop();
}

static void the_directory_can_change(void **state)
{
	struct cluster_peer p = {
		.id = DESKTOP, .name = "new-name", .role = CLUSTER_SERVER, .addr = { .port = 4660 }
	};
	struct err e = { 0 };

	start(CLUSTER_HEAD);
	hear(DESKTOP, entry(DESKTOP, 1, 1, GOSSIP_ALIVE));
	assert_int_equal(cluster_peer_added(n.c, n.now_ms, &p, &e), 0);
	assert_string_equal(view(DESKTOP).name, "new-name");
	assert_int_equal(view(DESKTOP).role, CLUSTER_SERVER);
	assert_int_equal(view(DESKTOP).addr.port, 4660);
	assert_int_equal(view(DESKTOP).state, CLUSTER_ALIVE);
	cluster_peer_removed(n.c, DESKTOP);
	assert_int_equal(cluster_view_id(n.c, n.now_ms, DESKTOP, &(struct cluster_view){ 0 }),
			 -ENOENT);
	pass(5000);
	cluster_peer_removed(n.c, SELF);
	assert_int_equal(view(SELF).state, CLUSTER_ALIVE);

	p.id = 0;
	assert_int_equal(cluster_peer_added(n.c, n.now_ms, &p, &e), -EINVAL);
	assert_string_not_equal(e.text, "");
	p.id = 70;
	for (; cluster_count(n.c) < 40; p.id++)
		assert_int_equal(cluster_peer_added(n.c, n.now_ms, &p, &e), 0);
	assert_int_equal(cluster_peer_added(n.c, n.now_ms, &p, &e), -ENOSPC);
	stop();
}

static void a_bad_configuration_is_refused(void **state)
{
	struct cluster_config cfg = { .id = 1, .name = "x" };
	struct cluster *c = NULL;
	struct err e = { 0 };

	cluster_tune_default(&cfg.tune);
	cfg.tune.dead_ms = 10;
	assert_int_equal(cluster_new(&cfg, &ops, NULL, 0, &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "dead_ms"));
	cluster_tune_default(&cfg.tune);
	cfg.id = 0;
	assert_int_equal(cluster_new(&cfg, &ops, NULL, 0, &c, &e), -EINVAL);
	cfg.id = 1;
	cfg.name = "";
	assert_int_equal(cluster_new(&cfg, &ops, NULL, 0, &c, &e), -EINVAL);
	assert_null(c);
	cluster_free(NULL);
}

/* the table against a plain set of ids */
static void members_are_found(void **state)
{
	struct member_table t;
	bool there[200] = { false };
	uint32_t count = 0;
	struct rng r;

	rng_init(&r, 3);
	members_init(&t, 1000);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t id = 1 + rng_below(&r, 199);
		struct member *m = member_find(&t, id);

		assert_int_equal(m != NULL, there[id]);
		if (!m) {
			assert_int_equal(member_add(&t, id, &m), 0);
			assert_int_equal(m->id, id);
			there[id] = true;
			count++;
		} else if (m != t.v) { /* the first one is ourselves and stays */
			member_remove(&t, m);
			there[id] = false;
			count--;
		}
		assert_int_equal(t.n, count);
	}
	members_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_of_words),
		cmocka_unit_test(silence_makes_a_sentence_credible),
		cmocka_unit_test(age_of_a_relayed_word_counts),
		cmocka_unit_test(a_desktop_speaks_of_itself_only),
		cmocka_unit_test(a_desktop_as_witness_is_not_counted),
		cmocka_unit_test(only_core_may_send_us_on_errands),
		cmocka_unit_test(strangers_and_the_revoked_are_not_heard),
		cmocka_unit_test(the_unlisted_have_no_power),
		cmocka_unit_test(a_flood_is_cut_off),
		cmocka_unit_test(a_flapping_desktop_is_slowed_down),
		cmocka_unit_test(bandwidth_is_kept),
		cmocka_unit_test(we_refute),
		cmocka_unit_test(the_restarted_are_told),
		cmocka_unit_test(leaving_is_said),
		cmocka_unit_test(the_silent_are_asked_suspected_and_confirmed_dead),
		cmocka_unit_test(an_answer_ends_the_doubt),
		cmocka_unit_test(errands_are_answered),
		cmocka_unit_test(our_own_stall_is_not_held_against_others),
		cmocka_unit_test(a_desktop_accuses_nobody),
		cmocka_unit_test(the_dead_are_tried_again),
		cmocka_unit_test(the_best_come_first),
		cmocka_unit_test(the_directory_can_change),
		cmocka_unit_test(a_bad_configuration_is_refused),
		cmocka_unit_test(members_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
