/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - what the control point remembers, in SQLite
 *
 * Theory of operation. One connection, one mutex: store_begin() takes both, store_commit() or
 * store_rollback() gives them back, and every other function here is called in between, by the
 * thread that began. So a request is one transaction, seen whole or not at all, and threads never
 * meet inside SQLite. WAL with synchronous=FULL: a commit that was answered survives a power cut.
 * The schema grows by numbered migrations (store_schema.c); a database that a newer version wrote
 * is refused. What is kept is bounded: see STORE_*_MAX.
 *
 * Errors: -ENOENT no such row, -EEXIST a unique value is taken, -ENOSPC the disk is full, -EDQUOT
 * one of our own limits, -EIO and the like from SQLite. After any failure but -ENOENT and -EEXIST
 * the transaction can only be rolled back.
 */
#ifndef HEAD_STORE_H
#define HEAD_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define STORE_NODES_MAX	 100000
#define STORE_TOKENS_MAX 10000 /* expired ones are dropped first */
#define STORE_JOINS_MAX	 256   /* pending joins; more are refused */
#define STORE_EVENTS_MAX 20000 /* the oldest are dropped */
#define STORE_TEXT_MAX	 256
#define STORE_NAME_MAX	 64
#define STORE_HASH_TEXT	 65
#define STORE_CSR_MAX	 8192

struct store;

struct store_node {
	uint32_t id;
	char name[STORE_NAME_MAX];
	char role[16];
	char state[16]; /* active, revoked */
	char key_fingerprint[STORE_HASH_TEXT];
	char address[72]; /* empty: only a relay reaches it */
	bool relayed;
	int64_t joined, renewed, certificate_end; /* seconds since 1970; 0: never */
};

struct store_token {
	uint32_t id;
	char hash[STORE_HASH_TEXT]; /* SHA-256 of the secret, hex */
	char role[16];
	char network[72]; /* empty: from anywhere */
	char note[STORE_NAME_MAX];
	uint32_t count, used;
	int64_t created, expires;
	bool revoked;
};

/* a machine that asked to join without a token */
struct store_join {
	char id[33]; /* what the machine polls with; secret between it and us */
	char name[STORE_NAME_MAX];
	char source[72]; /* where it asked from */
	char key_fingerprint[STORE_HASH_TEXT];
	char address[72];
	bool relayed;
	char state[16];	  /* pending, approved, refused */
	char role[16];	  /* once approved */
	uint32_t node_id; /* once approved */
	int64_t created;
	char csr[STORE_CSR_MAX + 1];
};

struct store_event {
	int64_t id;
	int64_t time;
	char type[32];
	char subject[STORE_NAME_MAX]; /* the node's name, the token's number, ... */
	char by[STORE_NAME_MAX];
	char text[STORE_TEXT_MAX];
};

/**
 * store_open() - Open, and bring the schema up to date
 * @path:	The database; made when it is missing
 * @ret:	Ended with store_close()
 * @e:		Reason; -ENOTSUP when a newer version wrote it
 *
 * Return: 0 or -errno
 */
int store_open(const char *path, struct store **ret, struct err *e) MUST_CHECK;
void store_close(struct store *s);

int store_begin(struct store *s, struct err *e) MUST_CHECK;
int store_commit(struct store *s, struct err *e) MUST_CHECK;
void store_rollback(struct store *s);

/* --- nodes --- */
/** store_node_add() - Add; id 0: the next number, never given out before, is set in *n */
int store_node_add(struct store *s, struct store_node *n, struct err *e) MUST_CHECK;
int store_node_by_name(struct store *s, const char *name, struct store_node *ret, struct err *e)
	MUST_CHECK;
int store_node_by_key(struct store *s, const char *key_fingerprint, struct store_node *ret,
		      struct err *e) MUST_CHECK;
int store_node_by_id(struct store *s, uint32_t id, struct store_node *ret, struct err *e)
	MUST_CHECK;
/** store_node_update() - Write state, address, relayed, renewed and certificate_end back */
int store_node_update(struct store *s, const struct store_node *n, struct err *e) MUST_CHECK;
int store_node_remove(struct store *s, uint32_t id, struct err *e) MUST_CHECK;
/** store_nodes() - All, by id; *ret is freed by the caller */
int store_nodes(struct store *s, struct store_node **ret, size_t *ret_n, struct err *e) MUST_CHECK;

/* --- certificates given out, kept until they have ended --- */
int store_certificate_add(struct store *s, const char *serial, uint32_t node_id, int64_t now,
			  int64_t not_after, struct err *e) MUST_CHECK;

/* --- operators' credentials --- */
/** store_operator_use() - When it was shown last; 0: never */
int store_operator_use(struct store *s, const char *serial, int64_t *ret, struct err *e) MUST_CHECK;
int store_operator_used(struct store *s, const char *serial, int64_t now, struct err *e) MUST_CHECK;

/* --- join tokens --- */
int store_token_add(struct store *s, struct store_token *t, int64_t now, struct err *e) MUST_CHECK;
int store_token_by_hash(struct store *s, const char *hash, struct store_token *ret, struct err *e)
	MUST_CHECK;
int store_token_by_id(struct store *s, uint32_t id, struct store_token *ret, struct err *e)
	MUST_CHECK;
/** store_token_use() - Count one use; -ENOENT when none was left or its time is over */
int store_token_use(struct store *s, uint32_t id, int64_t now, struct err *e) MUST_CHECK;
int store_token_revoke(struct store *s, uint32_t id, struct err *e) MUST_CHECK;
int store_tokens(struct store *s, struct store_token **ret, size_t *ret_n, struct err *e)
	MUST_CHECK;

/* --- pending joins --- */
int store_join_add(struct store *s, const struct store_join *j, struct err *e) MUST_CHECK;
int store_join_by_id(struct store *s, const char *id, struct store_join *ret, struct err *e)
	MUST_CHECK;
int store_join_by_name(struct store *s, const char *name, struct store_join *ret, struct err *e)
	MUST_CHECK;
int store_join_by_key(struct store *s, const char *key_fingerprint, struct store_join *ret,
		      struct err *e) MUST_CHECK;
/** store_join_decide() - Write state, role and node_id back */
int store_join_decide(struct store *s, const struct store_join *j, struct err *e) MUST_CHECK;
/** store_joins_expire() - Drop those asked before a time */
int store_joins_expire(struct store *s, int64_t before, struct err *e) MUST_CHECK;
/** store_joins() - The pending ones, oldest first, without their requests */
int store_joins(struct store *s, struct store_join **ret, size_t *ret_n, struct err *e) MUST_CHECK;
/** store_joins_from() - How many are pending from one source */
int store_joins_from(struct store *s, const char *source, uint32_t *ret, struct err *e) MUST_CHECK;

/* --- events --- */
/** store_event_add() - Append; ids only rise; sets ev->id */
int store_event_add(struct store *s, struct store_event *ev, struct err *e) MUST_CHECK;
/** store_events() - Up to max events with id > after, oldest first */
int store_events(struct store *s, int64_t after, size_t max, struct store_event **ret,
		 size_t *ret_n, struct err *e) MUST_CHECK;
/** store_event_of_node() - Type of the last event about a node's coming, state or going */
int store_event_of_node(struct store *s, const char *name, char ret_type[32], struct err *e)
	MUST_CHECK;
/** store_event_last() - The newest id; 0 when there is none */
int store_event_last(struct store *s, int64_t *ret, struct err *e) MUST_CHECK;

#endif
