/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setup.c - make a cluster: what `comosix init` does */
#include "head/setup.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/parse.h"
#include "head/operator.h"
#include "head/signer.h"
#include "head/store.h"
#include "net/enroll.h"
#include "net/node_dir.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/rand.h"
#include "wire/message.h"

#define WORK_DIR       ".head.init"
#define NODE_WORK_DIR  ".node.init"
#define FILE_BYTES_MAX 65536

/* what is made on the way; texts are PEM */
struct work {
	struct setup *s;
	char dir[PATH_MAX]; /* STATE/.head.init */
	struct signer *signer;
	struct buf ca, statement_pub, node_key, node_cert, operator_key, operator_cert, url;
	struct ca_issued node_issued;
	int64_t now;
};

static void path_of(char to[PATH_MAX], const char *dir, const char *name)
{
	(void)snprintf(to, PATH_MAX, "%s/%s", dir, name); /* a cut name fails where it is used */
}

static bool exists(const char *dir, const char *name)
{
	char path[PATH_MAX];

	path_of(path, dir, name);
	return !access(path, F_OK);
}

/* is STATE/node what an interrupted run of ours put there? */
static bool node_is_leftover(const struct setup *s)
{
	char path[PATH_MAX], dir[PATH_MAX], url[256];
	struct cluster c;
	struct node_dir n;

	path_of(path, s->state, WORK_DIR "/cluster.json");
	path_of(dir, s->state, "node");
	return !cluster_load(path, &c, NULL) && !node_dir_read_json(dir, &n, url, NULL) &&
	       !strcmp(n.cluster, c.id);
}

static int refuse_or_clean(const struct setup *s, struct err *e)
{
	static const char *const leftovers[] = { WORK_DIR, NODE_WORK_DIR };
	char path[PATH_MAX];
	int r = 0;

	if (exists(s->state, "head"))
		return err_set(e, -EEXIST,
			       "'%s/head' holds a cluster already; nothing was changed. To begin "
			       "anew move it away first, all nodes then have to join again",
			       s->state);
	if (exists(s->state, "node/node.json")) {
		if (!node_is_leftover(s))
			return err_set(e, -EEXIST,
				       "this machine is a node of another cluster ('%s/node'); "
				       "nothing was changed. Move that away first",
				       s->state);
		path_of(path, s->state, "node");
		r = dir_remove(path, e);
	}
	for (size_t i = 0; !r && i < ARRAY_LEN(leftovers); i++) {
		path_of(path, s->state, leftovers[i]);
		r = dir_remove(path, e);
	}
	return r;
}

/* the signer's own rules hold here too, so it is asked as the processes ask it */
static int ask(struct work *w, enum signer_from from, Cmx__SignRequest *q, struct buf *to,
	       struct ca_issued *ret, struct err *e)
{
	struct signer_answer a;
	struct buf b;
	int r;

	buf_init(&b, FILE_BYTES_MAX);
	r = message_pack(&b, q);
	if (r < 0) {
		buf_done(&b);
		return err_set(e, r, "sign: %s", strerror(-r));
	}
	signer_answer(w->signer, from, buf_bytes(&b), b.len, w->now, &a);
	buf_done(&b);
	if (a.reply.error)
		r = err_set(e, -(int)a.reply.error, "%s", a.err.text);
	else
		r = buf_put(to, buf_bytes(&a.certificate), a.certificate.len);
	*ret = a.issued;
	signer_answer_done(&a);
	return r;
}

static int make_identity(struct work *w, enum signer_from from, Cmx__SignVerb verb,
			 const char *name, const char *role, uint32_t id, struct buf *key,
			 struct buf *cert, struct ca_issued *ret, struct err *e)
{
	Cmx__SignRequest q = CMX__SIGN_REQUEST__INIT;
	struct buf csr;
	int r;

	buf_init(&csr, ENROLL_PEM_MAX);
	r = enroll_key(key, e);
	if (!r)
		r = enroll_request(buf_bytes(key), key->len, &csr, e);
	if (!r) {
		q.verb = verb;
		q.name = (char *)name;
		q.role = (char *)role;
		q.id = id;
		q.csr.data = (uint8_t *)buf_bytes(&csr);
		q.csr.len = csr.len;
		r = ask(w, from, &q, cert, ret, e);
	}
	buf_done(&csr);
	return r;
}

static int make_authority(struct work *w, struct err *e)
{
	char dir[PATH_MAX], path[PATH_MAX];
	int r;

	path_of(dir, w->dir, "signer");
	r = dir_make(dir, 0700, e);
	if (!r)
		r = ca_make(dir, w->s->cluster.name, w->now, e);
	if (!r)
		r = signer_open(dir, &w->s->cluster, &w->signer, e);
	path_of(path, dir, "ca.pem");
	if (!r)
		r = file_read(path, &w->ca, e);
	path_of(path, dir, "statement.pub");
	if (!r)
		r = file_read(path, &w->statement_pub, e);
	path_of(path, w->dir, "ca.pem");
	if (!r)
		r = file_write_atomic(path, buf_bytes(&w->ca), w->ca.len, 0644, e);
	path_of(path, w->dir, "statement.pub");
	if (!r)
		r = file_write_atomic(path, buf_bytes(&w->statement_pub), w->statement_pub.len,
				      0644, e);
	return r;
}

/* the head is the first node in the store */
static int fill_store(struct work *w, struct store *s, struct err *e)
{
	struct store_event ev = { .time = w->now, .type = "cluster.created", .by = OPERATOR_NAME };
	struct store_node n = { .id = HEAD_NODE_ID,
				.name = HEAD_NODE_NAME,
				.role = "head",
				.state = "active",
				.joined = w->now,
				.renewed = w->now };
	struct buf address;
	int r;

	buf_init(&address, sizeof(n.address) - 1);
	r = cluster_node_address(&w->s->cluster, &address);
	if (!r)
		(void)snprintf(n.address, sizeof(n.address), "%s", buf_text(&address));
	buf_done(&address);
	n.certificate_end = w->node_issued.not_after;
	memcpy(n.key_fingerprint, w->node_issued.key_fingerprint, sizeof(n.key_fingerprint));
	(void)snprintf(ev.subject, sizeof(ev.subject), "%s", w->s->cluster.name);
	(void)snprintf(ev.text, sizeof(ev.text), "was made");
	if (!r)
		r = store_node_add(s, &n, e);
	if (!r)
		r = store_certificate_add(s, w->node_issued.serial, HEAD_NODE_ID, w->now,
					  w->node_issued.not_after, e);
	return r < 0 ? r : store_event_add(s, &ev, e);
}

static int make_store(struct work *w, struct err *e)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct store *s = NULL;
	int r;

	path_of(dir, w->dir, "store");
	path_of(path, dir, "head.db");
	r = dir_make(dir, 0700, e);
	if (!r)
		r = store_open(path, &s, e);
	if (!r)
		r = store_begin(s, e);
	if (!r) {
		r = fill_store(w, s, e);
		if (r < 0)
			store_rollback(s);
		else
			r = store_commit(s, e);
	}
	store_close(s);
	return r;
}

static int make_node_dir(struct work *w, const char *dir, struct err *e)
{
	struct node_dir_peer self = { .id = HEAD_NODE_ID, .role = ROLE_HEAD };
	struct node_dir n = { .id = HEAD_NODE_ID, .role = ROLE_HEAD, .peers = &self, .n_peers = 1 };
	struct buf address;
	int r;

	(void)snprintf(self.name, sizeof(self.name), HEAD_NODE_NAME);
	buf_init(&address, sizeof(self.address) - 1);
	r = cluster_node_address(&w->s->cluster, &address);
	if (!r)
		(void)snprintf(self.address, sizeof(self.address), "%s", buf_text(&address));
	buf_done(&address);
	(void)snprintf(n.name, sizeof(n.name), HEAD_NODE_NAME);
	memcpy(n.cluster, w->s->cluster.id, sizeof(n.cluster));
	n.head_url = buf_text(&w->url);
	n.key = buf_text(&w->node_key);
	n.cert = buf_text(&w->node_cert);
	n.ca = buf_text(&w->ca);
	n.statement_pub = buf_text(&w->statement_pub);
	if (!r)
		r = dir_make(dir, 0700, e);
	return r < 0 ? r : node_dir_write(dir, &n, e);
}

static int make_all(struct work *w, struct err *e)
{
	struct ca_issued operator_issued;
	char path[PATH_MAX];
	int r = dir_make(w->dir, 0711, e);

	path_of(path, w->dir, "cluster.json");
	if (!r)
		r = cluster_save(path, &w->s->cluster, e);
	if (!r)
		r = make_authority(w, e);
	if (!r)
		r = make_identity(w, SIGNER_FROM_WEB, CMX__SIGN_VERB__SIGN_NODE, HEAD_NODE_NAME,
				  "head", HEAD_NODE_ID, &w->node_key, &w->node_cert,
				  &w->node_issued, e);
	if (!r)
		r = make_identity(w, SIGNER_FROM_HELPER, CMX__SIGN_VERB__SIGN_OPERATOR,
				  OPERATOR_NAME, "", 0, &w->operator_key, &w->operator_cert,
				  &operator_issued, e);
	return r < 0 ? r : make_store(w, e);
}

static int write_operator(struct work *w, struct err *e)
{
	char path[PATH_MAX];
	int r = dir_make(w->s->etc, 0755, e);

	path_of(path, w->s->etc, "operator.pem");
	return r < 0 ? r
		     : operator_write(path, buf_text(&w->url), buf_text(&w->operator_cert),
				      buf_text(&w->operator_key), buf_text(&w->ca), e);
}

static int put_in_place(struct work *w, struct err *e)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r;

	path_of(from, w->s->state, NODE_WORK_DIR);
	path_of(to, w->s->state, "node");
	r = make_node_dir(w, from, e);
	if (!r)
		r = node_dir_place(from, to, e);
	if (!r)
		r = write_operator(w, e);
	if (r < 0)
		return r;
	/* THE POINT OF NO RETURN */
	path_of(to, w->s->state, "head");
	if (rename(w->dir, to) < 0)
		return err_set(e, -errno, "rename '%s' to '%s': %s", w->dir, to, strerror(errno));
	return 0;
}

static void wipe(struct buf *b)
{
	if (b->data)
		gnutls_memset(b->data, 0, b->cap);
	buf_done(b);
}

/* two at once would make two authorities; the second waits and is then refused */
static int lock_state(const char *state, int *ret_fd, struct err *e)
{
	AUTO_CLOSE int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_set(e, -errno, "lock '%s': %s", state, strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}

/* every buffer of the work, for beginning and end */
static void each_buf(struct work *w, void (*fn)(struct buf *b))
{
	struct buf *const bufs[] = { &w->ca,	    &w->statement_pub, &w->node_key,
				     &w->node_cert, &w->operator_key,  &w->operator_cert,
				     &w->url };

	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		fn(bufs[i]);
}

static void make_room(struct buf *b)
{
	buf_init(b, FILE_BYTES_MAX);
}

static void work_done(struct work *w)
{
	signer_close(w->signer);
	each_buf(w, wipe);
}

int setup_cluster(struct setup *s, struct err *e)
{
	struct work w = { .s = s, .now = clock_wall_s() };
	AUTO_CLOSE int lock = -1;
	uint8_t id[16];
	int r;

	rand_bytes(id, sizeof(id));
	hex_format(id, sizeof(id), s->cluster.id);
	s->cluster.created = w.now;
	each_buf(&w, make_room);
	path_of(w.dir, s->state, WORK_DIR);
	r = cluster_check(&s->cluster, e);
	if (!r)
		r = cluster_url(&s->cluster, &w.url);
	if (!r)
		r = dir_make(s->state, 0755, e);
	if (!r)
		r = lock_state(s->state, &lock, e);
	if (!r)
		r = refuse_or_clean(s, e);
	if (!r)
		r = make_all(&w, e);
	if (!r)
		r = put_in_place(&w, e);
	work_done(&w);
	return r;
}

int setup_operator(const char *state, const char *etc, const char *name, struct err *e)
{
	struct setup s = { .state = state, .etc = etc };
	struct work w = { .s = &s, .now = clock_wall_s() };
	struct ca_issued issued;
	char path[PATH_MAX];
	int r;

	each_buf(&w, make_room);
	path_of(path, state, "head/cluster.json");
	r = cluster_load(path, &s.cluster, e);
	if (!r)
		r = cluster_url(&s.cluster, &w.url);
	path_of(path, state, "head/ca.pem");
	if (!r)
		r = file_read(path, &w.ca, e);
	path_of(path, state, "head/signer");
	if (!r)
		r = signer_open(path, &s.cluster, &w.signer, e);
	if (!r)
		r = make_identity(&w, SIGNER_FROM_HELPER, CMX__SIGN_VERB__SIGN_OPERATOR, name, "",
				  0, &w.operator_key, &w.operator_cert, &issued, e);
	if (!r)
		r = write_operator(&w, e);
	work_done(&w);
	return r;
}
