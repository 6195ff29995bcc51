/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - what 'lab exec' is to run, as bytes (pure)
 *
 * Magic, umask, number of arguments and of environment strings (u32 big-endian each), then the
 * working directory, the arguments and the environment, each with its NUL. They travel in a memfd,
 * because an argument list may be larger than a packet. Any user may write one.
 */
#ifndef LAB_REQUEST_H
#define LAB_REQUEST_H

#include <stdint.h>

#include "base/buf.h"

#define REQUEST_BYTES_MAX   (4U << 20)
#define REQUEST_STRINGS_MAX 65536

struct lab_request {
	uint32_t umask;
	char *cwd;   /* inside bytes */
	char **argv; /* at least one, NULL at the end; owned, the strings are inside bytes */
	char **env;  /* NULL at the end; part of argv's allocation */
	char *bytes; /* owned */
};

/** request_put() - Write a request; -ENOBUFS when it is too long */
int request_put(struct buf *to, uint32_t umask, const char *cwd, char *const *argv,
		char *const *env) MUST_CHECK;

/**
 * request_parse() - Read hostile bytes
 * @p, @len:	The bytes; copied
 * @ret:	Set on success only; end it with request_done()
 * @e:		Reason
 *
 * Return: 0, -EPROTO, -ENOMEM
 */
int request_parse(const void *p, size_t len, struct lab_request *ret, struct err *e) MUST_CHECK;
void request_done(struct lab_request *r);

#endif
