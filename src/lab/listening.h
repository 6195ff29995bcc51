/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listening.h - does somebody listen here? asked of /proc, so that nobody is disturbed */
#ifndef LAB_LISTENING_H
#define LAB_LISTENING_H

#include <stdbool.h>
#include <stdint.h>

/** listening_unix() - On this path, in the caller's network namespace */
bool listening_unix(const char *path);

/** listening_tcp() - On this port, IPv4 or IPv6 */
bool listening_tcp(uint16_t port);

#endif
