/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_image.c - images come back as they were, from older and newer nodes too, or not at all */
#include <errno.h>

#include "base/le.h"
#include "image/image.h"
#include "image/record.h"
#include "test.h"

#define XSTATE_LEN 1024

static struct image_mapping *add_mapping(struct image *m, uint64_t start, uint64_t pages,
					 uint32_t flags)
{
	struct image_mapping *v = image_add_mapping(m);

	assert_non_null(v);
	v->start = start;
	v->end = start + pages * IMAGE_PAGE;
	v->prot = 5;
	v->flags = flags;
	return v;
}

static struct image_thread *add_thread(struct image *m, uint32_t tid)
{
	struct image_thread *t = image_add_thread(m);

	assert_non_null(t);
	t->tid = tid;
	memcpy(t->name, "worker", 7);
	t->regs.rip = 0x401000;
	t->regs.cs = 0x33;
	t->sigmask = 0x8000000000000001ULL;
	t->xstate = calloc(1, XSTATE_LEN);
	assert_non_null(t->xstate);
	t->xstate_len = XSTATE_LEN;
	t->xstate[512] = 7;
	t->xstate[XSTATE_LEN - 1] = 0xa5;
	return t;
}

/* two threads, a file, heap, vdso */
static void make(struct image *m)
{
	image_init(m);
	m->pid = 4711;
	m->uid = m->gid = 1000;
	memcpy(m->name, "simulate", 9);
	m->parasite = 0x7f0000000000ULL;
	m->parasite_size = 16 * IMAGE_PAGE;
	m->vdso_start = 0x7ffff7fc0000ULL;
	memset(m->vdso_digest, 0xd1, sizeof(m->vdso_digest));
	m->xcr0 = 0xe7;
	m->monotonic_ns = 123456789012345;
	m->boottime_ns = 223456789012345;
	m->virtual_timer[1] = 1000000;
	m->no_new_privs = 1;
	m->limits[3] = (struct image_limit){ 8 << 20, UINT64_MAX };
	m->limits_bound = 1 << 9;
	m->cpu_used_ns = 12345678901;
	m->n_cpus = 8;
	m->n_timers = 2;
	m->timers[0] = (struct image_timer){ 3, 5000, 4, 34, 5000, 1234, 77, 1000000 };
	m->timers[1] = (struct image_timer){ .id = 9, .notify = 1 };
	m->mm = (struct image_mm){
		.start_code = 0x401000, .end_code = 0x402000, .start_brk = 0x500000, .brk = 0x521000
	};
	m->actions[9] = (struct image_action){ 0x401100, 0x14000000, 0x401200,
					       0xfffffffffffffffeULL };
	add_mapping(m, 0x400000, 4, IMAGE_MAP_FILE)->inode = 77;
	add_mapping(m, 0x500000, 33, 0)->prot = 3;
	add_mapping(m, 0x7ffff7fc0000ULL, 4, IMAGE_MAP_VDSO);
	add_mapping(m, 0x7ffff7fc4000ULL, 2, IMAGE_MAP_VDSO);
	add_mapping(m, 0xffffffffff600000ULL, 1, IMAGE_MAP_VSYSCALL);
	add_thread(m, 4711);
	add_thread(m, 5000)->rseq_address = 0x500100;
	m->threads[1].rseq_size = 32;
	m->threads[1].restart_call = 230;
	m->threads[1].done = 1 << 20;
	m->threads[1].wait_until_ns = 77;
	m->threads[1].cpus[1] = 5;
}

static void put(struct buf *b, const struct image *m)
{
	buf_init(b, IMAGE_BYTES_MAX);
	assert_int_equal(image_put(b, m), 0);
}

static void assert_same(const struct image *a, const struct image *b)
{
	/* all but the pointers and counts, which stand at the end */
	assert_memory_equal(a, b, offsetof(struct image, mappings));
	assert_int_equal(a->n_mappings, b->n_mappings);
	assert_memory_equal(a->mappings, b->mappings, a->n_mappings * sizeof(*a->mappings));
	assert_int_equal(a->n_threads, b->n_threads);
	for (size_t i = 0; i < a->n_threads; i++) {
		const struct image_thread *s = &a->threads[i], *t = &b->threads[i];

		assert_memory_equal(s, t, offsetof(struct image_thread, xstate));
		assert_memory_equal(s->xstate, t->xstate, s->xstate_len);
	}
}

static void assert_gets(const struct buf *b, const struct image *want)
{
	struct image got;
	struct err e = { 0 };

	image_init(&got);
	if (image_get(buf_bytes(b), b->len, &got, &e) < 0)
		fail_msg("%s", e.text);
	assert_same(&got, want);
	image_done(&got);
}

static void assert_refused(const void *p, size_t n, const char *part)
{
	struct err e = { 0 };
	struct image got;

	image_init(&got);
	assert_int_equal(image_get(p, n, &got, &e), -EPROTO);
	if (!strstr(e.text, part))
		fail_msg("'%s' does not say '%s'", e.text, part);
	assert_null(got.mappings);
	assert_null(got.threads);
	assert_int_equal(got.pid, 0);
}

static void images_come_back(void **state)
{
	struct image m;
	struct buf b;

	make(&m);
	put(&b, &m);
	assert_gets(&b, &m);
	/* every cut is seen */
	for (size_t n = 0; n < b.len; n++)
		assert_refused(buf_bytes(&b), n, "an image");
	assert_int_equal(buf_put_u8(&b, 0), 0);
	assert_refused(buf_bytes(&b), b.len, "after its end");
	buf_done(&b);
	image_done(&m);
}

static void the_largest_image_fits(void **state)
{
	struct image m;
	struct buf b;

	make(&m);
	m.n_mappings = 2; /* without the vdso, behind which there is no room */
	m.vdso_start = 0;
	while (m.n_mappings < IMAGE_MAPPINGS_MAX)
		add_mapping(&m, 0x10000000ULL + m.n_mappings * IMAGE_PAGE, 1, 0);
	while (m.n_threads < IMAGE_THREADS_MAX)
		add_thread(&m, 6000 + (uint32_t)m.n_threads);
	assert_null(image_add_mapping(&m));
	assert_null(image_add_thread(&m));
	put(&b, &m);
	assert_gets(&b, &m);
	buf_done(&b);
	image_done(&m);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
	struct image m;
	struct buf b;

	make(&m);
	buf_init(&b, 2000);
	assert_int_equal(buf_put(&b, "before", 6), 0);
	assert_int_equal(image_put(&b, &m), -ENOBUFS);
	assert_int_equal(b.len, 6);
	buf_done(&b);
	image_done(&m);
}

/* ---- other versions ---- */

/* copies records, each with so many bytes more at its end and a version one higher */
static void lengthen(const struct buf *from, struct buf *to, uint32_t extra)
{
	const uint8_t *p = buf_bytes(from), *end = p + from->len;

	buf_init(to, IMAGE_BYTES_MAX);
	while (p < end) {
		uint32_t len = le32_get(p + 4);
		uint8_t *at;

		assert_int_equal(buf_room(to, RECORD_HEADER + len + extra, &at), 0);
		memcpy(at, p, RECORD_HEADER + len);
		le16_put(at + 2, IMAGE_VERSION + 1);
		le32_put(at + 4, len + extra);
		memset(at + RECORD_HEADER + len, 0xee, extra);
		buf_grow(to, RECORD_HEADER + len + extra);
		p += RECORD_HEADER + len;
	}
}

static void put_unknown(struct buf *b, unsigned int kind)
{
	uint8_t *at;

	assert_int_equal(buf_room(b, RECORD_HEADER + 3, &at), 0);
	le16_put(at, (uint16_t)kind);
	le16_put(at + 2, 1);
	le32_put(at + 4, 3);
	memcpy(at + RECORD_HEADER, "new", 3);
	buf_grow(b, RECORD_HEADER + 3);
}

static void a_newer_node_is_understood(void **state)
{
	struct buf b, longer, unknown;
	struct image m;

	make(&m);
	put(&b, &m);
	lengthen(&b, &longer, 12);
	assert_gets(&longer, &m);

	buf_init(&unknown, IMAGE_BYTES_MAX);
	put_unknown(&unknown, 0x1234);
	assert_int_equal(buf_put(&unknown, buf_bytes(&b), b.len), 0);
	assert_gets(&unknown, &m);

	buf_reset(&unknown);
	put_unknown(&unknown, IMAGE_MUST | 0x1234);
	assert_int_equal(buf_put(&unknown, buf_bytes(&b), b.len), 0);
	assert_refused(buf_bytes(&unknown), unknown.len, "update this node");
	buf_done(&unknown);
	buf_done(&longer);
	buf_done(&b);
	image_done(&m);
}

static void a_record_is_there_once(void **state)
{
	struct buf b, twice;
	struct image m;

	make(&m);
	put(&b, &m);
	buf_init(&twice, IMAGE_BYTES_MAX);
	/* the process record stands first */
	assert_int_equal(
		buf_put(&twice, buf_bytes(&b), RECORD_HEADER + le32_get(buf_bytes(&b) + 4)), 0);
	assert_int_equal(buf_put(&twice, buf_bytes(&b), b.len), 0);
	assert_refused(buf_bytes(&twice), twice.len, "two records 'process'");
	buf_eat(&b, RECORD_HEADER + le32_get(buf_bytes(&b) + 4));
	assert_refused(buf_bytes(&b), b.len, "without its record 'process'");
	buf_done(&twice);
	buf_done(&b);
	image_done(&m);
}

/* ---- what cannot be ---- */

static void pid_0(struct image *m)
{
	m->pid = m->threads[0].tid = 0;
}

static void nobody(struct image *m)
{
	m->uid = UINT32_MAX;
}

static void endless_name(struct image *m)
{
	memset(m->name, 'x', sizeof(m->name));
}

static void too_soft(struct image *m)
{
	m->limits[3] = (struct image_limit){ 2, 1 };
}

static void timer_without_signal(struct image *m)
{
	m->timers[0].signo = 0;
}

static void timer_in_the_past(struct image *m)
{
	m->timers[1].left_ns = UINT64_MAX;
}

static void half_a_region(struct image *m)
{
	m->parasite_size = 0;
}

static void region_too_high(struct image *m)
{
	m->parasite = IMAGE_TOP - IMAGE_PAGE;
}

static void region_in_use(struct image *m)
{
	m->parasite = 0x510000;
}

static void no_sse(struct image *m)
{
	m->xcr0 = 1;
}

static void past_clock(struct image *m)
{
	m->boottime_ns = -1;
}

static void heap_backwards(struct image *m)
{
	m->mm.brk = m->mm.start_brk - 1;
}

static void code_too_high(struct image *m)
{
	m->mm.end_code = IMAGE_TOP;
}

static void no_mapping_order(struct image *m)
{
	m->mappings[1].start = 0x3ff000;
}

static void mappings_overlap(struct image *m)
{
	m->mappings[1].start = 0x403000;
}

static void unaligned(struct image *m)
{
	m->mappings[0].start += 8;
}

static void empty(struct image *m)
{
	m->mappings[0].end = m->mappings[0].start;
}

static void kernel_memory(struct image *m)
{
	m->mappings[3].end = IMAGE_TOP + IMAGE_PAGE;
}

static void fake_vsyscall(struct image *m)
{
	m->mappings[4].start -= IMAGE_PAGE;
}

static void unknown_flag(struct image *m)
{
	m->mappings[0].flags |= 1U << 20;
}

static void unknown_prot(struct image *m)
{
	m->mappings[0].prot = 8;
}

static void shared_vdso(struct image *m)
{
	m->mappings[2].flags |= IMAGE_MAP_SHARED;
}

static void file_beyond_the_list(struct image *m)
{
	m->mappings[0].file = IMAGE_FILES_MAX + 1;
}

static void shared_and_written_file(struct image *m)
{
	m->mappings[0].flags |= IMAGE_MAP_FILE | IMAGE_MAP_SHARED;
	m->mappings[0].prot = 3;
	m->mappings[0].file = 1;
}

static void beyond_the_end_of_nothing(struct image *m)
{
	m->mappings[1].flags |= IMAGE_MAP_BEYOND;
}

static void beyond_the_end_of_a_lent_file(struct image *m)
{
	m->mappings[0].flags |= IMAGE_MAP_BEYOND;
	m->mappings[0].file = 1;
}

static void odd_offset(struct image *m)
{
	m->mappings[0].offset = 1;
}

static void moved_vdso(struct image *m)
{
	m->vdso_start += IMAGE_PAGE;
}

static void no_threads(struct image *m)
{
	free(m->threads[0].xstate);
	free(m->threads[1].xstate);
	m->n_threads = 0;
}

static void another_leader(struct image *m)
{
	m->threads[0].tid++;
}

static void twins(struct image *m)
{
	m->threads[1].tid = m->threads[0].tid;
}

static void code_of_32_bits(struct image *m)
{
	m->threads[1].regs.cs = 0x23;
}

static void kernel_segment(struct image *m)
{
	m->threads[1].regs.gs_base = 0xffff888000000000ULL;
}

static void rseq_too_high(struct image *m)
{
	m->threads[1].rseq_address = IMAGE_TOP - 8;
}

static void rseq_without_size(struct image *m)
{
	m->threads[1].rseq_size = 0;
}

static void odd_robust_list(struct image *m)
{
	m->threads[0].robust_size = 23;
}

static void altstack_too_high(struct image *m)
{
	m->threads[0].altstack_address = UINT64_MAX;
	m->threads[0].altstack_size = 2;
}

static void no_such_call(struct image *m)
{
	m->threads[1].restart_call = 1U << 30;
}

static void done_more_than_all(struct image *m)
{
	m->threads[1].done = 1ULL << 63;
}

static void alien_xstate(struct image *m)
{
	m->threads[0].xstate[513] = 1;
}

static void compact_xstate(struct image *m)
{
	m->threads[0].xstate[527] = 0x80;
}

static void short_xstate(struct image *m)
{
	m->threads[0].xstate_len = 575;
}

static const struct {
	void (*spoil)(struct image *m);
	const char *part; /* of the reason */
} bad[] = {
	{ pid_0, "process id" },
	{ nobody, "no user" },
	{ endless_name, "name without end" },
	{ half_a_region, "reserved region" },
	{ region_too_high, "reserved region" },
	{ region_in_use, "that is reserved" },
	{ no_sse, "floating point" },
	{ past_clock, "clock" },
	{ too_soft, "above what it may be" },
	{ timer_without_signal, "timer" },
	{ timer_in_the_past, "timer" },
	{ heap_backwards, "heap" },
	{ code_too_high, "code" },
	{ no_mapping_order, "behind the one before" },
	{ mappings_overlap, "behind the one before" },
	{ unaligned, "whole pages" },
	{ empty, "whole pages" },
	{ kernel_memory, "end of user space" },
	{ fake_vsyscall, "[vsyscall]" },
	{ unknown_flag, "flags" },
	{ unknown_prot, "flags" },
	{ shared_vdso, "two things" },
	{ odd_offset, "offset" },
	{ file_beyond_the_list, "no host can have" },
	{ beyond_the_end_of_nothing, "end of no file" },
	{ beyond_the_end_of_a_lent_file, "end of no file" },
	{ shared_and_written_file, "no host can have" },
	{ moved_vdso, "vdso" },
	{ no_threads, "leader" },
	{ another_leader, "leader" },
	{ twins, "two threads" },
	{ code_of_32_bits, "32-bit" },
	{ kernel_segment, "segment" },
	{ rseq_too_high, "restartable" },
	{ rseq_without_size, "restartable" },
	{ odd_robust_list, "robust" },
	{ altstack_too_high, "signal stack" },
	{ no_such_call, "call to restart" },
	{ done_more_than_all, "rest of a call" },
	{ alien_xstate, "extended state" },
	{ compact_xstate, "extended state" },
	{ short_xstate, "extended state" },
};

static void what_cannot_be_is_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = { 0 };
		struct image m;
		struct buf b;

		make(&m);
		bad[i].spoil(&m);
		assert_int_equal(image_check(&m, &e), -EPROTO);
		if (!strstr(e.text, bad[i].part))
			fail_msg("'%s' does not say '%s'", e.text, bad[i].part);
		put(&b, &m);
		assert_refused(buf_bytes(&b), b.len, bad[i].part);
		buf_done(&b);
		image_done(&m);
	}
}

static void mappings_are_found_by_address(void **state)
{
	struct image m;

	(void)state;
	image_init(&m);
	assert_null(image_at(&m, 0));
	assert_int_equal(image_behind(&m, 0), 0);
	for (uint64_t i = 1; i <= 5; i++)
		add_mapping(&m, i * 0x100000, 4, 0);
	assert_null(image_at(&m, 0x100000 - 1));
	assert_ptr_equal(image_at(&m, 0x100000), &m.mappings[0]);
	assert_ptr_equal(image_at(&m, 0x303fff), &m.mappings[2]);
	assert_null(image_at(&m, 0x304000));
	assert_int_equal(image_behind(&m, 0x304000), 3);
	assert_int_equal(image_behind(&m, 0x503fff), 4);
	assert_int_equal(image_behind(&m, 0x504000), 5);
	assert_null(image_at(&m, UINT64_MAX));
	image_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_come_back),
		cmocka_unit_test(the_largest_image_fits),
		cmocka_unit_test(a_full_buffer_is_left_as_it_was),
		cmocka_unit_test(a_newer_node_is_understood),
		cmocka_unit_test(a_record_is_there_once),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(mappings_are_found_by_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
