/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_cpu.c - what one CPU lacks of another, and the vdso */
#include <elf.h>
#include <errno.h>
#include <unistd.h>

#include "base/le.h"
#include "migrate/cpu.h"
#include "test.h"

/* words in the order of cpu.h's registers */
#define L1_ECX 0
#define L7_EBX 2
#define HWCAP2 12

static struct cpu old_cpu(void)
{
	struct cpu c = { .xcr0 = 7, .page_size = 4096 };

	c.registers[L1_ECX] = 1U << 28 | 1U << 20; /* avx, sse4.2 */
	c.places[0].offset = 576;
	c.places[0].size = 256;
	return c;
}

static struct cpu new_cpu(void)
{
	struct cpu c = old_cpu();

	c.xcr0 |= 0xe0;
	c.registers[L7_EBX] = 1U << 16 | 1U << 30 | 1U << 9; /* avx512f, avx512bw, erms */
	c.registers[HWCAP2] = 2;
	return c;
}

static void expect(const struct cpu *home, const struct cpu *host, int n, const char *want)
{
	struct buf names;

	buf_init(&names, 4096);
	assert_int_equal(cpu_lacks(home, host, &names), n);
	assert_string_equal(buf_text(&names), want);
	buf_done(&names);
}

static void a_host_lacks_what_home_has(void **state)
{
	struct cpu old = old_cpu(), new = new_cpu();

	expect(&old, &old, 0, "");
	expect(&new, &new, 0, "");
	expect(&old, &new, 0, "");
	expect(&new, &old, 6,
	       "avx512f, avx512bw, fsgsbase, extended state opmask, extended state zmm-hi256, "
	       "extended state hi16-zmm");
}

static void what_is_only_fast_is_not_lacked(void **state)
{
	struct cpu home = old_cpu(), host = old_cpu();

	home.registers[L7_EBX] = 1U << 9;
	expect(&home, &host, 0, "");
}

static void state_has_to_be_in_the_same_place(void **state)
{
	struct cpu home = old_cpu(), host = old_cpu();

	host.places[0].offset = 832;
	expect(&home, &host, 1, "the same place for extended state avx");
	home.xcr0 = 3; /* it is not used */
	expect(&home, &host, 0, "");
	home.xcr0 = 1ULL << 62 | 3;
	expect(&home, &host, 1, "extended state number 62");
	host.page_size = 16384;
	home.xcr0 = 3;
	expect(&home, &host, 1, "pages of the same size");
}

static void a_full_buffer_is_an_error(void **state)
{
	struct cpu old = old_cpu(), new = new_cpu();
	struct buf names;

	buf_init(&names, 10);
	assert_int_equal(cpu_lacks(&new, &old, &names), -ENOBUFS);
	buf_done(&names);
}

static void this_one_has_what_every_one_has(void **state)
{
	struct cpu c, none = { .xcr0 = 3, .page_size = 4096 };
	struct buf names;

	cpu_read(&c);
	assert_int_equal(c.xcr0 & 3, 3);
	assert_int_equal(c.page_size, 4096);
	expect(&c, &c, 0, "");
	buf_init(&names, 4096);
	assert_true(cpu_lacks(&c, &none, &names) > 4);
	assert_non_null(strstr(buf_text(&names), "mmx, fxsr, sse, sse2"));
	buf_done(&names);
	if (c.xcr0 & 4)
		assert_int_equal(c.places[0].size, 256); /* avx: half of 16 registers */
}

static void it_comes_back_from_the_wire(void **state)
{
	struct cpu c, got;
	struct err e = { 0 };
	uint8_t cut[20];
	struct buf b;

	cpu_read(&c);
	buf_init(&b, 4096);
	assert_int_equal(cpu_put(&b, &c), 0);
	assert_int_equal(cpu_get(buf_bytes(&b), b.len, &got, &e), 0);
	assert_memory_equal(&c, &got, sizeof(c));
	/* what a later version adds is not looked at */
	assert_int_equal(buf_put(&b, "later", 5), 0);
	assert_int_equal(cpu_get(buf_bytes(&b), b.len, &got, &e), 0);
	assert_memory_equal(&c, &got, sizeof(c));
	for (size_t n = 0; n < b.len - 5; n++)
		assert_int_equal(cpu_get(buf_bytes(&b), n, &got, &e), -EPROTO);
	/* what an earlier version did not say, it has not */
	memcpy(cut, buf_bytes(&b), sizeof(cut));
	le32_put(cut + 12, 0);
	le32_put(cut + 16, 0);
	assert_int_equal(cpu_get(cut, sizeof(cut), &got, &e), 0);
	assert_int_equal(got.registers[L1_ECX], 0);
	le32_put(cut + 12, UINT32_MAX);
	le32_put(cut + 16, UINT32_MAX);
	assert_int_equal(cpu_get(cut, sizeof(cut), &got, &e), -EPROTO);
	buf_done(&b);
}

/* ---- vdso ---- */

static void every_process_here_has_the_same_vdso(void **state)
{
	uint8_t a[VDSO_DIGEST_BYTES], b[VDSO_DIGEST_BYTES] = { 0 }, none[VDSO_DIGEST_BYTES] = { 0 };
	struct err e = { 0 };

	if (vdso_digest(getpid(), a, &e) != 0)
		fail_msg("%s", e.text);
	assert_memory_not_equal(a, none, sizeof(a));
	if (vdso_digest(getppid(), b, &e) < 0)
		skip(); /* whoever started this is not ours to read */
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(vdso_digest(0x3ffffff, a, &e), -ESRCH);
}

struct elf {
	Elf64_Ehdr head;
	Elf64_Phdr segment;
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint8_t id[20];
	} note;
};

static struct elf make_elf(void)
{
	struct elf f = { .head = { .e_ident = ELFMAG,
				   .e_phoff = offsetof(struct elf, segment),
				   .e_phentsize = sizeof(Elf64_Phdr),
				   .e_phnum = 1 },
			 .segment = { .p_type = PT_NOTE,
				      .p_offset = offsetof(struct elf, note),
				      .p_filesz = sizeof(f.note) },
			 .note = { .head = { 4, 20, NT_GNU_BUILD_ID }, .name = "GNU" } };

	memset(f.note.id, 0xb1, sizeof(f.note.id));
	return f;
}

static const uint8_t *id_of(const struct elf *f, size_t n, size_t *ret_len)
{
	return vdso_build_id((const uint8_t *)f, n, ret_len);
}

static void a_build_id_is_found_or_not(void **state)
{
	struct elf f = make_elf();
	size_t len = 0;

	assert_ptr_equal(id_of(&f, sizeof(f), &len), f.note.id);
	assert_int_equal(len, 20);
	for (size_t n = 0; n < offsetof(struct elf, note) + sizeof(f.note); n++)
		assert_null(id_of(&f, n, &len));
	f.head.e_phnum = 0xffff;
	assert_null(id_of(&f, sizeof(f), &len));
	f = make_elf();
	f.head.e_phoff = UINT64_MAX;
	assert_null(id_of(&f, sizeof(f), &len));
	f = make_elf();
	f.segment.p_offset = UINT64_MAX - 8;
	assert_null(id_of(&f, sizeof(f), &len));
	f = make_elf();
	f.segment.p_filesz = UINT64_MAX;
	assert_null(id_of(&f, sizeof(f), &len));
	f = make_elf();
	f.note.head.n_namesz = UINT32_MAX;
	assert_null(id_of(&f, sizeof(f), &len));
	f = make_elf();
	f.note.head.n_descsz = 21;
	assert_null(id_of(&f, sizeof(f), &len));
	f = make_elf();
	f.note.head.n_type = 2;
	assert_null(id_of(&f, sizeof(f), &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_lacks_what_home_has),
		cmocka_unit_test(what_is_only_fast_is_not_lacked),
		cmocka_unit_test(state_has_to_be_in_the_same_place),
		cmocka_unit_test(a_full_buffer_is_an_error),
		cmocka_unit_test(this_one_has_what_every_one_has),
		cmocka_unit_test(it_comes_back_from_the_wire),
		cmocka_unit_test(every_process_here_has_the_same_vdso),
		cmocka_unit_test(a_build_id_is_found_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
