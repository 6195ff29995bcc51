/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ends.c - where files end before the memory that they are mapped to */
#include "migrate/ends.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child/child.h"
#include "migrate/capture.h"
#include "test.h"

#define PLACE 0x567000000000ULL /* where sanitizers have nothing either */
#define PAGES 16
#define THERE 3 /* pages of its file */

static void *map(unsigned int page, int prot, int flags, int fd)
{
	return mmap((void *)(PLACE + page * IMAGE_PAGE), PAGES * IMAGE_PAGE, prot,
		    flags | MAP_FIXED_NOREPLACE, fd, 0);
}

/* shared, private, one that may not be read, memory without a file, and a file that has all of it */
static int with_files(struct child *c)
{
	int fd = memfd_create("short", 0), full = memfd_create("full", 0),
	    empty = memfd_create("empty", 0);

	if (ftruncate(fd, THERE * IMAGE_PAGE - 7) < 0 || ftruncate(full, PAGES * IMAGE_PAGE) < 0)
		return 1;
	if (map(0, PROT_READ | PROT_WRITE, MAP_SHARED, fd) == MAP_FAILED ||
	    map(PAGES, PROT_READ, MAP_PRIVATE, fd) == MAP_FAILED ||
	    map(2 * PAGES, PROT_NONE, MAP_PRIVATE, fd) == MAP_FAILED ||
	    map(3 * PAGES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1) == MAP_FAILED ||
	    map(4 * PAGES, PROT_READ, MAP_PRIVATE, full) == MAP_FAILED ||
	    map(5 * PAGES, PROT_READ, MAP_PRIVATE, empty) == MAP_FAILED)
		return 1;
	child_say(c);
	return child_count(c);
}

static void expect(const struct image *m, unsigned int page, unsigned int end, bool beyond)
{
	for (size_t i = 0; i < m->n_mappings; i++) {
		const struct image_mapping *v = &m->mappings[i];

		if (v->start != PLACE + page * IMAGE_PAGE)
			continue;
		assert_int_equal(v->end, PLACE + end * IMAGE_PAGE);
		assert_int_equal(!!(v->flags & IMAGE_MAP_BEYOND), beyond);
		if (v->flags & IMAGE_MAP_FILE)
			assert_int_equal(v->offset, page % PAGES * IMAGE_PAGE);
		return;
	}
	fail_msg("no mapping begins at page %u", page);
}

static void expect_all(const struct image *m)
{
	expect(m, 0, THERE, false);
	expect(m, THERE, PAGES, true);
	expect(m, PAGES, PAGES + THERE, false);
	expect(m, PAGES + THERE, 2 * PAGES, true);
	expect(m, 2 * PAGES, 3 * PAGES, false);
	expect(m, 3 * PAGES, 4 * PAGES, false);
	expect(m, 4 * PAGES, 5 * PAGES, false);
	expect(m, 5 * PAGES, 6 * PAGES, true);
}

static void ends_are_found_and_kept(void **state)
{
	struct err e = { 0 };
	struct image m, now;
	struct child c;

	(void)state;
	child_start(&c, with_files);
	child_await(&c);
	image_init(&m);
	image_init(&now);
	assert_int_equal(capture_maps(c.pid, 0, 0, NULL, &m, &e), 0);
	assert_int_equal(ends_mark(c.pid, &m, &e), 0);
	expect_all(&m);
	assert_true(ends_is_beyond(&m, PLACE + THERE * IMAGE_PAGE));
	assert_false(ends_is_beyond(&m, PLACE + THERE * IMAGE_PAGE - 1));
	assert_false(ends_is_beyond(&m, PLACE + PAGES * IMAGE_PAGE));
	/* once more: what was cut stays so */
	assert_int_equal(ends_mark(c.pid, &m, &e), 0);
	expect_all(&m);

	assert_int_equal(capture_maps(c.pid, 0, 0, &m, &now, &e), 0);
	assert_false(ends_is_beyond(&now, PLACE + THERE * IMAGE_PAGE));
	assert_int_equal(ends_keep(&m, &now, &e), 0);
	expect_all(&now);
	image_done(&m);
	image_done(&now);
	(void)child_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(ends_are_found_and_kept) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
