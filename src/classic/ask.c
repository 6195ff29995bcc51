/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - what the classic commands ask the comosixd of their node (blocking) */
#include "classic/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/exit_status.h"
#include "net/local.h"
#include "wire/message.h"

#define BODY_MAX  131072
#define MOVES_MAX 100000 /* rows taken from a daemon */

static const char *const stages[] = {
	[CMX__HALF_STAGE__STAGE_NONE] = "leaving",
	[CMX__HALF_STAGE__STAGE_PREFLIGHT] = "leaving",
	[CMX__HALF_STAGE__STAGE_CONNECT] = "leaving",
	[CMX__HALF_STAGE__STAGE_COPY] = "leaving",
	[CMX__HALF_STAGE__STAGE_CAPTURE] = "leaving",
	[CMX__HALF_STAGE__STAGE_BUILD] = "leaving",
	[CMX__HALF_STAGE__STAGE_AWAY] = "away",
	[CMX__HALF_STAGE__STAGE_RECALL] = "returning",
	[CMX__HALF_STAGE__STAGE_REBUILD] = "returning",
	[CMX__HALF_STAGE__STAGE_ENDED] = "ended",
};

const char *ask_state_name(const struct ask_move *m)
{
	if (m->again)
		return "again";
	return (unsigned int)m->stage < ARRAY_LEN(stages) ? stages[m->stage] : "unknown";
}

bool ask_is_away(const struct ask_move *m)
{
	return m->stage >= CMX__HALF_STAGE__STAGE_AWAY && !m->again;
}

static int open_with(struct local *l, Cmx__OpenKind kind, const void *body, int *ret_status,
		     struct err *e)
{
	Cmx__Open open = CMX__OPEN__INIT;
	struct buf b;
	int r = 0;

	*ret_status = EXIT_ERROR;
	buf_init(&b, BODY_MAX);
	if (body)
		r = message_pack(&b, body);
	if (r < 0) {
		buf_done(&b);
		return err_set(e, r, "the request is too long");
	}
	open.kind = kind;
	open.body = (ProtobufCBinaryData){ .data = (uint8_t *)buf_bytes(&b), .len = b.len };
	r = local_open(l, NULL, &open, ret_status, e);
	buf_done(&b);
	return r;
}

/* the next frame of this type, unpacked; OPEN_OK is passed over */
static void *next(struct local *l, enum frame_type type, const ProtobufCMessageDescriptor *d,
		  struct err *e)
{
	struct frame f;
	int r;

	do
		r = local_next(l, &f, e);
	while (r == 1 && f.type == FRAME_OPEN_OK);
	if (r == 1 && f.type == type)
		return message_get(d, f.payload, f.len, e);
	if (r == 1)
		(void)err_set(e, -EPROTO, "comosixd answered with %s", frame_name(f.type));
	else if (!r)
		(void)err_set(e, -EPIPE, "comosixd ended; see its log");
	return NULL;
}

int ask_self(char *ret, int *ret_status, struct err *e)
{
	struct local l;
	int r = open_with(&l, CMX__OPEN_KIND__OPEN_STATUS, NULL, ret_status, e);

	if (r < 0)
		return r;

	AUTO_MESSAGE Cmx__Status *m = next(&l, FRAME_STATUS, &cmx__status__descriptor, e);

	if (m)
		(void)snprintf(ret, ASK_NODE_MAX, "%s", m->name);
	local_close(&l);
	return m ? 0 : e->code;
}

static void fill(struct ask_move *to, const Cmx__MoveInfo *m)
{
	*to = (struct ask_move){ .guest = m->guest,
				 .pid = (pid_t)m->pid,
				 .uid = m->uid,
				 .stage = (Cmx__HalfStage)m->stage,
				 .job = m->job,
				 .again = m->again };
	(void)snprintf(to->user, sizeof(to->user), "%s", m->user);
	(void)snprintf(to->home, sizeof(to->home), "%s", m->home);
	(void)snprintf(to->node, sizeof(to->node), "%s", m->node);
	(void)snprintf(to->command, sizeof(to->command), "%s", m->command);
}

int ask_moves(struct ask_move **ret, size_t *ret_n, int *ret_status, struct err *e)
{
	Cmx__MovesRequest rq = CMX__MOVES_REQUEST__INIT;
	AUTO_FREE struct ask_move *rows = NULL;
	size_t n = 0, room = 0;
	struct local l;
	int r = open_with(&l, CMX__OPEN_KIND__OPEN_MOVES, &rq, ret_status, e);

	if (r < 0)
		return r;
	for (;;) {
		AUTO_MESSAGE Cmx__MoveInfo *m = next(&l, FRAME_MOVE, &cmx__move_info__descriptor,
						     e);

		if (!m)
			r = e->code;
		if (!m || m->end_of_snapshot || n == MOVES_MAX)
			break;
		if (n == room) {
			struct ask_move *more;

			room = room ? 2 * room : 16;
			more = reallocarray(rows, room, sizeof(*rows));
			if (!more) {
				r = err_set(e, -ENOMEM, "out of memory");
				break;
			}
			rows = more;
		}
		fill(&rows[n++], m);
	}
	local_close(&l);
	if (r < 0)
		return r;
	*ret = ptr_take(&rows);
	*ret_n = n;
	return 0;
}

int ask_migrate(pid_t pid, const char *to, bool post_copy, const struct ask_progress *p,
		char *ret_text, size_t len, int *ret_status, struct err *e)
{
	Cmx__MigrateRequest rq = CMX__MIGRATE_REQUEST__INIT;
	struct local l;
	bool over = false;
	int r;

	rq.pid = (uint32_t)pid;
	rq.to = (char *)to;
	rq.post_copy = post_copy;
	r = open_with(&l, CMX__OPEN_KIND__OPEN_MIGRATE, &rq, ret_status, e);
	if (r < 0)
		return r;
	*ret_status = EXIT_ERROR;
	while (!r && !over) {
		AUTO_MESSAGE Cmx__Half *m = next(&l, FRAME_HALF, &cmx__half__descriptor, e);

		if (!m) {
			r = e->code;
		} else if (m->body_case == CMX__HALF__BODY_STATE) {
			if (p && p->told)
				p->told(p->owner, m->state);
		} else if (m->body_case == CMX__HALF__BODY_END) {
			over = true;
			*ret_status = (int)m->end->status;
			(void)snprintf(ret_text, len, "%s", m->end->text);
			if (*ret_status)
				r = err_set(e, -EREMOTE, "%s", m->end->text);
		}
	}
	local_close(&l);
	return r;
}

int ask_job(const Cmx__JobRequest *rq, int *ret_status, struct err *e)
{
	struct local l;
	int r = open_with(&l, CMX__OPEN_KIND__OPEN_JOB, rq, ret_status, e);

	if (!r)
		local_close(&l);
	return r;
}

int ask_node_up(const char *name, int *ret_status, struct err *e)
{
	Cmx__MembersRequest rq = CMX__MEMBERS_REQUEST__INIT;
	struct local l;
	bool found = false, up = false, end = false;
	int r = open_with(&l, CMX__OPEN_KIND__OPEN_MEMBERS, &rq, ret_status, e);

	if (r < 0)
		return r;
	while (!r && !end) {
		AUTO_MESSAGE Cmx__Member *m = next(&l, FRAME_MEMBER, &cmx__member__descriptor, e);

		if (!m) {
			r = e->code;
			break;
		}
		end = m->end_of_snapshot;
		if (end || strcmp(m->name, name) != 0)
			continue;
		found = true;
		up = !strcmp(m->state, "alive") || !strcmp(m->state, "suspect");
	}
	local_close(&l);
	if (!r && !found) {
		*ret_status = EXIT_NOT_FOUND;
		r = err_set(e, -ENOENT, "no node '%s' in this cluster; see 'comosix nodes'", name);
	} else if (!r && !up) {
		*ret_status = EXIT_ERROR;
		r = err_set(e, -EHOSTDOWN, "%s is not up; see 'comosix nodes'", name);
	}
	return r;
}
