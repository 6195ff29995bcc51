/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help_verbs.c - the root helper of comosix-headd: its verbs */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "head/channel.h"
#include "head/help.h"
#include "log/log.h"
#include "net/local.h"
#include "net/proof.h"
#include "os/clock.h"
#include "os/fd.h"
#include "wire/monitor.pb-c.h"

#define WAIT_S (HELP_TIMEOUT_MS / 1000)

static void reply(int fd, const Cmx__HelpRequest *q, int r, const struct err *why,
		  const struct buf *data, int pass_fd)
{
	Cmx__HelpReply m = CMX__HELP_REPLY__INIT;
	struct err e = { 0 };

	m.number = q->number;
	m.error = r < 0 ? (uint32_t)-r : 0;
	if (r < 0)
		m.text = (char *)why->text;
	if (data) {
		m.data.data = (uint8_t *)buf_bytes(data);
		m.data.len = data->len;
	}
	if (channel_send(fd, &m, pass_fd, &e) < 0)
		log_debug("answer the web process: %s", e.text);
}

/* ask comosixd something, and hand the connection over when it has answered */
static int follow(const struct helper *h, const Cmx__HelpRequest *q, Cmx__OpenKind kind,
		  const void *request, int fd, struct err *e)
{
	Cmx__Open open = CMX__OPEN__INIT;
	struct local l;
	struct buf body;
	int status = 0, r;

	buf_init(&body, 64);
	r = message_pack(&body, request);
	if (!r) {
		open.kind = kind;
		open.body.data = (uint8_t *)buf_bytes(&body);
		open.body.len = body.len;
		r = local_open(&l, h->socket, &open, &status, e);
	}
	buf_done(&body);
	if (r < 0)
		return r;
	reply(fd, q, 0, NULL, &l.in, l.fd);
	local_close(&l);
	return 1;
}

static int do_members(const struct helper *h, const Cmx__HelpRequest *q, int fd, struct err *e)
{
	Cmx__MembersRequest rq = CMX__MEMBERS_REQUEST__INIT;

	rq.follow = true;
	return follow(h, q, CMX__OPEN_KIND__OPEN_MEMBERS, &rq, fd, e);
}

static int do_moves(const struct helper *h, const Cmx__HelpRequest *q, int fd, struct err *e)
{
	Cmx__MovesRequest rq = CMX__MOVES_REQUEST__INIT;

	rq.follow = true;
	rq.cluster = true;
	return follow(h, q, CMX__OPEN_KIND__OPEN_MOVES, &rq, fd, e);
}

/* another node wants the operator's word; NULL in ret: not wanted */
static int sign_for(const struct helper *h, const Cmx__Open *open, Cmx__Proof **ret, struct err *e)
{
	const struct proof_request rq = {
		.kind = open->kind, .uid = 0, .body = open->body.data, .body_len = open->body.len
	};
	const char *nodes[] = { open->node };
	struct credential *c;
	int r;

	*ret = NULL;
	if (h->self && !strcmp(open->node, h->self))
		return 0;
	r = credential_load(h->operator_pem, &c, e);
	if (r < 0) {
		(void)err_prefix(e, "the head moves processes of other nodes with the operator's "
				    "credential only");
		return -EPERM;
	}
	r = proof_sign(c, &rq, nodes, 1, clock_wall_s(), ret, e);
	credential_free(c);
	return r;
}

static int errno_of(int status)
{
	switch (status) {
	case 4:
		return -ENOENT;
	case 5:
		return -EPERM;
	case 6:
		return -ETIMEDOUT;
	}
	return -EIO;
}

static int do_move(const struct helper *h, const Cmx__HelpRequest *q, int fd, struct err *e)
{
	Cmx__MigrateRequest rq = CMX__MIGRATE_REQUEST__INIT;
	AUTO_MESSAGE Cmx__Proof *proof = NULL;
	Cmx__Open open = CMX__OPEN__INIT;
	struct local l;
	struct buf body;
	int status = 0, r;

	rq.pid = q->pid;
	rq.to = q->text;
	buf_init(&body, HELP_LINE_MAX);
	r = message_pack(&body, &rq);
	if (!r) {
		open.kind = CMX__OPEN_KIND__OPEN_MIGRATE;
		open.node = q->node;
		open.body.data = (uint8_t *)buf_bytes(&body);
		open.body.len = body.len;
		r = sign_for(h, &open, &proof, e);
	}
	if (!r) {
		open.proof = proof;
		r = local_open(&l, h->socket, &open, &status, e);
	}
	buf_done(&body);
	if (r == -EREMOTE)
		r = errno_of(status);
	else if (r < 0 && r != -EPERM)
		r = -ECONNREFUSED; /* comosixd, not the process, was not found */
	if (r < 0)
		return r;
	local_close(&l); /* it goes on without us */
	reply(fd, q, 0, NULL, NULL, -1);
	return 1;
}

static int do_statement(const struct helper *h, const Cmx__HelpRequest *q, int fd, struct err *e)
{
	Cmx__Open open = CMX__OPEN__INIT;
	struct local l;
	int status = 0, r;

	open.kind = CMX__OPEN_KIND__OPEN_STATEMENT;
	open.body = q->data;
	r = local_open(&l, h->socket, &open, &status, e);
	if (r < 0)
		return r;
	local_close(&l);
	reply(fd, q, 0, NULL, NULL, -1);
	return 1;
}

static int do_audit(const struct helper *h, const Cmx__HelpRequest *q, int fd, struct err *e)
{
	char line[HELP_LINE_MAX + 32];
	struct tm tm;
	time_t now = time(NULL);
	size_t n;

	gmtime_r(&now, &tm);
	n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	for (const char *p = q->text; *p && n < sizeof(line) - 2; p++)
		line[n++] = (unsigned char)*p < 32 || *p == 127 ? '?' : *p;
	line[n++] = '\n';

	AUTO_CLOSE int log = open(h->audit_log,
				  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (log < 0)
		return err_set(e, -errno, "open '%s': %s", h->audit_log, strerror(errno));
	if (write(log, line, n) != (ssize_t)n)
		return err_set(e, -ENOSPC,
			       "the audit log '%s' cannot be written; is its disk full?",
			       h->audit_log);
	reply(fd, q, 0, NULL, NULL, -1);
	return 1;
}

/* each returns 1 when it has replied, or -errno */
static const struct verb {
	Cmx__HelpVerb verb;
	const char *name;
	int (*run)(const struct helper *h, const Cmx__HelpRequest *q, int fd, struct err *e);
	bool waits; /* for another program: done in a child */
} verbs[] = {
	{ CMX__HELP_VERB__HELP_MEMBERS, "members", do_members, true },
	{ CMX__HELP_VERB__HELP_MOVES, "moves", do_moves, true },
	{ CMX__HELP_VERB__HELP_MOVE, "move", do_move, true },
	{ CMX__HELP_VERB__HELP_STATEMENT, "statement", do_statement, true },
	{ CMX__HELP_VERB__HELP_AUDIT, "audit", do_audit, false },
};

static void serve(const struct helper *h, const struct verb *v, const Cmx__HelpRequest *q, int fd)
{
	struct err e = { 0 };
	int r = v->run(h, q, fd, &e);

	if (r < 0)
		reply(fd, q, r, &e, NULL, -1);
}

static void serve_in_child(const struct helper *h, const struct verb *v, const Cmx__HelpRequest *q,
			   int fd, pid_t *ret_child)
{
	struct err e = { 0 };
	pid_t pid = fork();

	if (pid < 0) {
		(void)err_set(&e, -errno, "fork: %s", strerror(errno));
		reply(fd, q, e.code, &e, NULL, -1);
	} else if (!pid) {
		sigset_t none;

		(void)sigemptyset(&none); /* cannot fail */
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)signal(SIGALRM, SIG_DFL);
		(void)alarm(WAIT_S); /* whatever comosixd does, this child ends */
		serve(h, v, q, fd);
		_exit(0);
	} else {
		*ret_child = pid;
	}
}

int helper_answer(const struct helper *h, int fd, pid_t *ret_child, struct err *e)
{
	const struct verb *v = NULL;
	struct err why = { 0 };
	struct buf in;
	int r;

	*ret_child = 0;
	buf_init(&in, CHANNEL_MAX);
	r = channel_recv(fd, 0, &in, NULL, e);
	if (r <= 0) {
		buf_done(&in);
		return r == -EMSGSIZE || r == -ETIMEDOUT ? 1 : r;
	}

	AUTO_MESSAGE Cmx__HelpRequest *q = message_get(&cmx__help_request__descriptor,
						       buf_bytes(&in), in.len, &why);

	for (size_t i = 0; q && i < ARRAY_LEN(verbs); i++)
		if (verbs[i].verb == q->verb)
			v = &verbs[i];
	if (!q)
		log_warn("the web process sent what is no request");
	else if (!v)
		reply(fd, q, -ENOSYS, &(struct err){ .text = "the helper has no such verb" }, NULL,
		      -1);
	else if (v->waits)
		serve_in_child(h, v, q, fd, ret_child);
	else
		serve(h, v, q, fd);
	buf_done(&in);
	return 1;
}
