/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bringup.h - switch pods on: the head first, then tokens, then nodes, a few at a time
 *
 *     IDLE --begin--> HEAD --ready--> TOKENS --all printed--> NODES --all ready--> IDLE (done)
 *                       \________________\______________________\____ failure ---> IDLE (done)
 *
 * HEAD is left at once when the head is ready already; TOKENS when nobody has to join.
 */
#ifndef LAB_BRINGUP_H
#define LAB_BRINGUP_H

#include "lab/headcmd.h"

#define BRINGUP_TOKEN_MAX 256

enum bringup_phase {
	BRINGUP_IDLE,
	BRINGUP_HEAD,
	BRINGUP_TOKENS,
	BRINGUP_NODES,
};

/* @why: NULL when all pods are ready */
typedef void bringup_done_fn(void *owner, const char *why);
typedef void bringup_progress_fn(void *owner, const char *step, uint32_t number);

struct bringup {
	struct pod_lab *lab;
	enum bringup_phase phase;
	struct pod *head, **pods; /* the lab's table; entries do not move */
	uint32_t first, last; /* pods[first] ... pods[last - 1] are to be ready; 0 is the head */
	uint32_t next, ready;
	enum lab_role asked;		   /* TOKENS: the role that a token is being made for */
	char tokens[3][BRINGUP_TOKEN_MAX]; /* by role; "" when nobody of the role joins */
	struct headcmd cmd;
	bringup_done_fn *done;
	bringup_progress_fn *progress;
	void *owner;
};

void bringup_init(struct bringup *b, struct pod_lab *lab, struct pod **pods, bringup_done_fn *done,
		  bringup_progress_fn *progress, void *owner);

/** bringup_begin() - Make pods[first] ... pods[last - 1] ready; the phase must be IDLE */
void bringup_begin(struct bringup *b, uint32_t first, uint32_t last);

/** bringup_pod_changed() - To be called at each change of a pod's state */
void bringup_pod_changed(struct bringup *b, struct pod *p);

#endif
