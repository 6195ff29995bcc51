/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pod.h - one machine of a lab, as the supervisor sees it
 *
 *     OFF        no process; its disk may hold what it was
 *     BOOTING    its first process lives, its services are not all ready
 *     READY      they were; single ones may be starting again
 *     FAILED     cannot become ready; its first process may live, and commands run in it
 */
#ifndef LAB_POD_H
#define LAB_POD_H

#include <sys/resource.h>

#include "lab/channel.h"
#include "lab/network.h"
#include "lab/supervisor.h"
#include "loop/loop.h"

#define POD_STATES(X)                                                                              \
	X(OFF, "off")                                                                              \
	X(BOOTING, "booting")                                                                      \
	X(READY, "ready")                                                                          \
	X(FAILED, "failed")

enum pod_state {
#define POD_STATE_ENUM(state, name) POD_##state,
	POD_STATES(POD_STATE_ENUM)
#undef POD_STATE_ENUM
};

struct pod;
typedef void pod_changed_fn(void *owner, struct pod *p);

/* what all pods of a lab share */
struct pod_lab {
	const struct lab_plan *plan;
	struct loop *loop;
	struct network net;
	rlim_t files;		 /* RLIMIT_NOFILE for what runs in pods; 0: as it is */
	pod_changed_fn *changed; /* told of each change of state */
	void *owner;
};

struct pod {
	struct pod_lab *lab;
	char name[16];
	uint32_t number; /* 0: the head */
	enum lab_role role;
	bool nat, cut;
	bool joined; /* was ready once: its disk says who it is */
	enum pod_state state;
	pid_t pid;   /* in the supervisor's pid namespace; 0 when OFF */
	int channel; /* to its first process, -1 when OFF */
	struct ev_ref child, ref;
	uint32_t restarts;
	char failure[256];
};

void pod_init(struct pod *p, struct pod_lab *lab, uint32_t number, enum lab_role role, bool nat);

/** pod_boot() - Switch it on; it must be OFF; the token is what 'join' wants */
int pod_boot(struct pod *p, const char *token, struct err *e) MUST_CHECK;

/** pod_kill() - Cut its power: first its wire, so that no FIN leaves it; OFF follows by itself */
void pod_kill(struct pod *p);

/** pod_cut() - Take its wire away, or bring it back; -ESRCH when it is off */
int pod_cut(struct pod *p, bool cut, struct err *e) MUST_CHECK;

uint32_t pod_address(const struct pod *p);
void pod_report(const struct pod *p, struct pod_report *ret);

#endif
