/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maps.h - what /proc says of a process: mappings, status, descriptors
 *
 * Read and parsed, never kept: the process may run on while it is read, so a caller that needs the
 * truth stops it first.
 */
#ifndef TRACEE_MAPS_H
#define TRACEE_MAPS_H

#include "tracee/tracee.h"

enum maps_flags { /* of VmFlags in smaps, proc(5) */
	MAPS_SHARED = 1,
	MAPS_GROWSDOWN = 2,
	MAPS_DONTFORK = 4,
	MAPS_DONTDUMP = 8,
	MAPS_WIPEONFORK = 16,
	MAPS_HUGEPAGE = 32,
	MAPS_NOHUGEPAGE = 64,
	MAPS_NORESERVE = 128,
	MAPS_LOCKED = 256,
	MAPS_IO = 512, /* device memory */
	MAPS_HUGETLB = 1024,
	MAPS_UFFD = 2048,     /* registered with somebody's userfaultfd */
	MAPS_READONLY = 4096, /* shared, of a file opened for reading: mprotect(2) gives EACCES */
};

struct maps_entry {
	uint64_t start, end, offset, inode;
	uint32_t prot, flags;
	uint32_t major, minor;
	const char *name; /* "" when it has none; "[vdso]", "/usr/lib/..."; in maps' memory */
};

struct maps {
	struct maps_entry *entries; /* ascending */
	size_t n;
	char *text; /* owned */
};

/** maps_read() - /proc/PID/maps; with_flags: smaps, slower, for the flags that maps does not have
 */
int maps_read(pid_t pid, bool with_flags, struct maps *ret, struct err *e) MUST_CHECK;
void maps_done(struct maps *m);

/** maps_parse() - The same of a text (smaps or maps); it is owned by ret, and freed at failure */
int maps_parse(char *text, struct maps *ret, struct err *e) MUST_CHECK;

struct proc_stat { /* /proc/PID/stat and status, proc(5) */
	char state;
	pid_t pid, ppid, pgrp, session, tracer;
	int n_threads;
	uint64_t start_time; /* clock ticks after boot: with pid it names a process for ever */
	uint64_t start_code, end_code, start_stack, start_data, end_data, start_brk, arg_start,
		arg_end, env_start, env_end;
	uid_t uid[4];
	gid_t gid[4];
	int seccomp; /* mode */
	bool no_new_privs, kernel_thread;
	uint64_t pending, shared_pending, blocked, ignored, caught;
	uint64_t cap_effective;
	uint64_t utime, stime; /* ticks */
	char name[16];
	int n_ns_pids; /* how many pid namespaces deep it is, seen from ours: 1 is ours */
};

/** proc_stat_read() - Of a process, or of one thread by its id; -ESRCH, -EPROTO */
int proc_stat_read(pid_t pid, struct proc_stat *ret, struct err *e) MUST_CHECK;

/** proc_stat_parse() - The same of the two texts; @status is cut up */
int proc_stat_parse(const char *stat, char *status, struct proc_stat *ret, struct err *e)
	MUST_CHECK;

/* pages of a mapping that must be sent */
struct page_run {
	uint64_t start;
	uint64_t n;
};

/**
 * pages_scan() - Runs of pages of [start, end) that are there (in memory or swapped)
 * @pagemap:	/proc/PID/pagemap, open for reading
 * @from:	Where to go on; set to where it stopped, = end when all was seen
 * @file_too:	Count pages of a file in a private mapping, else only those that were changed
 * (anonymous)
 * @runs, @max:	Filled
 *
 * By the PAGEMAP_SCAN ioctl where the kernel has it (6.7), else by reading the entries. A page that
 * is "there" need not be readable: a guard page, or a mark of userfaultfd, looks like a swapped
 * one.
 *
 * Return: number of runs, -errno
 */
ssize_t pages_scan(int pagemap, uint64_t *from, uint64_t end, bool file_too, struct page_run *runs,
		   size_t max) MUST_CHECK;

enum pages_way {
	PAGES_BY_IOCTL,
	PAGES_BY_ENTRIES,
};

/** pages_scan_by() - The same by one of the two; -ENOTTY: this kernel does not have it */
ssize_t pages_scan_by(enum pages_way way, int pagemap, uint64_t *from, uint64_t end, bool file_too,
		      struct page_run *runs, size_t max) MUST_CHECK;

#endif
