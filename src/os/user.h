/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user.h - the people of this machine, and becoming one of them */
#ifndef OS_USER_H
#define OS_USER_H

#include <sys/types.h>

#include "base/err.h"

#define USER_NAME_MAX 64

struct user {
	uid_t uid;
	gid_t gid;
	char name[USER_NAME_MAX];
	char home[1024];
	char shell[256];
};

/**
 * user_by_uid() - Look somebody up
 *
 * Asks NSS, which may ask a server and block: not for a daemon's loop, unless the passwd file
 * is known to be local.
 *
 * Return: 0, -ENOENT nobody of that kind, other -errno
 */
int user_by_uid(uid_t uid, struct user *ret, struct err *e) MUST_CHECK;

/**
 * user_become() - Drop to a user for good: groups, gid, uid; real, effective and saved
 * @u:		Who
 * @e:		Reason
 *
 * For a child before it execs. Checked afterwards; a process that is that user already keeps what
 * it has. After a failure the process must exit: it may be half-way.
 *
 * Return: 0 or -errno
 */
int user_become(const struct user *u, struct err *e) MUST_CHECK;

#endif
