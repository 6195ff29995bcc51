/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web.c - the process of comosix-headd that faces the network */
#include "head/web.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/parse.h"
#include "head/api_events.h"
#include "head/web_tls.h"
#include "log/log.h"
#include "net/enroll.h"
#include "os/clock.h"

#define WATCH_S		  1
#define STREAM_BUFFER_MAX (256 * 1024)
#define DROP_MAX	  (1024 * 1024)
#define FAILURES_BURST	  10
#define FAILURES_PER_S	  (10.0 / 60)
#define PRIORITIES	  "SECURE128:-VERS-ALL:+VERS-TLS1.3"

struct web {
	struct api api;
	struct web_tls tls;
	atomic_int streams;
	pthread_mutex_t lock; /* the list below and all that is in it */
	struct list connections;
};

/* a connection, from accept to close */
struct connection {
	struct list in_web;
	int fd;			   /* libmicrohttpd's; open as long as this exists */
	uint64_t request_since_ms; /* 0: not waiting for the client */
};

/* a request, from its header to the end of its answer */
struct exchange {
	const struct route *route;
	struct http_request q;
	struct buf body;
	bool failed; /* the reply is decided; the body is read and dropped */
	struct http_reply reply;
	struct err why_nobody;
};

/* libmicrohttpd hands us only one pointer per callback; the process serves one cluster */
static struct web *the_web;

/* --- connections and their watchdog --- */

static void waiting_for_client(struct web *w, struct connection *c, bool yes)
{
	if (!c)
		return;
	pthread_mutex_lock(&w->lock);
	c->request_since_ms = yes ? clock_boot_ms() : 0;
	pthread_mutex_unlock(&w->lock);
}

static struct connection *connection_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(
		conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return i ? i->socket_context : NULL;
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct web *w = cls;
	struct connection *c = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *i = MHD_get_connection_info(
			conn, MHD_CONNECTION_INFO_CONNECTION_FD);

		c = i ? calloc(1, sizeof(*c)) : NULL;
		*socket_context = c;
		if (!c)
			return; /* served without a watchdog, cut by its silence only */
		c->fd = i->connect_fd;
		c->request_since_ms = clock_boot_ms();
		pthread_mutex_lock(&w->lock);
		list_add(&w->connections, &c->in_web);
		pthread_mutex_unlock(&w->lock);
	} else if (c) {
		pthread_mutex_lock(&w->lock);
		list_del(&c->in_web);
		pthread_mutex_unlock(&w->lock);
		free(c);
		*socket_context = NULL;
	}
}

static void cut_the_slow(struct web *w)
{
	uint64_t now_ms = clock_boot_ms();

	pthread_mutex_lock(&w->lock);
	list_for_each (l, &w->connections) {
		struct connection *c = list_entry(l, struct connection, in_web);

		if (c->request_since_ms && now_ms > c->request_since_ms + WEB_REQUEST_MS)
			(void)shutdown(c->fd, SHUT_RDWR); /* gone already is as good */
	}
	pthread_mutex_unlock(&w->lock);
}

/* --- streams --- */

struct stream {
	struct web *web;
	struct api_stream place;
	char serial[IDENTITY_SERIAL_TEXT]; /* of the client's certificate */
	struct buf out;
};

static ssize_t stream_read(void *cls, uint64_t pos, char *to, size_t max)
{
	struct stream *s = cls;
	size_t n;

	(void)pos;
	if (!s->out.len && api_stream_next(&s->web->api, &s->place, &s->out) <= 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (operators_revoked(&s->web->api.operators, s->serial))
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = s->out.len < max ? s->out.len : max;
	memcpy(to, buf_bytes(&s->out), n);
	buf_eat(&s->out, n);
	return (ssize_t)n;
}

static void stream_free(void *cls)
{
	struct stream *s = cls;

	atomic_fetch_sub(&s->web->streams, 1);
	buf_done(&s->out);
	free(s);
}

static struct MHD_Response *make_stream(struct web *w, const struct http_request *q,
					struct http_reply *reply)
{
	struct stream *s = NULL;
	struct MHD_Response *r;

	if (atomic_fetch_add(&w->streams, 1) >= WEB_STREAMS_MAX || !(s = calloc(1, sizeof(*s)))) {
		atomic_fetch_sub(&w->streams, 1);
		reply->stream = false;
		reply_problem(reply, PROBLEM_BUSY, "%d streams are open, which is the limit",
			      WEB_STREAMS_MAX);
		return NULL;
	}
	s->web = w;
	memcpy(s->serial, q->who.serial, sizeof(s->serial));
	s->place.after = reply->stream_after;
	s->place.live = reply->stream_live;
	buf_init(&s->out, STREAM_BUFFER_MAX);
	/* something at once: the client shall see that it is connected */
	if (buf_printf(&s->out, "retry: 2000\n\n") < 0) {
		stream_free(s);
		return NULL; /* an empty body of the stream's type */
	}
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, s, stream_free);
	if (!r)
		stream_free(s);
	return r;
}

/* --- answers --- */

static void add_headers(struct MHD_Response *r, const struct http_reply *reply)
{
	char number[16];

	/* a header that cannot be added for want of memory is missing, and that is all */
	if (reply->type)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	(void)MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (reply->allow[0])
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, reply->allow);
	if (reply->retry_s) {
		(void)snprintf(number, sizeof(number), "%u", reply->retry_s);
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, number);
	}
}

static enum MHD_Result send_reply(struct web *w, struct MHD_Connection *conn, struct exchange *x)
{
	struct http_reply *reply = &x->reply;
	struct MHD_Response *r = NULL;
	enum MHD_Result sent;

	if (reply->stream)
		r = make_stream(w, &x->q, reply);
	if (!r)
		r = MHD_create_response_from_buffer(
			reply->len, reply->fixed ? (void *)reply->fixed : reply->text,
			reply->fixed || !reply->len ? MHD_RESPMEM_PERSISTENT
						    : MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	add_headers(r, reply);
	waiting_for_client(w, connection_of(conn), false);
	sent = MHD_queue_response(conn, reply->status, r);
	MHD_destroy_response(r);
	return sent;
}

/* --- requests --- */

static const char *header(struct MHD_Connection *conn, const char *name)
{
	return MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
}

static const char *argument(struct MHD_Connection *conn, const char *name)
{
	return MHD_lookup_connection_value(conn, MHD_GET_ARGUMENT_KIND, name);
}

/*
 * A page of another site can make a browser that holds the operator's certificate send requests;
 * it cannot hide where they come from.
 */
static bool from_another_site(struct MHD_Connection *conn)
{
	const char *origin = header(conn, MHD_HTTP_HEADER_ORIGIN);
	const char *host = header(conn, MHD_HTTP_HEADER_HOST);

	if (!origin)
		return false;
	return !host || strncmp(origin, "https://", 8) != 0 || strcmp(origin + 8, host) != 0;
}

/* an IPv4 client of an IPv6 socket is an IPv4 client to everybody else */
static void copy_address(const struct sockaddr *sa, struct sock_addr *to)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	struct sockaddr_in *in = (struct sockaddr_in *)&to->ss;

	if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		in->sin_family = AF_INET;
		in->sin_port = in6->sin6_port;
		memcpy(&in->sin_addr, in6->sin6_addr.s6_addr + 12, 4);
		to->len = sizeof(*in);
	} else {
		to->len = sa->sa_family == AF_INET6 ? sizeof(*in6) : sizeof(*in);
		memcpy(&to->ss, sa, to->len);
	}
}

static void read_client(struct web *w, struct MHD_Connection *conn, struct exchange *x)
{
	const union MHD_ConnectionInfo *i;

	i = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (i && i->client_addr)
		copy_address(i->client_addr, &x->q.from);
	x->q.caller = CALLER_NONE;
	i = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (i && i->tls_session)
		x->q.caller = web_tls_caller(&w->api, i->tls_session, &x->q.who, &x->why_nobody);
	x->q.after = argument(conn, "after");
	x->q.limit = argument(conn, "limit");
	x->q.live = argument(conn, "live");
	x->q.accept = header(conn, MHD_HTTP_HEADER_ACCEPT);
	x->q.last_event_id = header(conn, "Last-Event-ID");
}

/* all that can be said before the body; false: the reply is decided */
static bool admit(struct MHD_Connection *conn, const char *method, const char *url,
		  struct exchange *x)
{
	const char *length = header(conn, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t bytes = 0;

	switch (route_find(method, url, &x->route, x->q.word, x->q.second, x->reply.allow)) {
	case ROUTE_NO_PATH:
		reply_problem(&x->reply, PROBLEM_NOT_FOUND,
			      "the head has no such address (is it older than this command?); "
			      "what it has is at " ROUTE_PREFIX "/openapi.json");
		return false;
	case ROUTE_NO_METHOD:
		reply_problem(&x->reply, PROBLEM_NO_METHOD, "this address has the methods %s only",
			      x->reply.allow);
		return false;
	case ROUTE_FOUND:
		break;
	}
	if (from_another_site(conn)) {
		reply_problem(&x->reply, PROBLEM_NOT_ALLOWED,
			      "the request comes from another site");
		return false;
	}
	if (!(x->route->may & x->q.caller)) {
		if (x->q.caller == CALLER_NONE)
			reply_problem(
				&x->reply, PROBLEM_NO_CREDENTIAL, "%s",
				x->why_nobody.text[0]
					? x->why_nobody.text
					: "show the operator's certificate: run the command as "
					  "root on the head, or set COMOSIX_OPERATOR");
		else
			reply_problem(&x->reply, PROBLEM_NOT_ALLOWED,
				      "this wants the operator's certificate");
		return false;
	}
	if (length && (parse_u64(length, &bytes) < 0 || bytes > x->route->body_max)) {
		reply_problem(&x->reply, PROBLEM_TOO_LARGE, "at most %zu bytes are taken here",
			      x->route->body_max);
		return false;
	}
	return true;
}

/*
 * A client that is still sending its body when we close may never see the answer: the kernel
 * resets the connection. So a body of a reasonable size is read to its end and dropped.
 */
static bool worth_reading(struct MHD_Connection *conn)
{
	const char *length = header(conn, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t bytes = 0;

	return length && !parse_u64(length, &bytes) && bytes && bytes <= DROP_MAX;
}

static void audit(struct web *w, const char *method, const char *url, const struct exchange *x)
{
	char line[HELP_LINE_MAX], from[SOCK_ADDR_TEXT];
	struct err e = { 0 };

	/* what nobody in particular asked for and what was refused to him is no act of ours */
	if (!strcmp(method, "GET") || (x->q.caller == CALLER_NONE && x->reply.status >= 300))
		return;
	sock_addr_format(&x->q.from, from);
	(void)snprintf(line, sizeof(line), "%s from %s: %s %s -> %u%s%s", api_by(&x->q), from,
		       method, url, x->reply.status, x->reply.log[0] ? ", " : "", x->reply.log);
	if (help_audit(&w->api.help, line, &e) < 0)
		log_err("audit: %s; not recorded: %s", e.text, line);
}

static void handle(struct web *w, struct MHD_Connection *conn, struct exchange *x)
{
	json_error_t je;
	json_t *body = NULL;

	if (x->body.len) {
		const char *type = header(conn, MHD_HTTP_HEADER_CONTENT_TYPE);

		if (!type || strncmp(type, "application/json", 16) != 0) {
			reply_problem(&x->reply, PROBLEM_BAD_REQUEST,
				      "send the body as Content-Type: application/json");
			return;
		}
		body = json_loadb((const char *)buf_bytes(&x->body), x->body.len,
				  JSON_REJECT_DUPLICATES, &je);
		if (!json_is_object(body)) {
			reply_problem(&x->reply, PROBLEM_BAD_REQUEST,
				      "the body is no JSON object: %s",
				      body ? "it is another value" : je.text);
			json_decref(body);
			return;
		}
	} else if (x->route->body_max && !x->route->body_optional) {
		reply_problem(&x->reply, PROBLEM_BAD_REQUEST, "a JSON object is wanted as body");
		return;
	}
	x->q.body = body;
	x->route->run(&w->api, &x->q, &x->reply);
	x->q.body = NULL;
	json_decref(body);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_len, void **context)
{
	struct web *w = cls;
	struct exchange *x = *context;

	(void)version;
	if (!x) {
		x = calloc(1, sizeof(*x));
		if (!x)
			return MHD_NO;
		*context = x;
		read_client(w, conn, x);
		x->failed = !admit(conn, method, url, x);
		if (x->failed && !worth_reading(conn))
			return send_reply(w, conn, x);
		buf_init(&x->body, x->failed ? 0 : x->route->body_max);
		return MHD_YES;
	}
	if (*upload_len) {
		if (!x->failed && buf_put(&x->body, upload, *upload_len) < 0)
			return MHD_NO; /* longer than it said: the connection is cut */
		*upload_len = 0;
		return MHD_YES;
	}
	waiting_for_client(w, connection_of(conn), false);
	if (!x->failed)
		handle(w, conn, x);
	audit(w, method, url, x);
	return send_reply(w, conn, x);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *context;

	(void)code;
	waiting_for_client(cls, connection_of(conn), true); /* for the next request */
	if (!x)
		return;
	reply_done(&x->reply);
	buf_done(&x->body);
	free(x);
	*context = NULL;
}

/* our paths and arguments need no %-escapes: what has some is not found */
static size_t no_unescape(void *cls, struct MHD_Connection *conn, char *s)
{
	(void)cls;
	(void)conn;
	return strlen(s);
}

static int give_certificate(gnutls_session_t session, const gnutls_datum_t *ca_names, int n_names,
			    const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
			    gnutls_pcert_st **cert, unsigned int *n_certs, gnutls_privkey_t *key)
{
	(void)session;
	(void)ca_names;
	(void)n_names;
	(void)algorithms;
	(void)n_algorithms;
	web_tls_give(&the_web->tls, cert, n_certs, key);
	return 0;
}

static void on_log(void *cls, const char *fmt, va_list ap)
{
	char line[256], quoted[512];

	(void)cls;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)vsnprintf(line, sizeof(line), fmt, ap); /* a cut line is still a line */
#pragma GCC diagnostic pop
	line[strcspn(line, "\n")] = '\0';
	log_debug("http: %s", log_quote(line, quoted, sizeof(quoted)));
}

static struct MHD_Daemon *start_http(struct web *w, const struct web_setup *s)
{
	return MHD_start_daemon(
		MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
			MHD_USE_TLS | MHD_USE_ERROR_LOG | MHD_USE_ITC,
		0, NULL, NULL, on_request, w, MHD_OPTION_EXTERNAL_LOGGER, on_log, w,
		MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_HTTPS_CERT_CALLBACK,
		give_certificate, MHD_OPTION_HTTPS_MEM_TRUST, s->ca_pem,
		MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, w, MHD_OPTION_NOTIFY_COMPLETED, on_completed, w,
		MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, w, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)WEB_CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		(unsigned int)WEB_PER_ADDRESS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)WEB_HEADER_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)WEB_IDLE_S,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)WEB_STACK_BYTES, MHD_OPTION_STRICT_FOR_CLIENT,
		1, MHD_OPTION_END);
}

/* --- life --- */

static int open_api(struct web *w, const struct web_setup *s, struct err *e)
{
	struct api *a = &w->api;
	struct buf url;
	int r;

	a->cluster = s->cluster;
	a->ca_pem = strdup(s->ca_pem);
	a->statement_pub = strdup(s->statement_pub);
	buf_init(&url, 128);
	r = cluster_url(s->cluster, &url);
	a->url = r < 0 ? NULL : strdup(buf_text(&url));
	buf_done(&url);
	if (!a->ca_pem || !a->statement_pub || !a->url)
		return err_set(e, -ENOMEM, "out of memory");
	sign_init(&a->sign, s->signer_fd);
	help_init(&a->help, s->helper_fd);
	help_init(&a->help_live, s->helper_live_fd);
	bus_init(&a->bus);
	operators_init(&a->operators);
	pthread_mutex_init(&a->rate_lock, NULL);
	rate_init(&a->rate, FAILURES_BURST, FAILURES_PER_S);
	r = enroll_cert_fingerprint(s->ca_pem, strlen(s->ca_pem), a->fingerprint, e);
	if (!r)
		r = operators_fetch(&a->operators, &a->sign, e);
	if (!r)
		r = store_open(s->database, &a->store, e);
	return r;
}

static void close_api(struct api *a)
{
	store_close(a->store);
	free(a->ca_pem);
	free(a->statement_pub);
	free(a->url);
}

/* until SIGTERM or SIGINT, which the caller has blocked */
static void watch(struct web *w)
{
	const struct timespec tick = { .tv_sec = WATCH_S };
	sigset_t set;

	(void)sigemptyset(&set); /* cannot fail */
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	while (sigtimedwait(&set, NULL, &tick) < 0) {
		struct err e = { 0 };

		cut_the_slow(w);
		if (web_tls_renew(&w->tls, &w->api.sign, clock_wall_s(), &e) < 0)
			log_err("%s", e.text);
	}
}

int web_run(const struct web_setup *s, struct err *e)
{
	struct web *w = calloc(1, sizeof(*w));
	struct MHD_Daemon *http = NULL;
	int r;

	if (!w)
		return err_set(e, -ENOMEM, "out of memory");
	pthread_mutex_init(&w->lock, NULL);
	list_init(&w->connections);
	r = open_api(w, s, e);
	if (!r)
		r = web_tls_open(&w->tls, &w->api.sign, e);
	if (r < 0)
		goto out;
	the_web = w;
	r = live_start(&w->api, &w->api.live, e);
	if (!r)
		r = moved_start(&w->api, &w->api.moved, e);
	if (!r) {
		http = start_http(w, s);
		if (!http)
			r = err_set(e, -EIO, "the HTTP server does not start; --verbose says why");
	}
	if (!r) {
		log_info("serving %s" ROUTE_PREFIX " for cluster '%s'", w->api.url,
			 s->cluster->name);
		watch(w);
	}
	bus_stop(&w->api.bus); /* the streams end, so that their threads can be waited for */
	if (http)
		MHD_stop_daemon(http);
	live_stop(w->api.live);
	moved_stop(w->api.moved);
	web_tls_close(&w->tls);
out:
	close_api(&w->api);
	free(w);
	return r;
}
