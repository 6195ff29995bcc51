/* SPDX-License-Identifier: GPL-2.0-or-later */
/* box.c - start comosix-box, which does the work (node/box/) */
#include "node/box.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "node/cgroup.h"
#include "os/spawn.h"

#define SCRATCH_DEFAULT	  (256ULL << 20)
#define PROCESSES_DEFAULT 64
#define SHARES_DEFAULT	  102
#define ARGS_MAX	  64 /* of comosix-box itself */
#define PROGRAM_ARGS_MAX  64
#define NUMBER_MAX	  24

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

/* comosix-box's command line; the strings are the spec's, or in numbers */
struct args {
	const char *argv[ARGS_MAX + PROGRAM_ARGS_MAX + 1];
	size_t n;
	char numbers[8][NUMBER_MAX];
	size_t n_numbers;
};

static void put(struct args *a, const char *option, const char *value)
{
	a->argv[a->n++] = option;
	a->argv[a->n++] = value;
}

static void put_number(struct args *a, const char *option, uint64_t value)
{
	char *text = a->numbers[a->n_numbers++];

	(void)snprintf(text, NUMBER_MAX, "%llu", (unsigned long long)value);
	put(a, option, text);
}

static uint32_t uid_base(const struct box_spec *s)
{
	return s->uid_base ? s->uid_base : BOX_UID_BASE;
}

static int fill_args(const struct box_spec *s, const struct cgroup *g, struct args *a)
{
	size_t i;

	a->argv[a->n++] = BOX_PROGRAM;
	put_number(a, "--uid", uid_base(s) + s->slot);
	put_number(a, "--gid", uid_base(s));
	put_number(a, "--scratch", s->scratch_bytes ? s->scratch_bytes : SCRATCH_DEFAULT);
	put_number(a, "--processes", s->processes ? s->processes : PROCESSES_DEFAULT);
	if (s->memory_bytes)
		put_number(a, "--memory", s->memory_bytes);
	if (s->cache)
		put(a, "--cache", s->cache);
	for (i = 0; i < g->n; i++)
		put(a, i == 0 ? "--cgroup" : i == 1 ? "--cgroup2" : "--cgroup3", g->dirs[i]);
	if (s->idle)
		a->argv[a->n++] = "--idle";
	a->argv[a->n++] = "--";
	a->argv[a->n++] = s->program;
	for (i = 0; s->argv[i]; i++) {
		if (i == PROGRAM_ARGS_MAX - 1)
			return -E2BIG;
		a->argv[a->n++] = s->argv[i];
	}
	return 0;
}

static void group_name(uint32_t uid, char *to, size_t len)
{
	(void)snprintf(to, len, "comosix-box-%u", uid);
}

int box_spawn(const struct box_spec *spec, struct box *ret, struct err *e)
{
	const struct cgroup_limits limits = {
		.cpu_shares = spec->cpu_shares ? spec->cpu_shares : SHARES_DEFAULT,
		.memory_bytes = spec->memory_bytes,
		.processes = spec->processes ? spec->processes : PROCESSES_DEFAULT,
	};
	struct box b = { .uid = uid_base(spec) + spec->slot };
	struct args args = { 0 };
	struct cgroup group;
	char name[64];
	int r;

	if (spec->slot >= BOX_SLOTS_MAX || spec->program[0] != '/' || !spec->argv[0] ||
	    uid_base(spec) < 1000)
		return err_set(e, -EINVAL, "a box cannot be like this: slot %u, program '%s'",
			       spec->slot, spec->program);
	if (geteuid() != 0)
		return err_set(e, -EPERM, "only root can make a box for '%s'", spec->program);
	group_name(b.uid, name, sizeof(name));
	cgroup_make(name, &limits, &group);
	r = fill_args(spec, &group, &args);
	if (r < 0)
		r = err_set(e, r, "too many arguments for '%s'", spec->program);
	if (!r) {
		const struct spawn s = {
			.path = spec->box_program,
			.argv = args.argv,
			.env = spec->env,
			.fds = { spec->stream, spec->stream, spec->log },
			.namespaces = NAMESPACES,
			.death_signal = SIGKILL,
		};

		r = spawn_program(&s, &b.pid, e);
	}
	if (r < 0) {
		cgroup_remove(name);
		return r;
	}
	*ret = b;
	return 0;
}

void box_kill(const struct box *b)
{
	if (b->pid > 0)
		(void)kill(b->pid, SIGKILL); /* fails only when it has ended */
}

void box_done(struct box *b)
{
	char name[64];

	if (b->pid <= 0)
		return;
	group_name(b->uid, name, sizeof(name));
	cgroup_remove(name);
	*b = (struct box){ 0 };
}

void box_sweep(uint32_t base)
{
	char name[64];

	for (uint32_t slot = 0; slot < BOX_SLOTS_MAX; slot++) {
		group_name((base ? base : BOX_UID_BASE) + slot, name, sizeof(name));
		cgroup_remove(name);
	}
}
