/* SPDX-License-Identifier: GPL-2.0-or-later */
/* move.h - one moved process, as the parts of moves.h share it (internal to them) */
#ifndef NODE_MOVE_H
#define NODE_MOVE_H

#include "base/list.h"
#include "cluster/again.h"
#include "loop/loop.h"
#include "net/half_link.h"
#include "net/identity.h"
#include "node/half.h"
#include "node/moves.h"
#include "node/names.h"
#include "node/process.h"
#include "os/user.h"
#include "wire/half.pb-c.h"

struct approach;
struct dir_entry;
struct approach_ops;
struct census;
struct transports;

/*
 * Stages are those of half.proto and only go forward. NONE: no half has spoken yet (the host is
 * being reached, or a half of an earlier daemon has not said who it is). AWAY is the POINT OF NO
 * RETURN: from then on only the half decides what becomes of the process. ENDED: the half is gone,
 * watchers are told, and the move is freed in the same handler.
 */
struct move {
	struct list link;
	struct moves *all;
	bool guest;
	bool known; /* who it is; false: adopted, and the half has not said it yet */
	uint8_t id[HALF_ID_LEN];
	struct process process;	  /* at home; at the host only what the home node told */
	char user[USER_NAME_MAX]; /* its number, until the name is known */
	struct names_wait name;
	uint32_t peer; /* the other node */
	char peer_name[IDENTITY_NAME_MAX + 1];
	enum role peer_role;
	int64_t since; /* clock_wall_s() */
	Cmx__HalfStage stage;
	bool grouped;  /* a guest whose cgroup is to be removed after it */
	uint32_t slot; /* of a guest: which private uids its box has */
	uint64_t bytes_done, bytes_all;
	uint32_t freeze_us;
	char text[256];
	struct half *half;	   /* NULL until it runs */
	struct approach *approach; /* on the way to the host */
	struct ev_ref retry;	   /* the next approach, after one that failed */
	bool post_copy;		   /* its memory follows after it */
	bool recalled;		   /* somebody said "home" */
	bool at_home;		   /* and makes the call that brought it there */
	bool for_call;		   /* ended, and that was the reason */
	struct again returns;	   /* that were for a call */
	unsigned int outs; /* it was away before, and goes out again: how often it was tried */
	char then[IDENTITY_NAME_MAX + 1]; /* where to when it is home again; "": nowhere */
};

#define MOVE_NO_GUEST 7 /* status of a host that is asked for a guest it has not */

struct moves {
	struct node *node;
	struct list moves, watchers, errands;
	unsigned int n_away, n_guests, n_watchers;
	struct transports *transports;
	struct census *census;
	struct names *names;
};

/* ---- moves.c ---- */

/** move_new() - In the table; NULL at MOVES_MAX or without memory */
struct move *move_new(struct moves *all, bool guest, const uint8_t *id);

/** move_free() - Out of the table; its half, if it has one, goes on */
void move_free(struct move *m);

struct move *move_by_id(struct moves *all, bool guest, const uint8_t *id);
struct move *move_by_pid(struct moves *all, uint32_t pid);

/** move_name() - Find out what the owner of its process is called; takes its time */
void move_name(struct move *m);

/** move_begin() - Say Start to the half; key is of its transport */
int move_begin(struct move *m, const uint8_t *key, struct err *e) MUST_CHECK;

/** move_goes_again() - It was away, has come home for a call only, and is to go out again */
bool move_goes_again(const struct move *m);

/**
 * move_over() - What became of it is known: count, log, tell the watchers, free it
 *
 * A half that was never told to start is told to end, and the move waits for that, unknown.
 */
void move_over(struct move *m, const Cmx__HalfEnd *end);

extern const struct half_ops move_half_ops;

/* ---- depart.c: at home ---- */

/**
 * depart() - Begin to move a process
 * @p:		From process_look(); the caller's right to it was checked
 * @user:	Its owner's name; NULL: to be found out
 * @to:		A node's name, or "best"
 * @ret:	The new move
 * @ret_status:	Exit status, when it fails
 */
int depart(struct moves *all, const struct process *p, const char *user, const char *to,
	   struct move **ret, int *ret_status, struct err *e) MUST_CHECK;

/** depart_choose() - The node that "to" means for this process; *ret_status when there is none */
int depart_choose(struct moves *all, const struct process *p, const char *to,
		  const struct dir_entry **ret, int *ret_status, struct err *e) MUST_CHECK;

/** depart_approach() - Say OPEN MOVE to a node; rq: what is special about it, the rest is filled */
int depart_approach(const struct move *m, Cmx__MoveRequest *rq, uint32_t to, const char *name,
		    const struct approach_ops *ops, void *owner, struct approach **ret,
		    struct err *e) MUST_CHECK;

/** depart_resume() - The deputy wants a new transport */
void depart_resume(struct move *m);

/** depart_cancel() - Its host is being reached: that is given up, and the process stays; m is gone then */
void depart_cancel(struct move *m, const char *why);

/* ---- arrive.c: at the host ---- */

/** guest_group_remove() - Remove the cgroup of the guest with this slot, if it is empty */
void guest_group_remove(uint32_t slot);

/* ---- watch.c: who asked ---- */

/** watch_state(), watch_over() - Something changed; m is freed after watch_over() */
void watch_state(struct moves *all, const struct move *m);
void watch_over(struct moves *all, const struct move *m, const Cmx__HalfEnd *end);

/** watch_census() - Something changed at another node */
void watch_census(void *moves, const Cmx__MoveInfo *m);

/** watch_passed_on() - Those who wait for m wait for next now */
void watch_passed_on(struct moves *all, const struct move *m, struct move *next);
void watch_close(struct moves *all);

#endif
