/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h - the half of a moved process that computes, and its agent. Private to guest*.c
 *
 * Theory of operation. The agent's states, in order:
 *
 *	ARRIVING	image and pages come in, the process is built (guest_arrive.c)
 *	WAITING		BUILT was said; nothing of the program has run
 *	RUNNING		trapped calls are forwarded (guest_calls.c), signals come (guest_signals.c),
 *			threads come and go (guest_threads.c)
 *	FREEZING	RECALL came: every thread is brought to a stop outside of any call
 *	LEAVING		image, pending signals and pages go back (guest_leave.c)
 *	LEFT		DONE was said; the stream's end is the end
 *
 * CHECKPOINT makes it go the same way, but for its end: it is RUNNING again when all is sent
 * (guest_checkpoint.c).
 *
 * A thread is in one state of enum guest_thread_state. Who answers a trapped call gives the thread
 * back to the kernel with guest_reply(); nothing else makes it run.
 */
#ifndef MIGRATE_GUEST_H
#define MIGRATE_GUEST_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "forward/away/ahead.h"
#include "forward/away/marshal.h"
#include "forward/call.h"
#include "image/files.h"
#include "image/image.h"
#include "loop/loop.h"
#include "migrate/box.h"
#include "migrate/build.h"
#include "migrate/channel.h"
#include "migrate/clock.h"
#include "migrate/guest_late.h"
#include "migrate/pages.h"
#include "tracee/tracee.h"

enum guest_state {
	GUEST_ARRIVING,
	GUEST_WAITING,
	GUEST_RUNNING,
	GUEST_FREEZING,
	GUEST_LEAVING,
	GUEST_LEFT,
};

enum guest_thread_state {
	THREAD_RUNNING,	 /* by itself, in the kernel or outside */
	THREAD_CALLING,	 /* trapped; its call is at home, or waits for room to go there */
	THREAD_HOMEWARD, /* trapped; its call can be made at home only */
	THREAD_CLONING,	 /* stopped before clone; home makes the thread first */
	THREAD_BEARING,	 /* makes the new thread now; stopped at the end of clone */
	THREAD_BORN,	 /* its first stop is awaited */
	THREAD_MAPPING,	 /* stopped around mmap of a file; its pages are fetched */
	THREAD_READING,	 /* trapped in a read that guest_stream.c answers */
	THREAD_WRITING,	 /* trapped in a write that waits for room, guest_behind.c */
	THREAD_FROZEN,	 /* stopped for the way home */
};

/* why a thread stands still though it is THREAD_RUNNING: guest_lease.c */
enum guest_hold {
	HOLD_NONE,
	HOLD_INTERRUPT, /* in an INTERRUPT stop */
	HOLD_GROUP,	/* in a stop of job control, which goes on after it */
};

#define GUEST_TIMERS_MAX 32
#define GUEST_STREAMS	 16
#define GUEST_PARTS	 16	       /* of a readv that is answered here */
#define GUEST_READ_MAX	 0x7ffff000ULL /* what one read gives, read(2) */

struct guest;
struct guest_thread;
struct guest_view;

/* what to do with the answer to a request that the agent made for itself */
typedef void guest_answer_fn(struct guest_thread *t, const uint8_t *p, size_t n);

/* a signal on its way into the guest, until the kernel delivers it */
struct guest_signal {
	struct guest_signal *next;
	pid_t tid; /* 0: of the process */
	siginfo_t info;
};

/* the memory that a read or write names, and how far it was gone through; guest_parts.c */
struct guest_parts {
	struct {
		uint64_t at, len;
	} parts[GUEST_PARTS];
	size_t n;
	uint64_t total, done; /* bytes */
};

struct guest_thread {
	struct guest *guest;
	pid_t tid;
	enum guest_thread_state state;
	struct marshal *marshal;
	bool in_notify; /* the kernel waits for guest_reply() */
	uint64_t id;	/* of the notification */
	uint32_t nr;
	uint64_t args[6];
	struct buf request;	      /* made and not yet sent: the channel is full */
	guest_answer_fn *answer;      /* NULL: the marshaller's */
	guest_answer_fn *asked;	      /* guest_ask()'s: of an answer that was not cut short */
	struct guest_view *view;      /* of /proc, being made; guest_views.c */
	struct user_regs_struct regs; /* CLONING, BEARING, MAPPING: as the program had them */
	pid_t born;		      /* BEARING: the new thread's id */
	uint64_t map_at, map_done;    /* MAPPING */
	uint32_t restart_call;	      /* its rest is in the kernel at home */
	uint64_t rest_at; /* while it is made there: where home's kernel puts its output, at home */
	size_t rest_len;  /* 0: it is not */
	int64_t rest_result; /* and what it gives when that is there */
	uint64_t
		done; /* of the call that it is about to make: by it before it came, or before it goes */
	bool again;		  /* it makes its last trapped call once more: go on with that */
	bool begun;		  /* its last trapped call was: the marshaller knows of it */
	struct guest_parts parts; /* READING, WRITING */
	bool cancelled;
	bool signalled;	  /* a signal was sent since its last call */
	uint64_t awaited; /* signals that it waits for in sigtimedwait */
	enum guest_hold hold;
	bool beyond;		    /* its call names memory behind the end of a file of home */
	uint64_t late_at, late_end; /* waits for these pages, while they are late */
	void (*late_go_on)(struct guest_thread *t);
	struct buf late_answer; /* that is taken again when they have come */
};

/* what the signal that came last of a timer has said */
struct guest_timer {
	bool seen;
	int32_t id, overrun;
};

/* a lent file, as /proc/PID/maps here tells it */
struct guest_file_id {
	uint64_t inode;
	uint32_t major, minor;
};

struct guest_files {
	struct buf bytes; /* of home's list, as far as it has come */
	struct image_files list;
	struct guest_file_id id[IMAGE_FILES_MAX];
	int sock; /* to the lender; -1: none, or all was asked */
	struct ev_ref ref;
	size_t next; /* the one that is being asked for */
	bool taken, closed;
};

enum guest_stream_state {
	STREAM_FREE,
	STREAM_ASKED,
	STREAM_UNWANTED, /* asked, and no reader wants it any more */
	STREAM_OPEN,
};

struct guest_stream {
	enum guest_stream_state state;
	uint32_t id, fd;
	bool placed;	  /* its reads name their place: home's offset is no matter */
	uint64_t used;	  /* when; the one that was used longest ago makes room */
	uint64_t offset;  /* OPEN: of the reader */
	struct buf bytes; /* from there on */
	bool eof;	  /* behind them is the end of the file */
	struct ahead_window window;
	struct guest_thread *reader; /* who waits; NULL: nobody */
};

struct guest_streams {
	struct ahead ahead;
	struct guest_stream s[GUEST_STREAMS];
	uint32_t last_id;
	uint64_t clock; /* of their use */
};

#define GUEST_BEHIND_FDS  16
#define GUEST_BEHIND_MOST 64
#define GUEST_CALL_BEHIND 1 /* flag of a CALL and its ANSWER: nobody waits */

/* what home has said of a descriptor that is written often */
struct guest_behind_fd {
	uint32_t fd;
	uint32_t asked; /* questions that were answered well */
	bool never;
	uint32_t
		left; /* bytes that may be written before home has said again that there is space */
	bool asking;  /* it is asked, and nobody waits */
	uint32_t then; /* left, when it says yes to that */
};

struct guest_behind {
	struct ahead often;
	struct guest_behind_fd fds[GUEST_BEHIND_FDS]; /* by number, the last one to have it */
	pid_t tid;				      /* whose writes are on the way */
	uint32_t fd;
	uint32_t lens[GUEST_BEHIND_MOST], first, n; /* how long each is; 0: a question */
	uint32_t bytes;				    /* of them, and pending */
	struct buf pending;	    /* written, and not sent: only while one is on the way */
	struct guest_thread *waits; /* for room, while some are on the way; NULL: nobody */
	int error;		    /* -errno that is still to be told; 0: none */
	uint32_t error_fd;
	pid_t cancelled; /* whose next write home will not make; 0: nobody's */
};

/* what the kernel here was told last: 0 is no limit that can be */
struct guest_limits {
	uint64_t cpu_soft; /* it raises that by itself, by a second at a time */
};

/* timers of CPU time: left_ns is what it counts at when it goes off, 0: it is not armed */
struct guest_cpu_timers {
	struct image_timer list[IMAGE_TIMERS_MAX];
	uint32_t n;
	struct ev_ref ref;
	uint32_t wait_ms; /* until it is looked at again */
	uint64_t seen_ns; /* of the process, at the last look */
};

struct guest {
	struct loop *loop;
	struct channel *channel;
	enum guest_state state;
	const struct guest_box *box;
	struct clocks_sync clocks;
	bool clocks_set; /* for processes to come; can be done once */
	struct buf image_bytes;
	struct guest_files files;
	struct guest_streams streams;
	struct guest_behind behind;
	struct image image, arrived; /* as it is known last; leaving: as it came */
	struct build build;
	int notify;
	struct ev_ref notify_ref;
	struct guest_thread *threads[IMAGE_THREADS_MAX];
	size_t n;
	bool stopped; /* by job control */
	bool held;    /* home was not heard of for a while */
	uint32_t lease_ms;
	struct ev_ref lease_ref;
	struct guest_signal *signals;
	struct guest_timer timers[GUEST_TIMERS_MAX]; /* of more, home is asked */
	struct guest_limits limits;
	struct guest_cpu_timers cpu_timers;
	cpu_set_t cpus;		/* that it may use here */
	bool checkpoint;	/* FREEZING and LEAVING: it will go on here */
	struct buf late;	/* SIGNAL payloads that came meanwhile */
	uint64_t signals_taken; /* SIGNAL frames, before the way home */
	struct pages_reader reader;
	struct dirty dirty;	  /* begins before it runs */
	struct pageset beyond;	  /* pages_writer.beyond; until it is built */
	struct pageset held_back; /* guest_held_back() */
	bool untracked;		  /* it cannot */
	bool copying;		  /* RUNNING: recalled, pages go home in rounds */
	bool round_is_sent;
	unsigned int rounds, stalls;
	uint64_t round_began, round_pages; /* of the round: pages sent before it, and in it */
	bool image_is_sent;
	struct guest_late lacks; /* pages that are still at home */
	int result;		 /* of the loop */
	struct err why;		 /* of a failure */
};

/* guest.c */
extern const struct channel_ops guest_channel_ops;

struct guest_thread *guest_add_thread(struct guest *g, pid_t tid) MUST_CHECK;
void guest_remove_thread(struct guest_thread *t);
struct guest_thread *guest_thread(const struct guest *g, pid_t tid);
uint64_t guest_now_ns(void);
void guest_ask_clock(struct guest *g);

/** guest_fail() - End of this guest, with a reason; home is told while it still can listen */
void guest_fail(struct guest *g, int code, const char *what);

/** guest_send() - A frame that must go; the guest fails if it does not */
void guest_send(struct guest *g, enum move_type type, const void *p, size_t n, const void *q,
		size_t m);

/* guest_arrive.c */
int guest_take_image(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;
int guest_take_pages(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;
int guest_run(struct guest *g, struct err *e) MUST_CHECK;

/** guest_in_calls() - Threads that stand still since the last image go on in their calls: set_state.h */
void guest_in_calls(const struct guest *g);

/** guest_take_anew() - Home begins from the beginning, with another program: what came is void */
int guest_take_anew(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;

/* guest_files.c */

/** guest_files_init() - @sock: to the lender, -1: there is none */
void guest_files_init(struct guest *g, int sock);
void guest_files_done(struct guest *g);
int guest_take_files(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;

/** guest_files_check() - Does an image name only files that were lent? -EPROTO */
int guest_files_check(const struct guest *g, const struct image *m, struct err *e) MUST_CHECK;

/** guest_files_close() - The guest is built: its mappings keep them */
void guest_files_close(struct guest *g);

/**
 * guest_files_leave() - On the way home: mark what maps a lent file where it did at home; what maps
 * one elsewhere is sent; -ENOMEM
 */
int guest_files_leave(struct guest *g, struct image *m) MUST_CHECK;

/* guest_copy.c */

/** guest_track_early() - Its mappings are there, and empty: pages can be made in them */
int guest_track_early(struct guest *g, struct err *e) MUST_CHECK;

/** guest_track() - Take note of what was written up to now; home has that */
int guest_track(struct guest *g, struct err *e) MUST_CHECK;
int guest_take_arrived(struct guest *g, struct err *e) MUST_CHECK;

/**
 * guest_copy_home() - Send pages home while it runs, then freeze it
 * @whole:	All of them, not only what was written since home has last got some
 */
int guest_copy_home(struct guest *g, bool whole, struct err *e) MUST_CHECK;
int guest_take_copied(struct guest *g, struct err *e) MUST_CHECK;

/** guest_copy_on() - There is room again */
void guest_copy_on(struct guest *g);

/** guest_copy_last() - It is frozen and read: what is left to send, or everything */
int guest_copy_last(struct guest *g, struct err *e) MUST_CHECK;

/* guest_late.c */

/** guest_late_prepare() - Home wants to send pages late: can it be? */
int guest_late_prepare(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;

/** guest_late_add() - A PAGES frame says that pages are late */
int guest_late_add(struct guest *g, const struct pages_frame *p, struct err *e) MUST_CHECK;

/** guest_late_start() - It is built, and all that came is in place: the rest is missed from now on */
int guest_late_start(struct guest *g, struct err *e) MUST_CHECK;

/** guest_late_run() - It runs: fetch the rest */
void guest_late_run(struct guest *g);
int guest_late_take(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;

/** guest_late_hold() - It is frozen: true when there are pages that have to come before it leaves */
bool guest_late_hold(struct guest *g);

/**
 * guest_reach() - May the agent touch this memory now? Else it would wait for itself
 *
 * Return: false: some of it is late
 */
bool guest_reach(struct guest *g, uint64_t at, size_t n);

/** guest_wait_late() - Some of this is late: @fn is called when it has come */
void guest_wait_late(struct guest_thread *t, uint64_t at, size_t n,
		     void (*fn)(struct guest_thread *t));

/** guest_is_unsteady() - Has some thread begun to give this back, and may take it away now? */
bool guest_is_unsteady(const struct guest *g, uint64_t at, size_t n);

/* guest_memory.c: the program's memory; -EFAULT also when it is late, guest_reach() */
int guest_read(const struct guest_thread *t, uint64_t at, void *p, size_t n) MUST_CHECK;
int guest_write(const struct guest_thread *t, uint64_t at, const void *p, size_t n) MUST_CHECK;

/* the same for the marshaller of a thread, who is noted as waiting when it is late */
ssize_t guest_memory_read(void *owner, uint64_t at, void *p, size_t n);
int guest_memory_write(void *owner, uint64_t at, const void *p, size_t n) MUST_CHECK;

/* guest_checkpoint.c */

/** guest_take_checkpoint() - An image of it is wanted at home, while it stays here */
int guest_take_checkpoint(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;

/** guest_kept() - Image and pages are sent: it goes on */
void guest_kept(struct guest *g);

/** guest_not_kept() - No image can be taken now; why is only logged. Frozen threads go on */
void guest_not_kept(struct guest *g, const char *why);

/** guest_late_signal() - One that comes while it is read: it is sent when it goes on; -errno */
int guest_late_signal(struct guest *g, const struct move_frame *f) MUST_CHECK;

/* guest_calls.c */
void guest_on_notify(void *owner, uint32_t events);
int guest_take_answer(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;
void guest_send_waiting(struct guest *g);

/** guest_cancel() - The call of a thread is to end: now, or as soon as home hears of it */
void guest_cancel(struct guest_thread *t);

/** guest_reply() - The thread's trapped call returns this */
void guest_reply(struct guest_thread *t, int64_t result);

/** guest_request() - A request of the agent's own, by the stub of this thread */
void guest_request(struct guest_thread *t, const struct buf *request, guest_answer_fn *fn);
void guest_homeward(struct guest_thread *t);

/** guest_forward() - Make a trapped HOME call at home */
void guest_forward(struct guest_thread *t);

/* guest_parts.c */

/** guest_parts_load() - Of the trapped call; false: it moves no data, or more than is dealt with here */
bool guest_parts_load(struct guest_thread *t);

/** guest_parts_put() - The next bytes that it reads; guest_parts_get() - that it writes; 0, -EFAULT */
int guest_parts_put(struct guest_thread *t, const uint8_t *p, size_t n) MUST_CHECK;
int guest_parts_get(struct guest_thread *t, uint8_t *p, size_t n) MUST_CHECK;

/* guest_stream.c */

/** guest_stream_call() - A call was trapped; true: it is a read that is answered here */
bool guest_stream_call(struct guest_thread *t);
int guest_take_streamed(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;
int guest_take_data(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;

/** guest_stream_end_all() - Home's offsets are right after that */
void guest_stream_end_all(struct guest *g);

/** guest_stream_forget() - The thread has ended */
void guest_stream_forget(struct guest_thread *t);
void guest_stream_done(struct guest *g);

/* guest_behind.c */

/** guest_behind_call() - A call was trapped; true: it is a write that is dealt with here */
bool guest_behind_call(struct guest_thread *t);

/** guest_behind_blocks() - Must calls of this thread wait for another one's writes? Its own are sent */
bool guest_behind_blocks(const struct guest_thread *t);

/** guest_behind_flush() - Send what was put together: before anything else that home hears of */
void guest_behind_flush(struct guest *g);
void guest_behind_init(struct guest *g);

/** guest_behind_on() - There is room in the channel again */
void guest_behind_on(struct guest *g);

/** guest_behind_forget() - The thread has ended */
void guest_behind_forget(struct guest_thread *t);
void guest_behind_done(struct guest *g);

/** guest_behind_result() - What a call is to return, when there is a failure to be told */
int64_t guest_behind_result(struct guest_thread *t, int64_t result);

/** guest_behind_again() - Was it only not made because one before it had failed, which was told already? */
bool guest_behind_again(struct guest_thread *t, int64_t result);
int guest_behind_answer(struct guest *g, const uint8_t *p, size_t n, struct err *e) MUST_CHECK;

/** guest_answer() - The marshaller takes an answer, of home or made here */
void guest_answer(struct guest_thread *t, const uint8_t *p, size_t n);

/* guest_times.c */
#define GUEST_TIMES_MAX 128 /* bytes of an answer with times in it */

/**
 * guest_times_add() - CPU time used here is added to an answer of home that tells CPU time
 * @amended:	Room for the new answer
 *
 * Return: the answer to be taken: @p or @amended
 */
const uint8_t *guest_times_add(const struct guest_thread *t, const uint8_t *p, size_t n,
			       uint8_t amended[GUEST_TIMES_MAX]);

/** guest_cpu_ns() - CPU time that a thread has used here; 0: the process */
uint64_t guest_cpu_ns(const struct guest *g, pid_t tid);

/* guest_timers.c */

/** guest_timers_start() - It runs: watch the timers of CPU time that came with it */
void guest_timers_start(struct guest *g);

/** guest_timers_leave() - The image of the way home gets them */
void guest_timers_leave(struct guest *g);
void guest_timers_done(struct guest *g);

/** guest_timer_call() - timer_create (of CPU time), timer_settime, timer_gettime, timer_delete */
void guest_timer_call(struct guest_thread *t);

/* guest_views.c */

/** guest_views_open() - Its call is about to go home: does it open a view? true: it was dealt with */
bool guest_views_open(struct guest_thread *t);

/** guest_views_hide() - An answer has come: does it list our descriptors? true: it is dealt with */
bool guest_views_hide(struct guest_thread *t, const uint8_t *p, size_t n);
void guest_views_forget(struct guest_thread *t);

/* guest_virtual.c */

/** guest_virtual() - Deal with a trapped call of class VIRTUAL; false: nobody does */
bool guest_virtual(struct guest_thread *t);

/**
 * guest_ask() - A request of the agent's own, of its parts
 *
 * It must not wait at home. When a stop cut it short the program makes its call again, and @fn is not called.
 */
void guest_ask(struct guest_thread *t, const struct call_request *q, const struct call_fixup *fix,
	       const void *in, guest_answer_fn *fn);

/**
 * guest_held_back() - Pages that must not be written at home now: home's kernel puts an output there
 *
 * pages.h, held: what is left out of a round is kept in mind for the end (held_back).
 */
int guest_held_back(void *owner, uint64_t start, uint64_t *end) MUST_CHECK;

/** guest_let_through() - The kernel here executes the trapped call after all */
void guest_let_through(struct guest_thread *t);

/* guest_limits.c */

/** guest_limits_start() - It is built: the kernel here is told what home's has limited */
void guest_limits_start(struct guest *g);

/** guest_limits_leave() - The image of the way home gets them */
void guest_limits_leave(struct guest *g);

/** guest_limits() - As the program has them; NULL: home has them all */
const struct image_limit *guest_limits(struct guest *g);

/** guest_limit() - getrlimit, setrlimit, prlimit64 */
void guest_limit(struct guest_thread *t);

/** guest_lock() - mlock, mlock2, mlockall */
void guest_lock(struct guest_thread *t);

/* guest_cpus.c */

/** guest_cpus_start() - It is built: bind threads that are bound at home */
void guest_cpus_start(struct guest *g);

/** guest_bind() - sched_setaffinity */
void guest_bind(struct guest_thread *t);

/* guest_map.c */
void guest_map_file(struct guest_thread *t);
void guest_map_stopped(struct guest_thread *t);

/* guest_signals.c */

/** guest_queue_signal() - A signal of home, or a timer's: the kernel here sends it on; -ENOMEM */
int guest_queue_signal(struct guest *g, pid_t tid, const siginfo_t *info) MUST_CHECK;
int guest_take_signal(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;
void guest_on_signal_stop(struct guest_thread *t, const struct tracee_stop *stop);
bool guest_is_deliverable(const struct guest_thread *t);
void guest_forget_signals(struct guest *g);

/** guest_keep_info() - The other way round: it stays in the kernel */
int guest_keep_info(struct guest *g, pid_t tid, const siginfo_t *info) MUST_CHECK;

/** guest_restore_info() - A signal taken out of the kernel: as home had told it; false: it had not */
bool guest_restore_info(struct guest *g, pid_t tid, siginfo_t *info);

/* guest_threads.c */

/** guest_turn_back() - A thread stopped before a call that cannot be made here: homeward */
void guest_turn_back(struct guest_thread *t);
void guest_on_child(void *owner, int signo);
int guest_take_cloned(struct guest *g, const struct move_frame *f, struct err *e) MUST_CHECK;

/* guest_lease.c */

/** guest_lease_start() - Count from now; guest_fail() when the lease has ended */
void guest_lease_start(struct guest *g, uint32_t lease_ms);

/** guest_heard() - Home is alive */
void guest_heard(struct guest *g);

/** guest_hold() - A thread is in a stop: does it stay there? */
bool guest_hold(struct guest_thread *t, enum guest_hold how);

/** guest_hold_running() - After stops were dealt with: interrupt what runs and must not */
void guest_hold_running(struct guest *g);

/* guest_leave.c */
void guest_freeze(struct guest *g);

/** guest_frozen() - A thread has stopped or ended; when it was the last one, the way home begins */
void guest_frozen(struct guest *g);
void guest_on_room(struct guest *g);

#endif
