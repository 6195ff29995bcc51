/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_page_store.c - an image is whole or is not there; the one before it stays */
#include "migrate/page_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define PAGE  PAGE_STORE_PAGE
#define BASE  0x7f0000000000ULL
#define LIMIT 16 /* pages of the file */

static struct page_store store;
static uint8_t bytes[4 * PAGE];

static int set_up(void **state)
{
	struct err e;

	(void)state;
	page_store_init(&store);
	return page_store_open(&store, "/var/tmp", (uint64_t)LIMIT * PAGE, &e);
}

static int tear_down(void **state)
{
	(void)state;
	page_store_done(&store);
	return 0;
}

static int put(uint64_t page, uint32_t n, uint8_t value)
{
	struct err e;

	for (uint32_t i = 0; i < n; i++)
		memset(bytes + (size_t)i * PAGE, value + (int)i, PAGE);
	return page_store_put(&store, BASE + page * PAGE, n, PAGE_STORE_BYTES, bytes, &e);
}

static int put_other(uint64_t page, enum page_store_kind kind)
{
	struct err e;

	return page_store_put(&store, BASE + page * PAGE, 1, kind, NULL, &e);
}

/* "5=a 6=0 7=-": value of each page as a letter, 0 zero, - absent */
static int say(void *owner, uint64_t at, enum page_store_kind kind, const uint8_t *p, struct err *e)
{
	char *to = owner;
	char value = kind == PAGE_STORE_ZERO ? '0' : kind == PAGE_STORE_ABSENT ? '-' : (char)p[0];

	(void)e;
	if (p)
		assert_memory_equal(p, p + 1, PAGE - 1);
	(void)snprintf(to + strlen(to), 256 - strlen(to), "%llu=%c ",
		       (unsigned long long)((at - BASE) / PAGE), value);
	return 0;
}

static void is(const char *want)
{
	char got[256] = "";
	struct err e;

	assert_int_equal(page_store_each(&store, say, got, &e), 0);
	assert_string_equal(got, want);
}

static void test_only_what_is_whole_is_there(void **state)
{
	(void)state;
	assert_int_equal(put(3, 2, 'a'), 0);
	assert_int_equal(put_other(700, PAGE_STORE_ZERO), 0);
	is("");
	page_store_commit(&store);
	is("3=a 4=b 700=0 ");
	assert_int_equal(put(4, 1, 'x'), 0);
	assert_int_equal(put_other(3, PAGE_STORE_ABSENT), 0);
	is("3=a 4=b 700=0 ");
	page_store_discard(&store);
	page_store_commit(&store); /* nothing has come */
	is("3=a 4=b 700=0 ");
}

static void test_the_last_of_many_counts(void **state)
{
	(void)state;
	for (char c = 'a'; c < 'k'; c++)
		assert_int_equal(put(9, 1, (uint8_t)c), 0);
	page_store_commit(&store);
	is("9=j ");
	assert_int_equal(store.n_slots, 1);
}

static void test_slots_are_used_again(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(put(0, 4, (uint8_t)('a' + i % 20)), 0);
		page_store_commit(&store);
	}
	is("0=t 1=u 2=v 3=w ");
	assert_true(store.n_slots <= 8);
	page_store_absent(&store, BASE, BASE + 2ULL * PAGE);
	page_store_commit(&store);
	is("0=- 1=- 2=v 3=w ");
	assert_int_equal(store.n_free, store.n_slots - 2);
}

static void test_the_limit_keeps_what_was_there(void **state)
{
	(void)state;
	assert_int_equal(put(0, 4, 'a'), 0);
	page_store_commit(&store);
	for (uint64_t i = 0; i < LIMIT - 4; i++)
		assert_int_equal(put(i, 1, 'k'), 0);
	assert_int_equal(put(LIMIT, 1, 'k'), -EFBIG);
	page_store_discard(&store);
	is("0=a 1=b 2=c 3=d ");
	assert_int_equal(put(0, 4, 'e'), 0);
	page_store_commit(&store);
	is("0=e 1=f 2=g 3=h ");
}

static void test_more_than_the_limit_in_memory(void **state)
{
	struct stat st;

	(void)state;
	page_store_spill(&store);
	for (uint64_t i = 0; i < LIMIT + 8; i++)
		assert_int_equal(put(i, 1, (uint8_t)('A' + i)), 0);
	assert_int_equal(put(LIMIT + 1, 1, 'z'), 0);
	page_store_commit(&store);
	is("0=A 1=B 2=C 3=D 4=E 5=F 6=G 7=H 8=I 9=J 10=K 11=L 12=M 13=N 14=O 15=P 16=Q 17=z 18=S "
	   "19=T 20=U 21=V 22=W 23=X ");
	assert_int_equal(fstat(store.fd, &st), 0);
	assert_true(st.st_size <= (off_t)LIMIT * PAGE);
}

static int say_and_have(void *owner, uint64_t at, enum page_store_kind kind, const uint8_t *p,
			struct err *e)
{
	return say(owner, at, kind, p, e) < 0 ? -1 : kind != PAGE_STORE_ABSENT;
}

static void test_what_is_there_is_named_once(void **state)
{
	char got[256] = "";
	uint64_t from = 0;
	struct err e;

	(void)state;
	assert_int_equal(put(1, 2, 'a'), 0);
	assert_int_equal(put_other(600, PAGE_STORE_ABSENT), 0);
	assert_int_equal(put(1200, 1, 'x'), 0);
	page_store_commit(&store);
	assert_int_equal(page_store_some(&store, &from, 1, say_and_have, got, &e), 1);
	assert_string_equal(got, "1=a 2=b ");
	assert_int_equal(page_store_some(&store, &from, 9, say_and_have, got, &e), 0);
	assert_string_equal(got, "1=a 2=b 600=- 1200=x ");
	assert_int_equal(put(2, 1, 'z'), 0); /* another one, and not there */
	page_store_commit(&store);
	is("2=z 600=- ");
}

static void test_its_file_is_for_its_user_alone(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(fstat(store.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 0);
}

static void test_what_is_lost_is_noticed(void **state)
{
	char got[256] = "";
	struct err e;

	(void)state;
	assert_int_equal(put(0, 4, 'a'), 0);
	page_store_commit(&store);
	assert_int_equal(ftruncate(store.fd, PAGE), 0);
	assert_int_equal(page_store_each(&store, say, got, &e), -EIO);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_only_what_is_whole_is_there),	T(test_the_last_of_many_counts),
		T(test_slots_are_used_again),		T(test_the_limit_keeps_what_was_there),
		T(test_more_than_the_limit_in_memory),	T(test_what_is_there_is_named_once),
		T(test_its_file_is_for_its_user_alone), T(test_what_is_lost_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
