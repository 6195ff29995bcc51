/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_members.h - whom the nodes of a lab know */
#ifndef CTL_LAB_MEMBERS_H
#define CTL_LAB_MEMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MEMBER_NAME_MAX	 64
#define MEMBER_STATE_MAX 16

struct lab_member {
	char name[MEMBER_NAME_MAX];
	char state[MEMBER_STATE_MAX];
};

/**
 * lab_members() - Whom one node's comosixd knows now
 * @lab:	Name of the lab
 * @node:	Name of the node
 * @ret:	Set on success; the caller frees it
 * @ret_n:	How many, the node itself among them
 * @e:		Reason
 */
int lab_members(const char *lab, const char *node, struct lab_member **ret, size_t *ret_n,
		struct err *e) MUST_CHECK;

/**
 * lab_members_wait() - Wait until one node knows so many that are alive
 * @lab, @node:	Which node
 * @alive:	How many, itself among them
 * @deadline_ms: clock_boot_ms() at which to give up with -ETIMEDOUT
 * @e:		Reason, with the number reached
 */
int lab_members_wait(const char *lab, const char *node, uint32_t alive, uint64_t deadline_ms,
		     struct err *e) MUST_CHECK;

#endif
