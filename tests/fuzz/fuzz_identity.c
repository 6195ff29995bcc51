/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_identity.c - hostile certificates and identity addresses */
#include <string.h>

#include "net/identity.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct identity *id)
{
	MUST(strlen(id->cluster) == CLUSTER_ID_LEN && identity_name_ok(id->name));
	MUST((id->role == ROLE_OPERATOR) == (id->id == 0));
	MUST(!strchr(id->name, '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct identity id;
	struct err e;

	if (identity_parse((const char *)data, size, &id, &e) == 0)
		check(&id);
	else
		MUST(e.text[0]);
	if (identity_of_der(data, size, &id, &e) == 0)
		check(&id);
	else
		MUST(e.text[0]);
	return 0;
}
