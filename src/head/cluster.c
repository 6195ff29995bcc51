/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cluster.c - what a cluster is called and where its head is */
#include "head/cluster.h"

#include <errno.h>
#include <jansson.h>

#include "os/file.h"
#include "os/sock.h"

#define FILE_MAX 16384

static int host_and_port(const struct cluster *c, uint32_t port, const char *before, struct buf *to)
{
	bool v6 = strchr(c->address, ':') != NULL;

	return buf_printf(to, "%s%s%s%s:%u", before, v6 ? "[" : "", c->address, v6 ? "]" : "",
			  port);
}

int cluster_url(const struct cluster *c, struct buf *to)
{
	return host_and_port(c, c->port, "https://", to);
}

int cluster_node_address(const struct cluster *c, struct buf *to)
{
	return host_and_port(c, NODE_PORT, "", to);
}

int cluster_check(const struct cluster *c, struct err *e)
{
	struct sock_addr a;
	struct buf b;
	int r;

	if (!identity_name_ok(c->name))
		return err_set(e, -EINVAL,
			       "'%s' is no name for a cluster: letters, digits, '-', '.', '_', "
			       "beginning with a letter or digit, at most %d",
			       c->name, IDENTITY_NAME_MAX);
	buf_init(&b, 128);
	r = cluster_node_address(c, &b);
	if (!r)
		r = sock_addr_parse(buf_text(&b), &a);
	buf_done(&b);
	if (r < 0)
		return err_set(e, -EINVAL,
			       "'%s' is no address: give the head's IPv4 or IPv6 address, "
			       "without a port",
			       c->address);
	for (size_t i = 0; i < c->n_dns; i++)
		if (!identity_name_ok(c->dns[i]))
			return err_set(e, -EINVAL, "'%s' is no DNS name", c->dns[i]);
	return 0;
}

static int parse(const json_t *j, struct cluster *ret, struct err *e)
{
	const char *id, *name, *address;
	json_t *dns;
	json_int_t port, created;
	json_error_t je;
	struct cluster c = { 0 };

	if (json_unpack_ex((json_t *)j, &je, 0, "{s:s, s:s, s:s, s:I, s:I, s:o}", "id", &id, "name",
			   &name, "address", &address, "port", &port, "created", &created, "dns",
			   &dns) < 0)
		return err_set(e, -EINVAL, "%s", je.text);
	if (strlen(id) >= sizeof(c.id) || strlen(name) >= sizeof(c.name) ||
	    strlen(address) >= sizeof(c.address) || port < 1 || port > 65535 ||
	    json_array_size(dns) > CLUSTER_NAMES_MAX)
		return err_set(e, -EINVAL, "a value is too long");
	(void)snprintf(c.id, sizeof(c.id), "%s", id);
	(void)snprintf(c.name, sizeof(c.name), "%s", name);
	(void)snprintf(c.address, sizeof(c.address), "%s", address);
	c.port = (uint32_t)port;
	c.created = created;
	for (size_t i = 0; i < json_array_size(dns); i++) {
		const char *s = json_string_value(json_array_get(dns, i));

		if (!s || strlen(s) >= sizeof(c.dns[0]))
			return err_set(e, -EINVAL, "a DNS name is too long");
		(void)snprintf(c.dns[c.n_dns++], sizeof(c.dns[0]), "%s", s);
	}
	*ret = c;
	return cluster_check(ret, e);
}

int cluster_load(const char *path, struct cluster *ret, struct err *e)
{
	json_error_t je;
	struct buf b;
	json_t *j;
	int r;

	buf_init(&b, FILE_MAX);
	r = file_read(path, &b, e);
	if (r < 0) {
		buf_done(&b);
		return r;
	}
	j = json_loadb((const char *)buf_bytes(&b), b.len, JSON_REJECT_DUPLICATES, &je);
	buf_done(&b);
	if (!j)
		return err_set(e, -EINVAL, "'%s' line %d: %s", path, je.line, je.text);
	r = parse(j, ret, e);
	json_decref(j);
	return r < 0 ? err_prefix(e, "'%s'", path) : 0;
}

int cluster_save(const char *path, const struct cluster *c, struct err *e)
{
	json_t *dns = json_array(), *j;
	char *text;
	int r;

	for (size_t i = 0; i < c->n_dns; i++)
		(void)json_array_append_new(dns, json_string(c->dns[i])); /* checked by pack */
	j = json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "id", c->id, "name", c->name, "address",
		      c->address, "port", (json_int_t)c->port, "created", (json_int_t)c->created,
		      "dns", dns);
	text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
	json_decref(j);
	if (!text)
		return err_set(e, -ENOMEM, "out of memory");
	r = file_write_atomic(path, text, strlen(text), 0644, e);
	free(text);
	return r;
}
