/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup.c - control groups of a pod: its limits, and all groups that its daemons make */
#include "lab/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"

#define PLACE		 "/sys/fs/cgroup"
#define HIERARCHIES_MAX	 8
#define PERIOD_US	 100000
#define QUOTA_MIN_US	 1000
#define SWEEP_TIMEOUT_MS 3000
#define SWEEP_RETRY_US	 5000
#define SWEEP_FDS	 16
#define LINE_MAX_BYTES	 512

enum controller_id {
	CONTROLLER_CPU,
	CONTROLLER_MEMORY,
	CONTROLLER_CPUACCT,
	CONTROLLER_PIDS,
	CONTROLLER_COUNT,
};

/* what a limit is called in either version, and which of our options sets it */
static const struct controller {
	const char *name, *v1_file, *v2_file, *option;
} controllers[CONTROLLER_COUNT] = {
	[CONTROLLER_CPU] = { "cpu", "cpu.cfs_quota_us", "cpu.max", "cpus" },
	[CONTROLLER_MEMORY] = { "memory", "memory.limit_in_bytes", "memory.max", "memory" },
	[CONTROLLER_CPUACCT] = { "cpuacct", NULL, NULL, NULL },
	[CONTROLLER_PIDS] = { "pids", NULL, NULL, NULL },
};

struct hierarchy {
	char dir[PATH_MAX]; /* mount point */
	bool v2;
	unsigned int has; /* bit 1 << enum controller_id */
};

struct hierarchies {
	struct hierarchy h[HIERARCHIES_MAX];
	size_t n;
};

static bool word_in(const char *word, const char *line, const char *separators)
{
	size_t len = strlen(word);

	while (*line) {
		size_t n = strcspn(line, separators);

		if (n == len && !memcmp(line, word, len))
			return true;
		line += n;
		line += strspn(line, separators);
	}
	return false;
}

static void read_line(const char *dir, const char *file, char *to, size_t max)
{
	char path[PATH_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, to, max - 1);
	to[n < 0 ? 0 : n] = '\0';
}

static int write_line(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* the hierarchies that have one of our controllers */
static int find(struct hierarchies *ret, struct err *e)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;

	ret->n = 0;
	if (!f)
		return err_set(e, -errno, "/proc/self/mounts: %s", strerror(errno));
	while ((m = getmntent(f)) && ret->n < HIERARCHIES_MAX) {
		struct hierarchy *h = &ret->h[ret->n];
		char has[LINE_MAX_BYTES];

		*h = (struct hierarchy){ .v2 = !strcmp(m->mnt_type, "cgroup2") };
		if (strncmp(m->mnt_dir, PLACE, strlen(PLACE)) != 0 ||
		    (!h->v2 && strcmp(m->mnt_type, "cgroup") != 0) || hasmntopt(m, MNTOPT_RO))
			continue; /* a container's are often read-only: a lab does without */
		(void)snprintf(h->dir, sizeof(h->dir), "%s", m->mnt_dir);
		if (h->v2)
			read_line(h->dir, "cgroup.controllers", has, sizeof(has));
		for (int i = 0; i < CONTROLLER_COUNT; i++)
			if (word_in(controllers[i].name, h->v2 ? has : m->mnt_opts,
				    h->v2 ? " \n" : ","))
				h->has |= 1U << i;
		ret->n += h->has != 0;
	}
	(void)endmntent(f); /* always 1 */
	return 0;
}

static bool limited(const struct cgroup_limits *l, int controller)
{
	return (controller == CONTROLLER_CPU && l->cpus > 0) ||
	       (controller == CONTROLLER_MEMORY && l->memory);
}

static int set_limit(const char *dir, bool v2, int controller, const struct cgroup_limits *l)
{
	const struct controller *c = &controllers[controller];
	long quota_us = (long)(l->cpus * PERIOD_US);
	char text[64];

	if (quota_us < QUOTA_MIN_US)
		quota_us = QUOTA_MIN_US;
	if (controller == CONTROLLER_MEMORY)
		(void)snprintf(text, sizeof(text), "%" PRIu64, l->memory);
	else if (v2)
		(void)snprintf(text, sizeof(text), "%ld %d", quota_us, PERIOD_US);
	else
		(void)snprintf(text, sizeof(text), "%ld", quota_us);
	return write_line(dir, v2 ? c->v2_file : c->v1_file, text);
}

/* v2: what a group's children may have is switched on above them, one controller a line */
static void pass_on(const struct hierarchy *h, const char *dir)
{
	for (int i = 0; i < CONTROLLER_COUNT; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "+%s", controllers[i].name);
		/* may be on already; if it stays off, the limit's file is missing, and that is said
		 */
		if (h->v2 && h->has & 1U << i)
			(void)write_line(dir, "cgroup.subtree_control", text);
	}
}

static int make_one(const struct hierarchy *h, const char *group, const char *pod,
		    const struct cgroup_limits *l, unsigned int *set)
{
	char dir[PATH_MAX];
	int r = 0;

	pass_on(h, h->dir);
	(void)snprintf(dir, sizeof(dir), "%s/%s", h->dir, group);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	pass_on(h, dir);
	(void)snprintf(dir, sizeof(dir), "%s/%s/%s", h->dir, group, pod);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	for (int i = 0; i < CONTROLLER_COUNT && !r; i++) {
		if (!(h->has & 1U << i) || !limited(l, i) || *set & 1U << i)
			continue;
		r = set_limit(dir, h->v2, i, l);
		*set |= 1U << i;
	}
	return r;
}

int cgroup_make(const char *group, const char *pod, const struct cgroup_limits *l, struct err *e)
{
	struct hierarchies all;
	unsigned int set = 0;
	int r = find(&all, e);

	for (size_t i = 0; i < all.n && !r; i++) {
		r = make_one(&all.h[i], group, pod, l, &set);
		if (r < 0)
			return err_set(e, r, "cgroup %s/%s/%s: %s", all.h[i].dir, group, pod,
				       strerror(-r));
	}
	for (int i = 0; i < CONTROLLER_COUNT && !r; i++)
		if (limited(l, i) && !(set & 1U << i))
			return err_set(e, -ENOTSUP,
				       "no cgroup controller '%s' on this machine: leave out --%s",
				       controllers[i].name, controllers[i].option);
	return r;
}

int cgroup_enter(const char *group, const char *pod, struct err *e)
{
	struct hierarchies all;
	char dir[PATH_MAX];
	int r = find(&all, e);

	for (size_t i = 0; i < all.n && !r; i++) {
		(void)snprintf(dir, sizeof(dir), "%s/%s/%s", all.h[i].dir, group, pod);
		r = write_line(dir, "cgroup.procs", "0");
		if (r < 0)
			return err_set(e, r, "join cgroup %s: %s", dir, strerror(-r));
	}
	if (!r && all.n && unshare(CLONE_NEWCGROUP) < 0)
		return err_set(e, -errno, "cgroup namespace: %s", strerror(errno));
	return r;
}

int cgroup_show(const char *group, const char *pod, const char *root, struct err *e)
{
	int dirs[HIERARCHIES_MAX];
	struct hierarchies all;
	char path[PATH_MAX];
	int r = find(&all, e);

	if (r < 0 || !all.n)
		return r;
	/* by descriptor: the machine's own are about to be hidden */
	for (size_t i = 0; i < all.n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s/%s", all.h[i].dir, group, pod);
		dirs[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	(void)snprintf(path, sizeof(path), "%s%s", root, PLACE);
	if (mount("comosix-lab", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=755,size=64k") < 0)
		r = -errno;
	for (size_t i = 0; i < all.n && !r; i++) {
		char from[64];

		(void)snprintf(from, sizeof(from), "/proc/self/fd/%d", dirs[i]);
		(void)snprintf(path, sizeof(path), "%s%s", root, all.h[i].dir);
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			r = -errno;
		if (!r && mount(from, path, NULL, MS_BIND, NULL) < 0)
			r = -errno;
	}
	for (size_t i = 0; i < all.n; i++)
		fd_close(&dirs[i]);
	return r < 0 ? err_set(e, r, "mount '%s': %s", path, strerror(-r)) : 0;
}

/* a group stays busy for a moment after its last process is gone, and v1 has nothing to wait for */
static int remove_group(const char *dir, const struct stat *st, int type, struct FTW *f)
{
	uint64_t deadline_ms = clock_boot_ms() + SWEEP_TIMEOUT_MS;

	(void)st;
	(void)f;
	if (type != FTW_DP)
		return 0; /* a group's files go with it */
	while (rmdir(dir) < 0 && errno != ENOENT) {
		if (errno != EBUSY || clock_boot_ms() > deadline_ms)
			return -errno;
		(void)usleep(SWEEP_RETRY_US); /* interrupted: tried earlier */
	}
	return 0;
}

int cgroup_sweep(const char *group, struct err *e)
{
	struct hierarchies all;
	char dir[PATH_MAX];
	int r = find(&all, e);

	for (size_t i = 0; i < all.n && !r; i++) {
		(void)snprintf(dir, sizeof(dir), "%s/%s", all.h[i].dir, group);
		if (access(dir, F_OK) < 0)
			continue;
		r = nftw(dir, remove_group, SWEEP_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
		if (r < 0)
			return err_set(e, r, "remove cgroup %s: %s", dir, strerror(-r));
	}
	return r;
}
