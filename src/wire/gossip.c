/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gossip.c - the bytes of a gossip message
 *
 * Theory of operation
 *
 * The wire form is columns (gossip.proto); the program's form is rows (gossip.h). Encoding turns
 * rows into columns on the stack and lets protobuf-c write them. gossip_size() predicts the very
 * number of bytes without doing so, because the sender fills packets up to a limit and keeps to a
 * bandwidth; a unit test holds the two together.
 *
 * Decoding believes nothing: the input is at most GOSSIP_BYTES_MAX long, so what protobuf-c
 * allocates is bounded; then columns must be of one length, ids ascend and every number is in
 * range. A message is taken whole or not at all.
 */
#include "wire/gossip.h"

#include <errno.h>

#include "wire/gossip.pb-c.h"

#define LOAD_BYTES    5
#define PROFILE_BYTES 6

/* 31 << 11, the largest that is told of 16 bits */
#define SMALL_FLOAT_MAX 0xcf

/* bits of a value in the "about" column */
#define ABOUT_STATE_MASK  3u
#define ABOUT_WITNESS	  (1u << 2)
#define ABOUT_PROFILE	  (1u << 3)
#define ABOUT_INCARNATION 4

static_assert(GOSSIP_STATES == ABOUT_STATE_MASK + 1, "the state fills its bits");
static_assert(GOSSIP_INCARNATION_MAX < UINT32_MAX >> ABOUT_INCARNATION, "incarnations fit");

static uint32_t about_of(const struct gossip_entry *e)
{
	return e->incarnation << ABOUT_INCARNATION | (e->has_profile ? ABOUT_PROFILE : 0) |
	       (e->witness ? ABOUT_WITNESS : 0) | e->state;
}

static uint32_t age_steps(uint32_t age_ms)
{
	uint32_t ms = age_ms < GOSSIP_AGE_MAX_MS ? age_ms : GOSSIP_AGE_MAX_MS;

	return (ms + GOSSIP_AGE_STEP_MS / 2) / GOSSIP_AGE_STEP_MS;
}

static size_t varint_size(uint32_t v)
{
	return v < 1u << 7 ? 1 : v < 1u << 14 ? 2 : v < 1u << 21 ? 3 : v < 1u << 28 ? 4 : 5;
}

/* of a number in a proto3 message: 0 is not written */
static size_t number_size(uint32_t v)
{
	return v ? 1 + varint_size(v) : 0;
}

/* of packed or plain bytes behind a one-byte tag */
static size_t blob_size(size_t n)
{
	return n ? 1 + varint_size((uint32_t)n) + n : 0;
}

size_t gossip_entry_size(const struct gossip_entry *e)
{
	return varint_size(e->id) + varint_size(about_of(e)) + varint_size(e->seq) +
	       varint_size(age_steps(e->age_ms)) + LOAD_BYTES +
	       (e->has_profile ? PROFILE_BYTES : 0);
}

size_t gossip_size(const struct gossip_msg *m)
{
	size_t ids = 0, abouts = 0, seqs = 0, ages = 0, profiles = 0;
	uint32_t before = 0;

	for (uint32_t i = 0; i < m->n_entries; i++) {
		const struct gossip_entry *e = &m->entries[i];

		ids += varint_size(e->id - before);
		abouts += varint_size(about_of(e));
		seqs += varint_size(e->seq);
		ages += varint_size(age_steps(e->age_ms));
		profiles += e->has_profile ? PROFILE_BYTES : 0;
		before = e->id;
	}
	return number_size(GOSSIP_VERSION) + number_size(m->kind) + number_size(m->number) +
	       number_size(m->subject) + number_size(m->desktops) + blob_size(ids) +
	       blob_size(abouts) + blob_size(seqs) + blob_size(ages) +
	       blob_size((size_t)m->n_entries * LOAD_BYTES) + blob_size(profiles);
}

static void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/*
 * Free memory needs range, not precision: eight bits of floating point, four of them mantissa.
 * Rounds down by at most one part in sixteen; what comes out goes in again unchanged.
 */
static uint8_t small_float(uint16_t v)
{
	uint8_t e = 0;

	if (v < 16)
		return (uint8_t)v;
	while (v >> e >= 32)
		e++;
	return (uint8_t)((e + 1) << 4 | (v >> e & 15));
}

static uint16_t small_float_value(uint8_t code)
{
	if (code > SMALL_FLOAT_MAX)
		code = SMALL_FLOAT_MAX;
	return (uint16_t)(code < 16 ? code : (16u | (code & 15)) << ((code >> 4) - 1));
}

static void put_load(uint8_t *p, const struct load *l)
{
	uint8_t util = l->util_pct < 100 ? l->util_pct : 100;
	uint8_t guests = l->guests < LOAD_GUESTS_MAX ? l->guests : LOAD_GUESTS_MAX;

	put_u16(p, l->run_centi);
	p[2] = small_float(l->free_16mib);
	put_u16(p + 3, (uint16_t)(util << 9 | guests << 3 | (l->flags & LOAD_FLAGS)));
}

static void get_load(const uint8_t *p, struct load *ret)
{
	uint16_t rest = get_u16(p + 3);

	*ret = (struct load){
		.run_centi = get_u16(p),
		.free_16mib = small_float_value(p[2]),
		.util_pct = rest >> 9 < 100 ? (uint8_t)(rest >> 9) : 100,
		.guests = rest >> 3 & LOAD_GUESTS_MAX,
		.flags = rest & LOAD_FLAGS,
	};
}

static void put_profile(uint8_t *p, const struct load_profile *l)
{
	put_u16(p, l->cpus);
	put_u16(p + 2, l->speed);
	put_u16(p + 4, l->mem_16mib);
}

static void get_profile(const uint8_t *p, struct load_profile *ret)
{
	*ret = (struct load_profile){
		.cpus = get_u16(p),
		.speed = get_u16(p + 2),
		.mem_16mib = get_u16(p + 4),
	};
}

static bool kind_known(uint32_t kind)
{
	switch (kind) {
#define X(name, number) case GOSSIP_##name:
		GOSSIP_KINDS(X)
#undef X
		return true;
	}
	return false;
}

/* what both sides hold a message to */
static const char *fault_of(const struct gossip_msg *m)
{
	uint32_t before = 0;

	if (!kind_known(m->kind))
		return "unknown kind";
	for (uint32_t i = 0; i < m->n_entries; i++) {
		const struct gossip_entry *e = &m->entries[i];

		if (e->id <= before)
			return "ids do not ascend";
		if (e->state >= GOSSIP_STATES)
			return "unknown state";
		if (e->incarnation == 0 || e->incarnation > GOSSIP_INCARNATION_MAX)
			return "incarnation out of range";
		if (e->seq > GOSSIP_SEQ_MAX)
			return "sequence number out of range";
		before = e->id;
	}
	return NULL;
}

int gossip_encode(const struct gossip_msg *m, struct buf *to, struct err *e)
{
	uint32_t ids[GOSSIP_ENTRIES_MAX], abouts[GOSSIP_ENTRIES_MAX];
	uint32_t seqs[GOSSIP_ENTRIES_MAX], ages[GOSSIP_ENTRIES_MAX];
	uint8_t loads[GOSSIP_ENTRIES_MAX * LOAD_BYTES];
	uint8_t profiles[GOSSIP_ENTRIES_MAX * PROFILE_BYTES];
	size_t n_profiles = 0, len;
	uint32_t before = 0;
	const char *fault = m->n_entries > GOSSIP_ENTRIES_MAX ? "too many entries" : fault_of(m);
	Cmx__Gossip out = CMX__GOSSIP__INIT;
	uint8_t *bytes;
	int r;

	if (fault)
		return err_set(e, -EINVAL, "gossip message not sent: %s", fault);
	for (uint32_t i = 0; i < m->n_entries; i++) {
		const struct gossip_entry *en = &m->entries[i];

		ids[i] = en->id - before;
		before = en->id;
		abouts[i] = about_of(en);
		seqs[i] = en->seq;
		ages[i] = age_steps(en->age_ms);
		put_load(loads + (size_t)i * LOAD_BYTES, &en->load);
		if (en->has_profile)
			put_profile(profiles + n_profiles++ * PROFILE_BYTES, &en->profile);
	}
	out.version = GOSSIP_VERSION;
	out.kind = m->kind;
	out.number = m->number;
	out.subject = m->subject;
	out.desktops = m->desktops;
	out.n_id_step = out.n_about = out.n_seq = out.n_age = m->n_entries;
	out.id_step = ids;
	out.about = abouts;
	out.seq = seqs;
	out.age = ages;
	out.load = (ProtobufCBinaryData){ (size_t)m->n_entries * LOAD_BYTES, loads };
	out.profile = (ProtobufCBinaryData){ n_profiles * PROFILE_BYTES, profiles };

	len = cmx__gossip__get_packed_size(&out);
	if (len > GOSSIP_BYTES_MAX)
		return err_set(e, -EMSGSIZE, "gossip message of %zu bytes, at most %d go", len,
			       GOSSIP_BYTES_MAX);
	r = buf_room(to, len, &bytes);
	if (r < 0)
		return err_set(e, r, "gossip message not sent: no room for %zu bytes", len);
	(void)cmx__gossip__pack(&out, bytes); /* writes the size just asked for */
	buf_grow(to, len);
	return 0;
}

static const char *columns_fault(const Cmx__Gossip *in)
{
	size_t n = in->n_id_step, n_profiles = 0;

	if (n > GOSSIP_ENTRIES_MAX)
		return "too many entries";
	if (in->n_about != n || in->n_seq != n || in->n_age != n || in->load.len != n * LOAD_BYTES)
		return "columns of different length";
	for (size_t i = 0; i < n; i++)
		n_profiles += (in->about[i] & ABOUT_PROFILE) != 0;
	if (in->profile.len != n_profiles * PROFILE_BYTES)
		return "profiles do not match the entries";
	return NULL;
}

/* columns are of one length here */
static const char *rows_from(const Cmx__Gossip *in, struct gossip_msg *ret)
{
	uint64_t id = 0;
	size_t n_profiles = 0;

	ret->kind = in->kind <= UINT8_MAX ? (uint8_t)in->kind : 0;
	ret->number = in->number;
	ret->subject = in->subject;
	ret->desktops = in->desktops;
	ret->n_entries = (uint32_t)in->n_id_step;
	for (size_t i = 0; i < in->n_id_step; i++) {
		struct gossip_entry *e = &ret->entries[i];
		uint32_t steps = in->age[i];

		id += in->id_step[i];
		if (id > UINT32_MAX)
			return "id out of range";
		*e = (struct gossip_entry){
			.id = (uint32_t)id,
			.incarnation = in->about[i] >> ABOUT_INCARNATION,
			.seq = in->seq[i],
			.age_ms = steps < GOSSIP_AGE_MAX_MS / GOSSIP_AGE_STEP_MS
					  ? steps * GOSSIP_AGE_STEP_MS
					  : GOSSIP_AGE_MAX_MS,
			.state = in->about[i] & ABOUT_STATE_MASK,
			.witness = in->about[i] & ABOUT_WITNESS,
			.has_profile = in->about[i] & ABOUT_PROFILE,
		};
		get_load(in->load.data + i * LOAD_BYTES, &e->load);
		if (e->has_profile)
			get_profile(in->profile.data + n_profiles++ * PROFILE_BYTES, &e->profile);
	}
	return fault_of(ret);
}

int gossip_decode(const uint8_t *p, size_t len, struct gossip_msg *ret, struct err *e)
{
	struct gossip_msg m;
	const char *fault;
	Cmx__Gossip *in;

	if (len > GOSSIP_BYTES_MAX)
		return err_set(e, -EMSGSIZE, "gossip message of %zu bytes, at most %d are taken",
			       len, GOSSIP_BYTES_MAX);
	in = cmx__gossip__unpack(NULL, len, p);
	if (!in)
		return err_set(e, -EPROTO, "not a gossip message");
	if (in->version == 0 || in->version > GOSSIP_VERSION) {
		uint32_t version = in->version;

		cmx__gossip__free_unpacked(in, NULL);
		return err_set(e, -EPROTONOSUPPORT,
			       "gossip of version %u, this node speaks %d: upgrade the older one",
			       version, GOSSIP_VERSION);
	}
	fault = columns_fault(in);
	if (!fault)
		fault = rows_from(in, &m);
	cmx__gossip__free_unpacked(in, NULL);
	if (fault)
		return err_set(e, -EPROTO, "bad gossip message: %s", fault);
	*ret = m;
	return 0;
}
