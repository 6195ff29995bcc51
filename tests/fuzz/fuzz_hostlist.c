/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_hostlist.c - host lists come from the command line and from the API */
#include "base/hostlist.h"

#include "tests/fuzz/fuzz.h"

/* a name that came out is one that can be given in again, and stays what it is */
static void check_name(const char *name)
{
	struct hostlist again = { 0 };

	MUST(strlen(name) > 0 && strlen(name) <= HOSTLIST_NAME_MAX);
	MUST(hostlist_parse(name, &again, NULL) == 0);
	MUST(again.n == 1 && !strcmp(again.names[0], name));
	hostlist_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	struct hostlist h = { 0 };
	struct err e = { 0 };

	MUST(text);
	if (hostlist_parse(text, &h, &e) < 0) {
		MUST(e.code < 0 && e.text[0]);
		MUST(!h.n && !h.names);
		return 0;
	}
	MUST(h.n <= HOSTLIST_MAX);
	for (size_t i = 0; i < h.n && i < 64; i++)
		check_name(h.names[i]);
	hostlist_done(&h);
	return 0;
}
