/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - the BLAST+ of this machine: where it is, which build, and how it is started with the
 * preloaded library
 */
#ifndef BLAST_RUN_ENGINE_H
#define BLAST_RUN_ENGINE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "blast/prelim/builds.h"

#define ENGINE_ID_TEXT 80

struct engine {
	char program[PATH_MAX];			/* "/usr/bin/blastp" */
	char library[PATH_MAX];			/* comosix-prelim.so */
	char ids[PRELIM_PARTS][ENGINE_ID_TEXT]; /* "libblast.so 3cf6..."; empty when not loaded */
};

/** engine_find() - A program of BLAST+ in $PATH */
int engine_find(const char *name, char *ret, size_t len, struct err *e) MUST_CHECK;

/**
 * engine_probe() - Find a program and ask the process it becomes for its build ids (blocks ~0.1 s)
 * @name:	"blastp"
 * @ret:	Set on success
 * @e:		Reason
 *
 * Return: 0, -ENOENT (not installed), -ENOTSUP (no build that the preloaded library knows)
 */
int engine_probe(const char *name, struct engine *ret, struct err *e) MUST_CHECK;

struct engine_run {
	const struct engine *engine; /* with the library; NULL: as it is */
	const char *program;	     /* path */
	const char *const *words;    /* arguments, NULL at the end */
	const char *mode;	     /* "dump" on fd 1, "select" on fd 0 */
	bool unlimited;
	const char *const *env; /* to build on; NULL at the end */
	int fds[3];		/* stay the caller's; -1: /dev/null */
};

/** engine_start() - Start it; it dies with us. The caller reaps ret_pid */
int engine_start(const struct engine_run *r, pid_t *ret_pid, struct err *e) MUST_CHECK;

#endif
