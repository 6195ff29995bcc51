/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lab.c - names, addresses, service command lines, requests and messages of a lab */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#include "lab/channel.h"
#include "lab/layout.h"
#include "lab/request.h"
#include "lab/services.h"

static void names(void **state)
{
	static const struct {
		const char *name;
		int want;
	} cases[] = {
		{ "lab", 0 },	    { "a", 0 },
		{ "My-lab_2", 0 },  { "1234567890123456789012345678901", 0 },
		{ "", -EINVAL },    { "12345678901234567890123456789012", -EINVAL },
		{ "..", -EINVAL },  { "a/b", -EINVAL },
		{ "-x", -EINVAL },  { "a b", -EINVAL },
		{ "a.b", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lab_paths p = { 0 };

		assert_int_equal(lab_paths(cases[i].name, &p, NULL), cases[i].want);
		/* what fails changes nothing */
		assert_int_equal(p.dir[0] == '\0', cases[i].want != 0);
	}
}

static void addresses(void **state)
{
	static const struct {
		uint32_t number;
		bool nat;
		const char *want;
	} cases[] = {
		{ 1, false, "10.77.1.1" },   { 250, false, "10.77.1.250" },
		{ 251, false, "10.77.2.1" }, { LAB_NODES_MAX, false, "10.77.4.250" },
		{ 1, true, "10.78.1.1" },    { 300, true, "10.78.2.50" },
	};
	char text[LAB_ADDRESS_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		lab_address_format(lab_node_address(cases[i].number, cases[i].nat), text);
		assert_string_equal(text, cases[i].want);
	}
	lab_address_format(LAB_HEAD_ADDRESS, text);
	assert_string_equal(text, "10.77.0.1");
}

static const struct service_words words = {
	.lab = "lab",
	.name = "n1",
	.address = "10.77.1.1",
	.head = "10.77.0.1",
	.token = "cmx-1",
	.uids = "64200",
};

static void every_service_expands(void **state)
{
	struct service_command c;
	struct err e;
	int n = 0;

	for (const struct service *s = services; s->name; s++, n++) {
		assert_int_equal(service_expand(s, &words, &c, &e), 0);
		assert_non_null(c.argv[0]);
		for (char **a = c.argv; *a; a++)
			assert_null(strchr(*a, '{'));
		assert_true(s->ready != READY_UNIX || s->ready_path);
		assert_true(s->ready != READY_TCP || s->ready_port);
	}
	assert_true(n > 0);
}

static void words_are_replaced(void **state)
{
	struct service s = { .name = "x", .argv = { "x", "https://{head}:1/{name}", "{relayed}" } };
	struct service_words relayed = words;
	struct service_command c;
	struct err e;

	assert_int_equal(service_expand(&s, &words, &c, &e), 0);
	assert_string_equal(c.argv[1], "https://10.77.0.1:1/n1");
	assert_null(c.argv[2]); /* empty: left out */
	relayed.relayed = true;
	assert_int_equal(service_expand(&s, &relayed, &c, &e), 0);
	assert_string_equal(c.argv[2], "--relayed");
	assert_null(c.argv[3]);
}

static void bad_service_rows(void **state)
{
	static const char *const bad[] = { "{nonsense}", "{", "{name", "x{}" };
	char text[SERVICE_ARG_MAX];
	struct service_words w = words;
	struct service_command c;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct service s = { .name = "x", .argv = { bad[i] } };

		assert_int_equal(service_expand(&s, &words, &c, &e), -EINVAL);
	}
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	w.token = text;
	struct service s = { .name = "x", .argv = { "-{token}" } };

	assert_int_equal(service_expand(&s, &w, &c, &e), -E2BIG);
}

static void a_request_comes_back(void **state)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"", NULL };
	char *const env[] = { (char *)"A=1", (char *)"B=", NULL };
	struct lab_request q;
	struct buf b;
	struct err e;

	buf_init(&b, REQUEST_BYTES_MAX);
	assert_int_equal(request_put(&b, 027, "/home/x y", argv, env), 0);
	assert_int_equal(request_parse(buf_bytes(&b), b.len, &q, &e), 0);
	assert_int_equal(q.umask, 027);
	assert_string_equal(q.cwd, "/home/x y");
	for (int i = 0; i < 3; i++)
		assert_string_equal(q.argv[i], argv[i]);
	assert_null(q.argv[3]);
	assert_string_equal(q.env[0], "A=1");
	assert_string_equal(q.env[1], "B=");
	assert_null(q.env[2]);
	request_done(&q);
	/* each shorter one is refused */
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(request_parse(buf_bytes(&b), n, &q, &e), -EPROTO);
	assert_int_equal(buf_put_u8(&b, 0), 0);
	assert_int_equal(request_parse(buf_bytes(&b), b.len, &q, &e), -EPROTO);
	buf_done(&b);
}

static void a_request_has_a_limit(void **state)
{
	char *const none[] = { NULL };
	char *const argv[] = { (char *)"a long argument", NULL };
	struct buf b;

	buf_init(&b, 20);
	assert_int_equal(request_put(&b, 0, "/", argv, none), -ENOBUFS);
	buf_done(&b);
}

static void messages(void **state)
{
	struct channel_msg m;
	int ends[2], fds[2], r;

	assert_int_equal(channel_pair(ends, NULL), 0);
	assert_int_equal(channel_recv(ends[0], &m), -EAGAIN);
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[1] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(channel_send_fds(ends[1], SAY_EXEC, -7, "n1", fds, 2), 0);
	assert_int_equal(channel_send(ends[1], SAY_STATUS, 0, NULL), 0);
	assert_int_equal(channel_wait(ends[0], -1, &m), 1);
	assert_int_equal(m.type, SAY_EXEC);
	assert_int_equal(m.number, -7);
	assert_string_equal(m.text, "n1");
	assert_int_equal(m.n_fds, 2);
	assert_int_equal(fcntl(m.fds[0], F_GETFD), FD_CLOEXEC);
	channel_msg_done(&m);
	assert_int_equal(channel_recv(ends[0], &m), 1);
	assert_string_equal(m.text, "");
	assert_int_equal(channel_wait(ends[0], 0, &m), -ETIMEDOUT);
	/* foreign packets */
	r = (int)write(ends[1], "abc", 3);
	assert_int_equal(r, 3);
	assert_int_equal(channel_recv(ends[0], &m), -EPROTO);
	r = (int)write(ends[1], "\xff\xff\xff\xff\0\0\0\0", 8);
	assert_int_equal(r, 8);
	assert_int_equal(channel_recv(ends[0], &m), -EPROTO);
	/* words said before the end are heard, also when words to them were not */
	assert_int_equal(channel_send(ends[0], SAY_SIGNAL, 2, NULL), 0);
	assert_int_equal(channel_send(ends[1], SAY_EXIT, 256, NULL), 0);
	close(ends[1]);
	assert_int_equal(channel_recv(ends[0], &m), 1);
	assert_int_equal(m.number, 256);
	assert_int_equal(channel_recv(ends[0], &m), 0);
	close(ends[0]);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(addresses),
		cmocka_unit_test(every_service_expands),
		cmocka_unit_test(words_are_replaced),
		cmocka_unit_test(bad_service_rows),
		cmocka_unit_test(a_request_comes_back),
		cmocka_unit_test(a_request_has_a_limit),
		cmocka_unit_test(messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
