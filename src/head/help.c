/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help.c - ask the root helper */
#include "head/help.h"

#include <errno.h>

#include "head/channel.h"
#include "os/fd.h"
#include "wire/message.h"
#include "wire/monitor.pb-c.h"

void help_init(struct help *h, int fd)
{
	*h = (struct help){ .fd = fd };
	pthread_mutex_init(&h->lock, NULL);
}

/* the answer with our number; what came late for another question is dropped */
static Cmx__HelpReply *wait_reply(struct help *h, struct buf *in, int *ret_fd, struct err *e)
{
	for (;;) {
		Cmx__HelpReply *reply;
		int fd = -1;
		int r = channel_recv(h->fd, HELP_TIMEOUT_MS, in, &fd, e);

		if (r < 0)
			return NULL;
		if (!r) {
			(void)err_set(e, -EPIPE, "the helper process has ended");
			return NULL;
		}
		reply = message_get(&cmx__help_reply__descriptor, buf_bytes(in), in->len, e);
		if (reply && reply->number == h->number) {
			*ret_fd = fd;
			return reply;
		}
		fd_close(&fd);
		if (!reply)
			return NULL;
		protobuf_c_message_free_unpacked(&reply->base, NULL);
	}
}

static int ask(struct help *h, Cmx__HelpRequest *q, int *ret_fd, struct buf *data, struct err *e)
{
	struct err mine = { 0 };
	AUTO_CLOSE int fd = -1;
	struct buf in;
	int r;

	if (!e)
		e = &mine;
	buf_init(&in, CHANNEL_MAX);
	pthread_mutex_lock(&h->lock);
	q->number = ++h->number;
	r = channel_send(h->fd, q, -1, e);
	if (!r) {
		AUTO_MESSAGE Cmx__HelpReply *m = wait_reply(h, &in, &fd, e);

		if (!m)
			r = e->code ? e->code : -EPROTO;
		else if (m->error)
			r = err_set(e, -(int)(m->error & 0xfff), "%s", m->text);
		else if (data)
			r = buf_put(data, m->data.data, m->data.len);
	}
	pthread_mutex_unlock(&h->lock);
	buf_done(&in);
	if (!r && ret_fd && fd < 0)
		r = err_set(e, -EPROTO, "the helper process sent no connection");
	if (!r && ret_fd)
		*ret_fd = fd_take(&fd);
	return r;
}

int help_members(struct help *h, int *ret_fd, struct buf *already, struct err *e)
{
	Cmx__HelpRequest q = CMX__HELP_REQUEST__INIT;

	q.verb = CMX__HELP_VERB__HELP_MEMBERS;
	return ask(h, &q, ret_fd, already, e);
}

int help_moves(struct help *h, int *ret_fd, struct buf *already, struct err *e)
{
	Cmx__HelpRequest q = CMX__HELP_REQUEST__INIT;

	q.verb = CMX__HELP_VERB__HELP_MOVES;
	return ask(h, &q, ret_fd, already, e);
}

int help_move(struct help *h, const char *node, uint32_t pid, const char *to, struct err *e)
{
	Cmx__HelpRequest q = CMX__HELP_REQUEST__INIT;

	q.verb = CMX__HELP_VERB__HELP_MOVE;
	q.node = (char *)node;
	q.pid = pid;
	q.text = (char *)to;
	return ask(h, &q, NULL, NULL, e);
}

int help_statement(struct help *h, const void *p, size_t len, struct err *e)
{
	Cmx__HelpRequest q = CMX__HELP_REQUEST__INIT;

	q.verb = CMX__HELP_VERB__HELP_STATEMENT;
	q.data.data = (uint8_t *)p;
	q.data.len = len;
	return ask(h, &q, NULL, NULL, e);
}

int help_audit(struct help *h, const char *line, struct err *e)
{
	Cmx__HelpRequest q = CMX__HELP_REQUEST__INIT;

	q.verb = CMX__HELP_VERB__HELP_AUDIT;
	q.text = (char *)line;
	return ask(h, &q, NULL, NULL, e);
}
