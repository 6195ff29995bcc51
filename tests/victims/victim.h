/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * victim.h - the life of a victim: a small program that checks one feature of the kernel, over and
 *over
 *
 * Theory of operation. A victim sets its feature up, says that it is ready, and then checks in
 *rounds what the kernel promises. It knows nothing of migration: tests/victims/run.py moves it
 *about in the meantime, and whatever changes for it is a fault of ours. It ends with 0 when all was
 *right, with 1 when a check failed, with 3 when it could not go on, with 77 when the machine lacks
 *its feature.
 *
 *	int main(void)
 *	{
 *		...set up...
 *		victim_ready();
 *		while (victim_round())
 *			CHECK_EQ(...);
 *		return victim_end();
 *	}
 *
 * The surroundings tell it how long:
 *
 *	VICTIM_ROUNDS	at least so many rounds; 10 when it is not set
 *	VICTIM_STOP	name of a file: rounds go on until it exists
 *	VICTIM_PAUSE_US	rest between two rounds; 10000 when it is not set, 0 to compute hard
 *	VICTIM_READY	number of a descriptor, or name of a file, that gets these lines:
 *			"ready PID"	the set-up is done
 *			"blocking PID"	instead of it: now goes into a call that waits
 *			"rounds N"	N rounds are done; said every VICTIM_ROUNDS rounds
 *	VICTIM_NUDGE	name of a file: who waits in a call on purpose is woken once it exists
 *
 * Checks say what they found on stderr, the first few of them, and the victim goes on. They may be
 * used in every thread and, for victim_child(), in children. Nothing here measures how fast it is.
 */
#ifndef TESTS_VICTIMS_VICTIM_H
#define TESTS_VICTIMS_VICTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define NS_PER_S 1000000000LL

/* each is true when it held; the text of the check is what a failure says */
#define CHECK(cond) victim_check((cond), __FILE__, __LINE__, #cond)
#define CHECK_EQ(got, want)                                                                        \
	victim_check_eq((long long)(got), (long long)(want), __FILE__, __LINE__, #got)
#define CHECK_ERR(call, error)                                                                     \
	victim_check_err((long long)(call), (error), __FILE__, __LINE__, #call)
#define CHECK_STR(got, want)	victim_check_str((got), (want), __FILE__, __LINE__, #got)
#define CHECK_MEM(got, want, n) victim_check_mem((got), (want), (n), __FILE__, __LINE__, #got)

/* without this nothing that follows makes sense: ends with 3 */
#define NEED(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond))                                                                       \
			victim_cannot(__FILE__, __LINE__, #cond);                                  \
	} while (0)

/** victim_ready() - Say that the set-up is done; once */
void victim_ready(void);

/** victim_blocking() - Say, the first time only, that the next call is one that waits */
void victim_blocking(void);

/**
 * victim_round() - Rest, then begin another round
 *
 * Return: true while there is another round to be done
 */
bool victim_round(void);

/** victim_end() - Remove the scratch directory; Return: what main() returns */
int victim_end(void);

/** victim_skip() - End with 77 because the machine lacks the feature; not after victim_ready() */
void victim_skip(const char *why) __attribute__((noreturn));

/** victim_keep() - Put rounds and failures into the environment, for an exec of the same program */
void victim_keep(void);

/** victim_scratch() - Make a directory of its own, removed by victim_end(), and go there */
void victim_scratch(void);

/**
 * victim_session() - Become the leader of a session of its own, without a terminal; before
 * victim_ready()
 *
 * Forks where this process leads a group already: the child goes on, this one ends as the child
 * does.
 */
void victim_session(void);

/**
 * victim_child() - Fork a child that runs @run and ends with 0, or 1 when a check failed in it
 * @run:	Called in the child, with @arg
 *
 * Return: its pid; victim_reap() it
 */
pid_t victim_child(void (*run)(void *arg), void *arg);

/** victim_reap() - Wait for a child and check that it ended with 0 */
void victim_reap(pid_t child);

/* a child that wakes this process out of calls that wait; see victim_waker() */
struct waker {
	pid_t pid;
	int ask; /* a byte for each call */
};

/**
 * victim_waker() - Fork a child that calls @wake each time that victim_wait() asks for it
 * @wake:	Called in the child, with @arg, a moment after it was asked; the first time not
 *		before $VICTIM_NUDGE exists
 *
 * Return: who asks it, by victim_wait(), and ends it, by victim_waker_end()
 */
struct waker victim_waker(void (*wake)(void *arg), void *arg);
void victim_wait(struct waker *waker);
void victim_waker_end(struct waker *waker);

/** victim_await_nudge() - Until $VICTIM_NUDGE exists, for a waker that is a thread */
void victim_await_nudge(void);

/** victim_now() - The time of a clock in ns */
int64_t victim_now(clockid_t clock);

/** victim_pause() - Rest for so long, whatever signals come */
void victim_pause(int64_t ns);

/** victim_fill() - Fill memory with a pattern that is different for each seed and place */
void victim_fill(void *to, size_t n, uint64_t seed);

/** victim_is() - Whether memory holds that pattern */
bool victim_is(const void *at, size_t n, uint64_t seed);

/** victim_random() - The next number of a sequence that @state alone decides; @state is not 0 */
uint64_t victim_random(uint64_t *state);

/** victim_slurp() - Read a small file, say of /proc, into @to, cut at @size - 1; Return: its length
 * or -1 */
ssize_t victim_slurp(const char *path, char *to, size_t size);

/* behind the macros; each returns whether it held */
bool victim_check(bool held, const char *file, int line, const char *text);
bool victim_check_eq(long long got, long long want, const char *file, int line, const char *text);
bool victim_check_err(long long got, int error, const char *file, int line, const char *text);
bool victim_check_str(const char *got, const char *want, const char *file, int line,
		      const char *text);
bool victim_check_mem(const void *got, const void *want, size_t n, const char *file, int line,
		      const char *text);
void victim_cannot(const char *file, int line, const char *text) __attribute__((noreturn));

#endif
