/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.c - one thread, one epoll_wait: fds, timers, signals and children */
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "os/clock.h"
#include "os/fd.h"

#define EVENTS_PER_TURN	 64
#define SLOTS_MAX	 (1U << 20)
#define SIGNALS_PER_READ 8

enum slot_type {
	SLOT_FREE,
	SLOT_FD,
	SLOT_TIMER,
	SLOT_SIGNAL,
	SLOT_CHILD,
};

struct slot {
	enum slot_type type;
	uint32_t gen;
	int fd;	       /* FD: the caller's; SIGNAL, CHILD: ours; TIMER: -1 */
	uint32_t next; /* FREE: next free slot */
	uint32_t heap; /* TIMER: its place in the heap */
	uint64_t at_ms;
	pid_t pid;
	void *owner;
	union {
		loop_fd_fn *fd_fn;
		loop_timer_fn *timer_fn;
		loop_signal_fn *signal_fn;
		loop_child_fn *child_fn;
	};
};

struct loop {
	int epfd;
	bool stop;
	int result;
	uint64_t now_ms;
	struct slot *slots; /* slot 0 is never used, so that {0,0} names nothing */
	uint32_t n_slots, cap_slots, first_free;
	uint32_t *heap; /* slot numbers, earliest deadline first */
	uint32_t n_heap, cap_heap;
};

int loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return err_set(e, -ENOMEM, "out of memory");
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		free(l);
		return err_set(e, -errno, "epoll_create1: %s", strerror(errno));
	}
	l->n_slots = 1;
	l->now_ms = clock_boot_ms();
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (uint32_t i = 1; i < l->n_slots; i++)
		if (l->slots[i].type == SLOT_SIGNAL || l->slots[i].type == SLOT_CHILD)
			fd_close(&l->slots[i].fd);
	fd_close(&l->epfd);
	free(l->slots);
	free(l->heap);
	free(l);
}

uint64_t loop_now(const struct loop *l)
{
	return l->now_ms;
}

void loop_stop(struct loop *l, int result)
{
	l->stop = true;
	l->result = result;
}

static struct slot *slot_of(struct loop *l, struct ev_ref ref)
{
	if (!ref.slot || ref.slot >= l->n_slots || l->slots[ref.slot].gen != ref.gen ||
	    l->slots[ref.slot].type == SLOT_FREE)
		return NULL;
	return &l->slots[ref.slot];
}

static int slot_get(struct loop *l, enum slot_type type, struct ev_ref *ret)
{
	uint32_t i = l->first_free;

	if (i) {
		l->first_free = l->slots[i].next;
	} else {
		if (l->n_slots >= l->cap_slots) {
			uint32_t cap = l->cap_slots ? l->cap_slots * 2 : 32;
			struct slot *p;

			if (cap > SLOTS_MAX)
				return -EMFILE;
			p = realloc(l->slots, cap * sizeof(*p));
			if (!p)
				return -ENOMEM;
			memset(p + l->cap_slots, 0, (cap - l->cap_slots) * sizeof(*p));
			l->slots = p;
			l->cap_slots = cap;
		}
		i = l->n_slots++;
	}
	struct slot *s = &l->slots[i];
	uint32_t gen = s->gen + 1;

	*s = (struct slot){ .type = type, .gen = gen ? gen : 1, .fd = -1 };
	*ret = (struct ev_ref){ .slot = i, .gen = s->gen };
	return 0;
}

static void slot_put(struct loop *l, uint32_t i)
{
	struct slot *s = &l->slots[i];

	s->type = SLOT_FREE;
	s->owner = NULL;
	s->next = l->first_free;
	l->first_free = i;
}

static int watch(struct loop *l, int fd, uint32_t events, struct ev_ref ref)
{
	struct epoll_event ev = { .events = events,
				  .data.u64 = (uint64_t)ref.gen << 32 | ref.slot };

	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *owner,
		struct ev_ref *ret)
{
	struct ev_ref ref;
	int r = slot_get(l, SLOT_FD, &ref);

	if (r < 0)
		return r;
	struct slot *s = &l->slots[ref.slot];

	s->fd = fd;
	s->fd_fn = fn;
	s->owner = owner;
	r = watch(l, fd, events, ref);
	if (r < 0) {
		slot_put(l, ref.slot);
		return r;
	}
	*ret = ref;
	return 0;
}

void loop_set_fd(struct loop *l, struct ev_ref ref, uint32_t events)
{
	struct slot *s = slot_of(l, ref);
	struct epoll_event ev = { .events = events,
				  .data.u64 = (uint64_t)ref.gen << 32 | ref.slot };

	if (!s)
		return;
	assert(s->type == SLOT_FD);
	/* fails only for an fd that was closed before it was removed: a bug of the caller */
	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, s->fd, &ev) < 0)
		assert(!"loop_set_fd() on a closed fd");
}

static bool earlier(const struct loop *l, uint32_t a, uint32_t b)
{
	return l->slots[l->heap[a]].at_ms < l->slots[l->heap[b]].at_ms;
}

static void heap_swap(struct loop *l, uint32_t a, uint32_t b)
{
	uint32_t t = l->heap[a];

	l->heap[a] = l->heap[b];
	l->heap[b] = t;
	l->slots[l->heap[a]].heap = a;
	l->slots[l->heap[b]].heap = b;
}

static void heap_fix(struct loop *l, uint32_t i)
{
	while (i && earlier(l, i, (i - 1) / 2)) {
		heap_swap(l, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
	for (;;) {
		uint32_t least = i;

		for (uint32_t c = 2 * i + 1; c <= 2 * i + 2 && c < l->n_heap; c++)
			if (earlier(l, c, least))
				least = c;
		if (least == i)
			return;
		heap_swap(l, i, least);
		i = least;
	}
}

static void heap_drop(struct loop *l, uint32_t i)
{
	l->n_heap--;
	if (i == l->n_heap)
		return;
	l->heap[i] = l->heap[l->n_heap];
	l->slots[l->heap[i]].heap = i;
	heap_fix(l, i);
}

int loop_add_timer(struct loop *l, uint64_t at_ms, loop_timer_fn *fn, void *owner,
		   struct ev_ref *ret)
{
	struct ev_ref ref;
	int r;

	if (l->n_heap >= l->cap_heap) {
		uint32_t cap = l->cap_heap ? l->cap_heap * 2 : 32;
		uint32_t *p = realloc(l->heap, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		l->heap = p;
		l->cap_heap = cap;
	}
	r = slot_get(l, SLOT_TIMER, &ref);
	if (r < 0)
		return r;
	struct slot *s = &l->slots[ref.slot];

	s->timer_fn = fn;
	s->owner = owner;
	s->at_ms = at_ms;
	s->heap = l->n_heap;
	l->heap[l->n_heap++] = ref.slot;
	heap_fix(l, s->heap);
	*ret = ref;
	return 0;
}

/* a slot whose fd is ours */
static int add_own(struct loop *l, enum slot_type type, int fd, struct ev_ref *ret)
{
	int r = slot_get(l, type, ret);

	if (r < 0)
		return r;
	l->slots[ret->slot].fd = fd;
	r = watch(l, fd, EPOLLIN, *ret);
	if (r < 0)
		slot_put(l, ret->slot);
	return r;
}

int loop_add_signal(struct loop *l, int signo, loop_signal_fn *fn, void *owner, struct ev_ref *ret)
{
	struct ev_ref ref;
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, signo);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	AUTO_CLOSE int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	r = add_own(l, SLOT_SIGNAL, fd, &ref);
	if (r < 0)
		return r;
	(void)fd_take(&fd); /* the slot owns it now */
	l->slots[ref.slot].signal_fn = fn;
	l->slots[ref.slot].owner = owner;
	*ret = ref;
	return 0;
}

int loop_add_child(struct loop *l, pid_t pid, loop_child_fn *fn, void *owner, struct ev_ref *ret)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct ev_ref ref;
	int r;

	if (fd < 0)
		return -errno;
	r = add_own(l, SLOT_CHILD, fd, &ref);
	if (r < 0)
		return r;
	(void)fd_take(&fd); /* the slot owns it now */
	l->slots[ref.slot].child_fn = fn;
	l->slots[ref.slot].owner = owner;
	l->slots[ref.slot].pid = pid;
	*ret = ref;
	return 0;
}

void loop_remove(struct loop *l, struct ev_ref *ref)
{
	struct slot *s = slot_of(l, *ref);
	uint32_t i = ref->slot;

	*ref = (struct ev_ref){ 0 };
	if (!s)
		return;
	switch (s->type) {
	case SLOT_FD:
		/* fails only for an fd that is closed already: epoll forgot it by itself then */
		(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
		break;
	case SLOT_TIMER:
		heap_drop(l, s->heap);
		break;
	case SLOT_SIGNAL:
	case SLOT_CHILD:
		(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
		fd_close(&s->fd);
		break;
	case SLOT_FREE:
		break;
	}
	slot_put(l, i);
}

/* a timer set for now by a timer runs in the next turn: fds get their chance in between */
static void run_timers(struct loop *l)
{
	for (uint32_t n = l->n_heap;
	     n && !l->stop && l->n_heap && l->slots[l->heap[0]].at_ms <= l->now_ms; n--) {
		uint32_t i = l->heap[0];
		loop_timer_fn *fn = l->slots[i].timer_fn;
		void *owner = l->slots[i].owner;

		heap_drop(l, 0);
		slot_put(l, i);
		fn(owner);
	}
}

static void serve_signal(struct loop *l, struct ev_ref ref)
{
	struct slot *s = slot_of(l, ref);
	struct signalfd_siginfo si[SIGNALS_PER_READ];
	loop_signal_fn *fn = s->signal_fn;
	void *owner = s->owner;
	ssize_t n = read(s->fd, si, sizeof(si));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(si[0]); i++)
		if (slot_of(l, ref))
			fn(owner, (int)si[i].ssi_signo);
}

static void serve_child(struct loop *l, struct ev_ref ref)
{
	struct slot *s = slot_of(l, ref);
	loop_child_fn *fn = s->child_fn;
	void *owner = s->owner;
	pid_t pid = s->pid;
	int status = 0;

	if (waitpid(pid, &status, WNOHANG) == 0)
		return; /* pidfd spoke before the last thread was gone; it will again */
	loop_remove(l, &ref);
	fn(owner, pid, status);
}

static void serve(struct loop *l, const struct epoll_event *ev)
{
	struct ev_ref ref = { .slot = (uint32_t)ev->data.u64, .gen = ev->data.u64 >> 32 };
	struct slot *s = slot_of(l, ref);

	if (!s)
		return; /* removed earlier in this turn */
	switch (s->type) {
	case SLOT_FD:
		s->fd_fn(s->owner, ev->events);
		break;
	case SLOT_SIGNAL:
		serve_signal(l, ref);
		break;
	case SLOT_CHILD:
		serve_child(l, ref);
		break;
	case SLOT_TIMER:
	case SLOT_FREE:
		break;
	}
}

static int wait_ms(const struct loop *l)
{
	uint64_t now, at;

	if (!l->n_heap)
		return -1;
	now = clock_boot_ms();
	at = l->slots[l->heap[0]].at_ms;
	if (at <= now)
		return 0;
	return at - now > 3600000 ? 3600000 : (int)(at - now);
}

int loop_turn(struct loop *l)
{
	struct epoll_event evs[EVENTS_PER_TURN];
	int n;

	l->stop = false;
	n = epoll_wait(l->epfd, evs, EVENTS_PER_TURN, wait_ms(l));
	if (n < 0 && errno != EINTR)
		return -errno;
	l->now_ms = clock_boot_ms();
	for (int i = 0; i < n && !l->stop; i++)
		serve(l, &evs[i]);
	run_timers(l);
	return 0;
}

int loop_run(struct loop *l)
{
	do {
		int r = loop_turn(l);

		if (r < 0)
			return r;
	} while (!l->stop);
	return l->result;
}
