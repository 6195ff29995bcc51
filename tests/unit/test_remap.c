/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_remap.c - the mappings of a stopped process become those of an image */
#include "migrate/remap.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "child/child.h"
#include "migrate/capture.h"
#include "migrate/region.h"
#include "migrate/stub.h"
#include "test.h"

#define PLACE 0x567000000000ULL /* where sanitizers have nothing either */
#define PAGES 16

static const struct stub_ops no_ops;

static int with_pages(struct child *c)
{
	uint8_t *p = mmap((void *)PLACE, PAGES * IMAGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	memset(p, 'x', PAGES * IMAGE_PAGE);
	child_say(c);
	return child_count(c);
}

static void now(struct stub *s, struct image *ret)
{
	struct err e = { 0 };

	image_init(ret);
	if (capture_maps(s->pid, s->region, s->region + REGION_BYTES, NULL, ret, &e) < 0)
		fail_msg("%s", e.text);
}

/* [from, to) pages of the place, mapped with this protection; flags of image.h */
static void put(struct image *m, unsigned int from, unsigned int to, uint32_t prot, uint32_t flags)
{
	struct image_mapping *v = image_add_mapping(m);

	assert_non_null(v);
	*v = (struct image_mapping){ .start = PLACE + from * IMAGE_PAGE,
				     .end = PLACE + to * IMAGE_PAGE,
				     .prot = prot,
				     .flags = flags };
}

static int by_place(const void *a, const void *b)
{
	const struct image_mapping *v = a, *w = b;

	return v->start < w->start ? -1 : v->start > w->start;
}

/* all but the place as it is; there: pages 0-4 as before, 4-8 read only, 8-12 gone, 12-20 new */
static void wish(const struct image *is, struct image *ret)
{
	image_init(ret);
	for (size_t i = 0; i < is->n_mappings; i++)
		if (is->mappings[i].start != PLACE) {
			struct image_mapping *v = image_add_mapping(ret);

			assert_non_null(v);
			*v = is->mappings[i];
		}
	put(ret, 0, 4, PROT_READ | PROT_WRITE, 0);
	put(ret, 4, 8, PROT_READ, 0);
	put(ret, 12, 20, PROT_READ | PROT_WRITE, IMAGE_MAP_SHARED | IMAGE_MAP_DONTFORK);
	qsort(ret->mappings, ret->n_mappings, sizeof(*ret->mappings), by_place);
}

static uint8_t byte_at(pid_t pid, unsigned int page)
{
	uint8_t byte = 0;

	assert_int_equal(tracee_read(pid, PLACE + page * IMAGE_PAGE, &byte, 1), 0);
	return byte;
}

static void becomes_the_image(void **state)
{
	struct image is, want, then;
	struct err e = { 0 };
	struct loop *loop;
	struct child c;
	struct stub s;

	(void)state;
	child_start(&c, with_pages);
	child_await(&c);
	assert_int_equal(loop_new(&loop, &e), 0);
	stub_init(&s, loop, &no_ops, NULL);
	assert_int_equal(stub_seize(&s, c.pid, &e), 0);
	assert_int_equal(stub_prepare(&s, 0, NULL, &e), 0);

	now(&s, &is);
	wish(&is, &want);
	if (remap(&s.batch, c.pid, &is, &want, IMAGE_BY_FILE, &e) < 0)
		fail_msg("%s", e.text);
	now(&s, &then);
	/* what it has now is what was wanted: nothing is left to be done */
	assert_int_equal(remap(&s.batch, c.pid, &then, &want, IMAGE_BY_FILE, &e), 0);
	assert_int_equal(then.n_mappings, want.n_mappings);
	for (size_t i = 0; i < then.n_mappings; i++) {
		assert_int_equal(then.mappings[i].start, want.mappings[i].start);
		assert_int_equal(then.mappings[i].end, want.mappings[i].end);
		assert_int_equal(then.mappings[i].prot, want.mappings[i].prot);
		assert_int_equal(then.mappings[i].flags & IMAGE_MAP_DONTFORK,
				 want.mappings[i].flags & IMAGE_MAP_DONTFORK);
	}
	assert_int_equal(byte_at(c.pid, 3), 'x');
	assert_int_equal(byte_at(c.pid, 7), 'x');
	assert_int_equal(byte_at(c.pid, 12), 0); /* it is another one, and fresh */

	image_done(&is);
	image_done(&want);
	image_done(&then);
	stub_release(&s);
	child_runs_on(&c);
	(void)child_end(&c);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(becomes_the_image) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
