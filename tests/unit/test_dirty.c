/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_dirty.c - a copy that is kept up to date by what the tracker names is the process at the end
 */
#include "tracee/dirty.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "child/child.h"
#include "os/fd.h"
#include "test.h"

#define PAGE	  4096UL
#define SLOTS	  65536 /* of the copy's hash: more than there are pages, ever */
#define RUNS	  64
#define PAGES_MAX 4096

/* ------------------------------------------------------------------------ the copy */

struct copy {
	struct slot {
		uint64_t at; /* 0: free */
		bool there;
		uint8_t bytes[PAGE];
	} * slot;
};

/* the slot of a page, or the free one where it would be put */
static struct slot *probe(struct copy *c, uint64_t at)
{
	size_t i = at / PAGE * 2654435761U % SLOTS;

	for (size_t tries = 0; c->slot[i].at && c->slot[i].at != at; i = (i + 1) % SLOTS)
		assert_true(++tries < SLOTS);
	return &c->slot[i];
}

static const struct slot *find_slot(struct copy *c, uint64_t at)
{
	const struct slot *s = probe(c, at);

	return s->at ? s : NULL;
}

static struct slot *slot_of(struct copy *c, uint64_t at)
{
	struct slot *s = probe(c, at);

	s->at = at;
	return s;
}

static void take_run(struct copy *c, int mem, const struct dirty_run *r)
{
	for (uint64_t i = 0; i < r->n; i++) {
		struct slot *s = slot_of(c, r->start + i * PAGE);

		if (r->kind == DIRTY_FILE) { /* as one who has the file */
			s->there = false;
			continue;
		}

		if (r->kind == DIRTY_ZERO)
			memset(s->bytes, 0, PAGE);
		/* unmapped since it was named: then it is nothing, or will be named again */
		s->there = r->kind == DIRTY_ZERO ||
			   pread(mem, s->bytes, PAGE, (off_t)s->at) == PAGE;
	}
}

static size_t take_round(struct copy *c, struct dirty *d, int mem, bool last)
{
	struct dirty_run runs[RUNS];
	size_t pages = 0;
	struct err e;
	ssize_t n;

	if (dirty_round(d, last, &e) < 0)
		fail_msg("%s", e.text);
	while ((n = dirty_next(d, runs, ARRAY_LEN(runs))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			take_run(c, mem, &runs[i]);
			pages += runs[i].n;
		}
	assert_int_equal(n, 0);
	return pages;
}

#define HUGE_BYTES (1ULL << 30) /* a sanitizer's shadow: terabytes, one page of them at a time */

/* each page that the process has of its own is in the copy, and what is in the copy is right */
static void compare(struct copy *c, pid_t pid, int mem)
{
	char path[64];
	struct maps m;
	int pagemap;

	(void)snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(pagemap >= 0);
	assert_int_equal(maps_read(pid, false, &m, NULL), 0);
	for (size_t i = 0; i < m.n; i++) {
		const struct maps_entry *x = &m.entries[i];

		if (x->flags & MAPS_SHARED || !strncmp(x->name, "[v", 2))
			continue;
		if (x->end - x->start > HUGE_BYTES)
			continue;
		for (uint64_t at = x->start; at < x->end; at += PAGE) {
			const struct slot *s = find_slot(c, at);
			struct page_run run;
			uint8_t now[PAGE];
			uint64_t from = at;
			bool own = pages_scan_by(PAGES_BY_ENTRIES, pagemap, &from, at + PAGE, false,
						 &run, 1) == 1;

			if (!own && !(s && s->there))
				continue;
			assert_int_equal(pread(mem, now, PAGE, (off_t)at), PAGE);
			if (!s || (own && !s->there))
				fail_msg("page %lx of %s was never named", at, x->name);
			if (memcmp(now, s->bytes, PAGE) != 0)
				fail_msg("page %lx of '%s' has changed since it was named", at,
					 x->name);
		}
	}
	maps_done(&m);
	(void)close(pagemap);
}

/* ----------------------------------------------------------------------- the writer */

#define AREA_PAGES 600
#define AREAS	   4 /* the last one is of a file */

static struct {
	uint8_t *area[AREAS];
	uint64_t seed;
	struct rng rng;
	int file;
	int pipe[2];
} w;

static uint8_t *some_page(unsigned int area)
{
	return w.area[area] + rng_below(&w.rng, AREA_PAGES) * PAGE;
}

static void *map_area(void *at, unsigned int area)
{
	bool of_file = area == AREAS - 1;

	return mmap(at, AREA_PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | (of_file ? 0 : MAP_ANONYMOUS) | (at ? MAP_FIXED : 0),
		    of_file ? w.file : -1, 0);
}

static void write_page(unsigned int area)
{
	uint8_t *p = some_page(area);

	p[rng_below(&w.rng, PAGE)] = (uint8_t)rng_u64(&w.rng);
}

/* by the kernel, on behalf of the process */
static void read_into_page(unsigned int area)
{
	if (write(w.pipe[1], &w.rng, sizeof(w.rng)) == sizeof(w.rng))
		(void)!read(w.pipe[0], some_page(area), sizeof(w.rng));
}

static void read_page(unsigned int area)
{
	(void)*(volatile uint8_t *)some_page(area);
}

static void give_back(unsigned int area)
{
	(void)madvise(some_page(area), PAGE, MADV_DONTNEED);
}

static void give_back_and_write(unsigned int area)
{
	uint8_t *p = some_page(area);

	(void)madvise(p, PAGE, MADV_DONTNEED);
	p[7] = 7;
}

static void map_anew(unsigned int area)
{
	(void)map_area(w.area[area], area);
}

static void map_elsewhere(unsigned int area)
{
	(void)munmap(w.area[area], AREA_PAGES * PAGE);
	w.area[area] = map_area(NULL, area);
}

/* one that is registered in part, because it was in pieces just then, cannot be moved as one */
static void move(unsigned int area)
{
	void *to = mmap(NULL, AREA_PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *at = mremap(w.area[area], AREA_PAGES * PAGE, AREA_PAGES * PAGE,
			  MREMAP_MAYMOVE | MREMAP_FIXED, to);

	if (at == MAP_FAILED)
		map_elsewhere(area);
	else
		w.area[area] = at;
}

static void protect_and_back(unsigned int area)
{
	uint8_t *p = some_page(area);

	(void)mprotect(p, PAGE, PROT_READ);
	(void)mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	*p = 1;
}

static void fork_and_write(unsigned int area)
{
	pid_t pid = fork();

	write_page(area);
	if (!pid) {
		for (int i = 0; i < 20; i++)
			write_page(area);
		_exit(0);
	}
	write_page(area);
	(void)waitpid(pid, NULL, 0);
}

static void grow_heap(unsigned int area)
{
	uint8_t *p = sbrk((intptr_t)PAGE);

	if (p != (void *)-1)
		*p = 3;
}

/* what it does, and how often of a thousand */
static const struct deed {
	void (*fn)(unsigned int area);
	unsigned int weight;
} deeds[] = {
	{ write_page, 700 },
	{ read_into_page, 100 },
	{ read_page, 60 },
	{ give_back, 60 },
	{ map_anew, 2 },
	{ map_elsewhere, 2 },
	{ give_back_and_write, 30 },
	{ move, 2 },
	{ protect_and_back, 20 },
	{ fork_and_write, 1 },
	{ grow_heap, 23 },
};

static int writes(struct child *c)
{
	w.file = memfd_create("writer", MFD_CLOEXEC);
	if (w.file < 0 || ftruncate(w.file, AREA_PAGES * PAGE) < 0 || pipe(w.pipe) < 0)
		return 1;
	for (unsigned int i = 0; i < AREA_PAGES; i++)
		if (pwrite(w.file, "of the file", 11, (off_t)(i * PAGE)) != 11)
			return 1;
	/* somebody without rights may make a userfaultfd of the least kind only */
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		return 1;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* forgotten with the uid */
		return 1;
	rng_init(&w.rng, w.seed);
	for (unsigned int i = 0; i < AREAS; i++)
		w.area[i] = map_area(NULL, i);
	child_say(c);
	while (!atomic_load(&c->page->flag)) {
		uint32_t dice = rng_below(&w.rng, 1000);

		for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
			if (dice < deeds[i].weight) {
				deeds[i].fn(rng_below(&w.rng, AREAS));
				break;
			}
			dice -= deeds[i].weight;
		}
		atomic_fetch_add(&c->page->counter, 1);
	}
	return 0;
}

/* ---------------------------------------------------------------------------- tests */

static void stop(pid_t pid)
{
	struct user_regs_struct regs;
	int stopped;
	pid_t tid;
	size_t n;
	struct err e;

	if (tracee_seize_all(pid, 0, &tid, 1, &n, &stopped, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(tracee_get_regs(pid, &regs), 0);
	if (tracee_rewind(&regs) == TRACEE_RESTART_BLOCK)
		tracee_rewind_block(&regs);
	assert_int_equal(tracee_set_regs(pid, &regs), 0);
}

/* false: this kernel cannot */
static bool begin(struct dirty *d, pid_t pid)
{
	uint64_t insn;
	struct err e;
	int r;

	assert_int_equal(tracee_find_syscall(pid, 0, 0, &insn), 0);
	stop(pid);
	dirty_init(d);
	r = dirty_begin(d, pid, pid, insn, &e);
	assert_int_equal(tracee_detach(pid, 0), 0);
	if (r < 0 && r != -EOPNOTSUPP)
		fail_msg("%s", e.text);
	return r == 0;
}

static bool has_uffd(pid_t pid)
{
	struct maps m;
	bool found = false;

	assert_int_equal(maps_read(pid, true, &m, NULL), 0);
	for (size_t i = 0; i < m.n; i++)
		found |= m.entries[i].flags & MAPS_UFFD;
	maps_done(&m);
	return found;
}

static int count_fds(pid_t pid)
{
	char path[64];
	int n = 0;

	for (int fd = 0; fd < 64; fd++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		n += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return n;
}

static void a_copy_follows(unsigned long seed, int rounds)
{
	struct copy copy;
	struct dirty d;
	struct child c;
	int mem, fds;

	w.seed = seed;
	child_start(&c, writes);
	child_await(&c);
	copy.slot = calloc(SLOTS, sizeof(*copy.slot)); /* not to be the child's too */
	assert_non_null(copy.slot);
	child_runs_on(&c);
	fds = count_fds(c.pid);
	mem = tracee_mem_open(c.pid);
	assert_true(mem >= 0);
	if (!begin(&d, c.pid)) {
		(void)child_end(&c);
		skip();
	}
	assert_int_equal(count_fds(c.pid), fds);

	for (int i = 0; i < rounds; i++) {
		assert_true(take_round(&copy, &d, mem, false) > 0);
		assert_true(has_uffd(c.pid));
		for (int k = 0; k < 5; k++)
			child_runs_on(&c);
	}
	stop(c.pid);
	(void)take_round(&copy, &d, mem, true);
	compare(&copy, c.pid, mem);
	dirty_end(&d);
	assert_false(has_uffd(c.pid));
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	child_runs_on(&c);
	assert_int_equal(count_fds(c.pid), fds);
	atomic_store(&c.page->flag, 1);
	assert_int_equal(child_exit_status(&c), 0);
	(void)close(mem);
	free(copy.slot);
}

static void copies_follow(void **state)
{
	for (unsigned long seed = 1; seed <= 6; seed++)
		a_copy_follows(seed, (int)seed);
}

static int writes_some(struct child *c)
{
	uint8_t *area = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);

	memset(area, 1, 32 * PAGE);
	atomic_store(&c->page->counter, (long)area);
	child_say(c);
	child_hear(c);
	area[3 * PAGE] = 3;
	area[40 * PAGE] = 40;
	(void)madvise(area + 7 * PAGE, PAGE, MADV_DONTNEED);
	child_say(c);
	child_hear(c);
	return 0;
}

static int maps_a_file_again(struct child *c)
{
	int fd = memfd_create("mapped", 0);
	uint8_t *area;

	if (ftruncate(fd, 64 * PAGE) < 0)
		return 1;
	area = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	area[3 * PAGE] = 3;
	atomic_store(&c->page->counter, (long)area);
	child_say(c);
	child_hear(c);
	(void)munmap(area, 64 * PAGE);
	if (mmap(area, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
		 0) != area)
		return 1;
	child_say(c);
	child_hear(c);
	return 0;
}

/* a child that waits, and is tracked; Return: the address that it has said */
static uint64_t begin_with(struct dirty *d, struct child *c, int (*fn)(struct child *))
{
	child_start(c, fn);
	child_await(c);
	child_until_state(c->pid, 'S');
	if (!begin(d, c->pid)) {
		(void)child_end(c);
		skip();
	}
	return (uint64_t)atomic_load(&c->page->counter);
}

static size_t named(struct dirty *d, uint64_t area, enum dirty_kind *kind)
{
	struct dirty_run runs[RUNS];
	size_t pages = 0;
	ssize_t n;

	for (int i = 0; i < 64; i++)
		kind[i] = (enum dirty_kind) - 1;
	assert_int_equal(dirty_round(d, false, NULL), 0);
	while ((n = dirty_next(d, runs, 3)) > 0)
		for (ssize_t i = 0; i < n; i++)
			for (uint64_t k = 0; k < runs[i].n; k++) {
				uint64_t at = (runs[i].start - area) / PAGE + k;

				if (runs[i].start + k * PAGE < area || at >= 64)
					continue;
				kind[at] = runs[i].kind;
				pages++;
			}
	assert_int_equal(n, 0);
	return pages;
}

/* /proc/PID/maps tells the same of both mappings, but what was read from the first may be of neither */
static void a_file_that_is_mapped_again(void **state)
{
	enum dirty_kind kind[64];
	struct dirty d;
	struct child c;
	uint64_t area;

	(void)state;
	area = begin_with(&d, &c, maps_a_file_again);
	assert_int_equal(named(&d, area, kind), 1);
	assert_int_equal(kind[3], DIRTY_DATA);
	assert_int_equal(named(&d, area, kind), 0);
	child_tell(&c);
	child_await(&c);
	assert_int_equal(named(&d, area, kind),
			 64 + 1); /* and the page that was its own is the file's */
	assert_int_equal(kind[2], DIRTY_FILE);
	assert_int_equal(kind[3], DIRTY_DATA);
	dirty_end(&d);
	child_tell(&c);
	assert_int_equal(child_exit_status(&c), 0);
}

/* just the pages that were written, and none twice */
static void exactly_what_was_written(void **state)
{
	enum dirty_kind kind[64];
	struct dirty d;
	struct child c;
	uint64_t area;

	area = begin_with(&d, &c, writes_some);
	assert_int_equal(named(&d, area, kind), 32);
	for (int i = 0; i < 32; i++)
		assert_int_equal(kind[i], DIRTY_DATA);
	assert_int_equal(named(&d, area, kind), 0);
	child_tell(&c);
	child_await(&c);
	assert_int_equal(named(&d, area, kind), 3);
	assert_int_equal(kind[3], DIRTY_DATA);
	assert_int_equal(kind[40], DIRTY_DATA);
	assert_int_equal(kind[7], DIRTY_ZERO);
	assert_int_equal(named(&d, area, kind), 1);
	assert_int_equal(kind[7], DIRTY_ZERO);
	dirty_end(&d);
	child_tell(&c);
	assert_int_equal(child_exit_status(&c), 0);
}

/* one page away and back: the kernel joins it with its old neighbours again, and forgets who tracks them */
static int goes_and_comes_back(struct child *c)
{
	uint8_t *area = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	uint8_t *away = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(area, 1, 64 * PAGE);
	atomic_store(&c->page->counter, (long)area);
	child_say(c);
	child_hear(c);
	if (mremap(area + 20 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, away + PAGE) !=
	    away + PAGE)
		return 1;
	child_say(c);
	child_hear(c);
	if (mremap(away + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 20 * PAGE) !=
	    area + 20 * PAGE)
		return 1;
	area[3 * PAGE] = 3;
	child_say(c);
	child_hear(c);
	area[3 * PAGE] = 33;
	child_say(c);
	child_hear(c);
	return 0;
}

/* what the kernel left of an older tracking says nothing of what is written now */
static void marks_of_before(bool tracked_anew)
{
	enum dirty_kind kind[64];
	struct dirty d;
	struct child c;
	uint64_t area;

	area = begin_with(&d, &c, goes_and_comes_back);
	assert_int_equal(named(&d, area, kind), 64);
	child_tell(&c);
	child_await(&c);
	(void)named(&d, area, kind);
	child_tell(&c);
	child_await(&c);
	if (tracked_anew) {
		dirty_end(&d);
		child_until_state(c.pid, 'S');
		assert_true(begin(&d, c.pid));
	}
	(void)named(&d, area, kind);
	assert_int_equal(kind[3], DIRTY_DATA);
	child_tell(&c);
	child_await(&c);
	assert_true(named(&d, area, kind) > 0);
	assert_int_equal(kind[3], DIRTY_DATA);
	dirty_end(&d);
	child_tell(&c);
	assert_int_equal(child_exit_status(&c), 0);
}

static void marks_of_this_tracking(void **state)
{
	(void)state;
	marks_of_before(false);
}

static void marks_of_another_tracking(void **state)
{
	(void)state;
	marks_of_before(true);
}

static int becomes_cat(struct child *c)
{
	child_say(c);
	child_hear(c);
	(void)dup2(c->ask, STDIN_FILENO);
	(void)execl("/bin/cat", "cat", (char *)NULL);
	return 1;
}

/* what is known of the program before is not taken for the one that it has become */
static void another_program(void **state)
{
	struct dirty_run runs[RUNS];
	struct dirty d;
	struct child c;
	ssize_t n;

	child_start(&c, becomes_cat);
	child_await(&c);
	child_until_state(c.pid, 'S');
	if (!begin(&d, c.pid)) {
		(void)child_end(&c);
		skip();
	}
	assert_int_equal(dirty_round(&d, false, NULL), 0);
	while ((n = dirty_next(&d, runs, RUNS)) > 0)
		;
	assert_int_equal(n, 0);
	child_tell(&c);
	do {
		struct proc_stat st;

		assert_int_equal(proc_stat_read(c.pid, &st, NULL), 0);
		if (!strcmp(st.name, "cat") && st.state == 'S')
			break;
	} while (sched_yield() == 0);
	stop(c.pid);
	assert_int_equal(dirty_round(&d, true, NULL), 0);
	while ((n = dirty_next(&d, runs, RUNS)) > 0)
		;
	assert_int_equal(n, -ESRCH);
	dirty_end(&d);
	assert_int_equal(tracee_detach(c.pid, 0), 0);
	(void)child_end(&c);
}

/* a set of pages against an array of bool */
static void sets_of_pages(void **state)
{
	static bool model[PAGES_MAX];
	struct pageset s;
	struct rng rng;

	memset(model, 0, sizeof(model));
	rng_init(&rng, 5);
	pageset_init(&s);
	for (int turn = 0; turn < 300; turn++) {
		uint64_t start = rng_below(&rng, PAGES_MAX), end, at, n, expect = 0;

		n = rng_below(&rng, 20) ? rng_below(&rng, 12) : rng_below(&rng, 150);
		if (start + n > PAGES_MAX)
			n = PAGES_MAX - start;
		assert_int_equal(pageset_add(&s, start * PAGE, n), 0);
		for (uint64_t i = start; i < start + n; i++)
			model[i] = true;

		at = start = rng_below(&rng, PAGES_MAX);
		end = start + rng_below(&rng, (uint32_t)(PAGES_MAX - start));
		expect = start;
		while (pageset_next(&s, at * PAGE, end * PAGE, &at, &n)) {
			at /= PAGE;
			for (; expect < at; expect++)
				assert_false(model[expect]);
			for (; expect < at + n; expect++)
				assert_true(model[expect]);
			at += n;
			assert_true(n && at <= end);
		}
		for (; expect < end; expect++)
			assert_false(model[expect]);
	}
	pageset_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_of_pages),
		cmocka_unit_test(exactly_what_was_written),
		cmocka_unit_test(a_file_that_is_mapped_again),
		cmocka_unit_test(copies_follow),
		cmocka_unit_test(marks_of_this_tracking),
		cmocka_unit_test(marks_of_another_tracking),
		cmocka_unit_test(another_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
