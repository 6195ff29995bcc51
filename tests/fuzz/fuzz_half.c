/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_half.c - what a half says to comosixd and it to a half, by their shared end of the socket */
#include "net/half_link.h"
#include "tests/fuzz/fuzz.h"
#include "wire/message.h"

static void check(const Cmx__Half *m)
{
	struct buf b;

	buf_init(&b, 4 * FRAME_PAYLOAD_MAX);
	MUST(message_pack(&b, m) == 0);
	buf_done(&b);
	if (m->body_case == CMX__HALF__BODY_STATE && m->state->start)
		MUST(m->state->start->peer_node != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct half_link l;
	char text[HALF_ID_TEXT];
	uint8_t id[HALF_ID_LEN], back[HALF_ID_LEN];
	struct err e = { 0 };
	Cmx__Half *m = NULL;
	int r;

	MUST(half_link_init(&l, -1) == 0);
	if (buf_put(&l.in, data, size) == 0) {
		while ((r = half_link_take(&l, &m, &e)) == 1) {
			check(m);
			message_free(&m);
		}
		MUST(r == 0 || (r < 0 && e.text[0]));
	}
	half_link_done(&l);
	if (size >= HALF_ID_LEN) {
		memcpy(id, data, sizeof(id));
		half_id_text(id, text);
		MUST(half_id_parse(text, back) == 0 && !memcmp(id, back, sizeof(id)));
	}
	if (size < sizeof(text)) {
		memcpy(text, data, size);
		text[size] = '\0';
		(void)!half_id_parse(text, back); /* any answer will do */
	}
	return 0;
}
