/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * credentials.h - the operators' credentials that the signer has given out
 *
 * In the file `operators` beside the authority's keys: a row per credential until its time is
 * over, so that every one can be listed and revoked, also one that nobody has used yet. The signer
 * process and `comosix-headd operator`, which is root, write it; so it is read anew at each use,
 * under a lock of its directory, and stays the property of the directory's owner.
 */
#ifndef HEAD_CREDENTIALS_H
#define HEAD_CREDENTIALS_H

#include <stdint.h>

#include "base/err.h"
#include "wire/monitor.pb-c.h"

#define CREDENTIALS_MAX 256 /* rows; more are not given out until some have ended */

/**
 * credentials_load() - All rows
 * @dir:	The signer's directory
 * @ret:	Ended with message_free() or AUTO_MESSAGE
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int credentials_load(const char *dir, Cmx__OperatorList **ret, struct err *e) MUST_CHECK;

/**
 * credentials_add() - Write one more down, and forget those whose time is over
 * @dir:	The signer's directory
 * @row:	The new one
 * @now:	Seconds since 1970
 * @e:		Reason
 *
 * Return: 0, -EDQUOT when there are CREDENTIALS_MAX, other -errno
 */
int credentials_add(const char *dir, const Cmx__OperatorCredential *row, int64_t now, struct err *e)
	MUST_CHECK;

#endif
