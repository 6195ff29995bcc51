/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move.h - frames between deputy and guest, numbered, kept until acknowledged
 *
 * Theory of operation. See docs/MIGRATION.md section 3. A struct move_link is one end of the
 * stream, without any input or output: frames to send are put in and come out as bytes; received
 * bytes are put in and come out as frames, each exactly once and in order, also when the transport
 * was replaced in between. Bytes sent are kept until the peer's ACK. ACK frames are made here,
 * after MOVE_ACK_BYTES or MOVE_ACK_FRAMES received. After a break both ends say RESUME with the
 * number they took last, and send again what came after it; so nothing comes twice, and a frame of
 * any other number than the next one is an error.
 *
 * The owner moves bytes between the transport and two buffers, and nothing else:
 *
 *	reading:  as many bytes as move_space() allows to the end of in, then move_take() until
 *		  it says 0; there is room again then
 *	writing:  from the front of out, with buf_eat(); after each move_take() and move_send()
 *		  there may be some
 *	broken:   move_resume(), then the new transport as if nothing had been
 *
 * As long as a broken transport would be the end of it all, nothing need be kept (move_keep()): what
 * is sent then is not counted as kept, and cannot be sent again.
 *
 * Memory is bounded, whatever the peer does: MOVE_IN_MAX, MOVE_KEPT_MAX and MOVE_OUT_MAX bytes.
 *
 * Frame: length u32 (of the payload), type u8, three zero bytes, number u64; little-endian. ACK and
 * RESUME have number 0 and are not kept.
 */
#ifndef WIRE_MOVE_H
#define WIRE_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define MOVE_VERSION	 1
#define MOVE_HEADER	 16
#define MOVE_PAYLOAD_MAX 262144
#define MOVE_KEPT_MAX	 (4U << 20) /* bytes sent and not acknowledged; more is -ENOBUFS */
#define MOVE_ACK_BYTES	 (1U << 20)
#define MOVE_ACK_FRAMES	 64
#define MOVE_PAGE	 4096
#define MOVE_NO_CALL	 UINT32_MAX /* HOMEWARD for a touch of memory */
#define MOVE_PAGES_MAX	 60	    /* of one PAGES frame */
#define MOVE_IN_MAX	 (2U * (MOVE_HEADER + MOVE_PAYLOAD_MAX))
/* what is kept, and the ACKs that an honest peer can provoke before it has to read one */
#define MOVE_OUT_MAX (MOVE_KEPT_MAX + (256U << 10))

/* name, number, fixed part of the payload in bytes, longest payload */
#define MOVE_TYPES(X)                                                                              \
	X(IMAGE, 1, 0, MOVE_PAYLOAD_MAX) /* a piece; an empty one ends the image */                \
	X(PAGES, 2, 16, MOVE_PAYLOAD_MAX)                                                          \
	X(BUILT, 3, 0, 0)                                                                          \
	X(RUN, 4, 0, 0)                                                                            \
	X(CALL, 5, 8, MOVE_PAYLOAD_MAX)                                                            \
	X(ANSWER, 6, 8, MOVE_PAYLOAD_MAX)                                                          \
	X(CANCEL, 7, 4, 4)                                                                         \
	X(SIGNAL, 8, 136, 136)                                                                     \
	X(CLONE, 9, 4, 4)                                                                          \
	X(CLONED, 10, 12, 12)                                                                      \
	X(GONE, 11, 4, 4)                                                                          \
	X(STOPPED, 12, 4, 4)                                                                       \
	X(STOP, 13, 4, 4)                                                                          \
	X(CONT, 14, 0, 0)                                                                          \
	X(HOMEWARD, 15, 8, 8)                                                                      \
	X(RECALL, 16, 0, 0)                                                                        \
	X(DONE, 17, 8, 8)                                                                          \
	X(EXIT, 18, 4, 4)                                                                          \
	X(BEAT, 19, 0, 0)                                                                          \
	X(ACK, 20, 8, 8)                                                                           \
	X(RESUME, 21, 8, 8)                                                                        \
	X(FAIL, 22, 0, 512)                                                                        \
	X(CLOCK, 23, 32, 32)                                                                       \
	X(ROUND, 24, 0, 0)                                                                         \
	X(CHECKPOINT, 25, 4, 4)                                                                    \
	X(KEPT, 26, 16, 16)                                                                        \
	X(LATE, 27, 4, 4)                                                                          \
	X(FETCH, 28, 16, 16)                                                                       \
	X(FILES, 29, 0, MOVE_PAYLOAD_MAX) /* a piece; an empty one ends the list */                \
	X(HAVE, 30, 0, 64)                                                                         \
	X(STREAM, 31, 8, 16)                                                                       \
	X(STREAMED, 32, 16, 16)                                                                    \
	X(MORE, 33, 16, 16)                                                                        \
	X(DATA, 34, 16, MOVE_PAYLOAD_MAX)                                                          \
	X(RELEASE, 35, 16, 16)                                                                     \
	X(ANEW, 36, 0, 0)

enum move_type {
#define MOVE_ENUM(name, number, fixed, max) MOVE_##name = number,
	MOVE_TYPES(MOVE_ENUM)
#undef MOVE_ENUM
};

struct move_frame {
	enum move_type type;
	uint64_t number;
	const uint8_t
		*payload; /* in l->in: good until that, move_take() or move_resume() is used */
	uint32_t len;	  /* checked against MOVE_TYPES */
};

struct move_link {
	struct buf in, out;   /* bytes of the transport */
	struct buf kept;      /* frames sent and not acknowledged, whole */
	uint64_t kept_first;  /* number of the first frame in kept */
	uint64_t sent;	      /* number of the last frame made */
	uint64_t known;	      /* number that the peer has said it took */
	bool keep;	      /* what is sent now is kept */
	uint64_t taken;	      /* number of the last frame that was given to the owner */
	uint64_t acked;	      /* up to which an ACK was sent */
	uint64_t taken_bytes; /* since the last ACK, headers too */
	uint32_t eat;	      /* length of the frame that was given last, still in in */
	bool resuming;	      /* RESUME of the peer is awaited: nothing but it may come */
};

const char *move_name(unsigned int type);

void move_init(struct move_link *l);
void move_done(struct move_link *l);

/**
 * move_send() - Make a frame of up to two parts
 * @l:		The link
 * @type:	Not ACK or RESUME, which are made here
 * @p, @n:	First part of the payload
 * @q, @m:	Second part
 *
 * Return: 0, -EMSGSIZE (a payload that the type cannot have), -ENOBUFS (too much is not
 * acknowledged), -ENOMEM
 */
int move_send(struct move_link *l, enum move_type type, const void *p, size_t n, const void *q,
	      size_t m) MUST_CHECK;

/** move_keep() - Keep what is sent from now on, as after move_init(), or not; nothing is kept now */
void move_keep(struct move_link *l, bool on);

/**
 * move_reserve() - Room for a payload of up to @n bytes, to be written in place
 * @l:		The link; nothing else is sent before move_commit(), or that is never called
 * @ret:	@n bytes
 *
 * Return: 0, -ENOBUFS, -ENOMEM as move_send()
 */
int move_reserve(struct move_link *l, size_t n, uint8_t **ret) MUST_CHECK;

/** move_commit() - It is a frame now; @n at most as many bytes as were reserved; -EMSGSIZE, -ENOMEM */
int move_commit(struct move_link *l, enum move_type type, size_t n) MUST_CHECK;

/** move_room() - May a frame with such a payload be sent now? */
bool move_room(const struct move_link *l, size_t payload);

/** move_space() - How many bytes may be put into l->in now; never 0 after move_take() said 0 */
size_t move_space(const struct move_link *l);

/**
 * move_take() - The next frame that was received
 * @l:		The link
 * @ret:	The frame
 * @e:		What the peer did wrong
 *
 * The frame before it is dropped. ACK and RESUME are dealt with inside. After an error the link is
 * of no more use.
 *
 * Return: 1 a frame, 0 more bytes are wanted in l->in, -EPROTO, -ENOMEM
 */
int move_take(struct move_link *l, struct move_frame *ret, struct err *e) MUST_CHECK;

/**
 * move_ack() - Say now what was taken, without waiting for more; nothing new: nothing is said
 *
 * For a frame whose sender wants to know that it came (it asks move_settled()), such as the last.
 *
 * Return: 0, -ENOBUFS, -ENOMEM
 */
int move_ack(struct move_link *l) MUST_CHECK;

/** move_settled() - Has the peer taken all that was sent? */
bool move_settled(const struct move_link *l);

/** move_resume() - The transport was replaced: forget what is half sent, half taken; say RESUME */
int move_resume(struct move_link *l) MUST_CHECK;

#endif
