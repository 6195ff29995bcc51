/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * channel.h - the stream between deputy and guest: a move_link in TLS 1.3 on an fd
 *
 * Theory of operation. The fd is the bare connection that two daemons have made, the key is theirs
 * for this move only (docs/MIGRATION.md section 3); both ends prove that they have it by a TLS 1.3
 * handshake with it as PSK, the deputy as the client. Frames go out at once when the socket takes
 * them: a forwarded call waits for nothing. Events come from the loop only.
 *
 * The stream ends in one of two ways. With TLS's close_notify: the peer meant it, nobody else can
 * have made it, and broken() is called. In any other way: the transport was cut. An owner with
 * cut() may then wait for another transport (channel_replace()): the link keeps what was sent and
 * not acknowledged, both ends say RESUME, and no frame is lost or comes twice. Until then frames
 * may be sent and are kept. How long to wait is the owner's business (lease.h).
 */
#ifndef MIGRATE_CHANNEL_H
#define MIGRATE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "wire/move.h"

#define CHANNEL_KEY	32
#define CHANNEL_BEAT_MS 1000

struct channel;

struct channel_ops {
	/* one frame; a return of -errno (with a reason in @e) breaks the channel: the peer lies */
	int (*frame)(void *owner, const struct move_frame *f, struct err *e);
	/* there is room to send again, or the peer has taken more; may be NULL */
	void (*room)(void *owner);
	/*
	 * the transport was cut; true: channel_replace() will follow, or the owner's lease ends.
	 * May be NULL: then, as after false, it is broken()
	 */
	bool (*cut)(void *owner, const struct err *why);
	/* the peer is alive: before the frames of what was just received; may be NULL */
	void (*heard)(void *owner);
	/* no more will come; called once. The channel stays the owner's to free */
	void (*broken)(void *owner, const struct err *why);
};

/**
 * channel_new() - Begin the handshake
 * @fd:		Connected stream socket; owned by the channel on success
 * @client:	The deputy is
 * @key:	CHANNEL_KEY bytes; copied
 *
 * Frames may be sent at once; they wait for the handshake.
 *
 * Return: 0 or -errno
 */
int channel_new(struct loop *l, int fd, bool client, const uint8_t *key,
		const struct channel_ops *ops, void *owner, struct channel **ret, struct err *e)
	MUST_CHECK;

/** channel_free() - Says to the peer, if it still can, that the end is meant */
void channel_free(struct channel *c);

/**
 * channel_replace() - Go on over another transport, whether the old one was found to be cut or not
 * @fd:		Connected stream socket; owned by the channel on success
 * @key:	CHANNEL_KEY bytes of the new transport; copied
 * @e:		Reason
 *
 * The peer must do the same. Frames flow when its handshake is done and its RESUME has come.
 *
 * Return: 0 or -errno; -EPIPE: it is broken for good
 */
int channel_replace(struct channel *c, int fd, const uint8_t *key, struct err *e) MUST_CHECK;

/** channel_send() - A frame of up to two parts; -ENOBUFS: wait for room(), -EPIPE: broken */
int channel_send(struct channel *c, enum move_type type, const void *p, size_t n, const void *q,
		 size_t m) MUST_CHECK;

/**
 * channel_hold() - Frames that follow each other may wait, some 100 KiB of them, and go together
 *
 * Until channel_let_go(), which must come before the loop does.
 */
void channel_hold(struct channel *c);
void channel_let_go(struct channel *c);

/**
 * channel_await() - Wait in place for what the other side says next, and deal with it
 *
 * For who has just asked what is answered at once, and has nothing else to do: at most one tick of
 * the kernel's clock, 10 ms at the worst. Not from inside of frame().
 */
void channel_await(struct channel *c);
bool channel_room(const struct channel *c, size_t payload);

/**
 * channel_keep() - Keep what is sent, so that the transport may be replaced: as in the beginning
 *
 * To be called before anything is sent, or when all that was is acknowledged or was not kept. As
 * long as nothing is kept, cut() must give up.
 */
void channel_keep(struct channel *c, bool on);

/**
 * channel_reserve() - Where the payload of the next frame is to be written
 * @n:		Bytes, at most
 * @ret:	Room; nothing else may be sent before channel_commit()
 *
 * Return: 0, -ENOBUFS: wait for room(), -EPIPE, -ENOMEM
 */
int channel_reserve(struct channel *c, size_t n, uint8_t **ret) MUST_CHECK;

/** channel_commit() - Send it; @n at most as many bytes as were reserved, 0 or -errno */
int channel_commit(struct channel *c, enum move_type type, size_t n) MUST_CHECK;

/** channel_queued() - Bytes that have not left yet: more in it than a cache holds is slow */
size_t channel_queued(const struct channel *c);

/** channel_backlog() - Bytes that were sent and are not acknowledged */
size_t channel_backlog(const struct channel *c);

/** channel_heard_ms() - CLOCK_BOOTTIME ms of the last bytes of the peer */
uint64_t channel_heard_ms(const struct channel *c);

/** channel_flush() - Give the last words up to ms to leave, from outside the loop */
void channel_flush(struct channel *c, unsigned int ms);

#endif
