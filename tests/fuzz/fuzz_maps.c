/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_maps.c - lists of mappings, and stat and status of a process: "M" and a list, or "P", a
 * stat, "@@" and a status. The names in them are the process's choice
 */
#include "tests/fuzz/fuzz.h"
#include "tracee/maps.h"

static void check_maps(const char *text)
{
	char *copy = strdup(text);
	uint64_t last = 0;
	struct maps m;
	struct err e;

	MUST(copy);
	if (maps_parse(copy, &m, &e) < 0) {
		MUST(e.text[0]);
		return;
	}
	for (size_t i = 0; i < m.n; i++) {
		const struct maps_entry *x = &m.entries[i];

		MUST(x->start >= last && x->start < x->end);
		MUST(x->start % 4096 == 0 && x->end % 4096 == 0);
		MUST(x->prot <= 7);
		MUST(strlen(x->name) <= strlen(text) && !strchr(x->name, 10));
		last = x->end;
	}
	maps_done(&m);
}

static void check_proc(char *text)
{
	char *status = strstr(text, "@@");
	struct proc_stat st;

	if (!status)
		return;
	*status = '\0';
	if (proc_stat_parse(text, status + 2, &st, NULL) < 0)
		return;
	MUST(memchr(st.name, '\0', sizeof(st.name)));
	MUST(st.pid >= 0 && st.n_ns_pids >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);

	MUST(text);
	if (text[0] == 'M')
		check_maps(text + 1);
	else if (text[0] == 'P')
		check_proc(text + 1);
	return 0;
}
