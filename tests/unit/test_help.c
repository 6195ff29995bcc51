/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_help.c - the root helper's verbs, asked by a web process that may be an enemy */
#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "head/channel.h"
#include "head/help.h"
#include "log/log.h"
#include "os/fd.h"
#include "os/file.h"
#include "test.h"
#include "wire/message.h"
#include "wire/monitor.pb-c.h"

static char dir[64];
static struct helper helper;
static int ends[2]; /* ours, the helper's */

static int make(void **state)
{
	log_open("test", LOG_ERR);
	(void)snprintf(dir, sizeof(dir), "/tmp/test_help.XXXXXX");
	if (!mkdtemp(dir) || channel_pair(ends, NULL) < 0)
		return -1;
	(void)snprintf(helper.socket, sizeof(helper.socket), "%s/comosixd.sock", dir);
	(void)snprintf(helper.audit_log, sizeof(helper.audit_log), "%s/audit.log", dir);
	return 0;
}

static int unmake(void **state)
{
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	return dir_remove(dir, NULL);
}

/* send, let the helper answer, take the answer */
static void ask(Cmx__HelpVerb verb, const char *text, uint32_t want_error)
{
	Cmx__HelpRequest q = CMX__HELP_REQUEST__INIT;
	struct buf in;
	pid_t child;

	q.number = 9;
	q.verb = verb;
	q.text = (char *)text;
	assert_int_equal(channel_send(ends[0], &q, -1, NULL), 0);
	assert_int_equal(helper_answer(&helper, ends[1], &child, NULL), 1);
	if (child)
		assert_int_equal(waitpid(child, NULL, 0), child);
	buf_init(&in, CHANNEL_MAX);
	assert_int_equal(channel_recv(ends[0], -1, &in, NULL, NULL), 1);

	AUTO_MESSAGE Cmx__HelpReply *m = message_get(&cmx__help_reply__descriptor, buf_bytes(&in),
						     in.len, NULL);

	assert_non_null(m);
	assert_int_equal(m->number, 9);
	assert_int_equal(m->error, want_error);
	assert_int_equal(m->text[0] != '\0', want_error != 0);
	buf_done(&in);
}

static void lines_stay_lines(void **state)
{
	struct buf b;
	const char *text;

	ask(CMX__HELP_VERB__HELP_AUDIT, "first\nforged: operator did it\x1b[2J", 0);
	ask(CMX__HELP_VERB__HELP_AUDIT, "second", 0);
	buf_init(&b, 65536);
	assert_int_equal(file_read(helper.audit_log, &b, NULL), 0);
	text = buf_text(&b);
	assert_non_null(strstr(text, "Z first?forged: operator did it?[2J\n"));
	assert_non_null(strstr(text, "Z second\n"));
	assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n') + 1, text + b.len); /* two lines */
	buf_done(&b);
}

static void a_long_line_is_cut(void **state)
{
	char line[4 * HELP_LINE_MAX];
	struct buf b;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	ask(CMX__HELP_VERB__HELP_AUDIT, line, 0);
	buf_init(&b, 65536);
	assert_int_equal(file_read(helper.audit_log, &b, NULL), 0);
	assert_true(b.len < 2 * HELP_LINE_MAX && buf_bytes(&b)[b.len - 1] == '\n');
	buf_done(&b);
}

static void no_link_is_followed(void **state)
{
	char target[128];

	(void)snprintf(target, sizeof(target), "%s/target", dir);
	assert_int_equal(symlink(target, helper.audit_log), 0);
	ask(CMX__HELP_VERB__HELP_AUDIT, "x", ELOOP);
	assert_int_equal(access(target, F_OK), -1);
}

static void what_it_cannot_do_it_says(void **state)
{
	ask(CMX__HELP_VERB__HELP_NONE, "", ENOSYS);
	ask((Cmx__HelpVerb)77, "", ENOSYS);
	ask(CMX__HELP_VERB__HELP_MEMBERS, "", ENOENT); /* there is no comosixd */
	ask(CMX__HELP_VERB__HELP_STATEMENT, "", ENOENT);
}

static void garbage_does_nothing(void **state)
{
	struct err e = { 0 };
	pid_t child;

	assert_int_equal(send(ends[0], "\xff\xff\xff\xff", 4, 0), 4);
	assert_int_equal(helper_answer(&helper, ends[1], &child, &e), 1);
	assert_int_equal(child, 0);
	assert_int_equal(access(helper.audit_log, F_OK), -1);
	fd_close(&ends[0]);
	assert_int_equal(helper_answer(&helper, ends[1], &child, &e), 0); /* the end is seen */
}

/* descriptors that nobody asked for are closed, not kept */
static void descriptors_do_not_pile_up(void **state)
{
	Cmx__HelpRequest q = CMX__HELP_REQUEST__INIT;
	struct buf in;
	int before = dup(0), after;

	buf_init(&in, CHANNEL_MAX);
	q.number = 1;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(channel_send(ends[0], &q, 0, NULL), 0);
		assert_int_equal(channel_recv(ends[1], -1, &in, NULL, NULL), 1);
	}
	after = dup(0);
	assert_int_equal(after, before + 1);
	fd_close(&before);
	fd_close(&after);
	buf_done(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_stay_lines, make, unmake),
		cmocka_unit_test_setup_teardown(a_long_line_is_cut, make, unmake),
		cmocka_unit_test_setup_teardown(no_link_is_followed, make, unmake),
		cmocka_unit_test_setup_teardown(what_it_cannot_do_it_says, make, unmake),
		cmocka_unit_test_setup_teardown(garbage_does_nothing, make, unmake),
		cmocka_unit_test_setup_teardown(descriptors_do_not_pile_up, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
