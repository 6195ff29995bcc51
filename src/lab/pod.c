/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pod.c - one machine of a lab, as the supervisor sees it */
#include "lab/pod.h"

#include <assert.h>
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lab/init.h"
#include "log/log.h"
#include "os/fd.h"

#define POD_NAMESPACES (CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC)

static const char *const state_names[] = {
#define POD_STATE_NAME(state, name) [POD_##state] = name,
	POD_STATES(POD_STATE_NAME)
#undef POD_STATE_NAME
};

/* from each state, a bit for each state that may follow */
static const unsigned int moves[] = {
	[POD_OFF] = 1U << POD_BOOTING,
	[POD_BOOTING] = 1U << POD_READY | 1U << POD_FAILED | 1U << POD_OFF,
	[POD_READY] = 1U << POD_FAILED | 1U << POD_OFF,
	[POD_FAILED] = 1U << POD_READY | 1U << POD_OFF,
};

static void set_state(struct pod *p, enum pod_state to)
{
	assert(moves[p->state] & 1U << to);
	log_info("%s: %s -> %s%s%s", p->name, state_names[p->state], state_names[to],
		 to == POD_FAILED ? ": " : "", to == POD_FAILED ? p->failure : "");
	p->state = to;
	p->joined |= to == POD_READY;
	p->lab->changed(p->lab->owner, p);
}

void pod_init(struct pod *p, struct pod_lab *lab, uint32_t number, enum lab_role role, bool nat)
{
	*p = (struct pod){ .lab = lab, .number = number, .role = role, .nat = nat, .channel = -1 };
	if (number)
		(void)snprintf(p->name, sizeof(p->name), "n%u", number);
	else
		(void)snprintf(p->name, sizeof(p->name), "head");
}

uint32_t pod_address(const struct pod *p)
{
	return p->number ? lab_node_address(p->number, p->nat) : LAB_HEAD_ADDRESS;
}

static void on_end(void *owner, pid_t pid, int wait_status)
{
	struct pod *p = owner;
	struct err e;

	loop_remove(p->lab->loop, &p->ref);
	fd_close(&p->channel);
	p->child = (struct ev_ref){ 0 };
	p->pid = 0;
	p->cut = false;
	/* the kernel deletes it together with the pod's namespace, but later */
	if (network_unplug(&p->lab->net, p->name, p->nat, &e) < 0)
		log_warn("%s: %s", p->name, e.text);
	set_state(p, POD_OFF);
}

static void on_message(void *owner, uint32_t events)
{
	struct pod *p = owner;
	struct channel_msg m;
	int r;

	while ((r = channel_recv(p->channel, &m)) == 1) {
		if (m.type == SAY_POD_READY && p->state != POD_READY)
			set_state(p, POD_READY);
		if (m.type == SAY_POD_SERVICE) {
			p->restarts++;
			log_warn("%s: service %s ended, start %d", p->name, m.text, m.number);
		}
		if (m.type == SAY_POD_FAILED && p->state != POD_FAILED) {
			(void)snprintf(p->failure, sizeof(p->failure), "%s", m.text);
			set_state(p, POD_FAILED);
		}
		channel_msg_done(&m);
	}
	if (r != -EAGAIN)
		loop_remove(p->lab->loop, &p->ref); /* it has ended; on_end() comes */
}

/* like fork(2), in new namespaces */
static pid_t clone_pod(void)
{
	struct clone_args a = { .flags = POD_NAMESPACES, .exit_signal = SIGCHLD };

	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

/* the wire, and whatever may fail before it runs by itself */
static int bring_up(struct pod *p, const char *token, struct err *e)
{
	struct pod_lab *lab = p->lab;
	int r = network_plug(&lab->net, p->name, p->pid, p->nat, e);

	if (!r)
		r = channel_send(p->channel, SAY_BOOT, 0, token);
	if (!r)
		r = loop_add_fd(lab->loop, p->channel, EPOLLIN, on_message, p, &p->ref);
	if (!r)
		r = loop_add_child(lab->loop, p->pid, on_end, p, &p->child);
	return r;
}

int pod_boot(struct pod *p, const char *token, struct err *e)
{
	static const struct cgroup_limits none;
	const struct lab_plan *plan = p->lab->plan;
	struct init init = {
		.root = { .stage = plan->paths.stage,
			  .pod = p->name,
			  .programs = plan->programs,
			  .cgroup = plan->paths.cgroup },
		.lab = plan->paths.name,
		.role = p->role,
		.address = pod_address(p),
		.head_address = LAB_HEAD_ADDRESS,
		.gateway = p->nat ? LAB_ROUTER_INSIDE : 0,
		.files = p->lab->files,
		.bare = plan->bare,
	};
	int ends[2], r;

	assert(p->state == POD_OFF);
	r = rootfs_disk(&init.root, e);
	if (!r)
		r = cgroup_make(plan->paths.cgroup, p->name,
				p->role == LAB_HEAD ? &none : &plan->limits, e);
	if (!r)
		r = channel_pair(ends, e);
	if (r < 0)
		return r;
	init.channel = ends[1];
	p->failure[0] = '\0';
	p->pid = clone_pod();
	if (!p->pid)
		init_run(&init);
	fd_close(&ends[1]);
	p->channel = ends[0];
	if (p->pid < 0)
		r = err_set(e, -errno, "clone3: %s", strerror(errno));
	else
		r = bring_up(p, token, e);
	if (r < 0) {
		loop_remove(p->lab->loop, &p->ref);
		fd_close(&p->channel);
		if (p->pid > 0) {
			(void)kill(p->pid, SIGKILL); /* ours, not yet waited for */
			(void)waitpid(p->pid, NULL, 0);
		}
		p->pid = 0;
		return r;
	}
	set_state(p, POD_BOOTING);
	return 0;
}

void pod_kill(struct pod *p)
{
	struct err e;

	if (!p->pid)
		return;
	if (network_unplug(&p->lab->net, p->name, p->nat, &e) < 0)
		log_warn("%s: %s", p->name, e.text);
	(void)kill(p->pid, SIGKILL); /* ours, not yet waited for */
}

int pod_cut(struct pod *p, bool cut, struct err *e)
{
	int r;

	if (!p->pid)
		return err_set(e, -ESRCH, "%s is off; start it: comosix lab start %s", p->name,
			       p->name);
	r = network_cut(&p->lab->net, p->name, p->nat, cut, e);
	if (!r)
		p->cut = cut;
	return r;
}

void pod_report(const struct pod *p, struct pod_report *ret)
{
	*ret = (struct pod_report){
		.role = p->role, .cut = p->cut, .nat = p->nat, .restarts = p->restarts
	};
	(void)snprintf(ret->name, sizeof(ret->name), "%s", p->name);
	(void)snprintf(ret->state, sizeof(ret->state), "%s", state_names[p->state]);
	(void)snprintf(ret->failure, sizeof(ret->failure), "%s", p->failure);
	lab_address_format(pod_address(p), ret->address);
}
