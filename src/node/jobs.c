/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobs.c - jobs: processes that were started by mosrun, with all they start */
#include "node/jobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "log/log.h"
#include "loop/loop.h"
#include "node/cgroup.h"
#include "node/node.h"
#include "node/process.h"
#include "os/file.h"

#define SWEEP_MS  30000
#define NAMES_MAX 100000 /* tries to find a number that is free */

struct jobs {
	struct node *node;
	struct ev_ref sweep;
	uint32_t next;
};

static void path_of(const struct jobs *j, const char *group, char *ret, size_t len)
{
	(void)snprintf(ret, len, "%s/jobs/%s", j->node->set.run, group);
}

/* the paths of groups that are no more */
static void forget_paths(const struct jobs *j)
{
	char path[PATH_MAX];
	struct dirent *d;
	DIR *dir;

	path_of(j, "", path, sizeof(path));
	dir = opendir(path);
	if (!dir)
		return; /* none was ever declared */
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && !cgroup_is_there(d->d_name))
			(void)unlinkat(dirfd(dir), d->d_name, 0); /* tried again the next time */
	(void)closedir(dir);					  /* was only read */
}

static void on_sweep(void *owner)
{
	struct jobs *j = owner;

	j->sweep = (struct ev_ref){ 0 };
	cgroup_sweep(JOB_GROUP);
	cgroup_sweep(STAY_GROUP);
	cgroup_sweep(GUEST_GROUP); /* of guests that took a moment longer to end than their agent */
	forget_paths(j);
	(void)!loop_add_timer(j->node->loop, loop_now(j->node->loop) + SWEEP_MS, on_sweep, j,
			      &j->sweep);
}

int jobs_new(struct node *n, struct jobs **ret, struct err *e)
{
	struct jobs *j = calloc(1, sizeof(*j));

	if (!j)
		return err_set(e, -ENOMEM, "out of memory");
	j->node = n;
	on_sweep(j);
	*ret = j;
	return 0;
}

void jobs_free(struct jobs *j)
{
	if (!j)
		return;
	loop_remove(j->node->loop, &j->sweep);
	free(j);
}

static int keep_paths(const struct jobs *j, const char *group, char *const *paths, size_t n,
		      struct err *e)
{
	char path[PATH_MAX];
	struct buf b;
	int r = 0;

	if (n > JOB_PATHS_MAX)
		return err_set(e, -E2BIG, "more than %d paths", JOB_PATHS_MAX);
	buf_init(&b, JOB_PATHS_BYTES_MAX);
	for (size_t i = 0; !r && i < n; i++)
		r = paths[i][0] == '/' ? buf_put(&b, paths[i], strlen(paths[i]) + 1) : -EINVAL;
	if (r < 0)
		r = err_set(e, r, "the paths cannot be kept: %s", strerror(-r));
	path_of(j, "", path, sizeof(path));
	if (!r)
		r = dir_make(path, 0700, e);
	path_of(j, group, path, sizeof(path));
	if (!r)
		r = file_write_atomic(path, buf_bytes(&b), b.len, 0600, e);
	buf_done(&b);
	return r;
}

void jobs_paths(const struct jobs *j, const char *group, struct buf *to)
{
	char path[PATH_MAX];

	path_of(j, group, path, sizeof(path));
	(void)!file_read(path, to, NULL); /* most have declared none */
}

static int make_group(struct jobs *j, uid_t uid, bool stay, char *ret_name, size_t len,
		      char *ret_dir)
{
	int r = -EEXIST;

	for (int i = 0; r == -EEXIST && i < NAMES_MAX; i++) {
		(void)snprintf(ret_name, len, "%s%u-%u", stay ? STAY_GROUP : JOB_GROUP,
			       (unsigned int)uid, j->next++);
		r = cgroup_make_new(ret_name, ret_dir);
	}
	return r;
}

int jobs_enter(struct jobs *j, pid_t pid, uid_t uid, bool stay, char *const *paths, size_t n_paths,
	       struct err *e)
{
	char name[PROCESS_GROUP_MAX], dir[CGROUP_PATH_MAX];
	struct process p;
	int r = process_look(pid, &p, e);

	if (r < 0)
		return r;
	if (p.uid != uid)
		return err_set(e, -EPERM, "process %d is not yours", (int)pid);
	if (p.job != PROCESS_NO_JOB && n_paths)
		return err_set(e, -EPERM, "it is in a job already, whose paths are declared");
	if (p.job == PROCESS_STAYS || (p.job == PROCESS_JOB && !stay))
		return 0;
	r = make_group(j, uid, stay, name, sizeof(name), dir);
	if (r < 0)
		return err_set(e, r,
			       "this machine lets nobody make a job: no cgroup can be made (%s)",
			       strerror(-r));
	if (n_paths)
		r = keep_paths(j, name, paths, n_paths, e);
	if (!r) {
		r = cgroup_put(dir, pid);
		if (r < 0)
			(void)err_set(e, r, "process %d cannot be made a job: %s", (int)pid,
				      strerror(-r));
	}
	if (r < 0) {
		cgroup_remove(name);
		forget_paths(j);
		return r;
	}
	log_debug("process %d of uid %u is in %s", (int)pid, (unsigned int)uid, name);
	return 0;
}
