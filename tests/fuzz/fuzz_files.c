/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_files.c - a hostile list of files, and a hostile answer to one: the first byte cuts them apart */
#include <errno.h>
#include <string.h>

#include "image/files.h"
#include "tests/fuzz/fuzz.h"

/* what was understood is the same after it was sent once more */
static void round_trip(const struct image_files *f, const uint8_t *p, size_t n)
{
	struct buf b;

	buf_init(&b, FILES_BYTES_MAX);
	MUST(files_put(&b, f) == 0);
	MUST(b.len == n && (!n || !memcmp(buf_bytes(&b), p, n)));
	for (size_t i = 0; i < f->n; i++)
		MUST(files_is_name(f->list[i].name, strlen(f->list[i].name)));
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bits[FILES_HAVE_MAX];
	struct image_files f;
	struct err e = { 0 };
	size_t answer;
	int r;

	if (!size)
		return 0;
	answer = data[0] < size - 1 ? data[0] : size - 1;
	files_init(&f);
	r = files_get(data + 1 + answer, size - 1 - answer, &f, &e);
	if (r) {
		MUST((r == -EPROTO || r == -ENOMEM) && e.text[0] && !f.n && !f.list);
		return 0;
	}
	round_trip(&f, data + 1 + answer, size - 1 - answer);
	r = files_get_have(data + 1, answer, &f, &e);
	MUST(r == 0 || r == -EPROTO);
	if (!r)
		MUST(files_put_have(&f, bits) == answer && !memcmp(bits, data + 1, answer));
	files_done(&f);
	return 0;
}
