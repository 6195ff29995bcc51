/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * get.c - read an image from records that a peer sent
 *
 * Theory of operation. Records are taken one after the other; the form of each is checked before
 * anything is read from it, and no record makes more memory wanted than a small multiple of its own
 * bytes. What the fields mean is judged at the end, of the whole image, by image_check(). A reader
 * of version N takes what N-1 sent (fields missing at the end are zero) and what N+1 sent (bytes
 * too many at the end, kinds that are not known and need not be).
 */
#include <errno.h>

#include "base/le.h"
#include "image/image.h"
#include "image/record.h"

struct reader {
	struct image *image;
	struct record_end counts;
	bool process, mm, actions, end;
};

struct record {
	const struct record_row *row;
	const uint8_t *body;
	uint32_t len;
};

static const uint8_t *get_field(const uint8_t *from, const struct record_field *f, void *object)
{
	uint8_t *to = (uint8_t *)object + f->offset;

	for (unsigned int i = 0; i < f->n; i++, to += f->size, from += f->size) {
		uint32_t word = f->size == 4 ? le32_get(from) : 0;
		uint64_t wide = f->size == 8 ? le64_get(from) : 0;

		switch (f->size) {
		case 1:
			*to = *from;
			break;
		case 4:
			memcpy(to, &word, sizeof(word));
			break;
		case 8:
			memcpy(to, &wide, sizeof(wide));
			break;
		}
	}
	return from;
}

/* fields [from, to) of the row, as many as there are bytes for */
static const uint8_t *get_fields(const struct record *r, const uint8_t *at, unsigned int from,
				 unsigned int to, void *object)
{
	const uint8_t *end = r->body + r->len;

	for (unsigned int i = from; i < to; i++) {
		const struct record_field *f = &r->row->fields[i];

		if ((size_t)(end - at) < (size_t)f->n * f->size)
			break; /* an earlier version: not there, zero */
		at = get_field(at, f, object);
	}
	return at;
}

static void get_object(const struct record *r, void *object)
{
	(void)get_fields(r, r->body, 0, r->row->n_fields, object); /* what follows is newer */
}

static int get_once(const struct record *r, bool *seen, void *object, struct err *e)
{
	if (*seen)
		return err_set(e, -EPROTO, "an image with two records '%s'", r->row->name);
	*seen = true;
	get_object(r, object);
	return 0;
}

static int get_mapping(struct image *m, const struct record *r, struct err *e)
{
	struct image_mapping *to;

	if (m->n_mappings == IMAGE_MAPPINGS_MAX)
		return err_set(e, -EPROTO, "an image with more than %d mappings",
			       IMAGE_MAPPINGS_MAX);
	to = image_add_mapping(m);
	if (!to)
		return err_set(e, -ENOMEM, "no memory for a mapping of an image");
	get_object(r, to);
	return 0;
}

static int get_thread(struct image *m, const struct record *r, struct err *e)
{
	const uint8_t *at, *end = r->body + r->len;
	struct image_thread *to;
	uint32_t len;

	if (m->n_threads == IMAGE_THREADS_MAX)
		return err_set(e, -EPROTO, "an image with more than %d threads", IMAGE_THREADS_MAX);
	to = image_add_thread(m);
	if (!to)
		return err_set(e, -ENOMEM, "no memory for a thread of an image");
	at = get_fields(r, r->body, 0, r->row->n_first, to);
	len = to->xstate_len;
	to->xstate_len = 0; /* there is none yet */
	if (len > IMAGE_XSTATE_MAX || len > (size_t)(end - at))
		return err_set(e, -EPROTO, "thread %u says that it has %u bytes of extended state",
			       to->tid, len);
	if (len) {
		to->xstate = malloc(len);
		if (!to->xstate)
			return err_set(e, -ENOMEM, "no memory for a thread of an image");
		memcpy(to->xstate, at, len);
		to->xstate_len = len;
	}
	(void)get_fields(r, at + len, r->row->n_first, r->row->n_fields, to); /* as above */
	return 0;
}

static int get_timer(struct image *m, const struct record *r, struct err *e)
{
	if (m->n_timers == IMAGE_TIMERS_MAX)
		return err_set(e, -EPROTO, "an image with more than %d timers", IMAGE_TIMERS_MAX);
	get_object(r, &m->timers[m->n_timers++]);
	return 0;
}

static int get_record(struct reader *g, const struct record *r, struct err *e)
{
	switch (r->row->kind) {
	case RECORD_PROCESS:
		return get_once(r, &g->process, g->image, e);
	case RECORD_MM:
		return get_once(r, &g->mm, g->image, e);
	case RECORD_ACTIONS:
		return get_once(r, &g->actions, g->image, e);
	case RECORD_MAPPING:
		return get_mapping(g->image, r, e);
	case RECORD_THREAD:
		return get_thread(g->image, r, e);
	case RECORD_TIMER:
		return get_timer(g->image, r, e);
	case RECORD_END:
		return get_once(r, &g->end, &g->counts, e);
	}
	return err_set(e, -EPROTO, "an image with a record that has no reader");
}

/* one record off the front; *ret_len: its bytes; r->row is NULL when it is to be skipped */
static int cut_record(const uint8_t *p, size_t n, struct record *r, size_t *ret_len, struct err *e)
{
	unsigned int kind, version;

	if (n < RECORD_HEADER)
		return err_set(e, -EPROTO, "an image that ends too early");
	kind = le16_get(p);
	version = le16_get(p + 2);
	*r = (struct record){ record_row(kind), p + RECORD_HEADER, le32_get(p + 4) };
	if (r->len > n - RECORD_HEADER)
		return err_set(e, -EPROTO, "an image that ends within a record of kind %#x", kind);
	if (!r->row && kind & IMAGE_MUST)
		return err_set(e, -EPROTO,
			       "an image with a record of kind %#x, which this version does not "
			       "know; update this node",
			       kind);
	if (r->row && (!version || r->len < record_bytes(r->row, r->row->n_first)))
		return err_set(e, -EPROTO, "an image with a record '%s' of %u bytes, version %u",
			       r->row->name, r->len, version);
	*ret_len = RECORD_HEADER + r->len;
	return 0;
}

static int check_whole(const struct reader *g, size_t left, struct err *e)
{
	if (left)
		return err_set(e, -EPROTO, "an image with %zu bytes after its end", left);
	if (!g->process || !g->mm || !g->actions)
		return err_set(e, -EPROTO, "an image without its record '%s'",
			       !g->process ? "process"
			       : !g->mm	   ? "memory layout"
					   : "signal actions");
	if (g->counts.n_mappings != g->image->n_mappings ||
	    g->counts.n_threads != g->image->n_threads || g->counts.n_timers != g->image->n_timers)
		return err_set(
			e, -EPROTO,
			"an image of %u mappings, %u threads and %u timers with %zu, %zu and "
			"%u of them",
			g->counts.n_mappings, g->counts.n_threads, g->counts.n_timers,
			g->image->n_mappings, g->image->n_threads, g->image->n_timers);
	return image_check(g->image, e);
}

int image_get(const void *p, size_t n, struct image *ret, struct err *e)
{
	struct reader g = { .image = ret };
	const uint8_t *at = p;
	int r = 0;

	if (n > IMAGE_BYTES_MAX)
		return err_set(e, -EPROTO, "an image of %zu bytes, more than %u", n,
			       IMAGE_BYTES_MAX);
	while (!r && !g.end) {
		struct record record;
		size_t len = 0;

		r = cut_record(at, n, &record, &len, e);
		if (!r && record.row)
			r = get_record(&g, &record, e);
		at += r ? 0 : len;
		n -= r ? 0 : len;
	}
	if (!r)
		r = check_whole(&g, n, e);
	if (r < 0)
		image_done(ret);
	return r;
}
