/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_gossip.c - hostile bytes into the gossip decoder; what it takes must go round unchanged */
#include <assert.h>
#include <string.h>

#include "wire/gossip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gossip_msg m, again;
	struct buf b;

	if (gossip_decode(data, size, &m, NULL) < 0)
		return 0;
	buf_init(&b, GOSSIP_BYTES_MAX);
	/* a sender may have spent more bytes on the same message, never fewer than we do */
	assert(gossip_encode(&m, &b, NULL) == 0);
	assert(b.len == gossip_size(&m) && b.len <= size);
	assert(gossip_decode(buf_bytes(&b), b.len, &again, NULL) == 0);
	assert(again.n_entries == m.n_entries);
	for (uint32_t i = 0; i < m.n_entries; i++) {
		assert(again.entries[i].id == m.entries[i].id);
		assert(again.entries[i].incarnation == m.entries[i].incarnation);
		assert(again.entries[i].seq == m.entries[i].seq);
		assert(again.entries[i].age_ms == m.entries[i].age_ms);
		assert(again.entries[i].state == m.entries[i].state);
	}
	buf_done(&b);
	return 0;
}
