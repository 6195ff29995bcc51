/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grow.h - an array of rows that doubles when it is full */
#ifndef BASE_GROW_H
#define BASE_GROW_H

#include <stddef.h>

#include "base/attr.h"

/**
 * grow() - Have room for one row more
 * @rows:	The array, on the heap; NULL: there is none yet. It is the caller's still after a failure
 * @n:		Rows in use; how many there may be is for the caller to check
 * @cap:	Rows there is room for
 * @first:	How many there are to be room for at first
 * @bytes:	Of a row
 *
 * What is new is not set to anything.
 *
 * Return: the array, which may have moved; NULL: no memory
 */
void *grow(void *rows, size_t n, size_t *cap, size_t first, size_t bytes) MUST_CHECK;

#endif
