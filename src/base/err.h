/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * err.h - the reason of a failure, owned by the caller
 *
 * A library function that can fail returns 0 or -errno and, when it is given a struct err, writes
 * one line for a person into it: what was tried, on what, and why it failed. It never logs. The
 * daemon or command that decides what to do prints or logs that line once.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/attr.h"
#include "base/banned.h"

#define ERR_TEXT_MAX 512

struct err {
	int code; /* 0 or -errno */
	char text[ERR_TEXT_MAX];
};

/**
 * err_set() - Record a failure
 * @e:		Where to; may be NULL
 * @code:	-errno
 * @fmt:	One line, no newline at its end
 *
 * Return: @code, so that a failing function can end with it
 */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF(3, 4);

/**
 * err_prefix() - Put what was being done in front of a recorded failure: "prefix: text"
 * @e:		A recorded failure; may be NULL
 * @fmt:	The context
 *
 * Return: the recorded code (or -EIO when @e is NULL)
 */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF(2, 3);

#endif
