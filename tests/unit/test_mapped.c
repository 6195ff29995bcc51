/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_mapped.c - calls that show where the files of a process are: this process is the one */
#include "migrate/mapped.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "migrate/capture.h"
#include "test.h"

#define PAGE 4096
#define TID  77

struct file {
	int fd, reader; /* opened for writing, and for reading */
	void *at;
};

static struct file map_file(int prot, int flags, bool by_reader)
{
	struct file f = { .fd = memfd_create("file", MFD_CLOEXEC) };
	char path[64];

	assert_true(f.fd >= 0);
	assert_int_equal(ftruncate(f.fd, PAGE), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", f.fd);
	f.reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(f.reader >= 0);
	f.at = mmap(NULL, PAGE, prot, flags, by_reader ? f.reader : f.fd, 0);
	assert_true(f.at != MAP_FAILED);
	return f;
}

static void forget(struct file *f)
{
	assert_int_equal(munmap(f->at, PAGE), 0);
	assert_int_equal(close(f->fd), 0);
	assert_int_equal(close(f->reader), 0);
}

static void look(struct mapped *m)
{
	struct image image;

	image_init(&image);
	assert_int_equal(capture_maps(getpid(), 0, 0, NULL, &image, NULL), 0);
	assert_int_equal(mapped_files(m, &image), 0);
	image_done(&image);
	mapped_look(m, getpid());
}

static bool comes_home(struct mapped *m, uint32_t nr, int fd, int second)
{
	const uint64_t args[6] = { (uint64_t)fd, (uint64_t)second, (uint64_t)second };

	return mapped_call(m, getpid(), TID, nr, args);
}

static void nothing_is_looked_at_without_a_reason(void **state)
{
	struct mapped m;

	mapped_init(&m);
	look(&m);
	assert_true(m.n > 0); /* the program, at least */
	assert_false(m.watched);
	assert_false(comes_home(&m, SYS_write, 1, 0));
	mapped_done(&m);
}

static void a_private_mapping_shows_what_is_written(void **state)
{
	struct file f = map_file(PROT_READ, MAP_PRIVATE, false);
	struct mapped m;

	mapped_init(&m);
	look(&m);
	assert_true(m.watched);
	assert_true(comes_home(&m, SYS_write, f.fd, 0));
	assert_true(comes_home(&m, SYS_ftruncate, f.fd, 0));
	assert_true(comes_home(&m, SYS_copy_file_range, 0, f.fd));
	assert_false(comes_home(&m, SYS_pread64, f.fd, 0));
	assert_false(comes_home(&m, SYS_write, f.reader, 0));
	assert_false(comes_home(&m, SYS_write, 2, 0));
	assert_false(comes_home(&m, SYS_write, 100000, 0));
	mapped_done(&m);
	forget(&f);
}

static void a_shared_one_is_seen_by_readers(void **state)
{
	struct file f = map_file(PROT_READ, MAP_SHARED, false);
	struct mapped m;

	mapped_init(&m);
	look(&m);
	assert_true(m.watched);
	assert_true(comes_home(&m, SYS_read, f.reader, 0));
	assert_true(comes_home(&m, SYS_fsync, f.reader, 0));
	assert_true(comes_home(&m, SYS_sendfile, 2, f.reader));
	assert_true(comes_home(&m, SYS_write, f.fd, 0));
	assert_false(comes_home(&m, SYS_lseek, f.fd, 0));
	mapped_done(&m);
	forget(&f);
}

static void one_that_cannot_be_written_is_not(void **state)
{
	struct file f = map_file(PROT_READ, MAP_SHARED, true);
	struct mapped m;

	mapped_init(&m);
	look(&m);
	assert_false(comes_home(&m, SYS_read, f.reader, 0));
	assert_true(comes_home(&m, SYS_write, f.fd, 0));
	mapped_done(&m);
	forget(&f);
}

static void a_file_that_is_opened_later_counts(void **state)
{
	struct file f = map_file(PROT_READ, MAP_PRIVATE, true);
	struct mapped m;

	mapped_init(&m);
	look(&m);
	m.watched = false; /* as if that one were not there yet */
	assert_false(comes_home(&m, SYS_openat, AT_FDCWD, 0));
	mapped_answer(&m, getpid(), TID + 1, f.fd); /* another thread's */
	assert_false(m.watched);
	mapped_answer(&m, getpid(), TID, f.reader);
	assert_false(m.watched);
	assert_false(comes_home(&m, SYS_openat, AT_FDCWD, 0));
	mapped_answer(&m, getpid(), TID, f.fd);
	assert_true(m.watched);
	mapped_done(&m);
	forget(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_looked_at_without_a_reason),
		cmocka_unit_test(a_private_mapping_shows_what_is_written),
		cmocka_unit_test(a_shared_one_is_seen_by_readers),
		cmocka_unit_test(one_that_cannot_be_written_is_not),
		cmocka_unit_test(a_file_that_is_opened_later_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
