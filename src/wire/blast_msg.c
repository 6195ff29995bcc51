/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blast_msg.c - messages between mpiblast and its workers, packed and checked */
#include "wire/blast_msg.h"

#include <errno.h>

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-"

bool blast_msg_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n && n <= BLAST_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, NAME_BYTES) == n;
}

/* text of one line */
static bool text_ok(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 127)
			return false;
	return true;
}

static const char *check_setup(const Cmx__BlastSetup *s)
{
	if (s->version != BLAST_VERSION)
		return "another version of mpiblast";
	if (s->n_args > BLAST_ARGS_MAX || s->n_files > BLAST_FILES_MAX ||
	    s->n_volumes > BLAST_FILES_MAX || s->n_engine > BLAST_ENGINE_MAX)
		return "a list is too long";
	if (!s->n_files || !s->n_volumes || !s->n_seqs || s->n_seqs > INT32_MAX)
		return "the database is empty";
	if (!blast_msg_name_ok(s->program) || !text_ok(s->title, BLAST_TITLE_MAX))
		return "a name is bad";
	for (size_t i = 0; i < s->n_args; i++)
		if (!text_ok(s->args[i], BLAST_NAME_MAX))
			return "a word is bad";
	for (size_t i = 0; i < s->n_engine; i++)
		if (!text_ok(s->engine[i], BLAST_NAME_MAX))
			return "a build id is bad";
	for (size_t i = 0; i < s->n_volumes; i++)
		if (!blast_msg_name_ok(s->volumes[i]))
			return "the name of a volume is bad";
	for (size_t i = 0; i < s->n_files; i++)
		if (!blast_msg_name_ok(s->files[i]->name) ||
		    s->files[i]->sha256.len != BLAST_DIGEST || s->files[i]->size > INT64_MAX)
			return "a file is bad";
	return NULL;
}

static const char *check_task(const Cmx__BlastTask *t)
{
	if (!t->task || t->first >= t->last || t->last > INT32_MAX)
		return "the range of sequences is bad";
	if (!t->n_queries || !t->queries.len || t->queries.len > BLAST_QUERIES_MAX)
		return "the queries are bad";
	return NULL;
}

static const char *check_hits(const Cmx__BlastHits *h)
{
	if (!h->task || !h->n_query || h->n_query > BLAST_HITS_MAX)
		return "the number of hits is bad";
	if (h->n_oid != h->n_query || h->n_evalue != h->n_query || h->n_limit != h->n_query)
		return "the lists of hits are not of one length";
	return NULL;
}

static const char *check_body(enum blast_side from, const Cmx__BlastMessage *m)
{
	bool worker = from == BLAST_FROM_WORKER;
	const char *other = "that is for the other side to say";

	switch (m->body_case) {
	case CMX__BLAST_MESSAGE__BODY_SETUP:
		return worker ? other : check_setup(m->setup);
	case CMX__BLAST_MESSAGE__BODY_CHUNK:
		if (worker)
			return other;
		return !m->chunk->data.len || m->chunk->data.len > BLAST_CHUNK_MAX ? "a bad chunk"
										   : NULL;
	case CMX__BLAST_MESSAGE__BODY_TASK:
		return worker ? other : check_task(m->task);
	case CMX__BLAST_MESSAGE__BODY_CANCEL:
		return worker ? other : NULL;
	case CMX__BLAST_MESSAGE__BODY_NEED:
	case CMX__BLAST_MESSAGE__BODY_READY:
	case CMX__BLAST_MESSAGE__BODY_BEAT:
		return worker ? NULL : other;
	case CMX__BLAST_MESSAGE__BODY_HITS:
		return worker ? check_hits(m->hits) : other;
	case CMX__BLAST_MESSAGE__BODY_DONE:
		return !worker					 ? other
		       : !m->done->task || m->done->searches > 1 ? "a bad end"
								 : NULL;
	case CMX__BLAST_MESSAGE__BODY_FAILED:
		return !worker					  ? other
		       : text_ok(m->failed->text, BLAST_TEXT_MAX) ? NULL
								  : "a bad text";
	case CMX__BLAST_MESSAGE__BODY__NOT_SET:
	case _CMX__BLAST_MESSAGE__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return "it says nothing";
}

Cmx__BlastMessage *blast_msg_get(enum blast_side from, const void *p, size_t len, struct err *e)
{
	Cmx__BlastMessage *m = message_get(&cmx__blast_message__descriptor, p, len, e);
	const char *why = m ? check_body(from, m) : NULL;

	if (why) {
		(void)err_set(e, -EPROTO, "a bad message: %s", why);
		message_free(&m);
		return NULL;
	}
	return m;
}

int blast_msg_put(struct buf *b, const Cmx__BlastMessage *m)
{
	return message_put(b, FRAME_BLAST, m);
}
