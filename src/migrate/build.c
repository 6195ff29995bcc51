/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/build.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migrate/region.h"
#include "migrate/remap.h"
#include "migrate/set_state.h"
#include "os/fd.h"

#define ARCH_MAP_VDSO_64     0x2003 /* asm/prctl.h; maps [vvar] [vvar_vclock] [vdso] as one */
#define RSEQ_FLAG_UNREGISTER 1
#define ROBUST_HEAD_BYTES    24
#define WAIT_KILLABLE_RECV   (1UL << 5) /* linux/seccomp.h of 5.19 */
#define NOTIFY_SET_FLAGS     _IOW('!', 4, uint64_t)
#define NOTIFY_SYNC_WAKE_UP  1UL /* 6.6 */
#define THREAD_FLAGS                                                                               \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define TRACE_OPTIONS                                                                              \
	(PTRACE_O_TRACECLONE | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)

extern const uint8_t build_insn[];

/* somewhere that a syscall instruction stands for sure; the other place is the vdso */
__asm__(".pushsection .text\n"
	".globl build_insn\n"
	".hidden build_insn\n"
	"build_insn: syscall\n"
	"int3\n"
	".popsection");

void build_init(struct build *b)
{
	*b = (struct build){ .mem = -1, .fill_dev = -1 };
}

void build_abort(struct build *b)
{
	pid_t pid;

	if (b->pid > 0) {
		(void)kill(b->pid, SIGKILL);
		/* every thread is ours to reap, and the leader's end is not told before the others' */
		while ((pid = waitpid(-1, NULL, __WALL)) > 0 || (pid < 0 && errno == EINTR))
			;
	}
	batch_done(&b->batch);
	fd_close(&b->mem);
	b->pid = 0;
}

/* ------------------------------------------------------------------- child */

/* the child: the guest's rights and no more, then nothing of its own any more */
static void NORETURN be_child(const struct guest_box *box, int ready)
{
	if (box->agent_uid && guest_box_become_guest(box, NULL) < 0)
		_exit(1);
	(void)close(ready); /* the agent goes on */
	for (;;)
		(void)pause();
}

static int wait_ready(int fd, struct err *e)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_set(e, -errno, "wait for the new process: %s", strerror(errno)) : 0;
}

static int make_child(struct build *b, const struct guest_box *box, const struct image *m,
		      struct err *e)
{
	pid_t tid = (pid_t)m->pid;
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)&tid,
		.set_tid_size = 1,
	};
	AUTO_CLOSE int ready = -1;
	struct tracee_stop stop;
	int ends[2], r;
	long pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, -errno, "make a pipe: %s", strerror(errno));
	ready = ends[0];
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		be_child(box, ends[1]);
	r = pid < 0 ? -errno : 0;
	(void)close(ends[1]);
	if (r < 0)
		return err_set(e, r, "make a process with pid %d: %s", tid, strerror(-r));
	b->pid = (pid_t)pid;
	r = wait_ready(ready, e);
	if (!r)
		r = tracee_seize(b->pid, TRACE_OPTIONS, e);
	if (!r)
		r = tracee_stop_thread(b->pid, &stop);
	return r < 0 ? err_prefix(e, "stop the new process") : 0;
}

static bool in_region(const struct image *m, uint64_t at)
{
	return at + 16 > m->parasite && at < m->parasite + m->parasite_size;
}

/* one call by itself, for what a batch cannot do */
static int inject(struct build *b, long nr, const uint64_t args[6], int64_t *ret)
{
	return tracee_inject(b->pid, b->insn, nr, args, ret);
}

/*
 * The kernel writes into the agent's rseq area whenever the child is preempted, and the region may
 * come to lie over it
 */
static int leave_rseq(struct build *b)
{
	struct tracee_rseq rseq;
	int64_t result = 0;
	int r = tracee_get_rseq(b->pid, &rseq);

	if (!r && rseq.address) {
		const uint64_t args[6] = { rseq.address, rseq.size, RSEQ_FLAG_UNREGISTER,
					   rseq.signature };

		r = inject(b, SYS_rseq, args, &result);
	}
	return r < 0 ? r : (int)result;
}

static int map_region(struct build *b, const struct image *m, struct err *e)
{
	const uint64_t whole[6] = {
		m->parasite,  m->parasite_size,
		PROT_NONE,    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
		(uint64_t)-1, 0
	};
	const uint64_t usable[6] = { m->parasite, REGION_SLOTS,
				     PROT_READ | PROT_WRITE | PROT_EXEC };
	struct user_regs_struct regs;
	int64_t result = 0;
	int r = 0;

	b->insn = (uint64_t)build_insn;
	if (in_region(m, b->insn))
		r = tracee_find_syscall(b->pid, 0, 0, &b->insn);
	if (!r && in_region(m, b->insn))
		r = -EADDRINUSE; /* of two places 64 MiB apart and more: cannot be */
	if (!r)
		r = tracee_get_regs(b->pid, &regs);
	if (!r) {
		(void)tracee_rewind(&regs); /* out of pause(2), for good */
		r = tracee_set_regs(b->pid, &regs);
	}
	if (!r)
		r = leave_rseq(b);
	if (!r)
		r = inject(b, SYS_mmap, whole, &result);
	if (!r && result < 0)
		r = (int)result;
	if (!r)
		r = inject(b, SYS_mprotect, usable, &result);
	if (!r && result < 0)
		r = (int)result;
	return r < 0 ? err_set(e, r, "map our region into it: %s", strerror(-r)) : 0;
}

/* ------------------------------------------------------------------ memory */

/* all of the agent's goes: memory, and descriptors but for lent files, which go when it is finished */
static int forget_agent(struct build *b, const struct image *m, struct err *e)
{
	uint64_t end = m->parasite + m->parasite_size;
	int r = batch_add(&b->batch, SYS_set_robust_list, 0, ROBUST_HEAD_BYTES, 0, 0, 0, 0);

	if (r >= 0 && b->fill_dev > 0)
		r = batch_add(&b->batch, SYS_close_range, 0, (uint64_t)b->fill_dev - 1, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_add(&b->batch, SYS_close_range, (uint64_t)b->fill_dev + 1,
			      LENT_FDS_FIRST - 1, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_add(&b->batch, SYS_close_range, LENT_FDS_FIRST + IMAGE_FILES_MAX, ~0U, 0,
			      0, 0, 0);
	if (r >= 0)
		r = batch_add(&b->batch, SYS_munmap, 0, m->parasite, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_add(&b->batch, SYS_munmap, end, IMAGE_TOP - end, 0, 0, 0, 0);
	if (r >= 0 && m->vdso_start)
		r = batch_add(&b->batch, SYS_arch_prctl, ARCH_MAP_VDSO_64, m->vdso_start, 0, 0, 0,
			      0);
	if (r < 0)
		return err_set(e, r, "make a batch: %s", strerror(-r));
	/* ARCH_MAP_VDSO_64 gives the size: no failure, so batch_first_failure() is right */
	return set_state_run(&b->batch, b->pid, "empty it", e);
}

int build_memory(struct build *b, const struct guest_box *box, const struct image *m, struct err *e)
{
	struct image nothing = { 0 };
	char path[32];
	int r = make_child(b, box, m, e);

	if (!r)
		r = map_region(b, m, e);
	if (r < 0)
		return r;
	batch_init(&b->batch, b->pid, m->parasite + REGION_BATCH, REGION_BATCH_BYTES);
	r = forget_agent(b, m, e);
	if (!r)
		r = build_change(b, &nothing, m, e);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", b->pid);
	b->mem = open(path, O_RDWR | O_CLOEXEC);
	return b->mem < 0 ? err_set(e, -errno, "open '%s': %s", path, strerror(errno)) : 0;
}

int build_change(struct build *b, struct image *was, const struct image *m, struct err *e)
{
	int r = remap_grow(&b->batch, b->pid, was, m, e);

	if (!r)
		r = remap(&b->batch, b->pid, was, m, IMAGE_BY_FILE, e);

	return r < 0 ? r : remap_open_shared(&b->batch, b->pid, m, true, e);
}

int build_no_huge(struct build *b, struct err *e)
{
	int r;

	batch_clear(&b->batch);
	r = batch_add(&b->batch, SYS_prctl, PR_SET_THP_DISABLE, true, 0, 0, 0, 0);
	b->no_huge = true;
	return r < 0 ? err_set(e, r, "make a batch: %s", strerror(-r))
		     : set_state_run(&b->batch, b->pid, "forbid it huge pages", e);
}

/* ----------------------------------------------------------------- threads */

/* new threads start in our code; they stop before they do anything, PTRACE_O_TRACECLONE */
static int make_thread(struct build *b, const struct image_thread *t, struct err *e)
{
	const pid_t tid = (pid_t)t->tid;
	struct clone_args args = { .flags = THREAD_FLAGS, .set_tid_size = 1 };
	struct tracee_stop stop;
	struct user_regs_struct regs;
	uint64_t at_tid, at;
	int r = batch_data(&b->batch, &tid, sizeof(tid), &at_tid);

	if (r < 0)
		return r;
	args.set_tid = at_tid;
	r = batch_data(&b->batch, &args, sizeof(args), &at);
	if (!r)
		r = batch_add(&b->batch, SYS_clone3, at, sizeof(args), 0, 0, 0, 0);
	if (r < 0)
		return err_set(e, r, "make a batch: %s", strerror(-r));
	r = set_state_run(&b->batch, b->pid, "make a thread", e);
	if (r < 0)
		return r;
	r = tracee_wait(tid, true, &stop);
	if (r == 1 && stop.kind == TRACEE_GONE)
		r = -ESRCH;
	if (r >= 0)
		r = tracee_get_regs(tid, &regs);
	if (!r) {
		regs.orig_rax = (uint64_t)-1;
		r = tracee_set_regs(tid, &regs);
	}
	return r < 0 ? err_set(e, r, "thread %d did not stop: %s", tid, strerror(-r)) : 0;
}

/* ------------------------------------------------------------------ filter */

static int take_listener(struct build *b, int there, int *ret, struct err *e)
{
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, b->pid, 0);
	int fd;

	if (pidfd < 0)
		return err_set(e, -errno, "pidfd of the guest: %s", strerror(errno));
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, there, 0);
	if (fd < 0)
		return err_set(e, -errno, "take the listener: %s", strerror(errno));
	/* older than 6.6: no such flag, and nothing lost but some time */
	(void)ioctl(fd, NOTIFY_SET_FLAGS, NOTIFY_SYNC_WAKE_UP);
	*ret = fd;
	return 0;
}

/*
 * The listener's own number stays open in the guest: it cannot be used there, for ioctl(2) and
 * close(2) are executed at home.
 */
static int set_filter(struct build *b, const struct build_filter *f, int *ret_notify, struct err *e)
{
	struct sock_fprog prog = { .len = f->n };
	uint64_t at_code, at = 0;
	int64_t fd = -1;
	int r = batch_data(&b->batch, f->code, f->n * sizeof(*f->code), &at_code);

	prog.filter = (struct sock_filter *)at_code;
	if (!r)
		r = batch_data(&b->batch, &prog, sizeof(prog), &at);
	if (!r)
		r = batch_add(&b->batch, SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC |
				      SECCOMP_FILTER_FLAG_TSYNC_ESRCH | WAIT_KILLABLE_RECV,
			      at, 0, 0, 0);
	if (r < 0)
		return err_set(e, r, "make a batch: %s", strerror(-r));
	r = batch_run(&b->batch, b->pid, e);
	if (!r)
		fd = batch_result(&b->batch, 0);
	batch_clear(&b->batch);
	if (!r && fd < 0)
		r = err_set(e, (int)fd, "install the filter: %s", strerror((int)-fd));
	return r < 0 ? r : take_listener(b, (int)fd, ret_notify, e);
}

static int give_state(struct build *b, const struct image *m, struct err *e)
{
	int r = set_state_process(&b->batch, m, false);

	if (r >= 0 && b->no_huge && !m->thp_disable)
		r = batch_add(&b->batch, SYS_prctl, PR_SET_THP_DISABLE, false, 0, 0, 0, 0);
	if (r >= 0 && b->fill_dev >= 0)
		r = batch_add(&b->batch, SYS_close, (uint64_t)b->fill_dev, 0, 0, 0, 0, 0);
	if (r >= 0) /* its mappings keep the lent files */
		r = batch_add(&b->batch, SYS_close_range, LENT_FDS_FIRST, ~0U, 0, 0, 0, 0);
	r = r < 0 ? err_set(e, r, "make a batch: %s", strerror(-r))
		  : set_state_run(&b->batch, b->pid, "set the state of the process", e);
	for (size_t i = 1; !r && i < m->n_threads; i++)
		r = make_thread(b, &m->threads[i], e);
	for (size_t i = 0; !r && i < m->n_threads; i++) {
		r = set_state_name(&b->batch, &m->threads[i]);
		if (!r)
			r = set_state_thread(&b->batch, &m->threads[i], true);
		r = r < 0 ? err_set(e, r, "make a batch: %s", strerror(-r))
			  : set_state_run(&b->batch, (pid_t)m->threads[i].tid,
					  "set the state of a thread", e);
	}
	return r;
}

int build_finish(struct build *b, const struct image *m, const struct build_filter *f,
		 int *ret_notify, struct err *e)
{
	int r = remap_shut_shared(&b->batch, b->pid, m, true, e);

	if (!r)
		r = give_state(b, m, e);
	if (!r)
		r = set_filter(b, f, ret_notify, e);
	for (size_t i = 0; !r && i < m->n_threads; i++) {
		r = set_state_registers(&m->threads[i]);
		if (r < 0)
			(void)err_set(e, r, "set the registers of thread %u: %s", m->threads[i].tid,
				      strerror(-r));
	}
	return r;
}
