/* SPDX-License-Identifier: GPL-2.0-or-later */
/* authority.c - a cluster's authority for tests: makes certificates good and bad */
#include "authority/authority.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "os/clock.h"
#include "os/file.h"
#include "wire/control.pb-c.h"
#include "wire/message.h"

#define DAY 86400

struct authority {
	char cluster[33];
	gnutls_x509_privkey_t key, statement;
	gnutls_x509_crt_t crt;
};

static void must(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "test authority: %s failed\n", what);
	abort();
}

#define MUST(call) must((call) >= 0, #call)

static void write_file(const char *dir, const char *name, const void *p, size_t n)
{
	char path[PATH_MAX];
	struct err e;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	must(file_write_atomic(path, p, n, 0600, &e) == 0, path);
}

static gnutls_x509_privkey_t key_new(gnutls_pk_algorithm_t algo)
{
	gnutls_x509_privkey_t k;
	unsigned int bits = algo == GNUTLS_PK_ECDSA
				    ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
				    : 0;

	MUST(gnutls_x509_privkey_init(&k));
	MUST(gnutls_x509_privkey_generate(k, algo, bits, 0));
	return k;
}

static gnutls_x509_crt_t crt_new(gnutls_x509_privkey_t key, const char *cn, int64_t from,
				 int64_t to)
{
	uint8_t serial[16], id[20];
	size_t id_len = sizeof(id);
	gnutls_x509_crt_t c;

	MUST(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)));
	serial[0] &= 0x7f;
	MUST(gnutls_x509_crt_init(&c));
	MUST(gnutls_x509_crt_set_version(c, 3));
	MUST(gnutls_x509_crt_set_serial(c, serial, sizeof(serial)));
	MUST(gnutls_x509_crt_set_key(c, key));
	MUST(gnutls_x509_crt_set_activation_time(c, clock_wall_s() + from));
	MUST(gnutls_x509_crt_set_expiration_time(c, clock_wall_s() + to));
	MUST(gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, cn,
					   (unsigned int)strlen(cn)));
	MUST(gnutls_x509_privkey_get_key_id(key, 0, id, &id_len));
	MUST(gnutls_x509_crt_set_subject_key_id(c, id, id_len));
	return c;
}

struct authority *authority_new(const char *cluster)
{
	struct authority *a = calloc(1, sizeof(*a));

	must(a != NULL, "calloc");
	(void)snprintf(a->cluster, sizeof(a->cluster), "%s", cluster);
	a->key = key_new(GNUTLS_PK_ECDSA);
	a->statement = key_new(GNUTLS_PK_EDDSA_ED25519);
	a->crt = crt_new(a->key, "test authority", -DAY, 30 * DAY);
	MUST(gnutls_x509_crt_set_basic_constraints(a->crt, 1, 0));
	MUST(gnutls_x509_crt_set_key_usage(a->crt, GNUTLS_KEY_KEY_CERT_SIGN));
	MUST(gnutls_x509_crt_sign2(a->crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0));
	return a;
}

void authority_free(struct authority *a)
{
	gnutls_x509_crt_deinit(a->crt);
	gnutls_x509_privkey_deinit(a->key);
	gnutls_x509_privkey_deinit(a->statement);
	free(a);
}

static gnutls_x509_crt_t issue(struct authority *a, gnutls_x509_privkey_t key,
			       const struct authority_order *o)
{
	gnutls_x509_crt_t c = crt_new(key, o->name, o->from_s, o->to_s);
	char uri[256];

	(void)snprintf(uri, sizeof(uri), "comosix://%s/%s/%u/%s", a->cluster, o->role, o->id,
		       o->name);
	if (o->uri)
		(void)snprintf(uri, sizeof(uri), "%s", o->uri);
	MUST(gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_DNSNAME, o->name,
						  (unsigned int)strlen(o->name), 0));
	MUST(gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_URI, uri, (unsigned int)strlen(uri),
						  GNUTLS_FSAN_APPEND));
	MUST(gnutls_x509_crt_set_basic_constraints(c, 0, -1));
	MUST(gnutls_x509_crt_set_key_usage(c, GNUTLS_KEY_DIGITAL_SIGNATURE));
	MUST(gnutls_x509_crt_set_key_purpose_oid(c, GNUTLS_KP_TLS_WWW_CLIENT, 0));
	MUST(gnutls_x509_crt_set_key_purpose_oid(c, GNUTLS_KP_TLS_WWW_SERVER, 0));
	MUST(gnutls_x509_crt_sign2(c, a->crt, a->key, GNUTLS_DIG_SHA256, 0));
	return c;
}

static void put_pem_key(struct buf *b, gnutls_x509_privkey_t k)
{
	gnutls_datum_t d;

	MUST(gnutls_x509_privkey_export2_pkcs8(k, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
					       &d));
	MUST(buf_put(b, d.data, d.size));
	gnutls_free(d.data);
}

static void put_pem_crt(struct buf *b, gnutls_x509_crt_t c)
{
	gnutls_datum_t d;

	MUST(gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &d));
	MUST(buf_put(b, d.data, d.size));
	gnutls_free(d.data);
}

static void put_statement_pub(struct buf *b, struct authority *a)
{
	gnutls_privkey_t priv;
	gnutls_pubkey_t pub;
	gnutls_datum_t d;

	MUST(gnutls_privkey_init(&priv));
	MUST(gnutls_pubkey_init(&pub));
	MUST(gnutls_privkey_import_x509(priv, a->statement, 0));
	MUST(gnutls_pubkey_import_privkey(pub, priv, 0, 0));
	MUST(gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_PEM, &d));
	MUST(buf_put(b, d.data, d.size));
	gnutls_free(d.data);
	gnutls_pubkey_deinit(pub);
	gnutls_privkey_deinit(priv);
}

void authority_issue(struct authority *a, const struct authority_order *o)
{
	gnutls_x509_privkey_t key = key_new(GNUTLS_PK_ECDSA);
	gnutls_x509_crt_t crt = issue(a, key, o);
	struct buf b;

	must(dir_make(o->dir, 0700, NULL) == 0, "dir_make");
	buf_init(&b, 65536);
	put_pem_key(&b, key);
	write_file(o->dir, "key.pem", buf_bytes(&b), b.len);
	buf_reset(&b);
	put_pem_crt(&b, crt);
	write_file(o->dir, "cert.pem", buf_bytes(&b), b.len);
	buf_reset(&b);
	put_pem_crt(&b, a->crt);
	write_file(o->dir, "ca.pem", buf_bytes(&b), b.len);
	buf_reset(&b);
	put_statement_pub(&b, a);
	write_file(o->dir, "statement.pub", buf_bytes(&b), b.len);
	buf_reset(&b);
	MUST(buf_printf(&b,
			"{\"name\":\"%s\",\"id\":%u,\"role\":\"%s\",\"cluster\":\"%s\","
			"\"head_url\":\"https://127.0.0.1:9\",\"peers\":%s}\n",
			o->name, o->id, o->role, a->cluster, o->peers ? o->peers : "[]"));
	write_file(o->dir, "node.json", buf_bytes(&b), b.len);
	buf_done(&b);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

void authority_operator(struct authority *a, const char *path)
{
	struct authority_order o = {
		.role = "operator", .name = "root", .from_s = -300, .to_s = DAY
	};
	gnutls_x509_privkey_t key = key_new(GNUTLS_PK_ECDSA);
	gnutls_x509_crt_t crt = issue(a, key, &o);
	struct buf b;

	buf_init(&b, 65536);
	MUST(buf_printf(&b, "# url https://127.0.0.1:9\n"));
	put_pem_crt(&b, crt);
	put_pem_key(&b, key);
	put_pem_crt(&b, a->crt);
	must(file_write_atomic(path, buf_bytes(&b), b.len, 0600, NULL) == 0, path);
	buf_done(&b);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

void authority_revoke(struct authority *a, const uint32_t *ids, size_t n, uint64_t epoch,
		      const char *path)
{
	Cmx__RevocationList list = CMX__REVOCATION_LIST__INIT;
	Cmx__Statement st = CMX__STATEMENT__INIT;
	Cmx__Revoked *rows = calloc(n + 1, sizeof(*rows)), **to = calloc(n + 1, sizeof(*to));
	char(*names)[16] = calloc(n + 1, sizeof(*names));
	gnutls_datum_t data, sig;
	gnutls_privkey_t priv;
	struct buf body, b;

	must(rows && to && names, "calloc");
	for (size_t i = 0; i < n; i++) {
		cmx__revoked__init(&rows[i]);
		rows[i].id = ids[i];
		(void)snprintf(names[i], sizeof(names[i]), "gone%u", ids[i]);
		rows[i].name = names[i];
		rows[i].until = clock_wall_s() + DAY;
		to[i] = &rows[i];
	}
	list.cluster = a->cluster;
	list.epoch = epoch;
	list.time = clock_wall_s();
	list.n_entries = n;
	list.entries = to;
	buf_init(&body, 65536);
	buf_init(&b, 65536);
	MUST(message_pack(&body, &list));
	data = (gnutls_datum_t){ .data = body.data, .size = (unsigned int)body.len };
	MUST(gnutls_privkey_init(&priv));
	MUST(gnutls_privkey_import_x509(priv, a->statement, 0));
	MUST(gnutls_privkey_sign_data(priv, GNUTLS_DIG_SHA512, 0, &data, &sig));
	st.body = (ProtobufCBinaryData){ .data = body.data, .len = body.len };
	st.signature = (ProtobufCBinaryData){ .data = sig.data, .len = sig.size };
	MUST(message_pack(&b, &st));
	must(file_write_atomic(path, buf_bytes(&b), b.len, 0600, NULL) == 0, path);
	gnutls_free(sig.data);
	gnutls_privkey_deinit(priv);
	buf_done(&body);
	buf_done(&b);
	free(rows);
	free(to);
	free(names);
}
