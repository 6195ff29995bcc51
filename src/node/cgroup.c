/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup.c - limits for a group of processes, where the kernel offers them */
#include "node/cgroup.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/fd.h"
#include "os/file.h"

#define TEXT_MAX 262144

/* controllers that we use: name, the file of version 1, the file of version 2 */
enum controller {
	CONTROLLER_CPU,
	CONTROLLER_MEMORY,
	CONTROLLER_PIDS,
	N_CONTROLLERS,
};

static const struct {
	const char *name, *v1, *v2;
} controllers[N_CONTROLLERS] = {
	[CONTROLLER_CPU] = { "cpu", "cpu.shares", "cpu.weight" },
	[CONTROLLER_MEMORY] = { "memory", "memory.limit_in_bytes", "memory.max" },
	[CONTROLLER_PIDS] = { "pids", "pids.max", "pids.max" },
};

/* ---- where ---- */

/* is word one of the comma separated in list[0 .. len)? */
static bool has_word(const char *list, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list, *end = list + len; p < end; p++) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;

		if ((size_t)(stop - p) == n && !memcmp(p, word, n))
			return true;
		p = stop;
	}
	return false;
}

/* the path in a line "4:memory:/lab/n1" of /proc/self/cgroup; its length, 0 when there is none */
static size_t own_path(const char *own, const char *controller, const char **ret)
{
	for (const char *line = own; *line;) {
		size_t len = strcspn(line, "\n");
		const char *first = memchr(line, ':', len);
		const char *second = first ? memchr(first + 1, ':',
						    len - (size_t)(first + 1 - line))
					   : NULL;

		if (second) {
			size_t names = (size_t)(second - first) - 1;

			if (controller[0] ? has_word(first + 1, names, controller) : !names) {
				*ret = second + 1;
				return len - (size_t)(second + 1 - line);
			}
		}
		line += len + (line[len] == '\n');
	}
	return 0;
}

/* fields of a mountinfo line, proc(5): id parent dev ROOT POINT options ... - TYPE source SUPER */
struct mount {
	char root[CGROUP_PATH_MAX], point[CGROUP_PATH_MAX], type[32], super[256];
};

static bool parse_mount(const char *line, size_t len, struct mount *ret)
{
	char text[2048];
	const char *dash;

	if (len >= sizeof(text))
		return false;
	memcpy(text, line, len);
	text[len] = '\0';
	dash = strstr(text, " - ");
	return dash && sscanf(text, "%*s %*s %*s %511s %511s", ret->root, ret->point) == 2 &&
	       sscanf(dash, " - %31s %*s %255s", ret->type, ret->super) == 2;
}

static int join(const struct mount *m, const char *path, size_t len, char *ret)
{
	size_t root = strlen(m->root);
	int n;

	if (root == 1)
		root = 0; /* "/" */
	if (len < root || memcmp(path, m->root, root) != 0 || (len > root && path[root] != '/'))
		return -ENOENT; /* seen through a window that does not show us */
	path += root;
	len -= root;
	if (len == 1)
		len = 0;
	n = snprintf(ret, CGROUP_PATH_MAX, "%s%.*s", m->point, (int)len, path);
	return n > 0 && n < CGROUP_PATH_MAX ? 0 : -ENOENT;
}

int cgroup_own_dir(const char *mountinfo, const char *own, const char *controller, char *ret)
{
	const char *path;
	size_t len = own_path(own, controller, &path);
	int r = -ENOENT;

	/* a later mount may hide an earlier one, or be the only one that shows us */
	for (const char *line = mountinfo; len && *line;) {
		size_t n = strcspn(line, "\n");
		struct mount m;

		if (parse_mount(line, n, &m) &&
		    !strcmp(m.type, controller[0] ? "cgroup" : "cgroup2") &&
		    (!controller[0] || has_word(m.super, strlen(m.super), controller)))
			r = join(&m, path, len, ret) ? r : 0;
		line += n + (line[n] == '\n');
	}
	return r;
}

/* ---- what ---- */

static int write_file(const char *dir, const char *file, const char *text)
{
	char path[CGROUP_PATH_MAX + 64];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, file);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, text, strlen(text));
}

static uint64_t value_of(const struct cgroup_limits *l, enum controller c, bool v2)
{
	switch (c) {
	case CONTROLLER_CPU:
		/* shares 2 .. 262144 onto weights 1 .. 10000, as the kernel's documents do it */
		if (v2 && l->cpu_shares >= 2)
			return 1 + (uint64_t)(l->cpu_shares - 2) * 9999 / 262142;
		return l->cpu_shares;
	case CONTROLLER_MEMORY:
		return l->memory_bytes;
	case CONTROLLER_PIDS:
		return l->processes;
	case N_CONTROLLERS:
		break;
	}
	return 0;
}

/* a limit that cannot be set is not there: see the header */
static void set_limit(const char *dir, const struct cgroup_limits *l, enum controller c, bool v2)
{
	uint64_t value = value_of(l, c, v2);
	char text[32];

	if (!value)
		return;
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	(void)write_file(dir, v2 ? controllers[c].v2 : controllers[c].v1, text);
}

struct texts {
	struct buf mountinfo, own;
};

static void texts_done(struct texts *t)
{
	buf_done(&t->mountinfo);
	buf_done(&t->own);
}

/* files of /proc are regular for file_read(), and whole after one reading */
static int texts_read(struct texts *t)
{
	int r;

	buf_init(&t->mountinfo, TEXT_MAX);
	buf_init(&t->own, TEXT_MAX);
	r = file_read("/proc/self/mountinfo", &t->mountinfo, NULL);
	if (!r)
		r = file_read("/proc/self/cgroup", &t->own, NULL);
	if (!r && (!buf_text(&t->mountinfo) || !buf_text(&t->own)))
		r = -ENOMEM;
	if (r < 0)
		texts_done(t);
	return r;
}

/* the directory for a group of this name in the hierarchy of a controller ("": version 2) */
static int group_dir(struct texts *t, const char *controller, const char *name, char *ret)
{
	char own[CGROUP_PATH_MAX];
	int r = cgroup_own_dir(buf_text(&t->mountinfo), buf_text(&t->own), controller, own);
	int n;

	if (r < 0)
		return r;
	n = snprintf(ret, CGROUP_PATH_MAX, "%s/%s", own, name);
	return n > 0 && n < CGROUP_PATH_MAX ? 0 : -ENOENT;
}

static bool make_dir(const char *dir)
{
	return !mkdir(dir, 0755) || errno == EEXIST;
}

static void make_v1(struct texts *t, const char *name, const struct cgroup_limits *l,
		    struct cgroup *g)
{
	for (int c = 0; c < N_CONTROLLERS; c++) {
		char *dir = g->dirs[g->n];

		if (group_dir(t, controllers[c].name, name, dir) < 0 || !make_dir(dir))
			continue;
		set_limit(dir, l, (enum controller)c, false);
		g->n++;
	}
}

static void make_v2(struct texts *t, const char *name, const struct cgroup_limits *l,
		    struct cgroup *g)
{
	char own[CGROUP_PATH_MAX], *dir = g->dirs[0];

	if (group_dir(t, "", name, dir) < 0)
		return;
	(void)snprintf(own, sizeof(own), "%.*s", (int)(strlen(dir) - strlen(name) - 1), dir);
	/* refused while we are in it ourselves, unless it is the root: then only the grouping is
	 * had */
	(void)write_file(own, "cgroup.subtree_control", "+cpu +memory +pids");
	if (!make_dir(dir))
		return;
	for (int c = 0; c < N_CONTROLLERS; c++)
		set_limit(dir, l, (enum controller)c, true);
	g->n = 1;
}

void cgroup_make(const char *name, const struct cgroup_limits *limits, struct cgroup *ret)
{
	struct texts t;

	static_assert(N_CONTROLLERS <= CGROUP_DIRS_MAX, "one directory each");
	ret->n = 0;
	if (texts_read(&t) < 0)
		return;
	make_v1(&t, name, limits, ret);
	if (!ret->n)
		make_v2(&t, name, limits, ret);
	texts_done(&t);
}

void cgroup_remove(const char *name)
{
	char dir[CGROUP_PATH_MAX];
	struct texts t;

	if (texts_read(&t) < 0)
		return;
	for (int c = 0; c < N_CONTROLLERS; c++)
		if (!group_dir(&t, controllers[c].name, name, dir))
			(void)rmdir(dir); /* not there, or in use: as the contract says */
	if (!group_dir(&t, "", name, dir))
		(void)rmdir(dir); /* the same */
	texts_done(&t);
}

int cgroup_enter(const char *dir)
{
	return write_file(dir, "cgroup.procs", "0");
}

/* ---- groups that only say who belongs together ---- */

/* where they are: beside them nothing else of the name is made */
static int grouping_dir(struct texts *t, const char *name, char *ret)
{
	int r = group_dir(t, controllers[CONTROLLER_PIDS].name, name, ret);

	return r < 0 ? group_dir(t, "", name, ret) : r;
}

int cgroup_make_new(const char *name, char *ret)
{
	struct texts t;
	int r = texts_read(&t);

	if (r < 0)
		return r;
	r = grouping_dir(&t, name, ret);
	texts_done(&t);
	if (r < 0)
		return r;
	return mkdir(ret, 0755) < 0 ? -errno : 0;
}

bool cgroup_is_there(const char *name)
{
	char dir[CGROUP_PATH_MAX];
	struct texts t;
	int r;

	if (texts_read(&t) < 0)
		return true; /* nothing is known: nothing is to be taken away */
	r = grouping_dir(&t, name, dir);
	texts_done(&t);
	return !r && !access(dir, F_OK);
}

int cgroup_put(const char *dir, pid_t pid)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	return write_file(dir, "cgroup.procs", text);
}

static void sweep_dir(const char *dir, const char *prefix)
{
	DIR *all = opendir(dir);
	struct dirent *d;

	if (!all)
		return;
	while ((d = readdir(all)))
		if (!strncmp(d->d_name, prefix, strlen(prefix)))
			(void)unlinkat(dirfd(all), d->d_name, AT_REMOVEDIR); /* not when in use */
	(void)closedir(all);						     /* was only read */
}

void cgroup_sweep(const char *prefix)
{
	char dir[CGROUP_PATH_MAX]; /* the own group, with a slash at its end */
	struct texts t;

	if (texts_read(&t) < 0)
		return;
	for (int c = 0; c < N_CONTROLLERS; c++)
		if (!group_dir(&t, controllers[c].name, "", dir))
			sweep_dir(dir, prefix);
	if (!group_dir(&t, "", "", dir))
		sweep_dir(dir, prefix);
	texts_done(&t);
}
