/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * preflight.h - may this process move, and if not, why
 *
 * Found by reading /proc, while the process runs (law 3: know before you freeze). All reasons are
 * found, not only the first. The process may change at any moment: what is said here is for
 * people, and saves a freeze; whoever has stopped the process asks once more.
 */
#ifndef MIGRATE_PREFLIGHT_H
#define MIGRATE_PREFLIGHT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct maps;
struct sharing;

/* name, word for --json, sentence for a person ("cannot move: ...") */
#define PREFLIGHT_REASONS(X)                                                                       \
	X(KERNEL_THREAD, "kernel-thread", "it is a thread of the kernel")                          \
	X(INIT, "init", "it is the first process of the machine, or asks for itself")              \
	X(ENDING, "ending", "it is ending")                                                        \
	X(LEADER_GONE, "leader-gone", "its first thread has ended while others run on")            \
	X(TRACED, "traced", "another program traces it: end the debugger or strace first")         \
	X(SECCOMP, "seccomp", "it has restricted its own system calls (seccomp)")                  \
	X(CONTAINER, "container", "it lives in a container of its own (another namespace)")        \
	X(SYSTEM_USER, "system-user", "it belongs to root or a system account (uid below 1000)")   \
	X(PRIVILEGED, "privileged", "it has privileges of another user (setuid, capabilities)")    \
	X(NOT_DUMPABLE, "not-dumpable",                                                            \
	  "it has forbidden others to look into it, as programs with secrets do "                  \
	  "(PR_SET_DUMPABLE)")                                                                     \
	X(NOT_64_BIT, "not-64-bit", "it is a 32-bit program")                                      \
	X(REAL_TIME, "real-time", "it has real-time priority")                                     \
	X(THREADS, "threads", "it has more threads than can move")                                 \
	X(SHARED_SPACE, "shared-address-space",                                                    \
	  "another process runs in its memory (clone without a thread)")                           \
	X(VFORK, "vfork", "it waits for a child that runs in its memory (vfork): try again later") \
	X(SHADOW_STACK, "shadow-stack", "it has a shadow stack in use")                            \
	X(TAGGED, "tagged-addresses", "it has tagged addresses in use")                            \
	X(MAPPINGS, "mappings", "its memory has more parts than can move")                         \
	X(SHARED_MEMORY, "shared-memory",                                                          \
	  "it shares memory with another process, and one of them may write there")                \
	X(DEVICE_MEMORY, "device-memory", "it has the memory of a device mapped")                  \
	X(HUGETLB, "hugetlb", "it has reserved huge pages (hugetlbfs)")                            \
	X(SECRET_MEMORY, "secret-memory", "it has memory that nobody else may read")               \
	X(HIGH_MEMORY, "high-memory", "it has memory at an address above 47 bits")                 \
	X(CPU_TIMERS, "cpu-timers", "it has more timers of CPU time than can move (timer_create)") \
	X(IO_URING, "io-uring", "it uses io_uring")                                                \
	X(USERFAULTFD, "userfaultfd", "it handles its own page faults (userfaultfd)")              \
	X(PERF, "perf", "it measures with perf events")                                            \
	X(BPF, "bpf", "it has BPF programs or maps open")                                          \
	X(KVM, "kvm", "it runs virtual machines (KVM)")

enum preflight_reason {
#define PREFLIGHT_ENUM(name, word, sentence) PREFLIGHT_##name,
	PREFLIGHT_REASONS(PREFLIGHT_ENUM)
#undef PREFLIGHT_ENUM
	N_PREFLIGHT_REASONS,
};

#define PREFLIGHT_BIT(name) (1ULL << PREFLIGHT_##name)

const char *preflight_word(enum preflight_reason reason);
const char *preflight_sentence(enum preflight_reason reason);

/**
 * preflight_quick() - What a few small files of /proc say
 * @pid:	The process
 * @ret:	PREFLIGHT_BIT() of each reason; 0: none found
 * @e:		Why it could not be looked at
 *
 * Return: 0, -ESRCH, -EPERM or -EACCES (not ours to look at), other -errno
 */
int preflight_quick(pid_t pid, uint64_t *ret, struct err *e) MUST_CHECK;

/**
 * preflight() - All there is to know
 * @pid:	The process
 * @sharing:	Who shares memory on this machine (migrate/sharing.h): looked at when the process
 *		shares any, and filled then if it is not yet; keep it for a list of processes
 * @ret:	As preflight_quick(), whose reasons are among these
 * @e:		Why it could not be looked at
 *
 * Wants root. What has a kernel thread's or zombie's reason is not looked at any further.
 *
 * Return: 0, -ESRCH, -EPERM, other -errno
 */
int preflight(pid_t pid, struct sharing *sharing, uint64_t *ret, struct err *e) MUST_CHECK;

/**
 * preflight_vfork() - Has a thread of it waited in vfork(2), and goes on waiting?
 *
 * Nobody can stop such a thread before its child has executed a program or ended. Most do that at
 * once, and are no reason not to move: half a second is waited for that.
 */
bool preflight_vfork(pid_t pid);

/* ---- the parts of it that look at texts which were read already. Pure ---- */

/** preflight_status() - Of /proc/PID/status: SHADOW_STACK, TAGGED */
uint64_t preflight_status(const char *status);

/** preflight_timers() - Of /proc/PID/timers: CPU_TIMERS */
uint64_t preflight_timers(const char *timers);

/**
 * preflight_maps() - Of /proc/PID/maps: MAPPINGS, HIGH_MEMORY, SECRET_MEMORY
 *
 * *ret_odd is set when there is a mapping that only preflight_flags() can judge.
 */
uint64_t preflight_maps(const struct maps *maps, bool *ret_odd);

/** preflight_flags() - Of /proc/PID/smaps: DEVICE_MEMORY, HUGETLB, USERFAULTFD */
uint64_t preflight_flags(const struct maps *maps);

/* ---- for people ---- */

/**
 * preflight_may_be_wall() - Can its seccomp filter be the wall of an earlier move (confine.h)?
 *
 * It has no_new_privs and one filter. For a job PREFLIGHT_SECCOMP counts only when this is false;
 * whether it is that filter is found when the process is stopped.
 */
bool preflight_may_be_wall(pid_t pid);

/** preflight_words() - "threads, io-uring": for --json and logs */
int preflight_words(uint64_t reasons, struct buf *to) MUST_CHECK;

/** preflight_sentences() - "it uses io_uring; it has ..." for a person */
int preflight_sentences(uint64_t reasons, struct buf *to) MUST_CHECK;

#endif
