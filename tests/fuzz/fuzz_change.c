/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_change.c - two images, and what has to be done to the mappings of one to have the other's
 *
 * An input is mappings of five bytes each: gap and length in pages, protection, flags and file. The
 * first byte says how many are of the first image, its highest bit what counts as the same. What is told
 * is done to an array of pages, which then must be the second image.
 */
#include "image/change.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#define MAPPINGS 64
#define SPAN	 (MAPPINGS * 32U)
#define FLAGS	 (IMAGE_MAP_SHARED | IMAGE_MAP_GROWSDOWN | IMAGE_MAP_FILE | IMAGE_MAP_VDSO)

struct model {
	uint8_t mapped[SPAN], prot[SPAN], was[SPAN];
	enum image_identity by;
	enum image_change last;
	uint64_t after;
	unsigned int n;
};

static struct image_mapping take(const uint8_t *p, uint64_t *at)
{
	struct image_mapping v = { .prot = p[2] & 7U, .flags = p[3] & FLAGS };

	*at += (p[0] & 15U) * IMAGE_PAGE;
	v.start = *at;
	*at += (1U + (p[1] & 15U)) * IMAGE_PAGE;
	v.end = *at;
	if (v.flags & IMAGE_MAP_FILE) {
		v.inode = p[4] & 3U;
		v.offset = (p[4] & 4U ? v.start : 0) + SPAN * IMAGE_PAGE;
	}
	return v;
}

static size_t fill(struct image *m, const uint8_t *p, size_t n, size_t max)
{
	uint64_t at = 0;
	size_t i = 0;

	image_init(m);
	for (; i < max && i < MAPPINGS && 5 * (i + 1) <= n; i++) {
		struct image_mapping *v = image_add_mapping(m);

		MUST(v);
		*v = take(p + 5 * i, &at);
	}
	return 5 * i;
}

static void spread(const struct image *m, uint8_t *mapped, uint8_t *prot)
{
	for (size_t i = 0; i < m->n_mappings; i++)
		for (uint64_t at = m->mappings[i].start; at < m->mappings[i].end;
		     at += IMAGE_PAGE) {
			if (m->mappings[i].flags & IMAGE_MAP_VDSO)
				continue;
			mapped[at / IMAGE_PAGE] = 1;
			prot[at / IMAGE_PAGE] = (uint8_t)m->mappings[i].prot;
		}
}

static int apply(void *owner, enum image_change what, uint64_t start, uint64_t end,
		 const struct image_mapping *to)
{
	struct model *m = owner;

	MUST(start < end && end <= SPAN * IMAGE_PAGE && !(start % IMAGE_PAGE) &&
	     !(end % IMAGE_PAGE));
	MUST((what == IMAGE_GONE) == !to);
	MUST(!to || (to->start <= start && end <= to->end));
	if (what == IMAGE_NEW && m->last != IMAGE_NEW)
		m->after = 0; /* from the beginning once more */
	MUST(what == IMAGE_NEW || m->last != IMAGE_NEW);
	MUST(start >= m->after);
	m->after = end;
	m->last = what;
	m->n++;
	for (uint64_t i = start / IMAGE_PAGE; i < end / IMAGE_PAGE; i++) {
		MUST(m->mapped[i] == (what != IMAGE_NEW));
		MUST(what != IMAGE_PROTECT || m->prot[i] != to->prot);
		m->mapped[i] = what != IMAGE_GONE;
		m->prot[i] = to ? (uint8_t)to->prot : 0;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mapped[SPAN] = { 0 }, prot[SPAN] = { 0 };
	struct model m = { 0 };
	struct image from, to;
	size_t n;

	if (!size)
		return 0;
	m.by = data[0] & 0x80 ? IMAGE_BY_PLACE : IMAGE_BY_FILE;
	n = fill(&from, data + 1, size - 1, data[0] & 0x7f);
	(void)fill(&to, data + 1 + n, size - 1 - n, MAPPINGS);
	spread(&from, m.mapped, m.prot);
	spread(&to, mapped, prot);
	MUST(image_changes(&from, &to, m.by, apply, &m) == 0);
	MUST(!memcmp(m.mapped, mapped, SPAN));
	for (unsigned int i = 0; i < SPAN; i++)
		MUST(!mapped[i] || m.prot[i] == prot[i]);
	m.n = 0;
	m.last = IMAGE_GONE;
	m.after = 0;
	MUST(image_changes(&to, &to, m.by, apply, &m) == 0 && m.n == 0);
	image_done(&from);
	image_done(&to);
	return 0;
}
