/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_blast_msg.c - messages between mpiblast and its workers: what is taken and what is not */
#include "test.h"

#include "wire/blast_msg.h"

/* pack, unpack as from one side; true when it is taken */
static bool taken(enum blast_side from, const Cmx__BlastMessage *m)
{
	struct buf b;
	struct frame f;
	bool ok;

	buf_init(&b, 1 << 20);
	assert_int_equal(blast_msg_put(&b, m), 0);
	assert_int_equal(frame_take(&b, &f, NULL), 1);
	assert_int_equal(f.type, FRAME_BLAST);
	{
		AUTO_MESSAGE Cmx__BlastMessage *got = blast_msg_get(from, f.payload, f.len, NULL);

		ok = got != NULL;
		if (got)
			assert_int_equal(got->body_case, m->body_case);
	}
	buf_done(&b);
	return ok;
}

struct example {
	Cmx__BlastMessage m;
	Cmx__BlastSetup setup;
	Cmx__BlastFile file, *files[1];
	Cmx__BlastTask task;
	Cmx__BlastHits hits;
	Cmx__BlastDone done;
	char name[32], program[16], volume[16], title[16], word[64];
	char *volumes[1], *args[1];
	uint8_t digest[BLAST_DIGEST];
	uint32_t four[4];
	double evalues[4];
};

static void example_init(struct example *x)
{
	*x = (struct example){ .name = "nr.00.pin",
			       .program = "blastp",
			       .volume = "nr.00",
			       .title = "All of it",
			       .word = "-ungapped" };
	cmx__blast_message__init(&x->m);
	cmx__blast_setup__init(&x->setup);
	cmx__blast_file__init(&x->file);
	cmx__blast_task__init(&x->task);
	cmx__blast_hits__init(&x->hits);
	cmx__blast_done__init(&x->done);
	x->file.name = x->name;
	x->file.size = 7;
	x->file.sha256.data = x->digest;
	x->file.sha256.len = sizeof(x->digest);
	x->files[0] = &x->file;
	x->volumes[0] = x->volume;
	x->args[0] = x->word;
	x->setup.version = BLAST_VERSION;
	x->setup.program = x->program;
	x->setup.n_files = x->setup.n_volumes = x->setup.n_args = 1;
	x->setup.files = x->files;
	x->setup.volumes = x->volumes;
	x->setup.args = x->args;
	x->setup.n_seqs = 3;
	x->setup.title = x->title;
	x->task.task = 1;
	x->task.last = 3;
	x->task.n_queries = 1;
	x->task.queries.data = x->digest;
	x->task.queries.len = 3;
	x->hits.task = 1;
	x->hits.n_query = x->hits.n_oid = x->hits.n_limit = x->hits.n_evalue = 4;
	x->hits.query = x->hits.oid = x->hits.limit = x->four;
	x->hits.evalue = x->evalues;
	x->done.task = 1;
}

static bool setup_taken(struct example *x)
{
	x->m.body_case = CMX__BLAST_MESSAGE__BODY_SETUP;
	x->m.setup = &x->setup;
	return taken(BLAST_FROM_MASTER, &x->m);
}

static void setups(void **state)
{
	static const char *const bad_names[] = { "",   "..",  ".x",   "a/b",
						 "-x", "a b", "a\nb", "/etc/x" };
	struct example x;

	example_init(&x);
	assert_true(setup_taken(&x));
	assert_false(taken(BLAST_FROM_WORKER, &x.m));
	for (size_t i = 0; i < ARRAY_LEN(bad_names); i++) {
		example_init(&x);
		(void)snprintf(x.name, sizeof(x.name), "%s", bad_names[i]);
		assert_false(setup_taken(&x));
		example_init(&x);
		(void)snprintf(x.volume, sizeof(x.volume), "%s", bad_names[i]);
		assert_false(setup_taken(&x));
	}
	example_init(&x);
	x.file.sha256.len = 31;
	assert_false(setup_taken(&x));
	example_init(&x);
	x.setup.version++;
	assert_false(setup_taken(&x));
	example_init(&x);
	x.setup.n_seqs = 0;
	assert_false(setup_taken(&x));
	example_init(&x);
	(void)snprintf(x.title, sizeof(x.title), "two\nlines");
	assert_false(setup_taken(&x));
	example_init(&x);
	x.setup.n_files = 0;
	assert_false(setup_taken(&x));
}

static bool task_taken(struct example *x)
{
	x->m.body_case = CMX__BLAST_MESSAGE__BODY_TASK;
	x->m.task = &x->task;
	return taken(BLAST_FROM_MASTER, &x->m);
}

static void tasks(void **state)
{
	struct example x;

	example_init(&x);
	assert_true(task_taken(&x));
	x.task.first = 3;
	assert_false(task_taken(&x));
	example_init(&x);
	x.task.task = 0;
	assert_false(task_taken(&x));
	example_init(&x);
	x.task.queries.len = 0;
	assert_false(task_taken(&x));
	example_init(&x);
	x.task.last = UINT32_MAX;
	assert_false(task_taken(&x));
}

static bool hits_taken(struct example *x)
{
	x->m.body_case = CMX__BLAST_MESSAGE__BODY_HITS;
	x->m.hits = &x->hits;
	return taken(BLAST_FROM_WORKER, &x->m);
}

static void hits(void **state)
{
	struct example x;

	example_init(&x);
	assert_true(hits_taken(&x));
	assert_false(taken(BLAST_FROM_MASTER, &x.m));
	x.hits.n_oid = 3;
	assert_false(hits_taken(&x));
	example_init(&x);
	x.hits.n_query = x.hits.n_oid = x.hits.n_limit = x.hits.n_evalue = 0;
	assert_false(hits_taken(&x));
	example_init(&x);
	x.m.body_case = CMX__BLAST_MESSAGE__BODY_DONE;
	x.m.done = &x.done;
	assert_true(taken(BLAST_FROM_WORKER, &x.m));
	x.done.searches = 2;
	assert_false(taken(BLAST_FROM_WORKER, &x.m));
}

static void nothing_and_garbage(void **state)
{
	static const uint8_t garbage[] = { 0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3 };
	Cmx__BlastMessage m = CMX__BLAST_MESSAGE__INIT;
	struct err e = { 0 };

	assert_false(taken(BLAST_FROM_MASTER, &m));
	assert_null(blast_msg_get(BLAST_FROM_WORKER, garbage, sizeof(garbage), &e));
	assert_true(e.text[0]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(setups),
		cmocka_unit_test(tasks),
		cmocka_unit_test(hits),
		cmocka_unit_test(nothing_and_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
