/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture.h - read a stopped process into an image; at home before it leaves, at the host before it
 * comes back
 *
 * Theory of operation. First the threads: registers, masks, what the kernel keeps for the C library.
 * A thread that was stopped inside a call gets the registers of one that is about to make it again,
 * so that calls may be injected into it; a sleep or poll that the kernel would go on with by
 * restart_syscall(2) is noted, for its rest is in the kernel at home and nowhere else. Then,
 * by one batch of injected calls, what only the process itself can ask. Nothing is changed in it.
 */
#ifndef MIGRATE_CAPTURE_H
#define MIGRATE_CAPTURE_H

#include "base/err.h"
#include "image/image.h"
#include "tracee/batch.h"
#include "tracee/maps.h"

enum capture_side {
	CAPTURE_HOME, /* the kernel's rest of an interrupted sleep is to be used at home later */
	CAPTURE_HOST, /* there is no such rest: only futex waits sleep at the host */
};

/**
 * capture_threads() - Registers and the like of all threads
 * @tids, @n:	Stopped; the leader first
 * @side:	Where we are
 * @ret:	Gets the threads; their registers are rewound. Those in the kernel too, so that calls
 *		may be injected
 * @e:		Reason
 *
 * Return: 0 or -errno; -ESRCH when a thread has gone
 */
int capture_threads(const pid_t *tids, size_t n, enum capture_side side, struct image *ret,
		    struct err *e) MUST_CHECK;

/**
 * capture_process() - Everything else but pages
 * @b:		A batch in the process, empty; left empty
 * @hide_start, @hide_end: Our own region, which is no part of the image
 * @known:	As for capture_maps()
 * @ret:	Has the threads already
 * @e:		Reason
 *
 * Return: 0 or -errno
 */
int capture_process(struct batch *b, uint64_t hide_start, uint64_t hide_end,
		    const struct image *known, struct image *ret, struct err *e) MUST_CHECK;

/**
 * capture_maps() - The mappings alone; replaces those of the image
 * @known:	An earlier image of it, or NULL. What /proc/PID/maps does not say of a mapping is taken
 *		from it: smaps would, but walks over every page (10 ms and more for each GiB). For
 *		memory that was not known then, smaps is read all the same
 */
int capture_maps(pid_t pid, uint64_t hide_start, uint64_t hide_end, const struct image *known,
		 struct image *ret, struct err *e) MUST_CHECK;

/** capture_mappings() - The same of a list that was read already */
int capture_mappings(const struct maps *maps, uint64_t hide_start, uint64_t hide_end,
		     const struct image *known, struct image *ret, struct err *e) MUST_CHECK;

#endif
