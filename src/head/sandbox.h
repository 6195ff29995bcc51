/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.h - give up what a process of comosix-headd does not need
 *
 * In this order: a root directory of its own, its uid and gid, no new privileges, no core dumps,
 * death with its parent, a system call filter. There is no way back.
 */
#ifndef HEAD_SANDBOX_H
#define HEAD_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct sandbox {
	uid_t uid;
	gid_t gid;
	const char *root; /* becomes / */
	bool threads;	  /* it may make threads; never processes */
	pid_t parent;	  /* end when this process ends */
};

/** sandbox_enter() - Do all of it; a failure leaves a process that must end at once */
int sandbox_enter(const struct sandbox *s, struct err *e) MUST_CHECK;

/**
 * sandbox_user() - A user by name or by number
 * @s:		"comosix" or "64190"
 * @ret_uid, @ret_gid: A number stands for both
 *
 * Return: 0, -ENOENT
 */
int sandbox_user(const char *s, uid_t *ret_uid, gid_t *ret_gid) MUST_CHECK;

#endif
