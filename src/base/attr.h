/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attr.h - attributes and the few macros the whole house uses */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#include <stddef.h>
#include <stdlib.h>

#define MUST_CHECK		      __attribute__((warn_unused_result))
#define PRINTF(fmt, args)	      __attribute__((format(printf, fmt, args)))
#define NORETURN		      __attribute__((noreturn))
#define ARRAY_LEN(a)		      (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static inline void attr_free(void *p)
{
	free(*(void **)p);
}

/* a local that is freed when it goes out of scope */
#define AUTO_FREE __attribute__((cleanup(attr_free)))

/**
 * ptr_take() - Hand an AUTO_FREE pointer over to another owner
 * @p:	Address of the pointer; NULL afterwards
 *
 * Return: the pointer
 */
#define ptr_take(p)                                                                                \
	({                                                                                         \
		__typeof__(*(p)) taken_ = *(p);                                                    \
		*(p) = NULL;                                                                       \
		taken_;                                                                            \
	})

#endif
