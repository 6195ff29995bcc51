/* SPDX-License-Identifier: GPL-2.0-or-later */
/* renewal.c - the certificate is renewed before it runs out, and a new one is taken up */
#include "node/renewal.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "config.h"
#include "log/log.h"
#include "loop/loop.h"
#include "net/tls.h"
#include "node/node.h"
#include "os/clock.h"
#include "os/rand.h"
#include "os/spawn.h"

#define LOOK_MS	       5000 /* how often the file's time is looked at */
#define RETRY_FIRST_MS 10000
#define RETRY_MAX_MS   900000

struct renewal {
	struct node *node;
	struct ev_ref timer, child;
	pid_t pid;
	char path[PATH_MAX];
	struct timespec seen; /* mtime of cert.pem when it was loaded */
	uint64_t next_ms;     /* no attempt before */
	uint64_t pause_ms;
};

static struct timespec mtime_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? (struct timespec){ 0 } : st.st_mtim;
}

void renewal_reload(struct renewal *r)
{
	struct node *n = r->node;
	const struct identity *id;
	struct tls_creds *c;
	struct err e;

	r->seen = mtime_of(r->path);
	if (tls_creds_load(n->set.state, &c, &e) < 0) {
		log_err("the new certificate is not taken: %s", e.text);
		return;
	}
	id = tls_creds_self(c);
	if (id->id != n->self.id || id->role != n->self.role || strcmp(id->name, n->self.name) ||
	    strcmp(id->cluster, n->self.cluster)) {
		log_err("the new certificate is of %s (%s); restart comosixd to become that node",
			id->name, role_name(id->role));
		tls_creds_unref(c);
		return;
	}
	if (id->not_after != n->self.not_after)
		count(&n->counters, COUNT_renewals);
	n->self = *id;
	tls_creds_unref(n->creds);
	n->creds = c;
	r->pause_ms = RETRY_FIRST_MS;
	log_info("certificate good for %lld more minutes",
		 (long long)(id->not_after - clock_wall_s()) / 60);
}

static bool due(const struct renewal *r)
{
	const struct identity *id = &r->node->self;

	return clock_wall_s() > id->not_after - (id->not_after - id->not_before) / 3;
}

static void again(struct renewal *r)
{
	r->next_ms = loop_now(r->node->loop) + r->pause_ms / 2 + rand_u64() % r->pause_ms;
	r->pause_ms = r->pause_ms * 2 < RETRY_MAX_MS ? r->pause_ms * 2 : RETRY_MAX_MS;
}

static void on_child(void *owner, pid_t pid, int wait_status)
{
	struct renewal *r = owner;

	r->child = (struct ev_ref){ 0 };
	r->pid = 0;
	if (wait_status == 0)
		renewal_reload(r);
	else
		log_warn("'comosix node renew' failed; tried again later");
	again(r);
}

static void try_renew(struct renewal *r)
{
	char path[PATH_MAX];
	const char *const argv[] = {
		"comosix", "node", "renew", "--state", r->node->set.state, NULL
	};
	const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	struct spawn s = { .path = path, .argv = argv, .env = env, .fds = { -1, 2, 2 } };
	struct err e;

	if (spawn_find("comosix", COMOSIX_BINDIR, path, sizeof(path), &e) < 0 ||
	    spawn_program(&s, &r->pid, &e) < 0 ||
	    loop_add_child(r->node->loop, r->pid, on_child, r, &r->child) < 0) {
		log_err("cannot renew the certificate: %s", e.text);
		again(r);
	}
}

static void on_timer(void *owner)
{
	struct renewal *r = owner;
	struct timespec now = mtime_of(r->path);
	uint64_t at = loop_now(r->node->loop) + LOOK_MS;

	r->timer = (struct ev_ref){ 0 };
	if (!r->pid && (now.tv_sec != r->seen.tv_sec || now.tv_nsec != r->seen.tv_nsec))
		renewal_reload(r);
	if (!r->pid && due(r) && loop_now(r->node->loop) >= r->next_ms)
		try_renew(r);
	(void)!loop_add_timer(r->node->loop, at, on_timer, r, &r->timer);
}

int renewal_new(struct node *n, struct renewal **ret, struct err *e)
{
	struct renewal *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	r->node = n;
	r->pause_ms = RETRY_FIRST_MS;
	(void)snprintf(r->path, sizeof(r->path), "%s/cert.pem", n->set.state);
	r->seen = mtime_of(r->path);
	err = loop_add_timer(n->loop, loop_now(n->loop), on_timer, r, &r->timer);
	if (err < 0) {
		free(r);
		return err_set(e, err, "%s", strerror(-err));
	}
	*ret = r;
	return 0;
}

void renewal_free(struct renewal *r)
{
	if (!r)
		return;
	loop_remove(r->node->loop, &r->timer);
	loop_remove(r->node->loop, &r->child);
	free(r);
}
