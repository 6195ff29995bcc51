/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_parse.c - numbers, sizes, durations, digests as foreign text */
#include <inttypes.h>
#include <math.h>

#include "base/parse.h"
#include "tests/fuzz/fuzz.h"

static void check_numbers(const char *text)
{
	uint64_t v = 0, again = 1;
	uint32_t small = 0;
	char back[32];

	if (parse_u64(text, &v) == 0) {
		(void)snprintf(back, sizeof(back), "%" PRIu64, v);
		MUST(parse_u64(back, &again) == 0 && again == v);
		MUST((parse_u32(text, &small) == 0) == (v <= UINT32_MAX));
		MUST(v > UINT32_MAX || small == v);
		/* a bare number is a size, but never a duration: its unit is wanted */
		MUST(parse_size(text, &again) == 0 && again == v);
		MUST(parse_duration(text, &again) < 0);
	} else {
		MUST(parse_u32(text, &small) < 0);
	}
}

static void check_double(const char *text)
{
	double d = -1;

	if (parse_double(text, &d) == 0)
		MUST(isfinite(d) && d >= 0);
	else
		MUST(d == -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	uint64_t v = 7;

	MUST(text);
	check_numbers(text);
	check_double(text);
	if (parse_size(text, &v) < 0)
		MUST(v == 7);
	v = 7;
	if (parse_duration(text, &v) < 0)
		MUST(v == 7);
	return 0;
}
