/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobs.c - jobs: processes that were started by mosrun, with all they start */
#include "node/jobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

#include "log/log.h"
#include "loop/loop.h"
#include "node/cgroup.h"
#include "node/node.h"
#include "node/process.h"
#include "os/file.h"

#define SWEEP_MS	  30000
#define CHECKPOINT_FORMAT "checkpoint %u %" PRIu64 " " /* ms, bytes; the directory follows */
#define NAMES_MAX	  100000		       /* tries to find a number that is free */

struct jobs {
	struct node *node;
	struct ev_ref sweep;
	uint32_t next;
};

static void path_of(const struct jobs *j, const char *group, char *ret, size_t len)
{
	(void)snprintf(ret, len, "%s/jobs/%s", j->node->set.run, group);
}

/* what was declared for groups that are no more */
static void forget_specs(const struct jobs *j)
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
	forget_specs(j);
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

/* strings that each have their NUL: CHECKPOINT, if there is one, and paths */
static int write_spec(struct buf *b, const struct job_spec *spec)
{
	int r = 0;

	if (spec->checkpoint_ms) {
		if (spec->checkpoint_dir[0] != '/' || strlen(spec->checkpoint_dir) >= PATH_MAX)
			return -EINVAL;
		r = buf_printf(b, CHECKPOINT_FORMAT "%s", spec->checkpoint_ms, spec->checkpoint_max,
			       spec->checkpoint_dir);
		if (!r)
			r = buf_put_u8(b, 0);
	}
	for (size_t i = 0; !r && i < spec->n_paths; i++)
		r = spec->paths[i][0] == '/'
			    ? buf_put(b, spec->paths[i], strlen(spec->paths[i]) + 1)
			    : -EINVAL;
	return r;
}

static int keep_spec(const struct jobs *j, const char *group, const struct job_spec *spec,
		     struct err *e)
{
	char path[PATH_MAX];
	struct buf b;
	int r;

	if (spec->n_paths > JOB_PATHS_MAX)
		return err_set(e, -E2BIG, "more than %d paths", JOB_PATHS_MAX);
	buf_init(&b, JOB_SPEC_BYTES_MAX);
	r = write_spec(&b, spec);
	if (r < 0)
		r = err_set(e, r, "what was declared cannot be kept: %s", strerror(-r));
	path_of(j, "", path, sizeof(path));
	if (!r)
		r = dir_make(path, 0700, e);
	path_of(j, group, path, sizeof(path));
	if (!r)
		r = file_write_atomic(path, buf_bytes(&b), b.len, 0600, e);
	buf_done(&b);
	return r;
}

static void read_checkpoint(const char *text, struct job_spec *ret)
{
	unsigned int ms;
	uint64_t max;
	int at = 0;

	if (sscanf(text, CHECKPOINT_FORMAT "%n", &ms, &max, &at) < 2 || text[at] != '/')
		return;
	ret->checkpoint_ms = ms;
	ret->checkpoint_max = max;
	ret->checkpoint_dir = text + at;
}

void jobs_declared(const struct jobs *j, const char *group, struct buf *text, char **paths,
		   struct job_spec *ret)
{
	char path[PATH_MAX], *at, *end;

	*ret = (struct job_spec){ .paths = paths };
	path_of(j, group, path, sizeof(path));
	if (file_read(path, text, NULL) < 0)
		return; /* most have declared nothing */
	at = (char *)buf_bytes(text);
	end = at + text->len;
	for (; at && at < end && memchr(at, 0, (size_t)(end - at)); at += strlen(at) + 1) {
		if (at[0] != '/')
			read_checkpoint(at, ret);
		else if (ret->n_paths < JOB_PATHS_MAX)
			paths[ret->n_paths++] = at;
	}
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

int jobs_enter(struct jobs *j, pid_t pid, uid_t uid, const struct job_spec *spec, struct err *e)
{
	bool declares = spec->n_paths || spec->checkpoint_ms;
	char name[PROCESS_GROUP_MAX], dir[CGROUP_PATH_MAX];
	struct process p;
	int r = process_look(pid, &p, e);

	if (r < 0)
		return r;
	if (p.uid != uid)
		return err_set(e, -EPERM, "process %d is not yours", (int)pid);
	if (p.job != PROCESS_NO_JOB && declares)
		return err_set(e, -EPERM,
			       "it is in a job already, whose paths and checkpoints are declared");
	if (p.job == PROCESS_STAYS || (p.job == PROCESS_JOB && !spec->stay))
		return 0;
	r = make_group(j, uid, spec->stay, name, sizeof(name), dir);
	if (r < 0)
		return err_set(e, r,
			       "this machine lets nobody make a job: no cgroup can be made (%s)",
			       strerror(-r));
	if (declares)
		r = keep_spec(j, name, spec, e);
	if (!r) {
		r = cgroup_put(dir, pid);
		if (r < 0)
			(void)err_set(e, r, "process %d cannot be made a job: %s", (int)pid,
				      strerror(-r));
	}
	if (r < 0) {
		cgroup_remove(name);
		forget_specs(j);
		return r;
	}
	log_debug("process %d of uid %u is in %s", (int)pid, (unsigned int)uid, name);
	return 0;
}
