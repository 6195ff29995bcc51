/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admission.c - the head's answer to a machine that is let in, as files of a node */
#include "ctl/admission.h"

#include <errno.h>
#include <gnutls/gnutls.h>

static int read_peer(const json_t *row, struct node_dir_peer *to)
{
	const char *name, *role, *address;
	json_int_t id;

	if (json_unpack((json_t *)row, "{s:s, s:I, s:s, s:s}", "name", &name, "id", &id, "role",
			&role, "address", &address) < 0 ||
	    !identity_name_ok(name) || id < 1 || id > UINT32_MAX ||
	    role_parse(role, &to->role) < 0 || strlen(address) >= sizeof(to->address))
		return -EPROTO;
	to->id = (uint32_t)id;
	(void)snprintf(to->name, sizeof(to->name), "%s", name);
	(void)snprintf(to->address, sizeof(to->address), "%s", address);
	return 0;
}

static int read_peers(const json_t *rows, struct admission *a)
{
	size_t i, n = json_array_size(rows);
	json_t *row;

	if (!json_is_array(rows) || n > ADMISSION_PEERS_MAX)
		return -EPROTO;
	a->peers = calloc(n + 1, sizeof(*a->peers));
	if (!a->peers)
		return -ENOMEM;
	json_array_foreach((json_t *)rows, i,
			   row) if (read_peer(row, &a->peers[i]) < 0) return -EPROTO;
	a->dir.peers = a->peers;
	a->dir.n_peers = n;
	return 0;
}

static int read_list(const char *text, struct admission *a)
{
	gnutls_datum_t in = { (unsigned char *)text, (unsigned int)strlen(text) }, out;

	if (!in.size)
		return 0; /* nobody was ever expelled */
	if (gnutls_base64_decode2(&in, &out) < 0)
		return -EPROTO;
	a->revoked = out.data;
	a->dir.revoked = out.data;
	a->dir.revoked_len = out.size;
	return 0;
}

int admission_read(const json_t *answer, struct admission *ret, struct err *e)
{
	const char *name, *role, *cluster, *revocations;
	struct admission a = { 0 };
	json_error_t je;
	json_int_t id;
	json_t *peers;
	int r = 0;

	if (json_unpack_ex(
		    (json_t *)answer, &je, 0, "{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s}",
		    "name", &name, "id", &id, "role", &role, "cluster", &cluster, "certificate",
		    &a.dir.cert, "ca", &a.dir.ca, "statement_key", &a.dir.statement_pub, "head_url",
		    &a.dir.head_url, "peers", &peers, "revocations", &revocations) < 0)
		return err_set(e, -EPROTO, "the head's answer: %s", je.text);
	if (!identity_name_ok(name) || id < 1 || id > UINT32_MAX ||
	    role_parse(role, &a.dir.role) < 0 || strlen(cluster) != CLUSTER_ID_LEN)
		r = -EPROTO;
	if (!r) {
		a.dir.id = (uint32_t)id;
		(void)snprintf(a.dir.name, sizeof(a.dir.name), "%s", name);
		(void)snprintf(a.dir.cluster, sizeof(a.dir.cluster), "%s", cluster);
		r = read_peers(peers, &a);
	}
	if (!r)
		r = read_list(revocations, &a);
	if (r < 0) {
		admission_done(&a);
		return err_set(e, r, "the head's answer has a value that cannot be");
	}
	*ret = a;
	return 0;
}

void admission_done(struct admission *a)
{
	free(a->peers);
	gnutls_free(a->revoked);
	*a = (struct admission){ 0 };
}
