/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.c - protobuf messages in frames */
#include "wire/message.h"

#include <errno.h>

int message_pack(struct buf *b, const void *msg)
{
	size_t len = protobuf_c_message_get_packed_size(msg);
	uint8_t *to;
	int r = buf_room(b, len, &to);

	if (r < 0)
		return r;
	(void)protobuf_c_message_pack(msg, to); /* writes the size just asked for */
	buf_grow(b, len);
	return 0;
}

int message_put(struct buf *b, enum frame_type type, const void *msg)
{
	size_t len = protobuf_c_message_get_packed_size(msg);
	AUTO_FREE uint8_t *bytes = NULL;

	if (len > FRAME_PAYLOAD_MAX)
		return -EMSGSIZE;
	bytes = malloc(len + 1);
	if (!bytes)
		return -ENOMEM;
	(void)protobuf_c_message_pack(msg, bytes); /* writes the size just asked for */
	return frame_put(b, type, bytes, len);
}

void *message_get(const ProtobufCMessageDescriptor *d, const void *p, size_t len, struct err *e)
{
	void *m = protobuf_c_message_unpack(d, NULL, len, p);

	if (!m)
		(void)err_set(e, -EPROTO, "not a valid %s message", d->short_name);
	return m;
}
