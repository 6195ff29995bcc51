/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sign.c - ask the signer process */
#include "head/sign.h"

#include <errno.h>

#include "head/channel.h"
#include "wire/message.h"
#include "wire/monitor.pb-c.h"

void sign_init(struct sign *s, int fd)
{
	*s = (struct sign){ .fd = fd };
	pthread_mutex_init(&s->lock, NULL);
}

void sign_result_done(struct sign_result *r)
{
	buf_done(&r->certificate);
	buf_done(&r->statement);
	free(r->operators);
	r->operators = NULL;
}

/* the answer with our number; older ones are answers that nobody waited for any longer */
static Cmx__SignReply *wait_reply(struct sign *s, struct buf *in, struct err *e)
{
	for (;;) {
		Cmx__SignReply *reply;
		int r = channel_recv(s->fd, SIGN_TIMEOUT_MS, in, NULL, e);

		if (r < 0)
			return NULL;
		if (!r) {
			(void)err_set(e, -EPIPE, "the signer process has ended");
			return NULL;
		}
		reply = message_get(&cmx__sign_reply__descriptor, buf_bytes(in), in->len, e);
		if (!reply || reply->number == s->number)
			return reply;
		protobuf_c_message_free_unpacked(&reply->base, NULL);
	}
}

static int take_operators(const Cmx__SignReply *m, struct sign_result *ret, struct err *e)
{
	ret->operators = calloc(m->n_operators, sizeof(*ret->operators));
	if (!ret->operators)
		return err_set(e, -ENOMEM, "out of memory");
	ret->n_operators = m->n_operators;
	for (size_t i = 0; i < m->n_operators; i++) {
		const Cmx__OperatorCredential *from = m->operators[i];
		struct sign_operator *to = &ret->operators[i];

		(void)snprintf(to->serial, sizeof(to->serial), "%s", from->serial);
		(void)snprintf(to->name, sizeof(to->name), "%s", from->name);
		to->issued = from->issued;
		to->not_after = from->not_after;
		to->revoked = from->revoked;
	}
	return 0;
}

static int take(const Cmx__SignReply *m, struct sign_result *ret, struct err *e)
{
	int r = buf_put(&ret->certificate, m->certificate.data, m->certificate.len);

	if (!r)
		r = buf_put(&ret->statement, m->statement.data, m->statement.len);
	if (r < 0)
		return err_set(e, r, "the signer's answer: %s", strerror(-r));
	(void)snprintf(ret->issued.serial, sizeof(ret->issued.serial), "%s", m->serial);
	(void)snprintf(ret->issued.key_fingerprint, sizeof(ret->issued.key_fingerprint), "%s",
		       m->key_fingerprint);
	ret->issued.not_after = m->not_after;
	ret->epoch = m->epoch;
	return m->n_operators ? take_operators(m, ret, e) : 0;
}

static int ask(struct sign *s, Cmx__SignRequest *q, struct sign_result *ret, struct err *e)
{
	struct err mine = { 0 };
	struct buf in;
	int r;

	if (!e)
		e = &mine;
	*ret = (struct sign_result){ 0 };
	buf_init(&ret->certificate, CA_CERTIFICATE_MAX);
	buf_init(&ret->statement, CHANNEL_MAX);
	buf_init(&in, CHANNEL_MAX);
	pthread_mutex_lock(&s->lock);
	q->number = ++s->number;
	r = channel_send(s->fd, q, -1, e);
	if (!r) {
		AUTO_MESSAGE Cmx__SignReply *m = wait_reply(s, &in, e);

		if (!m)
			r = e->code ? e->code : -EPROTO;
		else if (m->error)
			r = err_set(e, -(int)(m->error & 0xfff), "%s", m->text);
		else
			r = take(m, ret, e);
	}
	pthread_mutex_unlock(&s->lock);
	buf_done(&in);
	if (r < 0)
		sign_result_done(ret);
	return r;
}

static void set_csr(Cmx__SignRequest *q, const char *csr)
{
	q->csr.data = (uint8_t *)csr;
	q->csr.len = strlen(csr);
}

int sign_node(struct sign *s, const char *name, const char *role, uint32_t id, const char *csr,
	      struct sign_result *ret, struct err *e)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;

	q.verb = CMX__SIGN_VERB__SIGN_NODE;
	q.name = (char *)name;
	q.role = (char *)role;
	q.id = id;
	set_csr(&q, csr);
	return ask(s, &q, ret, e);
}

int sign_https(struct sign *s, const char *csr, struct sign_result *ret, struct err *e)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;

	q.verb = CMX__SIGN_VERB__SIGN_HTTPS;
	set_csr(&q, csr);
	return ask(s, &q, ret, e);
}

int sign_operator(struct sign *s, const char *name, const char *csr, struct sign_result *ret,
		  struct err *e)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;

	q.verb = CMX__SIGN_VERB__SIGN_OPERATOR;
	q.name = (char *)name;
	set_csr(&q, csr);
	return ask(s, &q, ret, e);
}

int sign_revoke(struct sign *s, const char *name, uint32_t id, struct sign_result *ret,
		struct err *e)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;

	q.verb = CMX__SIGN_VERB__SIGN_REVOKE;
	q.name = (char *)name;
	q.id = id;
	return ask(s, &q, ret, e);
}

int sign_operators(struct sign *s, struct sign_result *ret, struct err *e)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;

	q.verb = CMX__SIGN_VERB__SIGN_OPERATORS;
	return ask(s, &q, ret, e);
}

int sign_revoke_operator(struct sign *s, const char *serial, struct sign_result *ret, struct err *e)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;

	q.verb = CMX__SIGN_VERB__SIGN_REVOKE_OPERATOR;
	q.serial = (char *)serial;
	return ask(s, &q, ret, e);
}

int sign_statement(struct sign *s, struct sign_result *ret, struct err *e)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;

	q.verb = CMX__SIGN_VERB__SIGN_STATEMENT;
	return ask(s, &q, ret, e);
}
