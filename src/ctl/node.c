/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node.c - comosix node show|approve|refuse|revoke|remove|renew */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "ctl/admission.h"
#include "ctl/ask.h"
#include "ctl/command.h"
#include "ctl/term.h"
#include "net/enroll.h"
#include "os/file.h"

#define NODE_DIR "/var/lib/comosix/node"

struct node_options {
	const char *role, *fingerprint, *state;
	bool json;
};

static const struct opt_spec json_specs[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct node_options, json), NULL, "print JSON" },
};

static const struct opt_spec approve_specs[] = {
	{ "role", 'r', OPT_STRING, offsetof(struct node_options, role), "ROLE",
	  "desktop or server (desktop)" },
	{ "key-fingerprint", 0, OPT_STRING, offsetof(struct node_options, fingerprint), "HEX",
	  "only if its key is this one" },
	{ "json", 0, OPT_FLAG, offsetof(struct node_options, json), NULL, "print JSON" },
};

static const struct opt_spec renew_specs[] = {
	{ "state", 0, OPT_STRING, offsetof(struct node_options, state), "DIR",
	  "this node's key and certificate, as comosixd's --state (" NODE_DIR ")" },
};

static const struct opt_command show_command = {
	.name = "comosix node show",
	.args = "NAME",
	.summary = "all that is known of one node",
	.examples = "  comosix node show n7\n",
	.specs = json_specs,
	.n_specs = ARRAY_LEN(json_specs),
};

static const struct opt_command approve_command = {
	.name = "comosix node approve",
	.args = "NAME",
	.summary = "let a machine in that asked without a token",
	.examples = "  comosix node list --pending\n  comosix node approve desk7\n",
	.specs = approve_specs,
	.n_specs = ARRAY_LEN(approve_specs),
};

static const struct opt_command refuse_command = {
	.name = "comosix node refuse",
	.args = "NAME",
	.summary = "do not let in a machine that asked without a token",
	.examples = "  comosix node refuse desk7\n",
};

static const struct opt_command revoke_command = {
	.name = "comosix node revoke",
	.args = "NAME",
	.summary = "expel a node: all others refuse it within seconds",
	.examples = "  comosix node revoke desk7\n",
	.specs = json_specs,
	.n_specs = ARRAY_LEN(json_specs),
};

static const struct opt_command remove_command = {
	.name = "comosix node remove",
	.args = "NAME",
	.summary = "forget a node that was expelled; its machine may join again",
	.examples = "  comosix node revoke desk7\n  comosix node remove desk7\n",
};

static const struct opt_command renew_command = {
	.name = "comosix node renew",
	.summary = "get a new certificate for this node; comosixd calls it by itself",
	.examples = "  comosix node renew\n",
	.specs = renew_specs,
	.n_specs = ARRAY_LEN(renew_specs),
};

static void print_value(const char *key, const json_t *v)
{
	char text[256];

	if (json_is_string(v))
		(void)snprintf(text, sizeof(text), "%s", json_string_value(v));
	else if (json_is_integer(v))
		(void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
	else
		(void)snprintf(text, sizeof(text), "%s",
			       json_is_true(v)	  ? "yes"
			       : json_is_false(v) ? "no"
						  : "-");
	(void)printf("%-18s %s\n", key, term_clean(text));
}

int cmd_node_show(int argc, char **argv)
{
	struct node_options o = { 0 };
	json_t *answer, *v, *inner;
	const char *key, *inner_key;
	char path[160];
	int first, r = ask_options(&show_command, argc, argv, &o, 1, 1, &first);

	if (r >= 0)
		return r;
	r = ask_path(show_command.name, "/nodes/", argv[first], "", path, sizeof(path));
	if (!r)
		r = ask_head(show_command.name, "GET", path, NULL, &answer);
	if (r)
		return r;
	if (o.json)
		return ask_print_json(answer);
	json_object_foreach(answer, key, v)
	{
		if (json_is_object(v))
			json_object_foreach(v, inner_key, inner) print_value(inner_key, inner);
		else
			print_value(key, v);
	}
	json_decref(answer);
	return EXIT_ALL_WELL;
}

int cmd_node_approve(int argc, char **argv)
{
	struct node_options o = { .role = "desktop" };
	json_t *answer, *body;
	char path[160];
	int first, r = ask_options(&approve_command, argc, argv, &o, 1, 1, &first);

	if (r >= 0)
		return r;
	r = ask_path(approve_command.name, "/nodes/", argv[first], "/approve", path, sizeof(path));
	if (r)
		return r;
	body = json_pack("{s:s, s:s*}", "role", o.role, "key_fingerprint", o.fingerprint);
	r = ask_head(approve_command.name, "POST", path, body, &answer);
	json_decref(body);
	if (r)
		return r;
	if (o.json)
		return ask_print_json(answer);
	(void)fprintf(stderr, "%s is let in as %s; its key is %s\n", ask_text(answer, "name"),
		      ask_text(answer, "role"), ask_text(answer, "key_fingerprint"));
	json_decref(answer);
	return EXIT_ALL_WELL;
}

/* the commands that only name a node */
static int simple(const struct opt_command *cmd, int argc, char **argv, const char *method,
		  const char *verb, json_t **ret, bool *ret_json)
{
	struct node_options o = { 0 };
	char path[160];
	int first, r = ask_options(cmd, argc, argv, &o, 1, 1, &first);

	*ret = NULL;
	if (r >= 0)
		return r ? r : -1;
	*ret_json = o.json;
	r = ask_path(cmd->name, "/nodes/", argv[first], verb, path, sizeof(path));
	return r ? r : ask_head(cmd->name, method, path, NULL, ret);
}

int cmd_node_refuse(int argc, char **argv)
{
	bool json;
	json_t *answer;
	int r = simple(&refuse_command, argc, argv, "POST", "/refuse", &answer, &json);

	json_decref(answer);
	return r < 0 ? EXIT_ALL_WELL : r;
}

int cmd_node_remove(int argc, char **argv)
{
	bool json;
	json_t *answer;
	int r = simple(&remove_command, argc, argv, "DELETE", "", &answer, &json);

	json_decref(answer);
	return r < 0 ? EXIT_ALL_WELL : r;
}

int cmd_node_revoke(int argc, char **argv)
{
	bool json = false;
	json_t *answer;
	int r = simple(&revoke_command, argc, argv, "POST", "/revoke", &answer, &json);

	if (r)
		return r < 0 ? EXIT_ALL_WELL : r;
	if (json)
		return ask_print_json(answer);
	(void)fprintf(stderr, "%s is expelled%s\n", ask_text(answer, "name"),
		      json_is_true(json_object_get(answer, "spreading"))
			      ? ""
			      : "; the others hear of it as soon as comosixd runs on the head");
	json_decref(answer);
	return EXIT_ALL_WELL;
}

static int renew(const char *dir, long *http_status, struct err *e)
{
	char path[PATH_MAX], ca[PATH_MAX], url[API_URL_MAX];
	const char *other = getenv("COMOSIX_URL");
	struct api_credential cred = { .url = other && *other ? other : url, .ca = ca };
	json_t *body = NULL, *answer = NULL;
	struct api_client *c = NULL;
	struct admission a = { 0 };
	struct buf key, csr;
	struct node_dir n;
	int r;

	(void)snprintf(path, sizeof(path), "%s/key.pem", dir);
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	buf_init(&key, ENROLL_PEM_MAX);
	buf_init(&csr, ENROLL_PEM_MAX);
	r = node_dir_read_json(dir, &n, url, e);
	if (r == -ENOENT)
		r = err_set(e, r, "this machine is no node ('%s' is missing); run 'comosix join'",
			    dir);
	if (!r)
		r = file_read(path, &key, e);
	if (!r)
		r = enroll_request(buf_bytes(&key), key.len, &csr, e);
	if (!r)
		r = api_open(&cred, &c, e);
	if (!r) {
		body = json_pack("{s:s}", "csr", buf_text(&csr));
		r = api_call(c, "POST", "/renew", body, &answer, e);
		*http_status = api_status(c);
	}
	if (!r)
		r = admission_read(answer, &a, e);
	if (!r && (strcmp(a.dir.cluster, n.cluster) != 0 || a.dir.id != n.id))
		r = err_set(e, -EPROTO, "the head gave us another identity; join again");
	if (!r)
		r = node_dir_renew(dir, &a.dir, e);
	if (!r)
		(void)fprintf(stderr, "renewed %s until %s\n", n.name,
			      ask_text(answer, "certificate_end"));
	admission_done(&a);
	json_decref(body);
	json_decref(answer);
	api_close(c);
	if (key.data)
		memset(key.data, 0, key.cap);
	buf_done(&key);
	buf_done(&csr);
	return r;
}

int cmd_node_renew(int argc, char **argv)
{
	struct node_options o = { .state = NODE_DIR };
	long http_status = 0;
	struct err e = { 0 };
	int first, r = ask_options(&renew_command, argc, argv, &o, 0, 0, &first);

	if (r >= 0)
		return r;
	r = renew(o.state, &http_status, &e);
	if (r < 0)
		(void)fprintf(stderr, "comosix node renew: %s\n", e.text);
	return ask_exit_status(r, http_status);
}
