/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_hello.c - the first frame of a peer */
#include <errno.h>

#include "node/greeting.h"
#include "tests/fuzz/fuzz.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_MESSAGE Cmx__Hello *h = NULL;
	int status = -1, r;
	struct frame f;
	struct err e;

	if (!size || size - 1 > FRAME_PAYLOAD_MAX)
		return 0;
	f = (struct frame){ .type = data[0] & 1 ? FRAME_HELLO : FRAME_ERROR,
			    .payload = data + 1,
			    .len = (uint32_t)size - 1 };
	r = greeting_read(&f, &h, &status, &e);
	if (r < 0) {
		MUST(!h && e.code == r && e.text[0]);
		MUST(r != -EREMOTE || status > 0);
		for (const char *p = e.text; *p; p++)
			MUST((unsigned char)*p >= ' '); /* it goes into a log */
		return 0;
	}
	MUST(h && h->version_max >= PROTOCOL_VERSION_MIN && h->version_min <= PROTOCOL_VERSION_MAX);
	return 0;
}
