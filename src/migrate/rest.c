/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate/rest.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log/log.h"
#include "migrate/region.h"
#include "migrate/registers.h"
#include "migrate/rest_call.h"
#include "migrate/stub_door.h"
#include "migrate/stub_thread.h"
#include "migrate/told.h"
#include "os/rand.h"

#define IN_CODE	       (PARASITE_CODE_BYTES - 1ULL)
#define DATA_AT	       PARASITE_CONTEXT_BYTES /* in a slot: msghdr and parts of the call */
#define OUT_TRIES      1000		      /* to leave the code; it is some instructions */
#define CLEAN_TRIES    600
#define CLEAN_PAUSE_MS 500 /* it is with another agent, or a handler runs */

static void call_of(const struct user_regs_struct *regs, uint64_t ret[6])
{
	const uint64_t args[6] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };

	memcpy(ret, args, sizeof(args));
}

/* ------------------------------------------------------------------ unwind */

static bool is_our_code(pid_t pid, uint64_t at)
{
	uint8_t there[PARASITE_CODE_BYTES];
	const void *code;
	size_t n;

	code = parasite_code(&n);
	return n <= sizeof(there) && tracee_read(pid, at, there, n) == 0 && !memcmp(there, code, n);
}

static int read_rest(pid_t pid, uint64_t region, unsigned int slot, struct parasite_rest *ret)
{
	int r = tracee_read(pid, region_slot(region, slot), ret, sizeof(*ret));

	return r < 0 ? r : ret->magic == PARASITE_REST && ret->slot == slot ? 0 : -ENOENT;
}

static void note_region(struct stub *s, uint64_t region)
{
	for (size_t i = 0; i < s->n_old; i++)
		if (s->old[i] == region)
			return;
	if (s->n_old < ARRAY_LEN(s->old))
		s->old[s->n_old++] = region;
}

/* Return: 1 it is on its way out, 0 it is as if it had just returned, -errno */
static int unwind(struct stub *s, pid_t tid, struct user_regs_struct *regs)
{
	uint64_t region = regs->rip & ~IN_CODE, at = regs->rip - region;
	struct parasite_rest c;
	int r;

	if (at < parasite_rest() || at >= parasite_rest_out())
		return -ENOENT;
	r = tracee_read(s->pid, regs->r12, &c, sizeof(c));
	if (r < 0 || c.magic != PARASITE_REST || regs->r12 != region_slot(region, c.slot))
		return r < 0 ? r : -ENOENT;
	note_region(s, region);
	if (at > parasite_rest_end())
		return 1;
	/* behind its call, with a result: one that restarts has moved nothing more */
	if (at == parasite_rest_end() && (int64_t)regs->rax > 0)
		c.done += (int64_t)regs->rax;
	*regs = (struct user_regs_struct){
		.r15 = regs->r15,
		.r14 = regs->r14,
		.r13 = regs->r13,
		.r12 = c.r12,
		.rbp = regs->rbp,
		.rbx = regs->rbx,
		.r11 = regs->eflags,
		.r10 = c.r10,
		.r9 = c.r9,
		.r8 = c.r8,
		.rax = (uint64_t)c.done,
		.rcx = c.rip,
		.rdx = c.rdx,
		.rsi = c.rsi,
		.rdi = c.rdi,
		.orig_rax = c.nr,
		.rip = c.rip,
		.cs = regs->cs,
		.eflags = regs->eflags,
		.rsp = regs->rsp,
		.ss = regs->ss,
		.fs_base = regs->fs_base,
		.gs_base = regs->gs_base,
		.ds = regs->ds,
		.es = regs->es,
		.fs = regs->fs,
		.gs = regs->gs,
	};
	c.gone = 1;
	r = tracee_set_regs(tid, regs);
	return r < 0 ? r : tracee_write(s->pid, region_slot(region, c.slot), &c, sizeof(c));
}

static int unwind_thread(struct stub *s, pid_t tid)
{
	for (int tries = 0; tries < OUT_TRIES; tries++) {
		struct user_regs_struct regs;
		struct tracee_stop stop;
		int r = tracee_get_regs(tid, &regs);

		if (r < 0)
			return r;
		if (!is_our_code(s->pid, regs.rip & ~IN_CODE))
			return 0;
		r = unwind(s, tid, &regs);
		if (r <= 0)
			return r == -ENOENT ? 0 : r;
		/* some instructions more, and it is in the program */
		r = tracee_cont(tid, 0);
		if (!r)
			r = tracee_stop_thread(tid, &stop);
		if (r < 0)
			return r;
	}
	return 0;
}

int rest_unwind(struct stub *s)
{
	int r = 0;

	for (size_t i = 0; !r && i < s->n; i++)
		r = unwind_thread(s, s->threads[i]->tid);
	return r;
}

/* its sockets; Return: how many, 0: a thread has not come out of it yet */
static size_t sockets_of(pid_t pid, uint64_t region, int fds[PARASITE_SLOTS])
{
	struct parasite_rest c;
	size_t n = 0, all = 1;

	for (unsigned int slot = 0; slot < PARASITE_SLOTS && n < all; slot++) {
		if (read_rest(pid, region, slot, &c) < 0)
			continue;
		if (!c.gone)
			return 0;
		fds[n++] = c.fd;
		all = c.n_slots;
	}
	return n;
}

static void call(const struct stub *s, long nr, uint64_t a, uint64_t b)
{
	const uint64_t args[6] = { a, b };
	int64_t result;

	told_later(tracee_inject(s->pid, s->insn, nr, args, &result));
}

void rest_forget(struct stub *s)
{
	int fds[PARASITE_SLOTS];

	if (!s->n_old || tracee_find_syscall(s->pid, 0, 0, &s->insn) < 0)
		return;
	for (size_t i = 0; i < s->n_old; i++) {
		size_t n = is_our_code(s->pid, s->old[i]) ? sockets_of(s->pid, s->old[i], fds) : 0;

		/* who waits at the sockets is to find nothing when they are closed */
		if (n)
			call(s, SYS_munmap, s->old[i], REGION_BYTES);
		while (n)
			call(s, SYS_close, (uint64_t)fds[--n], 0);
	}
}

/* ----------------------------------------------------------------- install */

bool rest_has_any(const struct image *m)
{
	for (size_t i = 0; i < m->n_threads; i++)
		if (m->threads[i].done)
			return true;
	return false;
}

static size_t count(const struct image *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_threads; i++)
		n += m->threads[i].done != 0;
	return n;
}

/* msghdr and parts lie in the slot, behind the context */
static int put_data(const struct stub *s, uint64_t slot, struct rest_call *c)
{
	uint64_t at = slot + DATA_AT, parts = at + sizeof(c->message);
	int r = 0;

	if (c->n_parts)
		r = tracee_write(s->pid, parts, c->parts, c->n_parts * sizeof(*c->parts));
	if (!r && c->by_message) {
		c->message.msg_iov = (struct iovec *)parts;
		r = tracee_write(s->pid, at, &c->message, sizeof(c->message));
	}
	if (c->by_message)
		c->args[1] = at;
	else if (c->n_parts)
		c->args[1] = parts;
	return r;
}

/* one for all threads of a move */
static uint64_t cookie_of(struct stub *s)
{
	while (!s->rest_cookie)
		rand_bytes(&s->rest_cookie, sizeof(s->rest_cookie));
	return s->rest_cookie;
}

static int install(struct stub *s, const struct image_thread *t, size_t n_all, uint64_t rip)
{
	const struct stub_thread *st = stub_thread_find(s, (pid_t)t->tid);
	struct user_regs_struct regs;
	struct parasite_rest rest;
	struct rest_call c;
	uint64_t slot, args[6];
	const void *code;
	size_t n;
	int r;

	registers_from_image(&t->regs, &regs);
	call_of(&regs, args);
	if (!st || st->there < 0 || !s->region)
		return -ENOTSUP;
	stub_unshare(s); /* this stays for a while, and is nobody else's */
	r = rest_call(s->pid, t->regs.rax, args, t->done, &c);
	if (r < 0)
		return r;
	slot = region_slot(s->region, st->slot);
	rest = (struct parasite_rest){
		.magic = PARASITE_REST,
		.done = (int64_t)t->done,
		.fd = st->there,
		.rdi = regs.rdi,
		.rsi = regs.rsi,
		.rdx = regs.rdx,
		.r10 = regs.r10,
		.r8 = regs.r8,
		.r9 = regs.r9,
		.r12 = regs.r12,
		.rip = rip,
		.nr = c.nr,
		.slot = st->slot,
		.n_slots = (uint32_t)n_all,
		.cookie = cookie_of(s),
	};
	code = parasite_code(&n);
	r = tracee_write(s->pid, s->region, code, n); /* who knows what was done to it since */
	if (!r)
		r = tracee_write(s->pid, slot, &rest, sizeof(rest));
	if (!r)
		r = put_data(s, slot, &c);
	if (r < 0)
		return r;
	regs.rip = s->region + parasite_rest();
	regs.r12 = slot;
	regs.rax = c.nr;
	regs.rdi = c.args[0];
	regs.rsi = c.args[1];
	regs.rdx = c.args[2];
	regs.r10 = c.args[3];
	regs.r8 = c.args[4];
	regs.r9 = c.args[5];
	regs.orig_rax = (uint64_t)-1;
	return tracee_set_regs((pid_t)t->tid, &regs);
}

int rest_install(struct stub *s, const struct image *m, const struct image_thread *t)
{
	uint64_t rip = t->regs.rip + TRACEE_SYSCALL_BYTES;
	int r = install(s, t, count(m), rip);
	struct user_regs_struct regs;
	struct stub_thread *st;

	if (!r) {
		st = stub_thread_find(s, (pid_t)t->tid);
		st->rest = true;
		return 0;
	}
	registers_from_image(&t->regs, &regs);
	regs.rip = rip;
	regs.rax = t->done;
	regs.orig_rax = (uint64_t)-1;
	told_later(tracee_set_regs((pid_t)t->tid, &regs));
	return r;
}

/* ------------------------------------------------------------------- watch */

/* only what is asked for stays open: the stream to the host ends with the agent, not with us */
static void keep_only(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (fds[k] < fds[i]) {
				int fd = fds[i];

				fds[i] = fds[k];
				fds[k] = fd;
			}
	for (size_t i = 0, from = 0; i <= n; i++) {
		unsigned int to = i < n ? (unsigned int)fds[i] : ~0U;

		if (from < to)
			(void)syscall(SYS_close_range, from, to - (i < n), 0);
		from = (size_t)to + 1;
	}
}

/* until each has said its byte, or is closed: by the end of the process, or by another agent */
static void await_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct pollfd p = { .fd = fds[i], .events = POLLIN };

		while (poll(&p, 1, -1) < 0 && errno == EINTR)
			;
	}
}

struct watched {
	pid_t pid;
	uint64_t region, cookie;
	unsigned int slot; /* of one of its threads */
};

static bool is_there(const struct watched *w)
{
	struct parasite_rest c;

	return read_rest(w->pid, w->region, w->slot, &c) == 0 && c.cookie == w->cookie;
}

/* Return: true when nothing of it is there any more */
static bool clean(const struct watched *w)
{
	struct stub s;
	bool gone;

	if (!is_there(w))
		return true;
	stub_init(&s, NULL, NULL, NULL);
	note_region(&s, w->region);
	if (stub_seize(&s, w->pid, NULL) < 0)
		return false;
	gone = !is_there(w);
	stub_release(&s);
	return gone;
}

static void NORETURN watch(const struct watched *w, int *fds, size_t n)
{
	keep_only(fds, n);
	await_all(fds, n);
	for (int i = 0; i < CLEAN_TRIES && !clean(w); i++)
		(void)poll(NULL, 0, CLEAN_PAUSE_MS);
	_exit(0);
}

void rest_watch(const struct stub *s, pid_t pid)
{
	struct watched w = { .pid = pid, .region = s->region, .cookie = s->rest_cookie };
	int fds[IMAGE_THREADS_MAX];
	sigset_t none;
	size_t n = 0;
	pid_t child;

	for (size_t i = 0; i < s->n; i++)
		if (s->threads[i]->rest) {
			fds[n++] = s->threads[i]->sock;
			w.slot = s->threads[i]->slot;
		}
	if (!n)
		return;
	child = fork();
	if (child < 0)
		log_warn("process %d keeps a region of ours: %s", pid, strerror(errno));
	if (child)
		return;
	(void)setsid();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int signo = 1; signo < SIGRTMAX; signo++)
		if (signal(signo, SIG_DFL) == SIG_ERR)
			continue; /* SIGKILL and SIGSTOP */
	watch(&w, fds, n);
}
