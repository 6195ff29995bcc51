/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h - what a process is, but for its pages: mappings, threads, signal actions
 *
 * Theory of operation. An image is read at one node and built at another. On the wire it is a
 * sequence of records {kind u16, version u16, length u32, body}, little-endian, that ends with an
 * END record; a reader skips records it does not know, unless their kind has IMAGE_MUST set: then
 * the sender means that the process cannot be built without. Fields are only ever added at the end
 * of a record. What is read is checked here, once: everything that follows may rely on it
 * (addresses page-aligned, below the end of user space, mappings in order and apart, none in the
 * reserved region, thread ids unique and positive, 64-bit code, extended state within xcr0, lengths
 * as said). Whether this user may come here, and whether this machine can build it, is judged by
 * others.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define IMAGE_VERSION	   1
#define IMAGE_MUST	   0x8000 /* of a record's kind */
#define IMAGE_PAGE	   4096ULL
#define IMAGE_TOP	   0x7ffffffff000ULL /* end of user space with four-level paging */
#define IMAGE_THREADS_MAX  256
#define IMAGE_MAPPINGS_MAX 65536
#define IMAGE_XSTATE_MAX   12288
#define IMAGE_SIGNALS	   64
#define IMAGE_NAME_MAX	   16
#define IMAGE_FILES_MAX	   512
#define IMAGE_LIMITS	   16 /* getrlimit(2) */
#define IMAGE_TIMERS_MAX   32 /* of CPU time */
#define IMAGE_CPU_WORDS	   16 /* of a mask of CPUs */
#define IMAGE_BYTES_MAX	   (64U << 20)

/* of a mapping, /proc/PID/smaps "VmFlags" */
enum image_map_flags {
	IMAGE_MAP_SHARED = 1,
	IMAGE_MAP_GROWSDOWN = 2,
	IMAGE_MAP_FILE = 4,	 /* backed by a file at home */
	IMAGE_MAP_VDSO = 8,	 /* [vvar], [vvar_vclock], [vdso]: built by arch_prctl */
	IMAGE_MAP_VSYSCALL = 16, /* not built, each process has it */
	IMAGE_MAP_DONTFORK = 32,
	IMAGE_MAP_DONTDUMP = 64,
	IMAGE_MAP_WIPEONFORK = 128,
	IMAGE_MAP_HUGEPAGE = 256,
	IMAGE_MAP_NOHUGEPAGE = 512,
	IMAGE_MAP_NORESERVE = 1024,
	IMAGE_MAP_LOCKED = 2048,
	IMAGE_MAP_READONLY = 4096, /* SHARED, and no mprotect(2) can make it writable */
	IMAGE_MAP_BEYOND = 8192,   /* FILE, and all of it is behind the end: there is no memory */
};

struct image_mapping {
	uint64_t start, end;
	uint32_t prot;	/* PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4 */
	uint32_t flags; /* enum image_map_flags */
	uint64_t offset, inode;
	uint32_t major, minor; /* of the file's device */
	uint32_t file; /* the host has it too: 1 + its place in the list of files.h; 0: sent */
};

/* arguments of prctl(PR_SET_MM_MAP) without exe_fd, prctl(2) */
struct image_mm {
	uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
};

/* kernel_sigaction of x86-64 */
struct image_action {
	uint64_t handler, flags, restorer, mask;
};

/* UINT64_MAX: none */
struct image_limit {
	uint64_t soft, hard;
};

/* struct user_regs_struct of x86-64, in its order: r15 ... gs, fs_base and gs_base among them */
struct image_registers {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax,
		rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};

/*
 * A thread was in a call when it was stopped, and is about to make it again. For the program it is in
 * it all the time: so a signal that it has a handler for, before it is in the call again, ...
 */
enum image_on_signal {
	IMAGE_SIGNAL_FIRST,    /* ... comes before the call */
	IMAGE_SIGNAL_RESTARTS, /* ... ends the call with EINTR, but with SA_RESTART comes before it */
	IMAGE_SIGNAL_ENDS,     /* ... ends the call with EINTR */
	IMAGE_ON_SIGNAL_N,
};

struct image_thread {
	uint32_t tid;
	char name[IMAGE_NAME_MAX]; /* ends with NUL */
	struct image_registers regs;
	uint64_t sigmask;
	uint64_t rseq_address; /* 0: not registered */
	uint32_t rseq_size, rseq_signature;
	uint64_t robust_list, robust_size;
	uint64_t clear_tid;
	uint64_t altstack_address, altstack_size;
	uint32_t altstack_flags;
	uint32_t xstate_len;
	uint64_t timer_slack_ns;
	/*
	 * 0, or the number of the call (nanosleep, clock_nanosleep, poll ...) whose rest is in the
	 * kernel at home: the registers are about to execute restart_syscall(2)
	 */
	uint32_t restart_call;
	/* enum image_on_signal: a signal that comes before it has made that call */
	uint32_t on_signal;
	/* what the call that it is about to make has done already; its result counts that as well */
	uint64_t done;
	/* CLOCK_MONOTONIC of home at which the call that it is about to make has waited enough, 0 */
	int64_t wait_until_ns;
	/* the CPUs of home that it is bound to, a bit for each; zeroes: it is bound to none */
	uint64_t cpus[IMAGE_CPU_WORDS];
	uint8_t *xstate; /* as PTRACE_GETREGSET NT_X86_XSTATE gives it; owned by the image */
};

/* a timer of timer_create(2) that counts CPU time of the process; all others stay at home */
struct image_timer {
	uint32_t id, tid;	       /* whose clock; 0: of the process */
	uint32_t notify;	       /* SIGEV_SIGNAL, SIGEV_NONE or SIGEV_THREAD_ID */
	uint32_t signo, signal_tid;    /* of SIGEV_THREAD_ID */
	uint64_t value;		       /* of the signal */
	uint64_t left_ns, interval_ns; /* left 0: not armed */
};

struct image {
	uint32_t pid;
	uint32_t uid, gid;
	char name[IMAGE_NAME_MAX];
	uint64_t parasite; /* region that is reserved at both ends; 0 in an image of the return */
	uint64_t parasite_size;
	uint32_t first_fd, last_fd; /* descriptors of ours at home; none for the program */
	uint64_t vdso_start;	    /* lowest of the vdso mappings */
	uint8_t vdso_digest[32];    /* migrate/cpu.h vdso_digest(); zeroes: it has none */
	uint64_t xcr0;		    /* state components the process may have in use */
	int64_t monotonic_ns;	    /* CLOCK_MONOTONIC at home when this was made */
	int64_t boottime_ns;
	uint64_t personality;
	uint64_t virtual_timer[2], prof_timer[2]; /* value, interval; us */
	uint32_t no_new_privs;
	uint32_t thp_disable;
	struct image_mm mm;
	struct image_action actions[IMAGE_SIGNALS]; /* of signal i + 1 */
	struct image_limit limits[IMAGE_LIMITS];    /* by their numbers; zeroes: not told */
	uint32_t limits_bound; /* bits of those whose hard one binds our region at home, too */
	uint64_t cpu_used_ns;  /* at home, when this was made */
	uint32_t n_cpus;       /* of its machine */
	uint32_t n_timers;
	struct image_timer timers[IMAGE_TIMERS_MAX];

	struct image_mapping *mappings; /* owned, ascending */
	size_t n_mappings;
	struct image_thread *threads; /* owned; the first one is the leader, its tid is pid */
	size_t n_threads;
};

void image_init(struct image *m);
void image_done(struct image *m);

/**
 * image_add_mapping(), image_add_thread() - Room for one more, zeroed; NULL: full or no memory
 *
 * What they gave is good until the next one is added.
 */
struct image_mapping *image_add_mapping(struct image *m) MUST_CHECK;
struct image_thread *image_add_thread(struct image *m) MUST_CHECK;

/** image_behind() - Index of the first mapping that ends behind an address; n_mappings: none does */
size_t image_behind(const struct image *m, uint64_t at) MUST_CHECK;

/** image_at() - The mapping that an address lies in; NULL: none */
const struct image_mapping *image_at(const struct image *m, uint64_t at) MUST_CHECK;

/** image_put() - Append the records of an image that passes image_check(); -ENOBUFS, -ENOMEM */
int image_put(struct buf *b, const struct image *m) MUST_CHECK;

/**
 * image_get() - Read an image
 * @p, @n:	All of its bytes
 * @ret:	Initialized; filled on success, empty otherwise
 * @e:		What is wrong with it
 *
 * Return: 0, -EPROTO, -ENOMEM
 */
int image_get(const void *p, size_t n, struct image *ret, struct err *e) MUST_CHECK;

/** image_check() - What image_get() demands, of an image made here; -EPROTO and the reason */
int image_check(const struct image *m, struct err *e) MUST_CHECK;

#endif
