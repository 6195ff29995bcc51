/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_preflight_texts.c - what preflight reads out of /proc of machines that this one is not */
#include "image/image.h"
#include "migrate/preflight.h"
#include "test.h"
#include "tracee/maps.h"

#define BIT PREFLIGHT_BIT

static void of_status(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} texts[] = {
		{ "", 0 },
		{ "Name:\tx\nuntag_mask:\t0xffffffffffffffff\nThreads:\t1\n", 0 },
		{ "Name:\tx\nuntag_mask:\t0x81ffffffffffffff\nThreads:\t1\n", BIT(TAGGED) },
		{ "x86_Thread_features:\t\nx86_Thread_features_locked:\tshstk\n", 0 },
		{ "x86_Thread_features:\tshstk wrss \n", BIT(SHADOW_STACK) },
		{ "Name:\tuntag_mask:\\n0x1\n", 0 },
		{ "untag_mask:\n", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(preflight_status(texts[i].text), texts[i].want);
}

static uint64_t of_text(const char *text, bool *ret_odd)
{
	struct err e = { 0 };
	struct maps maps;
	uint64_t reasons;

	if (maps_parse(strdup(text), &maps, &e) < 0)
		fail_msg("%s", e.text);
	reasons = preflight_maps(&maps, ret_odd) | preflight_flags(&maps);
	maps_done(&maps);
	return reasons;
}

static void of_maps(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
		bool odd;
	} texts[] = {
		{ "00400000-00401000 r-xp 00000000 08:01 77 /bin/x\nVmFlags: rd ex mr\n", 0,
		  false },
		{ "7f0000000000-7f0000001000 rw-s 00000000 00:05 9 /dev/dri/card0\n"
		  "VmFlags: rd wr sh io pf\n",
		  BIT(DEVICE_MEMORY), true },
		{ "7f0000000000-7f0000001000 rw-s 00000000 00:05 9 /dev/shm/dev\nVmFlags: rd\n", 0,
		  false },
		{ "7f0000000000-7f0000001000 rw-s 00000000 00:17 9 /sys/bus/pci/x/resource0\n"
		  "VmFlags: rd wr io pf\n",
		  BIT(DEVICE_MEMORY), true },
		{ "7f0000000000-7f0000004000 r--p 00000000 00:00 0 [vvar]\nVmFlags: rd io pf\n", 0,
		  false },
		{ "7f0000000000-7f0000400000 rw-p 00000000 00:0f 9 /mnt/huge/x\nVmFlags: rd ht\n",
		  BIT(HUGETLB), true },
		{ "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nVmFlags: rd wr um\n",
		  BIT(USERFAULTFD), false },
		{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n", 0,
		  false },
		{ "ff000000000000-ff000000001000 rw-p 00000000 00:00 0 \n", BIT(HIGH_MEMORY),
		  false },
		{ "7fffffffe000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n", 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		bool odd;

		assert_int_equal(of_text(texts[i].text, &odd), texts[i].want);
		assert_int_equal(odd, texts[i].odd);
	}
}

static void of_too_many_maps(void **state)
{
	static const struct maps_entry entry = { .start = 4096, .end = 8192, .name = "" };
	struct maps maps = { .entries = calloc(IMAGE_MAPPINGS_MAX + 1, sizeof(entry)) };
	bool odd;

	assert_non_null(maps.entries);
	for (maps.n = 0; maps.n < IMAGE_MAPPINGS_MAX; maps.n++)
		maps.entries[maps.n] = entry;
	assert_int_equal(preflight_maps(&maps, &odd), 0);
	maps.entries[maps.n++] = entry;
	assert_int_equal(preflight_maps(&maps, &odd), BIT(MAPPINGS));
	free(maps.entries);
}

static void of_timers(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} texts[] = {
		{ "", 0 },
		{ "ID: 0\nsignal: 10/0\nnotify: signal/pid.4\nClockID: 0\n", 0 },
		{ "ID: 1\nClockID: 1\nID: 0\nClockID: -6\n", 0 },
		{ "ID: 1\nClockID: -2", 0 },
		{ "ID: 1\nClockID: 2\n", 0 },
		{ "ID: -6\nClockID: 7\n", 0 },
	};
	struct buf many;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(preflight_timers(texts[i].text), texts[i].want);
	buf_init(&many, 65536);
	for (int i = 0; i < IMAGE_TIMERS_MAX; i++)
		assert_int_equal(buf_printf(&many, "ID: %d\nClockID: %d\n", i, -6 + 4 * (i % 2)),
				 0);
	assert_int_equal(preflight_timers(buf_text(&many)), 0);
	assert_int_equal(buf_printf(&many, "ID: 77\nClockID: -2"), 0);
	assert_int_equal(preflight_timers(buf_text(&many)), BIT(CPU_TIMERS));
	buf_done(&many);
}

static void reasons_have_words(void **state)
{
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(preflight_words(BIT(THREADS) | BIT(KVM), &b), 0);
	assert_string_equal(buf_text(&b), "threads, kvm");
	buf_reset(&b);
	assert_int_equal(preflight_sentences(BIT(IO_URING) | BIT(REAL_TIME), &b), 0);
	assert_string_equal(buf_text(&b), "it has real-time priority; it uses io_uring");
	for (int i = 0; i < N_PREFLIGHT_REASONS; i++) {
		const char *word = preflight_word((enum preflight_reason)i);

		assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz-0123456789"),
				 strlen(word));
		assert_int_equal(
			strncmp(preflight_sentence((enum preflight_reason)i), "it", 2) &&
				strncmp(preflight_sentence((enum preflight_reason)i), "another", 7),
			0);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(word, preflight_word((enum preflight_reason)k));
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_status),	      cmocka_unit_test(of_maps),
		cmocka_unit_test(of_too_many_maps),   cmocka_unit_test(of_timers),
		cmocka_unit_test(reasons_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
