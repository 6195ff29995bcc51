/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stub.h - the half of a moved process that stays at home
 *
 * Theory of operation. stub_seize() stops the process, stub_prepare() maps our region into it and
 * gives each thread a socket; until then, and as long as stub_start() was not called,
 * stub_release() undoes it all and the process goes on where it was. stub_start() sets each thread
 * into the parasite's loop: it executes what stub_call() hands to it. All signals of the stub are
 * unblocked, but those of a signalfd; each one ends in a ptrace stop and is told by signal(), never delivered, but those
 * that stub_deliver() asked for (job control has to be seen by the parent).
 *
 * Answer and signal of one thread are told in the order in which they happened: a call that a
 * signal has ended is answered after the signal was told.
 *
 * The agent holds the threads by ptrace only. If it dies before stub_enter() they are let go, and the
 * process goes on; after it the kernel ends the process (PTRACE_O_EXITKILL), until stub_release() or
 * the rebuilding has made it itself again.
 */
#ifndef MIGRATE_STUB_H
#define MIGRATE_STUB_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"
#include "loop/loop.h"
#include "migrate/pending.h"
#include "tracee/batch.h"

/*
 * Our descriptors in the process have numbers from here on, above its soft limit, where it can have
 * none. A limit beyond STUB_FDS_HIGH is far from being used up, and the kernel's table of descriptors
 * should not become as long: then they are from STUB_FDS_HIGH on, or above what it has open.
 */
#define STUB_FDS_FIRST 900
#define STUB_FDS_HIGH  32768

#define STUB_OLD_MAX 4

struct stub;

struct stub_ops {
	/* may an answer be told now? If not, stub_room() is to be called when it may. NULL: always */
	bool (*room)(void *owner);
	/* one answer of a thread's parasite: struct call_answer and output */
	void (*answer)(void *owner, pid_t tid, const uint8_t *p, size_t n);
	/* a signal; tid 0: it is for the process */
	void (*signal)(void *owner, pid_t tid, const siginfo_t *info);
	/* the thread that stub_clone() asked for: its id, or -errno */
	void (*cloned)(void *owner, pid_t caller, int64_t tid);
	/* the process has ended, not by us */
	void (*died)(void *owner, int wait_status);
};

struct stub_thread {
	struct stub *stub;
	pid_t tid;
	unsigned int slot;
	int sock;	 /* our end; -1: none */
	int there;	 /* number of the other end in the process */
	bool calling;	 /* a request is with the parasite */
	bool cloning;	 /* and it is one to make a thread */
	bool cut;	 /* its call was stopped by us: the answer says so */
	bool cancel;	 /* it is to be interrupted as soon as it can be */
	bool ending;	 /* it was told to */
	bool rest;	 /* the rest of a call is left to it: rest.h */
	bool held;	 /* its answer waits in the socket for stub_room() */
	bool want_write; /* out is waiting for room in the socket */
	bool stopped;
	struct ev_ref ref;
	struct buf in;	/* answer so far */
	struct buf out; /* rest of a request */
};

struct stub {
	struct loop *loop;
	pid_t pid;
	const struct stub_ops *ops;
	void *owner;
	uint64_t insn;	 /* a syscall instruction outside of the region */
	uint64_t region; /* 0: not mapped */
	uint8_t *view;	 /* its slots, mapped here as well; NULL: they are not (stub_door.c) */
	uint32_t first_fd, last_fd; /* ours in the process */
	int pidfd;
	bool running;  /* stub_start() was called */
	uint64_t kept; /* signals that stay blocked: a signalfd of the program takes them */
	struct pending
		*told; /* were pending when it left: told already, and dropped when they come */
	size_t n_told;
	struct ev_ref retry_ref;
	int letting; /* signal that is to be delivered as if it came natively; 0: none */
	struct batch batch;
	int stale[2 * IMAGE_THREADS_MAX]; /* descriptors of ours there whose thread has ended */
	size_t n_stale;
	uint64_t old[STUB_OLD_MAX]; /* regions of earlier moves in it, whose calls had a rest */
	size_t n_old;
	uint64_t rest_cookie; /* 0: none yet */
	struct image before;  /* as it was captured: to undo, and to compare with at the return */
	struct stub_thread *threads[IMAGE_THREADS_MAX];
	size_t n;
};

void stub_init(struct stub *s, struct loop *l, const struct stub_ops *ops, void *owner);

/** stub_seize() - Stop every thread of a process; undone by stub_release() */
int stub_seize(struct stub *s, pid_t pid, struct err *e) MUST_CHECK;

/**
 * stub_prepare() - Map the region, make the sockets, read the image into s->before
 * @region:	Where it is to be, or 0: anywhere
 * @known:	An earlier image of it or NULL, as for capture_maps()
 *
 * Return: 0, -EAGAIN something else is in that place now, -errno
 */
int stub_prepare(struct stub *s, uint64_t region, const struct image *known, struct err *e)
	MUST_CHECK;

/**
 * stub_enter() - Set all threads to the beginning of their parasites, stopped as they are
 *
 * Whoever lets them go now ends the process: without an agent a parasite kills it. Undone by
 * stub_release().
 */
int stub_enter(struct stub *s, struct err *e) MUST_CHECK;

/** stub_start() - The point of no return is passed: the threads become parasites */
int stub_start(struct stub *s, struct err *e) MUST_CHECK;

/**
 * stub_tell_pending() - Tell the signals that wait in the kernel now, before the threads work
 *
 * So the guest has them when it begins to run.
 */
int stub_tell_pending(struct stub *s, struct err *e) MUST_CHECK;

/** stub_release() - Undo: what was mapped and opened goes, the process runs on. Never after start */
void stub_release(struct stub *s);

/** stub_call() - Hand a request to a thread; -ESRCH no such thread, -EBUSY it has one */
int stub_call(struct stub *s, pid_t tid, const void *request, size_t n) MUST_CHECK;

/**
 * stub_call_now() - Likewise, and wait in place for its answer, for a moment
 *
 * For a call whose answer is there at once (forward/table/quick.h): it is told before the return, if
 * it comes within some milliseconds; else, and while another thread has a call, from the loop.
 */
int stub_call_now(struct stub *s, pid_t tid, const void *request, size_t n) MUST_CHECK;

/** stub_cancel() - Interrupt the call of a thread; nothing happens if it has none */
void stub_cancel(struct stub *s, pid_t tid);

/** stub_clone() - Make one more thread; cloned() tells */
int stub_clone(struct stub *s, pid_t caller) MUST_CHECK;

/** stub_gone() - A thread has ended at the host: it ends here */
void stub_gone(struct stub *s, pid_t tid);

/** stub_deliver() - Job control has stopped the guest: the stub is stopped by the same signal */
void stub_deliver(struct stub *s, int signo);

/** stub_reap() - To be called at SIGCHLD: deals with all stops there are */
void stub_reap(struct stub *s);

/** stub_room() - Answers may be told again */
void stub_room(struct stub *s);

/** stub_is_idle() - Is no call under way, no thread about to be born? */
bool stub_is_idle(const struct stub *s);

/** stub_halt() - Stop all threads and keep them so, for the rebuilding */
int stub_halt(struct stub *s, struct err *e) MUST_CHECK;

/** stub_exit() - The process ends as its guest did: with its wait status */
void stub_exit(struct stub *s, int wait_status);

void stub_done(struct stub *s);

#endif
