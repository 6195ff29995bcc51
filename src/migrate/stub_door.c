/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stub_door.c - memory that deputy and stub have in common: requests in, and answers that are awaited
 *
 * Theory of operation. A frame through a Unix socket costs more than the two context switches that
 * it is for. So the slots of the region are a file without a name (memfd) which both have mapped; it
 * is made by the process, so that it is charged for it, and closed there at once. Its seals see to it
 * that nobody can make it shorter under our feet.
 *
 *	deputy				parasite
 *	frame into the buffer		waits while the door is EMPTY
 *	door: CALL or AWAITED    ---->
 *	waits while it is AWAITED	executes the call
 *				 <----	door: EMPTY, the answer lies in the slot	if it was AWAITED
 *	...
 *	AWAITED becomes CALL		door: EMPTY, the answer goes through the socket	if it was CALL
 *	  after a moment, and the loop
 *	  watches the socket
 *
 * Each change of the door is one atomic exchange, so one of the two ways is taken, whoever was first.
 *
 * After RUN the slots are what the host likes. Nothing in them is believed: what is read is copied
 * first and checked then. Whoever lies about the door harms his own process: an answer is taken for
 * a call that goes on, or waited for in vain.
 *
 * A thread at the door does not see that its deputy has died, as it does at its socket: hence
 * PTRACE_O_EXITKILL, from stub_enter() on until the process is its own again.
 */
#include "migrate/stub_door.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "log/log.h"
#include "migrate/region.h"
#include "migrate/told.h"
#include "os/fd.h"

#define SLOTS_BYTES (REGION_BYTES - REGION_SLOTS)
#define AWAIT_NS    4000000 /* not earlier than the next tick, so that no clock has to be set for it */
#define SEALS	    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#endif

/* ------------------------------------------------------------------- shared */

/* Return: its number in the process, -errno */
static int make_file(struct stub *s, unsigned int flags)
{
	uint64_t at;
	int r;

	batch_clear(&s->batch);
	r = batch_data(&s->batch, STUB_DOOR_NAME, sizeof(STUB_DOOR_NAME), &at);
	if (!r)
		r = batch_add(&s->batch, SYS_memfd_create, at, flags, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_run(&s->batch, s->pid, NULL);
	if (!r)
		r = (int)batch_result(&s->batch, 0);
	batch_clear(&s->batch);
	return r;
}

static int take_file(const struct stub *s, int there)
{
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, there, 0);

	return fd < 0 ? -errno : fd;
}

/* Return: 0, -errno: there is no such memory */
static int see(struct stub *s, int there)
{
	AUTO_CLOSE int fd = take_file(s, there);
	void *p;

	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)SLOTS_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	p = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	s->view = p;
	return 0;
}

/* the process has it instead of what was there; the file is closed in any case */
static int put_in_place(struct stub *s, int there, struct err *e)
{
	int r = 0;

	if (s->view)
		r = batch_add(&s->batch, SYS_mmap, region_slot(s->region, 0), SLOTS_BYTES,
			      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
			      (uint64_t)there, 0);
	if (r >= 0)
		r = batch_add(&s->batch, SYS_close, (uint64_t)there, 0, 0, 0, 0, 0);
	if (r >= 0)
		r = batch_run(&s->batch, s->pid, e);
	if (!r && s->view && batch_result(&s->batch, 0) < 0)
		stub_view_end(s);
	batch_clear(&s->batch);
	return r < 0 ? r : 0;
}

int stub_share(struct stub *s, struct err *e)
{
	int there = make_file(s, MFD_CLOEXEC | MFD_NOEXEC_SEAL | MFD_ALLOW_SEALING), r;

	if (there == -EINVAL)
		there = make_file(s, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (there < 0)
		return 0; /* no numbers, or no memory: it works without */
	r = see(s, there);
	if (r < 0)
		log_debug("process %d has no memory in common with us: %s", s->pid, strerror(-r));
	return put_in_place(s, there, e);
}

void stub_unshare(struct stub *s)
{
	const uint64_t map[6] = { region_slot(s->region, 0),
				  SLOTS_BYTES,
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
				  (uint64_t)-1,
				  0 };
	int64_t result;

	if (!s->view)
		return;
	told_later(tracee_inject(s->pid, s->insn, SYS_mmap, map, &result));
	stub_view_end(s);
}

void stub_view_end(struct stub *s)
{
	if (s->view)
		(void)munmap(s->view, SLOTS_BYTES); /* ours, and whole: it cannot fail */
	s->view = NULL;
}

/* --------------------------------------------------------------------- door */

static uint8_t *slot_of(const struct stub_thread *t)
{
	return t->stub->view + (size_t)t->slot * PARASITE_SLOT_BYTES;
}

static uint32_t *door_of(const struct stub_thread *t)
{
	struct parasite_context *c = (struct parasite_context *)(void *)slot_of(t);

	return &c->door;
}

void stub_door_call(struct stub_thread *t, const void *request, uint32_t n, bool await)
{
	uint8_t *frame = slot_of(t) + PARASITE_FRAME_AT;

	memcpy(frame, &n, sizeof(n));
	memcpy(frame + sizeof(n), request, n);
	__atomic_store_n(door_of(t), await ? PARASITE_DOOR_AWAITED : PARASITE_DOOR_CALL,
			 __ATOMIC_RELEASE);
	/* not there yet: then it sees the door before it waits */
	(void)syscall(SYS_futex, door_of(t), FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Return: PARASITE_DOOR_EMPTY: it is answered; CALL: not in time; or what it never says */
static uint32_t wait_at(uint32_t *door)
{
	const struct timespec moment = { .tv_nsec = AWAIT_NS };
	uint32_t value = __atomic_load_n(door, __ATOMIC_ACQUIRE);
	long r = 0;

	while (r == 0 && value == PARASITE_DOOR_AWAITED) {
		r = syscall(SYS_futex, door, FUTEX_WAIT, value, &moment, NULL, 0);
		if (r < 0 && errno == EAGAIN)
			r = 0; /* it was opened just before */
		value = __atomic_load_n(door, __ATOMIC_ACQUIRE);
	}
	if (value == PARASITE_DOOR_AWAITED &&
	    __atomic_compare_exchange_n(door, &value, PARASITE_DOOR_CALL, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return PARASITE_DOOR_CALL;
	return value;
}

/* its length, and as many bytes of the slot, as they are now */
static int copy_answer(struct stub_thread *t)
{
	const struct parasite_context *c = (const struct parasite_context *)(void *)slot_of(t);
	uint32_t at = c->answer_at, len;

	if (at < PARASITE_CONTEXT_BYTES || at > PARASITE_SLOT_BYTES - sizeof(len))
		return -EPROTO;
	memcpy(&len, slot_of(t) + at, sizeof(len));
	if (len > CALL_BYTES_MAX || len > PARASITE_SLOT_BYTES - sizeof(len) - at || t->in.len)
		return -EPROTO;
	if (buf_put(&t->in, &len, sizeof(len)) < 0 ||
	    buf_put(&t->in, slot_of(t) + at + sizeof(len), len) < 0)
		return -ENOMEM;
	return 1;
}

int stub_door_await(struct stub_thread *t)
{
	switch (wait_at(door_of(t))) {
	case PARASITE_DOOR_EMPTY:
		return copy_answer(t);
	case PARASITE_DOOR_CALL:
		return 0;
	default:
		return -EPROTO;
	}
}
