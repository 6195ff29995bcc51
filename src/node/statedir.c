/* SPDX-License-Identifier: GPL-2.0-or-later */
/* statedir.c - node.json: what a node was told when it joined */
#include "node/statedir.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>

#include "node/directory.h"
#include "os/file.h"

#define NODE_JSON_MAX (1U << 20)

static int put_peer(json_t *peer, struct directory *to, struct err *e)
{
	const char *name = json_string_value(json_object_get(peer, "name"));
	const char *role = json_string_value(json_object_get(peer, "role"));
	const char *address = json_string_value(json_object_get(peer, "address"));
	json_int_t id = json_integer_value(json_object_get(peer, "id"));
	struct dir_entry d = { 0 };

	if (!name || !identity_name_ok(name) || !role || role_parse(role, &d.role) < 0 || id <= 0 ||
	    id > UINT32_MAX)
		return err_set(e, -EINVAL, "a peer without good name, role and id");
	d.id = (uint32_t)id;
	(void)snprintf(d.name, sizeof(d.name), "%s", name);
	d.known_address = address && sock_addr_parse(address, &d.addr) == 0;
	return directory_put(to, &d) < 0 ? err_set(e, -ENOMEM, "out of memory") : 0;
}

int statedir_peers(const char *dir, struct directory *to, struct err *e)
{
	json_t *root = NULL, *peers, *peer;
	char path[PATH_MAX];
	struct buf b;
	size_t i;
	int r;

	(void)snprintf(path, sizeof(path), "%s/node.json", dir); /* too long: not found */
	buf_init(&b, NODE_JSON_MAX);
	r = file_read(path, &b, e);
	if (!r) {
		root = json_loadb((const char *)buf_bytes(&b), b.len, 0, NULL);
		peers = json_object_get(root, "peers");
		if (!json_is_array(peers))
			r = err_set(e, -EINVAL, "no list of peers; join again");
		json_array_foreach(peers, i, peer) if (!r) r = put_peer(peer, to, e);
		if (r < 0)
			r = err_prefix(e, "%s", path);
	}
	json_decref(root);
	buf_done(&b);
	return r;
}
