/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.c - may a process that runs on this CPU go on on that one?
 *
 * The rows name the bits of which gcc, clang and the C library make a difference: all of the levels
 * x86-64-v1 to v4, and what a program compiled for its own CPU may use. Left out are the kernel's
 * own bits and those that only say that something is fast.
 */
#include "migrate/cpu.h"

#include <assert.h>
#include <cpuid.h>
#include <errno.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/le.h"

#define FIRST_COMPONENT 2
#define HEADER		20

enum reg {
	EAX,
	EBX,
	ECX,
	EDX
};

/* the last one is not of cpuid but of the kernel: what it lets user space do (AT_HWCAP2) */
enum which {
	L1_ECX,
	L1_EDX,
	L7_EBX,
	L7_ECX,
	L7_EDX,
	L7_1_EAX,
	L7_1_EDX,
	XSAVE_EAX,
	L19_EBX,
	EXT1_ECX,
	EXT1_EDX,
	EXT8_EBX,
	HWCAP2,
};

static const struct source {
	uint32_t leaf, sub;
	enum reg reg;
} sources[] = {
	[L1_ECX] = { 1, 0, ECX },
	[L1_EDX] = { 1, 0, EDX },
	[L7_EBX] = { 7, 0, EBX },
	[L7_ECX] = { 7, 0, ECX },
	[L7_EDX] = { 7, 0, EDX },
	[L7_1_EAX] = { 7, 1, EAX },
	[L7_1_EDX] = { 7, 1, EDX },
	[XSAVE_EAX] = { 0xd, 1, EAX },
	[L19_EBX] = { 0x19, 0, EBX },
	[EXT1_ECX] = { 0x80000001, 0, ECX },
	[EXT1_EDX] = { 0x80000001, 0, EDX },
	[EXT8_EBX] = { 0x80000008, 0, EBX },
};

static_assert(HWCAP2 + 1 == CPU_REGISTERS && ARRAY_LEN(sources) == HWCAP2,
	      "a place for each register");

static const struct feature {
	const char *name;
	enum which which;
	uint8_t bit;
} features[] = {
	{ "sse3", L1_ECX, 0 },
	{ "pclmulqdq", L1_ECX, 1 },
	{ "ssse3", L1_ECX, 9 },
	{ "fma", L1_ECX, 12 },
	{ "cmpxchg16b", L1_ECX, 13 },
	{ "sse4.1", L1_ECX, 19 },
	{ "sse4.2", L1_ECX, 20 },
	{ "movbe", L1_ECX, 22 },
	{ "popcnt", L1_ECX, 23 },
	{ "aes", L1_ECX, 25 },
	{ "xsave", L1_ECX, 27 }, /* OSXSAVE: and the kernel has it on */
	{ "avx", L1_ECX, 28 },
	{ "f16c", L1_ECX, 29 },
	{ "rdrand", L1_ECX, 30 },
	{ "clflush", L1_EDX, 19 },
	{ "mmx", L1_EDX, 23 },
	{ "fxsr", L1_EDX, 24 },
	{ "sse", L1_EDX, 25 },
	{ "sse2", L1_EDX, 26 },
	{ "bmi1", L7_EBX, 3 },
	{ "hle", L7_EBX, 4 },
	{ "avx2", L7_EBX, 5 },
	{ "bmi2", L7_EBX, 8 },
	{ "rtm", L7_EBX, 11 },
	{ "mpx", L7_EBX, 14 },
	{ "avx512f", L7_EBX, 16 },
	{ "avx512dq", L7_EBX, 17 },
	{ "rdseed", L7_EBX, 18 },
	{ "adx", L7_EBX, 19 },
	{ "avx512ifma", L7_EBX, 21 },
	{ "clflushopt", L7_EBX, 23 },
	{ "clwb", L7_EBX, 24 },
	{ "avx512pf", L7_EBX, 26 },
	{ "avx512er", L7_EBX, 27 },
	{ "avx512cd", L7_EBX, 28 },
	{ "sha", L7_EBX, 29 },
	{ "avx512bw", L7_EBX, 30 },
	{ "avx512vl", L7_EBX, 31 },
	{ "prefetchwt1", L7_ECX, 0 },
	{ "avx512vbmi", L7_ECX, 1 },
	{ "pku", L7_ECX, 4 }, /* OSPKE: and the kernel has it on */
	{ "waitpkg", L7_ECX, 5 },
	{ "avx512vbmi2", L7_ECX, 6 },
	{ "gfni", L7_ECX, 8 },
	{ "vaes", L7_ECX, 9 },
	{ "vpclmulqdq", L7_ECX, 10 },
	{ "avx512vnni", L7_ECX, 11 },
	{ "avx512bitalg", L7_ECX, 12 },
	{ "avx512vpopcntdq", L7_ECX, 14 },
	{ "rdpid", L7_ECX, 22 },
	{ "keylocker", L7_ECX, 23 },
	{ "cldemote", L7_ECX, 25 },
	{ "movdiri", L7_ECX, 27 },
	{ "movdir64b", L7_ECX, 28 },
	{ "enqcmd", L7_ECX, 29 },
	{ "avx5124vnniw", L7_EDX, 2 },
	{ "avx5124fmaps", L7_EDX, 3 },
	{ "uintr", L7_EDX, 5 },
	{ "avx512vp2intersect", L7_EDX, 8 },
	{ "serialize", L7_EDX, 14 },
	{ "tsxldtrk", L7_EDX, 16 },
	{ "amx-bf16", L7_EDX, 22 },
	{ "avx512fp16", L7_EDX, 23 },
	{ "amx-tile", L7_EDX, 24 },
	{ "amx-int8", L7_EDX, 25 },
	{ "sha512", L7_1_EAX, 0 },
	{ "sm3", L7_1_EAX, 1 },
	{ "sm4", L7_1_EAX, 2 },
	{ "raoint", L7_1_EAX, 3 },
	{ "avxvnni", L7_1_EAX, 4 },
	{ "avx512bf16", L7_1_EAX, 5 },
	{ "cmpccxadd", L7_1_EAX, 7 },
	{ "amx-fp16", L7_1_EAX, 21 },
	{ "hreset", L7_1_EAX, 22 },
	{ "avxifma", L7_1_EAX, 23 },
	{ "movrs", L7_1_EAX, 31 },
	{ "avxvnniint8", L7_1_EDX, 4 },
	{ "avxneconvert", L7_1_EDX, 5 },
	{ "amx-complex", L7_1_EDX, 8 },
	{ "avxvnniint16", L7_1_EDX, 10 },
	{ "prefetchi", L7_1_EDX, 14 },
	{ "avx10", L7_1_EDX, 19 },
	{ "apx", L7_1_EDX, 21 },
	{ "xsaveopt", XSAVE_EAX, 0 },
	{ "xsavec", XSAVE_EAX, 1 },
	{ "xgetbv1", XSAVE_EAX, 2 },
	{ "keylocker-aes", L19_EBX, 0 },
	{ "lahf", EXT1_ECX, 0 },
	{ "lzcnt", EXT1_ECX, 5 }, /* elsewhere it is bsr, and the result another */
	{ "sse4a", EXT1_ECX, 6 },
	{ "prefetchw", EXT1_ECX, 8 },
	{ "xop", EXT1_ECX, 11 },
	{ "lwp", EXT1_ECX, 15 },
	{ "fma4", EXT1_ECX, 16 },
	{ "tbm", EXT1_ECX, 21 },
	{ "mwaitx", EXT1_ECX, 29 },
	{ "rdtscp", EXT1_EDX, 27 },
	{ "3dnowa", EXT1_EDX, 30 },
	{ "3dnow", EXT1_EDX, 31 },
	{ "clzero", EXT8_EBX, 0 },
	{ "rdpru", EXT8_EBX, 4 },
	{ "wbnoinvd", EXT8_EBX, 9 },
	{ "fsgsbase", HWCAP2, 1 },
};

/* components of XCR0, SDM volume 1, 13.1 */
static const char *const components[] = {
	[0] = "x87",	[1] = "sse",	   [2] = "avx",	       [3] = "bndregs",
	[4] = "bndcsr", [5] = "opmask",	   [6] = "zmm-hi256",  [7] = "hi16-zmm",
	[9] = "pkru",	[17] = "xtilecfg", [18] = "xtiledata", [19] = "apx",
};

static_assert(ARRAY_LEN(components) <= CPU_COMPONENTS + FIRST_COMPONENT, "places for all of them");

/* ---- this machine ---- */

static uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static uint32_t read_source(const struct source *s)
{
	uint32_t r[4] = { 0 };

	if (!__get_cpuid_count(s->leaf, s->sub, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
		return 0; /* an older CPU: it has none of that */
	return r[s->reg];
}

uint64_t cpu_xcr0(void)
{
	/* x87 and SSE: without XSAVE there is nothing else */
	return read_source(&sources[L1_ECX]) & bit_OSXSAVE ? read_xcr0() : 3;
}

void cpu_read(struct cpu *ret)
{
	*ret = (struct cpu){ .page_size = (uint32_t)sysconf(_SC_PAGESIZE) };
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		ret->registers[i] = read_source(&sources[i]);
	ret->registers[HWCAP2] = (uint32_t)getauxval(AT_HWCAP2);
	ret->xcr0 = cpu_xcr0();
	for (uint32_t i = 0; i < CPU_COMPONENTS; i++)
		if (ret->xcr0 >> (i + FIRST_COMPONENT) & 1) {
			uint32_t n = i + FIRST_COMPONENT;
			const struct source size = { 0xd, n, EAX }, offset = { 0xd, n, EBX };

			ret->places[i].size = read_source(&size);
			ret->places[i].offset = read_source(&offset);
		}
}

/* ---- on the wire: xcr0 u64, page size u32, n registers u32, n places u32; then these ---- */

int cpu_put(struct buf *b, const struct cpu *cpu)
{
	uint8_t *to;
	int r = buf_room(b, HEADER + 4 * CPU_REGISTERS + 8 * CPU_COMPONENTS, &to);

	if (r < 0)
		return r;
	le64_put(to, cpu->xcr0);
	le32_put(to + 8, cpu->page_size);
	le32_put(to + 12, CPU_REGISTERS);
	le32_put(to + 16, CPU_COMPONENTS);
	to += HEADER;
	for (int i = 0; i < CPU_REGISTERS; i++, to += 4)
		le32_put(to, cpu->registers[i]);
	for (int i = 0; i < CPU_COMPONENTS; i++, to += 8) {
		le32_put(to, cpu->places[i].offset);
		le32_put(to + 4, cpu->places[i].size);
	}
	buf_grow(b, HEADER + 4 * CPU_REGISTERS + 8 * CPU_COMPONENTS);
	return 0;
}

int cpu_get(const void *p, size_t n, struct cpu *ret, struct err *e)
{
	const uint8_t *at = p;
	uint64_t registers, places;

	if (n < HEADER)
		return err_set(e, -EPROTO, "a CPU in %zu bytes", n);
	registers = le32_get(at + 12);
	places = le32_get(at + 16);
	if (n - HEADER < 4 * registers + 8 * places)
		return err_set(e, -EPROTO, "a CPU of %llu registers and %llu places in %zu bytes",
			       (unsigned long long)registers, (unsigned long long)places, n);
	*ret = (struct cpu){ .xcr0 = le64_get(at), .page_size = le32_get(at + 8) };
	at += HEADER;
	for (uint64_t i = 0; i < registers && i < CPU_REGISTERS; i++)
		ret->registers[i] = le32_get(at + 4 * i);
	at += 4 * registers;
	for (uint64_t i = 0; i < places && i < CPU_COMPONENTS; i++) {
		ret->places[i].offset = le32_get(at + 8 * i);
		ret->places[i].size = le32_get(at + 8 * i + 4);
	}
	return 0;
}

/* ---- the two compared ---- */

static int name_one(struct buf *names, int *n, const char *prefix, const char *name)
{
	int r = buf_printf(names, "%s%s%s", *n ? ", " : "", prefix, name);

	if (!r)
		(*n)++;
	return r;
}

static int compare_component(const struct cpu *home, const struct cpu *host, uint32_t i,
			     struct buf *names, int *n)
{
	char number[16];
	const char *name = i < ARRAY_LEN(components) ? components[i] : NULL;
	uint32_t place = i - FIRST_COMPONENT;

	if (!name) {
		(void)snprintf(number, sizeof(number), "number %u", i);
		name = number;
	}
	if (!(host->xcr0 >> i & 1))
		return name_one(names, n, "extended state ", name);
	if (i >= FIRST_COMPONENT && place < CPU_COMPONENTS &&
	    (home->places[place].offset != host->places[place].offset ||
	     home->places[place].size != host->places[place].size))
		return name_one(names, n, "the same place for extended state ", name);
	return 0;
}

int cpu_lacks(const struct cpu *home, const struct cpu *host, struct buf *names)
{
	int n = 0, r = 0;

	if (home->page_size != host->page_size)
		r = name_one(names, &n, "pages of the same size", "");
	for (size_t i = 0; !r && i < ARRAY_LEN(features); i++) {
		const struct feature *f = &features[i];

		if (home->registers[f->which] & ~host->registers[f->which] & 1U << f->bit)
			r = name_one(names, &n, "", f->name);
	}
	for (uint32_t i = 0; !r && i < 64; i++)
		if (home->xcr0 >> i & 1)
			r = compare_component(home, host, i, names, &n);
	return r < 0 ? r : n;
}
