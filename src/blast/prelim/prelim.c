/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prelim.c - take part in BLAST+'s own search: dump preliminary lists, or choose what is scanned
 *
 * Theory of operation. Loaded into the genuine program by LD_PRELOAD. BLAST+ searches in two
 * stages: the preliminary stage scans the database and keeps, for each query, a heap of the P best
 * subjects (its preliminary list L); the traceback stage works on L alone and makes the final
 * result. Both stages live behind exported functions of libblast that are called through the
 * PLT, so they can be interposed without touching a file of the package.
 *
 * Phase 1 (dump), on a fragment of the database with the statistics of the whole: after
 * BlastHSPStreamClose() the lists are complete. They are written to the fd and then emptied, so no
 * traceback runs. A member of the whole database's L that lies in the fragment has fewer than P
 * better subjects in the whole, hence in the fragment, hence is in the fragment's list: the union
 * over all fragments contains L. A query that is longer than BLAST+'s chunk is searched chunk by
 * chunk and the limit P acts on each chunk's list, so those are dumped where they are merged.
 *
 * Phase 2 (select), on the user's own database with the user's own options: BLAST+ asks
 * BlastSeqSrcIteratorNext() which sequence to scan next. Instead of all, it gets the candidates of
 * the query batch at hand. As they contain L, and as nothing that is not a subject's own alignment
 * takes part in its rank, the heap of the P best ends up as L, and from there on everything is the
 * program's own work on its own data: same list, same report. Batches are handed over one by
 * one, so that the report of the first is made while the last are still in phase 1.
 *
 * What breaks it: another memory layout (so build ids are compared first, builds.h), a second
 * thread (refused), another cut of the query file into batches (the number of queries is compared).
 * Each of these ends the process with PRELIM_EXIT_REFUSED and a line on stderr. The caller must not
 * use what was written until then.
 */
#include "blast/prelim/prelim.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "blast/prelim/builds.h"
#include "blast/prelim/layout.h"

#define EXPORT __attribute__((visibility("default")))
#define UNLIMITED_HITS                                                                             \
	(1 << 28)    /* more than a fragment has sequences; doubling it is no overflow */
#define SEQ_EOF (-1) /* BLAST_SEQSRC_EOF, algo/blast/core/blast_seqsrc.h */

static const struct {
	enum prelim_part part;
	const char *file, *id;
} builds[] = {
#define BUILD_ROW(version, part, file, id) { PRELIM_##part, file, id },
	PRELIM_BUILDS(BUILD_ROW)
#undef BUILD_ROW
};

#define N_BUILDS (sizeof(builds) / sizeof(builds[0]))

static const char *const part_names[PRELIM_PARTS] = { "program", "libblast.so", "libxblast.so" };

static enum mode {
	MODE_OFF,
	MODE_PROBE,
	MODE_DUMP,
	MODE_SELECT
} mode;
static int io = -1;

/* dump */
static struct prelim_hit out[512];
static unsigned int n_out;
static uint32_t n_hits, n_searches;

/* select */
static int32_t *oids; /* owned; of the batch at hand */
static uint32_t n_oids, next_oid, batch_queries;
static bool batch_here;

static void refuse(const char *why)
{
	(void)dprintf(2, "comosix-prelim: %s\n", why);
	_exit(PRELIM_EXIT_REFUSED);
}

static void write_all(const void *p, size_t n)
{
	const char *c = p;

	while (n) {
		ssize_t w = write(io, c, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			refuse("the reader of the preliminary lists is gone");
		c += w;
		n -= (size_t)w;
	}
}

/* 1: all n bytes; 0: end of file before the first */
static int read_all(void *p, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t r = read(io, (char *)p + have, n - have);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 || (!r && have))
			refuse("the candidates were cut short");
		if (!r)
			return 0;
		have += (size_t)r;
	}
	return 1;
}

static void *real(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		refuse("this BLAST+ lacks a function that should be there");
	return f;
}

static void one_thread(void)
{
	if (syscall(SYS_gettid) != getpid())
		refuse("more than one thread; run with -num_threads 1");
}

/* -- build ids ---------------------------------------------------------------------------- */

static void read_note(const struct dl_phdr_info *info, char *ret_hex)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const char *p = (const char *)(info->dlpi_addr + ph->p_vaddr),
			   *end = p + ph->p_memsz;

		if (ph->p_type != PT_NOTE)
			continue;
		while ((size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
			const ElfW(Nhdr) *n = (const ElfW(Nhdr) *)p;
			const unsigned char *id = (const unsigned char *)p + sizeof(*n) +
						  ((n->n_namesz + 3u) & ~3u);

			if (n->n_type == NT_GNU_BUILD_ID && n->n_descsz == PRELIM_ID_HEX / 2) {
				for (unsigned int k = 0; k < n->n_descsz; k++)
					(void)snprintf(ret_hex + 2 * k, 3, "%02x", id[k]);
				return;
			}
			p = (const char *)id + ((n->n_descsz + 3u) & ~3u);
		}
	}
}

static int find_part(struct dl_phdr_info *info, size_t size, void *to)
{
	char(*ids)[PRELIM_ID_HEX + 1] = to;
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	if (!info->dlpi_name[0])
		read_note(info, ids[PRELIM_PROGRAM]);
	for (int i = PRELIM_LIBBLAST; slash && i < PRELIM_PARTS; i++)
		if (!strcmp(slash + 1, part_names[i]))
			read_note(info, ids[i]);
	return 0;
}

static bool known(enum prelim_part part, const char *id)
{
	for (size_t i = 0; i < N_BUILDS; i++)
		if (builds[i].part == part && !strcmp(builds[i].id, id))
			return true;
	return false;
}

__attribute__((constructor)) static void start(void)
{
	static char ids[PRELIM_PARTS][PRELIM_ID_HEX + 1];
	const char *m = getenv(PRELIM_ENV_MODE), *fd = getenv(PRELIM_ENV_FD);
	struct prelim_head head = { PRELIM_MAGIC, PRELIM_VERSION };

	if (!m || !fd)
		return;
	(void)unsetenv("LD_PRELOAD"); /* not for what BLAST+ may start */
	(void)dl_iterate_phdr(find_part, ids);
	io = (int)strtol(fd, NULL, 10);
	if (!strcmp(m, "probe")) {
		for (int i = 0; i < PRELIM_PARTS; i++)
			(void)dprintf(io, "%s %s\n", part_names[i], ids[i]);
		_exit(0);
	}

	for (int i = 0; i < PRELIM_PARTS; i++)
		if (!known(i, ids[i])) {
			(void)dprintf(2, "comosix-prelim: %s has build id '%s'\n", part_names[i],
				      ids[i]);
			refuse("this build of BLAST+ is not known; run it without splitting");
		}
	mode = !strcmp(m, "dump") ? MODE_DUMP : !strcmp(m, "select") ? MODE_SELECT : MODE_OFF;
	if (mode == MODE_OFF)
		refuse("unknown mode");
	if (mode == MODE_DUMP)
		write_all(&head, sizeof(head));
}

/* -- dump --------------------------------------------------------------------------------- */

static void put_hit(const struct prelim_hit *h)
{
	out[n_out++] = *h;
	if (n_out == sizeof(out) / sizeof(out[0]) || h->flag == PRELIM_END) {
		write_all(out, n_out * sizeof(out[0]));
		n_out = 0;
	}
}

static void put_list(uint32_t query, const struct ncbi_hsp_list *l, int32_t limit, uint32_t flag)
{
	struct prelim_hit h = { query, (uint32_t)l->oid, INT32_MAX, (uint32_t)limit, flag };

	for (int32_t i = 0; i < l->n_hsps; i++)
		if (l->hsps[i]->evalue < h.evalue)
			h.evalue = l->hsps[i]->evalue;
	put_hit(&h);
	n_hits++;
}

static void put_results(const struct ncbi_results *r, uint32_t flag)
{
	for (int32_t q = 0; q < r->n_queries; q++) {
		const struct ncbi_hit_list *h = r->queries[q];

		for (int32_t i = 0; h && i < h->n_lists; i++)
			if (h->lists[i] && h->lists[i]->n_hsps)
				put_list((uint32_t)q, h->lists[i], h->max_lists, flag);
	}
}

/* write the lists of a closed stream and empty it, so that there is nothing to trace back */
static void dump_stream(struct ncbi_stream *s)
{
	if (s->by_score) {
		put_results(s->results, PRELIM_HIT);
		for (int32_t q = 0; q < s->results->n_queries; q++)
			if (s->results->queries[q])
				s->results->queries[q]->n_lists = 0;
		return;
	}
	for (int32_t i = 0; i < s->n_sorted; i++) {
		uint32_t q = (uint32_t)s->sorted[i]->query;

		put_list(q, s->sorted[i], s->results->queries[q]->max_lists, PRELIM_HIT);
	}
	s->n_sorted = 0;
}

/* -- select ------------------------------------------------------------------------------- */

static void load_batch(void)
{
	struct prelim_batch b;

	if (batch_here)
		return;
	if (!read_all(&b, sizeof(b)))
		refuse("BLAST+ made more query batches than were planned");
	if (b.magic != PRELIM_BATCH_MAGIC || b.n_oids > INT_MAX / sizeof(*oids))
		refuse("the candidates are no candidates");
	free(oids);
	oids = malloc(b.n_oids * sizeof(*oids) + 1);
	if (!oids)
		refuse("out of memory");
	if (b.n_oids && !read_all(oids, b.n_oids * sizeof(*oids)))
		refuse("the candidates were cut short");
	n_oids = b.n_oids;
	batch_queries = b.n_queries;
	next_oid = 0;
	batch_here = true;
}

/* -- the interposed functions --------------------------------------------------------------- */

EXPORT void BlastHSPStreamClose(struct ncbi_stream *s);
EXPORT int BlastHSPStreamMerge(void *split, unsigned int chunk, struct ncbi_stream *from,
			       struct ncbi_stream *to);
EXPORT int32_t GetPrelimHitlistSize(int32_t hitlist_size, int32_t cbs, uint8_t gapped);
EXPORT int32_t BlastSeqSrcIteratorNext(const void *source, void *iterator);

void BlastHSPStreamClose(struct ncbi_stream *s)
{
	static void (*next)(struct ncbi_stream *);
	bool first = s && s->results && !s->results_sorted;

	if (!next)
		next = (void (*)(struct ncbi_stream *))real("BlastHSPStreamClose");
	next(s);
	if (!first || mode == MODE_OFF)
		return;

	one_thread();
	n_searches++;
	if (mode == MODE_DUMP) {
		dump_stream(s);
		return;
	}
	load_batch(); /* a search that scanned nothing has not asked yet */
	if (batch_queries != (uint32_t)s->results->n_queries)
		refuse("BLAST+ cut the queries into other batches than were planned");
	batch_here = false;
}

int BlastHSPStreamMerge(void *split, unsigned int chunk, struct ncbi_stream *from,
			struct ncbi_stream *to)
{
	static int (*next)(void *, unsigned int, struct ncbi_stream *, struct ncbi_stream *);

	if (!next)
		next = (int (*)(void *, unsigned int, struct ncbi_stream *,
				struct ncbi_stream *))real("BlastHSPStreamMerge");
	if (mode == MODE_DUMP && from && from->results)
		put_results(from->results, PRELIM_CHUNK);
	return next(split, chunk, from, to);
}

int32_t GetPrelimHitlistSize(int32_t hitlist_size, int32_t cbs, uint8_t gapped)
{
	static int32_t (*next)(int32_t, int32_t, uint8_t);
	const char *unlimited = getenv(PRELIM_ENV_UNLIMITED);

	if (!next)
		next = (int32_t(*)(int32_t, int32_t, uint8_t))real("GetPrelimHitlistSize");
	if (mode == MODE_DUMP && unlimited && !strcmp(unlimited, "1"))
		return UNLIMITED_HITS;
	return next(hitlist_size, cbs, gapped);
}

int32_t BlastSeqSrcIteratorNext(const void *source, void *iterator)
{
	static int32_t (*next)(const void *, void *);

	if (!next)
		next = (int32_t(*)(const void *, void *))real("BlastSeqSrcIteratorNext");
	if (mode != MODE_SELECT)
		return next(source, iterator);

	one_thread();
	load_batch();
	if (next_oid < n_oids)
		return oids[next_oid++];
	next_oid = 0; /* the next chunk of a long query begins anew */
	return SEQ_EOF;
}

/* exit(3) passes here before the process ends; a failed BLAST+ has said why already */
static void finish(int status, void *unused)
{
	struct prelim_hit end = { n_searches, n_hits, 0, 0, PRELIM_END };
	char byte;

	(void)unused;
	if (status)
		return;
	if (mode == MODE_DUMP)
		put_hit(&end);
	if (mode == MODE_SELECT && (batch_here || read_all(&byte, 1)))
		refuse("BLAST+ made fewer query batches than were planned");
}

__attribute__((constructor)) static void arrange_finish(void)
{
	if (getenv(PRELIM_ENV_MODE) && on_exit(finish, NULL))
		refuse("out of memory");
}
