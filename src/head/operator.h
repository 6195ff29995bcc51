/* SPDX-License-Identifier: GPL-2.0-or-later */
/* operator.h - the operator's credential file: one PEM with certificate, key and authority */
#ifndef HEAD_OPERATOR_H
#define HEAD_OPERATOR_H

#include "head/sign.h"

#define OPERATOR_NAME	    "operator"
#define OPERATOR_RENEW_DAYS 30

/**
 * operator_write() - Write the file, mode 0600, whole or not at all
 * @path:	Its name
 * @url:	Of the API; stands in its first line, for the commands
 * @cert, @key, @ca: PEM texts
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int operator_write(const char *path, const char *url, const char *cert, const char *key,
		   const char *ca, struct err *e) MUST_CHECK;

/**
 * operator_renew() - Replace the credential when its end is near
 * @path:	Its name; a missing file is left missing: somebody took it away
 * @url, @ca:	As above
 * @s:		The signer, asked over the helper's channel
 * @now:	Seconds since 1970
 * @e:		Reason
 *
 * Return: 1 renewed, 0 nothing to do, -errno
 */
int operator_renew(const char *path, const char *url, const char *ca, struct sign *s, int64_t now,
		   struct err *e) MUST_CHECK;

#endif
