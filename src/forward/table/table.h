/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h - the rows of syscalls.def and cases.def, and which of them a call falls under
 *
 * Filter, marshaller, dispatcher of the agent and docs/SYSCALLS.md all ask here. Pure.
 */
#ifndef FORWARD_TABLE_TABLE_H
#define FORWARD_TABLE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* docs/MIGRATION.md section 2 */
#define TABLE_CLASSES(X)                                                                           \
	X(LOCAL, "the host's kernel executes it")                                                  \
	X(HOME, "forwarded")                                                                       \
	X(VIRTUAL, "the guest's agent answers, perhaps with forwarded calls")                      \
	X(SPECIAL, "the agent stops the thread by ptrace")                                         \
	X(RETURN, "the process comes home and makes it there")                                     \
	X(REFUSED, "answered with an error")

enum table_class {
#define TABLE_ENUM(name, what) TABLE_##name,
	TABLE_CLASSES(TABLE_ENUM)
#undef TABLE_ENUM
};

#define TABLE_ARG_NONE 0xff

struct table_case {
	uint64_t mask, value; /* holds when (key & mask) == value */
	const char *what;
	enum table_class class;
	const char *spec; /* as of a row; NULL: cannot be forwarded */
	const char *why;
};

struct table_row {
	const char *name; /* NULL: there is no such call */
	enum table_class class;
	const char *spec; /* the words of syscalls.def without the "?"; NULL: cannot be forwarded */
	const char *why;
	uint8_t key, key_low; /* arguments that choose the case, TABLE_ARG_NONE: none */
	uint16_t n_cases;
	const struct table_case *cases;
};

/* what a call is, its arguments looked at */
struct table_verdict {
	enum table_class class;
	const char *spec; /* NULL: cannot be forwarded */
	const char *why;
};

/** table_end() - One more than the highest number with a row */
uint32_t table_end(void);

/** table_row() - The row of a number; Return: false when the kernel has no such call */
bool table_row(uint32_t nr, struct table_row *ret);

/**
 * table_judge() - Class, arguments and reason of one call
 *
 * An unknown number is RETURN: home's kernel knows what it is.
 */
struct table_verdict table_judge(uint32_t nr, const uint64_t args[6]);

/** table_name() - "read"; "?" for an unknown number */
const char *table_name(uint32_t nr);
const char *table_class_name(enum table_class class);
const char *table_class_what(enum table_class class);

#endif
