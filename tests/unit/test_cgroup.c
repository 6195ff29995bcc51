/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_cgroup.c - where a process's own groups are */
#include <errno.h>

#include "node/cgroup.h"
#include "test.h"

static const char mountinfo[] =
	"21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	"30 21 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	"31 21 0:27 /lab /sys/fs/cgroup/memory rw shared:4 - cgroup cgroup rw,memory\n"
	"32 21 0:28 /../.. /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
	"33 21 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
	"34 21 0:30 / /mnt rw - cgroup";
static const char own[] =
	"5:pids:/x\n4:memory:/lab/n1\n2:cpu,cpuacct:/\n1:name=systemd:/s\n0::/a/b";

static void own_groups(void **state)
{
	static const struct {
		const char *controller, *dir;
	} rows[] = {
		{ "cpu", "/sys/fs/cgroup/cpu,cpuacct" },
		{ "cpuacct", "/sys/fs/cgroup/cpu,cpuacct" },
		{ "memory", "/sys/fs/cgroup/memory/n1" },
		{ "", "/sys/fs/cgroup/unified/a/b" },
		{ "pids", NULL }, /* its mount does not show us */
		{ "cpua", NULL }, /* no whole word */
		{ "hugetlb", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char dir[CGROUP_PATH_MAX] = "";

		assert_int_equal(cgroup_own_dir(mountinfo, own, rows[i].controller, dir),
				 rows[i].dir ? 0 : -ENOENT);
		if (rows[i].dir)
			assert_string_equal(dir, rows[i].dir);
	}
}

/* a machine's mounts, and over them those of a pod that has its own cgroup namespace */
static void the_mount_that_shows_us(void **state)
{
	static const char pod[] =
		"32 21 0:28 /../.. /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
		"40 21 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
		"41 21 0:28 /../.. /other rw - cgroup cgroup rw,pids\n";
	char dir[CGROUP_PATH_MAX] = "";

	assert_int_equal(cgroup_own_dir(pod, "8:pids:/\n", "pids", dir), 0);
	assert_string_equal(dir, "/sys/fs/cgroup/pids");
}

static void neighbours_are_not_inside(void **state)
{
	char dir[CGROUP_PATH_MAX];

	assert_int_equal(cgroup_own_dir(mountinfo, "4:memory:/laboratory\n", "memory", dir),
			 -ENOENT);
	assert_int_equal(cgroup_own_dir(mountinfo, "4:memory:/lab\n", "memory", dir), 0);
	assert_string_equal(dir, "/sys/fs/cgroup/memory");
	assert_int_equal(cgroup_own_dir("", own, "memory", dir), -ENOENT);
	assert_int_equal(cgroup_own_dir(mountinfo, "", "memory", dir), -ENOENT);
	assert_int_equal(cgroup_own_dir(mountinfo, ":\n::\nmemory\n", "memory", dir), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_groups),
		cmocka_unit_test(the_mount_that_shows_us),
		cmocka_unit_test(neighbours_are_not_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
