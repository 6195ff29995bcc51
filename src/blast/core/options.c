/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.c - which options of BLAST+ may be split over nodes, and where each of them goes
 *
 * Sources: `blastp -help` of BLAST+ 2.12.0 for names and kinds; tests/system/blast_matrix.py for
 * what is proven.
 */
#include "blast/core/options.h"

#include <errno.h>
#include <stdarg.h>

#include "base/parse.h"

#define WORKERS_MAX	256
#define RECHECK_PERCENT 2 /* docs/TRUST.md has the odds */

/* what a value may look like; everything that fits is harmless on a worker */
enum value_kind {
	VALUE_NONE, /* a flag */
	VALUE_INT,  /* digits, a leading minus */
	VALUE_REAL, /* decimal number with exponent */
	VALUE_WORD, /* letters, digits, _ and - */
	VALUE_SEG,  /* "yes", "no" or three numbers */
	VALUE_TEXT, /* anything; never sent to a worker */
};

enum place {
	PLACE_BOTH,    /* both phases */
	PLACE_REPORT,  /* phase 2 only: does not touch the search */
	PLACE_STRIP,   /* phase 2 only, and phase 1 keeps every preliminary hit */
	PLACE_FORMAT,  /* -outfmt: its number goes to both, as it chooses the hit list limit */
	PLACE_THREADS, /* a number; neither, both phases decide themselves */
	PLACE_DB,
	PLACE_QUERY,
	PLACE_OUT,
	PLACE_UNPROVEN, /* run unsplit */
	PLACE_HERE,	/* prints something and ends: run the program as it is */
};

struct option_row {
	const char *name;
	enum value_kind value;
	enum place place;
};

static const struct option_row blastp_options[] = {
	{ "db", VALUE_TEXT, PLACE_DB },
	{ "query", VALUE_TEXT, PLACE_QUERY },
	{ "out", VALUE_TEXT, PLACE_OUT },
	{ "outfmt", VALUE_TEXT, PLACE_FORMAT },
	/* the search */
	{ "task", VALUE_WORD, PLACE_BOTH },
	{ "evalue", VALUE_REAL, PLACE_BOTH },
	{ "word_size", VALUE_INT, PLACE_BOTH },
	{ "gapopen", VALUE_INT, PLACE_BOTH },
	{ "gapextend", VALUE_INT, PLACE_BOTH },
	{ "matrix", VALUE_WORD, PLACE_BOTH },
	{ "threshold", VALUE_REAL, PLACE_BOTH },
	{ "comp_based_stats", VALUE_WORD, PLACE_BOTH },
	{ "seg", VALUE_SEG, PLACE_BOTH },
	{ "soft_masking", VALUE_WORD, PLACE_BOTH },
	{ "lcase_masking", VALUE_NONE, PLACE_BOTH },
	{ "qcov_hsp_perc", VALUE_REAL, PLACE_BOTH },
	{ "max_hsps", VALUE_INT, PLACE_BOTH },
	{ "max_target_seqs", VALUE_INT, PLACE_BOTH },
	{ "num_descriptions", VALUE_INT, PLACE_BOTH },
	{ "num_alignments", VALUE_INT, PLACE_BOTH },
	{ "dbsize", VALUE_INT, PLACE_BOTH },
	{ "searchsp", VALUE_INT, PLACE_BOTH },
	{ "xdrop_ungap", VALUE_REAL, PLACE_BOTH },
	{ "xdrop_gap", VALUE_REAL, PLACE_BOTH },
	{ "xdrop_gap_final", VALUE_REAL, PLACE_BOTH },
	{ "window_size", VALUE_INT, PLACE_BOTH },
	{ "ungapped", VALUE_NONE, PLACE_BOTH },
	{ "use_sw_tback", VALUE_NONE, PLACE_BOTH },
	/* these act across subjects, in the preliminary stage too */
	{ "culling_limit", VALUE_INT, PLACE_STRIP },
	{ "best_hit_overhang", VALUE_REAL, PLACE_STRIP },
	{ "best_hit_score_edge", VALUE_REAL, PLACE_STRIP },
	{ "subject_besthit", VALUE_NONE, PLACE_STRIP },
	/* the report */
	{ "show_gis", VALUE_NONE, PLACE_REPORT },
	{ "line_length", VALUE_INT, PLACE_REPORT },
	{ "sorthits", VALUE_INT, PLACE_REPORT },
	{ "sorthsps", VALUE_INT, PLACE_REPORT },
	{ "html", VALUE_NONE, PLACE_REPORT },
	{ "parse_deflines", VALUE_NONE, PLACE_REPORT },
	{ "num_threads", VALUE_INT, PLACE_THREADS },
	/* known, and not proven */
	{ "mt_mode", VALUE_TEXT, PLACE_UNPROVEN },
	{ "query_loc", VALUE_TEXT, PLACE_UNPROVEN },
	{ "subject", VALUE_TEXT, PLACE_UNPROVEN },
	{ "subject_loc", VALUE_TEXT, PLACE_UNPROVEN },
	{ "gilist", VALUE_TEXT, PLACE_UNPROVEN },
	{ "seqidlist", VALUE_TEXT, PLACE_UNPROVEN },
	{ "negative_gilist", VALUE_TEXT, PLACE_UNPROVEN },
	{ "negative_seqidlist", VALUE_TEXT, PLACE_UNPROVEN },
	{ "taxids", VALUE_TEXT, PLACE_UNPROVEN },
	{ "negative_taxids", VALUE_TEXT, PLACE_UNPROVEN },
	{ "taxidlist", VALUE_TEXT, PLACE_UNPROVEN },
	{ "negative_taxidlist", VALUE_TEXT, PLACE_UNPROVEN },
	{ "ipglist", VALUE_TEXT, PLACE_UNPROVEN },
	{ "negative_ipglist", VALUE_TEXT, PLACE_UNPROVEN },
	{ "entrez_query", VALUE_TEXT, PLACE_UNPROVEN },
	{ "db_soft_mask", VALUE_TEXT, PLACE_UNPROVEN },
	{ "db_hard_mask", VALUE_TEXT, PLACE_UNPROVEN },
	{ "import_search_strategy", VALUE_TEXT, PLACE_UNPROVEN },
	{ "export_search_strategy", VALUE_TEXT, PLACE_UNPROVEN },
	{ "remote", VALUE_NONE, PLACE_UNPROVEN },
	{ "h", VALUE_NONE, PLACE_HERE },
	{ "help", VALUE_NONE, PLACE_HERE },
	{ "version", VALUE_NONE, PLACE_HERE },
};

/* programs we run at all; those with options can be split */
static const struct program_row {
	const char *name, *db_type;
	uint32_t batch_letters; /* GetQueryBatchSize(), blastinput/blast_input_aux.cpp */
	const struct option_row *options;
	size_t n_options;
} programs[] = {
	{ "blastp", "prot", 10000, blastp_options, ARRAY_LEN(blastp_options) },
	{ "blastn", "nucl", 0, NULL, 0 },
	{ "blastx", "prot", 0, NULL, 0 },
	{ "tblastn", "nucl", 0, NULL, 0 },
	{ "tblastx", "nucl", 0, NULL, 0 },
	{ "psiblast", "prot", 0, NULL, 0 },
	{ "deltablast", "prot", 0, NULL, 0 },
	{ "rpsblast", "prot", 0, NULL, 0 },
	{ "rpstblastn", "prot", 0, NULL, 0 },
};

/* reports proven to come out byte for byte; the others run unsplit */
static const uint8_t proven_formats[] = { 0, 5, 6, 7 };

/* names of the first mpiBLAST (and blastall) for options of BLAST+ */
static const struct {
	const char *old, *now;
} old_names[] = {
	{ "-d", "-db" },     { "-i", "-query" },  { "-o", "-out" },
	{ "-e", "-evalue" }, { "-m", "-outfmt" },
};

/* blastall's -m numbers; "" has no successor */
static const char *const old_formats[] = {
	"0", "1", "2", "3", "4", "", "", "5", "6", "7", "8", "9"
};

static const char *const matrices[] = { "BLOSUM45", "BLOSUM50", "BLOSUM62", "BLOSUM80",
					"BLOSUM90", "PAM30",	"PAM70",    "PAM250" };

static const char *const env_unproven[] = {
	"BATCH_SIZE", "CHUNK_SIZE", "OVERLAP_CHUNK_SIZE",	"ADAPTIVE_CBS",
	"OLD_FSC",    "BLASTMAT",   "BLASTINPUT_GEN_DELTA_SEQ", "NCBI_BLAST_DISABLE_OPENMP",
	NULL,
};

const char *options_env(size_t i)
{
	return env_unproven[i];
}

const char *options_help(void)
{
	return "mpiblast - search a sequence database with all nodes; the same bytes as plain "
	       "BLAST+\n"
	       "\n"
	       "Usage: mpiblast -p PROGRAM -d DB -i QUERIES -o OUT [BLAST+ options]\n"
	       "\n"
	       "  -p PROGRAM           blastp is split over the nodes; blastn, blastx, tblastn, "
	       "tblastx,\n"
	       "                       psiblast, deltablast, rpsblast and rpstblastn run on this "
	       "node\n"
	       "  -d, -db DB           database, found as BLAST+ finds it\n"
	       "  -i, -query FILE      queries, FASTA; none or -: standard input\n"
	       "  -o, -out FILE        report; appears when it is complete; none or -: standard "
	       "output\n"
	       "  -e, -evalue X        expectation value\n"
	       "  -m N                 report format by blastall's numbers; -outfmt by BLAST+'s\n"
	       "      --local-workers N  no cluster: N workers on this machine\n"
	       "      --per-node N       at most N workers on a node (default: one per CPU)\n"
	       "      --recheck PERCENT  so many of the desktops' answers are computed again on\n"
	       "                         head or servers (default 2; one of each desktop at "
	       "least)\n"
	       "      --paranoid         all of them, as --recheck 100\n"
	       "      --unsplit          run plain BLAST+ here\n"
	       "      --json             a summary of the run on standard error, at the end\n"
	       "      --help             this text; -help is the program's own\n"
	       "      --version          ours; -version is the program's own\n"
	       "\n"
	       "Every other option is BLAST+'s (see PROGRAM -help). Exit status and messages are "
	       "BLAST+'s.\n"
	       "A search that is not proven to come out the same when split runs unsplit and says "
	       "so.\n"
	       "\n"
	       "Examples:\n"
	       "  mpiblast -p blastp -d swissprot -i proteins.fa -o report.txt\n"
	       "  mpiblast -p blastp -db nr -query q.fa -evalue 1e-5 -outfmt '6 qseqid sseqid "
	       "evalue' -out hits.tsv\n"
	       "  mpiblast -p blastp -d mine -i q.fa -o r.xml -outfmt 5 --local-workers 4\n";
}

static const struct program_row *find_program(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (!strcmp(programs[i].name, name))
			return &programs[i];
	return NULL;
}

static const struct option_row *find_option(const struct program_row *p, const char *word)
{
	if (word[0] != '-')
		return NULL;
	for (size_t i = 0; i < p->n_options; i++)
		if (!strcmp(p->options[i].name, word + 1))
			return &p->options[i];
	return NULL;
}

static bool all_of(const char *s, const char *allowed)
{
	size_t n = strlen(s);

	return n && n < 64 && strspn(s, allowed) == n;
}

#define DIGITS	"0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool value_fits(const struct option_row *row, const char *v)
{
	if (!strcmp(row->name, "matrix")) {
		for (size_t i = 0; i < ARRAY_LEN(matrices); i++)
			if (!strcmp(matrices[i], v))
				return true;
		return false;
	}
	switch (row->value) {
	case VALUE_NONE:
	case VALUE_TEXT:
		return true;
	case VALUE_INT:
		return all_of(v[0] == '-' ? v + 1 : v, DIGITS);
	case VALUE_REAL:
		return all_of(v, DIGITS ".eE+-");
	case VALUE_WORD:
		return all_of(v, LETTERS DIGITS "_-") && v[0] != '-';
	case VALUE_SEG:
		return all_of(v, LETTERS DIGITS ". ");
	}
	return false;
}

/* number of a report format; -1 when it is none */
static int format_number(const char *v)
{
	size_t n = strspn(v, DIGITS);
	int f = 0;

	if (!n || n > 2 || (v[n] && v[n] != ' '))
		return -1;
	for (size_t i = 0; i < n; i++)
		f = f * 10 + (v[i] - '0');
	return f;
}

static bool format_proven(const char *v)
{
	for (size_t i = 0; i < ARRAY_LEN(proven_formats); i++)
		if (proven_formats[i] == format_number(v))
			return true;
	return false;
}

/*
 * A worker prints no report, but the format chooses whether -num_descriptions and -num_alignments
 * (0 to 4) or -max_target_seqs count, and so how many hits are kept.
 */
static const char *worker_format(const char *v)
{
	return format_number(v) <= 4 ? "0" : "6";
}

static int add(struct arg_list *l, const char *word)
{
	if (l->n + 1 >= OPTIONS_ARGS_MAX)
		return -E2BIG;
	l->words[l->n++] = word;
	l->words[l->n] = NULL;
	return 0;
}

static int add_both(struct blast_request *r, const char *word)
{
	int a = add(&r->plain, word);

	return a < 0 ? a : add(&r->report, word);
}

static void PRINTF(2, 3) unproven(struct blast_request *r, const char *fmt, ...)
{
	va_list ap;

	if (r->unproven[0])
		return; /* the first reason is enough */
	va_start(ap, fmt);
	(void)vsnprintf(r->unproven, sizeof(r->unproven), fmt, ap); /* cut is fine */
	va_end(ap);
}

/* an option of the table; value is NULL for a flag */
static int take_known(struct blast_request *r, const struct option_row *row, const char *word,
		      const char *value)
{
	bool to_search = row->place == PLACE_BOTH, to_report = true;
	int a;

	if (value && !value_fits(row, value))
		unproven(r, "the value of %s is unusual", word);
	for (size_t i = 0; i < r->plain.n; i++)
		if (!strcmp(r->plain.words[i], word)) {
			unproven(r, "%s is given twice", word);
			r->as_it_is = true;
		}

	switch (row->place) {
	case PLACE_BOTH:
	case PLACE_REPORT:
		break;
	case PLACE_STRIP:
		r->unlimited = true;
		break;
	case PLACE_FORMAT:
		if (!format_proven(value) && !r->try_unproven)
			unproven(r, "report format '%s' is not proven", value);
		if (!strncmp(value, "13", 2) || !strncmp(value, "14", 2))
			r->as_it_is = true; /* several files */
		to_search = true;
		break;
	case PLACE_THREADS:
		r->threads = value;
		to_report = false;
		break;
	case PLACE_DB:
		r->db = value;
		break;
	case PLACE_QUERY:
		r->query = strcmp(value, "-") ? value : NULL;
		to_report = false;
		break;
	case PLACE_OUT:
		r->out = strcmp(value, "-") ? value : NULL;
		to_report = false;
		break;
	case PLACE_UNPROVEN:
		unproven(r, "%s is not proven", word);
		break;
	case PLACE_HERE:
		r->asked_unsplit = r->as_it_is = true;
		break;
	}
	a = to_report ? add_both(r, word) : add(&r->plain, word);
	if (!a && value)
		a = to_report ? add_both(r, value) : add(&r->plain, value);
	if (!a && to_search)
		a = add(&r->search, word);
	if (!a && to_search && value)
		a = add(&r->search, value);
	return a;
}

/* numbers of ours */
static const struct {
	const char *name;
	size_t offset;
	uint32_t least, most;
} numbers[] = {
	{ "--local-workers", offsetof(struct blast_request, local_workers), 1, WORKERS_MAX },
	{ "--per-node", offsetof(struct blast_request, per_node), 1, WORKERS_MAX },
	{ "--recheck", offsetof(struct blast_request, recheck_percent), 0, 100 },
};

/* words of ours; 1 taken, 0 not ours */
static int take_own(struct blast_request *r, int argc, char **argv, int *i, struct err *e)
{
	const char *w = argv[*i], *value = NULL;

	if (!strcmp(w, "--json"))
		return r->json = true;
	if (!strcmp(w, "--help"))
		return r->help = true;
	if (!strcmp(w, "--try-unproven"))
		return r->try_unproven = true;
	if (!strcmp(w, "--version"))
		return r->version = true;
	if (!strcmp(w, "--unsplit"))
		return r->asked_unsplit = true;
	if (!strcmp(w, "--paranoid")) {
		r->recheck_percent = 100;
		return 1;
	}
	for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
		size_t n = strlen(numbers[k].name);
		uint32_t *to = (uint32_t *)((char *)r + numbers[k].offset);

		if (strncmp(w, numbers[k].name, n) != 0 || (w[n] && w[n] != '='))
			continue;
		value = w[n] ? w + n + 1 : *i + 1 < argc ? argv[++*i] : "";
		if (parse_u32(value, to) < 0 || *to < numbers[k].least || *to > numbers[k].most)
			return err_set(e, -EINVAL, "%s wants a number from %u to %u, not '%s'",
				       numbers[k].name, numbers[k].least, numbers[k].most, value);
		return 1;
	}
	if (!strcmp(w, "--worker-program") && *i + 1 < argc) {
		r->worker_program = argv[++*i];
		return 1;
	}
	if (!strncmp(w, "--", 2))
		return err_set(e, -EINVAL, "unknown option '%s'; see mpiblast --help", w);
	return 0;
}

static int find_program_word(int argc, char **argv, struct blast_request *r,
			     const struct program_row **ret, struct err *e)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--try-unproven"))
			r->try_unproven = true;
		if (strcmp(argv[i], "-p") != 0 || *ret)
			continue;
		if (i + 1 >= argc)
			return err_set(e, -EINVAL,
				       "-p wants the name of a program, for instance blastp");
		*ret = find_program(argv[i + 1]);
		if (!*ret)
			return err_set(e, -EINVAL,
				       "'%s' is no program of BLAST+ that mpiblast knows; see "
				       "mpiblast --help",
				       argv[i + 1]);
	}
	if (*ret)
		return 0;
	/* without a program only our own words can be meant */
	for (int i = 1; i < argc; i++)
		if (take_own(r, argc, argv, &i, e) < 0)
			return -EINVAL;
	if (r->help || r->version)
		return 0;
	return err_set(e, -EINVAL, "no program given; use -p blastp (see mpiblast --help)");
}

/* one word or pair that is not ours */
static int take_word(struct blast_request *r, const struct program_row *p, int argc, char **argv,
		     int *i, struct err *e)
{
	const struct option_row *row;
	const char *word = argv[*i], *value = NULL;
	uint32_t m;

	for (size_t k = 0; k < ARRAY_LEN(old_names); k++)
		if (!strcmp(word, old_names[k].old)) {
			word = old_names[k].now;
			if (*i + 1 >= argc)
				return err_set(e, -EINVAL, "%s wants a value", argv[*i]);
			value = argv[++*i];
			if (!strcmp(argv[*i - 1], "-m")) {
				if (parse_u32(value, &m) < 0 || m >= ARRAY_LEN(old_formats) ||
				    !old_formats[m][0])
					return err_set(e, -EINVAL,
						       "-m %s has no successor in BLAST+; "
						       "choose one with -outfmt",
						       value);
				value = old_formats[m];
			}
			break;
		}
	row = find_option(p, word);
	if (!row) {
		unproven(r, "'%s' is not known to mpiblast", word);
		r->as_it_is = true;
		if (!strcmp(word, "-db") && value)
			r->db = value;
		if (add(&r->plain, word) < 0)
			return -E2BIG;
		return value ? add(&r->plain, value) : 0;
	}
	if (row->value != VALUE_NONE && !value) {
		if (*i + 1 >= argc) {
			unproven(r, "%s has no value", word);
			r->as_it_is = true;
			return add(&r->plain, word);
		}
		value = argv[++*i];
	}
	return take_known(r, row, word, value);
}

/* what goes to workers is a copy, as the value of -outfmt is another one */
static int make_search(struct blast_request *r)
{
	size_t len = 1;
	char *to;

	for (size_t i = 0; i < r->search.n; i++)
		len += strlen(r->search.words[i]) + 2;
	to = r->search_text = malloc(len);
	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < r->search.n; i++) {
		const char *w = r->search.words[i];
		bool format = i && !strcmp(r->search.words[i - 1], "-outfmt");
		size_t n;

		w = format ? worker_format(w) : w;
		n = strlen(w);

		memcpy(to, w, n);
		to[n] = '\0';
		r->search.words[i] = to;
		to += n + 1;
	}
	return 0;
}

int options_parse(int argc, char **argv, struct blast_request *ret, struct err *e)
{
	struct blast_request r = { .recheck_percent = RECHECK_PERCENT };
	struct arg_list *lists[] = { &r.plain, &r.search, &r.report };
	const struct program_row *p = NULL;
	int a = find_program_word(argc, argv, &r, &p, e);

	if (a < 0)
		return a;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		lists[i]->words = calloc(OPTIONS_ARGS_MAX, sizeof(char *));
		if (!lists[i]->words)
			a = err_set(e, -ENOMEM, "out of memory");
	}
	if (p) {
		r.program = p->name;
		r.db_type = p->db_type;
		r.batch_letters = p->batch_letters;
		if (!p->n_options) {
			unproven(&r, "%s is not split yet", p->name);
			r.as_it_is = true;
		}
	}
	for (int i = 1; !a && p && i < argc; i++) {
		if (!strcmp(argv[i], "-p")) {
			i++;
			continue;
		}
		a = take_own(&r, argc, argv, &i, e);
		if (!a)
			a = take_word(&r, p, argc, argv, &i, e);
		else if (a > 0)
			a = 0;
		if (a == -E2BIG)
			a = err_set(e, -EINVAL, "more than %d words", OPTIONS_ARGS_MAX);
	}
	if (!a && p && !r.db)
		unproven(&r, "no database is given");
	if (!a)
		a = make_search(&r);
	if (a < 0) {
		options_done(&r);
		return a;
	}
	*ret = r;
	return 0;
}

void options_done(struct blast_request *r)
{
	free(r->plain.words);
	free(r->search.words);
	free(r->report.words);
	free(r->search_text);
	*r = (struct blast_request){ 0 };
}

int options_allowed(const char *program, char *const *words, size_t n, struct err *e)
{
	const struct program_row *p = find_program(program);

	if (!p || !p->n_options)
		return err_set(e, -EPERM, "this worker does not run '%.32s'", program);
	for (size_t i = 0; i < n; i++) {
		const struct option_row *row = find_option(p, words[i]);

		if (!row || (row->place != PLACE_BOTH && row->place != PLACE_FORMAT))
			return err_set(e, -EPERM, "a worker may not be given '%.32s'", words[i]);
		if (row->value == VALUE_NONE)
			continue;
		if (++i >= n)
			return err_set(e, -EPERM, "'%.32s' has no value", words[i - 1]);
		if (row->place == PLACE_FORMAT ? strcmp(words[i], worker_format(words[i])) != 0
					       : !value_fits(row, words[i]))
			return err_set(e, -EPERM, "the value '%.32s' of '%s' is not allowed",
				       words[i], words[i - 1]);
	}
	return 0;
}
