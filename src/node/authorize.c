/* SPDX-License-Identifier: GPL-2.0-or-later */
/* authorize.c - who may ask a node what */
#include "node/authorize.h"

#include <stddef.h>
#include <string.h>

#include "base/attr.h"

#define OF(party) (1U << (party))
#define ANY	  (OF(N_PARTIES) - 1)
#define CORE	  (OF(PARTY_HEAD) | OF(PARTY_SERVER))
#define DESKTOP	  OF(PARTY_DESKTOP)
#define LOCAL	  OF(PARTY_LOCAL)
#define PEER	  (CORE | DESKTOP)

/* what a row asks of the uid and the proof; all that are named must hold */
enum need {
	NEED_PROOF = 1,	     /* the operator stands behind it */
	NEED_SYSTEM_UID = 2, /* uid < USER_UID_MIN */
};

#define YES NULL

static const char from_desktop[] =
	"a desktop only hosts work, it may not start any; log in to the head or a server";
static const char to_desktop[] =
	"a desktop runs commands of the operator only; show the operator's "
	"credential (COMOSIX_OPERATOR=FILE, or as root on the head)";
static const char system_uid[] =
	"a uid below 1000 is not honoured from another node; use your own "
	"account, or show the operator's credential (COMOSIX_OPERATOR=FILE)";
static const char system_process[] =
	"processes of system accounts (uid below 1000) stay at home; no other node honours them";
static const char at_its_home[] =
	"a process is moved by a command on its home node: log in there, or show the operator's "
	"credential (COMOSIX_OPERATOR=FILE)";
static const char other[] = "this may not be asked here";

/* the first row that fits decides */
static const struct open_row {
	unsigned int from, self;
	Cmx__OpenKind kind;
	unsigned int needs;
	const char *refusal; /* YES, or why not */
} open_rows[] = {
	{ ANY, ANY, CMX__OPEN_KIND__OPEN_MEMBERS, 0, YES },
	{ LOCAL | CORE, ANY, CMX__OPEN_KIND__OPEN_STATUS, 0, YES },
	/* believed for its signature, whoever brings it */
	{ ANY, ANY, CMX__OPEN_KIND__OPEN_STATEMENT, 0, YES },

	{ LOCAL, DESKTOP, CMX__OPEN_KIND__OPEN_EXEC, 0, from_desktop },
	{ LOCAL, CORE, CMX__OPEN_KIND__OPEN_EXEC, 0, YES },
	{ DESKTOP, ANY, CMX__OPEN_KIND__OPEN_EXEC, 0, from_desktop },
	{ CORE, ANY, CMX__OPEN_KIND__OPEN_EXEC, NEED_PROOF, YES },
	{ CORE, DESKTOP, CMX__OPEN_KIND__OPEN_EXEC, 0, to_desktop },
	{ CORE, CORE, CMX__OPEN_KIND__OPEN_EXEC, NEED_SYSTEM_UID, system_uid },
	{ CORE, CORE, CMX__OPEN_KIND__OPEN_EXEC, 0, YES },

	/* boxed under a uid of the box: the caller's uid gives no right there */
	{ LOCAL, DESKTOP, CMX__OPEN_KIND__OPEN_TASK, 0, from_desktop },
	{ LOCAL, CORE, CMX__OPEN_KIND__OPEN_TASK, 0, YES },
	{ DESKTOP, ANY, CMX__OPEN_KIND__OPEN_TASK, 0, from_desktop },
	{ CORE, ANY, CMX__OPEN_KIND__OPEN_TASK, 0, YES },

	/* the guest is boxed too, but its home must be one that people may have processes on */
	{ DESKTOP, ANY, CMX__OPEN_KIND__OPEN_MOVE, 0, from_desktop },
	{ CORE, ANY, CMX__OPEN_KIND__OPEN_MOVE, NEED_SYSTEM_UID, system_process },
	{ CORE, ANY, CMX__OPEN_KIND__OPEN_MOVE, 0, YES },

	/* whose process it is, is asked where it is at home */
	{ LOCAL, DESKTOP, CMX__OPEN_KIND__OPEN_MIGRATE, 0, from_desktop },
	{ LOCAL, CORE, CMX__OPEN_KIND__OPEN_MIGRATE, 0, YES },
	{ CORE, CORE, CMX__OPEN_KIND__OPEN_MIGRATE, NEED_PROOF, YES },
	{ CORE, CORE, CMX__OPEN_KIND__OPEN_MIGRATE, 0, at_its_home },

	/* a caller sees his own; the head, which answers the operator, all */
	{ LOCAL, ANY, CMX__OPEN_KIND__OPEN_MOVES, 0, YES },
	{ OF(PARTY_HEAD), ANY, CMX__OPEN_KIND__OPEN_MOVES, 0, YES },

	{ LOCAL, DESKTOP, CMX__OPEN_KIND__OPEN_JOB, 0, from_desktop },
	{ LOCAL, CORE, CMX__OPEN_KIND__OPEN_JOB, 0, YES },
};

static const struct want_row {
	unsigned int from, self;
	Cmx__Want want;
	const char *refusal;
} want_rows[] = {
	{ PEER, ANY, CMX__WANT__WANT_PAIR, YES },
	{ PEER, ANY, CMX__WANT__WANT_CONTROL, YES },
	/* open_rows say what may be opened */
	{ PEER, ANY, CMX__WANT__WANT_OPEN, YES },
	{ CORE, CORE, CMX__WANT__WANT_RELAY, YES },
	{ DESKTOP, ANY, CMX__WANT__WANT_RELAY, from_desktop },
	{ CORE, DESKTOP, CMX__WANT__WANT_RELAY,
	  "a desktop does not relay; ask the head or a server" },
	{ PEER, CORE, CMX__WANT__WANT_ACCEPT, YES },
};

enum party party_of_role(const char *role)
{
	static const char *const names[N_PARTIES] = {
		[PARTY_HEAD] = "head",
		[PARTY_SERVER] = "server",
		[PARTY_DESKTOP] = "desktop",
	};

	for (unsigned int i = 0; i < N_PARTIES; i++)
		if (names[i] && !strcmp(names[i], role))
			return (enum party)i;
	return N_PARTIES;
}

const char *authorize_open(const struct ask *a)
{
	unsigned int has = (a->proof ? NEED_PROOF : 0) |
			   (a->uid < USER_UID_MIN ? NEED_SYSTEM_UID : 0);

	for (size_t i = 0; i < ARRAY_LEN(open_rows); i++) {
		const struct open_row *r = &open_rows[i];

		if (r->from & OF(a->from) && r->self & OF(a->self) && r->kind == a->kind &&
		    (r->needs & has) == r->needs)
			return r->refusal;
	}
	return other;
}

const char *authorize_want(enum party from, enum party self, Cmx__Want want)
{
	for (size_t i = 0; i < ARRAY_LEN(want_rows); i++) {
		const struct want_row *r = &want_rows[i];

		if (r->from & OF(from) && r->self & OF(self) && r->want == want)
			return r->refusal;
	}
	return other;
}
