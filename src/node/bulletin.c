/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bulletin.c - spreads the directory: who asks whom what is new, who tells whom */
#include "node/bulletin.h"

#include <errno.h>

#include "loop/loop.h"
#include "node/directory.h"
#include "node/membership.h"
#include "node/node.h"
#include "node/pairs.h"
#include "node/relay.h"
#include "os/rand.h"

#define ASK_EVERY_MS 10000
#define ASK_PAUSE_MS 200  /* between two askings because of an unknown number */
#define SOURCES	     8	  /* core members whose directory we follow */
#define TELL_BYTES   1150 /* of a payload */

/* how far we have read a core member's directory */
struct source {
	uint32_t id, instance;
	uint64_t serial, used_ms;
};

struct bulletin {
	struct node *node;
	uint32_t instance;
	struct source sources[SOURCES];
	uint64_t asked_ms;
	bool ask_wanted;
	struct ev_ref ask_timer;
};

static uint64_t now_of(const struct bulletin *b)
{
	return loop_now(b->node->loop);
}

static struct source *source_of(struct bulletin *b, uint32_t id, bool make)
{
	struct source *oldest = &b->sources[0];

	for (size_t i = 0; i < SOURCES; i++) {
		if (b->sources[i].id == id)
			return &b->sources[i];
		if (b->sources[i].used_ms < oldest->used_ms)
			oldest = &b->sources[i];
	}
	if (!make)
		return NULL;
	*oldest = (struct source){ .id = id };
	return oldest;
}

void bulletin_ask(struct bulletin *b, uint32_t id)
{
	struct source *s = source_of(b, id, true);
	Cmx__Directory d = CMX__DIRECTORY__INIT;

	s->used_ms = now_of(b);
	b->asked_ms = now_of(b);
	d.instance = s->instance;
	d.serial = s->serial;
	membership_send(b->node->membership, id, PAYLOAD_DIRECTORY_ASK, &d);
}

/* any core member that we can speak with */
static void ask_somebody(struct bulletin *b)
{
	uint32_t n = directory_count(b->node->directory), from = n ? (uint32_t)rand_u64() % n : 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct dir_entry *d = directory_at(b->node->directory, (from + i) % n);

		if (!role_is_core(d->role) || d->id == b->node->self.id ||
		    !membership_is_up(b->node->membership, d->id))
			continue;
		if (!pairs_have(b->node->pairs, d->id) && !relay_holds(b->node->relay, d->id))
			continue;
		bulletin_ask(b, d->id);
		return;
	}
}

static void on_ask(void *owner);

static void ask_at(struct bulletin *b, uint64_t at_ms)
{
	loop_remove(b->node->loop, &b->ask_timer);
	(void)!loop_add_timer(b->node->loop, at_ms, on_ask, b, &b->ask_timer);
}

static void on_ask(void *owner)
{
	struct bulletin *b = owner;

	b->ask_timer = (struct ev_ref){ 0 };
	b->ask_wanted = false;
	ask_somebody(b);
	ask_at(b, now_of(b) + ASK_EVERY_MS / 2 + (uint32_t)rand_u64() % ASK_EVERY_MS);
}

void bulletin_missing(struct bulletin *b)
{
	if (b->ask_wanted)
		return;
	b->ask_wanted = true;
	ask_at(b, b->asked_ms + ASK_PAUSE_MS);
}

struct telling {
	Cmx__Directory msg;
	Cmx__DirectoryEntry rows[32], *to[32];
	char addresses[32][SOCK_ADDR_TEXT];
	size_t bytes;
};

static bool tell_add(struct telling *t, const struct dir_entry *d)
{
	size_t i = t->msg.n_entries;
	Cmx__DirectoryEntry *row;

	if (i == ARRAY_LEN(t->rows))
		return false;
	row = &t->rows[i];
	cmx__directory_entry__init(row);
	row->id = d->id;
	row->name = (char *)d->name;
	row->role = (char *)role_name(d->role);
	row->relayed = d->relayed;
	row->stamp = d->stamp;
	if (d->known_address) {
		sock_addr_format(&d->addr, t->addresses[i]);
		row->address = t->addresses[i];
	}
	t->bytes += cmx__directory_entry__get_packed_size(row) + 4;
	if (t->bytes > TELL_BYTES)
		return false;
	t->to[i] = row;
	t->msg.n_entries++;
	return true;
}

static void tell_init(struct telling *t, struct bulletin *b)
{
	memset(t, 0, sizeof(*t));
	cmx__directory__init(&t->msg);
	t->msg.instance = b->instance;
	t->msg.entries = t->to;
}

void bulletin_asked(struct bulletin *b, uint32_t to, const Cmx__Directory *asked)
{
	uint64_t serial = asked->instance == b->instance ? asked->serial : 0;
	const struct dir_entry *d;
	struct telling t;

	if (!role_is_core(b->node->self.role))
		return; /* nobody would believe us */
	tell_init(&t, b);
	t.msg.serial = serial;
	while ((d = directory_after(b->node->directory, t.msg.serial))) {
		/* stamp 0 is from node.json: hearsay */
		if (d->stamp && d->id != to && !tell_add(&t, d)) {
			t.msg.more = true;
			break;
		}
		t.msg.serial = d->serial;
	}
	if (t.msg.serial != serial || asked->instance != b->instance)
		membership_send(b->node->membership, to, PAYLOAD_DIRECTORY_TELL, &t.msg);
}

struct push {
	struct bulletin *b;
	struct telling t;
	uint32_t about;
	bool desktops_only;
};

static void push_one(void *owner, uint32_t id)
{
	struct push *p = owner;
	const struct dir_entry *d = directory_get(p->b->node->directory, id);

	if (id == p->about || !d || (p->desktops_only && role_is_core(d->role)))
		return;
	membership_send(p->b->node->membership, id, PAYLOAD_DIRECTORY_TELL, &p->t.msg);
}

/* a core member spreads what it has heard first-hand, and to desktops also what others told it */
void bulletin_push(struct bulletin *b, const struct dir_entry *d, uint32_t from)
{
	struct push p = { .b = b, .about = d->id, .desktops_only = from != 0 };
	const struct directory *dir = b->node->directory;

	tell_init(&p.t, b);
	if (!tell_add(&p.t, d))
		return;
	pairs_each(b->node->pairs, push_one, &p);
	for (uint32_t i = 0; i < directory_count(dir); i++)
		if (directory_at(dir, i)->relayed &&
		    relay_holds(b->node->relay, directory_at(dir, i)->id))
			push_one(&p, directory_at(dir, i)->id);
}

static bool entry_of(const Cmx__DirectoryEntry *row, struct dir_entry *ret)
{
	struct dir_entry d = { .id = row->id, .relayed = row->relayed, .stamp = row->stamp };

	if (!row->stamp || !identity_name_ok(row->name) || role_parse(row->role, &d.role) < 0 ||
	    d.role == ROLE_OPERATOR)
		return false;
	(void)snprintf(d.name, sizeof(d.name), "%s", row->name);
	d.known_address = sock_addr_parse(row->address, &d.addr) == 0;
	*ret = d;
	return true;
}

void bulletin_told(struct bulletin *b, uint32_t from, const Cmx__Directory *told)
{
	const struct dir_entry *teller = directory_get(b->node->directory, from);
	struct source *s = source_of(b, from, false);

	if (!teller || !role_is_core(teller->role))
		return; /* a desktop speaks of itself only, by its HELLO */
	for (size_t i = 0; i < told->n_entries; i++) {
		struct dir_entry d;

		if (entry_of(told->entries[i], &d))
			membership_learn(b->node->membership, &d, from);
	}
	if (!s || !told->serial) /* 0: told unasked */
		return;
	s->instance = told->instance;
	s->serial = told->serial;
	if (told->more)
		bulletin_ask(b, from);
}

/* ---- life ---- */

void bulletin_begin(struct bulletin *b)
{
	on_ask(b);
}

int bulletin_new(struct node *n, struct bulletin **ret)
{
	struct bulletin *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->node = n;
	b->instance = (uint32_t)rand_u64() | 1;
	*ret = b;
	return 0;
}

void bulletin_free(struct bulletin *b)
{
	if (!b)
		return;
	loop_remove(b->node->loop, &b->ask_timer);
	free(b);
}
