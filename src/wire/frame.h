/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame.h - cut a byte stream into typed frames and put them together
 *
 * Header of 8 bytes: length of the payload u32 big-endian, type u8, three zero bytes. Frames of
 * one type carry one kind of message (FRAME_TYPES); see docs/PROTOCOL.md section 2.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FRAME_HEADER	  8
#define FRAME_PAYLOAD_MAX 262144

#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION_MAX 1

/* name, number, payload */
#define FRAME_TYPES(X)                                                                             \
	X(HELLO, 1, "Hello")                                                                       \
	X(ERROR, 2, "Error")                                                                       \
	X(OPEN, 3, "Open")                                                                         \
	X(OPEN_OK, 4, "OpenOk")                                                                    \
	X(MEMBER, 5, "Member")                                                                     \
	X(STATUS, 6, "Status")                                                                     \
	X(MOVE, 7, "MoveInfo")                                                                     \
	X(STDIN, 16, "bytes; none: end of file")                                                   \
	X(STDOUT, 17, "bytes")                                                                     \
	X(STDERR, 18, "bytes")                                                                     \
	X(SIGNAL, 19, "Signal")                                                                    \
	X(WINSIZE, 20, "Winsize")                                                                  \
	X(EXIT, 21, "Exit")                                                                        \
	X(GOSSIP, 32, "a gossip message, as in a datagram before sealing")                         \
	X(RELAY_CALL, 33, "RelayCall")                                                             \
	X(STATEMENT, 34, "Statement")                                                              \
	X(PING, 35, "none")                                                                        \
	X(PONG, 36, "none")                                                                        \
	X(BLAST, 64, "a message of blast.proto")                                                   \
	X(HALF, 65, "Half")

enum frame_type {
#define FRAME_ENUM(name, number, payload) FRAME_##name = number,
	FRAME_TYPES(FRAME_ENUM)
#undef FRAME_ENUM
};

struct frame {
	enum frame_type type;
	const uint8_t *payload; /* inside the buffer; good until the buffer changes */
	uint32_t len;
};

/** frame_name() - "HELLO"; "?" for a number that is no type */
const char *frame_name(unsigned int type);

/**
 * frame_take() - Look at the first whole frame of a buffer
 * @b:		Bytes received so far; not changed
 * @ret:	Set when 1 is returned
 * @e:		Reason
 *
 * After use drop it with buf_eat(b, FRAME_HEADER + ret->len).
 *
 * Return: 1 a frame is there, 0 more bytes are wanted, -EPROTO the stream is no frame stream
 */
int frame_take(const struct buf *b, struct frame *ret, struct err *e) MUST_CHECK;

/** frame_put() - Append a frame; -EMSGSIZE when the payload is too long, -ENOBUFS, -ENOMEM */
int frame_put(struct buf *b, enum frame_type type, const void *payload, size_t len) MUST_CHECK;

#endif
