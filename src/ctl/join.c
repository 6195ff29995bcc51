/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * join.c - comosix join: make this machine a node
 *
 * Theory of operation. The key is made here, under STATE/.node.join, and kept there when the rest
 * fails: joining again with the same key gives the same name and number, and a token is not used
 * twice. The authority is fetched from the head without any check and then checked against the
 * fingerprint in the token (or --ca-fingerprint, or the person at the terminal); only then, over a
 * connection that this authority vouches for, the token is shown. What comes back is put in place
 * as STATE/node with one rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#include "ctl/admission.h"
#include "ctl/ask.h"
#include "ctl/command.h"
#include "ctl/term.h"
#include "net/enroll.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"

#define STATE_DIR	"/var/lib/comosix"
#define WORK_DIR	".node.join"
#define PORT_TEXT	":4661"
#define PIN_MIN		32 /* digits: 128 bits */
#define FILE_BYTES_MAX	65536
#define POLL_S		2
#define RETRY_MS	500
#define PATIENCE_MAX_MS 3600000 /* a head that says later than this says no */

struct join_options {
	const char *head, *token, *token_file, *name, *state, *address, *pin;
	uint64_t retry_ms, wait_ms;
	bool relayed, json;
};

static const struct opt_spec specs[] = {
	{ "head", 0, OPT_STRING, offsetof(struct join_options, head), "URL",
	  "where the head is: https://10.0.0.1:4661" },
	{ "token", 't', OPT_STRING, offsetof(struct join_options, token), "TOKEN",
	  "made by 'comosix token create'; without one the operator has to approve" },
	{ "token-file", 0, OPT_STRING, offsetof(struct join_options, token_file), "FILE",
	  "read the token from a file" },
	{ "name", 0, OPT_STRING, offsetof(struct join_options, name), "NAME",
	  "wanted name (the host's); the head makes it unique" },
	{ "state", 0, OPT_STRING, offsetof(struct join_options, state), "DIR",
	  "where comosixd keeps its state (" STATE_DIR ")" },
	{ "address", 0, OPT_STRING, offsetof(struct join_options, address), "ADDR:PORT",
	  "where other nodes reach comosixd here (what the head sees, port 4660)" },
	{ "relayed", 0, OPT_FLAG, offsetof(struct join_options, relayed), NULL,
	  "outgoing connections only: nobody can connect to this machine" },
	{ "ca-fingerprint", 0, OPT_STRING, offsetof(struct join_options, pin), "HEX",
	  "of the cluster's authority, when there is no token" },
	{ "retry", 0, OPT_DURATION, offsetof(struct join_options, retry_ms), "DURATION",
	  "go on so long when the head is away or asks to wait (15s)" },
	{ "wait", 0, OPT_DURATION, offsetof(struct join_options, wait_ms), "DURATION",
	  "wait so long for the operator's approval (1h)" },
	{ "json", 0, OPT_FLAG, offsetof(struct join_options, json), NULL, "print JSON" },
};

static const struct opt_command command = {
	.name = "comosix join",
	.summary = "make this machine a node of a cluster",
	.examples = "  comosix join --head https://10.0.0.1:4661 --token cmx-...\n"
		    "  comosix join --head 10.0.0.1 --token-file /run/token --name desk7\n"
		    "  comosix join --head 10.0.0.1 --relayed   (approved by the operator)\n",
	.specs = specs,
	.n_specs = ARRAY_LEN(specs),
};

struct join {
	const struct join_options *o;
	char url[API_URL_MAX], work[PATH_MAX], node[PATH_MAX], ca_path[PATH_MAX];
	char token[256];
	char fingerprint[ENROLL_FINGERPRINT_TEXT];     /* of the authority */
	char key_fingerprint[ENROLL_FINGERPRINT_TEXT]; /* ours */
	struct buf key, csr;
	uint64_t retry_until_ms;
	long http_status;
};

/* --- what the command line means --- */

/* "10.0.0.1" is good enough */
static int make_url(const char *s, char to[API_URL_MAX], struct err *e)
{
	const char *host = strncmp(s, "https://", 8) ? s : s + 8;
	bool v6_bare = strchr(host, ':') && strchr(host, ':') != strrchr(host, ':') &&
		       host[0] != '[';
	const char *after = strrchr(host, ']');
	bool port = strchr(after ? after : host, ':') != NULL && !v6_bare;
	int n;

	if (strstr(host, "://") || strchr(host, '/'))
		return err_set(e, -EINVAL,
			       "--head: '%s' is no address, as in https://10.0.0.1:4661", s);
	n = snprintf(to, API_URL_MAX, "https://%s%s%s%s", v6_bare ? "[" : "", host,
		     v6_bare ? "]" : "", port ? "" : PORT_TEXT);
	return n < API_URL_MAX ? 0 : err_set(e, -EINVAL, "--head: too long");
}

static int read_token(const struct join_options *o, char to[256], struct err *e)
{
	struct buf b;
	int r = 0;

	to[0] = '\0';
	if (o->token && o->token_file)
		return err_set(e, -EINVAL, "give --token or --token-file, not both");
	if (o->token)
		(void)snprintf(to, 256, "%s", o->token); /* a cut one is refused below */
	if (o->token_file) {
		buf_init(&b, 255);
		r = file_read(o->token_file, &b, e);
		if (!r)
			(void)snprintf(to, 256, "%s", buf_text(&b));
		buf_done(&b);
		to[strcspn(to, " \r\n")] = '\0';
	}
	return r;
}

/* the authority's fingerprint in a token "cmx-CLUSTER-PIN-SECRET" */
static int pin_of_token(const char *token, char to[PIN_MIN + 1], struct err *e)
{
	const char *p = strncmp(token, "cmx-", 4) ? NULL : strchr(token + 4, '-');

	if (!p || strspn(p + 1, "0123456789abcdef") != PIN_MIN || p[1 + PIN_MIN] != '-')
		return err_set(e, -EINVAL,
			       "this is no join token; it looks like "
			       "cmx-XXXXXXXX-...-... and is made by "
			       "'comosix token create' on the head");
	memcpy(to, p + 1, PIN_MIN);
	to[PIN_MIN] = '\0';
	return 0;
}

/* --- reaching the head --- */

static int open_client(const struct join *j, bool checked, struct api_client **ret, struct err *e)
{
	struct api_credential c = { .url = j->url, .ca = checked ? j->ca_path : NULL };

	return api_open(&c, ret, e);
}

/* while the head cannot be reached at all, or asks for patience, try again for a while */
static int call(struct join *j, bool checked, const char *method, const char *path,
		const json_t *body, json_t **ret, struct err *e)
{
	for (;;) {
		struct api_client *c;
		uint64_t wait_ms;
		int r = open_client(j, checked, &c, e);

		if (r < 0)
			return r;
		r = api_call(c, method, path, body, ret, e);
		j->http_status = api_status(c);
		/* it may be starting, or have just certified us in an answer that was lost */
		wait_ms = r == -ECONNREFUSED ? RETRY_MS : r == -EREMOTE ? api_retry_s(c) * 1000 : 0;
		api_close(c);
		if (!wait_ms || wait_ms > PATIENCE_MAX_MS ||
		    clock_boot_ms() + wait_ms > j->retry_until_ms)
			return r;
		(void)usleep((useconds_t)wait_ms * 1000);
	}
}

static int ask_person(const struct join *j, struct err *e)
{
	char line[16];

	if (!isatty(STDIN_FILENO))
		return err_set(e, -EPERM,
			       "who the head is cannot be checked; compare the fingerprint with "
			       "the one in 'comosix status' on the head and give it here: "
			       "--ca-fingerprint %s",
			       j->fingerprint);
	(void)fprintf(stderr,
		      "The authority at %s has the fingerprint\n  %s\n"
		      "Is it the one that 'comosix status' shows on the head? [yes/no] ",
		      j->url, j->fingerprint);
	if (!fgets(line, sizeof(line), stdin) || strcmp(line, "yes\n") != 0)
		return err_set(e, -EPERM, "not joined: the fingerprint was not confirmed");
	return 0;
}

/* fetch the authority, compare, save it in the work directory */
static int pin_authority(struct join *j, const char *pin, struct err *e)
{
	json_t *answer;
	const char *pem;
	int r = call(j, false, "GET", "/ca", NULL, &answer, e);

	if (r < 0)
		return r;
	pem = ask_text(answer, "certificate");
	r = enroll_cert_fingerprint(pem, strlen(pem), j->fingerprint, e);
	if (!r && pin && strncmp(pin, j->fingerprint, strlen(pin)) != 0)
		r = err_set(e, -EPERM,
			    "the head at %s is not the one wanted: its authority is %s, but the "
			    "token or --ca-fingerprint says %s; is the address right?",
			    j->url, j->fingerprint, pin);
	if (!r && !pin)
		r = ask_person(j, e);
	if (!r)
		r = file_write_atomic(j->ca_path, pem, strlen(pem), 0644, e);
	json_decref(answer);
	return r;
}

/* --- the key --- */

static int load_key(struct join *j, struct err *e)
{
	const char *const dirs[] = { j->node, j->work };
	char path[PATH_MAX];
	int r;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		(void)snprintf(path, sizeof(path), "%s/key.pem", dirs[i]);
		r = file_read(path, &j->key, e);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

static int prepare_key(struct join *j, struct err *e)
{
	char path[PATH_MAX];
	int r = load_key(j, e);

	if (r == -ENOENT)
		r = enroll_key(&j->key, e);
	(void)snprintf(path, sizeof(path), "%s/key.pem", j->work);
	if (!r) /* before anything is asked: after a crash the same key asks again */
		r = file_write_atomic(path, buf_bytes(&j->key), j->key.len, 0600, e);
	if (!r)
		r = enroll_request(buf_bytes(&j->key), j->key.len, &j->csr, e);
	return r < 0 ? r
		     : enroll_key_fingerprint(buf_bytes(&j->key), j->key.len, j->key_fingerprint,
					      e);
}

/* --- asking to be let in --- */

static json_t *make_body(const struct join *j, struct err *e)
{
	char host[256] = "";
	json_t *body;

	if (!j->o->name && gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	body = json_pack("{s:s, s:s, s:b, s:s*, s:s*}", "csr", buf_text((struct buf *)&j->csr),
			 "name", j->o->name ? j->o->name : host, "relayed", (int)j->o->relayed,
			 "token", j->token[0] ? j->token : NULL, "address", j->o->address);
	if (!body)
		(void)err_set(e, -EINVAL, "the name is no UTF-8 text; give another --name");
	return body;
}

/* until the operator has decided; *answer is replaced */
static int wait_for_operator(struct join *j, json_t **answer, struct err *e)
{
	uint64_t end_ms = clock_boot_ms() + j->o->wait_ms;
	char path[128], id[64], name[64];

	if (strcmp(ask_text(*answer, "state"), "pending") != 0)
		return 0;
	(void)snprintf(id, sizeof(id), "%s", ask_text(*answer, "join"));
	(void)snprintf(name, sizeof(name), "%s", ask_text(*answer, "name"));
	(void)fprintf(stderr,
		      "Waiting for the operator. On the head:\n  comosix node approve %s\n"
		      "after comparing this machine's key: %s\n",
		      term_clean(name), j->key_fingerprint);
	if (ask_path(command.name, "/join/", id, "", path, sizeof(path)))
		return err_set(e, -EPROTO, "the head's answer has a value that cannot be");
	while (!strcmp(ask_text(*answer, "state"), "pending")) {
		int r;

		if (clock_boot_ms() >= end_ms)
			return err_set(e, -ETIMEDOUT,
				       "the operator has not decided; join again "
				       "later, the request stays for an hour");
		(void)sleep(POLL_S);
		json_decref(*answer);
		*answer = NULL;
		j->retry_until_ms = clock_boot_ms() + j->o->retry_ms;
		r = call(j, true, "GET", path, NULL, answer, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int place(struct join *j, const json_t *answer, struct err *e)
{
	struct admission a;
	int r = admission_read(answer, &a, e);

	if (r < 0)
		return r;
	a.dir.key = buf_text(&j->key);
	r = node_dir_write(j->work, &a.dir, e);
	if (!r)
		r = node_dir_place(j->work, j->node, e);
	admission_done(&a);
	return r;
}

static int report(const struct join *j, const json_t *answer)
{
	if (j->o->json)
		return ask_print_json(json_pack(
			"{s:s, s:I, s:s, s:s, s:s}", "name", ask_text(answer, "name"), "id",
			(json_int_t)ask_number(answer, "id"), "role", ask_text(answer, "role"),
			"cluster", ask_text(answer, "cluster_name"), "key_fingerprint",
			j->key_fingerprint));
	(void)fprintf(stderr, "Joined '%s' as %s (%s). Now start comosixd.\n",
		      ask_text(answer, "cluster_name"), ask_text(answer, "name"),
		      ask_text(answer, "role"));
	return EXIT_ALL_WELL;
}

static int join(struct join *j, struct err *e)
{
	char pin[PIN_MIN + 1];
	const char *want = j->o->pin;
	json_t *body, *answer = NULL;
	int r = 0;

	if (want && (strlen(want) < PIN_MIN || want[strspn(want, "0123456789abcdef")]))
		return err_set(e, -EINVAL, "--ca-fingerprint wants %d digits at least", PIN_MIN);
	if (j->token[0]) {
		r = pin_of_token(j->token, pin, e);
		if (!want)
			want = pin;
	}
	if (!r)
		r = prepare_key(j, e);
	if (!r)
		r = pin_authority(j, want, e);
	if (r < 0)
		return r;
	body = make_body(j, e);
	if (!body)
		return -EINVAL;
	r = call(j, true, "POST", "/join", body, &answer, e);
	json_decref(body);
	if (!r)
		r = wait_for_operator(j, &answer, e);
	if (!r)
		r = place(j, answer, e);
	if (!r)
		r = report(j, answer);
	json_decref(answer);
	return r;
}

/* two joins at once would mix their keys */
static int lock_state(const char *state, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, -errno, "open '%s': %s", state, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY,
			       "another 'comosix join' or 'init' works in '%s'; wait "
			       "until it has ended",
			       state);
	*ret_fd = fd_take(&fd);
	return 0;
}

int cmd_join(int argc, char **argv)
{
	struct join_options o = { .state = STATE_DIR, .retry_ms = 15000, .wait_ms = 3600000 };
	struct join j = { .o = &o };
	AUTO_CLOSE int lock = -1;
	struct err e = { 0 };
	char head[PATH_MAX];
	int first, r = ask_options(&command, argc, argv, &o, 0, 0, &first);

	if (r >= 0)
		return r;
	if (!o.head) {
		(void)fprintf(stderr, "comosix join: give --head URL; see 'comosix join --help'\n");
		return EXIT_USAGE;
	}
	buf_init(&j.key, ENROLL_PEM_MAX);
	buf_init(&j.csr, ENROLL_PEM_MAX);
	j.retry_until_ms = clock_boot_ms() + o.retry_ms;
	(void)snprintf(j.work, sizeof(j.work), "%s/" WORK_DIR, o.state);
	(void)snprintf(j.node, sizeof(j.node), "%s/node", o.state);
	(void)snprintf(j.ca_path, sizeof(j.ca_path), "%s/" WORK_DIR "/ca.pem", o.state);
	(void)snprintf(head, sizeof(head), "%s/head", o.state);
	r = make_url(o.head, j.url, &e);
	if (!r)
		r = read_token(&o, j.token, &e);
	if (!r && !access(head, F_OK))
		r = err_set(&e, -EEXIST,
			    "this machine is the head of a cluster ('%s'); it is a "
			    "node of it already",
			    head);
	if (!r)
		r = dir_make(o.state, 0755, &e);
	if (!r)
		r = dir_make(j.work, 0700, &e);
	if (!r)
		r = lock_state(o.state, &lock, &e);
	if (!r)
		r = join(&j, &e);
	if (r < 0)
		(void)fprintf(stderr, "comosix join: %s\n", e.text);
	if (j.key.data)
		memset(j.key.data, 0, j.key.cap);
	buf_done(&j.key);
	buf_done(&j.csr);
	return r == -ETIMEDOUT ? EXIT_TIMED_OUT
	       : r == -EINVAL  ? EXIT_USAGE
	       : r < 0	       ? ask_exit_status(r, j.http_status)
			       : r;
}
