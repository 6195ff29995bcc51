/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test.h - cmocka with what it wants included first */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

#endif
