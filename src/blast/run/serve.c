/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.c - send a file of the database to a worker that lacks it, as fast as the link takes it */
#include "blast/run/serve.h"

#include <errno.h>
#include <fcntl.h>

#include "os/fd.h"

void serve_init(struct serve *s, const struct database *of)
{
	*s = (struct serve){ .of = of, .fd = -1 };
}

void serve_done(struct serve *s)
{
	fd_close(&s->fd);
}

void serve_room(struct serve *s, struct link *to)
{
	uint8_t *bytes = s->fd >= 0 ? malloc(BLAST_CHUNK_MAX) : NULL;

	while (bytes && s->fd >= 0 && link_queued(to) < LINK_QUEUE_LOW) {
		Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
		Cmx__BlastChunk b = CMX__BLAST_CHUNK__INIT;
		ssize_t n = pread(s->fd, bytes, BLAST_CHUNK_MAX, (off_t)s->offset);

		if (n <= 0 || s->offset + (uint64_t)n > s->of->files[s->file].size) {
			fd_close(&s->fd); /* all is sent, or it changed: the digest tells */
			break;
		}
		b.file = s->file;
		b.offset = s->offset;
		b.data.data = bytes;
		b.data.len = (size_t)n;
		m.body_case = CMX__BLAST_MESSAGE__BODY_CHUNK;
		m.chunk = &b;
		s->offset += (uint64_t)n;
		link_send(to, &m);
	}
	free(bytes);
}

int serve_start(struct serve *s, struct link *to, uint32_t file)
{
	if (s->fd >= 0 || file >= s->of->n_files)
		return -EPROTO;
	s->file = file;
	s->offset = 0;
	s->fd = open(s->of->files[file].path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	serve_room(s, to);
	return 0;
}
