/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rand.h - random bytes from the kernel, fit for keys */
#ifndef OS_RAND_H
#define OS_RAND_H

#include <stddef.h>
#include <stdint.h>

/** rand_bytes() - Fill p; never fails (getrandom(2) blocks until the pool is ready) */
void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);

#endif
