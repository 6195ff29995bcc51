/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.h - may a process that runs on this CPU go on on that one?
 *
 * A program looks once, at its start, at what the CPU can do, and relies on it for ever: the C
 * library has chosen its memcpy(), a compiler was told to use AVX2. So a process may go only where
 * everything is that it may have seen at home. What differs without being seen (a faster rep movsb)
 * is left out.
 *
 * The layout of the extended state counts too, for a process has copies of it where nobody can
 * find them: in the signal frames on its stacks.
 */
#ifndef MIGRATE_CPU_H
#define MIGRATE_CPU_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define CPU_REGISTERS  13
#define CPU_COMPONENTS 20 /* of extended state, from number 2 on */

/* where XSAVE keeps one component of a thread's state; AMD and Intel differ */
struct cpu_place {
	uint32_t offset, size;
};

struct cpu {
	uint64_t xcr0; /* components of extended state that the kernel has switched on */
	uint32_t page_size;
	uint32_t registers[CPU_REGISTERS];	 /* of cpuid, in the order of cpu.c's table */
	struct cpu_place places[CPU_COMPONENTS]; /* [i]: component i + 2 */
};

/** cpu_read() - This machine's; some 200 us on a virtual machine, where each CPUID is a trap */
void cpu_read(struct cpu *ret);

/** cpu_xcr0() - Its extended state that is switched on, which is quick to ask */
uint64_t cpu_xcr0(void);

/** cpu_put() - Append it for a peer; -ENOBUFS, -ENOMEM */
int cpu_put(struct buf *b, const struct cpu *cpu) MUST_CHECK;

/**
 * cpu_get() - Read what a peer has put
 * @p, @n:	All of it; more than is known is from a later version, and not looked at
 * @ret:	Set on success; what an earlier version did not say is zero
 * @e:		What is wrong with it
 *
 * Return: 0, -EPROTO
 */
int cpu_get(const void *p, size_t n, struct cpu *ret, struct err *e) MUST_CHECK;

/**
 * cpu_lacks() - What a process from home may have seen, and the host has not
 * @home, @host: The two
 * @names:	Appended: "avx512f, avx512bw"; nothing when nothing lacks
 *
 * Return: how many, or -errno of @names
 */
int cpu_lacks(const struct cpu *home, const struct cpu *host, struct buf *names) MUST_CHECK;

#define VDSO_DIGEST_BYTES 32

/**
 * vdso_digest() - What two processes have in common that can exchange their vdso
 * @pid:	A process of this machine
 * @ret:	SHA-256 of the sizes and order of [vvar], [vvar_vclock] and [vdso], and of [vdso]'s
 *		build id, or of its content when it has none
 * @e:		Reason
 *
 * The kernel patches instructions of the vdso when it boots, by the CPU; all functions stay where
 * they are. So the same build has one digest on different CPUs, and a thread that stands in the
 * vdso is not to be moved from there.
 *
 * Return: 0; 1 it has no vdso (zeroes); -ESRCH, -EPERM, -EPROTO (a vdso that is none)
 */
int vdso_digest(pid_t pid, uint8_t ret[VDSO_DIGEST_BYTES], struct err *e) MUST_CHECK;

/** vdso_build_id() - The note of an ELF file in memory; NULL: there is none. Pure */
const uint8_t *vdso_build_id(const uint8_t *elf, size_t n, size_t *ret_len);

#endif
