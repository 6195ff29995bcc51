/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * change.h - what has to be done to the mappings of one image to have those of another
 *
 * Both ends of a move ask this of the same two images, so that both know, without a word, which
 * places were mapped anew and have lost their pages.
 */
#ifndef IMAGE_CHANGE_H
#define IMAGE_CHANGE_H

#include "image/image.h"

enum image_change {
	IMAGE_GONE,    /* unmap it */
	IMAGE_PROTECT, /* other protection, the same pages */
	IMAGE_NEW,     /* map it, empty */
};

enum image_identity {
	/* what is mapped at both times is the same, if it is shared both times or private: one of
	 * them shows no files but those that the host has, too */
	IMAGE_BY_PLACE,
	IMAGE_BY_FILE, /* only if it is the same part of the same file, or of none; else GONE and NEW */
};

/* @to: the mapping that is to be there, NULL when GONE; Return: 0, or the reason to stop */
typedef int image_change_fn(void *owner, enum image_change what, uint64_t start, uint64_t end,
			    const struct image_mapping *to);

/**
 * image_changes() - Tell all of them: GONE and PROTECT by address, then NEW by address
 *
 * The kernel's own mappings ([vdso] and the like) are left out on both sides.
 *
 * Return: 0, or what @fn returned if that was not 0
 */
int image_changes(const struct image *from, const struct image *to, enum image_identity by,
		  image_change_fn *fn, void *owner) MUST_CHECK;

#endif
