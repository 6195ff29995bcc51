/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_log.c - a line for the machine's own log, from a program that is no daemon */
#include "os/machine_log.h"

#include <syslog.h>

void machine_log_warn(const char *program, const char *text)
{
	openlog(program, LOG_PID | LOG_NDELAY, LOG_USER);
	syslog(LOG_WARNING, "%s", text);
	closelog();
}
