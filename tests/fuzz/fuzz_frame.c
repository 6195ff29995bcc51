/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_frame.c - a hostile stream into the frame cutter, and each payload into its message */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wire/control.pb-c.h"
#include "wire/message.h"

static const struct {
	enum frame_type type;
	const ProtobufCMessageDescriptor *message;
} messages[] = {
	{ FRAME_HELLO, &cmx__hello__descriptor },
	{ FRAME_ERROR, &cmx__error__descriptor },
	{ FRAME_OPEN, &cmx__open__descriptor },
	{ FRAME_OPEN_OK, &cmx__open_ok__descriptor },
	{ FRAME_MEMBER, &cmx__member__descriptor },
	{ FRAME_STATUS, &cmx__status__descriptor },
	{ FRAME_SIGNAL, &cmx__signal__descriptor },
	{ FRAME_WINSIZE, &cmx__winsize__descriptor },
	{ FRAME_EXIT, &cmx__exit__descriptor },
	{ FRAME_GOSSIP, &cmx__directory__descriptor }, /* one of the payloads in it */
	{ FRAME_RELAY_CALL, &cmx__relay_call__descriptor },
	{ FRAME_STATEMENT, &cmx__statement__descriptor },
};

/*
 * What was understood must be packed, and that must be read without harm. It need not be understood
 * again: protobuf-c keeps an unknown field 0 that was written the long way (80 00), and refuses the
 * short way it packs it.
 */
static void round_trip(const struct frame *f)
{
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		AUTO_MESSAGE ProtobufCMessage *m = NULL;
		AUTO_MESSAGE ProtobufCMessage *again = NULL;
		struct buf b;

		if (messages[i].type != f->type)
			continue;
		m = message_get(messages[i].message, f->payload, f->len, NULL);
		if (!m)
			return;
		buf_init(&b, 8 * FRAME_PAYLOAD_MAX);
		MUST(message_pack(&b, m) == 0);
		again = message_get(messages[i].message, buf_bytes(&b), b.len, NULL);
		(void)again; /* read, and freed */
		buf_done(&b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f;
	struct err e;
	struct buf b;
	int r;

	buf_init(&b, 4 * FRAME_PAYLOAD_MAX);
	if (buf_put(&b, data, size) < 0) {
		buf_done(&b);
		return 0;
	}
	while ((r = frame_take(&b, &f, &e)) == 1) {
		MUST(f.len <= FRAME_PAYLOAD_MAX && f.len + FRAME_HEADER <= b.len);
		MUST(strcmp(frame_name(f.type), "?") != 0);
		round_trip(&f);
		buf_eat(&b, FRAME_HEADER + f.len);
	}
	MUST(r == 0 || (r < 0 && e.code == r && e.text[0]));
	buf_done(&b);
	return 0;
}
