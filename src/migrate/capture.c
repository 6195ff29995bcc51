/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "migrate/clock.h"
#include "migrate/cpu.h"
#include "migrate/interrupted.h"
#include "migrate/remap.h"
#include "os/file.h"
#include "tracee/maps.h"

#define PERSONALITY_ASK 0xffffffffUL
#define ACTION_BYTES	32 /* kernel_sigaction of x86-64 */
#define SIGSET_BYTES	8

static int thread_name(pid_t tid, char *to, struct err *e)
{
	struct proc_stat st;
	int r = proc_stat_read(tid, &st, e);

	if (!r)
		(void)snprintf(to, IMAGE_NAME_MAX, "%s", st.name);
	return r;
}

/* a mask of all CPUs binds it to none */
static void capture_cpus(pid_t tid, uint32_t n_cpus, struct image_thread *t)
{
	cpu_set_t set;

	if (sched_getaffinity(tid, sizeof(set), &set) < 0 || (uint32_t)CPU_COUNT(&set) >= n_cpus)
		return; /* more CPUs than fit: then as well */
	for (unsigned int i = 0; i < IMAGE_CPU_WORDS * 64; i++)
		if (CPU_ISSET(i, &set))
			t->cpus[i / 64] |= 1ULL << (i % 64);
}

static int capture_xstate(pid_t tid, struct image_thread *t)
{
	size_t len = IMAGE_XSTATE_MAX;
	int r;

	t->xstate = malloc(IMAGE_XSTATE_MAX);
	if (!t->xstate)
		return -ENOMEM;
	r = tracee_get_xstate(tid, t->xstate, &len);
	t->xstate_len = (uint32_t)len;
	return r;
}

static int capture_thread(pid_t tid, enum capture_side side, struct image *m, struct err *e)
{
	struct image_thread *t = image_add_thread(m);
	struct user_regs_struct regs;
	struct tracee_rseq rseq;
	int r;

	if (!t)
		return err_set(e, -E2BIG, "it has more than %d threads", IMAGE_THREADS_MAX);
	t->tid = (uint32_t)tid;
	r = tracee_get_regs(tid, &regs);
	if (!r)
		r = interrupted_rewind(tid, side, &regs, t);
	if (!r)
		r = tracee_set_regs(tid, &regs);
	if (!r)
		r = capture_xstate(tid, t);
	if (!r)
		r = tracee_get_sigmask(tid, &t->sigmask);
	if (!r)
		r = tracee_get_rseq(tid, &rseq);
	if (!r)
		r = tracee_get_robust_list(tid, &t->robust_list, &t->robust_size);
	if (r < 0)
		return err_set(e, r, "read the registers of thread %d: %s", tid, strerror(-r));
	if (side == CAPTURE_HOME)
		capture_cpus(tid, m->n_cpus, t);
	t->rseq_address = rseq.address;
	t->rseq_size = rseq.address ? rseq.size : 0;
	t->rseq_signature = rseq.address ? rseq.signature : 0;
	return thread_name(tid, t->name, e);
}

int capture_threads(const pid_t *tids, size_t n, enum capture_side side, struct image *ret,
		    struct err *e)
{
	int r = 0;

	ret->n_cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	for (size_t i = 0; !r && i < n; i++)
		r = capture_thread(tids[i], side, ret, e);
	return r;
}

static const struct {
	uint32_t maps, image;
} flag_map[] = {
	{ MAPS_SHARED, IMAGE_MAP_SHARED },	   { MAPS_GROWSDOWN, IMAGE_MAP_GROWSDOWN },
	{ MAPS_DONTFORK, IMAGE_MAP_DONTFORK },	   { MAPS_DONTDUMP, IMAGE_MAP_DONTDUMP },
	{ MAPS_WIPEONFORK, IMAGE_MAP_WIPEONFORK }, { MAPS_HUGEPAGE, IMAGE_MAP_HUGEPAGE },
	{ MAPS_NOHUGEPAGE, IMAGE_MAP_NOHUGEPAGE }, { MAPS_NORESERVE, IMAGE_MAP_NORESERVE },
	{ MAPS_LOCKED, IMAGE_MAP_LOCKED },	   { MAPS_READONLY, IMAGE_MAP_READONLY },
};

static const struct {
	const char *name;
	uint32_t flag;
} special_names[] = {
	{ "[vdso]", IMAGE_MAP_VDSO },		{ "[vvar]", IMAGE_MAP_VDSO },
	{ "[vvar_vclock]", IMAGE_MAP_VDSO },	{ "[vsyscall]", IMAGE_MAP_VSYSCALL },
	{ REMAP_EMPTY_FILE, IMAGE_MAP_BEYOND },
};

static int add_mapping(struct image *m, const struct maps_entry *v, struct err *e)
{
	struct image_mapping *to = image_add_mapping(m);

	if (!to)
		return err_set(e, -E2BIG, "it has more than %d mappings", IMAGE_MAPPINGS_MAX);
	*to = (struct image_mapping){
		.start = v->start,
		.end = v->end,
		.prot = v->prot,
		.offset = v->offset,
		.inode = v->inode,
		.major = v->major,
		.minor = v->minor,
	};
	for (size_t i = 0; i < ARRAY_LEN(flag_map); i++)
		if (v->flags & flag_map[i].maps)
			to->flags |= flag_map[i].image;
	for (size_t i = 0; i < ARRAY_LEN(special_names); i++)
		if (!strcmp(v->name, special_names[i].name))
			to->flags |= special_names[i].flag;
	if (v->inode)
		to->flags |= IMAGE_MAP_FILE;
	if ((to->flags & IMAGE_MAP_VDSO) && (!m->vdso_start || v->start < m->vdso_start))
		m->vdso_start = v->start;
	return 0;
}

/* the kernel may have joined our region with a mapping beside it */
static int add_around(struct image *m, const struct maps_entry *v, uint64_t hide_start,
		      uint64_t hide_end, struct err *e)
{
	struct maps_entry part = *v;
	int r = 0;

	if (v->start >= hide_end || v->end <= hide_start)
		return add_mapping(m, v, e);
	part.end = hide_start;
	if (part.start < part.end)
		r = add_mapping(m, &part, e);
	part.start = hide_end;
	part.end = v->end;
	if (!r && part.start < part.end)
		r = add_mapping(m, &part, e);
	return r;
}

/*
 * The mapping that this one was when it was known: the first that is in its place. A stack may begin
 * lower now, and memory may have grown at both ends; of what has become less only that may be the same
 * which nobody can touch, for another mapping may have been made in the place of a part.
 */
static const struct image_mapping *find_known(const struct image *known, size_t *i,
					      const struct image_mapping *now)
{
	const struct image_mapping *v;

	while (*i < known->n_mappings && known->mappings[*i].end <= now->start)
		(*i)++;
	v = *i < known->n_mappings ? &known->mappings[*i] : NULL;
	if (!v || v->start >= now->end)
		return NULL;
	return (now->start <= v->start && v->end <= now->end) || !now->prot ||
			       now->flags & (IMAGE_MAP_FILE | IMAGE_MAP_SHARED)
		       ? v
		       : NULL;
}

/* flags that smaps tells and maps does not */
static uint32_t known_flags(const struct image *known, size_t *i, const struct image_mapping *now)
{
	const uint32_t told = IMAGE_MAP_SHARED | IMAGE_MAP_FILE | IMAGE_MAP_VDSO |
			      IMAGE_MAP_VSYSCALL | IMAGE_MAP_BEYOND;
	const struct image_mapping *v = find_known(known, i, now);

	return v ? v->flags & ~told : 0;
}

/* something else is mapped now where a file was that could only be read */
static bool is_other(const struct image_mapping *v)
{
	return !(v->flags & IMAGE_MAP_SHARED) || v->prot & PROT_WRITE;
}

int capture_mappings(const struct maps *maps, uint64_t hide_start, uint64_t hide_end,
		     const struct image *known, struct image *ret, struct err *e)
{
	size_t k = 0;
	int r = 0;

	ret->n_mappings = 0;
	ret->vdso_start = 0;
	for (size_t i = 0; !r && i < maps->n; i++) {
		size_t first = ret->n_mappings;

		r = add_around(ret, &maps->entries[i], hide_start, hide_end, e);
		for (size_t j = first; known && j < ret->n_mappings; j++) {
			ret->mappings[j].flags |= known_flags(known, &k, &ret->mappings[j]);
			if (is_other(&ret->mappings[j]))
				ret->mappings[j].flags &= ~(uint32_t)IMAGE_MAP_READONLY;
		}
	}
	return r;
}

/*
 * Is there something that was not known at all? Private memory without a file may be a stack, and of
 * shared memory it is not known whether it can ever be written.
 */
static bool has_unknown(const struct image *known, const struct image *m)
{
	size_t k = 0;

	for (size_t i = 0; i < m->n_mappings; i++) {
		const struct image_mapping *v = &m->mappings[i];

		if (!find_known(known, &k, v) &&
		    (v->flags & IMAGE_MAP_SHARED ||
		     !(v->flags & (IMAGE_MAP_FILE | IMAGE_MAP_VDSO | IMAGE_MAP_VSYSCALL))))
			return true;
	}
	return false;
}

static int read_mappings(pid_t pid, uint64_t hide_start, uint64_t hide_end,
			 const struct image *known, struct image *ret, struct err *e)
{
	struct maps maps;
	int r = maps_read(pid, !known, &maps, e);

	if (r < 0)
		return r;
	r = capture_mappings(&maps, hide_start, hide_end, known, ret, e);
	maps_done(&maps);
	return r;
}

/* an empty file of remap.c stands only where one was built; a program may have one of that name */
static void check_beyond(const struct image *known, struct image *m)
{
	size_t k = 0;

	for (size_t i = 0; i < m->n_mappings; i++) {
		struct image_mapping *v = &m->mappings[i];

		if (!(v->flags & IMAGE_MAP_BEYOND))
			continue;
		while (k < known->n_mappings && known->mappings[k].end <= v->start)
			k++;
		if (k == known->n_mappings || known->mappings[k].start > v->start ||
		    !(known->mappings[k].flags & IMAGE_MAP_BEYOND))
			v->flags &= ~(uint32_t)IMAGE_MAP_BEYOND;
	}
}

int capture_maps(pid_t pid, uint64_t hide_start, uint64_t hide_end, const struct image *known,
		 struct image *ret, struct err *e)
{
	static const struct image nothing;
	int r = read_mappings(pid, hide_start, hide_end, known, ret, e);

	if (!r && known && has_unknown(known, ret))
		r = read_mappings(pid, hide_start, hide_end, NULL, ret, e);
	check_beyond(known ? known : &nothing, ret);
	return r;
}

/* where in the batch's data the answers are, and which call of the batch gives them */
struct questions {
	uint64_t actions, virtual_timer, prof_timer;
	uint64_t clear_tid[IMAGE_THREADS_MAX], altstack[IMAGE_THREADS_MAX];
	int brk, personality, thp;
};

static int ask_process(struct batch *b, struct questions *q)
{
	int r = batch_data(b, NULL, (size_t)IMAGE_SIGNALS * ACTION_BYTES, &q->actions);

	if (!r)
		r = batch_data(b, NULL, sizeof(struct itimerval), &q->virtual_timer);
	if (!r)
		r = batch_data(b, NULL, sizeof(struct itimerval), &q->prof_timer);
	for (int i = 0; r >= 0 && i < IMAGE_SIGNALS; i++)
		r = batch_add(b, SYS_rt_sigaction, (uint64_t)i + 1, 0,
			      q->actions + (uint64_t)i * ACTION_BYTES, SIGSET_BYTES, 0, 0);
	if (r >= 0)
		r = batch_add(b, SYS_getitimer, ITIMER_VIRTUAL, q->virtual_timer, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_add(b, SYS_getitimer, ITIMER_PROF, q->prof_timer, 0, 0, 0, 0);
	if (r >= 0)
		r = q->brk = batch_add(b, SYS_brk, 0, 0, 0, 0, 0, 0);
	if (r >= 0)
		r = q->personality = batch_add(b, SYS_personality, PERSONALITY_ASK, 0, 0, 0, 0, 0);
	if (r >= 0)
		r = q->thp = batch_add(b, SYS_prctl, PR_GET_THP_DISABLE, 0, 0, 0, 0, 0);
	return r < 0 ? r : 0;
}

static int take_actions(const struct batch *b, uint64_t at, struct image *m)
{
	uint64_t raw[IMAGE_SIGNALS][4];
	int r = batch_read(b, at, raw, sizeof(raw));

	for (size_t i = 0; !r && i < IMAGE_SIGNALS; i++)
		m->actions[i] = (struct image_action){ raw[i][0], raw[i][1], raw[i][2], raw[i][3] };
	return r;
}

static uint64_t microseconds(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

static int take_timer(const struct batch *b, uint64_t at, uint64_t ret[2])
{
	struct itimerval v;
	int r = batch_read(b, at, &v, sizeof(v));

	if (!r) {
		ret[0] = microseconds(&v.it_value);
		ret[1] = microseconds(&v.it_interval);
	}
	return r;
}

static int take_process(const struct batch *b, const struct questions *q, struct image *m)
{
	int r = take_actions(b, q->actions, m);

	if (!r)
		r = take_timer(b, q->virtual_timer, m->virtual_timer);
	if (!r)
		r = take_timer(b, q->prof_timer, m->prof_timer);
	m->mm.brk = (uint64_t)batch_result(b, q->brk);
	m->personality = (uint64_t)batch_result(b, q->personality) & 0xffffffff;
	m->thp_disable = batch_result(b, q->thp) == 1;
	return r;
}

/* each thread must ask for itself */
static int ask_thread(struct batch *b, struct image_thread *t, struct err *e)
{
	uint64_t clear_tid, altstack;
	stack_t alt;
	int slack = 0, r;

	batch_clear(b);
	r = batch_data(b, NULL, sizeof(uint64_t), &clear_tid);
	if (!r)
		r = batch_data(b, NULL, sizeof(alt), &altstack);
	if (!r)
		r = batch_add(b, SYS_prctl, PR_GET_TID_ADDRESS, clear_tid, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_add(b, SYS_sigaltstack, 0, altstack, 0, 0, 0, 0);
	if (r >= 0)
		r = slack = batch_add(b, SYS_prctl, PR_GET_TIMERSLACK, 0, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_run(b, (pid_t)t->tid, e);
	if (r < 0)
		return r;
	if (batch_first_failure(b) >= 0)
		return err_set(e, -EIO, "thread %u cannot be asked for its state", t->tid);
	r = batch_read(b, clear_tid, &t->clear_tid, sizeof(t->clear_tid));
	if (!r)
		r = batch_read(b, altstack, &alt, sizeof(alt));
	t->altstack_address = (uint64_t)alt.ss_sp;
	t->altstack_size = alt.ss_size;
	t->altstack_flags = (uint32_t)alt.ss_flags;
	t->timer_slack_ns = (uint64_t)batch_result(b, slack);
	return r;
}

static void take_mm(const struct proc_stat *st, struct image *m)
{
	uint64_t brk = m->mm.brk;

	m->mm = (struct image_mm){
		.start_code = st->start_code,
		.end_code = st->end_code,
		.start_data = st->start_data,
		.end_data = st->end_data,
		.start_brk = st->start_brk,
		.brk = brk,
		.start_stack = st->start_stack,
		.arg_start = st->arg_start,
		.arg_end = st->arg_end,
		.env_start = st->env_start,
		.env_end = st->env_end,
	};
	m->pid = (uint32_t)st->pid;
	m->uid = st->uid[0];
	m->gid = st->gid[0];
	m->no_new_privs = st->no_new_privs;
	(void)snprintf(m->name, sizeof(m->name), "%s", st->name);
}

int capture_process(struct batch *b, uint64_t hide_start, uint64_t hide_end,
		    const struct image *known, struct image *ret, struct err *e)
{
	pid_t pid = (pid_t)ret->threads[0].tid;
	struct questions q;
	struct proc_stat st;
	struct clocks clocks;
	int r;

	batch_clear(b);
	r = ask_process(b, &q);
	if (!r)
		r = batch_run(b, pid, e);
	if (!r)
		r = take_process(b, &q, ret);
	for (size_t i = 0; !r && i < ret->n_threads; i++)
		r = ask_thread(b, &ret->threads[i], e);
	batch_clear(b);
	if (r < 0)
		return err_prefix(e, "ask process %d for its state", pid);
	r = proc_stat_read(pid, &st, e);
	if (!r)
		r = capture_maps(pid, hide_start, hide_end, known, ret, e);
	if (r < 0)
		return r;
	take_mm(&st, ret);
	ret->xcr0 = cpu_xcr0();
	r = vdso_digest(pid, ret->vdso_digest, e);
	if (r < 0)
		return r;
	clocks_read(&clocks);
	ret->monotonic_ns = clocks.monotonic_ns;
	ret->boottime_ns = clocks.boottime_ns;
	return 0;
}
