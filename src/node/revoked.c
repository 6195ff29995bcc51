/* SPDX-License-Identifier: GPL-2.0-or-later */
/* revoked.c - the list of nodes and operators whose certificates are not taken any more */
#include "node/revoked.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <limits.h>

#include "net/identity.h"
#include "os/file.h"
#include "wire/control.pb-c.h"
#include "wire/message.h"

struct revoked_node {
	uint32_t id;
	char name[IDENTITY_NAME_MAX + 1];
};

struct revoked {
	char path[PATH_MAX];
	const char *cluster;
	gnutls_pubkey_t key;
	uint64_t epoch;
	struct revoked_node *nodes; /* n, ids ascending */
	size_t n;
	char (*operators)[IDENTITY_SERIAL_TEXT]; /* n_operators serial numbers */
	size_t n_operators;
	struct buf statement;
};

void revoked_close(struct revoked *r)
{
	if (!r)
		return;
	if (r->key)
		gnutls_pubkey_deinit(r->key);
	free(r->nodes);
	free(r->operators);
	buf_done(&r->statement);
	free(r);
}

static int compare(const void *a, const void *b)
{
	const struct revoked_node *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static const struct revoked_node *find(const struct revoked *r, uint32_t id)
{
	const struct revoked_node key = { .id = id };

	return r->n ? bsearch(&key, r->nodes, r->n, sizeof(key), compare) : NULL;
}

bool revoked_has(const struct revoked *r, uint32_t id)
{
	return find(r, id) != NULL;
}

const char *revoked_name(const struct revoked *r, uint32_t id)
{
	const struct revoked_node *n = find(r, id);

	return n ? n->name : "";
}

bool revoked_has_operator(const struct revoked *r, const char *serial)
{
	for (size_t i = 0; i < r->n_operators; i++)
		if (!strcmp(r->operators[i], serial))
			return true;
	return false;
}

uint64_t revoked_epoch(const struct revoked *r)
{
	return r->epoch;
}

size_t revoked_count(const struct revoked *r)
{
	return r->n;
}

uint32_t revoked_at(const struct revoked *r, size_t i)
{
	return r->nodes[i].id;
}

const void *revoked_statement(const struct revoked *r, size_t *ret_len)
{
	*ret_len = r->statement.len;
	return r->statement.len ? buf_bytes(&r->statement) : NULL;
}

/* the list takes effect in memory; the signature has been checked */
static int adopt(struct revoked *r, const Cmx__RevocationList *list, const void *p, size_t len,
		 struct err *e)
{
	struct revoked_node *nodes = calloc(list->n_entries + 1, sizeof(*nodes));
	char(*operators)[IDENTITY_SERIAL_TEXT] = calloc(list->n_operators + 1, sizeof(*operators));
	struct buf copy;

	buf_init(&copy, STATEMENT_MAX);
	if (!nodes || !operators || buf_put(&copy, p, len) < 0) {
		free(nodes);
		free(operators);
		buf_done(&copy);
		return err_set(e, -ENOMEM, "out of memory for the revocation list");
	}
	for (size_t i = 0; i < list->n_entries; i++) {
		const char *name = list->entries[i]->name;

		nodes[i].id = list->entries[i]->id;
		if (identity_name_ok(name))
			(void)snprintf(nodes[i].name, sizeof(nodes[i].name), "%s", name);
	}
	qsort(nodes, list->n_entries, sizeof(*nodes), compare);
	for (size_t i = 0; i < list->n_operators; i++)
		(void)snprintf(operators[i], sizeof(operators[i]), "%s",
			       list->operators[i]->serial); /* a cut one is nobody's */
	free(r->nodes);
	free(r->operators);
	buf_done(&r->statement);
	r->operators = operators;
	r->n_operators = list->n_operators;
	r->nodes = nodes;
	r->n = list->n_entries;
	r->epoch = list->epoch;
	r->statement = copy;
	return 0;
}

/* 1 taken, 0 not newer */
static int check(struct revoked *r, const void *p, size_t len, struct err *e)
{
	AUTO_MESSAGE Cmx__Statement *st = NULL;
	AUTO_MESSAGE Cmx__RevocationList *list = NULL;
	gnutls_datum_t body, sig;
	int err;

	if (len > STATEMENT_MAX)
		return err_set(e, -EPROTO, "a revocation list of %zu bytes", len);
	st = message_get(&cmx__statement__descriptor, p, len, e);
	if (!st)
		return -EPROTO;
	body = (gnutls_datum_t){ st->body.data, (unsigned int)st->body.len };
	sig = (gnutls_datum_t){ st->signature.data, (unsigned int)st->signature.len };
	if (!sig.size ||
	    gnutls_pubkey_verify_data2(r->key, GNUTLS_SIGN_EDDSA_ED25519, 0, &body, &sig) < 0)
		return err_set(e, -EACCES, "a revocation list that our head did not sign");
	list = message_get(&cmx__revocation_list__descriptor, st->body.data, st->body.len, e);
	if (!list)
		return -EPROTO;
	if (strcmp(list->cluster, r->cluster) != 0)
		return err_set(e, -EACCES, "a revocation list of another cluster");
	if (list->epoch <= r->epoch)
		return 0;
	if (list->n_entries > REVOKED_MAX)
		return err_set(e, -EPROTO, "a revocation list of %zu nodes", list->n_entries);
	if (list->n_operators > REVOKED_OPERATORS_MAX)
		return err_set(e, -EPROTO, "a revocation list of %zu operators", list->n_operators);
	err = adopt(r, list, p, len, e);
	return err < 0 ? err : 1;
}

int revoked_take(struct revoked *r, const void *p, size_t len, struct err *e)
{
	int n = check(r, p, len, e), err;

	if (n <= 0)
		return n;
	err = file_write_atomic(r->path, buf_bytes(&r->statement), r->statement.len, 0600, e);
	return err < 0 ? err : 1;
}

static int load_key(struct revoked *r, const char *dir, struct err *e)
{
	char path[PATH_MAX];
	gnutls_datum_t d;
	struct buf b;
	int err;

	(void)snprintf(path, sizeof(path), "%s/statement.pub", dir); /* too long: not found */
	buf_init(&b, 8192);
	err = file_read(path, &b, e);
	if (!err) {
		d = (gnutls_datum_t){ (unsigned char *)buf_bytes(&b), (unsigned int)b.len };
		if (gnutls_pubkey_init(&r->key) < 0 ||
		    gnutls_pubkey_import(r->key, &d, GNUTLS_X509_FMT_PEM) < 0)
			err = err_set(e, -EINVAL, "'%s' holds no public key; join again", path);
	}
	buf_done(&b);
	return err;
}

static int load_list(struct revoked *r, struct err *e)
{
	struct buf b;
	int err;

	buf_init(&b, STATEMENT_MAX);
	err = file_read(r->path, &b, e);
	if (err == -ENOENT)
		err = 0;
	else if (!err)
		err = check(r, buf_bytes(&b), b.len, e);
	buf_done(&b);
	return err < 0 ? err_prefix(e, "%s (remove the file if its disk was at fault)", r->path)
		       : 0;
}

int revoked_open(const char *dir, const char *cluster, struct revoked **ret, struct err *e)
{
	struct revoked *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	(void)snprintf(r->path, sizeof(r->path), "%s/revoked", dir);
	r->cluster = cluster;
	buf_init(&r->statement, STATEMENT_MAX);
	err = load_key(r, dir, e);
	if (!err)
		err = load_list(r, e);
	if (err < 0) {
		revoked_close(r);
		return err;
	}
	*ret = r;
	return 0;
}
