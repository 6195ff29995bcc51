/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch.c - many injected calls for the price of one stop
 *
 * Theory of operation. The area holds, from its start:
 *
 *	+0			the loop (x86_64/batch_loop.S)
 *	+BATCH_CODE_BYTES	data, growing up as batch_data() is called
 *	...
 *	+size - 64 * (n + 1)	the calls, and one of ours
 *
 * Our own call at the end of the list asks for the action of SIGTRAP: the breakpoint which ends the
 * loop is a SIGTRAP that the kernel forces upon the thread, and where the program ignores SIGTRAP
 * that sets its action back to the default (force_sig_info_to_task()). If so, it is set again.
 *
 * A batch that heals has a call of its own in that place: tgkill(2) of the thread itself. Its
 * signal is one that the program ignores, so only a tracer ever sees it; what is said of SIGTRAP
 * below holds for it.
 *
 * So SIGTRAP alone is not blocked while the loop runs. One that somebody sends in that time is kept
 * here, and so is that of a breakpoint in the program itself, where the thread was stopped right
 * behind it. At the end it takes the place of ours, which is just being delivered: siginfo set,
 * signal blocked, and let go on, which makes the kernel queue it again. It is a signal of this
 * thread then, also when it was sent to the process. Several are one, as pending ones of a kind are.
 */
#include "tracee/batch.h"

#include <assert.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"
#include "tracee/inject.h"
#include "tracee/maps.h"

#define DATA_ALIGN 16

extern const uint8_t batch_loop[], batch_loop_syscall[], batch_loop_trap[], batch_loop_end[];

static_assert(sizeof(struct batch_call) == 64, "batch_loop.S steps by 64");

/* what the kernel gives of an action, sigaction(2) "C library/kernel differences" */
struct kernel_action {
	uint64_t handler, flags, restorer, mask;
};

void batch_init(struct batch *b, pid_t pid, uint64_t area, uint64_t size)
{
	assert(size > BATCH_CODE_BYTES);
	*b = (struct batch){ .pid = pid, .area = area, .size = size };
	buf_init(&b->calls, size);
	buf_init(&b->data, size);
	batch_clear(b);
}

void batch_heal(struct batch *b)
{
	b->heals = true;
}

void batch_done(struct batch *b)
{
	buf_done(&b->calls);
	buf_done(&b->data);
	b->n = 0;
}

void batch_clear(struct batch *b)
{
	buf_reset(&b->calls);
	buf_reset(&b->data);
	b->n = 0;
}

/* Is there room for so much more, and the call of ours? */
static bool fits(const struct batch *b, size_t calls, size_t data)
{
	uint64_t room = b->size - BATCH_CODE_BYTES;
	uint64_t used = b->data.len + sizeof(struct kernel_action) + DATA_ALIGN +
			(b->n + 1) * sizeof(struct batch_call);

	return used <= room && data <= room - used &&
	       calls <= (room - used - data) / sizeof(struct batch_call);
}

int batch_add(struct batch *b, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
	      uint64_t a4, uint64_t a5)
{
	const struct batch_call c = { .nr = (uint64_t)nr,
				      .args = { a0, a1, a2, a3, a4, a5 },
				      .result = -ENOSYS };
	int r;

	if (!fits(b, 1, 0))
		return -ENOBUFS;
	r = buf_put(&b->calls, &c, sizeof(c));
	return r < 0 ? r : (int)b->n++;
}

int batch_data(struct batch *b, const void *p, size_t n, uint64_t *ret)
{
	size_t padded = (n + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
	uint8_t *to;
	int r;

	if (padded < n || !fits(b, 0, padded))
		return -ENOBUFS;
	r = buf_room(&b->data, padded, &to);
	if (r < 0)
		return r;
	memset(to, 0, padded);
	if (p)
		memcpy(to, p, n);
	*ret = b->area + BATCH_CODE_BYTES + b->data.len;
	buf_grow(&b->data, padded);
	return 0;
}

static int write_code(struct batch *b, struct err *e)
{
	const size_t len = (size_t)(batch_loop_end - batch_loop);
	AUTO_CLOSE int mem = -1;

	if (b->code_written)
		return 0;
	mem = tracee_mem_open(b->pid); /* the code need not be writable */
	if (mem < 0)
		return err_set(e, mem, "open memory of process %d: %s", b->pid, strerror(-mem));
	if (pwrite(mem, batch_loop, len, (off_t)b->area) != (ssize_t)len)
		return err_set(e, -EFAULT, "the area of process %d for calls is not mapped",
			       b->pid);
	b->code_written = true;
	return 0;
}

static uint64_t calls_at(const struct batch *b)
{
	return b->area + b->size - (b->n + 1) * sizeof(struct batch_call);
}

static uint64_t action_at(const struct batch *b)
{
	return b->area + BATCH_CODE_BYTES + b->data.len;
}

/* @signo: 0: end by the breakpoint */
static int write_list(struct batch *b, pid_t tid, int signo)
{
	const struct batch_call ask = { .nr = SYS_rt_sigaction,
					.args = { SIGTRAP, 0, action_at(b), sizeof(uint64_t) } };
	const struct batch_call tell = {
		.nr = SYS_tgkill, .args = { (uint64_t)b->pid, (uint64_t)tid, (uint64_t)signo }
	};
	int r = tracee_write(b->pid, b->area + BATCH_CODE_BYTES, buf_bytes(&b->data), b->data.len);

	if (r == 0)
		r = tracee_write(b->pid, calls_at(b), buf_bytes(&b->calls), b->calls.len);
	if (r == 0)
		r = tracee_write(b->pid, calls_at(b) + b->calls.len, signo ? &tell : &ask,
				 sizeof(ask));
	return r;
}

/* what the thread goes on with if we die */
static int write_saved(const struct batch *b, const struct loan *l)
{
	const struct {
		struct user_regs_struct regs;
		uint64_t mask;
	} saved = { l->regs, l->mask };

	static_assert(sizeof(saved.regs) == 216, "batch_loop.S knows where each is");
	return tracee_write(b->pid, b->area + BATCH_SAVED, &saved, sizeof(saved));
}

/* one that the program does not handle, and whose default is nothing; Go handles all, and ignores
 * it */
static int quiet_signal(pid_t tid, int *ret)
{
	static const int signals[] = { SIGURG, SIGWINCH, SIGCHLD };
	struct proc_stat st;
	int r = proc_stat_read(tid, &st, NULL);

	*ret = SIGURG;
	for (size_t i = ARRAY_LEN(signals); !r && i-- > 0;)
		if (!(st.caught & (1ULL << (signals[i] - 1))))
			*ret = signals[i];
	return r;
}

/* sent by the thread to itself */
static bool is_own(const siginfo_t *info, pid_t pid)
{
	return info->si_code == SI_TKILL && info->si_pid == pid;
}

/* the signal of the loop's last call, before it goes on? */
static bool is_told(const struct batch *b, const struct user_regs_struct *regs)
{
	return regs->rip == b->area + (uint64_t)(batch_loop_syscall - batch_loop) +
				    TRACEE_SYSCALL_BYTES &&
	       regs->rbx == b->area + b->size - sizeof(struct batch_call);
}

/* Run from the start of the loop to its end; Return: 0, -ESRCH, -EFAULT, -EINTR */
static int run_loop(const struct batch *b, struct loan *l, int signo, siginfo_t *kept)
{
	const uint64_t end = b->area + (uint64_t)(batch_loop_trap - batch_loop);
	const int wanted = signo ? signo : SIGTRAP;

	for (;;) {
		struct user_regs_struct regs;
		struct tracee_stop s;
		int r = loan_next(l, false, &s);

		if (r < 0)
			return r;
		if (s.kind == TRACEE_SYSCALL) /* of a call that the thread was stopped in */
			continue;
		r = tracee_get_regs(l->tid, &regs);
		if (r < 0)
			return r;
		/*
		 * At the end it is ours, whoever sent it: with one pending the kernel adds
		 * no second
		 */
		if (s.kind == TRACEE_SIGNAL && s.signo == wanted && !kept->si_signo &&
		    (!signo || !is_own(&s.info, b->pid)))
			*kept = s.info;
		if (signo ? is_told(b, &regs) : regs.rip == end)
			return 0;
		if (s.kind == TRACEE_TRAP && (regs.rip != b->area || kept->si_signo))
			return -EFAULT;
		if (s.kind == TRACEE_TRAP) /* of before it was stopped, not delivered yet */
			*kept = s.info;
	}
}

/* The program ignores SIGTRAP, and our breakpoint has changed that: Return: 0, -errno */
static int mend_action(struct batch *b, pid_t tid)
{
	const uint64_t insn = b->area + (uint64_t)(batch_loop_syscall - batch_loop);
	const uint64_t args[6] = { SIGTRAP, action_at(b), 0, sizeof(uint64_t) };
	struct kernel_action was;
	int64_t result;
	int r = tracee_read(b->pid, action_at(b), &was, sizeof(was));

	if (r < 0 || was.handler != (uint64_t)(uintptr_t)SIG_IGN)
		return r;
	r = tracee_inject(tid, insn, SYS_rt_sigaction, args, &result);
	return r < 0 ? r : (int)result;
}

/* In the delivery of our signal: let it be the one that was sent, and put that back */
static int put_back_kept(pid_t tid, const siginfo_t *kept)
{
	const struct tracee_stop s = { .tid = tid, .kind = TRACEE_SIGNAL, .signo = kept->si_signo };
	int r = tracee_set_siginfo(tid, kept);

	return r < 0 ? r : tracee_put_back(&s);
}

static int run(struct batch *b, pid_t tid, int signo)
{
	const int open = signo ? signo : SIGTRAP;
	siginfo_t kept = { 0 };
	struct user_regs_struct regs;
	struct loan l;
	int r, back;

	r = loan_begin(&l, tid);
	if (!r && signo)
		r = write_saved(b, &l);
	if (r < 0)
		return r;
	regs = l.regs;
	regs.rip = b->area;
	regs.rbx = calls_at(b);
	regs.r12 = b->area + b->size;
	regs.r13 = signo != 0;
	regs.orig_rax = (unsigned long long)-1;
	r = loan_set(&l, &regs, ~(1ULL << (open - 1)));
	if (r == 0)
		r = run_loop(b, &l, signo, &kept);
	if (r == 0 && kept.si_signo)
		r = put_back_kept(tid, &kept);
	back = loan_end(&l);
	return r < 0 ? r : back;
}

int batch_run(struct batch *b, pid_t tid, struct err *e)
{
	uint8_t *calls, *data;
	int signo = 0, r = write_code(b, e);

	if (r < 0)
		return r;
	if (b->heals)
		r = quiet_signal(tid, &signo);
	if (r == 0)
		r = write_list(b, tid, signo);
	if (r == 0)
		r = run(b, tid, signo);
	if (r == 0 && !signo)
		r = mend_action(b, tid);
	if (r < 0)
		return err_set(e, r, "thread %d cannot execute calls for us: %s", tid,
			       strerror(-r));

	/* what was put in is as long as what comes out: the room is there */
	calls = b->calls.data + b->calls.off;
	data = b->data.data + b->data.off;
	r = tracee_read(b->pid, calls_at(b), calls, b->calls.len);
	if (r == 0)
		r = tracee_read(b->pid, b->area + BATCH_CODE_BYTES, data, b->data.len);
	if (r < 0)
		return err_set(e, r, "read results of process %d: %s", b->pid, strerror(-r));
	return 0;
}

static const struct batch_call *call_of(const struct batch *b, int index)
{
	assert(index >= 0 && (size_t)index < b->n);
	return (const struct batch_call *)(const void *)buf_bytes(&b->calls) + index;
}

int64_t batch_result(const struct batch *b, int index)
{
	return call_of(b, index)->result;
}

int batch_read(const struct batch *b, uint64_t at, void *p, size_t n)
{
	uint64_t off = at - b->area - BATCH_CODE_BYTES;

	if (off > b->data.len || n > b->data.len - off)
		return -EFAULT;
	if (n)
		memcpy(p, buf_bytes(&b->data) + off, n);
	return 0;
}

int batch_first_failure(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		int64_t v = batch_result(b, (int)i);

		if (v < 0 && v >= -4095)
			return (int)i;
	}
	return -1;
}
