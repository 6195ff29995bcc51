/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_seal.c - hostile datagrams: nothing that we did not seal may open, and nothing twice */
#include <errno.h>
#include <string.h>

#include "net/seal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t material[SEAL_MATERIAL] = { 0 }, to[SEAL_PAYLOAD_MAX], good[64];
	struct seal *a, *b;
	uint32_t number;
	size_t n;
	int r;

	MUST(seal_new(material, true, &a) == 0 && seal_new(material, false, &b) == 0);
	MUST(seal_peek(data, size, &number) == 0 || seal_open(b, data, size, to, &n) == -EBADMSG);
	/* the seeds are sealed with this key by a: the one way to get in */
	r = seal_open(b, data, size, to, &n);
	MUST(r == 0 || r == -EBADMSG || r == -EALREADY);
	if (r == 0)
		MUST(n + SEAL_OVERHEAD == size && seal_open(b, data, size, to, &n) == -EALREADY);
	/* garbage has not moved the window */
	MUST(seal_close(a, "x", 1, good) == 0);
	if (r != 0)
		MUST(seal_open(b, good, 1 + SEAL_OVERHEAD, to, &n) == 0 && n == 1);
	seal_free(a);
	seal_free(b);
	return 0;
}
