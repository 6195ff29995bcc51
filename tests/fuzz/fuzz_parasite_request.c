/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_parasite_request.c - requests of a hostile host to the parasite
 *
 * The code of the parasite up to the call and after it, with a result instead of the call: all it
 * touches lies in one allocation of the size it has in a slot.
 */
#include <string.h>

#include "base/attr.h"
#include "forward/home/perform.h"
#include "tests/fuzz/fuzz.h"

#define BEFORE 8 /* of the frame: its length, aligned */

static bool inside(const struct perform_job *job, uint64_t address)
{
	uint64_t from = (uint64_t)(uintptr_t)job->buffer;

	return address >= from && address <= from + job->buffer_len;
}

static void check_addresses(const struct perform_job *job)
{
	uint32_t at;
	uint64_t word;

	/* only the last fix-up of a word is still there */
	for (uint32_t i = job->n_fixups; i-- > 0;) {
		at = job->fixups[i].at;
		if (at & CALL_FIX_ARG) {
			MUST(inside(job, job->request->args[at & ~CALL_FIX_ARG]));
			continue;
		}
		memcpy(&word, job->buffer + at, sizeof(word));
		if (i == job->n_fixups - 1)
			MUST(inside(job, word));
	}
}

static void answer(struct perform_job *job, int64_t result, const uint8_t *all)
{
	uint32_t n;
	const uint8_t *p = perform_answer(job, result, &n);
	struct perform_reply reply;

	MUST(p >= all && p + n <= all + BEFORE + CALL_BYTES_MAX && n >= sizeof(reply));
	memcpy(&reply, p, sizeof(reply));
	MUST(reply.length == n - sizeof(reply.length) && reply.answer.result == result);
	MUST(reply.answer.out_len == n - sizeof(reply) && reply.length <= CALL_BYTES_MAX);
	MUST(result >= 0 || reply.answer.out_len == 0 || job->flags & CALL_OUT_ALWAYS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t results[] = { -512, -1, 0, 1, 100, 70000, INT64_MAX };
	uint8_t *all;
	struct perform_job job;

	if (size > CALL_BYTES_MAX)
		return 0;
	all = malloc(BEFORE + CALL_BYTES_MAX);
	MUST(all);
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		memcpy(all + BEFORE, data, size);
		if (!perform_prepare(all + BEFORE, (uint32_t)size, &job))
			break;
		check_addresses(&job);
		/* the call may be made to write over its own request */
		memset(job.request, (int)size, sizeof(*job.request));
		answer(&job, results[i], all);
	}
	free(all);
	return 0;
}
