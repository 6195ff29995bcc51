/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.c - cut a byte stream into typed frames and put them together */
#include "wire/frame.h"

#include <errno.h>

const char *frame_name(unsigned int type)
{
	switch (type) {
#define FRAME_CASE(name, number, payload)                                                          \
	case number:                                                                               \
		return #name;
		FRAME_TYPES(FRAME_CASE)
#undef FRAME_CASE
	}
	return "?";
}

static uint32_t get_u32be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int frame_take(const struct buf *b, struct frame *ret, struct err *e)
{
	const uint8_t *p;
	uint32_t len;

	if (b->len < FRAME_HEADER)
		return 0;
	p = buf_bytes(b);
	len = get_u32be(p);
	if (len > FRAME_PAYLOAD_MAX)
		return err_set(e, -EPROTO, "a frame of %u bytes, more than %u", len,
			       FRAME_PAYLOAD_MAX);
	if (p[5] || p[6] || p[7])
		return err_set(e, -EPROTO, "not a frame: reserved bytes are set");
	if (frame_name(p[4])[0] == '?')
		return err_set(e, -EPROTO, "a frame of unknown type %u", p[4]);
	if (b->len - FRAME_HEADER < len)
		return 0;
	*ret = (struct frame){ .type = (enum frame_type)p[4],
			       .payload = p + FRAME_HEADER,
			       .len = len };
	return 1;
}

int frame_put(struct buf *b, enum frame_type type, const void *payload, size_t len)
{
	uint8_t *to;
	int r;

	if (len > FRAME_PAYLOAD_MAX)
		return -EMSGSIZE;
	r = buf_room(b, FRAME_HEADER + len, &to);
	if (r < 0)
		return r;
	to[0] = (uint8_t)(len >> 24);
	to[1] = (uint8_t)(len >> 16);
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	to[4] = (uint8_t)type;
	to[5] = to[6] = to[7] = 0;
	if (len)
		memcpy(to + FRAME_HEADER, payload, len);
	buf_grow(b, FRAME_HEADER + len);
	return 0;
}
