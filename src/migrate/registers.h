/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registers.h - registers of an image and those of ptrace(2): the same fields, in the same order */
#ifndef MIGRATE_REGISTERS_H
#define MIGRATE_REGISTERS_H

#include <string.h>
#include <sys/user.h>

#include "image/image.h"

_Static_assert(sizeof(struct user_regs_struct) == sizeof(struct image_registers), "same layout");

static inline void registers_to_image(const struct user_regs_struct *from,
				      struct image_registers *to)
{
	memcpy(to, from, sizeof(*to));
}

static inline void registers_from_image(const struct image_registers *from,
					struct user_regs_struct *to)
{
	memcpy(to, from, sizeof(*to));
}

#endif
