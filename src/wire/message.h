/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.h - protobuf messages in frames
 *
 * Thin and typed by the caller: pack any protobuf-c message behind a frame header, unpack a
 * payload against a descriptor. The result of message_get() is freed with
 * protobuf_c_message_free_unpacked(m, NULL) or AUTO_MESSAGE.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "wire/frame.h"

/** message_put() - Append a frame with a packed message; -EMSGSIZE, -ENOBUFS, -ENOMEM */
int message_put(struct buf *b, enum frame_type type, const void *msg) MUST_CHECK;

/** message_pack() - A message as bytes, without a frame */
int message_pack(struct buf *b, const void *msg) MUST_CHECK;

/**
 * message_get() - Unpack hostile bytes
 * @d:		What they should be, for instance &cmx__open__descriptor
 * @p, @len:	The bytes
 * @e:		Reason
 *
 * Return: the message, owned by the caller, or NULL
 */
void *message_get(const ProtobufCMessageDescriptor *d, const void *p, size_t len, struct err *e);

static inline void message_free(void *p)
{
	ProtobufCMessage *m = *(ProtobufCMessage **)p;

	if (m)
		protobuf_c_message_free_unpacked(m, NULL);
}

/* a local message, freed when it goes out of scope; holding it may be all that it is for */
#define AUTO_MESSAGE __attribute__((cleanup(message_free), unused))

#endif
