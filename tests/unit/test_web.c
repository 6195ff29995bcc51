/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_web.c - the web process in this one, with many clients at once
 *
 * The three processes are threads here, without their sandboxes, so that ASan and TSan see all of
 * it: HTTP, handlers, store, signer, streams.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "head/channel.h"
#include "head/operator.h"
#include "head/setup.h"
#include "head/signer.h"
#include "head/web.h"
#include "log/log.h"
#include "net/api_client.h"
#include "net/enroll.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/sock.h"
#include "test.h"
#include "wire/message.h"
#include "wire/monitor.pb-c.h"

#define CLIENTS 6
#define ROUNDS	10
#define STREAMS 3

static struct {
	char dir[64], state[96], etc[96], operator_pem[128], ca[128], url[64];
	struct cluster cluster;
	struct signer *signer;
	int to_signer[2], unused[2], help[2][2];
	char *ca_pem, *statement_pub;
	struct web_setup setup;
	pthread_t web, signer_thread, helpers[2];
	int web_result;
} t;

static void *run_signer(void *arg)
{
	(void)arg;
	(void)!signer_serve(t.signer, t.to_signer[1], t.unused[1],
			    NULL); /* ends with its channel */
	return NULL;
}

/* there is no comosixd and no audit log here */
static void *run_helper(void *arg)
{
	const int *fd = arg;
	struct buf in;

	buf_init(&in, CHANNEL_MAX);
	while (channel_recv(*fd, -1, &in, NULL, NULL) > 0) {
		Cmx__HelpReply reply = CMX__HELP_REPLY__INIT;

		AUTO_MESSAGE Cmx__HelpRequest *q = message_get(&cmx__help_request__descriptor,
							       buf_bytes(&in), in.len, NULL);

		reply.number = q->number;
		if (q->verb != CMX__HELP_VERB__HELP_AUDIT) {
			reply.error = ENOENT;
			reply.text = (char *)"comosixd is not running here";
		}
		if (channel_send(*fd, &reply, -1, NULL) < 0)
			break;
	}
	buf_done(&in);
	return NULL;
}

static void *run_web(void *arg)
{
	struct err e = { 0 };

	(void)arg;
	t.web_result = web_run(&t.setup, &e);
	if (t.web_result < 0)
		(void)fprintf(stderr, "web: %s\n", e.text);
	return NULL;
}

static char *read_text(const char *name)
{
	char path[192];
	struct buf b;
	char *text;

	(void)snprintf(path, sizeof(path), "%s/head/%s", t.state, name);
	buf_init(&b, 65536);
	if (file_read(path, &b, NULL) < 0)
		return NULL;
	text = strdup(buf_text(&b));
	buf_done(&b);
	return text;
}

static int listen_anywhere(void)
{
	struct sock_addr a;
	int fd;

	if (sock_addr_parse("127.0.0.1:0", &a) < 0 || sock_tcp_listen(&a, &fd, NULL) < 0)
		return -1;
	a.len = sizeof(a.ss);
	if (getsockname(fd, (struct sockaddr *)&a.ss, &a.len) < 0)
		return -1;
	(void)snprintf(t.url, sizeof(t.url), "https://");
	sock_addr_format(&a, t.url + 8);
	return fd;
}

static int make_cluster(void)
{
	struct setup s = { .state = t.state,
			   .etc = t.etc,
			   .cluster = { .name = "test", .address = "127.0.0.1", .port = 4661 } };
	char signer_dir[128];
	struct err e = { 0 };

	(void)snprintf(t.dir, sizeof(t.dir), "/tmp/test_web.XXXXXX");
	if (!mkdtemp(t.dir))
		return -1;
	(void)snprintf(t.state, sizeof(t.state), "%s/state", t.dir);
	(void)snprintf(t.etc, sizeof(t.etc), "%s/etc", t.dir);
	(void)snprintf(t.operator_pem, sizeof(t.operator_pem), "%s/operator.pem", t.etc);
	(void)snprintf(t.ca, sizeof(t.ca), "%s/head/ca.pem", t.state);
	(void)snprintf(signer_dir, sizeof(signer_dir), "%s/head/signer", t.state);
	if (setup_cluster(&s, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	t.cluster = s.cluster;
	return signer_open(signer_dir, &t.cluster, &t.signer, &e);
}

static int start(void **state)
{
	static char database[160];
	sigset_t set;

	log_open("test", LOG_ERR);
	/* web_run() waits for it; nobody else may get it */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	if (make_cluster() < 0 || channel_pair(t.to_signer, NULL) < 0 ||
	    channel_pair(t.unused, NULL) < 0 || channel_pair(t.help[0], NULL) < 0 ||
	    channel_pair(t.help[1], NULL) < 0)
		return -1;
	t.ca_pem = read_text("ca.pem");
	t.statement_pub = read_text("statement.pub");
	(void)snprintf(database, sizeof(database), "%s/head/store/head.db", t.state);
	t.setup = (struct web_setup){ .cluster = &t.cluster,
				      .ca_pem = t.ca_pem,
				      .statement_pub = t.statement_pub,
				      .database = database,
				      .listen_fd = listen_anywhere(),
				      .signer_fd = t.to_signer[0],
				      .helper_fd = t.help[0][0],
				      .helper_live_fd = t.help[1][0] };
	return pthread_create(&t.signer_thread, NULL, run_signer, NULL) ||
	       pthread_create(&t.helpers[0], NULL, run_helper, &t.help[0][1]) ||
	       pthread_create(&t.helpers[1], NULL, run_helper, &t.help[1][1]) ||
	       pthread_create(&t.web, NULL, run_web, NULL);
}

static int stop(void **state)
{
	(void)pthread_kill(t.web, SIGTERM);
	(void)pthread_join(t.web, NULL);
	fd_close(&t.to_signer[0]);
	fd_close(&t.help[0][0]);
	fd_close(&t.help[1][0]);
	(void)pthread_join(t.signer_thread, NULL);
	(void)pthread_join(t.helpers[0], NULL);
	(void)pthread_join(t.helpers[1], NULL);
	fd_close(&t.to_signer[1]);
	fd_close(&t.help[0][1]);
	fd_close(&t.help[1][1]);
	fd_close(&t.unused[0]);
	fd_close(&t.unused[1]);
	signer_close(t.signer);
	free(t.ca_pem);
	free(t.statement_pub);
	return t.web_result || dir_remove(t.dir, NULL) ? -1 : 0;
}

static struct api_client *client(void)
{
	struct api_credential c = {
		.url = t.url, .ca = t.ca, .cert = t.operator_pem, .key = t.operator_pem
	};
	struct api_client *ret = NULL;
	struct err e = { 0 };

	if (api_open(&c, &ret, &e) < 0)
		fail_msg("%s", e.text);
	return ret;
}

static json_t *call(struct api_client *c, const char *method, const char *path, json_t *body,
		    long want)
{
	json_t *answer = NULL;
	struct err e = { 0 };
	int r = api_call(c, method, path, body, &answer, &e);

	if (api_status(c) != want)
		(void)fprintf(stderr, "%s %s: %ld, %d %s\n", method, path, api_status(c), r,
			      e.text);
	json_decref(body);
	return api_status(c) == want ? answer : NULL;
}

struct worker {
	pthread_t thread;
	int number, failures;
};

static json_t *join_body(const char *token)
{
	struct buf key, csr;
	json_t *body;

	buf_init(&key, ENROLL_PEM_MAX);
	buf_init(&csr, ENROLL_PEM_MAX);
	body = enroll_key(&key, NULL) || enroll_request(buf_bytes(&key), key.len, &csr, NULL)
		       ? NULL
		       : json_pack("{s:s, s:s, s:s}", "csr", buf_text(&csr), "name", "same",
				   "token", token);
	buf_done(&key);
	buf_done(&csr);
	return body;
}

/* a token, a join by it, a look, an expulsion: a node's whole life */
static bool one_life(struct api_client *c)
{
	json_t *token = call(c, "POST", "/tokens", json_object(), 201), *node = NULL, *gone = NULL;
	char path[128];
	bool ok = false;

	if (token)
		node = call(c, "POST", "/join",
			    join_body(json_string_value(json_object_get(token, "token"))), 201);
	if (node) {
		const char *name = json_string_value(json_object_get(node, "name"));

		(void)snprintf(path, sizeof(path), "/nodes/%s", name);
		json_decref(call(c, "GET", path, NULL, 200));
		json_decref(call(c, "GET", "/cluster", NULL, 200));
		(void)snprintf(path, sizeof(path), "/nodes/%s/revoke", name);
		gone = call(c, "POST", path, NULL, 200);
		(void)snprintf(path, sizeof(path), "/nodes/%s", name);
		ok = gone && !call(c, "DELETE", path, NULL, 204) && api_status(c) == 204;
	}
	json_decref(token);
	json_decref(node);
	json_decref(gone);
	return ok;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct api_client *c = client();

	for (int i = 0; i < ROUNDS; i++)
		w->failures += !one_life(c);
	api_close(c);
	return NULL;
}

struct follower {
	pthread_t thread;
	int64_t last;
	int removed, out_of_order, result;
};

static bool on_event(void *owner, const char *type, const json_t *data)
{
	struct follower *f = owner;
	int64_t id = json_integer_value(json_object_get(data, "id"));

	if (!strcmp(type, "live"))
		return true;
	f->out_of_order += id != f->last + 1;
	f->last = id;
	f->removed += !strcmp(type, "node.removed");
	return f->removed < CLIENTS * ROUNDS;
}

static void *follow(void *arg)
{
	struct follower *f = arg;
	struct api_client *c = client();
	int64_t after = 0;

	f->result = api_stream(c, &after, true, on_event, f, NULL);
	api_close(c);
	return NULL;
}

static void many_at_once(void **state)
{
	struct follower followers[STREAMS] = { 0 };
	struct worker workers[CLIENTS] = { 0 };

	for (int i = 0; i < STREAMS; i++)
		assert_int_equal(pthread_create(&followers[i].thread, NULL, follow, &followers[i]),
				 0);
	for (int i = 0; i < CLIENTS; i++) {
		workers[i].number = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_int_equal(workers[i].failures, 0);
	}
	/* each stream has shown every event once, in order */
	for (int i = 0; i < STREAMS; i++) {
		assert_int_equal(pthread_join(followers[i].thread, NULL), 0);
		assert_int_equal(followers[i].result, 0);
		assert_int_equal(followers[i].out_of_order, 0);
		assert_int_equal(followers[i].removed, CLIENTS * ROUNDS);
	}
}

static void strangers_are_told_why(void **state)
{
	struct api_credential nobody = { .url = t.url, .ca = t.ca }, unchecked = { .url = t.url };
	struct api_client *c;
	struct err e = { 0 };

	assert_int_equal(api_open(&nobody, &c, NULL), 0);
	assert_int_equal(api_call(c, "GET", "/nodes", NULL, NULL, &e), -EREMOTE);
	assert_int_equal(api_status(c), 401);
	assert_non_null(strstr(e.text, "COMOSIX_OPERATOR"));
	api_close(c);
	assert_int_equal(api_open(&unchecked, &c, NULL), 0);
	json_decref(call(c, "GET", "/ca", NULL, 200));
	api_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_are_told_why),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
