/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exit_status.h - how our own commands end (docs/ARCHITECTURE.md, command-line contract) */
#ifndef CTL_EXIT_STATUS_H
#define CTL_EXIT_STATUS_H

enum exit_status {
	EXIT_ALL_WELL = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_SOME_FAILED = 3,
	EXIT_NOT_FOUND = 4,
	EXIT_REFUSED = 5,
	EXIT_TIMED_OUT = 6,
};

#endif
