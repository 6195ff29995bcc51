/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * victim.c - the life of a victim, see victim.h
 *
 * Stands alone and is built for each C library that there is a victim of: it uses nothing of src/.
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_MAX   10  /* failed checks that are told; the others are counted */
#define LIMIT_S	   900 /* a victim whose harness is gone ends by itself */
#define WAKE_NS	   (5 * 1000 * 1000)
#define PATH_LEN   256
#define N_PAUSE_US 10000
#define N_ROUNDS   10

enum {
	END_FAILED = 1,
	END_CANNOT = 3,
	END_SKIPPED = 77
};

static struct {
	bool begun, told;
	long round, rounds;
	int64_t pause_ns, limit_ns;
	const char *stop;
	char scratch[PATH_LEN];
	pid_t owner; /* of the scratch directory */
	atomic_int failed;
} v;

static long number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtol(text, NULL, 10) : otherwise;
}

static void begin(void)
{
	const char *kept = getenv("VICTIM_KEPT");
	char *end;

	if (v.begun)
		return;
	v.begun = true;
	v.rounds = number("VICTIM_ROUNDS", N_ROUNDS);
	v.rounds = v.rounds > 0 ? v.rounds : 1;
	v.pause_ns = number("VICTIM_PAUSE_US", N_PAUSE_US) * 1000;
	v.stop = getenv("VICTIM_STOP");
	v.limit_ns = victim_now(CLOCK_MONOTONIC) + LIMIT_S * NS_PER_S;
	if (kept) {
		v.told = true;
		v.round = strtol(kept, &end, 10);
		v.failed = (int)strtol(end, NULL, 10);
	}
}

/* one write, so that lines of several processes do not mix */
static void say(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	(void)n; /* nobody listens: nothing to be done about it */
}

static void tell(const char *word, long value)
{
	const char *to = getenv("VICTIM_READY");
	char line[64];
	int fd;

	if (!to || !*to)
		return;
	(void)snprintf(line, sizeof(line), "%s %ld\n", word, value);
	if (*to >= '0' && *to <= '9') {
		say((int)strtol(to, NULL, 10), line);
		return;
	}
	fd = open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		victim_cannot(__FILE__, __LINE__, "open $VICTIM_READY");
	say(fd, line);
	(void)close(fd);
}

void victim_ready(void)
{
	begin();
	if (!v.told)
		tell("ready", getpid());
	v.told = true;
}

void victim_blocking(void)
{
	begin();
	if (!v.told)
		tell("blocking", getpid());
	v.told = true;
}

bool victim_round(void)
{
	begin();
	if (v.round > 0) {
		if (v.round % v.rounds == 0)
			tell("rounds", v.round);
		if (v.pause_ns > 0)
			victim_pause(v.pause_ns);
		if (v.round >= v.rounds && (!v.stop || access(v.stop, F_OK) == 0))
			return false;
		if (victim_now(CLOCK_MONOTONIC) > v.limit_ns)
			victim_cannot(__FILE__, __LINE__, "nobody made the file $VICTIM_STOP");
	}
	v.round++;
	return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)remove(path); /* what cannot be removed is left to the harness */
	return 0;
}

int victim_end(void)
{
	int failed = v.failed;

	if (v.scratch[0] && v.owner == getpid()) {
		if (chdir("/") == 0)
			(void)nftw(v.scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
		v.scratch[0] = '\0';
	}
	if (failed > SAID_MAX)
		(void)fprintf(stderr, "%s: %d checks failed\n", program_invocation_short_name,
			      failed);
	return failed ? END_FAILED : 0;
}

void victim_skip(const char *why)
{
	(void)printf("skipped: %s\n", why);
	(void)fflush(stdout);
	(void)victim_end();
	_exit(END_SKIPPED);
}

void victim_keep(void)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld %d", v.round, (int)v.failed);
	NEED(setenv("VICTIM_KEPT", text, 1) == 0);
}

void victim_scratch(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(v.scratch, sizeof(v.scratch), "%s/victim.XXXXXX", tmp ? tmp : "/tmp");
	NEED(mkdtemp(v.scratch) != NULL);
	v.owner = getpid();
	NEED(chdir(v.scratch) == 0);
}

void victim_session(void)
{
	pid_t child = getpgrp() == getpid() ? fork() : 0;
	int status;

	NEED(child >= 0);
	if (child == 0) {
		NEED(setsid() == getpid());
		return;
	}
	while (waitpid(child, &status, 0) < 0)
		NEED(errno == EINTR);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : END_FAILED);
}

pid_t victim_child(void (*run)(void *arg), void *arg)
{
	pid_t child = fork();

	NEED(child >= 0);
	if (child == 0) {
		v.failed = 0;
		run(arg);
		_exit(v.failed ? END_FAILED : 0);
	}
	return child;
}

void victim_reap(pid_t child)
{
	int status = -1;
	pid_t got;

	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	if (CHECK_EQ(got, child))
		CHECK_EQ(status, 0);
}

void victim_await_nudge(void)
{
	const char *nudge = getenv("VICTIM_NUDGE");

	while (nudge && *nudge && access(nudge, F_OK) != 0)
		victim_pause(WAKE_NS);
}

struct waker victim_waker(void (*wake)(void *arg), void *arg)
{
	struct waker w;
	int ask[2];
	char byte;

	NEED(pipe2(ask, O_CLOEXEC) == 0);
	w.pid = fork();
	NEED(w.pid >= 0);
	w.ask = ask[1];
	if (w.pid > 0) {
		(void)close(ask[0]);
		return w;
	}
	v.failed = 0;
	(void)close(ask[1]);
	while (read(ask[0], &byte, 1) == 1) {
		victim_await_nudge();
		/* let it get into its call; it is right as well, only less of a test, if it does
		 * not */
		victim_pause(WAKE_NS);
		wake(arg);
	}
	_exit(v.failed ? END_FAILED : 0);
}

void victim_wait(struct waker *waker)
{
	victim_blocking();
	NEED(write(waker->ask, "w", 1) == 1);
}

void victim_waker_end(struct waker *waker)
{
	(void)close(waker->ask);
	victim_reap(waker->pid);
}

int64_t victim_now(clockid_t clock)
{
	struct timespec t;

	NEED(clock_gettime(clock, &t) == 0);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

void victim_pause(int64_t ns)
{
	struct timespec t = { ns / NS_PER_S, ns % NS_PER_S };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

uint64_t victim_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* what byte stands at a place of a pattern; a word at a time, for it runs over megabytes */
static uint64_t word(uint64_t seed, size_t at)
{
	return (seed + at) * 0x9e3779b97f4a7c15ULL ^ seed;
}

void victim_fill(void *to, size_t n, uint64_t seed)
{
	unsigned char *p = to;

	for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
		uint64_t w = word(seed, i);

		memcpy(p + i, &w, n - i < sizeof(w) ? n - i : sizeof(w));
	}
}

bool victim_is(const void *at, size_t n, uint64_t seed)
{
	const unsigned char *p = at;

	for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
		uint64_t w = word(seed, i);

		if (memcmp(p + i, &w, n - i < sizeof(w) ? n - i : sizeof(w)) != 0)
			return false;
	}
	return true;
}

ssize_t victim_slurp(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (n < size - 1 && (got = read(fd, to + n, size - 1 - n)) > 0)
		n += got;
	to[n] = '\0';
	(void)close(fd);
	return (ssize_t)n;
}

/* whether this failure is one of those that are told */
static bool note(void)
{
	return atomic_fetch_add(&v.failed, 1) < SAID_MAX;
}

#define SAY(file, line, fmt, ...)                                                                  \
	do {                                                                                       \
		char out_[512];                                                                    \
                                                                                                   \
		(void)snprintf(out_, sizeof(out_), "%s: round %ld: %s:%d: " fmt "\n",              \
			       program_invocation_short_name, v.round, file, line, __VA_ARGS__);   \
		say(STDERR_FILENO, out_);                                                          \
	} while (0)

bool victim_check(bool held, const char *file, int line, const char *text)
{
	int error = errno;

	if (!held && note())
		SAY(file, line, "not so: %s (errno %d, %s)", text, error, strerror(error));
	return held;
}

bool victim_check_eq(long long got, long long want, const char *file, int line, const char *text)
{
	int error = errno;

	if (got != want && note())
		SAY(file, line, "%s is %lld, want %lld (errno %d, %s)", text, got, want, error,
		    strerror(error));
	return got == want;
}

bool victim_check_err(long long got, int error, const char *file, int line, const char *text)
{
	int found = errno;
	bool held = got == -1 && found == error;

	if (!held && note())
		SAY(file, line, "%s is %lld, errno %d (%s), want -1 and errno %d", text, got, found,
		    strerror(found), error);
	return held;
}

bool victim_check_str(const char *got, const char *want, const char *file, int line,
		      const char *text)
{
	bool held = got && strcmp(got, want) == 0;

	if (!held && note())
		SAY(file, line, "%s is '%s', want '%s'", text, got ? got : "(null)", want);
	return held;
}

bool victim_check_mem(const void *got, const void *want, size_t n, const char *file, int line,
		      const char *text)
{
	const unsigned char *g = got, *w = want;
	size_t i = 0;

	while (i < n && g[i] == w[i])
		i++;
	if (i < n && note())
		SAY(file, line, "%s: byte %zu is 0x%02x, want 0x%02x", text, i, g[i], w[i]);
	return i == n;
}

void victim_cannot(const char *file, int line, const char *text)
{
	int error = errno;

	SAY(file, line, "cannot go on without: %s (errno %d, %s)", text, error, strerror(error));
	(void)victim_end();
	_exit(END_CANNOT);
}
