/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_blast_msg.c - messages between mpiblast and its workers, and the words a worker is given */
#include "blast/core/options.h"
#include "tests/fuzz/fuzz.h"
#include "wire/blast_msg.h"

/* what was taken from a master must be harmless to a worker, as it is used without further looks */
static void check_setup(const Cmx__BlastSetup *s)
{
	struct err e = { 0 };

	for (size_t i = 0; i < s->n_files; i++) {
		MUST(!strchr(s->files[i]->name, '/') && s->files[i]->name[0] != '.');
		MUST(s->files[i]->sha256.len == BLAST_DIGEST);
	}
	for (size_t i = 0; i < s->n_volumes; i++)
		MUST(!strpbrk(s->volumes[i], "/ \t\n\""));
	MUST(!strpbrk(s->title, "\n"));
	if (options_allowed(s->program, s->args, s->n_args, &e) < 0)
		return;
	for (size_t i = 0; i < s->n_args; i++)
		MUST(!strchr(s->args[i], '/') && strcmp(s->args[i], "-out") != 0);
}

static void check(enum blast_side from, const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	AUTO_MESSAGE Cmx__BlastMessage *m = blast_msg_get(from, data, size, &e);
	struct buf b;

	if (!m) {
		MUST(e.text[0]);
		return;
	}
	if (m->body_case == CMX__BLAST_MESSAGE__BODY_SETUP)
		check_setup(m->setup);
	if (m->body_case == CMX__BLAST_MESSAGE__BODY_HITS)
		MUST(m->hits->n_query == m->hits->n_evalue && m->hits->n_query <= BLAST_HITS_MAX);
	/* unknown fields are kept and written again, so it fits when it came in one frame */
	buf_init(&b, 2 * FRAME_PAYLOAD_MAX);
	if (size <= FRAME_PAYLOAD_MAX / 2)
		MUST(!blast_msg_put(&b, m));
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(BLAST_FROM_MASTER, data, size);
	check(BLAST_FROM_WORKER, data, size);
	return 0;
}
