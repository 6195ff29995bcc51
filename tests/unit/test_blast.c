/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_blast.c - blast/core: options, query batches, database heads, hits, ledger */
#include <errno.h>

#include "test.h"

#include "blast/core/alias.h"
#include "blast/core/dbindex.h"
#include "blast/core/fasta.h"
#include "blast/core/hits.h"
#include "blast/core/ledger.h"
#include "blast/core/options.h"

/* -- options ------------------------------------------------------------------------------ */

#define WORDS_MAX 24

static void join(const struct arg_list *l, char *to, size_t size)
{
	size_t n = 0;

	to[0] = '\0';
	for (size_t i = 0; i < l->n; i++)
		n += (size_t)snprintf(to + n, size - n, "%s%s", i ? "|" : "", l->words[i]);
	assert_true(n < size);
}

static void options_go_where_they_belong(void **state)
{
	static const struct {
		const char *line; /* words parted by | */
		bool split, unlimited, as_it_is;
		const char *search, *report;
	} rows[] = {
		{ "-p|blastp|-d|nr|-i|q.fa|-o|out", true, false, false, "", "-db|nr" },
		{ "-p|blastp|-d|nr|-e|1e-5|-m|8", true, false, false, "-evalue|1e-5|-outfmt|6",
		  "-db|nr|-evalue|1e-5|-outfmt|6" },
		{ "-p|blastp|-db|nr|-outfmt|6 qseqid sseqid|-max_target_seqs|5", true, false, false,
		  "-outfmt|6|-max_target_seqs|5",
		  "-db|nr|-outfmt|6 qseqid sseqid|-max_target_seqs|5" },
		{ "-p|blastp|-db|nr|-culling_limit|2|-ungapped", true, true, false, "-ungapped",
		  "-db|nr|-culling_limit|2|-ungapped" },
		{ "-p|blastp|-db|nr|-num_threads|8", true, false, false, "", "-db|nr" },
		{ "-p|blastp|-db|nr|-seg|12 2.2 2.5", true, false, false, "-seg|12 2.2 2.5",
		  "-db|nr|-seg|12 2.2 2.5" },
		{ "-p|blastp|-db|nr|-num_descriptions|10|-line_length|70", true, false, false,
		  "-num_descriptions|10", "-db|nr|-num_descriptions|10|-line_length|70" },
		{ "-p|blastp|-i|q.fa", false, false, false, "", "" },
		{ "-p|blastp|-db|nr|-seqidlist|/etc/passwd", false, false, false, "",
		  "-db|nr|-seqidlist|/etc/passwd" },
		{ "-p|blastp|-db|nr|-matrix|../../etc/passwd", false, false, false,
		  "-matrix|../../etc/passwd", "-db|nr|-matrix|../../etc/passwd" },
		{ "-p|blastp|-db|nr|-outfmt|11", false, false, false, "-outfmt|6",
		  "-db|nr|-outfmt|11" },
		{ "-p|blastp|-db|nr|-outfmt|13", false, false, true, "-outfmt|6",
		  "-db|nr|-outfmt|13" },
		{ "-p|blastp|-db|nr|-nonsense", false, false, true, "", "-db|nr" },
		{ "-p|blastp|-db|nr|-evalue|1|-evalue|2", false, false, true, "-evalue|1|-evalue|2",
		  "-db|nr|-evalue|1|-evalue|2" },
		{ "-p|blastp|-help", false, false, true, "", "-help" },
		{ "-p|blastn|-db|nt", false, false, true, "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *line = strdup(rows[i].line);
		char *argv[WORDS_MAX] = { line }, *rest = line, text[512];
		struct blast_request r;
		int argc = 1;

		assert_non_null(line);
		while (argc < WORDS_MAX - 1 && (argv[argc] = strsep(&rest, "|")))
			argc++;
		assert_int_equal(options_parse(argc, argv, &r, NULL), 0);
		assert_int_equal(!r.unproven[0] && !r.asked_unsplit, rows[i].split);
		assert_int_equal(r.unlimited, rows[i].unlimited);
		assert_int_equal(r.as_it_is, rows[i].as_it_is);
		join(&r.search, text, sizeof(text));
		assert_string_equal(text, rows[i].search);
		join(&r.report, text, sizeof(text));
		assert_string_equal(text, rows[i].report);
		options_done(&r);
	}
}

static void usage_errors(void **state)
{
	static const char *const rows[] = {
		"-d|nr",
		"-p",
		"-p|rm",
		"-p|blastp|-m|6",
		"-p|blastp|-d",
		"-p|blastp|--local-workers|0",
		"-p|blastp|--local-workers=x",
		"-p|blastp|--recheck|101",
		"-p|blastp|--recheck=some",
		"-p|blastp|--nonsense",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *line = strdup(rows[i]);
		char *argv[WORDS_MAX] = { line }, *rest = line;
		struct blast_request r;
		struct err e = { 0 };
		int argc = 1;

		assert_non_null(line);
		while (argc < WORDS_MAX - 1 && (argv[argc] = strsep(&rest, "|")))
			argc++;
		assert_int_equal(options_parse(argc, argv, &r, &e), -EINVAL);
		assert_true(e.text[0]);
	}
}

static void workers_check_words(void **state)
{
	static const struct {
		const char *program, *words[4];
		size_t n;
		int want;
	} rows[] = {
		{ "blastp", { "-evalue", "1e-5", "-ungapped" }, 3, 0 },
		{ "blastp", { "-outfmt", "6" }, 2, 0 },
		{ "blastp", { "-outfmt", "6 qseqid" }, 2, -EPERM },
		{ "blastp", { "-outfmt", "11" }, 2, -EPERM },
		{ "blastp", { "-outfmt", "0" }, 2, 0 },
		{ "blastp", { "-outfmt", "x" }, 2, -EPERM },
		{ "blastp", { "-evalue" }, 1, -EPERM },
		{ "blastp", { "-db", "x" }, 2, -EPERM },
		{ "blastp", { "-out", "/etc/passwd" }, 2, -EPERM },
		{ "blastp", { "-export_search_strategy", "/x" }, 2, -EPERM },
		{ "blastp", { "-num_threads", "64" }, 2, -EPERM },
		{ "blastp", { "-culling_limit", "1" }, 2, -EPERM },
		{ "blastp", { "-evalue", "1 -out /x" }, 2, -EPERM },
		{ "blastp", { "-task", "-out" }, 2, -EPERM },
		{ "blastp", { "x" }, 1, -EPERM },
		{ "blastn", { NULL }, 0, -EPERM },
		{ "sh", { "-c", "id" }, 2, -EPERM },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(options_allowed(rows[i].program,
						 (char *const *)(uintptr_t)rows[i].words, rows[i].n,
						 NULL),
				 rows[i].want);
}

/* -- queries ------------------------------------------------------------------------------ */

static void queries_are_cut_like_blast(void **state)
{
	static const struct {
		const char *text;
		int want;
		uint32_t n_queries, n_batches, first[3]; /* of each batch */
	} rows[] = {
		{ ">a\nACDE\n>b\nACDEFG\n>c\nAC\n", 0, 3, 2, { 0, 2 } }, /* 4 < 10, 10 >= 10 */
		{ ">a\nACDEFGHIKL\n>b\nA\n", 0, 2, 2, { 0, 1 } },
		{ ">a\nAC\nDE\n\nFG\n>b\nac*", 0, 2, 1, { 0 } },
		{ ">a\r\nACDE\r\n>b\r\nAC\r\n", 0, 2, 1, { 0 } },
		{ ">a\r\nACDE\n>b\nAC\n", -ENOTSUP, 0, 0, { 0 } },
		{ "", -ENOTSUP, 0, 0, { 0 } },
		{ "P12345\n", -ENOTSUP, 0, 0, { 0 } },
		{ ">a\n>b\nAC\n", -ENOTSUP, 0, 0, { 0 } },
		{ ">a\nAC\n>b\n", -ENOTSUP, 0, 0, { 0 } },
		{ ">a\nAC-DE\n", -ENOTSUP, 0, 0, { 0 } },
		{ ">a\n;comment\nAC\n", -ENOTSUP, 0, 0, { 0 } },
		{ ">a\nAC DE\n", -ENOTSUP, 0, 0, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const uint8_t *text = (const uint8_t *)rows[i].text;
		struct fasta f = { 0 };

		assert_int_equal(fasta_cut(text, strlen(rows[i].text), 10, &f, NULL), rows[i].want);
		assert_int_equal(f.n_queries, rows[i].n_queries);
		assert_int_equal(f.n_batches, rows[i].n_batches);
		for (uint32_t b = 0; b < f.n_batches; b++) {
			struct buf out;
			uint32_t n;

			assert_int_equal(f.batches[b].first, rows[i].first[b]);
			buf_init(&out, 4096);
			assert_int_equal(fasta_write(&f, text, b, &out), 0);
			assert_int_equal(fasta_check(buf_bytes(&out), out.len, &n), 0);
			assert_int_equal(n, f.batches[b].n);
			buf_done(&out);
		}
		fasta_done(&f);
	}
}

static void a_written_batch_has_the_letters(void **state)
{
	const char *text = ">x one\nACDE\nFGhi\n>y\nK*\n";
	struct fasta f;
	struct buf out;

	assert_int_equal(fasta_cut((const uint8_t *)text, strlen(text), 100, &f, NULL), 0);
	buf_init(&out, 4096);
	assert_int_equal(fasta_write(&f, (const uint8_t *)text, 0, &out), 0);
	assert_string_equal(buf_text(&out), ">0\nACDEFGhi\n>1\nK*\n");
	buf_done(&out);
	fasta_done(&f);
}

static void workers_check_queries(void **state)
{
	static const char *const bad[] = {
		"",	     ">0\nAC",		 ">1\nAC\n",   ">0 x\nAC\n",	"AC\n",
		">0\nA C\n", ">0\nAC\n>2\nAC\n", ">0\n\nAC\n", ">0\n>evil\nA\n"
	};
	uint32_t n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(fasta_check((const uint8_t *)bad[i], strlen(bad[i]), &n), -EPROTO);
}

/* -- database ----------------------------------------------------------------------------- */

/* made by makeblastdb 2.12.0 -blastdb_version 4 and 5 of 3 sequences, 12 letters, longest 5 */
#define V5_HEAD                                                                                    \
	"\0\0\0\5\0\0\0\1\0\0\0\0\0\0\0\3abc\0\0\0\10t.pdb\0\0\0\0\0\0\4day\0\0\0\0\3"             \
	"\14\0\0\0\0\0\0\0\0\0\0\5"
#define V4_HEAD "\0\0\0\4\0\0\0\0\0\0\0\3abc\0\0\0\4day\0\0\0\0\3\14\0\0\0\0\0\0\0\0\0\0\5"

static void index_heads(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int want;
		uint32_t version;
		bool protein;
	} rows[] = {
		{ V5_HEAD, sizeof(V5_HEAD) - 1, 0, 5, true },
		{ V4_HEAD, sizeof(V4_HEAD) - 1, 0, 4, false },
		{ V5_HEAD, sizeof(V5_HEAD) - 2, -EPROTO, 0, false },
		{ V4_HEAD, 20, -EPROTO, 0, false },
		{ "\0\0\0\6\0\0\0\1", 8, -EPROTO, 0, false },
		{ "\0\0\0\4\0\0\0\1\377\377\377\377abc", 15, -EPROTO, 0, false },
		{ "", 0, -EPROTO, 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dbindex d = { 0 };

		assert_int_equal(
			dbindex_parse((const uint8_t *)rows[i].bytes, rows[i].len, &d, NULL),
			rows[i].want);
		assert_int_equal(d.version, rows[i].version);
		if (rows[i].want)
			continue;
		assert_int_equal(d.protein, rows[i].protein);
		assert_int_equal(d.n_seqs, 3);
		assert_true(d.letters == 12);
		assert_int_equal(d.longest, 5);
		assert_string_equal(d.title, "abc");
	}
}

static void alias_files(void **state)
{
	static const struct {
		const char *text;
		int want;
		const char *title;
		uint32_t n_members;
	} rows[] = {
		{ "# made by\nTITLE my db\nDBLIST a.00 a.01\n", 0, "my db", 2 },
		{ "DBLIST a\nNSEQ 3\nLENGTH 12\n", 0, NULL, 1 },
		{ "TITLE x\n", -ENOTSUP, NULL, 0 },
		{ "DBLIST a\nOIDLIST a.msk\n", -ENOTSUP, NULL, 0 },
		{ "DBLIST a\nGILIST x\n", -ENOTSUP, NULL, 0 },
		{ "DBLIST \"a b\"\n", -ENOTSUP, NULL, 0 },
		{ "DBLIST a\nNSEQ x\n", -ENOTSUP, NULL, 0 },
		{ "", -ENOTSUP, NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct alias a = { 0 };

		assert_int_equal(
			alias_parse((const uint8_t *)rows[i].text, strlen(rows[i].text), &a, NULL),
			rows[i].want);
		assert_int_equal(a.n_members, rows[i].n_members);
		if (rows[i].title)
			assert_string_equal(a.title, rows[i].title);
		else
			assert_null(a.title);
		alias_done(&a);
	}
}

static void a_fragment_has_the_statistics_of_the_whole(void **state)
{
	const char *const volumes[] = { "/s/db/a.00", "/s/db/a.01" };
	const struct alias_fragment f = { "T", volumes, 2, 10, 20, 97200, 35517316 };
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(alias_write(&f, &out), 0);
	/* OIDs 10 to 19, which are sequences 11 to 20 */
	assert_string_equal(buf_text(&out),
			    "TITLE T\nDBLIST /s/db/a.00 /s/db/a.01\nFIRST_OID 11\n"
			    "LAST_OID 20\nNSEQ 97200\nLENGTH 35517316\nSTATS_NSEQ 97200\n"
			    "STATS_TOTLEN 35517316\n");
	buf_done(&out);
}

/* -- hits --------------------------------------------------------------------------------- */

static void dumps(void **state)
{
	const struct prelim_head head = { PRELIM_MAGIC, PRELIM_VERSION };
	struct prelim_hit hit = { 1, 7, 0.5, 10, PRELIM_HIT }, got;
	struct prelim_hit end = { 1, 1, 0, 0, PRELIM_END };
	struct dump d = { 0 };
	struct buf in;

	buf_init(&in, 4096);
	assert_int_equal(buf_put(&in, &head, sizeof(head)), 0);
	assert_int_equal(buf_put(&in, &hit, sizeof(hit) - 1), 0);
	assert_int_equal(dump_take(&d, &in, &got), 0);
	assert_int_equal(buf_put_u8(&in, ((uint8_t *)&hit)[sizeof(hit) - 1]), 0);
	assert_int_equal(dump_take(&d, &in, &got), 1);
	assert_memory_equal(&got, &hit, sizeof(hit));
	assert_false(d.has_end);
	assert_int_equal(buf_put(&in, &end, sizeof(end)), 0);
	assert_int_equal(dump_take(&d, &in, &got), 0);
	assert_true(d.has_end && d.searches == 1);
	assert_int_equal(buf_put_u8(&in, 0), 0);
	assert_int_equal(dump_take(&d, &in, &got), -EPROTO); /* something behind the end */

	buf_reset(&in);
	d = (struct dump){ .has_head = true, .n_hits = 2 };
	assert_int_equal(buf_put(&in, &end, sizeof(end)), 0);
	assert_int_equal(dump_take(&d, &in, &got), -EPROTO); /* counts one, had two */
	buf_reset(&in);
	d = (struct dump){ .has_head = true };
	hit.flag = 3;
	assert_int_equal(buf_put(&in, &hit, sizeof(hit)), 0);
	assert_int_equal(dump_take(&d, &in, &got), -EPROTO);
	buf_done(&in);
}

static void a_lying_worker_is_caught(void **state)
{
	static const struct {
		struct prelim_hit v[2];
		int want;
	} rows[] = {
		{ { { 0, 10, 1, 5, PRELIM_HIT }, { 1, 10, 1, 5, PRELIM_HIT } }, 0 },
		{ { { 0, 10, 1, 5, PRELIM_HIT }, { 0, 10, 2, 5, PRELIM_HIT } },
		  -EPROTO }, /* twice */
		{ { { 0, 10, 1, 5, PRELIM_CHUNK }, { 0, 10, 2, 5, PRELIM_CHUNK } }, 0 },
		{ { { 0, 9, 1, 5, PRELIM_HIT }, { 1, 10, 1, 5, PRELIM_HIT } }, -EPROTO },
		{ { { 0, 20, 1, 5, PRELIM_HIT }, { 1, 10, 1, 5, PRELIM_HIT } }, -EPROTO },
		{ { { 2, 10, 1, 5, PRELIM_HIT }, { 1, 10, 1, 5, PRELIM_HIT } }, -EPROTO },
		{ { { 0, 10, -1, 5, PRELIM_HIT }, { 1, 10, 1, 5, PRELIM_HIT } }, -EPROTO },
		{ { { 0, 10, 1, 0, PRELIM_HIT }, { 1, 10, 1, 5, PRELIM_HIT } }, -EPROTO },
		{ { { 0, 10, 1, 5, PRELIM_END }, { 1, 10, 1, 5, PRELIM_HIT } }, -EPROTO },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hits h = { 0 };

		assert_int_equal(hits_add(&h, &rows[i].v[0]), 0);
		assert_int_equal(hits_add(&h, &rows[i].v[1]), 0);
		assert_int_equal(hits_check(&h, 2, 10, 20, NULL), rows[i].want);
		hits_done(&h);
	}
}

static void candidates_contain_the_best_of_all_fragments(void **state)
{
	static const struct {
		struct prelim_hit v[6];
		size_t n;
		uint32_t want[6], n_want;
	} rows[] = {
		/* two queries, limit 2: the best two of each */
		{ { { 0, 1, 3, 2, 0 }, { 0, 2, 1, 2, 0 }, { 0, 3, 2, 2, 0 }, { 1, 9, 5, 2, 0 } },
		  4,
		  { 2, 3, 9 },
		  3 },
		/* what is equal to the last that is kept is kept too */
		{ { { 0, 1, 2, 2, 0 }, { 0, 2, 1, 2, 0 }, { 0, 3, 2, 2, 0 }, { 0, 4, 3, 2, 0 } },
		  4,
		  { 1, 2, 3 },
		  3 },
		/* tiny E-values are all equal */
		{ { { 0, 1, 1e-200, 1, 0 }, { 0, 2, 0, 1, 0 }, { 0, 3, 1e-170, 1, 0 } },
		  3,
		  { 1, 2 },
		  2 },
		/* and what another processor computes a little larger */
		{ { { 0, 1, 2, 2, 0 },
		    { 0, 2, 1, 2, 0 },
		    { 0, 3, 2 + 1e-15, 2, 0 },
		    { 0, 4, 2.1, 2, 0 } },
		  4,
		  { 1, 2, 3 },
		  3 },
		/* with chunks nothing is cut */
		{ { { 0, 1, 3, 1, 0 }, { 0, 2, 1, 1, 0 }, { 0, 3, 9, 1, PRELIM_CHUNK } },
		  3,
		  { 1, 2, 3 },
		  3 },
		/* one sequence for two queries */
		{ { { 0, 7, 3, 1, 0 }, { 1, 7, 1, 1, 0 } }, 2, { 7 }, 1 },
		{ { { 0 } }, 0, { 0 }, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hits h = { 0 };
		uint32_t *oids, n;

		for (size_t k = 0; k < rows[i].n; k++)
			assert_int_equal(hits_add(&h, &rows[i].v[k]), 0);
		assert_int_equal(hits_choose(&h, &oids, &n), 0);
		assert_int_equal(n, rows[i].n_want);
		assert_memory_equal(oids, rows[i].want, n * sizeof(*oids));
		free(oids);
		hits_done(&h);
	}
}

static void two_answers_are_compared(void **state)
{
	static const struct {
		struct prelim_hit first[3], second[3];
		size_t n_first, n_second;
		bool want;
	} rows[] = {
		/* of the batch only the fragment [10, 20) counts */
		{ { { 0, 5, 1, 9, 0 }, { 0, 12, 1, 9, 0 }, { 1, 12, 2, 9, 0 } },
		  { { 1, 12, 2, 9, 0 }, { 0, 12, 1, 9, 0 } },
		  3,
		  2,
		  true },
		{ { { 0, 5, 1, 9, 0 }, { 0, 25, 1, 9, 0 } }, { { 0 } }, 2, 0, true },
		/* left out, added, another sequence, another query */
		{ { { 0, 12, 1, 9, 0 } }, { { 0, 12, 1, 9, 0 }, { 0, 13, 1, 9, 0 } }, 1, 2, false },
		{ { { 0, 12, 1, 9, 0 }, { 0, 13, 1, 9, 0 } }, { { 0, 12, 1, 9, 0 } }, 2, 1, false },
		{ { { 0, 12, 1, 9, 0 } }, { { 0, 13, 1, 9, 0 } }, 1, 1, false },
		{ { { 0, 12, 1, 9, 0 } }, { { 1, 12, 1, 9, 0 } }, 1, 1, false },
		/* another limit, kind, E-value; the last bits are the processor's */
		{ { { 0, 12, 1, 9, 0 } }, { { 0, 12, 1, 8, 0 } }, 1, 1, false },
		{ { { 0, 12, 1, 9, 0 } }, { { 0, 12, 1, 9, PRELIM_CHUNK } }, 1, 1, false },
		{ { { 0, 12, 1, 9, 0 } }, { { 0, 12, 1.00001, 9, 0 } }, 1, 1, false },
		{ { { 0, 12, 1, 9, 0 } }, { { 0, 12, 1 + 1e-15, 9, 0 } }, 1, 1, true },
		/* a sequence that chunks found twice, in any order */
		{ { { 0, 12, 1, 9, PRELIM_CHUNK }, { 0, 12, 2, 9, PRELIM_CHUNK } },
		  { { 0, 12, 2, 9, PRELIM_CHUNK }, { 0, 12, 1, 9, PRELIM_CHUNK } },
		  2,
		  2,
		  true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hits first = { 0 }, second = { 0 };

		for (size_t k = 0; k < rows[i].n_first; k++)
			assert_int_equal(hits_add(&first, &rows[i].first[k]), 0);
		for (size_t k = 0; k < rows[i].n_second; k++)
			assert_int_equal(hits_add(&second, &rows[i].second[k]), 0);
		assert_int_equal(hits_check(&second, 2, 10, 20, NULL), 0);
		assert_int_equal(hits_same(&first, 10, 20, &second), rows[i].want);
		hits_drop(&first, 10, 20);
		for (size_t k = 0; k < first.n; k++)
			assert_true(first.v[k].oid < 10 || first.v[k].oid >= 20);
		hits_done(&first);
		hits_done(&second);
	}
}

/* -- ledger ------------------------------------------------------------------------------- */

static void fragments_cover_the_database(void **state)
{
	static const struct ledger_size rows[] = {
		{ 1, 100, 1, 300, 4 },
		{ 1, 10000, 20000, 9000000, 4 },
		{ 20, 200000, 20000, 9000000, 4 },
		{ 2, 20000, 192987, 59000000, 100 },
		{ 1000, 10000000, 486000, 178000000, 8 },
		{ 1, 5000000, 500000000, 200000000000, 8 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ledger l;

		assert_int_equal(ledger_init(&l, &rows[i]), 0);
		assert_int_equal(l.fragments[0].first, 0);
		assert_int_equal(l.fragments[l.n_fragments - 1].last, rows[i].n_seqs);
		for (uint32_t f = 0; f < l.n_fragments; f++) {
			assert_true(l.fragments[f].first < l.fragments[f].last);
			assert_true(!f || l.fragments[f].first == l.fragments[f - 1].last);
		}
		assert_int_equal(l.n_tasks, l.n_fragments * rows[i].n_batches);
		ledger_done(&l);
	}
}

/* one batch, several fragments */
static void small_ledger(struct ledger *l)
{
	const struct ledger_size size = { 2, 20000, 100000, 90000000, 2 };

	assert_int_equal(ledger_init(l, &size), 0);
	assert_true(l->n_fragments >= 3);
}

static void every_task_is_done_once(void **state)
{
	struct ledger l;
	uint32_t batches = 0;
	bool last;

	small_ledger(&l);
	for (uint32_t i = 0; i < l.n_tasks; i++) {
		int64_t t = ledger_take(&l, 1 + i % 2, UINT32_MAX, i);

		assert_int_equal(t, i);
		assert_true(ledger_answer(&l, (uint32_t)t, i + 5, &last));
		batches += last;
		assert_false(ledger_answer(&l, (uint32_t)t, i + 5, &last));
	}
	assert_int_equal(batches, 2);
	assert_int_equal(l.n_done, l.n_tasks);
	assert_int_equal(ledger_take(&l, 1, UINT32_MAX, 99999), -1);
	ledger_done(&l);
}

static void a_lost_workers_task_waits_again(void **state)
{
	struct ledger l;
	int64_t a, b;
	bool last;

	small_ledger(&l);
	a = ledger_take(&l, 1, UINT32_MAX, 0);
	b = ledger_take(&l, 2, UINT32_MAX, 0);
	assert_true(a == 0 && b == 1);
	ledger_lose(&l, 1);
	assert_int_equal(l.n_lost, 1);
	assert_int_equal(ledger_take(&l, 3, UINT32_MAX, 1), a);
	assert_true(ledger_answer(&l, (uint32_t)a, 2, &last));
	ledger_done(&l);
}

static void an_answer_can_be_forgotten(void **state)
{
	struct ledger l;
	bool last;

	small_ledger(&l);
	for (uint32_t i = 0; i < l.n_fragments; i++) {
		assert_int_equal(ledger_take(&l, 1, UINT32_MAX, 0), i);
		assert_true(ledger_answer(&l, i, 5, &last));
	}
	assert_true(last && !l.open[0]);
	ledger_reopen(&l, 1);
	assert_int_equal(l.open[0], 1);
	assert_int_equal(l.n_done, l.n_fragments - 1);
	assert_int_equal(ledger_take(&l, 2, UINT32_MAX, 6), 1);
	assert_true(ledger_answer(&l, 1, 7, &last));
	assert_true(last);
	ledger_done(&l);
}

static void a_worker_keeps_its_fragment(void **state)
{
	struct ledger l;

	small_ledger(&l);
	assert_int_equal(ledger_take(&l, 1, 2, 0), 2);
	assert_int_equal(ledger_take(&l, 1, 2, 0), l.n_fragments + 2); /* in the next batch */
	assert_int_equal(ledger_take(&l, 1, 2, 0), 0);
	ledger_done(&l);
}

static void a_straggler_is_started_twice(void **state)
{
	struct ledger l;
	bool last;

	small_ledger(&l);
	for (uint32_t i = 0; i < l.n_tasks; i++)
		assert_int_equal(ledger_take(&l, 1 + i, UINT32_MAX, 0), i);
	assert_int_equal(ledger_take(&l, 99, UINT32_MAX, 5000), -1); /* nothing to compare with */
	for (uint32_t i = 1; i < l.n_tasks; i++)
		assert_true(ledger_answer(&l, i, 3000, &last));
	assert_int_equal(ledger_take(&l, 99, UINT32_MAX, 5000), -1); /* not yet */
	assert_int_equal(ledger_take(&l, 1, UINT32_MAX, 9000), -1);  /* it is at it itself */
	assert_int_equal(ledger_take(&l, 99, UINT32_MAX, 9000), 0);
	assert_int_equal(ledger_take(&l, 98, UINT32_MAX, 9000), -1);  /* two are enough */
	assert_int_equal(ledger_take(&l, 98, UINT32_MAX, 15000), -1); /* and patience doubles */
	assert_int_equal(ledger_take(&l, 98, UINT32_MAX, 30000), 0);  /* unless both are stuck */
	ledger_lose(&l, 98);
	assert_int_equal(l.tasks[0].state, TASK_RUNNING);
	assert_true(ledger_answer(&l, 0, 30002, &last));
	assert_true(last);
	ledger_done(&l);
}

static void nothing_is_waited_for_for_ever(void **state)
{
	const struct ledger_size size = { 1, 100, 100, 30000, 2 };
	struct ledger l;
	bool last;

	assert_int_equal(ledger_init(&l, &size), 0);
	assert_int_equal(l.n_tasks, 1);
	assert_int_equal(ledger_take(&l, 1, UINT32_MAX, 1000), 0);
	assert_int_equal(ledger_take(&l, 2, UINT32_MAX, 2000), -1);
	assert_int_equal(ledger_take(&l, 2, UINT32_MAX, 20000), 0);
	assert_true(ledger_answer(&l, 0, 20001, &last));
	ledger_done(&l);
}

static void a_task_that_fails_everywhere_is_given_up(void **state)
{
	struct ledger l;

	small_ledger(&l);
	assert_int_equal(ledger_take(&l, 1, UINT32_MAX, 0), 0);
	assert_int_equal(ledger_fail(&l, 0, 1), 0);
	for (uint32_t i = 1; i <= LEDGER_FAILURES_MAX;
	     i++) { /* the same one again does not count */
		assert_int_equal(ledger_take(&l, i, UINT32_MAX, 0), 0);
		assert_int_equal(ledger_fail(&l, 0, i), i < LEDGER_FAILURES_MAX ? 0 : -EIO);
	}
	ledger_done(&l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_go_where_they_belong),
		cmocka_unit_test(usage_errors),
		cmocka_unit_test(workers_check_words),
		cmocka_unit_test(queries_are_cut_like_blast),
		cmocka_unit_test(a_written_batch_has_the_letters),
		cmocka_unit_test(workers_check_queries),
		cmocka_unit_test(index_heads),
		cmocka_unit_test(alias_files),
		cmocka_unit_test(a_fragment_has_the_statistics_of_the_whole),
		cmocka_unit_test(dumps),
		cmocka_unit_test(a_lying_worker_is_caught),
		cmocka_unit_test(candidates_contain_the_best_of_all_fragments),
		cmocka_unit_test(two_answers_are_compared),
		cmocka_unit_test(fragments_cover_the_database),
		cmocka_unit_test(every_task_is_done_once),
		cmocka_unit_test(a_lost_workers_task_waits_again),
		cmocka_unit_test(an_answer_can_be_forgotten),
		cmocka_unit_test(a_worker_keeps_its_fragment),
		cmocka_unit_test(a_straggler_is_started_twice),
		cmocka_unit_test(nothing_is_waited_for_for_ever),
		cmocka_unit_test(a_task_that_fails_everywhere_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
