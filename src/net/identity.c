/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.c - who a certificate speaks for */
#include "net/identity.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/x509.h>

#include "base/parse.h"

#define SCHEME	   "comosix://"
#define SCHEME_LEN (sizeof(SCHEME) - 1)
#define CERT_MAX   8192 /* bytes; ours have about 600 */
#define NAMES_MAX  16	/* alternative names looked at */

static const char *const role_names[] = {
#define ROLE_WORD(name, word) [ROLE_##name] = word,
	ROLES(ROLE_WORD)
#undef ROLE_WORD
};

const char *role_name(enum role r)
{
	return role_names[r];
}

int role_parse(const char *s, enum role *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(role_names); i++)
		if (!strcmp(s, role_names[i])) {
			*ret = (enum role)i;
			return 0;
		}
	return -EINVAL;
}

bool identity_name_ok(const char *s)
{
	size_t len = strlen(s);

	if (!len || len > IDENTITY_NAME_MAX || !isalnum((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '.' && *s != '_')
			return false;
	return true;
}

static bool cluster_ok(const char *s)
{
	if (strlen(s) != CLUSTER_ID_LEN)
		return false;
	for (; *s; s++)
		if (!isdigit((unsigned char)*s) && !(*s >= 'a' && *s <= 'f'))
			return false;
	return true;
}

int identity_parse(const char *uri, size_t len, struct identity *ret, struct err *e)
{
	char copy[IDENTITY_URI_MAX + 1], *rest = copy + SCHEME_LEN;
	struct identity id = { 0 };
	const char *part[4];

	if (len > IDENTITY_URI_MAX || len < SCHEME_LEN || memchr(uri, '\0', len) ||
	    memcmp(uri, SCHEME, SCHEME_LEN) != 0)
		return err_set(e, -EINVAL, "no identity: not a " SCHEME " address");
	memcpy(copy, uri, len);
	copy[len] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		part[i] = strsep(&rest, "/");
		if (!part[i])
			return err_set(e, -EINVAL, "no identity: a part is missing");
	}
	if (rest)
		return err_set(e, -EINVAL, "no identity: too many parts");
	if (!cluster_ok(part[0]))
		return err_set(e, -EINVAL, "no identity: bad cluster id");
	if (role_parse(part[1], &id.role) < 0)
		return err_set(e, -EINVAL, "no identity: unknown role");
	if (parse_u32(part[2], &id.id) < 0 || (id.role == ROLE_OPERATOR) != (id.id == 0))
		return err_set(e, -EINVAL, "no identity: bad number");
	if (!identity_name_ok(part[3]))
		return err_set(e, -EINVAL, "no identity: bad name");
	(void)snprintf(id.cluster, sizeof(id.cluster), "%s", part[0]); /* length was checked */
	(void)snprintf(id.name, sizeof(id.name), "%s", part[3]);
	*ret = id;
	return 0;
}

/* exactly one URI may be there: two identities in one certificate are none */
static int find_uri(gnutls_x509_crt_t crt, struct identity *ret, struct err *e)
{
	bool found = false;

	for (unsigned int i = 0; i < NAMES_MAX; i++) {
		char name[IDENTITY_URI_MAX + 1];
		size_t size = sizeof(name);
		unsigned int type;
		int r = gnutls_x509_crt_get_subject_alt_name2(crt, i, name, &size, &type, NULL);

		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (r < 0)
			return err_set(e, -EINVAL, "bad alternative name: %s", gnutls_strerror(r));
		if (type != GNUTLS_SAN_URI)
			continue;
		if (found)
			return err_set(e, -EINVAL, "more than one identity in a certificate");
		r = identity_parse(name, size, ret, e);
		if (r < 0)
			return r;
		found = true;
	}
	return found ? 0 : err_set(e, -EINVAL, "a certificate without an identity");
}

static int read_serial(gnutls_x509_crt_t crt, struct identity *to, struct err *e)
{
	uint8_t bytes[(IDENTITY_SERIAL_TEXT - 1) / 2];
	size_t size = sizeof(bytes);

	if (gnutls_x509_crt_get_serial(crt, bytes, &size) < 0)
		return err_set(e, -EINVAL, "a certificate whose serial number is too long");
	hex_format(bytes, size, to->serial);
	return 0;
}

int identity_of_der(const void *der, size_t len, struct identity *ret, struct err *e)
{
	gnutls_datum_t data = { .data = (unsigned char *)der, .size = (unsigned int)len };
	struct identity id;
	gnutls_x509_crt_t crt;
	int r;

	if (len > CERT_MAX)
		return err_set(e, -EINVAL, "a certificate of %zu bytes", len);
	r = gnutls_x509_crt_init(&crt);
	if (r < 0)
		return err_set(e, -ENOMEM, "%s", gnutls_strerror(r));
	r = gnutls_x509_crt_import(crt, &data, GNUTLS_X509_FMT_DER);
	if (r < 0)
		r = err_set(e, -EINVAL, "no certificate: %s", gnutls_strerror(r));
	else
		r = find_uri(crt, &id, e);
	if (!r)
		r = read_serial(crt, &id, e);
	if (!r) {
		id.not_before = gnutls_x509_crt_get_activation_time(crt);
		id.not_after = gnutls_x509_crt_get_expiration_time(crt);
		*ret = id;
	}
	gnutls_x509_crt_deinit(crt);
	return r;
}
