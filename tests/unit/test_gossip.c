/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_gossip.c - the codec of wire/gossip.h: same out as in, sizes foretold, bad bytes refused */
#include <errno.h>

#include "test.h"

#include "base/rng.h"
#include "wire/gossip.h"
#include "wire/gossip.pb-c.h"

static uint32_t any(struct rng *r, uint32_t most)
{
	/* small and large numbers alike, so that each length of a varint is met */
	uint32_t v = (uint32_t)(rng_u64(r) >> (32 + rng_below(r, 32)));

	return v <= most ? v : most;
}

static void random_msg(struct rng *r, uint32_t n, struct gossip_msg *m)
{
	uint32_t id = 0;

	*m = (struct gossip_msg){
		.kind = (uint8_t)(GOSSIP_WORD + rng_below(r, 5)),
		.number = any(r, UINT32_MAX),
		.subject = any(r, UINT32_MAX),
		.desktops = any(r, UINT32_MAX),
		.n_entries = n,
	};
	for (uint32_t i = 0; i < n; i++) {
		struct gossip_entry *e = &m->entries[i];

		id += 1 + any(r, 1u << 20);
		*e = (struct gossip_entry){
			.id = id,
			.incarnation = 1 + any(r, GOSSIP_INCARNATION_MAX - 1),
			.seq = any(r, GOSSIP_SEQ_MAX),
			.age_ms = any(r, 65535) * GOSSIP_AGE_STEP_MS,
			.state = (uint8_t)rng_below(r, GOSSIP_STATES),
			.witness = rng_below(r, 2),
			.has_profile = rng_below(r, 2),
			.load = { (uint16_t)rng_u64(r),
				  (uint16_t)((16 + rng_below(r, 16)) << rng_below(r, 12)),
				  (uint8_t)rng_below(r, 101), (uint8_t)rng_below(r, 64),
				  (uint8_t)rng_below(r, 8) },
		};
		if (e->has_profile)
			e->profile = (struct load_profile){ (uint16_t)rng_u64(r),
							    (uint16_t)rng_u64(r),
							    (uint16_t)rng_u64(r) };
	}
}

static void assert_same(const struct gossip_msg *a, const struct gossip_msg *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->subject, b->subject);
	assert_int_equal(a->desktops, b->desktops);
	assert_int_equal(a->n_entries, b->n_entries);
	for (uint32_t i = 0; i < a->n_entries; i++) {
		const struct gossip_entry *x = &a->entries[i], *y = &b->entries[i];

		assert_int_equal(x->id, y->id);
		assert_int_equal(x->incarnation, y->incarnation);
		assert_int_equal(x->seq, y->seq);
		assert_int_equal(x->age_ms, y->age_ms);
		assert_int_equal(x->state, y->state);
		assert_int_equal(x->witness, y->witness);
		assert_int_equal(x->has_profile, y->has_profile);
		assert_int_equal(x->load.run_centi, y->load.run_centi);
		assert_int_equal(x->load.free_16mib, y->load.free_16mib);
		assert_int_equal(x->load.util_pct, y->load.util_pct);
		assert_int_equal(x->load.guests, y->load.guests);
		assert_int_equal(x->load.flags, y->load.flags);
		assert_int_equal(x->profile.cpus, y->profile.cpus);
		assert_int_equal(x->profile.speed, y->profile.speed);
		assert_int_equal(x->profile.mem_16mib, y->profile.mem_16mib);
	}
}

static void round_trip(void **state)
{
	struct rng r;

	rng_init(&r, 1);
	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t n = rng_below(&r, GOSSIP_ENTRIES_MAX + 1);
		struct gossip_msg in, out;
		struct buf b;

		random_msg(&r, n, &in);
		buf_init(&b, 4096);
		if (gossip_size(&in) > GOSSIP_BYTES_MAX) {
			assert_int_equal(gossip_encode(&in, &b, NULL), -EMSGSIZE);
			assert_int_equal(b.len, 0);
		} else {
			assert_int_equal(gossip_encode(&in, &b, NULL), 0);
			assert_int_equal(b.len, gossip_size(&in));
			assert_int_equal(gossip_decode(buf_bytes(&b), b.len, &out, NULL), 0);
			assert_same(&in, &out);
		}
		buf_done(&b);
	}
}

/* a cluster of a hundred, a day old: what the bandwidth is planned with */
static void usual_entry_is_small(void **state)
{
	struct gossip_msg m = { .kind = GOSSIP_WORD, .n_entries = 80 };

	for (uint32_t i = 0; i < m.n_entries; i++)
		m.entries[i] = (struct gossip_entry){
			.id = i + 1, .incarnation = 3, .seq = 172800, .age_ms = 2000
		};
	assert_true(gossip_size(&m) <= 80 * 11 + 32);
}

static void age_saturates(void **state)
{
	struct gossip_msg m = { .kind = GOSSIP_WORD, .n_entries = 1 }, out;
	struct buf b;

	m.entries[0] = (struct gossip_entry){ .id = 1, .incarnation = 1, .age_ms = UINT32_MAX };
	buf_init(&b, 4096);
	assert_int_equal(gossip_encode(&m, &b, NULL), 0);
	assert_int_equal(gossip_decode(buf_bytes(&b), b.len, &out, NULL), 0);
	assert_int_equal(out.entries[0].age_ms, GOSSIP_AGE_MAX_MS);
	buf_done(&b);
}

/* rounded down, by less than a sixteenth, once */
static void free_memory_is_told_roughly(void **state)
{
	for (uint32_t v = 0; v <= UINT16_MAX; v += 1 + v / 50) {
		struct gossip_msg m = { .kind = GOSSIP_WORD, .n_entries = 1 }, out;
		struct buf b;

		m.entries[0] = (struct gossip_entry){ .id = 1, .incarnation = 1 };
		m.entries[0].load.free_16mib = (uint16_t)v;
		buf_init(&b, 4096);
		for (int times = 0; times < 2; times++) {
			uint32_t told;

			buf_reset(&b);
			assert_int_equal(gossip_encode(&m, &b, NULL), 0);
			assert_int_equal(gossip_decode(buf_bytes(&b), b.len, &out, NULL), 0);
			told = out.entries[0].load.free_16mib;
			assert_true(told <= v && told * 16 >= v * 15);
			assert_true(times == 0 || told == m.entries[0].load.free_16mib);
			m = out;
		}
		buf_done(&b);
	}
}

static void own_faults_are_refused(void **state)
{
	static const struct {
		const char *what;
		struct gossip_msg m;
	} rows[] = {
		{ "kind 0", { .kind = 0 } },
		{ "kind 6", { .kind = 6 } },
		{ "too many", { .kind = 1, .n_entries = GOSSIP_ENTRIES_MAX + 1 } },
		{ "id 0", { .kind = 1, .n_entries = 1, .entries = { { 0, 1 } } } },
		{ "same id", { .kind = 1, .n_entries = 2, .entries = { { 5, 1 }, { 5, 1 } } } },
		{ "descending", { .kind = 1, .n_entries = 2, .entries = { { 5, 1 }, { 4, 1 } } } },
		{ "state", { .kind = 1, .n_entries = 1, .entries = { { 1, 1, 1, 1, 4 } } } },
		{ "incarnation 0", { .kind = 1, .n_entries = 1, .entries = { { 1, 0 } } } },
		{ "incarnation", { .kind = 1, .n_entries = 1, .entries = { { 1, 1u << 27 } } } },
		{ "seq", { .kind = 1, .n_entries = 1, .entries = { { 1, 1, UINT32_MAX } } } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		struct buf b;

		buf_init(&b, 4096);
		assert_int_equal(gossip_encode(&rows[i].m, &b, &e), -EINVAL);
		assert_string_not_equal(e.text, "");
		assert_int_equal(b.len, 0);
		buf_done(&b);
	}
}

/* one valid message of two entries, then one thing wrong at a time */
struct wire_row {
	const char *what;
	void (*spoil)(Cmx__Gossip *g);
	int want;
};

static void spoil_nothing(Cmx__Gossip *g)
{
}

static void spoil_version(Cmx__Gossip *g)
{
	g->version = GOSSIP_VERSION + 1;
}

static void spoil_no_version(Cmx__Gossip *g)
{
	g->version = 0;
}

static void spoil_kind(Cmx__Gossip *g)
{
	g->kind = 257;
}

static void spoil_ids(Cmx__Gossip *g)
{
	g->n_id_step = 1;
}

static void spoil_seqs(Cmx__Gossip *g)
{
	g->n_seq = 0;
}

static void spoil_loads(Cmx__Gossip *g)
{
	g->load.len -= 1;
}

static void spoil_profiles(Cmx__Gossip *g)
{
	g->profile.len = 12;
}

static void spoil_id_overflow(Cmx__Gossip *g)
{
	g->id_step[1] = UINT32_MAX;
}

static void spoil_same_id(Cmx__Gossip *g)
{
	g->id_step[1] = 0;
}

static void spoil_incarnation(Cmx__Gossip *g)
{
	g->about[1] = 0;
}

static void spoil_seq(Cmx__Gossip *g)
{
	g->seq[0] = UINT32_MAX;
}

static const struct wire_row wire_rows[] = {
	{ "valid", spoil_nothing, 0 },
	{ "later version", spoil_version, -EPROTONOSUPPORT },
	{ "no version", spoil_no_version, -EPROTONOSUPPORT },
	{ "unknown kind", spoil_kind, -EPROTO },
	{ "ids short", spoil_ids, -EPROTO },
	{ "seqs missing", spoil_seqs, -EPROTO },
	{ "loads short", spoil_loads, -EPROTO },
	{ "profiles long", spoil_profiles, -EPROTO },
	{ "id above 32 bits", spoil_id_overflow, -EPROTO },
	{ "id twice", spoil_same_id, -EPROTO },
	{ "incarnation 0", spoil_incarnation, -EPROTO },
	{ "seq too high", spoil_seq, -EPROTO },
};

static void hostile_columns(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(wire_rows); i++) {
		uint32_t ids[2] = { 7, 3 }, abouts[2] = { 1 << 4, 2 << 4 | 1 << 3 };
		uint32_t seqs[2] = { 1, 2 }, ages[2] = { 0, 4 };
		uint8_t loads[10] = { 0 }, profiles[12] = { 0, 4 }, bytes[256];
		Cmx__Gossip g = CMX__GOSSIP__INIT;
		struct gossip_msg m;
		struct err e = { 0 };
		size_t len;

		g.version = GOSSIP_VERSION;
		g.kind = GOSSIP_WORD;
		g.n_id_step = g.n_about = g.n_seq = g.n_age = 2;
		g.id_step = ids;
		g.about = abouts;
		g.seq = seqs;
		g.age = ages;
		g.load = (ProtobufCBinaryData){ 10, loads };
		g.profile = (ProtobufCBinaryData){ 6, profiles };
		wire_rows[i].spoil(&g);
		len = cmx__gossip__pack(&g, bytes);
		assert_int_equal(gossip_decode(bytes, len, &m, &e), wire_rows[i].want);
		if (wire_rows[i].want == 0) {
			assert_int_equal(m.entries[1].id, 10);
			assert_int_equal(m.entries[1].profile.cpus, 4);
		} else {
			assert_string_not_equal(e.text, "");
		}
	}
}

static void garbage_and_truncation(void **state)
{
	struct gossip_msg m, out;
	struct rng r;
	struct buf b;
	uint8_t big[GOSSIP_BYTES_MAX + 1] = { 0 };

	rng_init(&r, 2);
	random_msg(&r, 40, &m);
	m.desktops = 0; /* the columns come last */
	buf_init(&b, 4096);
	assert_int_equal(gossip_encode(&m, &b, NULL), 0);
	for (size_t len = 0; len < b.len; len++) {
		AUTO_FREE uint8_t *copy = malloc(len + 1); /* for the sanitizer's fence */

		memcpy(copy, buf_bytes(&b), len);
		/* cut right before the first column it is a message without entries */
		if (gossip_decode(copy, len, &out, NULL) == 0)
			assert_int_equal(out.n_entries, 0);
	}
	assert_int_equal(gossip_decode(big, sizeof(big), &out, NULL), -EMSGSIZE);
	buf_done(&b);
}

/* a field of a later version is skipped */
static void unknown_fields_are_skipped(void **state)
{
	static const uint8_t later[] = { 0xfa, 0x07, 0x03, 'n', 'e', 'w' }; /* field 127 */
	struct gossip_msg m = { .kind = GOSSIP_PING, .number = 9 }, out;
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(gossip_encode(&m, &b, NULL), 0);
	assert_int_equal(buf_put(&b, later, sizeof(later)), 0);
	assert_int_equal(gossip_decode(buf_bytes(&b), b.len, &out, NULL), 0);
	assert_int_equal(out.number, 9);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(usual_entry_is_small),
		cmocka_unit_test(age_saturates),
		cmocka_unit_test(free_memory_is_told_roughly),
		cmocka_unit_test(own_faults_are_refused),
		cmocka_unit_test(hostile_columns),
		cmocka_unit_test(garbage_and_truncation),
		cmocka_unit_test(unknown_fields_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
