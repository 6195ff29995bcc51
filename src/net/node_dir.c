/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node_dir.c - write what a node keeps about itself */
#include "net/node_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>

#include "os/file.h"

static int write_file(const char *dir, const char *name, const void *p, size_t len, mode_t mode,
		      struct err *e)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name); /* a cut name is not found */
	return file_write_atomic(path, p, len, mode, e);
}

static char *json_text(const struct node_dir *n)
{
	json_t *peers = json_array(), *j;
	char *text;

	for (size_t i = 0; i < n->n_peers; i++)
		(void)json_array_append_new(
			peers,
			json_pack("{s:s, s:I, s:s, s:s}", "name", n->peers[i].name, "id",
				  (json_int_t)n->peers[i].id, "role", role_name(n->peers[i].role),
				  "address", n->peers[i].address)); /* NULL: a row less */
	j = json_pack("{s:s, s:I, s:s, s:s, s:s, s:o}", "name", n->name, "id", (json_int_t)n->id,
		      "role", role_name(n->role), "cluster", n->cluster, "head_url", n->head_url,
		      "peers", peers);
	text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
	json_decref(j);
	return text;
}

static int write_json(const char *dir, const struct node_dir *n, struct err *e)
{
	char *text = json_text(n);
	int r;

	if (!text)
		return err_set(e, -ENOMEM, "out of memory");
	r = write_file(dir, "node.json", text, strlen(text), 0600, e);
	free(text);
	return r;
}

static int write_text(const char *dir, const char *name, const char *text, mode_t mode,
		      struct err *e)
{
	return text ? write_file(dir, name, text, strlen(text), mode, e) : 0;
}

int node_dir_renew(const char *dir, const struct node_dir *n, struct err *e)
{
	int r = write_text(dir, "cert.pem", n->cert, 0600, e);

	if (!r && n->revoked_len)
		r = write_file(dir, "revoked", n->revoked, n->revoked_len, 0600, e);
	return r < 0 ? r : write_json(dir, n, e);
}

int node_dir_write(const char *dir, const struct node_dir *n, struct err *e)
{
	int r = write_text(dir, "key.pem", n->key, 0600, e);

	if (!r)
		r = write_text(dir, "ca.pem", n->ca, 0644, e);
	if (!r)
		r = write_text(dir, "statement.pub", n->statement_pub, 0644, e);
	return r < 0 ? r : node_dir_renew(dir, n, e);
}

int node_dir_place(const char *from, const char *to, struct err *e)
{
	if (!rename(from, to)) /* nothing, or an empty directory, was there */
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_set(e, -errno, "rename '%s' to '%s': %s", from, to, strerror(errno));
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) < 0)
		return err_set(e, -errno, "exchange '%s' and '%s': %s", from, to, strerror(errno));
	return dir_remove(from, e); /* the one that was in use */
}

int node_dir_read_json(const char *dir, struct node_dir *ret, char ret_url[256], struct err *e)
{
	const char *name, *role, *cluster, *url;
	char path[PATH_MAX];
	json_error_t je;
	json_int_t id;
	struct buf b;
	json_t *j;
	int r;

	(void)snprintf(path, sizeof(path), "%s/node.json", dir); /* a cut name is not found */
	buf_init(&b, NODE_DIR_FILE_MAX);
	r = file_read(path, &b, e);
	if (r < 0) {
		buf_done(&b);
		return r;
	}
	j = json_loadb((const char *)buf_bytes(&b), b.len, JSON_REJECT_DUPLICATES, &je);
	buf_done(&b);
	*ret = (struct node_dir){ 0 };
	if (!j || json_unpack_ex(j, &je, 0, "{s:s, s:I, s:s, s:s, s:s}", "name", &name, "id", &id,
				 "role", &role, "cluster", &cluster, "head_url", &url) < 0)
		r = err_set(e, -EINVAL, "'%s': %s", path, je.text);
	else if (!identity_name_ok(name) || id < 0 || id > UINT32_MAX ||
		 role_parse(role, &ret->role) < 0 || strlen(cluster) != CLUSTER_ID_LEN ||
		 strlen(url) >= 256)
		r = err_set(e, -EINVAL, "'%s': a value is wrong; join again", path);
	if (!r) {
		ret->id = (uint32_t)id;
		(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
		(void)snprintf(ret->cluster, sizeof(ret->cluster), "%s", cluster);
		(void)snprintf(ret_url, 256, "%s", url);
	}
	json_decref(j);
	return r;
}
