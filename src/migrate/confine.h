/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine.h - the wall around a job at home: what goes to a desktop may do little here, for good
 *
 * Theory of operation. A guest's calls are made by its stub with the user's rights, and on a
 * desktop the guest may be made to say anything (ARCHITECTURE, Trust). So before RUN the stub,
 * every thread of it, is put into
 *
 *	no_new_privs
 *	a Landlock domain	the files it has open, its working directory, declared paths; system
 *				directories to read; no new TCP port; no signal and no abstract
 *				socket across its border
 *	a seccomp filter	confine_calls.h
 *
 * which its children inherit and nothing takes away: a job that is home again lives in it, too.
 * That is why it is the last stage before RUN.
 *
 * The ruleset is made here and handed over, so that the process needs no descriptor of any of the
 * paths. Paths are as the process sees them (its root), and are opened with its user's rights.
 *Files in the home directory whose names begin with a dot are not in it, even if the working
 *directory or a declared path is the home directory or lies above it: then what is in the home
 *directory is allowed name by name, and no new names can be made in it.
 */
#ifndef MIGRATE_CONFINE_H
#define MIGRATE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define CONFINE_PATHS_MAX 64
#define CONFINE_PATH_MAX  4096

/* what mosrun has declared; strings are the caller's */
struct confine_spec {
	const char *home;	  /* home directory of its user, absolute; NULL: there is none */
	const char *const *paths; /* absolute, --path: may be read, written and executed */
	size_t n_paths;
};

struct confine {
	pid_t pid;
	int ruleset; /* of Landlock; -1: not to be confined */
	int root;    /* O_PATH of the root directory of the process */
	int home;    /* O_PATH; -1: none */
	uid_t uid;
	gid_t gid;
};

struct stub;

/**
 * confine_home() - Home directory of a user; "" when there is no such user
 *
 * Asks NSS and may block.
 *
 * Return: 0 or -errno
 */
int confine_home(uid_t uid, char *ret, size_t len, struct err *e) MUST_CHECK;

void confine_init(struct confine *c);

/**
 * confine_prepare() - Make all of the ruleset but the working directory
 * @c:		Of confine_init()
 * @pid:	The process, which runs on
 * @spec:	What it may use
 * @e:		Reason, to be shown to its user
 *
 * Return: 0, -EOPNOTSUPP (this kernel has no Landlock, or one without signals: a job cannot go to
 * a desktop from here), -EINVAL, -ENOENT (a declared path), other -errno
 */
int confine_prepare(struct confine *c, pid_t pid, const struct confine_spec *spec, struct err *e)
	MUST_CHECK;

/** confine_is_wanted() - Was it prepared? */
bool confine_is_wanted(const struct confine *c);

/**
 * confine_enter() - Confine every thread of a stub, for good; before stub_start()
 *
 * A stub that was confined by an earlier move stays as it is.
 *
 * Return: 0 or -errno: it may be confined in part then, and can go on at home all the same
 */
int confine_enter(struct confine *c, struct stub *s, struct err *e) MUST_CHECK;

/** confine_is_ours() - Was this stub confined by an earlier move? 1, 0, -errno */
int confine_is_ours(struct stub *s, struct err *e) MUST_CHECK;

void confine_done(struct confine *c);

#endif
