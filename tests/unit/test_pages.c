/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pages.c - PAGES frames that come, into a process that is being built or was here before */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attr.h"
#include "migrate/pages.h"
#include "migrate/pages_frame.h"
#include "test.h"

#define BASE 0x7000000ULL
#define HIDE (BASE + 64ULL * MOVE_PAGE)

struct payload {
	struct pages_header h;
	uint8_t bytes[MOVE_PAGES_MAX * MOVE_PAGE];
};

static struct payload payload;
static struct pageset written;
static struct pages_writer writer;
static unsigned int dropped;

static int set_up(void **state)
{
	(void)state;
	pageset_init(&written);
	dropped = 0;
	/* a file is as good as the memory of a process: what was not written is zero */
	writer = (struct pages_writer){ .mem = memfd_create("memory", MFD_CLOEXEC),
					.pagemap = -1,
					.hide_start = HIDE,
					.hide_end = HIDE + 16ULL * MOVE_PAGE };
	return writer.mem < 0 || ftruncate(writer.mem, (off_t)IMAGE_TOP) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	pageset_done(&written);
	return close(writer.mem);
}

static int take(uint64_t at, uint32_t n, uint32_t kind, size_t len, bool *ret_end)
{
	const struct move_frame f = { .type = MOVE_PAGES,
				      .payload = (const uint8_t *)&payload,
				      .len = (uint32_t)(sizeof(payload.h) + len) };
	struct err e = { 0 };
	int r;

	payload.h = (struct pages_header){ .at = at, .n = n, .kind = kind };
	r = pages_write(&writer, &f, ret_end, &e);
	assert_true(r == 0 || e.text[0]);
	return r;
}

static int bytes(uint64_t page, uint32_t n, uint8_t value)
{
	bool end;

	memset(payload.bytes, value, (size_t)n * MOVE_PAGE);
	return take(BASE + page * MOVE_PAGE, n, PAGES_BYTES, (size_t)n * MOVE_PAGE, &end);
}

static int none(uint64_t page, uint32_t n, uint32_t kind)
{
	bool end;

	return take(BASE + page * MOVE_PAGE, n, kind, 0, &end);
}

static uint8_t value_of(uint64_t page)
{
	uint8_t there[MOVE_PAGE];

	assert_int_equal(pread(writer.mem, there, sizeof(there), (off_t)(BASE + page * MOVE_PAGE)),
			 MOVE_PAGE);
	assert_memory_equal(there, there + 1, MOVE_PAGE - 1);
	return there[0];
}

static void test_what_is_no_frame(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t n, kind;
		size_t len;
	} rows[] = {
		{ BASE + 1, 1, PAGES_BYTES, MOVE_PAGE },
		{ BASE, 1, PAGES_BYTES, MOVE_PAGE - 1 },
		{ BASE, 1, PAGES_BYTES, 0 },
		{ BASE, 1, PAGES_ZERO, MOVE_PAGE },
		{ BASE, 1, PAGES_ABSENT, 1 },
		{ BASE, 1, 3, 0 },
		{ BASE, MOVE_PAGES_MAX + 1, PAGES_ZERO, 0 },
		{ BASE, UINT32_MAX, PAGES_ZERO, 0 },
		{ IMAGE_TOP, 1, PAGES_ZERO, 0 },
		{ IMAGE_TOP - MOVE_PAGE, 2, PAGES_ZERO, 0 },
		{ UINT64_MAX - MOVE_PAGE + 1, 1, PAGES_ZERO, 0 },
		{ UINT64_MAX - MOVE_PAGE + 1, UINT32_MAX, PAGES_ABSENT, 0 },
		{ HIDE, 1, PAGES_ZERO, 0 },
		{ HIDE - MOVE_PAGE, 2, PAGES_ZERO, 0 },
		{ HIDE + 15ULL * MOVE_PAGE, 1, PAGES_ZERO, 0 },
		{ BASE, UINT32_MAX, PAGES_ABSENT, 0 }, /* over the place that is hidden */
	};
	bool end;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (take(rows[i].at, rows[i].n, rows[i].kind, rows[i].len, &end) != -EPROTO)
			fail_msg("row %zu is taken", i);
	assert_int_equal(take(HIDE - MOVE_PAGE, 1, PAGES_ZERO, 0, &end), 0);
	assert_int_equal(take(HIDE + 16ULL * MOVE_PAGE, 1, PAGES_ZERO, 0, &end), 0);
	assert_int_equal(take(IMAGE_TOP - MOVE_PAGE, 1, PAGES_ZERO, 0, &end), 0);
}

static void test_the_last_one_has_no_pages(void **state)
{
	bool end = false;

	(void)state;
	assert_int_equal(take(0, 0, PAGES_BYTES, 0, &end), 0);
	assert_true(end);
	assert_int_equal(take(BASE, 1, PAGES_ZERO, 0, &end), 0);
	assert_false(end);
}

static void test_into_one_that_is_being_built(void **state)
{
	uint64_t start, n;

	(void)state;
	writer.written = &written;
	assert_int_equal(bytes(0, 3, 'a'), 0);
	assert_int_equal(none(1, 1, PAGES_ZERO), 0);	/* is zero now, and was not */
	assert_int_equal(none(2, 40, PAGES_ABSENT), 0); /* the same, and nothing else is touched */
	assert_int_equal(value_of(0), 'a');
	assert_int_equal(value_of(1), 0);
	assert_int_equal(value_of(2), 0);
	assert_true(pageset_next(&written, 0, IMAGE_TOP, &start, &n));
	assert_int_equal(start, BASE);
	assert_int_equal(n, 3);
	assert_int_equal(bytes(1, 1, 'b'), 0);
	assert_int_equal(value_of(1), 'b');
}

static void test_into_one_that_was_here(void **state)
{
	(void)state;
	assert_int_equal(bytes(0, 2, 'a'), 0);
	assert_int_equal(bytes(1, 2, 'b'), 0);
	assert_int_equal(none(0, 1, PAGES_ZERO), 0);
	assert_int_equal(value_of(0), 0);
	assert_int_equal(value_of(1), 'b');
	assert_int_equal(value_of(2), 'b');
}

static int drop(void *owner, uint64_t at, uint64_t n, struct err *e)
{
	(void)owner;
	(void)e;
	assert_true(at % MOVE_PAGE == 0);
	dropped += (unsigned int)n;
	return 0;
}

/* of what is said to be absent, only what is there is given back: two pages of ours */
static void test_absent_pages_are_given_back(void **state)
{
	uint8_t *own = mmap(NULL, 8 * MOVE_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bool end;

	(void)state;
	assert_true(own != MAP_FAILED);
	assert_int_equal(madvise(own, 8 * MOVE_PAGE, MADV_NOHUGEPAGE), 0);
	own[MOVE_PAGE] = own[5 * MOVE_PAGE] = 1;
	writer.pagemap = pages_open_pagemap(getpid());
	assert_true(writer.pagemap >= 0);
	writer.drop = drop;
	assert_int_equal(take((uint64_t)(uintptr_t)own, 8, PAGES_ABSENT, 0, &end), 0);
	assert_int_equal(dropped, 2);
	(void)close(writer.pagemap);
	(void)munmap(own, 8 * MOVE_PAGE);
}

/* memory that is not there now: it may be another mapping's, which comes later */
static void test_what_finds_no_memory_is_kept_in_mind(void **state)
{
	int file = memfd_create("short", MFD_CLOEXEC);
	struct pageset missed;
	uint64_t at, n;
	uint8_t *own;
	bool end;

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, MOVE_PAGE), 0);
	own = mmap(NULL, 4 * MOVE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	assert_ptr_not_equal(own, MAP_FAILED);
	(void)close(writer.mem);
	writer.mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	assert_true(writer.mem >= 0);

	at = (uint64_t)(uintptr_t)own;
	memset(payload.bytes, 5, 3 * MOVE_PAGE);
	assert_int_equal(take(at, 3, PAGES_BYTES, 3 * MOVE_PAGE, &end), -EIO);
	pageset_init(&missed);
	writer.missed = &missed;
	assert_int_equal(take(at, 3, PAGES_BYTES, 3 * MOVE_PAGE, &end), 0);
	assert_int_equal(own[0], 5);
	assert_true(pageset_next(&missed, 0, IMAGE_TOP, &at, &n));
	assert_int_equal(at, (uint64_t)(uintptr_t)own + MOVE_PAGE);
	assert_int_equal(n, 2);
	/* the file has grown, and one of them comes once more */
	assert_int_equal(ftruncate(file, 4 * MOVE_PAGE), 0);
	assert_int_equal(take(at, 1, PAGES_BYTES, MOVE_PAGE, &end), 0);
	assert_true(pageset_next(&missed, 0, IMAGE_TOP, &at, &n));
	assert_int_equal(at, (uint64_t)(uintptr_t)own + 2 * MOVE_PAGE);
	assert_int_equal(n, 1);
	pageset_done(&missed);
	(void)munmap(own, 4 * MOVE_PAGE);
	(void)close(file);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_what_is_no_frame),
		T(test_the_last_one_has_no_pages),
		T(test_into_one_that_is_being_built),
		T(test_into_one_that_was_here),
		T(test_absent_pages_are_given_back),
		T(test_what_finds_no_memory_is_kept_in_mind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
