/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_authorize.c - every cell of who may ask what, against the words of docs/PROTOCOL.md section
 * 3 */
#include "node/authorize.h"
#include "test.h"

static const enum party selves[] = { PARTY_HEAD, PARTY_SERVER, PARTY_DESKTOP };

/* the document's sentences again, in another form than the code's table */
static bool exec_allowed(const struct ask *a)
{
	if (a->from == PARTY_DESKTOP)
		return false; /* a desktop only hosts */
	if (a->from == PARTY_LOCAL)
		return a->self != PARTY_DESKTOP; /* the other node asks again */
	if (a->proof)
		return true; /* any uid, anywhere */
	return a->self != PARTY_DESKTOP && a->uid >= 1000;
}

static bool task_allowed(const struct ask *a)
{
	if (a->from == PARTY_LOCAL)
		return a->self != PARTY_DESKTOP;
	return a->from != PARTY_DESKTOP;
}

static bool allowed(const struct ask *a)
{
	switch ((int)a->kind) {
	case CMX__OPEN_KIND__OPEN_MEMBERS:
	case CMX__OPEN_KIND__OPEN_STATEMENT:
		return true;
	case CMX__OPEN_KIND__OPEN_STATUS:
		return a->from != PARTY_DESKTOP;
	case CMX__OPEN_KIND__OPEN_EXEC:
		return exec_allowed(a);
	case CMX__OPEN_KIND__OPEN_TASK:
		return task_allowed(a);
	case CMX__OPEN_KIND__OPEN_MOVE:
		return (a->from == PARTY_HEAD || a->from == PARTY_SERVER) && a->uid >= 1000;
	case CMX__OPEN_KIND__OPEN_MIGRATE:
		if (a->from == PARTY_LOCAL || a->from == PARTY_DESKTOP || a->self == PARTY_DESKTOP)
			return a->from == PARTY_LOCAL && a->self != PARTY_DESKTOP;
		return a->proof;
	case CMX__OPEN_KIND__OPEN_MOVES:
		return a->from == PARTY_LOCAL || a->from == PARTY_HEAD;
	case CMX__OPEN_KIND__OPEN_JOB:
		return a->from == PARTY_LOCAL && a->self != PARTY_DESKTOP;
	}
	return false; /* OPEN_NONE, and kinds to come */
}

static void every_cell(void **state)
{
	static const uint32_t uids[] = { 0, 1, 999, 1000, 65534, UINT32_MAX };
	size_t yes = 0, no = 0;

	for (int from = 0; from < N_PARTIES; from++)
		for (size_t s = 0; s < ARRAY_LEN(selves); s++)
			for (int kind = 0; kind < 12; kind++)
				for (size_t u = 0; u < ARRAY_LEN(uids); u++)
					for (int proof = 0; proof < 2; proof++) {
						const struct ask a = {
							.from = (enum party)from,
							.self = selves[s],
							.kind = (Cmx__OpenKind)kind,
							.uid = uids[u],
							.proof = proof,
						};
						const char *refusal = authorize_open(&a);

						if (allowed(&a) != !refusal)
							fail_msg("from %d self %d kind %d uid %u "
								 "proof %d: %s",
								 from, selves[s], kind, uids[u],
								 proof, refusal ? refusal : "yes");
						assert_true(!refusal || refusal[0]);
						refusal ? no++ : yes++;
					}
	assert_true(yes > 0 && no > 0);
}

static void a_proof_never_takes_away(void **state)
{
	for (int from = 0; from < N_PARTIES; from++)
		for (int kind = 0; kind < 8; kind++)
			for (uint32_t uid = 998; uid < 1002; uid++) {
				struct ask a = { .from = (enum party)from,
						 .self = PARTY_DESKTOP,
						 .kind = (Cmx__OpenKind)kind,
						 .uid = uid };

				if (authorize_open(&a))
					continue;
				a.proof = true;
				assert_null(authorize_open(&a));
			}
}

static void connections(void **state)
{
	static const struct {
		enum party from, self;
		Cmx__Want want;
		bool yes;
	} rows[] = {
		{ PARTY_DESKTOP, PARTY_DESKTOP, CMX__WANT__WANT_PAIR, true },
		{ PARTY_DESKTOP, PARTY_HEAD, CMX__WANT__WANT_CONTROL, true },
		{ PARTY_SERVER, PARTY_DESKTOP, CMX__WANT__WANT_OPEN, true },
		{ PARTY_HEAD, PARTY_SERVER, CMX__WANT__WANT_RELAY, true },
		{ PARTY_DESKTOP, PARTY_SERVER, CMX__WANT__WANT_RELAY, false },
		{ PARTY_SERVER, PARTY_DESKTOP, CMX__WANT__WANT_RELAY, false },
		{ PARTY_DESKTOP, PARTY_SERVER, CMX__WANT__WANT_ACCEPT, true },
		{ PARTY_DESKTOP, PARTY_DESKTOP, CMX__WANT__WANT_ACCEPT, false },
		{ PARTY_SERVER, PARTY_SERVER, CMX__WANT__WANT_NONE, false },
		{ PARTY_SERVER, PARTY_SERVER, (Cmx__Want)99, false },
		{ PARTY_LOCAL, PARTY_SERVER, CMX__WANT__WANT_PAIR, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(!authorize_want(rows[i].from, rows[i].self, rows[i].want),
				 rows[i].yes);
}

static void roles(void **state)
{
	assert_int_equal(party_of_role("head"), PARTY_HEAD);
	assert_int_equal(party_of_role("server"), PARTY_SERVER);
	assert_int_equal(party_of_role("desktop"), PARTY_DESKTOP);
	assert_int_equal(party_of_role("operator"), N_PARTIES);
	assert_int_equal(party_of_role("local"), N_PARTIES);
	assert_int_equal(party_of_role(""), N_PARTIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell),
		cmocka_unit_test(a_proof_never_takes_away),
		cmocka_unit_test(connections),
		cmocka_unit_test(roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
