/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gossip.h - the message that members tell each other about who is there and how busy
 *
 * One struct for all kinds; what it costs on the wire is in gossip.proto. The sender's id is not
 * in it: the transport has authenticated the packet with the pair's key and says who spoke.
 */
#ifndef WIRE_GOSSIP_H
#define WIRE_GOSSIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define GOSSIP_VERSION	   1
#define GOSSIP_ENTRIES_MAX 112	/* the decoder refuses more */
#define GOSSIP_BYTES_MAX   1200 /* an encoded message, before the datagram's seal */

/* an incarnation and a sequence number must leave room to be passed by a later one */
#define GOSSIP_INCARNATION_MAX 0x07fffffe
#define GOSSIP_SEQ_MAX	       0xfffffffe

/* ages travel in steps of 32 ms, so that one byte holds four seconds */
#define GOSSIP_AGE_STEP_MS 32
#define GOSSIP_AGE_MAX_MS  (65535u * GOSSIP_AGE_STEP_MS)

/* name, number on the wire: never renumber */
#define GOSSIP_KINDS(X)                                                                            \
	X(WORD, 1)     /* entries only */                                                          \
	X(PING, 2)     /* answer with ACK and the same number */                                   \
	X(ACK, 3)      /* subject: 0, or whom the asker of PING_REQ wanted to reach */             \
	X(PING_REQ, 4) /* ping the subject for me */                                               \
	X(NACK, 5)     /* I tried for you; the subject did not answer me either */

enum gossip_kind {
#define X(name, number) GOSSIP_##name = number,
	GOSSIP_KINDS(X)
#undef X
};

enum gossip_state {
	GOSSIP_ALIVE = 0,
	GOSSIP_SUSPECT = 1,
	GOSSIP_DEAD = 2,
	GOSSIP_LEFT = 3,
};

#define GOSSIP_STATES 4

enum load_flag {
	LOAD_ACCEPTS = 1 << 0,	  /* takes guests now */
	LOAD_OWNER_HERE = 1 << 1, /* the owner is at the keyboard */
	LOAD_DRAINING = 1 << 2,	  /* wants to lose its guests */
};

#define LOAD_FLAGS	7u /* all of them */
#define LOAD_GUESTS_MAX 63

/* what changes all the time */
struct load {
	uint16_t run_centi;  /* tasks that want a CPU, per CPU, in 1/100 */
	uint16_t free_16mib; /* memory that a guest could have, in 16 MiB; told to 1/16 of it */
	uint8_t util_pct;    /* CPU time in use, 0..100 */
	uint8_t guests;	     /* processes of others that run here; 63 means 63 or more */
	uint8_t flags;	     /* enum load_flag */
};

/* what changes when hardware or settings do */
struct load_profile {
	uint16_t cpus;
	uint16_t speed;	    /* of one CPU; 1000 is the yardstick */
	uint16_t mem_16mib; /* memory of the node, in units of 16 MiB */
};

struct gossip_entry {
	uint32_t id;
	uint32_t incarnation;
	uint32_t seq;	 /* of the subject's load sample in this incarnation */
	uint32_t age_ms; /* of that sample when the message was made */
	uint8_t state;	 /* enum gossip_state */
	bool witness;	 /* suspect only: the sender itself got no answer */
	bool has_profile;
	struct load load;
	struct load_profile profile;
};

struct gossip_msg {
	uint8_t kind;	   /* enum gossip_kind */
	uint32_t number;   /* of the ping; 0 in a WORD */
	uint32_t subject;  /* of PING_REQ, NACK and an ACK sent on; else 0 */
	uint32_t desktops; /* that the sender, a core member, counts; else 0 */
	uint32_t n_entries;
	struct gossip_entry entries[GOSSIP_ENTRIES_MAX]; /* ascending ids, each once */
};

/**
 * gossip_size() - Bytes that gossip_encode() will make of a message
 *
 * Cheap enough to be asked for each packet by whoever keeps to a bandwidth.
 */
size_t gossip_size(const struct gossip_msg *m);

/** gossip_entry_size() - The most that one entry may add to a message */
size_t gossip_entry_size(const struct gossip_entry *e);

/**
 * gossip_encode() - Make the bytes of a message
 * @m:		Valid: known kind and states, ids ascending
 * @to:		Appended to
 * @e:		Reason
 *
 * Return: 0, -EINVAL, -EMSGSIZE (more than GOSSIP_BYTES_MAX), -ENOBUFS, -ENOMEM
 */
int gossip_encode(const struct gossip_msg *m, struct buf *to, struct err *e) MUST_CHECK;

/**
 * gossip_decode() - Check and read a peer's bytes
 * @p, @len:	Hostile
 * @ret:	Filled on success only
 * @e:		Reason
 *
 * Fields of later versions are skipped. Whether the sender may say what the message says is for
 * cluster/ to judge.
 *
 * Return: 0, -EPROTO (not a message), -EPROTONOSUPPORT (a version without a common core),
 * -EMSGSIZE, -ENOMEM
 */
int gossip_decode(const uint8_t *p, size_t len, struct gossip_msg *ret, struct err *e) MUST_CHECK;

#endif
