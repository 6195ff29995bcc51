/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_conn.c - identities, TLS between nodes, streams in the loop, a session inside a session */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

#include "authority/authority.h"
#include "net/conn.h"
#include "net/splice.h"
#include "os/clock.h"
#include "os/file.h"

#define CLUSTER "00112233445566778899aabbccddeeff"

static char dir[] = "/tmp/test_conn.XXXXXX";

/* ---- identity ---- */

static void identities(void **state)
{
	static const struct {
		const char *uri;
		int ret;
	} rows[] = {
		{ "comosix://" CLUSTER "/server/7/n7", 0 },
		{ "comosix://" CLUSTER "/operator/0/root", 0 },
		{ "comosix://" CLUSTER "/operator/1/root", -EINVAL },
		{ "comosix://" CLUSTER "/server/0/n7", -EINVAL },
		{ "comosix://" CLUSTER "/king/7/n7", -EINVAL },
		{ "comosix://" CLUSTER "/server/7", -EINVAL },
		{ "comosix://" CLUSTER "/server/7/n7/x", -EINVAL },
		{ "comosix://" CLUSTER "/server/7/../x", -EINVAL },
		{ "comosix://" CLUSTER "/server/4294967296/n7", -EINVAL },
		{ "comosix://" CLUSTER "/server/7/", -EINVAL },
		{ "comosix://" CLUSTER "/server/7/-n", -EINVAL },
		{ "comosix://" CLUSTER "/server/7/n 7", -EINVAL },
		{ "comosix://0011/server/7/n7", -EINVAL },
		{ "http://" CLUSTER "/server/7/n7", -EINVAL },
		{ "", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity id;
		struct err e;
		int r = identity_parse(rows[i].uri, strlen(rows[i].uri), &id, &e);

		if (r != rows[i].ret)
			fail_msg("%s: %d", rows[i].uri, r);
	}
}

/* ---- two ends in one loop ---- */

struct end {
	struct loop *loop;
	struct conn *conn;
	struct buf got;
	size_t want;
	bool opened, closed, ended;
	struct err why;
	int *open_ends;
};

static void on_opened(void *owner)
{
	struct end *x = owner;

	x->opened = true;
}

static void on_received(void *owner)
{
	struct end *x = owner;
	struct buf *in = conn_in(x->conn);

	assert_int_equal(buf_put(&x->got, buf_bytes(in), in->len), 0);
	buf_eat(in, in->len);
	conn_ate(x->conn);
	if (x->ended || !conn_ended(x->conn))
		return;
	x->ended = true;
	if (--*x->open_ends == 0)
		loop_stop(x->loop, 0);
}

static void on_closed(void *owner, const struct err *why)
{
	struct end *x = owner;

	x->closed = true;
	x->why = *why;
	conn_free(x->conn);
	x->conn = NULL;
	if (--*x->open_ends == 0)
		loop_stop(x->loop, 0);
}

static const struct conn_ops end_ops = {
	.opened = on_opened,
	.received = on_received,
	.closed = on_closed,
};

static void too_long(void *owner)
{
	fail_msg("the two ends do not come to an end");
}

struct pair_of_ends {
	struct loop *loop;
	struct end a, b; /* a connects */
	int open_ends;
	struct ev_ref guard;
};

static void ends_init(struct pair_of_ends *p)
{
	int fds[2];

	memset(p, 0, sizeof(*p));
	p->open_ends = 2;
	assert_int_equal(loop_new(&p->loop, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	p->a = p->b = (struct end){ .loop = p->loop, .open_ends = &p->open_ends };
	buf_init(&p->a.got, 1 << 24);
	buf_init(&p->b.got, 1 << 24);
	assert_int_equal(conn_new(p->loop, fds[0], &end_ops, &p->a, &p->a.conn, NULL), 0);
	assert_int_equal(conn_new(p->loop, fds[1], &end_ops, &p->b, &p->b.conn, NULL), 0);
	assert_int_equal(
		loop_add_timer(p->loop, clock_boot_ms() + 20000, too_long, NULL, &p->guard), 0);
}

static void ends_done(struct pair_of_ends *p)
{
	conn_free(p->a.conn);
	conn_free(p->b.conn);
	buf_done(&p->a.got);
	buf_done(&p->b.got);
	loop_free(p->loop);
}

static struct tls_creds *creds(const char *name)
{
	char path[PATH_MAX];
	struct tls_creds *c;
	struct err e;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (tls_creds_load(path, &c, &e) < 0)
		fail_msg("%s: %s", name, e.text);
	return c;
}

static void run_tls(struct pair_of_ends *p, const char *client, const char *server,
		    tls_check_fn *check)
{
	struct tls_creds *c = creds(client), *s = creds(server);

	ends_init(p);
	assert_int_equal(conn_secure(p->a.conn, c, true, NULL, NULL, NULL), 0);
	assert_int_equal(conn_secure(p->b.conn, s, false, check, NULL, NULL), 0);
	tls_creds_unref(c);
	tls_creds_unref(s);
}

static void good_peers_talk(void **state)
{
	struct pair_of_ends p;
	uint8_t ka[60], kb[60];

	run_tls(&p, "n1", "n2", NULL);
	while (!p.a.opened || !p.b.opened)
		assert_int_equal(loop_turn(p.loop), 0);
	assert_string_equal(conn_peer(p.a.conn)->name, "n2");
	assert_string_equal(conn_peer(p.b.conn)->name, "n1");
	assert_int_equal(conn_peer(p.b.conn)->role, ROLE_SERVER);
	assert_int_equal(conn_export(p.a.conn, TLS_EXPORT_PAIR, ka, sizeof(ka), NULL), 0);
	assert_int_equal(conn_export(p.b.conn, TLS_EXPORT_PAIR, kb, sizeof(kb), NULL), 0);
	assert_memory_equal(ka, kb, sizeof(ka));
	assert_int_equal(conn_send(p.a.conn, "hello", 5), 0);
	conn_end(p.a.conn);
	while (!p.b.ended)
		assert_int_equal(loop_turn(p.loop), 0);
	assert_int_equal(p.b.got.len, 5);
	/* the other half is still open */
	for (int i = 0; i < 6; i++) {
		static uint8_t big[150000];

		assert_int_equal(conn_send(p.b.conn, big, sizeof(big)), 0);
	}
	conn_end(p.b.conn);
	assert_int_equal(loop_run(p.loop), 0);
	assert_true(p.a.ended && !p.a.closed && !p.b.closed);
	assert_int_equal(p.a.got.len, 6 * 150000);
	ends_done(&p);
}

static int says_no(void *owner, const struct identity *peer, struct err *e)
{
	return err_set(e, -EKEYREVOKED, "%s is revoked", peer->name);
}

static void bad_peers_do_not(void **state)
{
	static const struct {
		const char *bad, *why;
		bool connects;
		tls_check_fn *check;
	} rows[] = {
		{ "expired", "its certificate has expired", true, NULL },
		{ "expired", "its certificate has expired", false, NULL },
		{ "early", "its certificate is not yet valid; check the clocks", true, NULL },
		{ "stranger", "its certificate is not of our authority", false, NULL },
		{ "othercluster", "it is of another cluster", false, NULL },
		{ "n1", "n1 is revoked", true, says_no },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair_of_ends p;
		struct end *judge;

		run_tls(&p, rows[i].connects ? rows[i].bad : "n2",
			rows[i].connects ? "n2" : rows[i].bad, rows[i].check);
		judge = rows[i].connects ? &p.b : &p.a;
		assert_int_equal(loop_run(p.loop), 0);
		assert_true(judge->closed && !judge->opened);
		assert_string_equal(judge->why.text, rows[i].why);
		assert_true(p.a.closed && p.b.closed); /* the other one was told */
		ends_done(&p);
	}
}

static void garbage_is_refused(void **state)
{
	struct tls_creds *s = creds("n2");
	struct pair_of_ends p;

	ends_init(&p);
	assert_int_equal(conn_secure(p.b.conn, s, false, NULL, NULL, NULL), 0);
	assert_int_equal(conn_send(p.a.conn, "GET / HTTP/1.0\r\n\r\n", 18), 0);
	conn_end(p.a.conn);
	assert_int_equal(loop_run(p.loop), 0);
	assert_true(p.b.closed && !p.b.opened);
	ends_done(&p);
	tls_creds_unref(s);
}

static void a_vanished_peer_is_no_end(void **state)
{
	struct pair_of_ends p;

	run_tls(&p, "n1", "n2", NULL);
	while (!p.a.opened || !p.b.opened)
		assert_int_equal(loop_turn(p.loop), 0);
	conn_free(p.a.conn);
	p.a.conn = NULL;
	p.open_ends = 1;
	assert_int_equal(loop_run(p.loop), 0);
	assert_true(p.b.closed && !p.b.ended);
	ends_done(&p);
}

/* ---- without TLS ---- */

static void open_both(struct pair_of_ends *p)
{
	run_tls(p, "n1", "n2", NULL);
	while (!p->a.opened || !p->b.opened)
		assert_int_equal(loop_turn(p->loop), 0);
}

static void the_bare_socket_goes_on(void **state)
{
	uint8_t ka[TLS_MOVE_KEY], kb[TLS_MOVE_KEY];
	struct pair_of_ends p;
	int a = -1, b = -1;
	char got[8] = "";

	open_both(&p);
	/* b says the last word and detaches at once, a when it has read it */
	assert_int_equal(conn_export(p.b.conn, TLS_EXPORT_MOVE, kb, sizeof(kb), NULL), 0);
	assert_int_equal(conn_send(p.b.conn, "go", 2), 0);
	assert_int_equal(conn_detach(p.b.conn, &b, NULL), 0);
	p.b.conn = NULL;
	assert_int_equal(write(b, "bare", 4),
			 4); /* may come with the record, but only if a waits */
	assert_true(a < 0);
	while (p.a.got.len < 2)
		assert_int_equal(loop_turn(p.loop), 0);
	/* what came too early is seen, not swallowed */
	assert_int_equal(conn_detach(p.a.conn, &a, NULL), -EBUSY);
	assert_true(close(b) == 0);
	ends_done(&p);

	open_both(&p);
	assert_int_equal(conn_export(p.b.conn, TLS_EXPORT_MOVE, kb, sizeof(kb), NULL), 0);
	assert_int_equal(conn_send(p.b.conn, "go", 2), 0);
	assert_int_equal(conn_detach(p.b.conn, &b, NULL), 0);
	p.b.conn = NULL;
	while (p.a.got.len < 2)
		assert_int_equal(loop_turn(p.loop), 0);
	assert_int_equal(conn_export(p.a.conn, TLS_EXPORT_MOVE, ka, sizeof(ka), NULL), 0);
	assert_memory_equal(ka, kb, sizeof(ka));
	assert_int_equal(conn_layers(p.a.conn), 1);
	assert_int_equal(conn_detach(p.a.conn, &a, NULL), 0);
	p.a.conn = NULL;
	assert_int_equal(write(b, "bare", 4), 4);
	assert_int_equal(read(a, got, sizeof(got)), 4);
	assert_memory_equal(got, "bare", 4);
	assert_true(close(a) == 0 && close(b) == 0);
	ends_done(&p);
}

static void not_every_stream_can_be_bare(void **state)
{
	struct pair_of_ends p;
	struct tls_creds *c = creds("n1");
	struct err e = { 0 };
	int fd = -1;

	ends_init(&p);
	assert_int_equal(conn_detach(p.a.conn, &fd, &e), -EBUSY); /* no session at all */
	ends_done(&p);
	open_both(&p);
	assert_int_equal(conn_secure(p.a.conn, c, true, NULL, NULL, NULL), 0);
	assert_int_equal(conn_layers(p.a.conn), 2);
	assert_int_equal(conn_detach(p.a.conn, &fd, &e), -EBUSY);
	assert_true(e.text[0] && fd == -1);
	ends_done(&p);
	tls_creds_unref(c);
}

/* ---- a relay: a session inside two sessions ---- */

static bool splice_over;

static void on_spliced(void *owner)
{
	splice_over = true;
}

static void a_session_inside_a_session(void **state)
{
	struct tls_creds *asker = creds("n1"), *relay = creds("n2"), *node = creds("n3");
	struct pair_of_ends p, q;
	struct splice *sp;
	struct conn *left, *right;
	uint8_t big[200000];

	/* n1 = p.a -> p.b = relay = q.b <- q.a = n3 */
	run_tls(&p, "n1", "n2", NULL);
	while (!p.a.opened || !p.b.opened)
		assert_int_equal(loop_turn(p.loop), 0);
	struct loop *keep = p.loop;
	int fds[2];

	memset(&q, 0, sizeof(q));
	q.open_ends = 2;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	q.a = q.b = (struct end){ .loop = keep, .open_ends = &q.open_ends };
	buf_init(&q.a.got, 1 << 24);
	buf_init(&q.b.got, 1 << 24);
	assert_int_equal(conn_new(keep, fds[0], &end_ops, &q.a, &q.a.conn, NULL), 0);
	assert_int_equal(conn_new(keep, fds[1], &end_ops, &q.b, &q.b.conn, NULL), 0);
	assert_int_equal(conn_secure(q.a.conn, node, true, NULL, NULL, NULL), 0);
	assert_int_equal(conn_secure(q.b.conn, relay, false, NULL, NULL, NULL), 0);
	while (!q.a.opened || !q.b.opened)
		assert_int_equal(loop_turn(keep), 0);

	left = p.b.conn;
	right = q.b.conn;
	p.b.conn = q.b.conn = NULL;
	assert_int_equal(splice_new(left, right, on_spliced, NULL, &sp), 0);
	p.a.opened = q.a.opened = false;
	assert_int_equal(conn_secure(p.a.conn, asker, true, NULL, NULL, NULL), 0);
	assert_int_equal(conn_secure(q.a.conn, node, false, NULL, NULL, NULL), 0);
	while (!p.a.opened || !q.a.opened)
		assert_int_equal(loop_turn(keep), 0);
	assert_string_equal(conn_peer(p.a.conn)->name, "n3");
	assert_string_equal(conn_peer(q.a.conn)->name, "n1");

	memset(big, 'x', sizeof(big));
	assert_int_equal(conn_send(p.a.conn, big, sizeof(big)), 0);
	conn_end(p.a.conn);
	while (!q.a.ended)
		assert_int_equal(loop_turn(keep), 0);
	assert_int_equal(q.a.got.len, sizeof(big));
	assert_int_equal(conn_send(q.a.conn, "bye", 3), 0);
	conn_end(q.a.conn);
	while (!p.a.ended || !splice_over)
		assert_int_equal(loop_turn(keep), 0);
	assert_int_equal(p.a.got.len, 3);
	conn_free(q.a.conn);
	buf_done(&q.a.got);
	buf_done(&q.b.got);
	ends_done(&p);
	tls_creds_unref(asker);
	tls_creds_unref(relay);
	tls_creds_unref(node);
}

/* ---- a command ends, and the one who asked for it takes his time ---- */

#define WORDS 700000 /* more than two sockets hold, less than the buffers of a splice */

/* what the command's end of the stream does before it goes */
static void talk(struct loop *l, int command, bool reads)
{
	static uint8_t words[WORDS];
	size_t said = 0;
	char c;

	while (said < WORDS) {
		ssize_t n = write(command, words + said, WORDS - said);

		assert_true(n > 0 || errno == EAGAIN);
		said += n > 0 ? (size_t)n : 0;
		assert_int_equal(loop_turn(l), 0);
	}
	/* the asker's input has come */
	while (recv(command, &c, 1, MSG_PEEK) != 1)
		assert_int_equal(loop_turn(l), 0);
	if (reads)
		assert_int_equal(read(command, &c, 1), 1);
	close(command);
}

static void on_nothing(void *owner)
{
}

/* asker = asks[0] -> asks[1] = splice = runs[0] <- runs[1] = command */
static void last_words(bool reads)
{
	struct loop *l;
	struct splice *sp;
	struct conn *a, *b;
	struct ev_ref guard, awake;
	int asks[2], runs[2], open_ends = 1;
	const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct end asker = { .open_ends = &open_ends };

	splice_over = false;
	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(loop_add_timer(l, clock_boot_ms() + 60000, too_long, NULL, &guard), 0);
	assert_int_equal(socketpair(AF_UNIX, type, 0, asks), 0);
	assert_int_equal(socketpair(AF_UNIX, type, 0, runs), 0);
	assert_int_equal(conn_new(l, asks[1], &end_ops, NULL, &a, NULL), 0);
	assert_int_equal(conn_new(l, runs[0], &end_ops, NULL, &b, NULL), 0);
	assert_int_equal(splice_new(a, b, on_spliced, NULL, &sp), 0);
	assert_int_equal(write(asks[0], "x", 1), 1);
	talk(l, runs[1], reads);

	/* the asker reads nothing yet: the splice sees the command's end, and goes on */
	for (int i = 0; i < 10; i++) {
		assert_int_equal(loop_add_timer(l, loop_now(l), on_nothing, NULL, &awake), 0);
		assert_int_equal(loop_turn(l), 0);
	}
	assert_false(splice_over);

	asker.loop = l;
	buf_init(&asker.got, 1 << 24);
	assert_int_equal(conn_new(l, asks[0], &end_ops, &asker, &asker.conn, NULL), 0);
	assert_int_equal(loop_run(l), 0);
	assert_true(asker.ended && !asker.closed);
	assert_int_equal(asker.got.len, WORDS);
	conn_free(asker.conn);
	while (!splice_over)
		assert_int_equal(loop_turn(l), 0);
	buf_done(&asker.got);
	loop_remove(l, &guard);
	loop_free(l);
}

static void the_last_words_wait_for_their_reader(void **state)
{
	last_words(true);
}

static void input_that_nobody_read_takes_no_output_along(void **state)
{
	last_words(false);
}

static int make_dirs(void **state)
{
	static const struct {
		const char *dir, *role;
		uint32_t id;
		int64_t from, to;
		const char *uri;
		int authority;
	} rows[] = {
		{ "n1", "server", 1, -300, 3600, NULL, 0 },
		{ "n2", "server", 2, -300, 3600, NULL, 0 },
		{ "n3", "desktop", 3, -300, 3600, NULL, 0 },
		{ "expired", "server", 4, -3600, -60, NULL, 0 },
		{ "early", "server", 5, 3600, 7200, NULL, 0 },
		{ "stranger", "server", 6, -300, 3600, NULL, 1 },
		{ "othercluster", "server", 7, -300, 3600,
		  "comosix://ffffffffffffffffffffffffffffffff/server/7/othercluster", 0 },
	};
	struct authority *a[2] = { authority_new(CLUSTER), authority_new(CLUSTER) };
	char path[PATH_MAX];

	if (!mkdtemp(dir))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, rows[i].dir);
		authority_issue(a[rows[i].authority],
				&(struct authority_order){ .dir = path,
							   .role = rows[i].role,
							   .name = rows[i].dir,
							   .id = rows[i].id,
							   .from_s = rows[i].from,
							   .to_s = rows[i].to,
							   .uri = rows[i].uri });
	}
	authority_free(a[0]);
	authority_free(a[1]);
	return 0;
}

static int drop_dirs(void **state)
{
	return dir_remove(dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities),
		cmocka_unit_test(good_peers_talk),
		cmocka_unit_test(bad_peers_do_not),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(a_vanished_peer_is_no_end),
		cmocka_unit_test(the_bare_socket_goes_on),
		cmocka_unit_test(not_every_stream_can_be_bare),
		cmocka_unit_test(a_session_inside_a_session),
		cmocka_unit_test(the_last_words_wait_for_their_reader),
		cmocka_unit_test(input_that_nobody_read_takes_no_output_along),
	};

	return cmocka_run_group_tests(tests, make_dirs, drop_dirs);
}
