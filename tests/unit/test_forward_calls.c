/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_forward_calls.c - the same calls natively and forwarded: same results, same memory */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#include "forward/scenarios.h"
#include "forward/table/table.h"

#define CALLS_AT_LEAST 150 /* numbers that go through the parasite here */

static struct twin twin;

static void test_scenarios(void **state)
{
#define SCENARIO_RUN(name) twin_run(&twin, #name, scenario_##name);
	SCENARIOS(SCENARIO_RUN)
#undef SCENARIO_RUN
	assert_int_equal(twin.differences, 0);
}

/* most calls in class HOME are among them; the others are named, so that somebody looks */
static void test_coverage(void **state)
{
	struct table_row row;
	unsigned int n = 0;

	for (uint32_t nr = 0; nr < table_end(); nr++) {
		if (!table_row(nr, &row))
			continue;
		n += twin.seen[nr];
		if (row.class == TABLE_HOME && !twin.seen[nr])
			print_message("not compared: %s\n", row.name);
	}
	print_message("%u calls compared\n", n);
	assert_true(n >= CALLS_AT_LEAST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios),
		cmocka_unit_test(test_coverage),
	};
	sigset_t set;
	int r;

	/* of the terminal and of signals that scenarios send: not for the test */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	(void)sigaddset(&set, SIGALRM);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	twin_scratch();
	twin_start(&twin);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	twin_stop(&twin);
	twin_leave_scratch();
	return r;
}
