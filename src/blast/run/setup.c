/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setup.c - the message that introduces a search to a worker */
#include "blast/run/setup.h"

#include <errno.h>

#include "wire/blast_msg.h"

int setup_put(struct buf *to, const struct blast_request *request, const struct database *d,
	      const struct engine *engine, struct err *e)
{
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
	Cmx__BlastSetup b = CMX__BLAST_SETUP__INIT;
	AUTO_FREE Cmx__BlastFile *files = calloc(d->n_files, sizeof(*files));
	AUTO_FREE Cmx__BlastFile **list = calloc(d->n_files, sizeof(*list));
	const char *ids[PRELIM_PARTS];
	int r;

	if (!files || !list)
		return err_set(e, -ENOMEM, "out of memory");
	/* protobuf-c has no const; a message that is packed is only read */
	for (size_t i = 0; i < d->n_files; i++) {
		cmx__blast_file__init(&files[i]);
		files[i].name = (char *)(uintptr_t)database_file_name(&d->files[i]);
		files[i].size = d->files[i].size;
		files[i].sha256.data = (uint8_t *)(uintptr_t)d->files[i].sha256;
		files[i].sha256.len = DIGEST_LEN;
		list[i] = &files[i];
	}
	for (int i = 0; i < PRELIM_PARTS; i++)
		ids[i] = engine->ids[i];
	b.version = BLAST_VERSION;
	b.program = (char *)(uintptr_t)request->program;
	b.n_engine = PRELIM_PARTS;
	b.engine = (char **)(uintptr_t)ids;
	b.n_args = request->search.n;
	b.args = (char **)(uintptr_t)request->search.words;
	b.unlimited = request->unlimited;
	b.n_files = d->n_files;
	b.files = list;
	b.n_volumes = d->n_volumes;
	b.volumes = d->volumes;
	b.n_seqs = d->n_seqs;
	b.letters = d->letters;
	b.title = (char *)(uintptr_t)d->title;
	m.body_case = CMX__BLAST_MESSAGE__BODY_SETUP;
	m.setup = &b;
	r = blast_msg_put(to, &m);
	return r < 0 ? err_set(e, r, "the description of the database is too long") : 0;
}
