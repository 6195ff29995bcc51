/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_processes.c - /processes: which are away, and moving one
 *
 * A move is ordered here and done by the home node; the answer says that it has begun. How it went
 * is told by an event (process.moved, process.home, process.lost) and by the list.
 */
#include <errno.h>

#include "base/parse.h"
#include "head/api.h"
#include "head/name.h"

static json_t *row_json(const struct moved_row *row)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:I, s:I, s:I}", "pid",
			 (json_int_t)row->pid, "user", row->user, "home", row->home, "node",
			 row->node, "state", row->state, "command", row->command, "job",
			 (int)row->job, "since", reply_time(row->since), "bytes_done",
			 (json_int_t)row->bytes_done, "bytes_all", (json_int_t)row->bytes_all,
			 "freeze_us", (json_int_t)row->freeze_us);
}

void api_processes(struct api *a, const struct http_request *q, struct http_reply *to)
{
	AUTO_FREE struct moved_row *list = NULL;
	ssize_t n = moved_list(a->moved, &list);
	json_t *rows;

	(void)q;
	if (n == -EAGAIN) {
		reply_problem(to, PROBLEM_BUSY,
			      "comosixd on the head does not answer, so nobody knows; is it "
			      "running?");
		to->retry_s = 1;
		return;
	}
	rows = n < 0 ? NULL : json_array();
	for (ssize_t i = 0; i < n; i++)
		(void)json_array_append_new(rows, row_json(&list[i])); /* NULL: a row less */
	reply_json(to, 200, json_pack("{s:o}", "processes", rows));
}

static const struct {
	int r;
	enum problem problem;
} problems[] = {
	{ -ENOENT, PROBLEM_NOT_FOUND },
	{ -EPERM, PROBLEM_CONFLICT },
	{ -ETIMEDOUT, PROBLEM_BUSY },
	{ -ECONNREFUSED, PROBLEM_BUSY },
};

static void refuse(struct http_reply *to, int r, const struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(problems); i++)
		if (problems[i].r == r) {
			reply_problem(to, problems[i].problem, "%s", e->text);
			to->retry_s = problems[i].problem == PROBLEM_BUSY ? 1 : 0;
			return;
		}
	reply_problem(to, PROBLEM_CONFLICT, "%s", e->text);
}

void api_process_move(struct api *a, const struct http_request *q, struct http_reply *to)
{
	const char *target = NULL;
	struct store_node n;
	json_error_t je;
	struct err e = { 0 };
	uint32_t pid = 0;
	int r;

	if (json_unpack_ex((json_t *)q->body, &je, JSON_STRICT, "{s:s}", "to", &target) < 0) {
		reply_problem(to, PROBLEM_BAD_VALUE, "to must be a node's name, home or best: %s",
			      je.text);
		return;
	}
	if (strcmp(target, "home") != 0 && strcmp(target, "best") != 0 && !name_ok(target)) {
		reply_problem(to, PROBLEM_BAD_VALUE, "to must be a node's name, home or best");
		return;
	}
	if (!api_begin(a, to))
		return;
	r = store_node_by_name(a->store, q->word, &n, &e);
	store_rollback(a->store); /* nothing was written */
	if (!r && (parse_u32(q->second, &pid) < 0 || !pid || pid > INT32_MAX))
		r = err_set(&e, -ENOENT, "'%s' is no process number", q->second);
	if (!r && !strcmp(n.role, "desktop"))
		r = err_set(&e, -EPERM, "%s is a desktop: no process is at home there", n.name);
	if (!r)
		r = help_move(&a->help, n.name, pid, target, &e);
	if (r < 0) {
		refuse(to, r, &e);
		return;
	}
	(void)snprintf(to->log, sizeof(to->log), "moved process %u of %s to %s", pid, n.name,
		       target);
	reply_json(
		to, 202,
		json_pack("{s:I, s:s, s:s}", "pid", (json_int_t)pid, "home", n.name, "to", target));
}
