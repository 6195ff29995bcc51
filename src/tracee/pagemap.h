/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pagemap.h - inside tracee/: the PAGEMAP_SCAN ioctl of Linux 6.7, which Debian 12's headers lack
 *
 * See Documentation/admin-guide/mm/pagemap.rst of the kernel, include/uapi/linux/fs.h.
 */
#ifndef TRACEE_PAGEMAP_H
#define TRACEE_PAGEMAP_H

#include <linux/ioctl.h>
#include <stdint.h>

struct pagemap_region {
	uint64_t start, end, categories;
};

struct pagemap_scan {
	uint64_t size, flags, start, end;
	uint64_t walk_end; /* out: where it stopped */
	uint64_t vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define PAGEMAP_SCAN_IOCTL _IOWR('f', 16, struct pagemap_scan)

enum pagemap_category {
	PAGEMAP_WPALLOWED = 1,
	PAGEMAP_WRITTEN = 2,
	PAGEMAP_FILE = 4,
	PAGEMAP_PRESENT = 8,
	PAGEMAP_SWAPPED = 16,
	PAGEMAP_PFNZERO = 32,
};

enum pagemap_flags {
	PAGEMAP_WP_MATCHING = 1,   /* write-protect what is reported */
	PAGEMAP_CHECK_WPASYNC = 2, /* fail where that cannot be */
};

#endif
