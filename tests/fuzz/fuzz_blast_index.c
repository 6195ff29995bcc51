/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_blast_index.c - heads of database volumes, and alias files */
#include "blast/core/alias.h"
#include "blast/core/dbindex.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dbindex d; /* too large for a stack; overwritten by each call that succeeds */
	struct err e = { 0 };
	struct alias a = { 0 };

	if (dbindex_parse(data, size, &d, &e) < 0) {
		MUST(e.text[0]);
	} else {
		MUST(memchr(d.title, '\0', sizeof(d.title)));
		MUST(d.n_seqs <= INT32_MAX && (d.version == 4 || d.version == 5));
		/* no head is longer than what was given */
		MUST(strlen(d.title) < size);
	}
	e.text[0] = '\0';
	if (alias_parse(data, size, &a, &e) < 0)
		MUST(e.text[0] && !a.title);
	else
		MUST(a.n_members);
	alias_done(&a);
	return 0;
}
