/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_change.c - what has to be done to the mappings of one image to have those of another */
#include "image/change.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "test.h"

#define BASE  0x10000ULL
#define WORDS 512

/*
 * A letter is a page: small ones a file each, large ones the same file two pages further on, digits
 * memory with that protection, '|' ends a mapping, v is the vdso, '.' nothing; x is a file that both ends
 * have, y one of no page.
 */
static void make(struct image *m, const char *pages)
{
	struct image_mapping *v = NULL;
	char before = '.';
	uint64_t at = BASE;

	image_init(m);
	for (; *pages; before = *pages++) {
		if (*pages == '|')
			continue;
		if (*pages != '.' && *pages != before) {
			bool file = *pages >= 'A' && *pages != 'v';

			v = image_add_mapping(m);
			assert_non_null(v);
			v->start = at;
			v->prot = file ? 1 : (uint32_t)(*pages - '0');
			v->flags = *pages == 'v' ? IMAGE_MAP_VDSO : file ? IMAGE_MAP_FILE : 0;
			v->inode = file ? (uint64_t)(*pages | 0x20) : 0;
			v->offset = file ? at + (*pages & 0x20 ? 0 : 2 * IMAGE_PAGE) : 0;
			v->file = *pages == 'x';
			v->flags |= *pages == 'y' ? IMAGE_MAP_BEYOND : 0;
		}
		at += IMAGE_PAGE;
		if (*pages != '.')
			v->end = at;
	}
}

static int say(void *owner, enum image_change what, uint64_t start, uint64_t end,
	       const struct image_mapping *to)
{
	static const char *const names[] = {
		[IMAGE_GONE] = "gone", [IMAGE_PROTECT] = "protect", [IMAGE_NEW] = "new"
	};
	char *text = owner;

	assert_true((what == IMAGE_GONE) == !to);
	(void)snprintf(text + strlen(text), WORDS - strlen(text), "%s %d-%d%s ", names[what],
		       (int)((start - BASE) / IMAGE_PAGE), (int)((end - BASE) / IMAGE_PAGE),
		       what == IMAGE_PROTECT ? (char[]){ '=', (char)('0' + to->prot), 0 } : "");
	return 0;
}

static void test_what_is_told(void **state)
{
	static const struct {
		const char *from, *to;
		enum image_identity by;
		const char *told;
	} rows[] = {
		{ "333..aa", "333..aa", IMAGE_BY_FILE, "" },
		{ "333", "...", IMAGE_BY_FILE, "gone 0-3 " },
		{ "...", "333", IMAGE_BY_FILE, "new 0-3 " },
		{ "333", "311", IMAGE_BY_FILE, "protect 1-3=1 " },
		{ "333", "3.3", IMAGE_BY_FILE, "gone 1-2 " },
		{ "3.3", "333", IMAGE_BY_FILE, "new 1-2 " },
		{ "33.", ".33", IMAGE_BY_FILE, "gone 0-1 new 2-3 " },
		{ "aab.", "cccc", IMAGE_BY_FILE, "gone 0-2 gone 2-3 new 0-4 " },
		{ "ac.b", "cccc", IMAGE_BY_FILE, "gone 0-1 gone 3-4 new 0-1 new 2-4 " },
		{ "3|3", "33", IMAGE_BY_FILE, "" },
		{ "aaa", "aaa", IMAGE_BY_FILE, "" },
		{ "aaa", "bbb", IMAGE_BY_FILE, "gone 0-3 new 0-3 " },
		{ "aaa", "AAA", IMAGE_BY_FILE, "gone 0-3 new 0-3 " },
		{ "aaa", "a3a", IMAGE_BY_FILE, "gone 1-2 new 1-2 " },
		/* the other end has memory where this one has a file */
		{ "111", "abc", IMAGE_BY_PLACE, "" },
		{ "333", "abc", IMAGE_BY_PLACE, "protect 0-1=1 protect 1-2=1 protect 2-3=1 " },
		/* but what they both have both show */
		{ "xxx", "x1x", IMAGE_BY_PLACE, "gone 1-2 new 1-2 " },
		{ "1a1", "1x1", IMAGE_BY_PLACE, "" },
		{ "1y1", "1y1", IMAGE_BY_PLACE, "" },
		{ "1y1", "111", IMAGE_BY_PLACE, "gone 1-2 new 1-2 " },
		{ "ayy", "aay", IMAGE_BY_FILE, "gone 1-2 new 1-2 " },
		/* the kernel's own are nobody's */
		{ "vv3", "3vv", IMAGE_BY_FILE, "gone 2-3 new 0-1 " },
		{ "1133..", ".1177a", IMAGE_BY_FILE,
		  "gone 0-1 protect 2-3=1 protect 3-4=7 new 4-5 new 5-6 " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct image from, to;
		char told[WORDS] = "";

		make(&from, rows[i].from);
		make(&to, rows[i].to);
		assert_int_equal(image_changes(&from, &to, rows[i].by, say, told), 0);
		if (strcmp(told, rows[i].told) != 0)
			fail_msg("'%s' to '%s': %s, not %s", rows[i].from, rows[i].to, told,
				 rows[i].told);
		image_done(&from);
		image_done(&to);
	}
}

static int stop_at_new(void *owner, enum image_change what, uint64_t start, uint64_t end,
		       const struct image_mapping *to)
{
	int *n = owner;

	(void)start;
	(void)end;
	(void)to;
	++*n;
	return what == IMAGE_NEW ? -7 : 0;
}

static void test_a_reason_stops_it(void **state)
{
	struct image from, to;
	int n = 0;

	(void)state;
	make(&from, "3..3..");
	make(&to, ".33.33");
	assert_int_equal(image_changes(&from, &to, IMAGE_BY_FILE, stop_at_new, &n), -7);
	assert_int_equal(n, 3);
	image_done(&from);
	image_done(&to);
}

/* what was built as memory that may be written is not good enough for a file that may not */
static void test_read_only_is_learnt_late(void **state)
{
	struct image early, late;
	char told[WORDS] = "";

	make(&early, "aaa");
	make(&late, "aaa");
	early.mappings[0].flags |= IMAGE_MAP_SHARED;
	late.mappings[0].flags |= IMAGE_MAP_SHARED | IMAGE_MAP_READONLY;
	assert_int_equal(image_changes(&early, &late, IMAGE_BY_FILE, say, told), 0);
	assert_string_equal(told, "gone 0-3 new 0-3 ");
	told[0] = 0;
	assert_int_equal(image_changes(&early, &late, IMAGE_BY_PLACE, say, told), 0);
	assert_string_equal(told, "");
	image_done(&early);
	image_done(&late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_told),
		cmocka_unit_test(test_read_only_is_learnt_late),
		cmocka_unit_test(test_a_reason_stops_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
