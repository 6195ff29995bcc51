/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scenarios.h - what is done both ways; each leaves descriptors and files as it found them */
#ifndef TESTS_FORWARD_SCENARIOS_H
#define TESTS_FORWARD_SCENARIOS_H

#include "tests/forward/twin.h"

#define SCENARIOS(X)                                                                               \
	X(names)                                                                                   \
	X(status)                                                                                  \
	X(read_write)                                                                              \
	X(vectors)                                                                                 \
	X(directory)                                                                               \
	X(descriptors)                                                                             \
	X(pipes)                                                                                   \
	X(sockets)                                                                                 \
	X(datagrams)                                                                               \
	X(messages)                                                                                \
	X(many_messages)                                                                           \
	X(waiting)                                                                                 \
	X(epoll)                                                                                   \
	X(terminal)                                                                                \
	X(process)                                                                                 \
	X(children)                                                                                \
	X(objects)                                                                                 \
	X(timers)                                                                                  \
	X(signals)                                                                                 \
	X(signalfd)                                                                                \
	X(changes)

#define SCENARIO_PROTOTYPE(name) void scenario_##name(struct twin *t);
SCENARIOS(SCENARIO_PROTOTYPE)
#undef SCENARIO_PROTOTYPE

#endif
