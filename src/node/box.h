/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * box.h - run a program that is not trusted, or that reads what is not trusted
 *
 * The program gets a uid of its own from a private range, and its own mount, pid, net, ipc and uts
 * namespaces. It sees /usr (and what /bin, /lib and /lib64 are), its own directory, the cache, a
 * scratch directory in memory, a minimal /dev and its own /proc; nothing else of the node: no other
 * file, process or network. It has no capability and no way to one (no_new_privs, seccomp), and
 * limits on all it can use up.
 *
 * comosix-box does the work: it is started as pid 1 of the new namespaces, builds the box around
 * itself, starts the program and stays as its init. Killing that pid ends all that is in the box;
 * it also dies with its parent. Mounts go with the namespace; only cgroups outlive it: box_done().
 */
#ifndef NODE_BOX_H
#define NODE_BOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define BOX_PROGRAM   "comosix-box"
#define BOX_UID_BASE  64200 /* default of the private range: uid = base + slot, gid = base */
#define BOX_SLOTS_MAX 256
#define BOX_CACHE     "/cache"	 /* $COMOSIX_CACHE inside */
#define BOX_SCRATCH   "/scratch" /* $COMOSIX_SCRATCH, $TMPDIR, $HOME inside */

struct box_spec {
	const char *box_program; /* from spawn_find(BOX_PROGRAM, COMOSIX_LIBEXECDIR, ...) */
	const char *program;	 /* absolute path; its directory is to be seen inside, read-only */
	const char *const *argv; /* ends with NULL */
	const char *const *env;	 /* ends with NULL, may be NULL; added to the few the box sets */
	int stream;		 /* becomes fd 0 and 1; stays the caller's */
	int log; /* where its stderr goes: printable lines behind "box UID: ", bounded; -1: nowhere
		  */
	const char *cache;	/* directory that exists; NULL: none. Made root:base 1770 */
	uint64_t scratch_bytes; /* 0: 256 MiB; memory, counted in memory_bytes */
	uint32_t uid_base;	/* 0: BOX_UID_BASE */
	uint32_t slot;		/* < BOX_SLOTS_MAX; no two boxes at a time may have the same */
	uint32_t cpu_shares;	/* of the cgroup, 1024 is normal; 0: 102 */
	uint64_t memory_bytes;	/* 0: no limit but the scratch's */
	uint32_t processes;	/* 0: 64 */
	bool idle;		/* SCHED_IDLE: only what nobody else wants */
};

/* Owner: the caller, from box_spawn() to box_done() */
struct box {
	pid_t pid;    /* pid 1 of the box, as the host sees it; the caller reaps it */
	uint32_t uid; /* of all that is in it */
};

/**
 * box_spawn() - Start a program in a new box
 * @spec:	What and how; copied
 * @ret:	Filled on success only
 * @e:		Reason
 *
 * A failure inside the box (missing program, refused mount) is said on @log and ends it with status
 * 125 to 127 as env(1); the program's own status is passed on (128 + signal when it was killed).
 *
 * Return: 0 or -errno; -EPERM without root
 */
int box_spawn(const struct box_spec *spec, struct box *ret, struct err *e) MUST_CHECK;

/** box_kill() - End all that is in the box, at once; the pid is reaped by the caller as ever */
void box_kill(const struct box *b);

/** box_done() - After the pid was reaped: remove what outlives it. The slot is free then */
void box_done(struct box *b);

/** box_sweep() - At the start of a daemon: remove what a killed one has left. No box may run */
void box_sweep(uint32_t uid_base);

#endif
