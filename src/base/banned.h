/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * banned.h - make the functions that nobody should call here a compile error
 *
 * Included by base/err.h and so by every file. The idea is git's banned.h.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef strcpy
#define strcpy(...) banned_use_snprintf_or_buf
#undef strcat
#define strcat(...) banned_use_buf
#undef strncpy
#define strncpy(...) banned_use_snprintf
#undef strncat
#define strncat(...) banned_use_buf
#undef sprintf
#define sprintf(...) banned_use_snprintf
#undef vsprintf
#define vsprintf(...) banned_use_vsnprintf
#undef gets
#define gets(...) banned_gets
#undef atoi
#define atoi(...) banned_use_parse_h
#undef atol
#define atol(...) banned_use_parse_h
#undef strtok
#define strtok(...) banned_use_strsep
#undef gmtime
#define gmtime(...) banned_use_gmtime_r
#undef localtime
#define localtime(...) banned_use_localtime_r
#undef ctime
#define ctime(...) banned_use_strftime
#undef rand
#define rand(...) banned_use_rng_h

#endif
