/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_lab_request.c - what any user may put into a request of 'lab exec' */
#include <string.h>

#include "lab/request.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_request q;
	struct buf b;
	struct err e;

	if (request_parse(data, size, &q, &e) < 0)
		return 0;
	/* what was understood says the same again, but for bits of the umask that mean nothing */
	MUST(q.argv[0]);
	buf_init(&b, REQUEST_BYTES_MAX);
	MUST(request_put(&b, q.umask, q.cwd, q.argv, q.env) == 0);
	MUST(b.len == size);
	MUST(!memcmp(buf_bytes(&b) + 8, data + 8, size - 8));
	buf_done(&b);
	request_done(&q);
	return 0;
}
