/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_maps.c - what /proc says of a process, and which of its pages are there */
#include "tracee/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "child/child.h"
#include "os/fd.h"
#include "test.h"

#define PAGE 4096UL

static int parse(const char *text, struct maps *m, struct err *e)
{
	return maps_parse(strdup(text), m, e);
}

static void a_text_is_parsed(void **state)
{
	static const char text[] =
		"00400000-00401000 r-xp 00001000 fe:0a 131 /bin/a b\\012c (deleted)\n"
		"Size:                  4 kB\n"
		"VmFlags: rd ex mr mw me gd uw \n"
		"7fff00000000-7fff00002000 rw-s 00000000 00:00 0 \n"
		"VmFlags: rd wr sh hg dc\n"
		"7fff00002000-7fff00003000 ---p 00000000 00:00 0\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  "
		"[vsyscall]\n";
	struct maps m;
	struct err e;

	assert_int_equal(parse(text, &m, &e), 0);
	assert_int_equal(m.n, 4);
	assert_int_equal(m.entries[0].start, 0x400000);
	assert_int_equal(m.entries[0].end, 0x401000);
	assert_int_equal(m.entries[0].offset, 0x1000);
	assert_int_equal(m.entries[0].prot, PROT_READ | PROT_EXEC);
	assert_int_equal(m.entries[0].flags, MAPS_GROWSDOWN | MAPS_UFFD);
	assert_int_equal(m.entries[0].major, 0xfe);
	assert_int_equal(m.entries[0].minor, 0x0a);
	assert_int_equal(m.entries[0].inode, 131);
	assert_string_equal(m.entries[0].name, "/bin/a b\\012c (deleted)");
	assert_int_equal(m.entries[1].prot, PROT_READ | PROT_WRITE);
	assert_int_equal(m.entries[1].flags,
			 MAPS_SHARED | MAPS_HUGEPAGE | MAPS_DONTFORK | MAPS_READONLY);
	assert_string_equal(m.entries[1].name, "");
	assert_int_equal(m.entries[2].prot, 0);
	assert_string_equal(m.entries[2].name, "");
	assert_string_equal(m.entries[3].name, "[vsyscall]");
	maps_done(&m);
}

static void what_is_no_list_of_mappings(void **state)
{
	static const char *const no[] = {
		"x",
		"\n1000-2000 r--p 0 0:0 0\n",
		"1000-2000 r--p 0 0:0\n",
		"1000-2000 r--q 0 0:0 0\n",
		"1000-2000 R--p 0 0:0 0\n",
		"1000-2000  r--p 0 0:0 0\n",
		"1000 2000 r--p 0 0:0 0\n",
		"2000-1000 r--p 0 0:0 0\n",
		"1000-1000 r--p 0 0:0 0\n",
		"1001-2000 r--p 0 0:0 0\n",
		"1000-2fff r--p 0 0:0 0\n",
		"10000000000001000-20000000000001000 r--p 0 0:0 0\n",
		"1000-2000 r--p 0 100000000:0 0\n",
		"1000-2000 r--p 0 0:0 0x\n",
		"1000-2000 r--p 0 0:0 99999999999999999999\n",
		"2000-3000 r--p 0 0:0 0\n1000-2000 r--p 0 0:0 0\n",
		"1000-3000 r--p 0 0:0 0\n2000-4000 r--p 0 0:0 0\n",
		"VmFlags: rd\n",
	};
	struct maps m;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (parse(no[i], &m, &e) != -EPROTO)
			fail_msg("taken: '%s'", no[i]);
	assert_int_equal(parse("", &m, &e), 0);
	assert_int_equal(m.n, 0);
	maps_done(&m);
}

/* names that a hostile program chooses stay names */
static int has_hostile_names(struct child *c)
{
	static const char name[] = "/tmp/comosix-test-maps\n1000-2000 rwxp 0 0:0 0 [vdso]";
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *p;

	if (fd < 0 || ftruncate(fd, PAGE) < 0)
		return 1;
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	(void)unlink(name);
	(void)prctl(PR_SET_NAME, ") R 1 1\nUid:\t0");
	atomic_store(&c->page->counter, (long)p);
	child_say(c);
	child_hear(c);
	return 0;
}

static const struct maps_entry *find(const struct maps *m, uint64_t at)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].start <= at && at < m->entries[i].end)
			return &m->entries[i];
	return NULL;
}

static void hostile_names(void **state)
{
	const struct maps_entry *x;
	struct proc_stat st;
	struct child c;
	struct maps m;
	struct err e;

	child_start(&c, has_hostile_names);
	child_await(&c);
	assert_int_equal(maps_read(c.pid, false, &m, &e), 0);
	x = find(&m, (uint64_t)atomic_load(&c.page->counter));
	assert_non_null(x);
	assert_string_equal(x->name, "/tmp/comosix-test-maps\\0121000-2000 rwxp 0 0:0 0 [vdso] "
				     "(deleted)");
	assert_null(find(&m, 0x1000));
	maps_done(&m);

	child_until_state(c.pid, 'S');
	assert_int_equal(proc_stat_read(c.pid, &st, &e), 0);
	assert_string_equal(st.name, ") R 1 1\nUid:\t0");
	assert_int_equal(st.ppid, getpid());
	assert_int_equal(st.uid[0], getuid());
	child_tell(&c);
	assert_int_equal(child_exit_status(&c), 0);
}

/* of ourselves, by other means */
static void a_process_is_described(void **state)
{
	struct proc_stat st;
	struct maps plain, full;
	struct err e;
	void *area = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct maps_entry *x;

	assert_true(area != MAP_FAILED);
	assert_int_equal(madvise(area, 3 * PAGE, MADV_DONTFORK), 0);
	assert_int_equal(madvise(area, 3 * PAGE, MADV_DONTDUMP), 0);
	(void)signal(SIGUSR2, SIG_IGN);

	assert_int_equal(proc_stat_read(getpid(), &st, &e), 0);
	assert_int_equal(st.pid, getpid());
	assert_int_equal(st.ppid, getppid());
	assert_int_equal(st.pgrp, getpgrp());
	assert_int_equal(st.session, getsid(0));
	assert_int_equal(st.state, 'R');
	assert_int_equal(st.n_threads, 1);
	assert_int_equal(st.tracer, 0);
	assert_int_equal(st.n_ns_pids, 1);
	assert_int_equal(st.uid[1], geteuid());
	assert_int_equal(st.gid[1], getegid());
	assert_int_equal(st.seccomp, prctl(PR_GET_SECCOMP));
	assert_int_equal(st.no_new_privs, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	assert_true(st.ignored >> (SIGUSR2 - 1) & 1);
	assert_false(st.kernel_thread);
	assert_true(st.start_time > 0);
	assert_true(st.start_code < st.end_code);
	assert_true(st.start_stack > (uint64_t)(uintptr_t)&st);
	assert_true(st.start_brk <= (uint64_t)(uintptr_t)sbrk(0));
	(void)signal(SIGUSR2, SIG_DFL);

	assert_int_equal(maps_read(getpid(), false, &plain, &e), 0);
	assert_int_equal(maps_read(getpid(), true, &full, &e), 0);
	x = find(&plain, (uint64_t)(uintptr_t)area);
	assert_non_null(x);
	assert_int_equal(x->prot, PROT_READ);
	x = find(&full, (uint64_t)(uintptr_t)area);
	assert_non_null(x);
	assert_int_equal(x->flags & (MAPS_DONTFORK | MAPS_DONTDUMP | MAPS_SHARED),
			 MAPS_DONTFORK | MAPS_DONTDUMP);
	x = find(&full, (uint64_t)(uintptr_t)&st);
	assert_non_null(x);
	assert_string_equal(x->name, "[stack]");
	assert_true(x->flags & MAPS_GROWSDOWN);
	maps_done(&plain);
	maps_done(&full);
	(void)munmap(area, 3 * PAGE);

	assert_int_equal(proc_stat_read(2, &st, &e), 0); /* kthreadd, but not in a pid namespace */
	if (st.ppid == 0 && !strcmp(st.name, "kthreadd"))
		assert_true(st.kernel_thread);
	assert_int_equal(proc_stat_read(0x7fffffff, &st, &e), -ESRCH);
	assert_int_equal(maps_read(0x7fffffff, false, &full, &e), -ESRCH);
}

static void what_is_no_stat(void **state)
{
	static const char rest[] = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 "
				   "24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 "
				   "45 46 47 48";
	static const char *const no[] = { "",	     "1",	"1 (a)",   "1 (a) ",
					  "1 (a) S", "(a) S 1", "x (a) S", "1 )a( S 1 2 3" };
	char text[512], status[64];
	struct proc_stat st;

	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		(void)snprintf(status, sizeof(status), "TracerPid:\t7\n");
		assert_int_equal(proc_stat_parse(no[i], status, &st, NULL), -EPROTO);
	}
	(void)snprintf(text, sizeof(text), "12 (a)%s", rest);
	(void)snprintf(status, sizeof(status), "TracerPid:\tseven\n");
	assert_int_equal(proc_stat_parse(text, status, &st, NULL), -EPROTO);
	(void)snprintf(status, sizeof(status), "Name:\tx\n");
	assert_int_equal(proc_stat_parse(text, status, &st, NULL), -EPROTO);
	(void)snprintf(status, sizeof(status), "TracerPid:\t7\nNSpid:\t12\t1\n");
	assert_int_equal(proc_stat_parse(text, status, &st, NULL), 0);
	assert_int_equal(st.tracer, 7);
	assert_int_equal(st.n_ns_pids, 2);
	assert_int_equal(st.env_end, 48);
}

/* ------------------------------------------------------------------------ pages */

#define AREA_PAGES 2000
#define RUNS	   4096

struct scene {
	uint8_t *area;
	bool there[AREA_PAGES];
	int pagemap;
};

static void begin(struct scene *s, int flags, int fd)
{
	s->area = mmap(NULL, AREA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, fd, 0);
	assert_true(s->area != MAP_FAILED);
	assert_int_equal(madvise(s->area, AREA_PAGES * PAGE, MADV_NOHUGEPAGE), 0);
	memset(s->there, 0, sizeof(s->there));
	s->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	assert_true(s->pagemap >= 0);
}

/* a run of each length, and gaps of each */
static void touch(struct scene *s)
{
	for (size_t at = 0, len = 1; at + len < AREA_PAGES; at += 2 * len, len++)
		for (size_t i = at; i < at + len; i++) {
			s->area[i * PAGE] = 1;
			s->there[i] = true;
		}
}

/* the scan says just what @there says, however small the steps */
static void check(struct scene *s, enum pages_way way, bool file_too, size_t step)
{
	static struct page_run runs[RUNS];
	static bool found[AREA_PAGES];
	uint64_t start = (uint64_t)(uintptr_t)s->area, from = start,
		 end = start + AREA_PAGES * PAGE;

	memset(found, 0, sizeof(found));
	while (from < end) {
		ssize_t n = pages_scan_by(way, s->pagemap, &from, end, file_too, runs, step);

		if (n == -ENOTTY && way == PAGES_BY_IOCTL)
			skip();
		assert_true(n >= 0 && n <= (ssize_t)step);
		for (ssize_t i = 0; i < n; i++)
			for (uint64_t k = 0; k < runs[i].n; k++) {
				size_t at = (runs[i].start - start) / PAGE + k;

				assert_true(at < AREA_PAGES && !found[at]);
				found[at] = true;
			}
	}
	assert_int_equal(from, end);
	assert_memory_equal(found, s->there, sizeof(found));
}

static void done(struct scene *s)
{
	fd_close(&s->pagemap);
	(void)munmap(s->area, AREA_PAGES * PAGE);
}

static void both_ways_find_the_same(void **state)
{
	static const size_t steps[] = { 1, 2, 7, RUNS };
	struct scene s;

	begin(&s, MAP_ANONYMOUS, -1);
	check(&s, PAGES_BY_ENTRIES, false, RUNS);
	touch(&s);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		check(&s, PAGES_BY_ENTRIES, false, steps[i]);
		check(&s, PAGES_BY_ENTRIES, true, steps[i]);
		check(&s, PAGES_BY_IOCTL, false, steps[i]);
		check(&s, PAGES_BY_IOCTL, true, steps[i]);
	}
	done(&s);
}

static void pages_of_a_file(void **state)
{
	AUTO_CLOSE int fd = memfd_create("pages", MFD_CLOEXEC);
	struct scene s;

	assert_true(fd >= 0 && ftruncate(fd, AREA_PAGES * PAGE) == 0);
	begin(&s, 0, fd);
	touch(&s);
	/* some are read only: they are the file's, not the process's */
	for (size_t i = AREA_PAGES - 20; i < AREA_PAGES; i++)
		assert_int_equal(*(volatile uint8_t *)&s.area[i * PAGE], 0);
	check(&s, PAGES_BY_ENTRIES, false, RUNS);
	check(&s, PAGES_BY_IOCTL, false, RUNS);

	/* what else is mapped of it is for the kernel to say: the two ways agree */
	for (size_t i = 0; i < AREA_PAGES; i++) {
		uint64_t from = (uint64_t)(uintptr_t)&s.area[i * PAGE];
		struct page_run run;

		s.there[i] = pages_scan_by(PAGES_BY_ENTRIES, s.pagemap, &from, from + PAGE, true,
					   &run, 1) == 1;
	}
	assert_true(s.there[AREA_PAGES - 1]);
	check(&s, PAGES_BY_IOCTL, true, RUNS);
	done(&s);
}

static void what_cannot_be_scanned(void **state)
{
	struct page_run run;
	struct scene s;
	uint64_t from;

	begin(&s, MAP_ANONYMOUS, -1);
	from = (uint64_t)(uintptr_t)s.area + 1;
	assert_int_equal(pages_scan(s.pagemap, &from, from + PAGE, false, &run, 1), -EINVAL);
	from--;
	assert_int_equal(pages_scan(s.pagemap, &from, from + 1, false, &run, 1), -EINVAL);
	assert_int_equal(pages_scan(s.pagemap, &from, from - PAGE, false, &run, 1), -EINVAL);
	assert_int_equal(pages_scan(s.pagemap, &from, from + PAGE, false, &run, 0), -EINVAL);
	assert_int_equal(pages_scan(s.pagemap, &from, from, false, &run, 1), 0);
	done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_parsed), cmocka_unit_test(what_is_no_list_of_mappings),
		cmocka_unit_test(hostile_names),    cmocka_unit_test(a_process_is_described),
		cmocka_unit_test(what_is_no_stat),  cmocka_unit_test(both_ways_find_the_same),
		cmocka_unit_test(pages_of_a_file),  cmocka_unit_test(what_cannot_be_scanned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
