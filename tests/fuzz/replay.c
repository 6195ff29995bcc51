/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay.c - feed the stored inputs of a fuzz target to it, without a fuzzer
 *
 * Theory of operation. `make check` runs each target over its corpus with the ordinary compiler and
 * again under ASan and UBSan. Each file is fed whole, then cut off at every length, then with each
 * byte damaged in turn: the cheap part of what a fuzzer would try, the same in every run. Inputs
 * sit at the end of their own allocation, so that reading past them is seen.
 *
 * Usage: fuzz_NAME DIRECTORY; prints "ok - FILE" for each file (tools/test-summary counts them)
 */
#include <dirent.h>
#include <errno.h>

#include "base/buf.h"
#include "os/file.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX  (1U << 20)
#define DAMAGE_MAX 4096 /* longer inputs are only fed whole and cut at steps */

static void feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	MUST(copy);
	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size); /* always 0; what is wrong aborts */
	free(copy);
}

static void feed_cut(const uint8_t *data, size_t size)
{
	size_t step = size / DAMAGE_MAX + 1;

	for (size_t len = 0; len < size; len += step)
		feed(data, len);
}

static void feed_damaged(uint8_t *data, size_t size)
{
	static const uint8_t masks[] = { 0x01, 0x80, 0xff };

	if (size > DAMAGE_MAX)
		return;
	for (size_t at = 0; at < size; at++)
		for (size_t m = 0; m < ARRAY_LEN(masks); m++) {
			data[at] ^= masks[m];
			feed(data, size);
			data[at] ^= masks[m];
		}
}

/* returns 0 or -errno */
static int replay(const char *dir, const char *name)
{
	struct err e = { 0 };
	struct buf b;
	char path[4096];
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	buf_init(&b, INPUT_MAX);
	r = file_read(path, &b, &e);
	if (r < 0) {
		(void)printf("not ok - %s: %s\n", name, e.text);
	} else {
		feed(b.data, b.len);
		feed_cut(b.data, b.len);
		feed_damaged(b.data, b.len);
		(void)printf("ok - %s\n", name);
	}
	buf_done(&b);
	return r;
}

int main(int argc, char **argv)
{
	unsigned int files = 0, bad = 0;
	struct dirent *entry;
	DIR *dir;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	dir = opendir(argv[1]);
	if (!dir) {
		(void)fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		files++;
		bad += replay(argv[1], entry->d_name) < 0;
	}
	(void)closedir(dir); /* it was only read */
	if (!files)
		(void)printf("not ok - no input in %s: add one\n", argv[1]);
	return bad || !files;
}
