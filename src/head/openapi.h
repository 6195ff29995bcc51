/* SPDX-License-Identifier: GPL-2.0-or-later */
/* openapi.h - docs/openapi.json, built in by tools/embed.py */
#ifndef HEAD_OPENAPI_H
#define HEAD_OPENAPI_H

#include <stddef.h>

extern const unsigned char openapi_json[];
extern const size_t openapi_json_len;

#endif
