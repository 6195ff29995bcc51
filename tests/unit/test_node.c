/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_node.c - parts of comosixd that need no peer: directory, revocation list, cache, settings */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#include "authority/authority.h"
#include "node/directory.h"
#include "node/load.h"
#include "node/process.h"
#include "node/revoked.h"
#include "node/settings.h"
#include "node/sweep.h"
#include "os/clock.h"
#include "os/file.h"

#define CLUSTER "00112233445566778899aabbccddeeff"

static char dir[] = "/tmp/test_node.XXXXXX";

/* ---- directory ---- */

static struct dir_entry entry(uint32_t id, const char *name, uint64_t stamp, const char *address)
{
	struct dir_entry d = { .id = id, .role = ROLE_DESKTOP, .stamp = stamp };

	(void)snprintf(d.name, sizeof(d.name), "%s", name);
	d.known_address = sock_addr_parse(address, &d.addr) == 0;
	return d;
}

static void the_newer_word_counts(void **state)
{
	static const struct {
		uint64_t stamp;
		const char *address;
		int ret;
		const char *then;
	} rows[] = {
		{ 0, "10.0.0.1:1", 1, "10.0.0.1:1" }, /* from node.json */
		{ 0, "10.0.0.1:1", 0, "10.0.0.1:1" }, /* nothing new */
		{ 0, "10.0.0.2:1", 1, "10.0.0.2:1" }, /* no word of its own yet */
		{ 50, "10.0.0.3:1", 1, "10.0.0.3:1" },
		{ 50, "10.0.0.4:1", 0, "10.0.0.3:1" }, /* not newer */
		{ 49, "10.0.0.4:1", 0, "10.0.0.3:1" },
		{ 0, "10.0.0.4:1", 0, "10.0.0.3:1" },
		{ 51, "", 1, "" },
	};
	struct directory *d;

	assert_int_equal(directory_new(&d), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dir_entry e = entry(7, "n7", rows[i].stamp, rows[i].address);
		const struct dir_entry *got;
		char text[SOCK_ADDR_TEXT] = "";

		assert_int_equal(directory_put(d, &e), rows[i].ret);
		got = directory_get(d, 7);
		assert_non_null(got);
		if (got->known_address)
			sock_addr_format(&got->addr, text);
		assert_string_equal(text, rows[i].then);
	}
	assert_int_equal(directory_count(d), 1);
	directory_free(d);
}

static void what_is_new_is_found(void **state)
{
	struct directory *d;
	uint64_t serial = 0;
	uint32_t seen = 0;

	assert_int_equal(directory_new(&d), 0);
	for (uint32_t i = 1; i <= 100; i++) {
		struct dir_entry e = entry(i, "x", i, "");

		(void)snprintf(e.name, sizeof(e.name), "n%u", i);
		assert_int_equal(directory_put(d, &e), 1);
	}
	directory_remove(d, 50);
	directory_remove(d, 50);
	for (const struct dir_entry *e; (e = directory_after(d, serial)); serial = e->serial)
		seen++;
	assert_int_equal(seen, 99);
	assert_int_equal(serial, directory_serial(d));
	assert_null(directory_get(d, 50));
	/* a change is new again */
	struct dir_entry e = entry(3, "n3", 1000, "");

	assert_int_equal(directory_put(d, &e), 1);
	assert_int_equal(directory_after(d, serial)->id, 3);
	assert_null(directory_after(d, directory_serial(d)));
	/* a name that was given again is the newer number's */
	e = entry(200, "n3", 1, "");
	assert_int_equal(directory_put(d, &e), 1);
	assert_int_equal(directory_find(d, "n3")->id, 200);
	assert_null(directory_find(d, "n50"));
	directory_free(d);
}

/* ---- revocation ---- */

static void path_in(char *to, const char *name)
{
	(void)snprintf(to, PATH_MAX, "%s/%s", dir, name);
}

static int take(struct revoked *r, struct authority *a, uint64_t epoch, uint32_t id, size_t spoil,
		struct err *e)
{
	char path[PATH_MAX];
	struct buf b;
	int ret;

	path_in(path, "list");
	authority_revoke(a, &id, 1, epoch, path);
	buf_init(&b, 65536);
	assert_int_equal(file_read(path, &b, NULL), 0);
	if (spoil)
		b.data[spoil] ^= 1;
	ret = revoked_take(r, buf_bytes(&b), b.len, e);
	buf_done(&b);
	return ret;
}

static void lists_are_signed_and_only_grow(void **state)
{
	struct authority *ours = authority_new(CLUSTER), *other = authority_new(CLUSTER);
	struct authority *far = authority_new("ffffffffffffffffffffffffffffffff");
	struct authority_order o = {
		.dir = dir, .role = "head", .name = "head", .id = 1, .from_s = -300, .to_s = 3600
	};
	struct revoked *r;
	struct err e;

	authority_issue(ours, &o);
	assert_int_equal(revoked_open(dir, CLUSTER, &r, &e), 0);
	assert_false(revoked_has(r, 9));
	assert_int_equal(take(r, other, 5, 9, 0, &e), -EACCES);
	assert_int_equal(take(r, far, 5, 9, 0, &e), -EACCES);
	for (size_t at = 8; at < 120; at += 7)
		assert_true(take(r, ours, 5, 9, at, &e) < 0);
	assert_int_equal(revoked_epoch(r), 0);
	assert_int_equal(take(r, ours, 5, 9, 0, &e), 1);
	assert_int_equal(take(r, ours, 5, 9, 0, &e), 0);
	assert_int_equal(take(r, ours, 4, 10, 0, &e), 0);
	assert_true(revoked_has(r, 9) && !revoked_has(r, 10));
	assert_string_equal(revoked_name(r, 9), "gone9");
	assert_string_equal(revoked_name(r, 10), "");
	revoked_close(r);
	/* it is still known after a restart */
	assert_int_equal(revoked_open(dir, CLUSTER, &r, &e), 0);
	assert_true(revoked_has(r, 9));
	assert_int_equal(revoked_epoch(r), 5);
	revoked_close(r);
	authority_free(ours);
	authority_free(other);
	authority_free(far);
}

/* ---- cache ---- */

static void put_file(const char *name, size_t bytes, int64_t age_s)
{
	struct timespec times[2] = { { .tv_sec = clock_wall_s() - age_s },
				     { .tv_sec = clock_wall_s() - age_s } };
	char path[PATH_MAX], *data = calloc(1, bytes);

	assert_non_null(data);
	path_in(path, name);
	assert_int_equal(file_write_atomic(path, data, bytes, 0644, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(data);
}

static bool there(const char *name)
{
	char path[PATH_MAX];

	path_in(path, name);
	return access(path, F_OK) == 0;
}

static struct sweep_left sweep(const struct sweep_limits *limits)
{
	char path[PATH_MAX];
	struct sweep_left left;
	struct err e;

	path_in(path, "cache");
	if (sweep_cache(path, limits, &left, &e) < 0)
		fail_msg("%s", e.text);
	return left;
}

static struct sweep_left sweep_to(uint64_t max_bytes)
{
	return sweep(&(struct sweep_limits){ .max_bytes = max_bytes, .files_at_once = 1000 });
}

static void make_cache(void)
{
	char path[PATH_MAX];

	path_in(path, "cache");
	assert_int_equal(dir_make(path, 0700, NULL), 0);
}

static void the_oldest_goes_first(void **state)
{
	static const struct sweep_limits none = { .files_at_once = 1 };
	struct sweep_left left;
	char path[PATH_MAX];

	make_cache();
	put_file("cache/old", 65536, 300);
	put_file("cache/older", 65536, 900);
	put_file("cache/new", 65536, 3);
	left = sweep_to(3 * 65536);
	assert_true(there("cache/older") && there("cache/old") && there("cache/new"));
	left = sweep_to(2 * 65536);
	assert_true(!there("cache/older") && there("cache/old") && there("cache/new"));
	left = sweep_to(0);
	assert_true(!there("cache/old") && !there("cache/new"));
	assert_false(left.too_large || left.no_reserve);
	path_in(path, "nosuch");
	assert_int_equal(sweep_cache(path, &none, &left, NULL), 0); /* no task has run yet */
}

static void what_is_in_use_stays(void **state)
{
	struct sweep_left left;
	char path[PATH_MAX];
	int fd;

	make_cache();
	put_file("cache/used", 65536, 900);
	put_file("cache/new", 65536, 3);
	put_file("cache/held.lock", 0, 900);
	put_file("cache/idle.lock", 0, 3);
	path_in(path, "cache/held.lock");
	int lock = open(path, O_RDONLY | O_CLOEXEC);

	path_in(path, "cache/used");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	left = sweep_to(65536);
	assert_true(there("cache/used") && !there("cache/new") && !left.too_large);
	assert_true(there("cache/held.lock") && !there("cache/idle.lock"));
	left = sweep_to(0);
	assert_true(there("cache/used") && left.too_large);
	(void)close(fd);
	(void)close(lock);
	left = sweep_to(0);
	assert_true(!there("cache/used") && !there("cache/held.lock") && !left.too_large);
}

static void a_reserve_of_the_disk_is_kept(void **state)
{
	/* more than any disk has free */
	struct sweep_limits limits = { .max_bytes = UINT64_MAX,
				       .reserve_bytes = UINT64_MAX,
				       .reserve_percent = 0,
				       .files_at_once = 1000 };

	make_cache();
	put_file("cache/a", 65536, 900);
	assert_false(sweep(&limits).no_reserve);
	assert_true(there("cache/a"));
	limits.reserve_percent = 100;
	assert_true(sweep(&limits).no_reserve);
	assert_false(there("cache/a"));
}

static void no_number_of_files_is_too_many(void **state)
{
	struct sweep_limits limits = { .max_bytes = 65536, .files_at_once = 8 };

	make_cache();
	for (int i = 0; i < 100; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "cache/f%d", i);
		put_file(name, 65536, 1000 - i);
	}
	assert_false(sweep(&limits).too_large);
	assert_true(there("cache/f99"));
	for (int i = 0; i < 99; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "cache/f%d", i);
		assert_false(there(name));
	}
	/* under the limit nothing goes, and it comes to an end */
	for (int i = 0; i < 20; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "cache/f%d", i);
		put_file(name, 1, 1000 - i);
	}
	limits.max_bytes = 1 << 20;
	assert_false(sweep(&limits).too_large);
	assert_true(there("cache/f0") && there("cache/f19") && there("cache/f99"));
	(void)sweep_to(0);
}

/* a box can make directories, links and pipes: they go, and nothing is done behind them */
static void what_boxes_must_not_make_goes(void **state)
{
	char path[PATH_MAX];

	if (geteuid() != 0)
		skip();
	make_cache();
	path_in(path, "cache/made");
	for (int i = 0; i < 40; i++) {
		assert_int_equal(mkdir(path, 0700), 0);
		assert_int_equal(lchown(path, 64200, 64200), 0);
		if (i % 2)
			(void)snprintf(path + strlen(path), 16, "/d%d", i);
		else
			(void)snprintf(path + strlen(path), 16, "/e");
	}
	put_file("cache/made/file", 1, 3);
	put_file("outside", 1, 3);
	path_in(path, "outside");
	char link[PATH_MAX];

	path_in(link, "cache/made/link");
	assert_int_equal(symlink(path, link), 0);
	path_in(link, "cache/link");
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(lchown(link, 64200, 64200), 0);
	path_in(link, "cache/pipe");
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_int_equal(lchown(link, 64200, 64200), 0);
	/* root's own directory is none of a box's doing */
	path_in(path, "cache/lost+found");
	assert_int_equal(dir_make(path, 0700, NULL), 0);
	put_file("cache/lost+found/deep", 65536, 300);
	(void)sweep_to(1 << 20);
	assert_true(there("outside") && there("cache/lost+found/deep"));
	path_in(path, "cache");
	DIR *d = opendir(path);
	int n = 0;

	assert_non_null(d);
	for (struct dirent *ent; (ent = readdir(d));)
		n++;
	(void)closedir(d);
	assert_int_equal(n, 3); /* ".", "..", lost+found */
}

/* ---- settings ---- */

static int settings(const char *file, const char *const *words, struct settings *ret, struct err *e)
{
	char path[PATH_MAX], *argv[8] = { (char *)"comosixd", (char *)"--config", path };
	int argc = 3;

	path_in(path, "ini");
	assert_int_equal(file_write_atomic(path, file, strlen(file), 0644, NULL), 0);
	while (words && *words)
		argv[argc++] = (char *)*words++;
	return settings_read(argc, argv, ret, e);
}

static void the_line_comes_before_the_file(void **state)
{
	static const char *const words[] = { "--tasks", "7", NULL };
	static const struct {
		const char *file, *why;
	} bad[] = {
		{ "[comosixd]\ntasks = many\n", "'tasks = many' makes no sense" },
		{ "[comosixd]\nfoo = 1\n", "no setting 'foo'" },
		{ "[comosixd]\nlisten = here\n", "--listen 'here'" },
		{ "[comosixd\n", "not 'key = value'" },
	};
	struct settings s;
	struct err e;

	assert_int_equal(settings("[other]\nx = 1\n[comosixd]\ntasks = 3\ncache-size = 2G\n"
				  "relayed = yes\n",
				  words, &s, &e),
			 0);
	assert_int_equal(s.tasks, 7);
	assert_true(s.relayed);
	assert_int_equal(s.cache_bytes, 2ULL << 30);
	assert_int_equal(s.connections, 1024);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(settings(bad[i].file, NULL, &s, &e), -EINVAL);
		if (!strstr(e.text, bad[i].why))
			fail_msg("'%s' instead of '%s'", e.text, bad[i].why);
	}
}

static void sections_of_migration(void **state)
{
	struct settings s;
	struct err e;

	assert_int_equal(settings("[guests]\nmax = 3\n[trust]\ndesktops = full\n", NULL, &s, &e),
			 0);
	assert_int_equal(s.guests_max, 3);
	assert_true(s.trust_desktops_full);
	assert_int_equal(settings("", NULL, &s, &e), 0);
	assert_false(s.trust_desktops_full);
	assert_int_equal(settings("[trust]\ndesktops = some\n", NULL, &s, &e), -EINVAL);
	assert_non_null(strstr(e.text, "'jobs' or 'full'"));
	assert_int_equal(settings("[guests]\nmany = 3\n", NULL, &s, &e), -EINVAL);
}

/* ---- jobs ---- */

static void a_job_is_known_by_its_group(void **state)
{
	static const struct {
		const char *cgroups;
		enum process_job job;
		const char *group;
	} rows[] = {
		{ "8:pids:/comosix-job-1000-7\n", PROCESS_JOB, "comosix-job-1000-7" },
		{ "9:cpu:/\n8:pids:/a/comosix-job-1000-7/b\n", PROCESS_JOB, "comosix-job-1000-7" },
		{ "0::/comosix-job-1-2/comosix-stay-1-3", PROCESS_STAYS, "comosix-stay-1-3" },
		{ "0::/x-comosix-job-1-2\n", PROCESS_NO_JOB, "" },
		{ "0::/comosix-job-1-2x\n", PROCESS_NO_JOB, "" },
		{ "0::/comosix-job--2\n", PROCESS_NO_JOB, "" },
		{ "0::/comosix-job-1\n", PROCESS_NO_JOB, "" },
		{ "0::/comosix-job-12345678901-2\n", PROCESS_NO_JOB, "" },
		{ "", PROCESS_NO_JOB, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char group[PROCESS_GROUP_MAX];

		if (process_job_of(rows[i].cgroups, group) != rows[i].job ||
		    (rows[i].job != PROCESS_NO_JOB && strcmp(group, rows[i].group) != 0))
			fail_msg("'%s': '%s'", rows[i].cgroups, group);
	}
}

/* ---- load ---- */

static void a_load_is_plausible(void **state)
{
	struct load_sampler *s;
	struct load_profile p;
	struct load l;

	assert_int_equal(load_sampler_new(&s), 0);
	load_profile_of(s, &p);
	load_sample(s, clock_boot_ms(), &l);
	assert_true(p.cpus >= 1 && p.cpus <= sysconf(_SC_NPROCESSORS_CONF));
	assert_true(p.speed >= 1 && p.mem_16mib >= 1);
	assert_true(l.util_pct <= 100 && l.free_16mib <= p.mem_16mib);
	load_sampler_free(s);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	return dir_remove(dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newer_word_counts),
		cmocka_unit_test(what_is_new_is_found),
		cmocka_unit_test(lists_are_signed_and_only_grow),
		cmocka_unit_test(the_oldest_goes_first),
		cmocka_unit_test(what_is_in_use_stays),
		cmocka_unit_test(a_reserve_of_the_disk_is_kept),
		cmocka_unit_test(no_number_of_files_is_too_many),
		cmocka_unit_test(what_boxes_must_not_make_goes),
		cmocka_unit_test(the_line_comes_before_the_file),
		cmocka_unit_test(sections_of_migration),
		cmocka_unit_test(a_job_is_known_by_its_group),
		cmocka_unit_test(a_load_is_plausible),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
