/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup.c - limits of a pod: CPUs and memory, cgroup v2 or v1 */
#include "lab/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "os/clock.h"
#include "os/fd.h"

#define PERIOD_US	    100000
#define SWEEP_TIMEOUT_MS    3000
#define SWEEP_RETRY_US	    5000
#define CONTROLLER_LINE_MAX 512

enum controller_id {
	CONTROLLER_CPU,
	CONTROLLER_MEMORY,
	CONTROLLER_COUNT
};

/* what a limit is called and how it is written in either version */
static const struct controller {
	const char *name, *v1_file, *v2_file;
} controllers[CONTROLLER_COUNT] = {
	[CONTROLLER_CPU] = { "cpu", "cpu.cfs_quota_us", "cpu.max" },
	[CONTROLLER_MEMORY] = { "memory", "memory.limit_in_bytes", "memory.max" },
};

struct place {
	char dir[PATH_MAX]; /* mount point of the hierarchy, "" when the controller is nowhere */
	bool v2;
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

static int read_line(const char *dir, const char *file, char *to, size_t max)
{
	char path[PATH_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	n = read(fd, to, max - 1);
	if (n < 0)
		return -errno;
	to[n] = '\0';
	return 0;
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

/* where each controller is; a v2 hierarchy that has it wins */
static int find_places(struct place places[CONTROLLER_COUNT], struct err *e)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;

	memset(places, 0, CONTROLLER_COUNT * sizeof(*places));
	if (!f)
		return err_set(e, -errno, "/proc/self/mounts: %s", strerror(errno));
	while ((m = getmntent(f))) {
		char has[CONTROLLER_LINE_MAX] = "";
		bool v2 = !strcmp(m->mnt_type, "cgroup2");

		if (!v2 && strcmp(m->mnt_type, "cgroup") != 0)
			continue;
		if (v2 && read_line(m->mnt_dir, "cgroup.controllers", has, sizeof(has)) < 0)
			continue;
		for (int i = 0; i < CONTROLLER_COUNT; i++) {
			if (!word_in(controllers[i].name, v2 ? has : m->mnt_opts, v2 ? " \n" : ","))
				continue;
			if (places[i].dir[0] && !v2)
				continue;
			(void)snprintf(places[i].dir, sizeof(places[i].dir), "%s", m->mnt_dir);
			places[i].v2 = v2;
		}
	}
	(void)endmntent(f); /* always 1 */
	return 0;
}

static bool limited(const struct cgroup_limits *l, int controller)
{
	return controller == CONTROLLER_CPU ? l->cpus > 0 : l->memory > 0;
}

static void limit_text(const struct cgroup_limits *l, int controller, bool v2, char *to, size_t max)
{
	long quota_us = (long)(l->cpus * PERIOD_US);

	if (controller == CONTROLLER_MEMORY)
		(void)snprintf(to, max, "%" PRIu64, l->memory);
	else if (v2)
		(void)snprintf(to, max, "%ld %d", quota_us < 1000 ? 1000 : quota_us, PERIOD_US);
	else
		(void)snprintf(to, max, "%ld", quota_us < 1000 ? 1000 : quota_us);
}

static int make_one(const struct place *at, int controller, const char *group, const char *pod,
		    const struct cgroup_limits *l)
{
	const struct controller *c = &controllers[controller];
	char dir[PATH_MAX], text[64];

	(void)snprintf(text, sizeof(text), "+%s", c->name);
	/* may be on already, or be another's business; if it stays off, the limit's file is missing
	 */
	if (at->v2)
		(void)write_line(at->dir, "cgroup.subtree_control", text);
	(void)snprintf(dir, sizeof(dir), "%s/%s", at->dir, group);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (at->v2)
		(void)write_line(dir, "cgroup.subtree_control", text);
	(void)snprintf(dir, sizeof(dir), "%s/%s/%s", at->dir, group, pod);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	limit_text(l, controller, at->v2, text, sizeof(text));
	return write_line(dir, at->v2 ? c->v2_file : c->v1_file, text);
}

int cgroup_make(const char *group, const char *pod, const struct cgroup_limits *l, struct err *e)
{
	struct place places[CONTROLLER_COUNT];
	int r;

	if (!l->memory && l->cpus <= 0)
		return 0;
	r = find_places(places, e);
	for (int i = 0; i < CONTROLLER_COUNT && !r; i++) {
		if (!limited(l, i))
			continue;
		if (!places[i].dir[0])
			return err_set(e, -ENOTSUP,
				       "no cgroup controller '%s' on this machine: leave out --%s",
				       controllers[i].name,
				       i == CONTROLLER_CPU ? "cpus" : "memory");
		r = make_one(&places[i], i, group, pod, l);
		if (r < 0)
			return err_set(e, r, "cgroup %s/%s/%s: %s", places[i].dir, group, pod,
				       strerror(-r));
	}
	return r;
}

int cgroup_join(const char *group, const char *pod, const struct cgroup_limits *l, struct err *e)
{
	struct place places[CONTROLLER_COUNT];
	char dir[PATH_MAX];
	int r;

	if (!l->memory && l->cpus <= 0)
		return 0;
	r = find_places(places, e);
	for (int i = 0; i < CONTROLLER_COUNT && !r; i++) {
		if (!limited(l, i))
			continue;
		(void)snprintf(dir, sizeof(dir), "%s/%s/%s", places[i].dir, group, pod);
		r = write_line(dir, "cgroup.procs", "0");
		if (r < 0)
			return err_set(e, r, "join cgroup %s: %s", dir, strerror(-r));
	}
	return r;
}

/* a group stays busy for a moment after its last process is gone */
static int remove_group(const char *dir, uint64_t deadline_ms)
{
	while (rmdir(dir) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || clock_boot_ms() > deadline_ms)
			return -errno;
		(void)usleep(SWEEP_RETRY_US); /* v1 has nothing to wait for */
	}
	return 0;
}

static int sweep_one(const char *root, const char *group, struct err *e)
{
	uint64_t deadline_ms = clock_boot_ms() + SWEEP_TIMEOUT_MS;
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent *d;
	int r = 0;
	DIR *list;

	(void)snprintf(dir, sizeof(dir), "%s/%s", root, group);
	list = opendir(dir);
	if (!list)
		return 0;
	while (!r && (d = readdir(list))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		r = remove_group(path, deadline_ms);
	}
	(void)closedir(list); /* read only */
	r = r ? r : remove_group(dir, deadline_ms);
	return r < 0 ? err_set(e, r, "remove cgroup %s: %s", dir, strerror(-r)) : 0;
}

int cgroup_sweep(const char *group, struct err *e)
{
	struct place places[CONTROLLER_COUNT];
	int r = find_places(places, e);

	for (int i = 0; i < CONTROLLER_COUNT && !r; i++)
		if (places[i].dir[0])
			r = sweep_one(places[i].dir, group, e);
	return r;
}
