/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_sse.c - a stream of events: the same whichever way it is cut into pieces */
#include "base/buf.h"
#include "net/sse.h"
#include "tests/fuzz/fuzz.h"

static bool on_event(void *owner, const char *type, const char *data, int64_t id)
{
	MUST(strlen(type) < SSE_TYPE_MAX);
	MUST(!buf_printf(owner, "%s|%s|%lld\n", type, data, (long long)id));
	return true;
}

static int feed(const uint8_t *data, size_t size, size_t step, struct buf *out)
{
	struct sse s;
	int r = 1;

	sse_init(&s);
	for (size_t at = 0; r > 0 && at < size; at += step)
		r = sse_feed(&s, (const char *)data + at, size - at < step ? size - at : step,
			     on_event, out);
	sse_done(&s);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;
	int a, b;

	buf_init(&whole, 64 * 1024 * 1024);
	buf_init(&pieces, 64 * 1024 * 1024);
	a = feed(data, size, size + 1, &whole);
	b = feed(data, size, 3, &pieces);
	MUST(a == b);
	MUST(a < 0 || (whole.len == pieces.len &&
		       (!whole.len || !memcmp(buf_bytes(&whole), buf_bytes(&pieces), whole.len))));
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
