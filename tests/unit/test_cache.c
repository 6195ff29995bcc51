/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_cache.c - the cache of volumes: workers that do not trust each other, and root that keeps it
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#include "base/parse.h"
#include "blast/cache/cache.h"
#include "blast/run/fetch.h"
#include "blast/cache/keep.h"
#include "os/fd.h"
#include "os/file.h"

#define GROUP 64200
#define ALICE 64201
#define BOB   64202
#define MAX   (1U << 20)

static const char text[] = "a volume of a database";
static const struct keep_owners boxes = { .first = GROUP, .n = 256 };

static char dir[PATH_MAX];
static char hex[2 * DIGEST_LEN + 1];
static struct cache_key key;

/* ---- who is who ---- */

static void be(uid_t uid)
{
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(uid ? GROUP : 0), 0);
	assert_int_equal(seteuid(uid), 0);
	assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0); /* /proc/self is root's otherwise */
}

static const char *path_in(const char *suffix)
{
	static char path[2 * PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s%s", dir, hex, suffix);
	return path;
}

static bool there(const char *suffix)
{
	struct stat st;

	return lstat(path_in(suffix), &st) == 0;
}

static uid_t owner(const char *suffix)
{
	struct stat st;

	assert_int_equal(lstat(path_in(suffix), &st), 0);
	return st.st_uid;
}

static void put(uid_t uid, const char *suffix, const char *content, mode_t mode)
{
	be(uid);
	int fd = open(path_in(suffix), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, content, strlen(content)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static int find(uid_t uid, enum cache_how how)
{
	char path[PATH_MAX];
	int fd = -1, r;

	be(uid);
	r = cache_find(dir, &key, how, path, &fd);
	if (!r)
		(void)close(fd);
	return r;
}

static struct cache_part *begin(uid_t uid, enum cache_how how)
{
	struct cache_part *p;
	struct err e;

	be(uid);
	if (cache_begin(dir, &key, how, &p, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(cache_add(p, 0, text, strlen(text), &e), 0);
	assert_true(cache_is_whole(p));
	return p;
}

static int commit(struct cache_part *p, char path[PATH_MAX], int *ret_fd)
{
	struct err e;

	return cache_commit(p, path, ret_fd, &e);
}

static void fetch_as(uid_t uid, enum cache_how how, char path[PATH_MAX])
{
	int fd;

	assert_int_equal(commit(begin(uid, how), path, &fd), 0);
	(void)close(fd);
}

static struct keep_count keep(void)
{
	struct keep_count c;
	struct err e;

	be(0);
	if (keep_files(dir, &boxes, MAX, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static bool is_shared(void)
{
	struct stat st;

	return lstat(path_in(""), &st) == 0 && st.st_uid == 0 && (st.st_mode & 07777) == 0444 &&
	       find(BOB, CACHE_SHARED) == 0;
}

/* ---- finding ---- */

static void a_file_of_another_user_is_waited_for(void **state)
{
	char path[PATH_MAX];

	assert_int_equal(find(ALICE, CACHE_SHARED), -ENOENT);
	fetch_as(ALICE, CACHE_SHARED, path);
	assert_string_equal(path, path_in(""));
	assert_int_equal(find(ALICE, CACHE_SHARED), 0);
	assert_int_equal(find(BOB, CACHE_SHARED), -EBUSY);
	assert_int_equal(keep().given, 1);
	assert_true(is_shared());
	assert_int_equal(keep().given, 0); /* it is done */
}

static void what_is_no_volume_is_fetched_again(void **state)
{
	char path[PATH_MAX];

	/* of ours, but cut short */
	put(ALICE, "", "a vol", 0444);
	assert_int_equal(find(ALICE, CACHE_SHARED), -ENOENT);
	fetch_as(ALICE, CACHE_SHARED, path);
	assert_string_equal(path, path_in(""));
	assert_int_equal(unlink(path), 0);
	/* a link, a directory */
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(find(ALICE, CACHE_SHARED), -ENOENT);
	assert_int_equal(find(BOB, CACHE_SHARED), -EBUSY);
	fetch_as(ALICE, CACHE_SHARED, path);
	assert_string_equal(path, path_in(""));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(find(ALICE, CACHE_SHARED), -ENOENT);
	assert_int_equal(find(BOB, CACHE_SHARED), -EBUSY);
	/* a FIFO would block who opens it */
	be(ALICE);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_int_equal(find(ALICE, CACHE_SHARED), -ENOENT);
	assert_int_equal(find(BOB, CACHE_SHARED), -EBUSY);
}

static void a_name_that_is_taken_is_looked_at(void **state)
{
	struct cache_part *p = begin(ALICE, CACHE_ALONE);
	char path[PATH_MAX];
	int fd = -1;

	/* by what can be used: the caller looks again */
	put(0, "", text, 0444);
	be(ALICE);
	assert_int_equal(commit(p, path, &fd), -EEXIST);
	assert_int_equal(fd, -1);
	be(0);
	assert_int_equal(unlink(path_in("")), 0);
	/* by what cannot be used, and not be removed either */
	put(BOB, "", "another volume, or so.", 0444);
	fetch_as(ALICE, CACHE_ALONE, path);
	assert_string_equal(path, path_in(".64201"));
	assert_int_equal(find(ALICE, CACHE_SHARED), 0);
	/* root makes it the one for all */
	(void)keep(); /* which of the two it meets first is the file system's affair */
	(void)keep();
	assert_true(is_shared() && !there(".64201"));
}

static void a_damaged_file_of_roots_is_gone_round(void **state)
{
	char path[PATH_MAX];

	put(0, "", "A volume of a database", 0444); /* its size is right */
	assert_int_equal(find(ALICE, CACHE_SHARED), 0);
	assert_int_equal(find(ALICE, CACHE_OWN), -ENOENT);
	fetch_as(ALICE, CACHE_OWN, path);
	assert_string_equal(path, path_in(".64201"));
	assert_int_equal(find(ALICE, CACHE_OWN), 0);
	assert_int_equal(keep().given, 1);
	assert_true(is_shared() && !there(".64201"));
}

/* ---- the lock ---- */

static void a_lock_of_another_user_is_no_obstacle(void **state)
{
	struct cache_part *p, *q;
	struct err e;

	put(BOB, ".lock", "",
	    0440); /* cannot be opened for writing, as fs.protected_regular has it */
	p = begin(ALICE, CACHE_SHARED);
	be(BOB);
	assert_int_equal(cache_begin(dir, &key, CACHE_SHARED, &q, &e), -EAGAIN);
	assert_int_equal(cache_begin(dir, &key, CACHE_ALONE, &q, &e), 0);
	cache_abort(q);
	be(ALICE);
	cache_abort(p);
	/* nor is one that is none */
	be(0);
	assert_int_equal(unlink(path_in(".lock")), 0);
	be(BOB);
	assert_int_equal(symlink("/nowhere", path_in(".lock")), 0);
	cache_abort(begin(ALICE, CACHE_SHARED));
}

static void progress_is_seen(void **state)
{
	struct timespec long_ago[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct cache_part *p;
	uint64_t before;
	struct err e;

	be(ALICE);
	assert_int_equal(cache_begin(dir, &key, CACHE_SHARED, &p, &e), 0);
	assert_int_equal(utimensat(AT_FDCWD, path_in(".lock"), long_ago, 0), 0);
	before = cache_progress(dir, &key);
	assert_int_equal(cache_progress(dir, &key), before);
	assert_int_equal(cache_add(p, 0, text, 5, &e), 0);
	assert_int_not_equal(cache_progress(dir, &key), before);
	cache_abort(p);
}

/* ---- root's part ---- */

static void only_what_is_right_is_given(void **state)
{
	char other[2 * DIGEST_LEN + 1];
	struct keep_count c;
	int fd;

	put(ALICE, "", "A volume of a database", 0444);
	c = keep();
	assert_true(c.given == 0 && c.removed == 1 && !there(""));
	/* somebody can still write to it */
	put(ALICE, "", text, 0644);
	be(ALICE);
	fd = open(path_in(""), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(keep().given, 0);
	assert_false(there(""));
	(void)close(fd);
	/* a second name, that promises something else */
	put(ALICE, "", text, 0644);
	(void)snprintf(other, sizeof(other), "%s", hex);
	other[0] = other[0] == '0' ? '1' : '0';
	(void)snprintf(other + 5, sizeof(other) - 5, "%s", hex + 5);
	be(ALICE);
	char *second = strdup(path_in(""));

	assert_non_null(second);
	memcpy(strrchr(second, '/') + 1, other, 2 * DIGEST_LEN);
	assert_int_equal(link(path_in(""), second), 0);
	(void)keep();
	assert_int_not_equal(access(second, F_OK), 0);
	free(second);
	/* one who is no box's user, and names that are not ours to judge */
	be(0);
	(void)unlink(path_in(""));
	put(1000, "", text, 0644);
	put(ALICE, ".lock", "", 0660);
	put(ALICE, ".64201x", text, 0644);
	c = keep();
	assert_true(c.given == 0 && c.removed == 0 && owner("") == 1000);
	assert_true(owner(".lock") == ALICE && owner(".64201x") == ALICE);
}

static void a_link_is_not_followed(void **state)
{
	char target[PATH_MAX + 16];
	struct stat st;

	(void)snprintf(target, sizeof(target), "%s/target", dir);
	be(0);
	assert_int_equal(file_write_atomic(target, text, strlen(text), 0600, NULL), 0);
	assert_int_equal(chown(target, ALICE, GROUP), 0);
	be(ALICE);
	assert_int_equal(symlink(target, path_in("")), 0);
	assert_int_equal(keep().given, 0);
	assert_int_equal(lstat(target, &st), 0);
	assert_true(st.st_uid == ALICE && (st.st_mode & 0777) == 0600);
}

static void a_pass_that_was_cut_short_goes_on(void **state)
{
	put(0, "", text, 0400); /* between the chown and the look */
	assert_int_equal(find(BOB, CACHE_SHARED), -EBUSY);
	assert_int_equal(keep().given, 1);
	assert_true(is_shared());
}

static void a_file_in_use_keeps_its_name(void **state)
{
	char path[PATH_MAX];
	int fd;

	put(BOB, "", "another volume, or so.", 0444);
	assert_int_equal(commit(begin(ALICE, CACHE_ALONE), path, &fd), 0);
	(void)keep();
	(void)keep();
	assert_true(there(".64201") && owner(".64201") == 0);
	(void)close(fd);
	(void)keep();
	assert_true(!there(".64201") && is_shared());
}

/* ---- fetching ---- */

struct stage {
	struct loop *loop;
	struct link *ours, *theirs;
	struct fetch *fetch;
	bool needs, over;
	int failed;
	struct err why;
	char names[PATH_MAX];
	Cmx__BlastSetup setup;
	Cmx__BlastFile file, *files[1];
};

static void on_message(void *owner, Cmx__BlastMessage *m)
{
	struct stage *s = owner;

	s->needs = m->body_case == CMX__BLAST_MESSAGE__BODY_NEED;
	message_free(&m);
}

static void on_closed(void *owner, const char *why)
{
	fail_msg("%s", why);
}

static void on_over(void *owner, const struct err *e)
{
	struct stage *s = owner;

	s->over = true;
	if (e) {
		s->failed = 1;
		s->why = *e;
	}
}

static void stage_open(struct stage *s, uint32_t patience_ms)
{
	static const struct link_events events = { .message = on_message, .closed = on_closed };
	struct link_setup l = { .events = &events, .owner = s };
	struct err e;
	int fds[2];

	*s = (struct stage){ .needs = false };
	be(0);
	(void)snprintf(s->names, sizeof(s->names), "%.*s.names", PATH_MAX - 16, dir);
	assert_int_equal(dir_make(s->names, 0700, &e), 0);
	assert_int_equal(chown(s->names, ALICE, GROUP), 0);
	assert_int_equal(loop_new(&s->loop, &e), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	l.loop = s->loop;
	l.fd_in = l.fd_out = fds[0];
	l.peer = BLAST_FROM_MASTER;
	assert_int_equal(link_new(&l, &s->ours, &e), 0);
	l.fd_in = l.fd_out = fds[1];
	l.peer = BLAST_FROM_WORKER;
	assert_int_equal(link_new(&l, &s->theirs, &e), 0);
	cmx__blast_setup__init(&s->setup);
	cmx__blast_file__init(&s->file);
	s->files[0] = &s->file;
	s->file.name = (char *)"db.00.psq";
	s->file.size = key.size;
	s->file.sha256.data = key.sha256;
	s->file.sha256.len = DIGEST_LEN;
	s->setup.n_files = 1;
	s->setup.files = s->files;
	be(ALICE);
	struct fetch_setup f = { .loop = s->loop,
				 .link = s->ours,
				 .run = &s->setup,
				 .cache = dir,
				 .directory = s->names,
				 .over = on_over,
				 .owner = s,
				 .patience_ms = patience_ms };

	assert_int_equal(fetch_start(&f, &s->fetch, &e), 0);
}

static void until(struct stage *s, const bool *what)
{
	while (!*what && !(s->over && s->failed))
		assert_int_equal(loop_turn(s->loop), 0);
	if (s->failed)
		fail_msg("%s", s->why.text);
}

static void send_chunk(struct stage *s)
{
	Cmx__BlastChunk c = CMX__BLAST_CHUNK__INIT;

	c.data.data = (uint8_t *)text;
	c.data.len = strlen(text);
	fetch_chunk(s->fetch, &c);
}

static void stage_close(struct stage *s)
{
	fetch_free(s->fetch);
	link_free(s->ours);
	link_free(s->theirs);
	loop_free(s->loop);
	be(0);
	assert_int_equal(dir_remove(s->names, NULL), 0);
}

static void read_back(struct stage *s)
{
	char path[PATH_MAX + 32];
	struct buf b;

	(void)snprintf(path, sizeof(path), "%s/db.00.psq", s->names);
	buf_init(&b, 1024);
	assert_int_equal(file_read(path, &b, NULL), 0);
	assert_int_equal(b.len, strlen(text));
	assert_memory_equal(buf_bytes(&b), text, b.len);
	buf_done(&b);
}

static void a_fetch_that_stalls_holds_nobody_up(void **state)
{
	struct cache_part *p;
	struct stage s;
	struct err e;

	be(BOB);
	assert_int_equal(cache_begin(dir, &key, CACHE_SHARED, &p, &e), 0);
	stage_open(&s, 1);
	until(&s, &s.needs);
	send_chunk(&s);
	until(&s, &s.over);
	read_back(&s);
	stage_close(&s);
	cache_abort(p);
}

static void a_fetch_that_gets_on_is_waited_for(void **state)
{
	char path[PATH_MAX];
	struct cache_part *p = begin(BOB, CACHE_SHARED);
	uint64_t cached, fetched;
	struct stage s;
	int fd;

	stage_open(&s, 600000);
	assert_int_equal(loop_turn(s.loop), 0); /* it looks, and finds the lock */
	be(BOB);
	assert_int_equal(commit(p, path, &fd), 0);
	assert_int_equal(keep().given, 1);
	be(ALICE);
	until(&s, &s.over);
	assert_false(s.needs);
	fetch_bytes(s.fetch, &cached, &fetched);
	assert_true(cached == key.size && fetched == 0);
	read_back(&s);
	(void)close(fd);
	stage_close(&s);
}

/* what is there is of no use: it is asked for, comes, and is right */
static void fetch_anew(uint32_t patience_ms)
{
	struct stage s;

	stage_open(&s, patience_ms);
	until(&s, &s.needs);
	send_chunk(&s);
	until(&s, &s.over);
	read_back(&s);
	stage_close(&s);
}

static void a_squatter_holds_nobody_up(void **state)
{
	put(BOB, "", "another volume, or so.", 0444);
	fetch_anew(1);
}

static void a_damaged_file_is_fetched_again(void **state)
{
	put(0, "", "A volume of a database", 0444);
	fetch_anew(600000);
}

/* while it is fetched somebody puts a file there that looks right and is not */
static void what_was_put_there_meanwhile_is_checked(void **state)
{
	struct stage s;

	stage_open(&s, 600000);
	until(&s, &s.needs);
	put(0, "", "A volume of a database", 0444);
	be(ALICE);
	s.needs = false;
	send_chunk(&s);
	until(&s, &s.needs);
	send_chunk(&s);
	until(&s, &s.over);
	read_back(&s);
	stage_close(&s);
}

static void a_file_is_locked_while_it_is_used(void **state)
{
	struct stage s;
	int fd;

	stage_open(&s, 600000);
	until(&s, &s.needs);
	send_chunk(&s);
	until(&s, &s.over);
	fd = open(path_in(""), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	stage_close(&s);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	(void)close(fd);
}

static int make_dir(void **state)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_cache.XXXXXX");
	if (geteuid() != 0 || !mkdtemp(dir))
		return -1;
	return chown(dir, 0, GROUP) < 0 ? -1 : chmod(dir, 01770);
}

static int drop_dir(void **state)
{
	be(0);
	return dir_remove(dir, NULL);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_file_of_another_user_is_waited_for),
		ROW(what_is_no_volume_is_fetched_again),
		ROW(a_name_that_is_taken_is_looked_at),
		ROW(a_damaged_file_of_roots_is_gone_round),
		ROW(a_lock_of_another_user_is_no_obstacle),
		ROW(progress_is_seen),
		ROW(only_what_is_right_is_given),
		ROW(a_link_is_not_followed),
		ROW(a_pass_that_was_cut_short_goes_on),
		ROW(a_file_in_use_keeps_its_name),
		ROW(a_fetch_that_stalls_holds_nobody_up),
		ROW(a_fetch_that_gets_on_is_waited_for),
		ROW(a_squatter_holds_nobody_up),
		ROW(a_damaged_file_is_fetched_again),
		ROW(what_was_put_there_meanwhile_is_checked),
		ROW(a_file_is_locked_while_it_is_used),
	};
	struct digest *d;

	if (geteuid() != 0) {
		(void)printf("needs root to be several users\n");
		return 77;
	}
	if (digest_new(&d) < 0 || digest_add(d, text, strlen(text)) < 0)
		return 1;
	digest_end(d, key.sha256);
	key.size = strlen(text);
	hex_format(key.sha256, DIGEST_LEN, hex);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
