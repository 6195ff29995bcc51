/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_report.c - what became of a command on many nodes: summary, JSON, exit status */
#include "ctl/exec_report.h"

#include "ctl/command.h"

#define NAMED_MAX 20 /* nodes named in each part of the summary */

static const struct {
	const char *json, *words;
} results[] = {
#define X(name, json_word, summary_words) [EXEC_##name] = { json_word, summary_words },
	EXEC_RESULTS(X)
#undef X
};

static bool is_ok(const struct exec_node *n)
{
	return n->result == EXEC_EXITED && n->status == 0;
}

/* a node that said "no" for the same reason as all others */
static bool all_are(const struct exec_node *nodes, size_t n, enum exec_result result)
{
	for (size_t i = 0; i < n; i++)
		if (nodes[i].result != result)
			return false;
	return true;
}

static int status_of_one(const struct exec_node *n)
{
	switch (n->result) {
	case EXEC_EXITED:
		return (int)n->status;
	case EXEC_REFUSED:
		return EXIT_REFUSED;
	case EXEC_TIMED_OUT:
		return EXIT_TIMED_OUT;
	case EXEC_INTERRUPTED:
		return 128 + 2 /* SIGINT */;
	case EXEC_UNREACHABLE:
	case EXEC_LOST:
	case EXEC_N_RESULTS:
		break;
	}
	return EXEC_SELF_FAILED;
}

int exec_report_status(const struct exec_node *nodes, size_t n, int signo)
{
	bool ok = true;

	if (signo)
		return 128 + signo;
	if (n == 1)
		return status_of_one(&nodes[0]);
	for (size_t i = 0; i < n; i++) {
		if (nodes[i].result == EXEC_TIMED_OUT)
			return EXIT_TIMED_OUT;
		ok &= is_ok(&nodes[i]);
	}
	if (all_are(nodes, n, EXEC_REFUSED))
		return EXIT_REFUSED;
	return ok ? EXIT_ALL_WELL : EXIT_SOME_FAILED;
}

/* the nodes of one result that are not well: "2 failed: n3 (exit 1), n9 (exit 127)" */
static int put_part(const struct exec_node *nodes, size_t n, enum exec_result result,
		    const char *before, size_t *ret_count, struct buf *to)
{
	size_t count = 0, named = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		count += nodes[i].result == result && !is_ok(&nodes[i]);
	*ret_count = count;
	if (!count)
		return 0;
	r = buf_printf(to, "%s%zu %s: ", before, count, results[result].words);
	for (size_t i = 0; !r && i < n && named < NAMED_MAX; i++) {
		if (nodes[i].result != result || is_ok(&nodes[i]))
			continue;
		r = buf_printf(to, "%s%s", named++ ? ", " : "", nodes[i].target->name);
		if (!r && result == EXEC_EXITED)
			r = buf_printf(to, " (exit %u)", nodes[i].status);
	}
	if (!r && named < count)
		r = buf_printf(to, " and %zu more", count - named);
	return r;
}

int exec_report_summary(const struct exec_node *nodes, size_t n, struct buf *to)
{
	const char *before = ", ";
	size_t ok = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		ok += is_ok(&nodes[i]);
	r = buf_printf(to, "%zu ok", ok);
	for (int result = 0; !r && result < EXEC_N_RESULTS; result++) {
		size_t count;

		r = put_part(nodes, n, (enum exec_result)result, before, &count, to);
		if (count)
			before = "; ";
	}
	return r;
}

/* length of the UTF-8 character at p, 0 when there is none */
static size_t utf8_len(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80       ? 1
		     : p[0] >> 5 == 6  ? 2
		     : p[0] >> 4 == 14 ? 3
		     : p[0] >> 3 == 30 ? 4
				       : 0;
	uint32_t c;

	if (!len || len > n)
		return 0;
	c = len == 1 ? p[0] : p[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (len > 1 && (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	return len;
}

/* bytes that are no UTF-8 become U+FFFD: JSON has no other way */
static json_t *text_json(const struct buf *b)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const uint8_t *p = b->len ? buf_bytes(b) : NULL;
	struct buf clean;
	json_t *j = NULL;
	int r = 0;

	buf_init(&clean, 3 * EXEC_KEEP_MAX);
	for (size_t i = 0; !r && i < b->len;) {
		size_t len = utf8_len(p + i, b->len - i);

		r = len ? buf_put(&clean, p + i, len) : buf_put(&clean, replacement, 3);
		i += len ? len : 1;
	}
	if (!r)
		j = json_stringn(clean.len ? (const char *)buf_bytes(&clean) : "", clean.len);
	buf_done(&clean);
	return j;
}

static json_t *node_json(const struct exec_node *n)
{
	json_t *o = json_pack("{s:s, s:s, s:o, s:o}", "node", n->target->name, "result",
			      results[n->result].json, "stdout", text_json(&n->out.text), "stderr",
			      text_json(&n->err.text));
	int r = o ? 0 : -1;

	if (!r && n->result == EXEC_EXITED)
		r = json_object_set_new(o, "exit", json_integer(n->status));
	if (!r && n->text[0])
		r = json_object_set_new(o, "error", json_string(n->text));
	if (!r && (n->out.cut || n->err.cut))
		r = json_object_set_new(o, "truncated", json_true());
	if (!r)
		return o;
	json_decref(o);
	return NULL;
}

json_t *exec_report_json(const struct exec_node *nodes, size_t n, char *const *argv, size_t n_argv,
			 int status)
{
	json_t *list = json_array(), *command = json_array();
	json_int_t ok = 0;
	int r = list && command ? 0 : -1;

	for (size_t i = 0; !r && i < n_argv; i++) {
		const struct buf word = { .data = (uint8_t *)argv[i], .len = strlen(argv[i]) };

		r = json_array_append_new(command, text_json(&word));
	}
	for (size_t i = 0; !r && i < n; i++) {
		r = json_array_append_new(list, node_json(&nodes[i]));
		ok += is_ok(&nodes[i]);
	}
	if (!r)
		return json_pack("{s:o, s:i, s:I, s:I, s:o}", "command", command, "status", status,
				 "ok", ok, "failed", (json_int_t)n - ok, "nodes", list);
	json_decref(list);
	json_decref(command);
	return NULL;
}
