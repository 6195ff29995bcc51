/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_names.c - looking users up while the loop goes on */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#include "loop/loop.h"
#include "node/names.h"
#include "os/fd.h"

/* a server that does not answer: a FIFO that nobody writes to yet */
static char fifo[64];

struct asker {
	struct names_wait w;
	int told;
	char name[USER_NAME_MAX], why[ERR_TEXT_MAX];
	struct asker *drops; /* goes with the answer to this one */
};

static void on_told(void *owner, const char *name, const struct err *why)
{
	struct asker *a = owner;

	a->told++;
	(void)snprintf(a->name, sizeof(a->name), "%s", name ? name : "");
	(void)snprintf(a->why, sizeof(a->why), "%s", name ? "" : why->text);
	if (a->drops)
		names_forget(&a->drops->w);
}

static struct asker asker(void)
{
	return (struct asker){ .w = { .told = on_told } };
}

static int ask(struct names *n, uid_t uid, struct asker *a)
{
	a->w.owner = a;
	return names_ask(n, uid, &a->w, NULL);
}

static int lookup(uid_t uid, struct user *ret, struct err *e)
{
	char c;
	AUTO_CLOSE int fd = open(fifo, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &c, 1) != 1)
		_exit(3);
	if (uid == 1)
		return err_set(e, -ENOENT, "no user has uid 1 here");
	(void)snprintf(ret->name, sizeof(ret->name), "u%u%c", uid, c);
	return 0;
}

/* lets the one look-up that waits have its answer, or end without one */
static void answer(struct loop *l, const char *with, const struct asker *until)
{
	int fd = open(fifo, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, with, strlen(with)), strlen(with));
	(void)close(fd);
	while (!until->told)
		assert_int_equal(loop_turn(l), 0);
}

static void on_timer(void *owner)
{
	*(bool *)owner = true;
}

static void the_loop_goes_on(void **state)
{
	struct asker a = asker(), b = asker(), c = asker();
	struct ev_ref timer;
	bool rang = false;
	struct names *n;
	struct loop *l;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(names_new(l, lookup, &n, NULL), 0);
	assert_int_equal(ask(n, 7, &a), 0);
	assert_int_equal(ask(n, 7, &b), 0); /* the same child answers both: one write is enough */
	assert_int_equal(loop_add_timer(l, loop_now(l), on_timer, &rang, &timer), 0);
	while (!rang)
		assert_int_equal(loop_turn(l), 0);
	assert_true(!a.told && !b.told);
	answer(l, "x", &a);
	assert_int_equal(b.told, 1);
	assert_string_equal(a.name, "u7x");
	assert_string_equal(b.name, "u7x");
	/* it is remembered: nobody is asked */
	assert_int_equal(ask(n, 7, &c), 0);
	assert_int_equal(c.told, 1);
	assert_string_equal(c.name, "u7x");
	names_free(n);
	loop_free(l);
}

static void failures_are_told_and_forgotten(void **state)
{
	struct asker a = asker(), b = asker();
	struct names *n;
	struct loop *l;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(names_new(l, lookup, &n, NULL), 0);
	assert_int_equal(ask(n, 1, &a), 0);
	answer(l, "x", &a);
	assert_string_equal(a.why, "no user has uid 1 here");
	assert_int_equal(ask(n, 1, &b), 0); /* asked again */
	assert_int_equal(b.told, 0);
	answer(l, "", &b); /* and its child ends without a word */
	assert_non_null(strstr(b.why, "without an answer"));
	names_free(n);
	loop_free(l);
}

static void askers_may_go(void **state)
{
	struct asker a = asker(), b = asker(), c = asker();
	struct names *n;
	struct loop *l;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(names_new(l, lookup, &n, NULL), 0);
	assert_int_equal(ask(n, 7, &a), 0);
	assert_int_equal(ask(n, 7, &b), 0);
	assert_int_equal(ask(n, 7, &c), 0);
	names_forget(&a.w);
	b.drops = &c;
	answer(l, "x", &b);
	assert_true(!a.told && b.told == 1 && !c.told);
	/* and all of it may, in the middle of a look-up */
	assert_int_equal(ask(n, 8, &a), 0);
	names_free(n);
	assert_false(a.told);
	loop_free(l);
}

static void there_is_a_limit(void **state)
{
	struct asker all[NAMES_MAX + 1];
	struct names *n;
	struct loop *l;

	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(names_new(l, lookup, &n, NULL), 0);
	for (uid_t i = 0; i <= NAMES_MAX; i++) {
		all[i] = asker();
		assert_int_equal(ask(n, 100 + i, &all[i]), i < NAMES_MAX ? 0 : -EBUSY);
	}
	names_free(n);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loop_goes_on),
		cmocka_unit_test(failures_are_told_and_forgotten),
		cmocka_unit_test(askers_may_go),
		cmocka_unit_test(there_is_a_limit),
	};
	char dir[] = "/tmp/test_names.XXXXXX";
	int failed;

	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	if (mkfifo(fifo, 0600) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(fifo);
	(void)rmdir(dir);
	return failed;
}
