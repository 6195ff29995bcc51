/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request_fd.h - a request of 'lab exec' in a sealed memfd, ready to be sent */
#ifndef LAB_REQUEST_FD_H
#define LAB_REQUEST_FD_H

#include "base/err.h"

/** request_fd() - With the caller's umask and environment; -E2BIG when it is too long */
int request_fd(const char *cwd, char *const *argv, int *ret_fd, struct err *e) MUST_CHECK;

#endif
