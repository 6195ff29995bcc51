/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_marshal.c - any call of a program with any memory, and answers of all kinds
 *
 * Input: number u16, how it goes u8, zero u8, six arguments u64, four results s64, then memory,
 * which the program sees at MEMORY. Whatever it asks for, the parasite must find the request
 * well-formed.
 */
#include <errno.h>
#include <string.h>

#include "forward/away/marshal.h"
#include "forward/home/perform.h"
#include "tests/fuzz/fuzz.h"

#define MEMORY	  0x100000
#define HEAD	  (4 + 48 + 32)
#define STEPS_MAX 12
#define RESULTS	  4
#define BEFORE	  8

enum how {
	HOW_LIE = 1,
	HOW_AGAIN = 2,
	HOW_CUT = 4,
	HOW_STOPPED =
		8, /* each answer is of a call that was stopped; what was cut is asked for again */
};

struct program {
	uint8_t *memory;
	size_t n;
};

static ssize_t read_some(void *owner, uint64_t at, void *p, size_t n)
{
	struct program *g = owner;

	if (at < MEMORY || at - MEMORY >= g->n)
		return -EFAULT;
	if (n > g->n - (at - MEMORY))
		n = g->n - (at - MEMORY);
	memcpy(p, g->memory + (at - MEMORY), n);
	return (ssize_t)n;
}

static int write_all(void *owner, uint64_t at, const void *p, size_t n)
{
	struct program *g = owner;

	if (at < MEMORY || at - MEMORY > g->n || n > g->n - (at - MEMORY))
		return -EFAULT;
	memcpy(g->memory + (at - MEMORY), p, n);
	return 0;
}

/* execute nothing: an honest answer with this result, its output as it happens to be */
static size_t perform(const struct buf *request, int64_t result, uint8_t *all, const uint8_t **ret)
{
	struct perform_job job;
	uint32_t n;

	MUST(request->len <= CALL_BYTES_MAX);
	memcpy(all + BEFORE, buf_bytes(request), request->len);
	MUST(perform_prepare(all + BEFORE, (uint32_t)request->len, &job));
	*ret = perform_answer(&job, result, &n) + sizeof(uint32_t);
	return n - sizeof(uint32_t);
}

static void run(struct marshal *m, const uint8_t *head, uint8_t *all)
{
	uint64_t args[6];
	int64_t results[RESULTS], result = 0;
	struct buf request;
	const uint8_t *answer;
	uint16_t nr;
	uint8_t how = head[2];
	size_t n;
	int step, i;

	memcpy(&nr, head, sizeof(nr));
	memcpy(args, head + 4, sizeof(args));
	memcpy(results, head + 52, sizeof(results));
	buf_init(&request, CALL_BYTES_MAX);
	step = marshal_resume(m, nr, args, how >> 4, 1000, &request, &result);
	for (i = 0; step == MARSHAL_SEND && i < STEPS_MAX; i++) {
		n = perform(&request, results[i % RESULTS], all, &answer);
		if (how & HOW_AGAIN && i % 2) {
			step = marshal_again(m, 1000000000ULL * (uint64_t)i, &request, &result);
			continue;
		}
		if (how & HOW_CUT)
			n = n > how ? n - how : 0;
		if (how & HOW_LIE)
			all[BEFORE + (uint64_t)results[0] % 64] ^= 0x10;
		if (how & HOW_STOPPED && n >= sizeof(struct call_answer))
			all[answer - all + offsetof(struct call_answer, flags)] |= CALL_CUT;
		step = marshal_answer(m, answer, n, 5000000000ULL, &request, &result);
		if (step == MARSHAL_CUT && how & HOW_STOPPED)
			step = marshal_again(m, 5000000000ULL, &request, &result);
	}
	MUST(step == MARSHAL_SEND || step == MARSHAL_RESULT || step == MARSHAL_RETURN ||
	     step == MARSHAL_CUT || step == -EPROTO);
	buf_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct program g = { .n = size > HEAD ? size - HEAD : 0 };
	struct marshal_memory memory = { &g, read_some, write_all };
	struct marshal *m;
	uint8_t *all;

	if (size < HEAD)
		return 0;
	g.memory = malloc(g.n ? g.n : 1);
	all = calloc(1, BEFORE + CALL_BYTES_MAX);
	m = marshal_new(&memory, 900, 909);
	MUST(g.memory && all && m);
	memcpy(g.memory, data + HEAD, g.n);
	run(m, data, all);
	run(m, data, all); /* what is left of the first call must not matter */
	marshal_free(m);
	free(all);
	free(g.memory);
	return 0;
}
