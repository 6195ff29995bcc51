/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_csr.c - signing requests of machines that want to join */
#include <errno.h>

#include "head/ca.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char fingerprint[CA_FINGERPRINT_TEXT] = "";
	struct err e = { 0 };
	int r = ca_check_request(data, size, fingerprint, &e);

	if (!r)
		MUST(strlen(fingerprint) == CA_FINGERPRINT_TEXT - 1 && size <= CA_REQUEST_MAX);
	else
		MUST(e.text[0] && !fingerprint[0]);
	return 0;
}
