/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blast_msg.h - messages between mpiblast and its workers, packed and checked
 *
 * blast_msg_get() checks everything that can be checked without knowing the run: lengths, counts,
 * names without directories, digests, which side may say what. What a number means in this run
 * (a task that was given, an OID in its range) is the receiver's to check.
 */
#ifndef WIRE_BLAST_MSG_H
#define WIRE_BLAST_MSG_H

#include "wire/blast.pb-c.h"
#include "wire/message.h"

#define BLAST_VERSION	  1
#define BLAST_FILES_MAX	  4096
#define BLAST_NAME_MAX	  200
#define BLAST_TITLE_MAX	  4096
#define BLAST_TEXT_MAX	  1024
#define BLAST_ARGS_MAX	  256
#define BLAST_ENGINE_MAX  8
#define BLAST_CHUNK_MAX	  131072
#define BLAST_QUERIES_MAX 200000 /* bytes of a task's FASTA, so that it fits a frame */
#define BLAST_HITS_MAX	  8192	 /* in one message */
#define BLAST_DIGEST	  32

enum blast_side {
	BLAST_FROM_MASTER,
	BLAST_FROM_WORKER,
};

/**
 * blast_msg_get() - Unpack and check a message
 * @from:	Who sent it
 * @p, @len:	Payload of a BLAST frame
 * @e:		What is wrong with it
 *
 * Return: the message, for AUTO_MESSAGE or message_free(); NULL when it is bad
 */
Cmx__BlastMessage *blast_msg_get(enum blast_side from, const void *p, size_t len, struct err *e);

/** blast_msg_put() - Append a frame with a message; -EMSGSIZE, -ENOBUFS, -ENOMEM */
int blast_msg_put(struct buf *b, const Cmx__BlastMessage *m) MUST_CHECK;

/** blast_msg_name_ok() - A file name that can be used in a directory of ours */
bool blast_msg_name_ok(const char *name);

#endif
