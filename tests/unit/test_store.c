/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_store.c - the control point's database: migrations, limits, tokens at once, events */
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#include "head/store.h"
#include "head/store_schema.h"
#include "os/file.h"
#include "test.h"

#define NOW 1800000000

static char dir[64], path[96];

static int make_dir(void **state)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_store.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/head.db", dir);
	return 0;
}

static int remove_dir(void **state)
{
	return dir_remove(dir, NULL);
}

static struct store *open_store(void)
{
	struct store *s = NULL;
	struct err e = { 0 };

	if (store_open(path, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static void begin(struct store *s)
{
	assert_int_equal(store_begin(s, NULL), 0);
}

static void commit(struct store *s)
{
	assert_int_equal(store_commit(s, NULL), 0);
}

static struct store_node node(const char *name, const char *key)
{
	struct store_node n = { .role = "desktop", .state = "active", .joined = NOW };

	(void)snprintf(n.name, sizeof(n.name), "%s", name);
	(void)snprintf(n.key_fingerprint, sizeof(n.key_fingerprint), "%s", key);
	return n;
}

static void nodes_are_kept(void **state)
{
	struct store *s = open_store();
	struct store_node n = node("n1", "k1"), back, other = node("n1", "k2"), last;
	struct store_node *list;
	size_t count;

	begin(s);
	assert_int_equal(store_node_add(s, &n, NULL), 0);
	assert_true(n.id > 0);
	commit(s);
	store_close(s);

	s = open_store();
	begin(s);
	assert_int_equal(store_node_by_name(s, "n1", &back, NULL), 0);
	assert_memory_equal(&back, &n, sizeof(n));
	assert_int_equal(store_node_by_key(s, "k1", &back, NULL), 0);
	assert_int_equal(store_node_by_name(s, "n2", &back, NULL), -ENOENT);
	assert_int_equal(store_node_add(s, &other, NULL), -EEXIST); /* the name is taken */
	other = node("n2", "k1");
	assert_int_equal(store_node_add(s, &other, NULL), -EEXIST); /* the key is taken */
	assert_int_equal(store_certificate_add(s, "00", n.id, NOW, NOW + 5, NULL), 0);
	assert_int_equal(store_node_remove(s, n.id, NULL), 0); /* its certificates go with it */
	assert_int_equal(store_node_remove(s, n.id, NULL), -ENOENT);
	last = node("n3", "k3");
	assert_int_equal(store_node_add(s, &last, NULL), 0);
	assert_true(last.id > n.id); /* a number never comes again */
	assert_int_equal(store_nodes(s, &list, &count, NULL), 0);
	assert_int_equal(count, 1);
	free(list);
	store_rollback(s);

	begin(s);
	assert_int_equal(store_node_by_name(s, "n1", &back, NULL), 0); /* all of that is undone */
	store_rollback(s);
	store_close(s);
}

static void schema_is_versioned(void **state)
{
	struct store *s = open_store();
	struct err e = { 0 };
	sqlite3 *db;
	char set[64];

	store_close(s);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(store_migrate(db, 0, &e), 0); /* nothing to do */
	(void)snprintf(set, sizeof(set), "PRAGMA user_version = %d", store_schema_newest() + 1);
	assert_int_equal(sqlite3_exec(db, set, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	s = NULL;
	assert_int_equal(store_open(path, &s, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "newer"));
	assert_null(s);
}

static void a_foreign_file_is_refused(void **state)
{
	static const char text[] = "this is a letter to my aunt, and no database of anything. "
				   "this is a letter to my aunt, and no database of anything.";
	struct store *s = NULL;
	struct err e = { 0 };

	assert_int_equal(file_write_atomic(path, text, sizeof(text), 0600, NULL), 0);
	assert_true(store_open(path, &s, &e) < 0);
	assert_true(e.text[0]);
}

static void tokens_are_used_up(void **state)
{
	static const struct {
		uint32_t count;
		int64_t expires, now;
		bool revoked;
		uint32_t uses;
	} rows[] = {
		{ 1, NOW + 10, NOW, false, 1 },
		{ 3, NOW + 10, NOW, false, 3 },
		{ 3, NOW + 10, NOW + 10, false, 0 }, /* expired */
		{ 3, NOW + 10, NOW, true, 0 },
	};
	struct store *s = open_store();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_token t = { .role = "desktop",
					 .count = rows[i].count,
					 .created = NOW,
					 .expires = rows[i].expires },
				   back;

		(void)snprintf(t.hash, sizeof(t.hash), "hash %zu", i);
		begin(s);
		assert_int_equal(store_token_add(s, &t, NOW, NULL), 0);
		if (rows[i].revoked)
			assert_int_equal(store_token_revoke(s, t.id, NULL), 0);
		for (uint32_t u = 0; u < rows[i].uses; u++)
			assert_int_equal(store_token_use(s, t.id, rows[i].now, NULL), 0);
		assert_int_equal(store_token_use(s, t.id, rows[i].now, NULL), -ENOENT);
		assert_int_equal(store_token_by_hash(s, t.hash, &back, NULL), 0);
		assert_int_equal(back.used, rows[i].uses);
		commit(s);
	}
	store_close(s);
}

struct user {
	struct store *s;
	uint32_t token;
	int got;
};

static void *use_token(void *arg)
{
	struct user *u = arg;

	for (int i = 0; i < 10; i++) {
		if (store_begin(u->s, NULL) < 0)
			continue;
		if (!store_token_use(u->s, u->token, NOW, NULL)) {
			if (!store_commit(u->s, NULL))
				u->got++;
		} else {
			store_rollback(u->s);
		}
	}
	return NULL;
}

static void of_many_at_once_so_many_win(void **state)
{
	enum {
		THREADS = 8,
		COUNT = 5
	};
	struct store_token t = {
		.hash = "h", .role = "desktop", .count = COUNT, .created = NOW, .expires = NOW + 1
	};
	struct store *s = open_store();
	struct user users[THREADS];
	pthread_t threads[THREADS];
	int got = 0;

	begin(s);
	assert_int_equal(store_token_add(s, &t, NOW, NULL), 0);
	commit(s);
	for (int i = 0; i < THREADS; i++) {
		users[i] = (struct user){ .s = s, .token = t.id };
		assert_int_equal(pthread_create(&threads[i], NULL, use_token, &users[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		got += users[i].got;
	}
	assert_int_equal(got, COUNT);
	store_close(s);
}

static void joins_wait(void **state)
{
	struct store *s = open_store();
	struct store_join j = { .id = "00112233445566778899aabbccddeeff",
				.name = "d1",
				.source = "10.0.0.1",
				.key_fingerprint = "k",
				.state = "pending",
				.created = NOW,
				.csr = "csr" },
			  back;
	struct store_join *list;
	uint32_t n;
	size_t count;

	begin(s);
	assert_int_equal(store_join_add(s, &j, NULL), 0);
	assert_int_equal(store_join_by_id(s, j.id, &back, NULL), 0);
	assert_string_equal(back.csr, "csr");
	assert_int_equal(store_joins_from(s, "10.0.0.1", &n, NULL), 0);
	assert_int_equal(n, 1);
	(void)snprintf(j.state, sizeof(j.state), "refused");
	assert_int_equal(store_join_decide(s, &j, NULL), 0);
	assert_int_equal(store_joins(s, &list, &count, NULL), 0);
	assert_int_equal(count, 0);
	free(list);
	assert_int_equal(store_joins_expire(s, NOW + 1, NULL), 0);
	assert_int_equal(store_join_by_key(s, "k", &back, NULL), -ENOENT);
	(void)snprintf(j.state, sizeof(j.state), "pending");
	for (int i = 0; i < STORE_JOINS_MAX; i++) {
		(void)snprintf(j.id, sizeof(j.id), "%032d", i);
		(void)snprintf(j.name, sizeof(j.name), "d%d", i);
		(void)snprintf(j.key_fingerprint, sizeof(j.key_fingerprint), "k%d", i);
		assert_int_equal(store_join_add(s, &j, NULL), 0);
	}
	(void)snprintf(j.id, sizeof(j.id), "one more");
	assert_int_equal(store_join_add(s, &j, NULL), -EDQUOT);
	store_rollback(s);
	store_close(s);
}

static void events_are_bounded(void **state)
{
	struct store *s = open_store();
	struct store_event *list;
	int64_t last = 0, first;
	size_t n;

	begin(s);
	for (int i = 0; i < STORE_EVENTS_MAX + 100; i++) {
		struct store_event ev = { .time = NOW, .type = "a.b", .subject = "x" };

		assert_int_equal(store_event_add(s, &ev, NULL), 0);
		assert_true(ev.id > last);
		last = ev.id;
	}
	commit(s);
	begin(s);
	assert_int_equal(store_events(s, 0, 10, &list, &n, NULL), 0);
	assert_int_equal(n, 10);
	first = list[0].id;
	free(list);
	assert_int_equal(last - first + 1, STORE_EVENTS_MAX);
	assert_int_equal(store_events(s, last - 1, 10, &list, &n, NULL), 0);
	assert_int_equal(n, 1);
	free(list);
	assert_int_equal(store_event_last(s, &first, NULL), 0);
	assert_int_equal(first, last);
	store_rollback(s);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nodes_are_kept, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(schema_is_versioned, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_foreign_file_is_refused, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(tokens_are_used_up, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(of_many_at_once_so_many_win, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(joins_wait, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(events_are_bounded, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
