/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sign.h - ask the signer process
 *
 * The other end of signer.c's table, one function per verb. One question at a time per channel: a
 * mutex orders the threads of the web process. An answer is waited for SIGN_TIMEOUT_MS.
 */
#ifndef HEAD_SIGN_H
#define HEAD_SIGN_H

#include <pthread.h>

#include "head/ca.h"
#include "head/name.h"

#define SIGN_TIMEOUT_MS 10000

struct sign {
	int fd; /* a channel, stays the caller's */
	pthread_mutex_t lock;
	uint32_t number;
};

/* an operator's credential */
struct sign_operator {
	char serial[CA_SERIAL_TEXT];
	char name[NAME_MAX_LEN + 1];
	int64_t issued, not_after;
	bool revoked;
};

struct sign_result {
	struct buf certificate; /* PEM; empty when none was asked for */
	struct buf statement;	/* a packed Statement; empty when nobody was ever revoked */
	struct ca_issued issued;
	uint64_t epoch;			 /* of the statement */
	struct sign_operator *operators; /* owned; NULL unless asked for */
	size_t n_operators;
};

void sign_init(struct sign *s, int fd);

/*
 * Each: 0 and a result to be ended with sign_result_done(), or -EPERM (the signer does not allow
 * it), -EINVAL (a bad request), -EAGAIN (too many), -ETIMEDOUT or another -errno.
 */
int sign_node(struct sign *s, const char *name, const char *role, uint32_t id, const char *csr,
	      struct sign_result *ret, struct err *e) MUST_CHECK;
int sign_https(struct sign *s, const char *csr, struct sign_result *ret, struct err *e) MUST_CHECK;
int sign_operator(struct sign *s, const char *name, const char *csr, struct sign_result *ret,
		  struct err *e) MUST_CHECK;
int sign_revoke(struct sign *s, const char *name, uint32_t id, struct sign_result *ret,
		struct err *e) MUST_CHECK;
/** sign_operators() - All credentials of operators that were given out and have not ended */
int sign_operators(struct sign *s, struct sign_result *ret, struct err *e) MUST_CHECK;
/** sign_revoke_operator() - -ENOENT when it never gave that one out; again is no failure */
int sign_revoke_operator(struct sign *s, const char *serial, struct sign_result *ret, struct err *e)
	MUST_CHECK;
int sign_statement(struct sign *s, struct sign_result *ret, struct err *e) MUST_CHECK;

void sign_result_done(struct sign_result *r);

#endif
