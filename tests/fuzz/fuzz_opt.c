/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_opt.c - command lines
 *
 * The first byte chooses whether options end at the first word; the rest are the words, each ended
 * by a newline.
 */
#include <errno.h>

#include "base/opt.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 32

struct target {
	bool flag;
	uint32_t number;
	const char *string;
	double real;
	uint64_t bytes, ms;
};

static const struct opt_spec specs[] = {
	{ "flag", 'f', OPT_FLAG, offsetof(struct target, flag), NULL, "a flag" },
	{ "number", 'n', OPT_U32, offsetof(struct target, number), "N", "a number" },
	{ "string", 's', OPT_STRING, offsetof(struct target, string), "TEXT", "a text" },
	{ "real", 0, OPT_DOUBLE, offsetof(struct target, real), "X", "a real" },
	{ "bytes", 'b', OPT_SIZE, offsetof(struct target, bytes), "SIZE", "a size" },
	{ "wait", 'w', OPT_DURATION, offsetof(struct target, ms), "TIME", "a duration" },
};

static int split(char *text, char **argv)
{
	int argc = 1;
	char *word;

	while (argc < WORDS_MAX && (word = strsep(&text, "\n")))
		argv[argc++] = word;
	return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct opt_command cmd = {
		.name = "fuzz", .summary = "-", .specs = specs, .n_specs = ARRAY_LEN(specs)
	};
	char *argv[WORDS_MAX + 1] = { (char *)"fuzz" };
	char *before[WORDS_MAX + 1];
	struct target t = { .number = 1 };
	struct err e = { 0 };
	int argc, r, first = -1;

	if (!size)
		return 0;
	cmd.stop_at_word = data[0] & 1;
	AUTO_FREE char *text = strndup((const char *)data + 1, size - 1);

	MUST(text);
	argc = split(text, argv);
	memcpy(before, argv, sizeof(argv));
	r = opt_parse(&cmd, argc, argv, &t, &first, &e);
	if (r < 0) {
		MUST(r == -EINVAL || r == -ECANCELED);
		MUST(r == -ECANCELED || e.text[0]);
		return 0;
	}
	MUST(first >= 1 && first <= argc);
	/* what is left over are words of the line, in their order */
	for (int i = first, k = 1; i < argc; i++, k++) {
		while (k < argc && before[k] != argv[i])
			k++;
		MUST(k < argc);
	}
	return 0;
}
