/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_image.c - a hostile image: refused with a reason, or fit to be built and sent on */
#include <errno.h>

#include "image/image.h"
#include "tests/fuzz/fuzz.h"

/* what was understood is the same after it was sent once more */
static void round_trip(const struct image *m)
{
	struct image again;
	struct buf b;

	buf_init(&b, 2 * IMAGE_BYTES_MAX);
	image_init(&again);
	MUST(image_check(m, NULL) == 0);
	MUST(image_put(&b, m) == 0);
	MUST(image_get(buf_bytes(&b), b.len, &again, NULL) == 0);
	MUST(!memcmp(m, &again, offsetof(struct image, mappings)));
	MUST(again.n_mappings == m->n_mappings && again.n_threads == m->n_threads);
	if (m->n_mappings)
		MUST(!memcmp(m->mappings, again.mappings, m->n_mappings * sizeof(*m->mappings)));
	for (size_t i = 0; i < m->n_threads; i++)
		MUST(!memcmp(m->threads[i].xstate, again.threads[i].xstate,
			     m->threads[i].xstate_len));
	image_done(&again);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	struct image m;
	int r;

	image_init(&m);
	r = image_get(data, size, &m, &e);
	if (!r)
		round_trip(&m);
	else
		MUST((r == -EPROTO || r == -ENOMEM) && e.code == r && e.text[0] && !m.mappings &&
		     !m.threads);
	image_done(&m);
	return 0;
}
