/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/cpu_timers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "os/file.h"

#define TEXT_MAX     (1U << 20)
#define SECOND_NS    1000000000ULL
#define CPU_CLOCK    2 /* the two bits of such a clock's number: what it counts, the highest one */
#define THREAD_CLOCK 4 /* the bit of a thread's */
#define FAR_AWAY_S   100000000 /* one that is due does not count any more: to see it count */

/* ------------------------------------------------------------------- text */

/* 0: the process's own; CPU_TIMERS_UNKNOWN; Return: false: not a clock of this process */
static bool whose(const struct image *m, int clock, uint32_t *ret)
{
	uint32_t pid = (uint32_t) ~(clock >> 3);

	if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) {
		*ret = clock == CLOCK_THREAD_CPUTIME_ID ? CPU_TIMERS_UNKNOWN : 0;
		return true;
	}
	if (clock >= 0 || (clock & 3) > CPU_CLOCK)
		return false;
	*ret = !(clock & THREAD_CLOCK) ? 0 : pid ? pid : CPU_TIMERS_UNKNOWN;
	if (!pid || pid == m->pid)
		return true;
	for (size_t i = 0; i < m->n_threads; i++)
		if (m->threads[i].tid == pid)
			return true;
	return false;
}

/* one timer has four lines, proc(5): ID, signal, notify, ClockID */
static int take_line(struct image *m, const char *line, struct image_timer *t)
{
	static const struct {
		const char *word;
		uint32_t notify;
	} ways[] = { { "signal", SIGEV_SIGNAL }, { "none", SIGEV_NONE } };
	unsigned long long value;
	char word[16], to[8];
	int clock;

	if (sscanf(line, "ID: %u", &t->id) == 1)
		return 0;
	if (sscanf(line, "signal: %u/%llx", &t->signo, &value) == 2) {
		t->value = value;
		return 0;
	}
	if (sscanf(line, "notify: %15[^/]/%7[^.].%u", word, to, &t->signal_tid) == 3) {
		t->notify = SIGEV_SIGNAL;
		for (size_t i = 0; i < ARRAY_LEN(ways); i++)
			if (!strcmp(word, ways[i].word))
				t->notify = ways[i].notify;
		if (!strcmp(to, "tid"))
			t->notify = SIGEV_THREAD_ID;
		else
			t->signal_tid = 0;
		return 0;
	}
	if (sscanf(line, "ClockID: %d", &clock) != 1)
		return -EPROTO;
	if (!whose(m, clock, &t->tid))
		return 0; /* it stays at home */
	if (m->n_timers == IMAGE_TIMERS_MAX)
		return -E2BIG;
	m->timers[m->n_timers++] = *t;
	return 0;
}

int cpu_timers_parse(const char *text, struct image *m)
{
	struct image_timer t = { 0 };
	int r = 0;

	m->n_timers = 0;
	for (; !r && *text; text += strcspn(text, "\n"), text += *text == '\n')
		r = take_line(m, text, &t);
	return r;
}

/* ----------------------------------------------------------------- capture */

static uint64_t ns_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * SECOND_NS + (uint64_t)t->tv_nsec;
}

static struct timespec time_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / SECOND_NS), (long)(ns % SECOND_NS) };
}

/* where in the data of the batch the answers are */
struct answers {
	uint64_t at[IMAGE_TIMERS_MAX][2];
};

static int add_gettime(struct batch *b, const struct image_timer *t, uint64_t *ret)
{
	int r = batch_data(b, NULL, sizeof(struct itimerspec), ret);

	return r ? r : batch_add(b, SYS_timer_gettime, t->id, *ret, 0, 0, 0, 0);
}

static int add_settime(struct batch *b, const struct image_timer *t, uint64_t left,
		       uint64_t interval)
{
	const struct itimerspec v = { time_of(interval), time_of(left) };
	uint64_t at;
	int r = batch_data(b, &v, sizeof(v), &at);

	return r ? r : batch_add(b, SYS_timer_settime, t->id, 0, at, 0, 0, 0);
}

static int read_times(struct batch *b, struct image *m, struct err *e)
{
	struct answers a;
	int r = 0;

	batch_clear(b);
	for (size_t i = 0; r >= 0 && i < m->n_timers; i++)
		r = add_gettime(b, &m->timers[i], &a.at[i][0]);
	if (r >= 0)
		r = batch_run(b, (pid_t)m->pid, e);
	for (size_t i = 0; r >= 0 && i < m->n_timers; i++) {
		struct itimerspec v;

		r = batch_read(b, a.at[i][0], &v, sizeof(v));
		m->timers[i].left_ns = ns_of(&v.it_value);
		m->timers[i].interval_ns = ns_of(&v.it_interval);
	}
	batch_clear(b);
	return r < 0 ? r : 0;
}

/* those whose thread is not known: do they count while this one makes calls? */
static int find_of_thread(struct batch *b, struct image *m, uint32_t tid, struct err *e)
{
	struct answers a = { 0 };
	int r = 0;

	batch_clear(b);
	for (size_t i = 0; r >= 0 && i < m->n_timers; i++) {
		const struct image_timer *t = &m->timers[i];

		if (t->tid != CPU_TIMERS_UNKNOWN)
			continue;
		r = add_settime(b, t, FAR_AWAY_S * SECOND_NS, t->interval_ns);
		for (size_t k = 0; r >= 0 && k < 2; k++)
			r = add_gettime(b, t, &a.at[i][k]);
		if (r >= 0)
			r = add_settime(b, t, t->left_ns, t->interval_ns);
	}
	if (r >= 0)
		r = batch_run(b, (pid_t)tid, e);
	for (size_t i = 0; r >= 0 && i < m->n_timers; i++) {
		struct itimerspec v[2];

		for (size_t k = 0; r >= 0 && a.at[i][0] && k < 2; k++)
			r = batch_read(b, a.at[i][k], &v[k], sizeof(v[k]));
		if (r >= 0 && a.at[i][0] && ns_of(&v[1].it_value) < ns_of(&v[0].it_value))
			m->timers[i].tid = tid;
	}
	batch_clear(b);
	return r < 0 ? r : 0;
}

static bool has_unknown(const struct image *m)
{
	for (size_t i = 0; i < m->n_timers; i++)
		if (m->timers[i].tid == CPU_TIMERS_UNKNOWN)
			return true;
	return false;
}

int cpu_timers_capture(struct batch *b, struct image *m, struct err *e)
{
	struct buf text;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%u/timers", m->pid);
	buf_init(&text, TEXT_MAX);
	r = file_read(path, &text, e);
	if (!r)
		r = buf_text(&text) ? cpu_timers_parse(buf_text(&text), m) : -ENOMEM;
	else if (r == -ENOENT)
		r = 0; /* not every kernel tells */
	buf_done(&text);
	if (!r && m->n_timers)
		r = read_times(b, m, e);
	for (size_t i = 0; !r && i < m->n_threads && has_unknown(m); i++)
		r = find_of_thread(b, m, m->threads[i].tid, e);
	if (r < 0)
		return err_set(e, r, "read its timers of CPU time: %s", strerror(-r));
	/* of a thread that has ended: it never goes off, nor will it there */
	for (size_t i = 0; i < m->n_timers; i++)
		if (m->timers[i].tid == CPU_TIMERS_UNKNOWN)
			m->timers[i].left_ns = m->timers[i].tid = 0;
	return 0;
}

/* -------------------------------------------------------------------- home */

int cpu_timers_set(struct batch *b, const struct image *m, bool stop, struct err *e)
{
	int r = 0;

	batch_clear(b);
	for (size_t i = 0; r >= 0 && i < m->n_timers; i++)
		r = add_settime(b, &m->timers[i], stop ? 0 : m->timers[i].left_ns,
				m->timers[i].interval_ns);
	if (r >= 0 && m->n_timers)
		r = batch_run(b, (pid_t)m->pid, e);
	batch_clear(b);
	return r < 0 ? err_set(e, r, "set its timers of CPU time: %s", strerror(-r)) : 0;
}

bool cpu_timers_is_late(const struct image *m, const siginfo_t *info)
{
	for (size_t i = 0; info->si_code == SI_TIMER && i < m->n_timers; i++)
		if (m->timers[i].id == (uint32_t)info->si_timerid)
			return m->timers[i].left_ns && !m->timers[i].interval_ns;
	return false;
}
