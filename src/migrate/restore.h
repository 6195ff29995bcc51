/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restore.h - a stub becomes the process again
 *
 * Theory of operation. All threads are stopped (stub_halt()). The mappings are made what the
 * guest's were: what is gone is unmapped, what is new is mapped as private memory, protections are
 * changed; what is the same stays as it is, so that a file that was mapped is mapped still. Then
 * the pages that differ are written, then registers and what the kernel keeps for each thread, and
 * at last everything of ours goes.
 */
#ifndef MIGRATE_RESTORE_H
#define MIGRATE_RESTORE_H

#include "base/err.h"
#include "image/image.h"
#include "migrate/stub.h"

/** restore_memory() - The mappings; pages may then be written */
int restore_memory(struct stub *s, const struct image *m, struct err *e) MUST_CHECK;

/**
 * restore_finish() - Threads and process; at return the process runs by itself, and s is empty
 * @but:	This thread is still traced, and stops at its next call (deputy_again.c); 0: none
 */
int restore_finish(struct stub *s, const struct image *m, pid_t but, struct err *e) MUST_CHECK;

#endif
