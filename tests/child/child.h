/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * child.h - a child process to be traced: it shares a page with the test, and tells it when it is
 * somewhere
 */
#ifndef TESTS_CHILD_CHILD_H
#define TESTS_CHILD_CHILD_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_SEEN_MAX 16384

/* in memory that both have */
struct child_page {
	atomic_long counter, flag, wrong;
	atomic_int n_seen;
	siginfo_t seen[CHILD_SEEN_MAX]; /* that its handlers were given */
};

struct child {
	pid_t pid;
	struct child_page *page;
	int said; /* pipe: a byte for each child_say() */
	int ask;  /* pipe: for child_hear() */
};

/** child_start() - Run fn in a child, which ends with its result; killed when the test ends */
void child_start(struct child *c, int (*fn)(struct child *));

/** child_end() - Kill it if it runs; Return: wait status (0 when it was reaped before) */
int child_end(struct child *c);

/** child_exit_status() - Wait until it ends by itself; its exit status, or -1 */
int child_exit_status(struct child *c);

/* in the child */
void child_say(struct child *c);
void child_hear(struct child *c);
void child_record(int signo, siginfo_t *info, void *context); /* a handler; writes down the info */
void child_catch(int signo, int flags);
int child_count(struct child *c); /* its counter, until its flag is set; Return: 0 */

/* in the test */
void child_await(struct child *c); /* a child_say() */
void child_tell(struct child *c);  /* for a child_hear() */

/** child_until_in_call() - Wait until a thread of it sleeps in a call */
void child_until_in_call(pid_t tid, long nr);

/** child_until_seen() - Wait until its handlers have written down so many */
void child_until_seen(struct child *c, int n);

/** child_until_state() - Wait until a thread is in a state ("T", "t", "S" ... of proc(5)) */
void child_until_state(pid_t tid, char state);

/** child_runs_on() - Wait until its counter has moved */
void child_runs_on(struct child *c);

#endif
