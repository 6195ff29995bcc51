/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_gossip.c - hostile bytes into the gossip decoder; what it takes must go round unchanged */
#include <errno.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wire/gossip.h"

#define COLUMNS 4 /* of numbers */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gossip_msg m = { 0 }, again = { 0 };
	struct err e = { 0 };
	struct buf b;

	if (gossip_decode(data, size, &m, &e) < 0) {
		MUST(e.code < 0 && e.text[0] != '\0');
		return 0;
	}
	buf_init(&b, GOSSIP_BYTES_MAX);
	MUST(gossip_encode(&m, &b, &e) == (gossip_size(&m) > GOSSIP_BYTES_MAX ? -EMSGSIZE : 0));
	/* a column of one number may have come without its length, else nothing is shorter */
	MUST(gossip_size(&m) <= size + COLUMNS);
	if (b.len == 0) {
		buf_done(&b);
		return 0;
	}
	MUST(b.len == gossip_size(&m));
	MUST(gossip_decode(buf_bytes(&b), b.len, &again, &e) == 0);
	MUST(again.kind == m.kind && again.number == m.number && again.subject == m.subject &&
	     again.desktops == m.desktops && again.n_entries == m.n_entries);
	for (uint32_t i = 0; i < m.n_entries; i++) {
		const struct gossip_entry *x = &m.entries[i], *y = &again.entries[i];

		MUST(x->id == y->id && x->incarnation == y->incarnation && x->seq == y->seq);
		MUST(x->age_ms == y->age_ms && x->state == y->state && x->witness == y->witness);
		MUST(x->load.run_centi == y->load.run_centi &&
		     x->load.free_16mib == y->load.free_16mib &&
		     x->load.util_pct == y->load.util_pct && x->load.guests == y->load.guests &&
		     x->load.flags == y->load.flags);
		MUST(x->has_profile == y->has_profile);
		MUST(memcmp(&x->profile, &y->profile, sizeof(x->profile)) == 0);
	}
	buf_done(&b);
	return 0;
}
