/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_cpu.c - what a hostile peer says of its CPU, and a vdso that a hostile process has made */
#include <errno.h>

#include "migrate/cpu.h"
#include "tests/fuzz/fuzz.h"

/* what was understood can be compared with anything, and sent on */
static void compare(const struct cpu *cpu)
{
	const struct cpu none = { .xcr0 = 3, .page_size = 4096 };
	struct cpu again;
	struct buf b;

	buf_init(&b, 16384);
	MUST(cpu_lacks(cpu, cpu, &b) == 0 && !b.len);
	MUST(cpu_lacks(cpu, &none, &b) >= 0);
	buf_reset(&b);
	MUST(cpu_put(&b, cpu) == 0);
	MUST(cpu_get(buf_bytes(&b), b.len, &again, NULL) == 0);
	MUST(!memcmp(cpu, &again, sizeof(again)));
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	const uint8_t *id;
	struct cpu cpu;
	size_t len = 0;
	int r = cpu_get(data, size, &cpu, &e);

	if (!r)
		compare(&cpu);
	else
		MUST(r == -EPROTO && e.code == r && e.text[0]);
	id = vdso_build_id(data, size, &len);
	MUST(!id || (id >= data && len && len <= size && id <= data + size - len));
	return 0;
}
