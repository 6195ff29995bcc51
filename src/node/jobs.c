/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobs.c - jobs: processes that were started by mosrun, with all they start */
#include "node/jobs.h"

#include <errno.h>

#include "log/log.h"
#include "loop/loop.h"
#include "node/cgroup.h"
#include "node/node.h"
#include "node/process.h"

#define SWEEP_MS  30000
#define NAMES_MAX 100000 /* tries to find a number that is free */

struct jobs {
	struct node *node;
	struct ev_ref sweep;
	uint32_t next;
};

static void on_sweep(void *owner)
{
	struct jobs *j = owner;

	j->sweep = (struct ev_ref){ 0 };
	cgroup_sweep(JOB_GROUP);
	cgroup_sweep(STAY_GROUP);
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

int jobs_enter(struct jobs *j, pid_t pid, uid_t uid, bool stay, struct err *e)
{
	char name[64], dir[CGROUP_PATH_MAX];
	struct process p;
	int r = process_look(pid, &p, e);

	if (r < 0)
		return r;
	if (p.uid != uid)
		return err_set(e, -EPERM, "process %d is not yours", (int)pid);
	if (p.job == PROCESS_STAYS || (p.job == PROCESS_JOB && !stay))
		return 0;
	for (int i = 0; i < NAMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%s%u-%u", stay ? STAY_GROUP : JOB_GROUP,
			       (unsigned int)uid, j->next++);
		r = cgroup_make_new(name, dir);
		if (r != -EEXIST)
			break;
	}
	if (r < 0)
		return err_set(e, r,
			       "this machine lets nobody make a job: no cgroup can be made (%s)",
			       strerror(-r));
	r = cgroup_put(dir, pid);
	if (r < 0) {
		cgroup_remove(name);
		return err_set(e, r, "process %d cannot be made a job: %s", (int)pid, strerror(-r));
	}
	log_debug("process %d of uid %u is in %s", (int)pid, (unsigned int)uid, name);
	return 0;
}
