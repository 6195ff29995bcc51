/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_client.c - a client of the head's API */
#include "net/api_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/sse.h"
#include "os/file.h"

#define PATH_PREFIX	"/api/v1"
#define FILE_BYTES_MAX	65536
#define STREAM_IDLE_S	30 /* the head speaks every 3 s at least */
#define STREAM_RETRY_S	1
#define STREAM_RETRIES	30
#define NO_EVENT_SO_FAR "9223372036854775807"

struct api_client {
	CURL *curl;
	char url[API_URL_MAX];
	char error[CURL_ERROR_SIZE];
	struct buf answer;
	long status;
	uint64_t retry_s;
};

static size_t on_answer(char *p, size_t size, size_t n, void *owner)
{
	struct api_client *c = owner;

	return buf_put(&c->answer, p, size * n) < 0 ? 0 : size * n;
}

static void set_common(struct api_client *c, const struct api_credential *cred)
{
	/* these fail only for want of memory, and then the transfer fails */
	(void)curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->error);
	(void)curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	(void)curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, (long)API_CONNECT_S);
	(void)curl_easy_setopt(c->curl, CURLOPT_CAPATH, NULL);
	if (cred->ca) {
		(void)curl_easy_setopt(c->curl, CURLOPT_CAINFO, cred->ca);
	} else {
		(void)curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (cred->cert) {
		(void)curl_easy_setopt(c->curl, CURLOPT_SSLCERT, cred->cert);
		(void)curl_easy_setopt(c->curl, CURLOPT_SSLKEY, cred->key);
	}
}

int api_open(const struct api_credential *cred, struct api_client **ret, struct err *e)
{
	struct api_client *c = calloc(1, sizeof(*c));
	size_t len = strlen(cred->url);

	if (!c)
		return err_set(e, -ENOMEM, "out of memory");
	while (len && cred->url[len - 1] == '/')
		len--;
	if (strncmp(cred->url, "https://", 8) != 0 || len >= sizeof(c->url)) {
		free(c);
		return err_set(e, -EINVAL,
			       "'%s' is no address of a head, as in https://10.0.0.1:4661",
			       cred->url);
	}
	memcpy(c->url, cred->url, len);
	buf_init(&c->answer, API_ANSWER_MAX);
	c->curl = curl_easy_init();
	if (!c->curl) {
		free(c);
		return err_set(e, -ENOMEM, "out of memory");
	}
	set_common(c, cred);
	*ret = c;
	return 0;
}

void api_close(struct api_client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	buf_done(&c->answer);
	free(c);
}

long api_status(const struct api_client *c)
{
	return c->status;
}

uint64_t api_retry_s(const struct api_client *c)
{
	return c->retry_s;
}

/* the address in the first line of a credential file: "# url https://..." */
static int url_of(const char *text, char ret[API_URL_MAX])
{
	static const char mark[] = "# url ";
	size_t n;

	if (strncmp(text, mark, strlen(mark)) != 0)
		return -EINVAL;
	text += strlen(mark);
	n = strcspn(text, "\r\n");
	if (!n || n >= API_URL_MAX)
		return -EINVAL;
	memcpy(ret, text, n);
	ret[n] = '\0';
	return 0;
}

int api_open_operator(struct api_client **ret, struct err *e)
{
	const char *path = getenv("COMOSIX_OPERATOR"), *other = getenv("COMOSIX_URL");
	char url[API_URL_MAX] = "";
	struct api_credential c = { .url = url };
	struct buf b;
	int r;

	if (!path || !*path)
		path = API_OPERATOR_DEFAULT;
	buf_init(&b, FILE_BYTES_MAX);
	r = file_read(path, &b, NULL);
	if (!r && url_of(buf_text(&b), url) < 0 && !(other && *other))
		r = err_set(e, -EINVAL, "'%s' does not say where the head is; set COMOSIX_URL",
			    path);
	else if (r == -EACCES)
		r = err_set(e, r,
			    "the operator's credential '%s' is not readable for you; run this "
			    "as root on the head, or set COMOSIX_OPERATOR",
			    path);
	else if (r == -ENOENT)
		r = err_set(e, r,
			    "there is no operator's credential at '%s'; run this on the head "
			    "(was it lost there? 'comosix-headd operator' makes a new one), "
			    "or set COMOSIX_OPERATOR to a copy of it",
			    path);
	else if (r < 0)
		r = err_set(e, r, "read the operator's credential '%s': %s", path, strerror(-r));
	if (b.data)
		memset(b.data, 0, b.cap); /* it holds a key */
	buf_done(&b);
	if (r < 0)
		return r;
	if (other && *other)
		c.url = other;
	c.ca = path;
	c.cert = path;
	c.key = path;
	return api_open(&c, ret, e);
}

/* what curl could not do, in words that help */
static int transfer_failed(const struct api_client *c, CURLcode code, struct err *e)
{
	const char *why = c->error[0] ? c->error : curl_easy_strerror(code);

	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return err_set(e, -ECONNREFUSED,
			       "the head at %s cannot be reached: %s; is comosix-headd running?",
			       c->url, why);
	case CURLE_PEER_FAILED_VERIFICATION:
		return err_set(e, -EPERM,
			       "the server at %s is not the head of our cluster: %s; is the "
			       "address one that 'comosix init' was given?",
			       c->url, why);
	case CURLE_SSL_CERTPROBLEM:
		return err_set(e, -EPERM, "our own certificate cannot be used: %s", why);
	default:
		return err_set(e, -EIO, "the head at %s: %s", c->url, why);
	}
}

/*
 * Of most problems the detail says all to a person: "no node is called 'x'", and a title in front
 * ("There is no such thing: ...") is noise. Of these the title says what is wrong and the detail
 * what to do about it.
 */
static const char *const told_by_title[] = {
	"token-unknown", "token-expired", "token-used",	  "token-revoked",
	"token-network", "node-revoked",  "join-refused", "not-allowed",
};

static bool title_tells(const char *type)
{
	const char *last = type ? strrchr(type, ':') : NULL;

	for (size_t i = 0; last && i < ARRAY_LEN(told_by_title); i++)
		if (!strcmp(last + 1, told_by_title[i]))
			return true;
	return false;
}

/* a problem of RFC 9457, or whatever else came with the status */
static int said_no(const struct api_client *c, const json_t *j, struct err *e)
{
	const char *title = json_string_value(json_object_get(j, "title"));
	const char *detail = json_string_value(json_object_get(j, "detail"));
	const char *type = json_string_value(json_object_get(j, "type"));

	if (detail && !title_tells(type))
		return err_set(e, -EREMOTE, "%s", detail);
	if (title && detail)
		return err_set(e, -EREMOTE, "%s: %s", title, detail);
	if (title)
		return err_set(e, -EREMOTE, "%s", title);
	return err_set(e, -EREMOTE, "the head answered with HTTP status %ld", c->status);
}

static int finish(struct api_client *c, json_t **ret, struct err *e)
{
	json_error_t je;
	json_t *j = NULL;
	int r = 0;

	if (c->answer.len) {
		j = json_loadb((const char *)buf_bytes(&c->answer), c->answer.len,
			       JSON_REJECT_DUPLICATES, &je);
		if (!j && c->status < 300)
			return err_set(e, -EPROTO, "the head's answer is no JSON: %s", je.text);
	}
	if (c->status < 200 || c->status > 299)
		r = said_no(c, j, e);
	if (!r && ret)
		*ret = j;
	else
		json_decref(j);
	return r;
}

int api_call(struct api_client *c, const char *method, const char *path, const json_t *body,
	     json_t **ret, struct err *e)
{
	struct curl_slist *headers = NULL;
	char url[2 * API_URL_MAX + sizeof(PATH_PREFIX)];
	char *text = NULL;
	curl_off_t retry_s;
	CURLcode code;

	if (ret)
		*ret = NULL;
	if ((size_t)snprintf(url, sizeof(url), "%s" PATH_PREFIX "%s", c->url, path) >= sizeof(url))
		return err_set(e, -ENAMETOOLONG, "the name in '%s' is too long", path);
	if (body) {
		text = json_dumps(body, JSON_COMPACT);
		headers = curl_slist_append(NULL, "Content-Type: application/json");
		if (!text || !headers) {
			free(text);
			curl_slist_free_all(headers);
			return err_set(e, -ENOMEM, "out of memory");
		}
	}
	buf_reset(&c->answer);
	c->status = 0;
	c->retry_s = 0;
	c->error[0] = '\0';
	/* as above: what fails here for want of memory lets the transfer fail */
	(void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)API_TIMEOUT_S);
	(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, text ? text : "");
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	if (!strcmp(method, "GET"))
		(void)curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_answer);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	code = curl_easy_perform(c->curl);
	(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, NULL);
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	free(text);
	if (code != CURLE_OK)
		return transfer_failed(c, code, e);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
	if (curl_easy_getinfo(c->curl, CURLINFO_RETRY_AFTER, &retry_s) == CURLE_OK && retry_s > 0)
		c->retry_s = (uint64_t)retry_s;
	return finish(c, ret, e);
}

/* --- streams --- */

struct stream {
	struct api_client *c;
	struct sse sse;
	api_event_fn *fn;
	void *owner;
	int64_t *after;
	bool stopped, spoke;
	int error; /* -errno of our own */
};

static bool on_event(void *owner, const char *type, const char *data, int64_t id)
{
	struct stream *s = owner;
	json_t *j = json_loads(data, JSON_REJECT_DUPLICATES, NULL);
	bool going;

	if (!j) {
		s->error = -EPROTO;
		return false;
	}
	if (id >= 0)
		*s->after = id;
	going = s->fn(s->owner, type, j);
	json_decref(j);
	s->stopped = !going;
	return going;
}

static size_t on_bytes(char *p, size_t size, size_t n, void *owner)
{
	struct stream *s = owner;
	long status = 0;
	int r;

	(void)curl_easy_getinfo(s->c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return on_answer(p, size, n, s->c);
	s->spoke = true;
	r = sse_feed(&s->sse, p, size * n, on_event, s);
	if (r < 0)
		s->error = r;
	return r > 0 ? size * n : 0;
}

/* one connection; 1: it broke and may be taken up again */
static int stream_once(struct stream *s, bool live, struct err *e)
{
	struct api_client *c = s->c;
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: text/event-stream");
	char url[2 * API_URL_MAX];
	CURLcode code;

	(void)snprintf(url, sizeof(url), "%s" PATH_PREFIX "/events?after=%lld%s", c->url,
		       (long long)*s->after, live ? "&live=1" : "");
	buf_reset(&c->answer);
	c->status = 0;
	c->error[0] = '\0';
	(void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, NULL);
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
	(void)curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 0L);
	(void)curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, (long)STREAM_IDLE_S);
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_bytes);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, s);
	code = headers ? curl_easy_perform(c->curl) : CURLE_OUT_OF_MEMORY;
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, 0L);
	curl_slist_free_all(headers);
	if (s->stopped)
		return 0;
	if (s->error)
		return err_set(e, s->error, "the head's stream of events is damaged");
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
	if (code == CURLE_OK && c->status != 200)
		return finish(c, NULL, e);
	if (code == CURLE_OK)
		return 1; /* the head has ended it: it restarts */
	(void)transfer_failed(c, code, e);
	return e && e->code != -ECONNREFUSED ? e->code : 1;
}

int api_stream(struct api_client *c, int64_t *after, bool live, api_event_fn *fn, void *owner,
	       struct err *e)
{
	struct stream s = { .c = c, .fn = fn, .owner = owner, .after = after };
	struct err mine = { 0 };
	int tries = 0, r;

	if (!e)
		e = &mine;
	if (*after < 0) {
		/* a number to begin after, so that a break before the first event loses nothing */
		json_t *j;

		r = api_call(c, "GET", "/events?after=" NO_EVENT_SO_FAR, NULL, &j, e);
		if (r < 0)
			return r;
		*after = json_integer_value(json_object_get(j, "last"));
		json_decref(j);
	}
	do {
		s.spoke = false;
		sse_init(&s.sse);
		r = stream_once(&s, live, e);
		sse_done(&s.sse);
		if (r <= 0)
			return r;
		tries = s.spoke ? 0 : tries + 1;
		(void)sleep(STREAM_RETRY_S);
	} while (tries < STREAM_RETRIES);
	return e->code ? e->code : err_set(e, -ECONNREFUSED, "the head's stream of events ended");
}
