/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_log.h - a line for the machine's own log, from a program that is no daemon */
#ifndef OS_MACHINE_LOG_H
#define OS_MACHINE_LOG_H

/** machine_log_warn() - A warning; nothing happens where nobody keeps a log */
void machine_log_warn(const char *program, const char *text);

#endif
