/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_guest_life.c - a box whose agent says nothing is ended from outside. Needs root */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migrate/box.h"
#include "test.h"

#define SLOT	   (GUEST_BOX_SLOTS_MAX - 2)
#define SILENCE_MS 100

/* as when it is stopped: it says nothing, and cannot be asked */
static void NORETURN be_silent(int life, int words)
{
	guest_box_live(life);
	if (write(words, "", 1) != 1)
		_exit(1);
	for (;;)
		(void)pause();
}

static void NORETURN run_box(int words)
{
	struct guest_box s = { .agent_uid = guest_box_agent_uid(SLOT),
			       .home_uid = 1234,
			       .home_gid = 1235,
			       .processes = 8,
			       .fds = { words },
			       .n_fds = 1 };
	struct err e = { 0 };
	pid_t init = -1;
	int life;

	if (guest_box_enter(&s, &init, &life, &e) < 0)
		_exit(1);
	if (!init)
		be_silent(life, words);
	(void)close(words);
	_exit(guest_box_wait(init, life, SILENCE_MS));
}

static void a_silent_agent_is_ended(void **state)
{
	int p[2], status;
	char byte;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		run_box(p[1]);
	(void)close(p[1]);
	assert_int_equal(read(p[0], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GUEST_BOX_SILENT);
	assert_int_equal(read(p[0], &byte, 1), 0); /* the agent has ended: nobody holds the pipe */
	(void)close(p[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_silent_agent_is_ended) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
